"""The record of an order, or of the token of a cart, a checkout or a subscription. Pure.

The resolver asks for single facts, each under a Ref of its own. What is known of one thing lies in
one record, as a name in Redis costs more than what stands under it (measured: 930 bytes an order
instead of 1,536, and two fifths of the time to write them):

    owner   {id, email, phone} as far as known; {} says that it is nobody's
    sold    of a cart or a checkout: the order that it became
    cart    of a checkout: the cart that it began as
    told    of an order: {event: when it was told of it}

A record is written whole, so who learns one fact must have asked for all others of its thing.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter.model import Json, Ref

OWNER, SOLD, CART, TOLD = "owner", "sold", "cart", "told"
KINDS = frozenset({"order", "cart", "checkout", "subscription"})
_PARTS = {
    "order": ((OWNER, "order", ""), (TOLD, "told", "")),
    "cart": ((OWNER, "cart", ""), (SOLD, "sold", "cart:")),
    "checkout": ((OWNER, "checkout", ""), (SOLD, "sold", "checkout:"), (CART, "link", "")),
    "subscription": ((OWNER, "subscription", ""),),
}


def place(ref: Ref) -> tuple[Ref, str | None]:
    """Where a fact is kept: the thing, and the part of its record; None of what is no thing's."""
    kind, platform, shop, value = ref
    if kind in KINDS:
        return ref, OWNER
    if kind == "sold":
        kind, _, value = value.partition(":")
        return (kind, platform, shop, value), SOLD
    if kind == "told":
        return ("order", platform, shop, value), TOLD
    if kind == "link":
        return ("checkout", platform, shop, value), CART
    return ref, None


def parts(thing: Ref) -> list[tuple[str, Ref]]:
    """All parts of a thing's record, and the Refs by which they are asked for."""
    kind, platform, shop, value = thing
    return [(name, (of, platform, shop, mark + value)) for name, of, mark in _PARTS[kind]]


def records(learned: Mapping[Ref, Json], known: Mapping[Ref, Json]) -> dict[Ref, Json]:
    """What is to be written, whole: `known` is what was known before, all of each thing of which
    something was learned."""
    found: dict[Ref, Json] = {}
    for ref, value in learned.items():
        whole, part = place(ref)
        if part is None:
            found[ref] = value
            continue
        if whole not in found:
            facts = ((name, known.get(one)) for name, one in parts(whole))
            found[whole] = {name: fact for name, fact in facts if fact is not None}
        found[whole][part] = value
    return found
