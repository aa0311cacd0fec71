"""What flows through the adapter: frozen, pure data, to and from JSON.

Delivery ─(mapping)─▶ Mapped(Person, CanonicalEvents) ─(store)─▶ Entry ─(resolver)─▶ Operations

Times are whole Unix seconds UTC, ids are text, money has left Decimal and is a JSON number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Json = Any
"""A value as `json.loads(..., parse_float=Decimal)` gives it."""


Who = tuple[str, str]
"""An identifier of somebody: id, email or phone, and its value."""

Ref = tuple[str, str, str, str]
"""(kind, platform, shop, value): what is remembered, and of what. Kinds: people/memory.py."""

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


_SELDOM = ("changes", "gaps", "times", "platform_id")
"""What most people have not: left away where it is empty."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a delivery is about, as far as its own body says.

    `as_of` is when the body's values were true; `tokens` are the names of carts and checkouts that
    this person may turn out to own; `attributes` are typed by the contract and hold no blanks.

    `times` are of attributes that were true at another time than the body (a consent); `gaps` names
    those attributes that only fill what nobody who knows better has said; `changes` are of list
    attributes whose whole the body does not hold. `platform_id` is the platform's own id of
    somebody whose `id` is the shop's.
    """

    id: str | None = None
    email: str | None = None
    phone: str | None = None
    anonymous_id: str | None = None
    as_of: int = 0
    tokens: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Json] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    times: Mapping[str, int] = field(default_factory=dict)
    platform_id: str | None = None

    @property
    def named(self) -> bool:
        """Whether the body itself says who it is."""
        return bool(self.id or self.email or self.phone)

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["tokens"] = dict(self.tokens)
        data["attributes"] = dict(self.attributes)
        for name in _SELDOM:
            if not data[name]:
                del data[name]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Person:
        return cls(**{**data, "gaps": tuple(data.get("gaps", ()))})


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

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Action:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """One refund of an order: the money that went back, in the currency in which it went.

    `lines` is what its lines, with their tax, took off the order's price in the shop's currency,
    `presentment_lines` the same in the buyer's; both are known to the body of the whole order only.
    """

    id: str
    amount: float = 0
    currency: str | None = None
    lines: float = 0
    presentment_lines: float = 0

    def to_json(self) -> dict[str, Json]:
        return _telling(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> MoneyBack:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """What a body tells of the money of one order; one about a refund tells of its `refunds` only.

    `value` is what the order costs now, None where the body is not about the whole order; `total`
    what it cost when it was bought. `gift_cards` are part of `value`, `shipping_off` is the
    shipping that `value` holds no more. These are in the shop's `currency`, `presentment_total` in
    the buyer's. `as_of` is when all of it was true, `triggered_at` tells bodies of one second
    apart.
    """

    order: str
    as_of: int
    triggered_at: float | None = None
    at: int | None = None
    currency: str | None = None
    value: float | None = None
    total: float | None = None
    gift_cards: float = 0
    shipping_off: float = 0
    cancelled: bool = False
    presentment_currency: str | None = None
    presentment_total: float | None = None
    refunds: tuple[MoneyBack, ...] = ()

    def to_json(self) -> dict[str, Json]:
        data = _telling(self)
        if self.refunds:
            data["refunds"] = [refund.to_json() for refund in self.refunds]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> OrderMoney:
        refunds = tuple(MoneyBack.from_json(refund) for refund in data.get("refunds", ()))
        return cls(**{**data, "refunds": refunds})


def _telling(fact: MoneyBack | OrderMoney) -> dict[str, Json]:
    """The fields that differ from what is there without them: most orders have no refund, and one
    currency. Zeros tell something, as of what is free."""
    return {
        one.name: value for one in fields(fact) if (value := getattr(fact, one.name)) != one.default
    }


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
    ledger: OrderMoney | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapped delivery as it waits in the outbox; `id` is its place in the stream.

    `action` is what it asks for besides; a body that asks for something names no person as a rule.
    `ledger` is what it tells of an order's money. `size` is what it takes as stored, in bytes.
    `kept` is where its body is kept. `operation` is a dead letter's, to be sent once more as it
    is; such an entry holds nothing else.
    """

    id: str
    delivery: Delivery
    person: Person
    events: tuple[CanonicalEvent, ...]
    order: str | None = None
    size: int = 0
    action: Action | None = None
    ledger: OrderMoney | None = None
    kept: str = ""
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One change at the destination, about exactly one person; a merge makes two people one.

    `identifiers` holds exactly one of id, email, phone; of a merge it names who stays, and
    `secondary` who is merged away. `attributes` are a person's attributes (identify), an event's
    properties (event), or empty. `sources` are the outbox entries that it came from, `key` the
    business key that a dead event gives back, `stamps` how much values of attributes count (see
    `people.profile`): by them a dead identify is held against what was learned since.
    """

    action: Literal["identify", "event", "merge", "delete", "suppress"]
    identifiers: Mapping[str, str]
    timestamp: int
    attributes: Mapping[str, Json]
    name: str | None = None
    id: str | None = None
    key: str | None = None
    sources: tuple[str, ...] = ()
    secondary: Mapping[str, str] | None = None
    stamps: Mapping[str, tuple[int, float, float, str]] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Json]:
        data = {name: getattr(self, name) for name in self.__slots__}
        if self.stamps:
            data["stamps"] = {name: list(own) for name, own in self.stamps.items()}
        else:
            del data["stamps"]
        data["identifiers"] = dict(self.identifiers)
        data["attributes"] = dict(self.attributes)
        data["sources"] = list(self.sources)
        if self.secondary is None:
            del data["secondary"]
        else:
            data["secondary"] = dict(self.secondary)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Operation:
        stamps = {name: tuple(own) for name, own in data.get("stamps", {}).items()}
        return cls(**{**data, "sources": tuple(data["sources"]), "stamps": stamps})
