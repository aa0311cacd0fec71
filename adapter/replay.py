"""Replays: what came in before goes its way once more, through today's mappings.

A replay takes the steps of a webhook. What its delivery told before is told again under the same
id, which Customer.io ignores; what another delivery told is left to that one. So whatever stops a
replay, running it again does no harm. A plan says what a replay would do, and writes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from adapter.actions import settled
from adapter.courier import encode, pack
from adapter.destinations.base import Destination
from adapter.errors import MalformedError
from adapter.mapping import Mappings, parse_body
from adapter.model import CanonicalEvent, Delivery, Entry, Json, Mapped, Operation, Person, Ref
from adapter.resolver import MOST_READS, PLAIN, Policy, Resolution, references, resolve
from adapter.store.kept import Kept, KeptDelivery
from adapter.store.letters import HANDFUL, DeadLetter, Letters, ParkedDelivery
from adapter.store.outbox import Outbox
from adapter.store.people import Holder, People

Thing = KeptDelivery | ParkedDelivery | DeadLetter
State = Literal["new", "again", "told", "dropped"]

GIVEN_UP = "its body was given up"
GONE = "it was replayed or dropped meanwhile"
TOLD_SINCE = "another delivery has told this event since"
NOT_PARKED = "it was parked, and dropped since"
DONE_HERE = "its body would not bring it about again: it can go out only as it is"
MOST_KNOWN = 50_000
"""What earlier things of a plan would teach memory, and later ones find there, at the most."""

_NOWHERE = "0-0"
"""A place in `kept` at which nothing lies."""


@dataclass(frozen=True, slots=True)
class EventPlan:
    """An event of a replay.

    It is `new`; told `again` by the same delivery, so that Customer.io ignores it by its id;
    `told` by another delivery, `why` names it; or `dropped`, `why` says what for.
    """

    name: str
    key: str
    id: str
    state: State
    why: str | None = None

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay of one thing would come to.

    `place` is kept, parked or dead, and `id` what it is called there. `outcome` is accepted,
    ignored, parked; of a dead letter that goes out as it is revived or told; or impossible.
    `before` is what became of it then. `changes` are attributes that would be written of its
    person, `requests` are there only if they were asked for: both may be personal.
    """

    id: str
    place: str
    deliveries: tuple[Delivery, ...]
    before: str
    before_reason: str | None
    outcome: str
    reason: str | None = None
    events: tuple[EventPlan, ...] = ()
    changes: Mapping[str, Json] = field(default_factory=dict)
    requests: tuple[Mapping[str, Json], ...] = ()

    @property
    def delivery(self) -> Delivery:
        return self.deliveries[0]


