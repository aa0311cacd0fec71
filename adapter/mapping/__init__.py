"""The mapping engine: mapping files in, and for every webhook a person and typed events out. Pure.

mappings = load(Path("mappings"))
mapped = mappings.apply(delivery, parse_body(raw))
"""

from adapter.mapping.body import parse_body
from adapter.mapping.loader import load
from adapter.mapping.mapper import Mappings

__all__ = ["Mappings", "load", "parse_body"]
