"""Compiled mapping files: what is evaluated for every body, in plain frozen data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from adapter.errors import FieldError
from adapter.mapping.expressions import Condition, Evaluate, Expression
from adapter.model import Delivery, Json, LeftOut

ABSENT = "required, but absent"


class Frame:
    """What belongs to one application: the delivery, the currencies, what was left out."""

    __slots__ = ("delivery", "exponent", "left_out", "presentment_exponent")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.exponent: int | None = None
        self.presentment_exponent: int | None = None
        self.left_out: list[LeftOut] = []


@dataclass(frozen=True, slots=True)
class Setter:
    """One field that a mapping sets.

    `path` is where problems say that it stands. `coerce` types what `evaluate` found and raises
    ValueError with the problem; when `framed` it takes the frame as well. Most fields are one key
    of the root: its `key` then saves the call of `evaluate`.
    """

    name: str
    path: str
    key: str | None
    evaluate: Evaluate
    coerce: Callable[..., Json]
    framed: bool
    required: bool
    is_list: bool = False
    expression: Expression | None = None

    def get(self, root: dict[str, Json], frame: Frame) -> Json:
        """The typed value, None when absent; a bad one raises FieldError."""
        try:
            value = self.evaluate(root, frame.delivery)
            if value is None:
                return None
            return self.coerce(value, frame) if self.framed else self.coerce(value)
        except ValueError as error:
            raise FieldError(self.path, str(error)) from None

    def need(self, root: dict[str, Json], frame: Frame) -> Json:
        """The typed value; a bad or absent one raises FieldError."""
        value = self.get(root, frame)
        if value is None:
            raise FieldError(self.path, ABSENT)
        return value


class Flat(NamedTuple):
    """A list filled from one field of all items."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class PersonPlan:
    """Whom a body is about. A bad id parks, bad contacts are left out.

    `names` says whether the mapping looks for somebody at all: a body that cannot name anybody (a
    refund) is about the owner of its order, one that could and does not is about nobody.
    """

    id: Setter | None = None
    contacts: tuple[Setter, ...] = ()
    as_of: Setter | None = None
    tokens: tuple[Setter, ...] = ()
    attributes: tuple[Setter, ...] = ()
    changes: tuple[tuple[str, tuple[Setter, ...]], ...] = ()
    gaps: tuple[Setter, ...] = ()
    times: tuple[Setter, ...] = ()
    platform_id: Setter | None = None
    names: bool = False
    currency: Setter | None = None


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One event that a topic may feed."""

    name: str
    when: tuple[tuple[str, Condition], ...]
    once: tuple[Setter, ...]
    at: Setter
    setters: tuple[Setter, ...]
    currency: Setter | None = None
    presentment_currency: Setter | None = None
    flat: tuple[Flat, ...] = ()
    counts_items: bool = False


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """A product that a body is about; `variants` makes one record of each."""

    id: Setter
    as_of: Setter | None = None
    removed: Condition | None = None
    fields: tuple[Setter, ...] = ()
    variants: Setter | None = None


@dataclass(frozen=True, slots=True)
class LedgerPlan:
    """The money of the order that a body is about. Where `refund` is not empty the body is about
    that one refund, else about the whole order. `presentment` is only asked where the buyer saw
    another currency, `refunded` where there are refunds."""

    order: Setter
    as_of: Setter | None = None
    currency: Setter | None = None
    presentment_currency: Setter | None = None
    fields: tuple[Setter, ...] = ()
    presentment: tuple[Setter, ...] = ()
    refunded: tuple[Setter, ...] = ()
    refunds: Setter | None = None
    gift_cards: Setter | None = None
    refund: tuple[Setter, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """Something that must happen and is no event; `kind` is one of model.ACTIONS."""

    kind: str
    when: tuple[tuple[str, Condition], ...] = ()
    values: tuple[Setter, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One mapping file, compiled."""

    file: str
    topics: tuple[str, ...]
    ignore: tuple[tuple[str, Condition], ...] = ()
    order: Setter | None = None
    person: PersonPlan = PersonPlan()
    events: tuple[EventPlan, ...] = ()
    catalog: CatalogPlan | None = None
    action: ActionPlan | None = None
    ledger: LedgerPlan | None = None


def fill(
    setters: tuple[Setter, ...], root: dict[str, Json], frame: Frame, prefix: str = ""
) -> dict[str, Json]:
    """The values of all fields that are there.

    A bad optional one is left out and noted; a bad or missing required one raises FieldError.
    This is the inner loop of the engine: written for speed.
    """
    found = {}
    delivery = frame.delivery
    for setter in setters:
        try:
            key = setter.key
            value = setter.evaluate(root, delivery) if key is None else root.get(key)
            if value is not None:
                value = setter.coerce(value, frame) if setter.framed else setter.coerce(value)
                if value is not None:
                    found[setter.name] = value
                    continue
        except ValueError as error:
            if setter.required:
                raise FieldError(prefix + setter.path, str(error)) from None
            frame.left_out.append(LeftOut(prefix + setter.path, str(error)))
            continue
        if setter.required:
            if not setter.is_list:
                raise FieldError(prefix + setter.path, ABSENT)
            found[setter.name] = []
    return found
