"""The filters: small named functions behind `|`, each described and shown by examples.

One module for each kind of value that they work on; importing this package registers them all.
There are no regular expressions among them: a mistake in one is hard to see, and a hostile body
can keep one busy for hours.
"""

from adapter.mapping.filters import lists, numbers, questions, texts
from adapter.mapping.filters.registry import FILTERS, Apply, Argument, Example, Filter, build

__all__ = [
    "FILTERS",
    "Apply",
    "Argument",
    "Example",
    "Filter",
    "build",
    "lists",
    "numbers",
    "questions",
    "texts",
]
