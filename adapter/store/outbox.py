"""The outbox of one workspace: what intake appends and flushes settle, each in one atomic step."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from redis import Redis

from adapter.compact import dump, reader
from adapter.deeds import Errand
from adapter.errors import StoreError
from adapter.jobs import JobTemplate
from adapter.model import (
    Action,
    CanonicalEvent,
    Delivery,
    Entry,
    Json,
    Mapped,
    Operation,
    OrderMoney,
    Person,
    Ref,
)
from adapter.resolver import Owner
from adapter.store import catalog, refs, things, topics
from adapter.store.connection import store_errors
from adapter.store.kept import squeeze
from adapter.store.pressure import REFUSE_AT, Gauge
from adapter.store.recall import recall
from adapter.store.room import make_way
from adapter.store.scripts import Scripts, rq_now
from adapter.store.streams import millisecond

LEASE_MS = 10_000
"""How long a flush that shows no life keeps the outbox. A killed worker delays delivery by this."""

CLAIMS_BEFORE_CAUTION = 3
"""How often a worker may die on one batch before its entries go one by one."""

CAUTIOUS_ENTRIES = 1_000
MOST_BODIES = 20
"""Bodies that stay with one dead letter: of one person's news in one batch."""

_INDEX = re.compile(r"\[\d+\]")
SECONDS_TO_MAKE_WAY = 0.3
"""How long a webhook may wait for that: the store gives up after five."""

