"""The record of an order, or of the token of a cart, a checkout or the like. Pure.

The resolver asks for single facts, each under a Ref of its own. What is known of one thing lies in
one record, as a name in Redis costs more than what stands under it (measured: 930 bytes an order
instead of 1,536, and two fifths of the time to write them):

    owner   {id, email, phone} as far as known; {} says that it is nobody's
    sold    of a cart or a checkout: the order that it became
    cart    of a checkout: the cart that it began as
    told    of an order: {event: when it was told of it}
    waits   of an order that named nobody: until when it waits for its person (by scripts alone)

Only what was learned is written, into the record as it is by then: what a flush had read of the
rest may have been erased meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter import whom
from adapter.model import Json, Ref

OWNER, SOLD, CART, TOLD = "owner", "sold", "cart", "told"
_OTHERS = frozenset({"person", "since", "product", "cart_lines", whom.TOMBSTONE})
"""Kinds of Ref that are of no thing. A mapping may name tokens of kinds of its own."""

_PARTS = {
    "order": ((OWNER, "order", ""), (TOLD, "told", "")),
    "cart": ((OWNER, "cart", ""), (SOLD, "sold", "cart:")),
    "checkout": ((OWNER, "checkout", ""), (SOLD, "sold", "checkout:"), (CART, "link", "")),
}


def place(ref: Ref) -> tuple[Ref, str | None]:
    """Where a fact is kept: the thing, and the part of its record; None of what is no thing's."""
    kind, platform, shop, value = ref
    if kind in _OTHERS:
        return ref, None
    if kind == "sold":
        kind, _, value = value.partition(":")
        return (kind, platform, shop, value), SOLD
    if kind == "told":
        return ("order", platform, shop, value), TOLD
    if kind == "link":
        return ("checkout", platform, shop, value), CART
    return ref, OWNER


def parts(thing: Ref) -> list[tuple[str, Ref]]:
    """All parts of a thing's record, and the Refs by which they are asked for."""
    kind, platform, shop, value = thing
    found = _PARTS.get(kind, ((OWNER, kind, ""),))
    return [(name, (of, platform, shop, mark + value)) for name, of, mark in found]


def records(learned: Mapping[Ref, Json]) -> tuple[dict[Ref, Json], dict[Ref, dict[str, Json]]]:
    """What is to be written: what is no thing's, and by thing the parts of its record."""
    others: dict[Ref, Json] = {}
    found: dict[Ref, dict[str, Json]] = {}
    for ref, value in learned.items():
        thing, part = place(ref)
        if part is None:
            others[ref] = value
        else:
            found.setdefault(thing, {})[part] = value
    return others, found
