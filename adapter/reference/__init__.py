"""The generated pages: the contract and the filters, as Markdown and for a terminal. Pure."""

from adapter.reference.events import events_page
from adapter.reference.examples import Examples, find_examples, read_bodies
from adapter.reference.filters import filters_page, filters_table
from adapter.reference.table import contract_table

__all__ = [
    "Examples",
    "contract_table",
    "events_page",
    "filters_page",
    "filters_table",
    "find_examples",
    "read_bodies",
]
