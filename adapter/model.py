"""What flows through the adapter: frozen, pure data, to and from JSON.

Delivery ─(mapping)─▶ Mapped(Person, CanonicalEvents) ─(store)─▶ Entry ─(resolver)─▶ Operations

Times are whole Unix seconds UTC, ids are text, money has left Decimal and is a JSON number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
"""A value as `json.loads(..., parse_float=Decimal)` gives it."""


Changes = Mapping[str, list[Json]]
"""What is to be added to a list, what to be removed from it: `{"add": [...]}`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The facts of one webhook delivery; its body travels beside it.

    `id` is the same on every retry of the delivery. `triggered_at` is when the platform says that
    the change happened (Unix seconds, fraction kept: it breaks ties between bodies of one second).
    """

    platform: str
    topic: str
    id: str
    shop: str
    received_at: int
    triggered_at: float | None = None
    api_version: str | None = None
    test: bool = False

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Delivery:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a delivery is about, as far as its own body says.

    `as_of` is when the body's values were true; `tokens` are the names of carts and checkouts that
    this person may turn out to own; `attributes` are typed by the contract and hold no blanks;
    `changes` are of list attributes whose whole the body does not hold.
    """

    id: str | None = None
    email: str | None = None
    phone: str | None = None
    anonymous_id: str | None = None
    as_of: int = 0
    tokens: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Json] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether the body itself says who it is."""
        return bool(self.id or self.email or self.phone)

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["tokens"] = dict(self.tokens)
        data["attributes"] = dict(self.attributes)
        if not self.changes:
            del data["changes"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Person:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class CanonicalEvent:
    """One event of the contract. `key` is its business key, `id` its deterministic ULID."""

    name: str
    key: str
    id: str
    timestamp: int
    properties: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["properties"] = dict(self.properties)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> CanonicalEvent:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An optional value that was not what the contract asks for, so it was left out."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Product:
    """What a body says of a product, for the catalog that enriches items.

    `fields` and those of each of the `variants` are typed by the contract; `as_of` is when they
    were true; a `removed` product has none.
    """

    id: str
    as_of: int
    removed: bool = False
    fields: Mapping[str, Json] = field(default_factory=dict)
    variants: tuple[Mapping[str, Json], ...] = ()

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["fields"] = dict(self.fields)
        data["variants"] = [dict(variant) for variant in self.variants]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Product:
        return cls(**{**data, "variants": tuple(data["variants"])})


ACTIONS = ("merge_people", "delete_person", "redact_person", "redact_shop", "report_person")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that must happen and is no event; `kind` is one of ACTIONS."""

    kind: str
    values: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "values": dict(self.values)}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping made of one delivery.

    `order` is the platform's id of the order that the body is about: its owner is remembered under
    it, and bodies that name nobody and no token (refunds) are about that owner. `person` is None
    only where nothing was mapped.
    """

    outcome: Literal["mapped", "ignored", "parked"]
    delivery: Delivery
    reason: str | None = None
    person: Person | None = None
    events: tuple[CanonicalEvent, ...] = ()
    order: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    catalog: Product | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapped delivery as it waits in the outbox; `id` is its place in the stream.

    `size` is what it takes as stored, in bytes.
    """

    id: str
    delivery: Delivery
    person: Person
    events: tuple[CanonicalEvent, ...]
    order: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One change at the destination, about exactly one person.

    `identifiers` holds exactly one of id, email, phone. `attributes` are a person's attributes
    (identify) or an event's properties (event). `sources` are the outbox entries that it came
    from, `key` the business key that a dead event gives back.
    """

    action: Literal["identify", "event"]
    identifiers: Mapping[str, str]
    timestamp: int
    attributes: Mapping[str, Json]
    name: str | None = None
    id: str | None = None
    key: str | None = None
    sources: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["identifiers"] = dict(self.identifiers)
        data["attributes"] = dict(self.attributes)
        data["sources"] = list(self.sources)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Operation:
        return cls(**{**data, "sources": tuple(data["sources"])})
