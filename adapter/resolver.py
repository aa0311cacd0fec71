"""From waiting entries to operations: who is meant, as far as memory and the batch itself know.

Pure: memory is read once per batch by the caller, overlaid here with what the batch's own entries
teach, and written by the caller in the step that settles the batch. So a flush that dies before
settling comes to the same operations when it runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapter.model import CanonicalEvent, Delivery, Entry, Json, Operation, Person

Ref = tuple[str, str, str, str]
"""(kind, platform, shop, value): an order or a token that somebody may own; kind is order, cart
or checkout."""

Owner = Mapping[str, str]
"""id, email, phone of somebody, as far as known. An empty one: it is known that there is nobody."""

NOBODY: Owner = {}
NO_PERSON = "no_person"
LATE_SECONDS = 72 * 3600
"""Customer.io lets an event trigger campaigns only when it is dated within the last 72 hours."""

IdentifyBy = Literal["id", "email"]
_ORDER_OF_IDENTIFIERS: Mapping[IdentifyBy, tuple[str, ...]] = {
    "id": ("id", "email", "phone"),
    "email": ("email", "id", "phone"),
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a batch of entries.

    `operations`: one identify per person first, then the events in the entries' order. `owners`:
    what is to be remembered. `waits`: entry id and the order whose owner it waits for. `skipped`:
    id and reason of each entry that comes to nothing. `late`: events too old to trigger anything.
    """

    operations: tuple[Operation, ...]
    owners: Mapping[Ref, Owner] = field(default_factory=dict)
    waits: tuple[tuple[str, Ref], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    late: int = 0


def references(entries: Iterable[Entry]) -> set[Ref]:
    """What memory must be asked for before `resolve` can run."""
    found: set[Ref] = set()
    for entry in entries:
        if not entry.person.named:
            found.update(_refs(entry))
    return found


def resolve(
    entries: Iterable[Entry],
    memory: Mapping[Ref, Owner],
    *,
    now: int,
    identify_by: IdentifyBy = "id",
) -> Resolution:
    """Turn entries into operations; `now` is Unix seconds, used to count what is late."""
    entries = tuple(entries)
    learned: dict[Ref, Owner] = {}
    for entry in entries:
        if entry.person.named:
            learned.update(dict.fromkeys(_refs(entry), _owner(entry.person)))

    waits: list[tuple[str, Ref]] = []
    skipped: dict[str, str] = {}
    identifies: dict[tuple[str, str], list[tuple[Person, str]]] = {}
    events: list[Operation] = []
    late = 0
    for entry in entries:
        owner = _find(entry, memory, learned)
        if owner is None and entry.order is not None and not entry.person.tokens:
            # It names nobody and no token, because it cannot: the order's owner is meant.
            waits.append((entry.id, _ref("order", entry.delivery, entry.order)))
            continue
        if not owner:
            skipped[entry.id] = NO_PERSON
            if entry.order is not None:
                # The sale of nobody: what follows it (a refund) need not wait for anybody.
                learned.setdefault(_ref("order", entry.delivery, entry.order), NOBODY)
            continue
        if entry.order is not None:
            learned.setdefault(_ref("order", entry.delivery, entry.order), owner)
        who = _identifier(owner, identify_by)
        # An anonymous body says nothing of its owner's contacts, which may have changed since.
        if entry.person.named or entry.person.attributes:
            identifies.setdefault(who, []).append((entry.person, entry.id))
        for event in entry.events:
            events.append(_event(event, who, entry.id))
            late += event.timestamp < now - LATE_SECONDS

    operations = [_identify(who, writes) for who, writes in identifies.items()]
    changed = {ref: owner for ref, owner in learned.items() if memory.get(ref) != owner}
    return Resolution((*operations, *events), changed, tuple(waits), skipped, late)


def _refs(entry: Entry) -> list[Ref]:
    found = [_ref(kind, entry.delivery, value) for kind, value in entry.person.tokens.items()]
    if entry.order is not None:
        found.append(_ref("order", entry.delivery, entry.order))
    return found


def _ref(kind: str, delivery: Delivery, value: str) -> Ref:
    return kind, delivery.platform, delivery.shop, value


def _find(entry: Entry, memory: Mapping[Ref, Owner], learned: Mapping[Ref, Owner]) -> Owner | None:
    """The entry's own person, else the owner of what it names; None where nothing is known."""
    if entry.person.named:
        return _owner(entry.person)
    best: Owner | None = None
    for ref in _refs(entry):
        owner = learned.get(ref, memory.get(ref))
        if owner:
            return owner
        best = owner if best is None else best
    return best


def _owner(person: Person) -> Owner:
    found = {"id": person.id, "email": person.email, "phone": person.phone}
    return {name: value for name, value in found.items() if value}


def _identifier(owner: Owner, identify_by: IdentifyBy) -> tuple[str, str]:
    for name in _ORDER_OF_IDENTIFIERS[identify_by]:
        if owner.get(name):
            return name, owner[name]
    raise ValueError("an owner without id, email and phone")


def _identify(who: tuple[str, str], writes: list[tuple[Person, str]]) -> Operation:
    """One identify for all that a batch says of one person: the newest value of each attribute."""
    attributes: dict[str, Json] = {}
    for person, _ in sorted(writes, key=lambda write: write[0].as_of):
        attributes.update(_attributes(person))
    attributes.pop(who[0], None)
    return Operation(
        action="identify",
        identifiers={who[0]: who[1]},
        timestamp=max(person.as_of for person, _ in writes),
        attributes=attributes,
        sources=tuple(source for _, source in writes),
    )


def _attributes(person: Person) -> dict[str, Json]:
    contacts = {
        "email": person.email,
        "phone": person.phone,
        "anonymous_id": person.anonymous_id,
    }
    return {**person.attributes, **{name: value for name, value in contacts.items() if value}}


def _event(event: CanonicalEvent, who: tuple[str, str], source: str) -> Operation:
    return Operation(
        action="event",
        identifiers={who[0]: who[1]},
        timestamp=event.timestamp,
        attributes=event.properties,
        name=event.name,
        id=event.id,
        key=event.key,
        sources=(source,),
    )
