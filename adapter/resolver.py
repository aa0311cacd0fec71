"""From waiting entries to operations: who is meant, as far as memory and the batch itself know.

Pure: memory is read once per batch by the caller, overlaid here with what the batch's own entries
teach, and written by the caller in the step that settles the batch. So a flush that dies before
settling comes to the same operations when it runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapter import carts
from adapter.identify import Lesson, Ref, Who, remembers, written
from adapter.identify import references as references_of
from adapter.mapping.rules import Rules
from adapter.model import CanonicalEvent, Delivery, Entry, Json, Operation, Person

Owner = Mapping[str, str]
"""id, email, phone of somebody, as far as known. An empty one: it is known that there is nobody."""

NOBODY: Owner = {}
NO_PERSON = "no_person"
AWAITS_PERSON = "waits until a checkout or an order names its person"
LATE_SECONDS = 72 * 3600
"""Customer.io lets an event trigger campaigns only when it is dated within the last 72 hours."""

CART_LINES = "cart_lines"
"""Kind of {"at": Unix seconds, "seen": when it was sent, "lines": content}, see `carts`."""

IdentifyBy = Literal["id", "email"]
_ORDER_OF_IDENTIFIERS: Mapping[IdentifyBy, tuple[str, ...]] = {
    "id": ("id", "email", "phone"),
    "email": ("email", "id", "phone"),
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a batch of entries.

    `operations`: one identify per person first, then the events in the entries' order, then those
    of rules. `owners`: who owns what, to be remembered in any case; `lessons` are to be remembered
    once their entries are finished. `waits`: entry id and the order whose owner it waits for.
    `skipped`: id and reason of each entry that comes to nothing. `dropped`: entry id, event and
    reason of each event that comes to nothing though its entry goes on. `late`: events too old to
    trigger anything.
    """

    operations: tuple[Operation, ...]
    owners: Mapping[Ref, Owner] = field(default_factory=dict)
    lessons: tuple[Lesson, ...] = ()
    waits: tuple[tuple[str, Ref], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[tuple[str, CanonicalEvent, str], ...] = ()
    late: int = 0

    @property
    def taught(self) -> dict[Ref, Json]:
        """All that memory will hold once the whole batch is finished."""
        return {**self.owners, **{lesson.ref: lesson.value for lesson in self.lessons}}


def references(
    entries: Iterable[Entry],
    *,
    identify_by: IdentifyBy = "id",
    rules: Rules = Rules.none(),  # noqa: B008 - frozen, and always the same
) -> set[Ref]:
    """What memory must be asked for before `resolve` can run."""
    found: set[Ref] = set()
    for entry in entries:
        if not entry.person.named:
            found.update(_refs(entry))
        elif remembers(entry.person, rules):
            who = _identifier(_owner(entry.person), identify_by)
            found.update(references_of(entry.person, who, rules))
        for event in entry.events:
            if event.name == carts.EVENT and (ref := _cart_ref(entry, event)):
                found.add(ref)
    return found


def resolve(
    entries: Iterable[Entry],
    memory: Mapping[Ref, Json],
    *,
    now: int,
    identify_by: IdentifyBy = "id",
    rules: Rules = Rules.none(),  # noqa: B008 - frozen, and always the same
    unsubscribe_on_opt_out: bool = False,
) -> Resolution:
    """Turn entries into operations; `now` is Unix seconds, used to count what is late."""
    entries = tuple(entries)
    learned: dict[Ref, Owner] = {}
    own: list[Owner | None] = []
    for entry in entries:
        named = _owner(entry.person)
        own.append(named or None)
        if named:
            learned.update(dict.fromkeys(_refs(entry), named))

    waits: list[tuple[str, Ref]] = []
    skipped: dict[str, str] = {}
    identifies: dict[Who, list[Entry]] = {}
    events: list[Operation] = []
    cart_states: dict[Ref, Json] = {}
    lessons: list[Lesson] = []
    dropped: list[tuple[str, CanonicalEvent, str]] = []
    for entry, named_owner in zip(entries, own, strict=True):
        owner = named_owner or _find(entry, memory, learned)
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
        silent = named_owner is None and not entry.person.attributes
        if not silent:
            identifies.setdefault(who, []).append(entry)
        for event in entry.events:
            if event.name == carts.EVENT:
                found = _cart(entry, event, memory, cart_states, lessons)
                if isinstance(found, str):
                    dropped.append((entry.id, event, found))
                    if silent and len(entry.events) == 1:
                        skipped[entry.id] = found
                    continue
                event = found  # noqa: PLW2901
            events.append(_event(event, who, entry.id))

    operations = []
    for who, writes in identifies.items():
        person = written(who, writes, memory, rules, unsubscribe_on_opt_out=unsubscribe_on_opt_out)
        operations.append(person.identify)
        lessons += person.lessons
        events += [_event(event, who, entry.id) for event, entry in person.events]
    late = sum(event.timestamp < now - LATE_SECONDS for event in events)
    changed = {ref: owner for ref, owner in learned.items() if memory.get(ref) != owner}
    return Resolution(
        (*operations, *events),
        changed,
        tuple(lessons),
        tuple(waits),
        skipped,
        tuple(dropped),
        late,
    )


def complete(events: Iterable[CanonicalEvent]) -> tuple[CanonicalEvent, ...]:
    """Events with what memory fills in, as they are where memory is empty."""
    return tuple(
        carts.complete(event, None) if event.name == carts.EVENT else event for event in events
    )


def _refs(entry: Entry) -> list[Ref]:
    found = [_ref(kind, entry.delivery, value) for kind, value in entry.person.tokens.items()]
    if entry.order is not None:
        found.append(_ref("order", entry.delivery, entry.order))
    return found


def _ref(kind: str, delivery: Delivery, value: str) -> Ref:
    return kind, delivery.platform, delivery.shop, value


def _cart_ref(entry: Entry, event: CanonicalEvent) -> Ref | None:
    cart = event.properties.get("cart_id")
    return _ref(CART_LINES, entry.delivery, cart) if cart else None


def _cart(
    entry: Entry,
    event: CanonicalEvent,
    memory: Mapping[Ref, Json],
    states: dict[Ref, Json],
    lessons: list[Lesson],
) -> CanonicalEvent | str:
    """The event with what was added since the cart was seen last, or why it comes to nothing.

    Bodies of one second go by when they were sent.
    """
    ref = _cart_ref(entry, event)
    if ref is None:
        return carts.complete(event, None)
    known = states.get(ref) or memory.get(ref)
    seen = entry.delivery.triggered_at
    if known:
        since, seen_last = known["at"], known["seen"]
        reordered = seen is not None and seen_last is not None and seen < seen_last
        if event.timestamp < since or (event.timestamp == since and reordered):
            return carts.OLDER
    lines = carts.lines_of(event.properties.get("items") or ())
    states[ref] = {"at": event.timestamp, "seen": seen, "lines": lines}
    lessons.append(Lesson(entry.id, ref, states[ref]))
    completed = carts.complete(event, known["lines"] if known else None)
    return completed if completed.properties["added_items"] else carts.NOTHING_ADDED


def _find(entry: Entry, memory: Mapping[Ref, Json], learned: Mapping[Ref, Owner]) -> Owner | None:
    """The owner of what an entry names that does not name a person; None: nothing is known."""
    best: Owner | None = None
    for ref in _refs(entry):
        owner = learned.get(ref, memory.get(ref))
        if owner:
            return owner
        best = owner if best is None else best
    return best


def _owner(person: Person) -> dict[str, str]:
    """What a body itself says of who it is about; empty where it names nobody."""
    found = {}
    if person.id:
        found["id"] = person.id
    if person.email:
        found["email"] = person.email
    if person.phone:
        found["phone"] = person.phone
    return found


def _identifier(owner: Owner, identify_by: IdentifyBy) -> Who:
    for name in _ORDER_OF_IDENTIFIERS[identify_by]:
        if owner.get(name):
            return name, owner[name]
    raise ValueError("an owner without id, email and phone")


def _event(event: CanonicalEvent, who: Who, source: str) -> Operation:
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
