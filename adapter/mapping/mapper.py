"""Delivery and body -> Mapped: what the compiled mapping files make of a webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.errors import Fault, FieldError
from adapter.mapping.effects import as_of, catalog, values_of
from adapter.mapping.expressions import Condition
from adapter.mapping.names import Names
from adapter.mapping.order_money import order_money
from adapter.mapping.plans import EventPlan, Frame, PersonPlan, Plan, Setter, fill
from adapter.mapping.register import Register
from adapter.mapping.rules import Rules
from adapter.mapping.samples import Sample
from adapter.mapping.schema import Schema
from adapter.mapping.types import exponent_of
from adapter.model import Action, CanonicalEvent, Changes, Delivery, Json, Mapped, Person
from adapter.ulid import event_ulid

Plans = tuple[Plan, ...]


class Mappings:
    """Everything that directories of mapping files say.

    `shops` are the plans of single shops, whole: (platform, shop) -> plans. `samples` are the tests
    inside the files of the last directory.
    """

    def __init__(
        self,
        schema: Schema,
        plans: Mapping[str, Plans],
        *,
        shops: Mapping[tuple[str, str], Plans] | None = None,
        registers: Mapping[str, Register] | None = None,
        names: Names | None = None,
        rules: Rules | None = None,
        samples: tuple[Sample, ...] = (),
        warnings: tuple[Fault, ...] = (),
    ) -> None:
        self.schema = schema
        self.names = names or Names.none()
        self.rules = rules or Rules.none()
        self.samples = samples
        self.warnings = warnings
        self._registers = dict(registers or {})
        self._topics = {platform: _by_topic(of_platform) for platform, of_platform in plans.items()}
        self._shops = {key: _by_topic(of_shop) for key, of_shop in (shops or {}).items()}

    def platforms(self) -> tuple[str, ...]:
        return tuple(sorted(self._topics))

    def topics(self, platform: str) -> tuple[str, ...]:
        return tuple(sorted(self._topics.get(platform, ())))

    def events_of(self, platform: str, topic: str) -> tuple[str, ...]:
        """The events that a topic may feed; none for an unknown one."""
        plan = self.plan(platform, topic)
        return tuple(event.name for event in plan.events) if plan else ()

    def plan(self, platform: str, topic: str, shop: str = "") -> Plan | None:
        """The compiled file that is for a topic of a shop; None for a topic that none is for."""
        own = self._shops.get((platform, shop))
        return (self._topics.get(platform, {}) if own is None else own).get(topic)

    def register(self, platform: str) -> Register:
        """What is known of a platform's topics beyond what they become."""
        return self._registers.get(platform) or Register()

    def apply(self, delivery: Delivery, body: Json) -> Mapped:
        """What a delivery becomes. Never raises, whatever the body holds."""
        plan = self.plan(delivery.platform, delivery.topic, delivery.shop)
        if delivery.test:
            return Mapped("ignored", delivery, "test notification")
        if plan is None:
            ignored = self.register(delivery.platform).ignored.get(delivery.topic)
            if ignored is not None:
                return Mapped("ignored", delivery, ignored)
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
            # What follows a sale that does not count, such as a refund, need not wait for anybody.
            about = None
            if plan.order is not None and plan.person.names:
                about = fill((plan.order,), body, frame).get(plan.order.name)
            return Mapped("ignored", delivery, reason, order=about)
    if plan.catalog is not None or plan.action is not None:
        return _effect(plan, body, frame)
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
    ledger = order_money(plan.ledger, body, frame) if plan.ledger else None
    return Mapped(
        "mapped",
        delivery,
        person=person,
        events=tuple(events),
        order=order,
        left_out=tuple(frame.left_out),
        ledger=ledger,
    )


def _effect(plan: Plan, body: dict[str, Json], frame: Frame) -> Mapped:
    """A body that is about a product, or that asks for something to be done."""
    delivery = frame.delivery
    product = action = None
    if plan.catalog is not None:
        product = catalog(plan.catalog, body, frame)
    if plan.action is not None:
        for path, condition in plan.action.when:
            if not _holds(condition, path, body, frame):
                return Mapped("ignored", delivery, f"{plan.action.kind}: nothing to do")
        action = Action(plan.action.kind, values_of(plan.action, body, frame))
    left_out = tuple(frame.left_out)
    return Mapped("mapped", delivery, left_out=left_out, catalog=product, action=action)


def _holds(condition: Condition, path: str, body: dict[str, Json], frame: Frame) -> bool:
    try:
        return condition(body, frame.delivery)
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _person(plan: PersonPlan, body: dict[str, Json], frame: Frame) -> Person:
    frame.exponent = _exponent(plan.currency, body, frame)
    id_ = plan.id.get(body, frame) if plan.id else None
    found = fill(plan.contacts, body, frame)
    attributes = fill(plan.attributes, body, frame)
    gaps: tuple[str, ...] = ()
    if plan.gaps:
        weak = fill(plan.gaps, body, frame)
        gaps = tuple(name for name in weak if name not in attributes)
        attributes = {**weak, **attributes}
    return Person(
        id_,
        found.get("email"),
        found.get("phone"),
        found.get("anonymous_id"),
        as_of(plan.as_of, body, frame),
        fill(plan.tokens, body, frame),
        attributes,
        _changes(plan, body, frame) if plan.changes else {},
        gaps,
        fill(plan.times, body, frame) if plan.times else {},
        plan.platform_id.get(body, frame) if plan.platform_id else None,
    )


def _changes(plan: PersonPlan, body: dict[str, Json], frame: Frame) -> dict[str, Changes]:
    changes = {name: fill(setters, body, frame) for name, setters in plan.changes}
    return {name: change for name, change in changes.items() if change}


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


def _exponent(currency: Setter | None, body: dict[str, Json], frame: Frame) -> int | None:
    try:
        return exponent_of(currency.get(body, frame)) if currency else None
    except FieldError:
        return None


def _by_topic(plans: Plans) -> dict[str, Plan]:
    return {topic: plan for plan in plans for topic in plan.topics}
