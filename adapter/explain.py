"""What one webhook would become: pure and offline, with memory taken as empty."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter import actions, carts
from adapter.courier import encode, pack
from adapter.destinations.base import Destination, Item
from adapter.mapping.names import Names
from adapter.model import CanonicalEvent, Entry, Json, Mapped, Operation, Person
from adapter.resolver import AWAITS_PERSON, NO_PERSON, PLAIN, Policy, Resolution, complete, resolve

AWAITS_ORDERED = "waits until a checkout, or a later body of this order, names its person"
_DEEDS = {
    "merge_of_nobody": "nothing to merge: two people must be named",
    "merged_here_only": "remembered; nothing to merge at Customer.io until both were sent there",
    "customer_deleted": "noted only, as ON_CUSTOMER_DELETE says",
    "report_asked": "a report of all that is known of them is made here",
    "shop_redacted": "all that is kept of the shop is erased here",
}
"""What an action comes to that sends nothing, by what it is counted as."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a body becomes, and what each step on its way did.

    `mapped` is what the mappings made of it, `events` are canonical and complete, `items` the
    operations as they are sent. `dropped` are events that come to nothing and why, `unsendable`
    operations that no request may hold and why, `derived` the attributes that rules and settings
    added.
    """

    outcome: str
    reason: str | None
    mapped: Mapped
    events: tuple[CanonicalEvent, ...] = ()
    items: tuple[Item, ...] = ()
    requests: tuple[Mapping[str, Json], ...] = ()
    dropped: tuple[tuple[CanonicalEvent, str], ...] = ()
    unsendable: tuple[tuple[Operation, str], ...] = ()
    derived: Mapping[str, Json] | None = None

    def to_json(self) -> dict[str, Any]:
        """As `adapter explain --json` prints it (DESIGN, section 2). `left_out`, `catalog` and
        `action` are there only when there is something in them."""
        mapped, delivery = self.mapped, self.mapped.delivery
        found: dict[str, Any] = {
            "outcome": self.outcome,
            "reason": self.reason,
            "delivery": {
                "platform": delivery.platform,
                "topic": delivery.topic,
                "id": delivery.id,
                "shop": delivery.shop,
            },
            "person": None if mapped.person is None else mapped.person.to_json(),
            "events": [event.to_json() for event in self.events],
            "requests": list(self.requests),
        }
        if mapped.left_out:
            found["left_out"] = [
                {"path": each.path, "problem": each.problem}
                for each in dict.fromkeys(mapped.left_out)
            ]
        if mapped.catalog is not None:
            found["catalog"] = mapped.catalog.to_json()
        if mapped.action is not None:
            found["action"] = mapped.action.to_json()
        return found


def explained(
    mapped: Mapped,
    destination: Destination,
    *,
    policy: Policy = PLAIN,
    names: Names = Names.none(),  # noqa: B008 - frozen, and always the same
) -> Explanation:
    """What the delivery side would make of a mapped body, were it the first that it ever saw."""
    mapped = actions.settled(mapped)
    person = mapped.person or (Person() if mapped.action else None)
    if mapped.outcome != "mapped" or person is None:
        return Explanation(mapped.outcome, mapped.reason, mapped)
    entry = Entry(
        "0-0",
        mapped.delivery,
        person,
        mapped.events,
        mapped.order,
        ledger=mapped.ledger,
        action=mapped.action,
    )
    resolution = resolve([entry], {}, now=mapped.delivery.received_at, policy=policy)
    events, dropped = _events(mapped, resolution)
    outcome, reason = "mapped", mapped.reason
    for skipped in resolution.skipped.values():
        if skipped == NO_PERSON and person.tokens:
            reason = _awaits(mapped)
        else:
            outcome, reason, events = "ignored", skipped, ()
    for _, (kind, _, _, name) in resolution.waits:
        by_order = f"waits until order {name} says whose it is"
        reason = by_order if kind == "order" else _awaits(mapped)
    if mapped.action and not resolution.operations:
        reason = next((_DEEDS[each] for each in resolution.counts if each in _DEEDS), reason)
    parcel = encode(destination, resolution.operations, names)
    return Explanation(
        outcome,
        reason,
        mapped,
        events,
        tuple(parcel.items),
        tuple(_requests(destination, parcel.items)),
        dropped,
        tuple(parcel.dead),
        _derived(person, resolution),
    )


def _awaits(mapped: Mapped) -> str:
    """What a body that names only tokens waits for; one of an order waits for no order."""
    of_order = any("order_id" in event.properties for event in mapped.events)
    return AWAITS_ORDERED if of_order and mapped.order else AWAITS_PERSON


def _events(
    mapped: Mapped, resolution: Resolution
) -> tuple[tuple[CanonicalEvent, ...], tuple[tuple[CanonicalEvent, str], ...]]:
    """The events as they go out, those of rules last; and those that come to nothing."""
    dropped = {event.id: (event, reason) for _, event, reason in resolution.dropped}
    events = []
    for event in complete(mapped.events):
        if event.name == carts.EVENT and not event.properties.get("added_items"):
            dropped.setdefault(event.id, (event, carts.NOTHING_ADDED))
        if event.id not in dropped:
            events.append(event)
    own = {event.id for event in mapped.events}
    for each in resolution.operations:
        if each.action == "event" and each.id not in own:
            events.append(
                CanonicalEvent(
                    each.name or "", each.key or "", each.id or "", each.timestamp, each.attributes
                )
            )
    return tuple(events), tuple(dropped.values())


def _derived(person: Person, resolution: Resolution) -> dict[str, Json]:
    """What is written of a person beyond what the body says: by rules and by settings."""
    own = {*person.attributes, *person.changes, "email", "phone", "anonymous_id"}
    return {
        name: value
        for each in resolution.operations
        if each.action == "identify"
        for name, value in each.attributes.items()
        if name not in own
    }


def _requests(destination: Destination, items: list[Item]) -> Iterator[Mapping[str, Json]]:
    for part in pack(destination, items):
        request = destination.request(part)
        yield {
            "method": request.method,
            "path": request.path,
            "json": json.loads(request.body),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which two explanations differ; None where one has nothing there."""

    path: str
    before: Json
    after: Json

    def to_json(self) -> dict[str, Json]:
        return {"path": self.path, "before": self.before, "after": self.after}


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Change]:
    """Where two explanations of one body differ, in the order of what they hold."""
    return list(_changes("", before, after))


def _changes(path: str, before: Json, after: Json) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _changes(inner, before.get(name), after.get(name))
    elif _has_names(before) and _has_names(after):
        ours, theirs = _by_identity(before), _by_identity(after)
        for identity in dict.fromkeys([*ours, *theirs]):
            one, other = ours.get(identity), theirs.get(identity)
            known = one or other or {}
            name = known.get("name") or known.get("action")
            yield from _changes(f"{path}[{name}]", one, other)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (ours, theirs) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{number}]", ours, theirs)
    elif before != after:
        yield Change(path, before, after)


def _has_names(value: Json) -> bool:
    """Whether these are events, or operations of a request: their order says nothing."""
    return isinstance(value, list) and all(
        isinstance(each, Mapping) and ("action" in each or {"name", "key"} <= each.keys())
        for each in value
    )


def _by_identity(values: list[Mapping[str, Json]]) -> dict[str, Mapping[str, Json]]:
    """Events by their ULID, under whatever name they go out; the identify by its action."""
    return {str(each.get("id") or each.get("action")): each for each in values}