@dataclass(frozen=True, slots=True)
class Done:
    """What a replay of one thing came to: `outcome` as in a plan, requeued (as it was mapped), or
    gone. `events` is how many went on their way."""

    id: str
    place: str
    deliveries: tuple[Delivery, ...]
    outcome: str
    reason: str | None = None
    events: int = 0

    @property
    def stays(self) -> bool:
        """Whether it lies where it lay, because it could not be replayed."""
        return self.outcome in ("parked", "told", "impossible")


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays things of one workspace. Methods raise StoreError."""

    mappings: Mappings
    outbox: Outbox
    kept: Kept
    letters: Letters
    people: People
    destination: Destination
    policy: Policy = PLAIN

    def plan(
        self, things: Iterable[Thing], *, remap: bool = False, with_requests: bool = False
    ) -> Iterator[Plan]:
        """What a replay of each would come to, in this order: what earlier ones would teach, later
        ones know. With `remap` a dead letter begins with its body and today's mappings."""
        planner = _Planner(self, with_requests=with_requests)
        for handful in _handfuls(things):
            yield from planner.plan([self._part(each, remap=remap) for each in handful])

    def run(self, things: Iterable[Thing], *, remap: bool = False) -> Iterator[Done]:
        """Replay each, and say what it came to."""
        again: set[tuple[str, str, str]] = set()
        for handful in _handfuls(things):
            letters = [one for one in handful if isinstance(one, DeadLetter)]
            if letters and not remap:
                for letter, answer in zip(letters, self.letters.revive(letters), strict=True):
                    yield _revived(letter, answer)
            for each in handful:
                if not isinstance(each, DeadLetter):
                    yield self._replay(each)
                elif remap:
                    yield self._remapped(each, again)

    def map(self, delivery: Delivery, raw: bytes) -> Mapped:
        """What today's mappings make of a body."""
        try:
            return settled(self.mappings.apply(delivery, parse_body(raw)))
        except MalformedError as error:
            return Mapped("parked", delivery, str(error))

    def _replay(self, one: KeptDelivery | ParkedDelivery) -> Done:
        place = "kept" if isinstance(one, KeptDelivery) else "parked"
        done = Done(one.id, place, (one.delivery,), "impossible")
        if isinstance(one, ParkedDelivery) and _goes_as_it_is(one):
            requeued = self.letters.requeue([one.id])[0]
            told = one.operation is not None and one.operation.action == "event"
            return replace(
                done,
                outcome="requeued" if requeued else "gone",
                reason=None if requeued else GONE,
                events=(len(one.events) + told) * requeued,
            )
        if one.body is None:
            return replace(done, reason=_why_not(one))
        mapped = self.map(one.delivery, one.body)
        if isinstance(one, ParkedDelivery):
            said = self.outbox.accept(mapped, one.body, kept=one.kept or _NOWHERE, parked=one.id)
        else:
            said = self.outbox.accept(mapped, one.body, kept=one.id)
        reason = GONE if said.outcome == "gone" else mapped.reason
        return replace(done, outcome=said.outcome, reason=reason, events=said.events)

    def _remapped(self, letter: DeadLetter, again: set[tuple[str, str, str]]) -> Done:
        """A dead letter from its bodies on; `again` are deliveries that this run replayed."""
        done = Done(letter.id, "dead", letter.deliveries, "gone", GONE)
        if self.letters.dead_one(letter.id) is None:
            return done
        part = self._remap_part(letter)
        if part.outcome:
            return replace(done, outcome=part.outcome, reason=part.reason)
        outcome, events = "ignored", 0
        for number, (mapped, body) in enumerate(part.mapped):
            delivery = mapped.delivery
            which = delivery.platform, delivery.shop, delivery.id
            if which not in again:
                kept = letter.kept[number] if number < len(letter.kept) else ""
                events += self.outbox.accept(mapped, body, kept=kept or _NOWHERE).events
                again.add(which)
            outcome = "accepted" if mapped.outcome == "mapped" else outcome
        gone = not self.letters.drop_dead([letter.id])
        reason = next((mapped.reason for mapped, _ in part.mapped if mapped.reason), None)
        return replace(
            done,
            outcome=outcome,
            reason=GONE if gone else reason if outcome == "ignored" else None,
            events=events,
        )

    def _part(self, one: Thing, *, remap: bool) -> _Part:
        if isinstance(one, DeadLetter):
            return self._remap_part(one) if remap else _Part(one, operation=one.operation)
        if isinstance(one, ParkedDelivery) and _goes_as_it_is(one):
            if one.operation is not None:
                return _Part(one, operation=one.operation, outcome="requeued")
            mapped = Mapped(
                "mapped", one.delivery, person=one.person, events=one.events, order=one.order
            )
            return _Part(one, mapped=((mapped, b""),), outcome="requeued")
        if one.body is None:
            return _Part(one, outcome="impossible", reason=_why_not(one))
        return _Part(one, mapped=((self.map(one.delivery, one.body), one.body),))

    def _remap_part(self, letter: DeadLetter) -> _Part:
        """What today's mappings make of a dead letter's bodies; with an outcome where that is no
        good."""
        if self._is_done_here(letter.operation):
            return _Part(letter, outcome="impossible", reason=DONE_HERE)
        found: list[tuple[Mapped, bytes]] = []
        for number, delivery in enumerate(letter.deliveries):
            body = body_of(letter, number, self.kept)
            if body is None:
                reason = f"{GIVEN_UP} (delivery {delivery.id}): it can go out only as it is"
                return _Part(letter, outcome="impossible", reason=reason)
            mapped = self.map(delivery, body)
            if mapped.outcome == "parked":
                return _Part(letter, outcome="parked", reason=mapped.reason)
            found.append((mapped, body))
        if not found:
            return _Part(letter, outcome="impossible", reason="it tells of no delivery")
        return _Part(letter, mapped=tuple(found))

    def _is_done_here(self, operation: Operation) -> bool:
        """Whether memory holds it as done, so that its body would not bring it about once more: who
        was merged or erased, and what a rule told."""
        if operation.action == "event":
            rules = self.mappings.rules.remembering
            return operation.name in [rule.event for rule in rules]
        return not operation.attributes


