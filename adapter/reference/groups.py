"""The contract in groups, as both the terminal and the page show it."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.mapping.schema import Field, Schema

ABOUT: Mapping[str, str] = {
    "common": "What every event has besides its own properties.",
    "flat": "What every event with items has as well: one list for each, for easy segments.",
    "item": "One line of a cart, checkout, order, refund or parcel.",
    "person": "Attributes of a person. Every one may be absent.",
    "product": "What the catalog holds of a product. It is no event: items are enriched with it.",
    "variant": "What the catalog holds of a variant of a product.",
}
"""What each group means that is no event."""


def groups(schema: Schema) -> dict[str, tuple[Field, ...]]:
    """Every event and the other groups by their names, in the order of the contract."""
    found = {event.name: event.fields for event in schema.events.values()}
    found |= {"common": schema.common, "flat": flat(schema)}
    found |= {"item": schema.item, "person": schema.person}
    found |= {"product": schema.product, "variant": schema.variant}
    return {name: fields for name, fields in found.items() if fields or name in schema.events}


def flat(schema: Schema) -> tuple[Field, ...]:
    """The lists that an event with items has besides them."""
    with_items = next((event for event in schema.events.values() if event.has_items), None)
    if with_items is None:
        return ()
    return tuple(each for each in schema.filled_in(with_items) if each not in schema.common)


def type_of(field: Field) -> str:
    """The type as schema.yml writes it."""
    return field.type_name + ("?" if field.optional else "")
