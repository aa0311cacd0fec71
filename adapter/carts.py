"""What was put into a cart: its content now against what is remembered of it. Pure.

A cart body holds the whole cart and never says what changed. Lines are told apart by variant; what
else makes a line its own (a text on the product, a subscription plan) is in no body for sure, so
lines of one variant count as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from adapter.model import CanonicalEvent, Json

EVENT = "added_to_cart"
"""The event of the contract whose properties `added_items` and `first_in_cart` come from memory."""

NOTHING_ADDED = "nothing was added"
OLDER = "older than what is known of the cart"

Lines = Mapping[str, float]
"""Quantity of each variant in a cart."""


def lines_of(items: Iterable[Mapping[str, Json]]) -> dict[str, float]:
    """The content of a cart as it is remembered."""
    lines: dict[str, float] = {}
    for item in items:
        key = _key(item)
        lines[key] = lines.get(key, 0) + _quantity(item)
    return lines


def compare(
    before: Lines | None, items: Iterable[Mapping[str, Json]]
) -> tuple[list[Mapping[str, Json]], bool]:
    """The lines of `items` that are new or grew since `before`, whole and in their order, and
    whether there was nothing in the cart until then. `before` is None where nothing is known."""
    items = list(items)
    before = before or {}
    now = lines_of(items)
    added = [
        item
        for item in items
        if _quantity(item) > 0 and now[_key(item)] > before.get(_key(item), 0)
    ]
    return added, not any(quantity > 0 for quantity in before.values())


def complete(event: CanonicalEvent, before: Lines | None) -> CanonicalEvent:
    """The event with the properties that memory fills in; EVENT is the only one that has some."""
    added, first = compare(before, event.properties.get("items") or ())
    remembered = {"added_items": added, "first_in_cart": first}
    return replace(event, properties={**event.properties, **remembered})


def _key(item: Mapping[str, Json]) -> str:
    for name in ("variant_id", "sku", "name"):
        if item.get(name):
            return f"{name}:{item[name]}"
    return ""


def _quantity(item: Mapping[str, Json]) -> float:
    quantity: float = item.get("quantity") or 0
    return quantity