@dataclass(frozen=True, slots=True)
class _Part:
    """A thing, and what goes in of it: bodies as mapped, or an operation as it is. An `outcome`
    is there where it is known without looking further."""

    thing: Thing
    mapped: tuple[tuple[Mapped, bytes], ...] = ()
    operation: Operation | None = None
    outcome: str = ""
    reason: str | None = None


class _Planner:
    """Plans in one row: keys and lessons of what would go before are remembered."""

    def __init__(self, replayer: Replayer, *, with_requests: bool) -> None:
        self._replayer = replayer
        self._with_requests = with_requests
        self._claimed: dict[tuple[Ref, str, str], str] = {}
        self._known: dict[Ref, Json] = {}
        self._number = 0

    def plan(self, parts: Sequence[_Part]) -> list[Plan]:
        holders = self._holders(parts)
        memory = self._memory(parts)
        plans = []
        for part in parts:
            plans.append(self._plan(part, holders, memory))
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return plans

    def _plan(
        self, part: _Part, holders: Mapping[tuple[Ref, str, str], str], memory: dict[Ref, Json]
    ) -> Plan:
        thing = part.thing
        deliveries = thing.deliveries if isinstance(thing, DeadLetter) else (thing.delivery,)
        before, before_reason = _before(thing)
        outcome, reason = part.outcome, part.reason
        states: dict[tuple[str, str], EventPlan] = {}
        entries: list[Entry] = []
        for mapped, _ in part.mapped:
            if mapped.outcome != "mapped":
                outcome, reason = outcome or mapped.outcome, reason or mapped.reason
                continue
            outcome, reason = part.outcome or "accepted", None
            goes = []
            for event in mapped.events:
                one = self._event(mapped.delivery, event, holders)
                states.setdefault((event.name, event.key), one)
                goes += [event] if one.state != "told" else []
            entries.append(self._entry(mapped, goes))
        if part.operation is not None:
            outcome, reason = part.outcome or "revived", None
            delivery = deliveries[0]
            if told := self._operation(delivery, part.operation, holders):
                states[told.name, told.key] = told
                if told.state == "told" and outcome == "revived":
                    outcome, reason = "told", TOLD_SINCE
            if outcome != "told":
                self._number += 1
                entries.append(
                    Entry(f"{self._number}-0", delivery, Person(), (), operation=part.operation)
                )
        resolution = resolve(
            entries,
            memory,
            now=int(time.time()),
            policy=self._replayer.policy,
        )
        memory.update(resolution.taught)
        self._known.update(resolution.taught)
        for each in entries:
            if why := resolution.skipped.get(each.id):
                reason = f"comes to nothing: {why}"
                for event in each.events:
                    self._drop(states, event, why)
        for _, event, why in resolution.dropped:
            self._drop(states, event, why)
        for _, ref in resolution.waits:
            reason = f"waits until the owner of its {ref[0]} is known"
        for operation in resolution.operations if part.operation is None else ():
            # What rules tell stands in no body.
            if operation.action == "event":
                name, key = operation.name or "", operation.key or ""
                states.setdefault((name, key), EventPlan(name, key, operation.id or "", "new"))
        return Plan(
            thing.id,
            _place(thing),
            deliveries,
            before,
            before_reason,
            outcome,
            reason,
            tuple(states.values()),
            _changes(resolution),
            tuple(self._requests(resolution)) if self._with_requests else (),
        )

    def _entry(self, mapped: Mapped, events: Sequence[CanonicalEvent]) -> Entry:
        self._number += 1
        return Entry(
            f"{self._number}-0",
            mapped.delivery,
            mapped.person or Person(),
            tuple(events),
            mapped.order,
            ledger=mapped.ledger,
            action=mapped.action,
        )

    def _event(
        self,
        delivery: Delivery,
        event: CanonicalEvent,
        holders: Mapping[tuple[Ref, str, str], str],
    ) -> EventPlan:
        asked = _asked(delivery, event.name, event.key)
        holder = self._claimed.setdefault(asked, holders.get(asked, delivery.id))
        if holder != delivery.id:
            return EventPlan(event.name, event.key, event.id, "told", holder)
        state: State = "again" if asked in holders else "new"
        return EventPlan(event.name, event.key, event.id, state)

    def _operation(
        self,
        delivery: Delivery,
        operation: Operation,
        holders: Mapping[tuple[Ref, str, str], str],
    ) -> EventPlan | None:
        if operation.action != "event":
            return None
        event = CanonicalEvent(
            operation.name or "", operation.key or "", operation.id or "", operation.timestamp, {}
        )
        return self._event(delivery, event, holders)

    def _holders(self, parts: Sequence[_Part]) -> dict[tuple[Ref, str, str], str]:
        """Which deliveries hold the keys that a handful would claim."""
        asked = []
        for part in parts:
            for mapped, _ in part.mapped:
                asked += [_asked(mapped.delivery, one.name, one.key) for one in mapped.events]
            operation = part.operation
            if operation is not None and operation.action == "event":
                delivery = _delivery(part.thing)
                asked.append(_asked(delivery, operation.name or "", operation.key or ""))
        found: list[Holder] = self._replayer.people.holders(asked)
        return {(one.ref, one.event, one.key): one.delivery for one in found}

    def _memory(self, parts: Sequence[_Part]) -> dict[Ref, Json]:
        """All of memory that a handful needs, as a flush reads it."""
        entries = []
        for part in parts:
            for mapped, _ in part.mapped:
                if mapped.outcome == "mapped":
                    entries.append(self._entry(mapped, mapped.events))
            if part.operation is not None:
                entries.append(
                    Entry("0-0", _delivery(part.thing), Person(), (), operation=part.operation)
                )
        memory = dict(self._known)
        policy = self._replayer.policy
        # Of what is known already it cannot be told whether these entries were asked about before.
        wanted = references(entries, {}, policy) - memory.keys()
        for _ in range(MOST_READS):
            if not wanted:
                break
            found = self._replayer.outbox.owners(wanted)
            memory.update((ref, found.get(ref)) for ref in wanted)
            wanted = references(entries, memory, policy, again=True)
        return memory

    def _requests(self, resolution: Resolution) -> Iterator[Mapping[str, Json]]:
        destination = self._replayer.destination
        parcel = encode(destination, resolution.operations, self._replayer.mappings.names)
        for part in pack(destination, parcel.items):
            request = destination.request(part)
            yield {
                "method": request.method,
                "path": request.path,
                "json": json.loads(request.body),
            }

    @staticmethod
    def _drop(states: dict[tuple[str, str], EventPlan], event: CanonicalEvent, why: str) -> None:
        one = states.get((event.name, event.key))
        if one is not None and one.state != "told":
            states[event.name, event.key] = replace(one, state="dropped", why=why)


