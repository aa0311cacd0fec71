"""Delivery and body -> Mapped: what the compiled mapping files make of a webhook. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from adapter.errors import Fault, FieldError
from adapter.mapping.expressions import Condition, Evaluate
from adapter.mapping.samples import Sample
from adapter.mapping.schema import Schema
from adapter.mapping.types import exponent_of
from adapter.model import CanonicalEvent, Delivery, Json, LeftOut, Mapped, Person
from adapter.ulid import event_ulid

ABSENT = "required, but absent"


class Frame:
    """What belongs to one application: the delivery, the currencies, what was left out."""

    __slots__ = ("delivery", "exponent", "left_out", "presentment_exponent")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.exponent: int | None = None
        self.presentment_exponent: int | None = None
        self.left_out: list[LeftOut] = []


class Setter(NamedTuple):
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
class Plan:
    """One mapping file, compiled."""

    file: str
    topics: tuple[str, ...]
    ignore: tuple[tuple[str, Condition], ...] = ()
    order: Setter | None = None
    person: PersonPlan = PersonPlan()
    events: tuple[EventPlan, ...] = ()


class Mappings:
    """Everything that a directory of mapping files says."""

    def __init__(
        self,
        schema: Schema,
        plans: Mapping[str, tuple[Plan, ...]],
        samples: tuple[Sample, ...] = (),
        warnings: tuple[Fault, ...] = (),
    ) -> None:
        self.schema = schema
        self.samples = samples
        self.warnings = warnings
        self._topics = {
            platform: {topic: plan for plan in of_platform for topic in plan.topics}
            for platform, of_platform in plans.items()
        }

    def platforms(self) -> tuple[str, ...]:
        return tuple(sorted(self._topics))

    def topics(self, platform: str) -> tuple[str, ...]:
        return tuple(sorted(self._topics.get(platform, ())))

    def events_of(self, platform: str, topic: str) -> tuple[str, ...]:
        """The events that a topic may feed; none for an unknown one."""
        plan = self._topics.get(platform, {}).get(topic)
        return tuple(event.name for event in plan.events) if plan else ()

    def apply(self, delivery: Delivery, body: Json) -> Mapped:
        """What a delivery becomes. Never raises, whatever the body holds."""
        plan = self._topics.get(delivery.platform, {}).get(delivery.topic)
        if delivery.test:
            return Mapped("ignored", delivery, "test notification")
        if plan is None:
            return Mapped("parked", delivery, f"unknown topic: {delivery.topic}")
        if type(body) is not dict:
            return Mapped("parked", delivery, "the body is no object")
        frame = Frame(delivery)
        try:
            return _apply(plan, body, frame, self.schema.version)
        except FieldError as error:
            return Mapped("parked", delivery, str(error), left_out=tuple(frame.left_out))


def _apply(plan: Plan, body: dict[str, Json], frame: Frame, version: int) -> Mapped:
    delivery = frame.delivery
    for reason, condition in plan.ignore:
        if _holds(condition, f"ignore_when.{reason}", body, frame):
            return Mapped("ignored", delivery, reason)
    person = _person(plan.person, body, frame)
    order = plan.order.get(body, frame) if plan.order else None
    if not (person.named or person.tokens) and (plan.person.names or order is None):
        left_out = tuple(frame.left_out)
        return Mapped("ignored", delivery, "no_person", order=order, left_out=left_out)
    events = []
    for event in plan.events:
        for path, condition in event.when:
            if not _holds(condition, path, body, frame):
                break
        else:
            events.append(_event(event, body, frame, version))
    return Mapped(
        "mapped",
        delivery,
        person=person,
        events=tuple(events),
        order=order,
        left_out=tuple(frame.left_out),
    )


def _holds(condition: Condition, path: str, body: dict[str, Json], frame: Frame) -> bool:
    try:
        return condition(body, frame.delivery)
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _person(plan: PersonPlan, body: dict[str, Json], frame: Frame) -> Person:
    frame.exponent = _exponent(plan.currency, body, frame)
    id_ = plan.id.get(body, frame) if plan.id else None
    found = fill(plan.contacts, body, frame)
    as_of = None if plan.as_of is None else fill((plan.as_of,), body, frame).get("as_of")
    if as_of is None:
        triggered = frame.delivery.triggered_at
        as_of = frame.delivery.received_at if triggered is None else int(triggered // 1)
    return Person(
        id_,
        found.get("email"),
        found.get("phone"),
        found.get("anonymous_id"),
        as_of,
        fill(plan.tokens, body, frame),
        fill(plan.attributes, body, frame),
    )


def _event(plan: EventPlan, body: dict[str, Json], frame: Frame, version: int) -> CanonicalEvent:
    delivery = frame.delivery
    key = ":".join([part.need(body, frame) for part in plan.once])
    at = plan.at.need(body, frame)
    frame.exponent = _exponent(plan.currency, body, frame)
    frame.presentment_exponent = _exponent(plan.presentment_currency, body, frame)
    properties = fill(plan.setters, body, frame)
    items = properties.get("items") or ()
    if plan.counts_items and "item_count" not in properties:
        properties["item_count"] = sum(item.get("quantity", 0) for item in items)
    if items:
        for name, source in plan.flat:
            values = [item[source] for item in items if source in item]
            if values:
                properties[name] = values
    ulid = event_ulid(delivery.platform, delivery.shop, plan.name, key)
    properties["event_id"] = ulid
    properties["source_platform"] = delivery.platform
    properties["shop"] = delivery.shop
    properties["schema_version"] = version
    return CanonicalEvent(plan.name, key, ulid, at, properties)


def fill(
    setters: tuple[Setter, ...], root: dict[str, Json], frame: Frame, prefix: str = ""
) -> dict[str, Json]:
    """The values of all fields that are there.

    A bad optional one is left out and noted; a bad or missing required one raises FieldError.
    This is the inner loop of the engine: written for speed.
    """
    found = {}
    delivery = frame.delivery
    for name, path, key, evaluate, coerce, framed, required, is_list in setters:
        try:
            value = evaluate(root, delivery) if key is None else root.get(key)
            if value is not None:
                value = coerce(value, frame) if framed else coerce(value)
                if value is not None:
                    found[name] = value
                    continue
        except ValueError as error:
            if required:
                raise FieldError(prefix + path, str(error)) from None
            frame.left_out.append(LeftOut(prefix + path, str(error)))
            continue
        if required:
            if not is_list:
                raise FieldError(prefix + path, ABSENT)
            found[name] = []
    return found


def _exponent(currency: Setter | None, body: dict[str, Json], frame: Frame) -> int | None:
    try:
        return exponent_of(currency.get(body, frame)) if currency else None
    except FieldError:
        return None