FULL = "Redis is nearly full: what is left is for those who empty it"
WAITED_TOO_LONG = "the order's owner did not become known within 24 hours"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a webhook: accepted, duplicate, ignored or parked, and how many events of it
    were new."""

    outcome: str
    events: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A flush's hold on the outbox, worth something only while the lease holds its token.

    `attempts` counts the claims since something was settled, `caution` the entries that are to go
    one by one because a worker died on them, `failures` the answers in a row that moved nothing and
    may be an item's fault, `throttles` those between them that only asked to slow down. `ends` are
    the last entries of batches that were begun: what comes again ends there again.
    """

    token: str
    attempts: int
    caution: int
    failures: int
    throttles: int = 0
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dead:
    """An operation that the destination refused for good, and why."""

    operation: Operation
    reason: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a batch.

    `done` are entries that are finished, dead and skipped ones included; `skipped` are ids of those
    that came to nothing: their events may come again, from a body that names somebody. `condemned`
    are ids of entries with the reason why they are parked. `owners` and `memory` are to be
    remembered. `dropped` are events that came to nothing though their entry did not: they give
    their keys back. `forgotten` are ids of entries whose body names somebody who was erased.
    `answered` says that the destination took or refused something, which ends a row of failures.
    `account` is what the journal is to say of all this.
    """

    done: Sequence[Entry] = ()
    dead: Sequence[Dead] = ()
    skipped: Sequence[str] = ()
    condemned: Sequence[tuple[str, str]] = ()
    waits: Sequence[tuple[str, Ref]] = ()
    owners: Mapping[Ref, Owner] = field(default_factory=dict)
    memory: Mapping[Ref, Json] = field(default_factory=dict)
    dropped: Sequence[tuple[Entry, CanonicalEvent]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    errands: Sequence[Errand] = ()
    forgotten: Sequence[str] = ()
    answered: bool = True
    account: bytes = b""

    def taught(self, ref: Ref) -> Json:
        """What is remembered under it from here on, None where nothing new is."""
        return self.memory.get(ref, self.owners.get(ref))


class Outbox:
    """The atomic steps. Every method raises StoreError when Redis does not do it."""

    def __init__(self, redis: Redis, workspace: str, job: JobTemplate, *, secret: str = "") -> None:
        self._redis = redis
        self._secret = secret
        self._scripts = Scripts(redis, workspace, job)
        self._stream = self._scripts.prefix + "outbox"
        self._gauge = Gauge(
            self._scripts.memory,
            lambda: make_way(redis, workspace, REFUSE_AT, SECONDS_TO_MAKE_WAY),
        )
        self._numbers = count(1)

    def accept(self, mapped: Mapped, raw: bytes, *, kept: str = "", parked: str = "") -> Accepted:
        """Take a mapped delivery in, and keep its body, `raw`; a delivery that was taken in before
        changes nothing.

        With `kept`, where its body is kept already, it is a replay: it is taken in once more. With
        `parked` it is a replay of what is parked under that id, and is parked no more unless it is
        to be parked again; the outcome is "gone" where it was replayed or dropped meanwhile.
        """
        # What gives way first is what a replay would come to next.
        if self._gauge.is_full(relieve=not kept):
            raise StoreError(FULL)
        delivery = mapped.delivery
        ignored = mapped.outcome == "ignored"
        nobody = ""
        if ignored and mapped.order:
            nobody = refs.thing("order", delivery.platform, delivery.shop, mapped.order)
        arguments: list[str | bytes | int] = [
            "accepted" if mapped.outcome == "mapped" else mapped.outcome,
            refs.dedupe(delivery),
            delivery.id,
            rq_now(),
            mapped.reason or "",
            dump(delivery),
            dump(mapped.person.to_json()) if mapped.person is not None else "",
            mapped.order or "",
            squeeze(raw),
            nobody,
            refs.DEDUPE_SECONDS,
            refs.KEY_SECONDS,
            refs.OWNER_SECONDS,
            dump([_INDEX.sub("[]", left.path) for left in mapped.left_out])
            if mapped.left_out
            else "",
            topics.ref(delivery),
            delivery.received_at,
            topics.MOST,
            kept,
            parked,
            f"{random.getrandbits(40):x}",
        ]
        product = mapped.catalog
        if product is None:
            arguments.append("")
        else:
            ref = catalog.product(delivery.platform, delivery.shop, product.id)
            record = dump(product.to_json())
            arguments += [ref, record, product.as_of, catalog.PRODUCT_SECONDS]
        if mapped.action is not None:
            arguments += ["=a", dump(mapped.action.to_json())]
        if mapped.ledger is not None:
            arguments += ["=l", dump(mapped.ledger.to_json())]
        for event in mapped.events:
            arguments += [refs.business_key(delivery, event.name, event.key), dump(event)]
        with store_errors():
            outcome, events = self._scripts.call("accept", *arguments)
        return Accepted(outcome.decode(), events)

    def close(self) -> None:
        """Close its connection; the next call makes another."""
        self._scripts.close()

    def claim(self, job_id: str, token: str) -> Claim | None:
        """Take the lease that names the job; None when another flush has or had it."""
        with store_errors():
            claimed, attempts, caution, failures, throttles, ends = self._scripts.call(
                "claim", job_id, token, LEASE_MS, CLAIMS_BEFORE_CAUTION, CAUTIOUS_ENTRIES
            )
        if not claimed:
            return None
        return Claim(token, attempts, caution, failures, throttles, tuple(ends.decode().split()))

    def begin(self, claim: Claim, last: str) -> bool:
        """Keep that a batch which ends with the entry `last` is about to be sent ("": keep no end);
        False when the lease is somebody else's now."""
        with store_errors():
            return bool(self._scripts.call("begin", claim.token, last))

    def renew(self, claim: Claim) -> bool:
        """Keep the lease for another LEASE_MS; False when it is somebody else's now."""
        with store_errors():
            return bool(self._scripts.call("renew", claim.token, LEASE_MS))

    def read(self, after: str, count: int) -> list[Entry]:
        """The oldest entries behind the one called `after` ("" for the very first)."""
        with store_errors():
            found: Any = self._redis.xrange(self._stream, f"({after}" if after else "-", "+", count)
        return [_entry(id_.decode(), fields) for id_, fields in found]

    def first(self) -> str | None:
        """The id of the oldest entry."""
        with store_errors():
            found: Any = self._redis.xrange(self._stream, "-", "+", 1)
        return found[0][0].decode() if found else None

    def owners(self, wanted: Iterable[Ref]) -> dict[Ref, Json]:
        """What is remembered of owners, carts and people, in one question; what is unknown is left
        out."""
        return recall(self._scripts.texts, self._scripts.prefix, self._secret, wanted)

    def settle(self, claim: Claim, work: Settlement, *, hand_over: bool = False) -> int | None:
        """Write down what became of a batch; the entries still in the outbox are counted.

        None when the claim has lost the lease: then nothing was written. With `hand_over` a new
        job is woken for what is left, so that other workspaces get their turn.
        """
        entries = {entry.id: entry for entry in work.done}
        waits = [
            [
                id_,
                refs.waiting(self._name(ref)),
                str(millisecond(id_) // 1000 + refs.wait_seconds(ref[0])),
                refs.MOST_UNDER_A_TOKEN if ref[0] in refs.COME_TO_NOTHING else 0,
            ]
            for id_, ref in work.waits
        ]
        released = [refs.waiting(self._name(ref)) for ref in work.owners]
        document = {
            "done": list(entries),
            "dead": [_letter(dead, entries) for dead in work.dead],
            "freed": [
                *(key for id_ in work.skipped for key in _keys(entries[id_])),
                *(_key(entry, event) for entry, event in work.dropped),
            ],
            "answered": work.answered,
            "condemned": work.condemned,
            "waits": waits,
            "released": released,
            "counts": [[name, str(n)] for name, n in work.counts.items() if n],
            "errands": [
                [errand.delivery, dump(errand.to_json()).decode()] for errand in work.errands
            ],
            "forgotten": [entries[id_].kept for id_ in work.forgotten if entries[id_].kept],
            "hand_over": hand_over,
        }
        with store_errors():
            settled, left = self._scripts.call(
                "settle",
                claim.token,
                LEASE_MS,
                rq_now(),
                dump(document),
                next(self._numbers),
                work.account,
                *self._memory(work),
            )
        return left if settled else None

    def _memory(self, work: Settlement) -> list[str | bytes | int]:
        """Names, values and lifetimes of what is to be remembered, one behind the other, and before
        them how many of them stand for themselves; the rest are parts of records."""
        others, parts = things.records({**work.owners, **work.memory})
        triples: list[str | bytes | int] = [len(others)]
        for ref, value in others.items():
            triples += (self._name(ref), dump(value), refs.seconds(ref[0]))
        for thing, new in parts.items():
            triples += (refs.thing(*thing), dump(new), refs.OWNER_SECONDS)
        return triples

    def _name(self, ref: Ref) -> str:
        return refs.memory(*ref, self._secret)

    def back_off(
        self,
        claim: Claim,
        seconds: float,
        reason: str,
        *,
        paused: bool = False,
        throttled: bool = False,
        died: bool = False,
    ) -> bool:
        """Let everything wait; False when the claim has lost the lease.

        With `died` the flush itself broke, which counts towards caution as a killed worker does.
        Like being `paused` or `throttled` it is no failure: it says nothing about what was sent.
        """
        counted = "failures"
        if paused or throttled or died:
            counted = "throttles" if throttled else ""
        return self._wait(claim, seconds, reason, paused=paused, counted=counted, died=died)

    def release(self, claim: Claim) -> bool:
        """Give the lease back unused: this process is asked to stop."""
        return self._wait(claim, 0, "", paused=False, counted="", died=False)

    def sweep(self, limit: int = 100) -> tuple[int, int]:
        """Wake what nobody else wakes: (entries in the outbox, entries parked for want of a
        person)."""
        with store_errors():
            left, parked = self._scripts.call("sweep", rq_now(), WAITED_TOO_LONG, limit)
        return left, parked

    def _wait(
        self, claim: Claim, seconds: float, reason: str, *, paused: bool, counted: str, died: bool
    ) -> bool:
        with store_errors():
            return bool(
                self._scripts.call(
                    "backoff",
                    claim.token,
                    round(seconds * 1000),
                    reason,
                    int(time.time()),
                    int(paused),
                    counted,
                    int(not died),
                )
            )


def _letter(dead: Dead, entries: Mapping[str, Entry]) -> list[Json]:
    """A dead letter's record, the key that it gives back, who held it, its bodies' places."""
    operation = dead.operation
    sources = [entries[source] for source in operation.sources if source in entries]
    record: dict[str, Json] = {
        "operation": operation.to_json(),
        "reason": dead.reason,
        "deliveries": [entry.delivery.to_json() for entry in sources],
        "kept": [entry.kept for entry in sources],
    }
    kept = [entry.kept for entry in sources[:MOST_BODIES]]
    for entry in sources[:1] if operation.name and operation.key else ():
        # What a rule told holds no key: memory sees to it that it happens once.
        told = [event.id for event in entry.events]
        told += [entry.operation.id or ""] if entry.operation else []
        if operation.id in told:
            record["order"] = entry.order
            key = refs.business_key(entry.delivery, operation.name or "", operation.key or "")
            return [dump(record).decode(), key, entry.delivery.id, kept]
    return [dump(record).decode(), "", "", kept]


def _keys(entry: Entry) -> list[list[str]]:
    """The business keys of all events of an entry."""
    return [_key(entry, event) for event in entry.events]


def _key(entry: Entry, event: CanonicalEvent) -> list[str]:
    """A business key, with the delivery that would hold it."""
    return [refs.business_key(entry.delivery, event.name, event.key), entry.delivery.id]


_delivery, _person, _event = reader(Delivery), reader(Person), reader(CanonicalEvent)
_action, _ledger, _operation = reader(Action), reader(OrderMoney), reader(Operation)
_NOBODY = Person()


def _entry(id_: str, fields: Mapping[bytes, bytes]) -> Entry:
    part = fields.get
    person, action, ledger, operation = part(b"p"), part(b"a"), part(b"l"), part(b"q")
    events: list[CanonicalEvent] = []
    while (text := part(b"e%d" % len(events))) is not None:
        events.append(_event(text))
    return Entry(
        id_,
        _delivery(fields[b"d"]),
        _person(person) if person else _NOBODY,
        tuple(events),
        fields[b"o"].decode() or None,
        sum(map(len, fields.values())),
        _action(action) if action else None,
        _ledger(ledger) if ledger else None,
        part(b"k", b"").decode(),
        _operation(operation) if operation else None,
    )