def body_of(letter: DeadLetter, number: int, kept: Kept) -> bytes | None:
    """The body of one of a dead letter's deliveries, wherever it still is. Raises StoreError."""
    body = letter.bodies[number] if number < len(letter.bodies) else None
    if body is None and number < len(letter.kept) and letter.kept[number]:
        found = kept.get(letter.kept[number])
        body = found.body if found else None
    return body


def _handfuls(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    ahead = iter(things)
    while handful := list(islice(ahead, HANDFUL)):
        yield handful


def _revived(letter: DeadLetter, answer: str) -> Done:
    reason = {"gone": GONE, "told": TOLD_SINCE}.get(answer)
    is_event = letter.operation.action == "event"
    events = int(answer == "revived" and is_event)
    return Done(letter.id, "dead", letter.deliveries, answer, reason, events)


def _before(thing: Thing) -> tuple[str, str | None]:
    """What became of a thing, and why."""
    if isinstance(thing, KeptDelivery):
        return thing.outcome, thing.reason
    return _place(thing), thing.reason


def _place(thing: Thing) -> str:
    if isinstance(thing, DeadLetter):
        return "dead"
    return "kept" if isinstance(thing, KeptDelivery) else "parked"


def _delivery(thing: Thing) -> Delivery:
    return thing.deliveries[0] if isinstance(thing, DeadLetter) else thing.delivery


def _goes_as_it_is(one: ParkedDelivery) -> bool:
    """Whether it does not begin with its body: there is none, or the operation of a dead letter was
    parked, which memory may hold as done."""
    return one.operation is not None or (one.body is None and one.was_mapped)


def _why_not(one: KeptDelivery | ParkedDelivery) -> str:
    """Why there is nothing to replay."""
    return NOT_PARKED if isinstance(one, KeptDelivery) else GIVEN_UP


def _asked(delivery: Delivery, event: str, key: str) -> tuple[Ref, str, str]:
    """A business key as `People.holders` is asked for it."""
    return ("", delivery.platform, delivery.shop, ""), event, key


def _changes(resolution: Resolution) -> dict[str, Json]:
    return {
        name: value
        for one in resolution.operations
        if one.action == "identify"
        for name, value in one.attributes.items()
    }
