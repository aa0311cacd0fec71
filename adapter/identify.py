"""What a batch says of one person: one identify, the events of rules, what to remember. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapter import changes
from adapter.mapping.rules import NEW, OLD, Rule, Rules
from adapter.model import CanonicalEvent, Entry, Json, Operation, Person
from adapter.ulid import event_ulid

Who = tuple[str, str]
"""An identifier: id, email or phone, and its value."""

Ref = tuple[str, str, str, str]
"""(kind, platform, shop, value): what is remembered, and of what.

Kinds: `order`, `cart` and `checkout` (who owns it), `cart_lines` (what is in a cart); `lists` and
`rules` are of a person: platform and shop are blank there, the value is `<identifier>:<value>`.
"""

LISTS = "lists"
"""Kind of {attribute: state of the list}, see `changes`."""

RULES = "rules"
"""Kind of {rule: [Unix seconds, value]}, for the rules that have an event."""

TAGS = "tags"
"""The attribute whose whole list is remembered, because other bodies hold but its changes."""


class Lesson(NamedTuple):
    """What entry `source` teaches. It may be remembered only once that entry is finished."""

    source: str
    ref: Ref
    value: Json


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch comes to for one person; `events` come with the entry that they are from."""

    identify: Operation
    events: Sequence[tuple[CanonicalEvent, Entry]] = ()
    lessons: Sequence[Lesson] = ()


def remembers(person: Person, rules: Rules) -> bool:
    """Whether something may be remembered of somebody that matters here."""
    return bool(TAGS in person.attributes or person.changes or rules.remembering)


def references(person: Person, who: Who, rules: Rules) -> Iterator[Ref]:
    """What must be known of somebody who is named before `written` can run."""
    if person.changes or TAGS in person.attributes:
        yield _ref(LISTS, who)
    if rules.remembering and _touches(person, rules):
        yield _ref(RULES, who)


def written(
    who: Who,
    entries: Sequence[Entry],
    memory: Mapping[Ref, Json],
    rules: Rules,
    *,
    unsubscribe_on_opt_out: bool = False,
) -> Written:
    """The newest value of each attribute, and what follows from them.

    Rules are asked after every entry in the order of their times, on all that is known by then: so
    it does not matter with how many others an entry shares its batch. What memory holds of a person
    is asked and changed only by bodies that name them.
    """
    if len(entries) > 1:
        entries = sorted(entries, key=lambda entry: entry.person.as_of)
    picture: dict[str, Json] = {}
    touched = False
    events: list[tuple[CanonicalEvent, Entry]] = []
    lessons: list[Lesson] = []
    latest: dict[Ref, Json] = {}
    for entry in entries:
        person = entry.person
        picture.update(_attributes(person))
        if person.named and (person.changes or TAGS in person.attributes):
            ref = _ref(LISTS, who)
            lists = latest[ref] = _lists(person, latest.get(ref, memory.get(ref)) or {}, picture)
            lessons.append(Lesson(entry.id, ref, lists))
        if rules and _touches(person, rules):
            touched = True
            if rules.remembering and person.named:
                derived = rules.derive(picture)
                ref = _ref(RULES, who)
                known = latest.get(ref, memory.get(ref)) or {}
                found, values = _changes(who, entry, derived, known, rules)
                events += [(event, entry) for event in found]
                if values != known:
                    latest[ref] = values
                    lessons.append(Lesson(entry.id, ref, values))
    if touched:
        picture.update(rules.derive(picture))
    picture.pop(who[0], None)
    if unsubscribe_on_opt_out and picture.get("accepts_marketing") is False:
        picture["unsubscribed"] = True
    identify = Operation(
        action="identify",
        identifiers={who[0]: who[1]},
        timestamp=entries[-1].person.as_of,
        attributes=picture,
        sources=tuple([entry.id for entry in entries]),
    )
    return Written(identify, events, lessons)


def _ref(kind: str, who: Who) -> Ref:
    return kind, "", "", f"{who[0]}:{who[1]}"


def _attributes(person: Person) -> dict[str, Json]:
    """What an identify says of somebody: their contacts are attributes as well."""
    found = dict(person.attributes)
    if person.email:
        found["email"] = person.email
    if person.phone:
        found["phone"] = person.phone
    if person.anonymous_id:
        found["anonymous_id"] = person.anonymous_id
    return found


def _touches(person: Person, rules: Rules) -> bool:
    """Whether a body says something that a rule reads."""
    reads = rules.reads
    return bool(
        not reads.isdisjoint(person.attributes)
        or not reads.isdisjoint(person.changes)
        or (person.email and "email" in reads)
        or (person.phone and "phone" in reads)
    )


def _lists(
    person: Person, known: Mapping[str, changes.State], picture: dict[str, Json]
) -> dict[str, changes.State]:
    """What is known of somebody's lists from here on; the lists themselves go into `picture`."""
    lists = dict(known)
    for name in {TAGS, *person.changes}:
        before = state = lists.get(name)
        if name in person.attributes:
            state = changes.replaced(state, person.attributes[name], person.as_of)
        if name in person.changes:
            state = changes.changed(state, person.changes[name], person.as_of)
        if state is None:
            continue
        lists[name] = state
        # Where nothing was known and nothing is there, saying so would empty a list that is not.
        if changes.elements(state) or changes.elements(before):
            picture[name] = changes.elements(state)
    return lists


def _changes(
    who: Who, entry: Entry, derived: Mapping[str, Json], known: Mapping[str, Any], rules: Rules
) -> tuple[list[CanonicalEvent], dict[str, Any]]:
    """The events of rules whose value changed, and the last values from here on.

    A first value is no change: else all customers of a shop would change once on its first day.
    """
    events = []
    values = dict(known)
    as_of = entry.person.as_of
    for rule in rules.remembering:
        if rule.name not in derived:
            continue
        new = derived[rule.name]
        since, old = known.get(rule.name, (as_of, new))
        if as_of < since:
            continue
        values[rule.name] = [as_of, new]
        if old != new:
            events.append(_event(who, entry, rule, old, new, rules.version))
    return events, values


def _event(
    who: Who, entry: Entry, rule: Rule, old: Json, new: Json, version: int
) -> CanonicalEvent:
    delivery, as_of, name = entry.delivery, entry.person.as_of, rule.event or ""
    key = ":".join([*who, rule.name, str(old), str(new), str(as_of)])
    ulid = event_ulid(delivery.platform, delivery.shop, name, key)
    properties = {
        OLD: old,
        NEW: new,
        "event_id": ulid,
        "source_platform": delivery.platform,
        "shop": delivery.shop,
        "schema_version": version,
    }
    return CanonicalEvent(name, key, ulid, as_of, properties)
