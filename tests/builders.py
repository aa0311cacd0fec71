"""Deliveries, entries and operations with the least that a test must say about them."""

from __future__ import annotations

from typing import Any

from adapter.model import CanonicalEvent, Delivery, Entry, Mapped, Operation, Person
from adapter.ulid import event_ulid

PLATFORM, SHOP = "shopify", "lovelace-coffee.myshopify.com"
AT = 1767225600
"""2026-01-01T00:00:00Z, when everything here happened unless a test says otherwise."""


def delivery(id: str = "d1", topic: str = "orders/create") -> Delivery:
    return Delivery(platform=PLATFORM, topic=topic, id=id, shop=SHOP, received_at=AT)


def person(id: str | None = "42", **facts: Any) -> Person:
    return Person(id=id, **{"as_of": AT, **facts})


def event(
    key: str = "1001", name: str = "order_completed", at: int = AT, **properties: Any
) -> CanonicalEvent:
    return CanonicalEvent(name, key, event_ulid(PLATFORM, SHOP, name, key), at, properties)


NAMELESS = Person(as_of=AT)
"""Of a body that names neither a person nor a token: the owner of its order is meant."""


def mapped(id: str, who: Person, *events: CanonicalEvent, order: str | None = None) -> Mapped:
    return Mapped("mapped", delivery(id), person=who, events=events, order=order)


def entry(id: str, who: Person, *events: CanonicalEvent, order: str | None = None) -> Entry:
    """An entry as the outbox hands it out; `id` is its place and, here, its delivery's id too."""
    return Entry(id, delivery(id), who, events, order)


def identify(who: str = "42", **attributes: Any) -> Operation:
    return Operation("identify", {"id": who}, AT, attributes, sources=("1-0",))


def happening(key: str, who: str = "42", **properties: Any) -> Operation:
    """The operation of an event; `key` tells one from another."""
    one = event(key, **properties)
    return Operation(
        "event",
        {"id": who},
        one.timestamp,
        one.properties,
        name=one.name,
        id=one.id,
        key=one.key,
        sources=("1-0",),
    )
