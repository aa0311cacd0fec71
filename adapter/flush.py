"""The story of delivery: take what waits, see who is meant, send it, settle what became of it.

One flush works on a workspace at a time; its lease is renewed while it lives, and whatever it
writes is written only while it holds the lease. If it dies at any point, nothing is lost: what was
not settled is still in the outbox, and every event carries the same id when it is sent again.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

from adapter.account import account
from adapter.carts import EVENT as CART_EVENT
from adapter.courier import FAILURES_BEFORE_HALVING, Courier, Parcel, Report
from adapter.destinations.base import Destination
from adapter.errors import Misconfigured, RetryLater, SendError, StoreError
from adapter.mapping.names import Names
from adapter.model import Entry, Json, Operation, Ref
from adapter.people import sales
from adapter.people.memory import firm
from adapter.resolver import (
    CART_LINES,
    MOST_READS,
    PLAIN,
    Policy,
    Resolution,
    references,
    resolve,
)
from adapter.store.figures import BATCH, FLUSH, NO_ANSWER, Figures, Tally
from adapter.store.journal import written
from adapter.store.outbox import (
    CLAIMS_BEFORE_CAUTION,
    LEASE_MS,
    Claim,
    Dead,
    Outbox,
    Settlement,
)
from adapter.store.purge import Purger
from adapter.store.streams import order_of
from adapter.transport import Transport
from adapter.whom import REDACTED

PAUSE_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 300.0
TURN_SECONDS = 30.0
"""How long one job may go on before others get their turn."""

BATCH_SECONDS = 60.0
"""How long requests for one batch may be begun; what moved by then is settled."""

STOP_GRACE_SECONDS = 3.0
"""How long a request under way may go on after this process was asked to stop."""

READ_ENTRIES = 200
MOST_ENTRIES = 2_000
BYTES_PER_OPERATION = 160
"""What an operation takes in a request beyond what its entry takes in the outbox, at the most."""

FILL, LEAST_SCALE = 0.97, 0.5
"""How full a request is meant to be, and how far the guess of sizes may be set right."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Office:
    """All that a flush of one workspace works with."""

    workspace: str
    outbox: Outbox
    destination: Destination
    transport: Transport
    policy: Policy = PLAIN
    purger: Purger | None = None
    names: Names = field(default_factory=Names.none)
    rehearsal: bool = False
    """Nothing is sent, and all else is as if it had been."""
    figures: Figures | None = None
    stop: threading.Event = field(default_factory=threading.Event)


def flush(office: Office, job_id: str) -> None:
    """Deliver what waits in the outbox, if the lease names this job."""
    outbox = office.outbox
    claim = outbox.claim(job_id, secrets.token_hex(8))
    if claim is None:
        return
    tally = Tally()
    with _Measured(office, tally), _Keeper(office, claim) as keeper:
        try:
            _drain(office, claim, keeper, tally)
        except StoreError:
            # Most likely nothing can be written now, and the lease ends by itself. If it can, this
            # was no death of the worker.
            with suppress(StoreError):
                outbox.release(claim)
            raise
        except Exception as error:
            # A fault of ours. Counted as a death of the worker, so that the entry on which it
            # happens is found and parked instead of holding up all others.
            outbox.back_off(claim, 1.0, f"adapter fault: {type(error).__name__}", died=True)
            raise


def _drain(office: Office, claim: Claim, keeper: _Keeper, tally: Tally) -> None:
    outbox = office.outbox
    courier = Courier(office.destination, office.transport, keeper.is_over, office.names)
    reader = _Reader(outbox, office.destination, claim.ends)
    caution, failures = claim.caution, claim.failures
    if caution > 0 and claim.attempts > CLAIMS_BEFORE_CAUTION and not _condemn(office, claim):
        return
    until = time.monotonic() + TURN_SECONDS
    ahead: Future[_Batch] | None = None
    behind: Future[int | None] | None = None
    unsettled: Mapping[Ref, Json] = {}
    whole = False
    with ThreadPoolExecutor(2, thread_name_prefix="beside") as beside:
        while True:
            if office.stop.is_set():
                if behind is not None:
                    behind.result()
                outbox.release(claim)
                return
            # One by one finds what kills the worker; what the destination breaks on shows itself
            # only beside others that pass.
            single = caution > 0 and failures < FAILURES_BEFORE_HALVING
            most = 1 if single else MOST_ENTRIES
            if ahead:
                batch = ahead.result()
            else:
                batch = _prepare(office, claim, courier, reader, most, {}, whole)
                whole = False
            # While this batch is on its way the one before it is settled, and the next one is made
            # ready as if both had arrived.
            taught = batch.resolution.taught
            known = {**unsettled, **taught}
            ahead = None
            if reader.more and not single:
                ahead = beside.submit(_prepare, office, claim, courier, reader, most, known)
            keeper.begin_batch()
            if not batch.begun:
                if behind is not None:
                    behind.result()
                _log.warning("lease lost, nothing sent", extra={"workspace": office.workspace})
                return
            report = courier.deliver(batch.parcel, failures=0 if batch.cut else failures)
            if behind is not None:
                left = behind.result()
                if left is None or (left == 0 and not batch.entries):
                    return
            behind, unsettled = None, {}
            _measure(tally, batch.entries, report)
            work = _settlement(office, batch, report)
            if report.trouble is not None and not _moved(work, report):
                if batch.cut and _is_suspect(report.trouble, failures):
                    # As it was sent before it does not pass, perhaps because of an item, which
                    # shows itself among others only.
                    if ahead:
                        ahead.result()
                    ahead, whole = None, True
                    reader.rewind(whole=True)
                    continue
                _wait(office, claim, report.trouble, failures)
                return
            over = time.monotonic() > until
            if ahead and not (report.trouble or report.dead or over):
                behind = beside.submit(_settle, office, claim, batch, report, work)
                unsettled = taught
            else:
                hand_over = over and report.trouble is None
                left = _settle(office, claim, batch, report, work, hand_over=hand_over)
                if left is not None and report.trouble is not None:
                    _wait(office, claim, report.trouble, 0)
                    return
                if not left or over:
                    return
                if ahead and report.dead and _is_mistaken(office, ahead.result(), batch, work):
                    # Made anew it ends where it is written down that it does.
                    reader.rewind(end=ahead.result().entries[-1].id)
                    ahead = None
                if not batch.entries:
                    reader.rewind()
            caution, failures = caution - len(batch.entries), 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Entries, what they come to, and that as bytes. `cut`: it ends where one ended that was sent
    before, though more is there; `begun`: that it ends there is written down, the lease is ours."""

    entries: Sequence[Entry]
    resolution: Resolution
    parcel: Parcel
    cut: bool
    begun: bool


def _prepare(
    office: Office,
    claim: Claim,
    courier: Courier,
    reader: _Reader,
    most: int,
    known: Mapping[Ref, Json],
    whole: bool = False,
) -> _Batch:
    """The next entries, made ready; `known` is what the batch before them is about to teach,
    `whole`: they go on beyond where a batch ended that comes again."""
    entries = reader.batch(most)
    cut = reader.cut
    memory = _remembered(office, entries, known)
    resolution = resolve(entries, memory, now=int(time.time()), policy=office.policy)
    parcel = courier.encode(resolution.operations)
    reader.learn(len(parcel.items), parcel.data_bytes)
    # Here, and not when it is sent: it would wait for the settling of the batch before it.
    # A whole one comes again cut, so where it ends need not be kept.
    begun = not parcel.items or office.outbox.begin(claim, "" if whole else entries[-1].id)
    return _Batch(entries, resolution, parcel, cut, begun)


def _remembered(
    office: Office, entries: Sequence[Entry], known: Mapping[Ref, Json]
) -> dict[Ref, Json]:
    """All of memory that a batch needs, in a constant number of questions."""
    memory = dict(known)
    for reads in range(MOST_READS):
        wanted = references(entries, memory, office.policy, again=reads > 0)
        if not wanted:
            break
        found = office.outbox.owners(wanted)
        memory.update((ref, found.get(ref)) for ref in wanted)
    return memory


def _settle(
    office: Office,
    claim: Claim,
    batch: _Batch,
    report: Report,
    work: Settlement,
    *,
    hand_over: bool = False,
) -> int | None:
    """Write down what became of a batch; how many entries are left, None where the lease is lost
    and nothing was written."""
    left = office.outbox.settle(claim, work, hand_over=hand_over)
    if left is None:
        _log.warning("lease lost, nothing written", extra={"workspace": office.workspace})
        return None
    _log.info(
        "flushed",
        extra={
            "workspace": office.workspace,
            "entries": len(batch.entries),
            "operations": len(report.taken),
            "dead": len(report.dead),
            "left": left,
            **({"dry_run": True} if office.rehearsal else {}),
        },
    )
    return left


def _is_mistaken(office: Office, ahead: _Batch, batch: _Batch, work: Settlement) -> bool:
    """Whether a batch asked for what the one before it was to teach and has not taught, as it was
    refused."""
    untaught = {ref for ref, value in batch.resolution.taught.items() if work.taught(ref) != value}
    return not untaught.isdisjoint(references(ahead.entries, {}, office.policy))


def _settlement(office: Office, batch: _Batch, report: Report) -> Settlement:
    """What is finished: entries of which nothing is left to send.

    What is dead of the others comes again with them, and is written down then.
    """
    entries, resolution = batch.entries, batch.resolution
    finished = set(map(id, report.taken))
    finished.update(id(operation) for operation, _ in report.dead)
    left = [operation for operation in resolution.operations if id(operation) not in finished]
    unfinished = _held_back(resolution, _sources(left))
    unfinished.update(id_ for id_, _ in resolution.waits)
    by_id = {entry.id: entry for entry in entries if entry.id not in unfinished}
    done = list(by_id.values())
    events = [operation.name for operation in report.taken if operation.action == "event"]
    dead = [
        Dead(one, reason) for one, reason in report.dead if not by_id.keys().isdisjoint(one.sources)
    ]
    refused = [
        (by_id[id_], one.operation) for one in dead for id_ in one.operation.sources if id_ in by_id
    ]
    counts = Counter(
        sent=len(by_id.keys() & _sources(report.taken)),
        events=len(events),
        late=resolution.late,
        shortened=report.shortened,
        dead=len(dead),
        ignored=len(resolution.skipped),
    )
    counts.update({f"event:{name}": number for name, number in Counter(events).items()})
    counts.update(f"ignored:{reason}" for reason in resolution.skipped.values())
    counts.update(resolution.counts)
    told = account(entries, resolution, report, by_id, at=time.time(), rehearsal=office.rehearsal)
    dropped = [(by_id[id_], event, why) for id_, event, why in resolution.dropped if id_ in by_id]
    counts.update(f"dropped:{event.name}: {why}" for _, event, why in dropped)
    return Settlement(
        done=done,
        dead=dead,
        waits=resolution.waits,
        owners=resolution.owners,
        memory=_learned(resolution, by_id, refused),
        dropped=[(entry, event) for entry, event, _ in dropped],
        counts=counts,
        skipped=tuple(resolution.skipped),
        errands=[errand for id_, errand in resolution.errands if id_ in by_id],
        forgotten=[id_ for id_, why in resolution.skipped.items() if why == REDACTED],
        account=written(told) if told["d"] else b"",
        answered=bool(report.taken or report.dead),
    )


def _measure(tally: Tally, entries: Sequence[Entry], report: Report) -> None:
    """Note how large a batch was, and how each of its requests was answered."""
    if entries:
        tally.observe(BATCH, len(entries))
    for one in report.answers:
        tally.answer(one.status, one.seconds)
    if report.trouble is not None and str(report.trouble).startswith("no answer"):
        tally.answer(NO_ANSWER)


def _held_back(resolution: Resolution, unfinished: Collection[str]) -> set[str]:
    """These entries, and those behind them that teach of the same things.

    What they teach builds on what is not remembered yet. Settled alone they would be forgotten, and
    what comes again would be sent as the newest; together they come to the same again.
    """
    held, before = set(unfinished), -1
    while held and len(held) != before:
        before = len(held)
        stopped: set[Ref] = set()
        for lesson in resolution.lessons:
            if lesson.source in held:
                stopped.add(lesson.ref)
            elif lesson.ref in stopped and lesson.source not in resolution.skipped:
                held.add(lesson.source)
    return held


def _learned(
    resolution: Resolution,
    finished: Collection[str],
    refused: Sequence[tuple[Entry, Operation]] = (),
) -> dict[Ref, Json]:
    """What may be remembered of the lessons: of each thing what it was before the first entry that
    is not finished. Else that entry would find its own doing in memory when it comes again.

    Neither is it remembered as told what was `refused`: a replay is to tell it.
    """
    carts = {entry.id for entry, one in refused if one.name == CART_EVENT}
    learned = {
        lesson.ref: lesson.value
        for lesson in firm(resolution.lessons, lambda source: source not in finished)
        if not (lesson.ref[0] == CART_LINES and lesson.source in carts)
    }
    for entry, one in refused:
        sales.take_back(entry, one, learned)
    return learned


def _is_suspect(trouble: SendError, failures: int) -> bool:
    """Whether an item may be to blame for an answer that moved nothing."""
    many = failures >= FAILURES_BEFORE_HALVING
    return many and isinstance(trouble, RetryLater) and not trouble.is_throttle


def _moved(work: Settlement, report: Report) -> bool:
    """Whether an answer of the destination brought an entry to its end."""
    answered = _sources(report.taken) | _sources(operation for operation, _ in report.dead)
    return not answered.isdisjoint(entry.id for entry in work.done)


def _sources(operations: Iterable[Operation]) -> set[str]:
    return set(chain.from_iterable(operation.sources for operation in operations))


def _wait(office: Office, claim: Claim, trouble: SendError, failures: int) -> None:
    """Turn the lease into a backoff; nothing moves until it ends."""
    if office.stop.is_set():
        office.outbox.release(claim)
        return
    paused = isinstance(trouble, Misconfigured)
    seconds = PAUSE_SECONDS if paused else _backoff(trouble, failures)
    office.outbox.back_off(claim, seconds, str(trouble), paused=paused)
    _log.log(
        logging.ERROR if paused else logging.WARNING,
        "delivery paused" if paused else "delivery waits",
        extra={"workspace": office.workspace, "reason": str(trouble), "seconds": round(seconds, 1)},
    )


def _backoff(trouble: SendError, failures: int) -> float:
    """Seconds: doubling from 1, with jitter, at least what Retry-After asks for."""
    doubled = min(2.0 ** min(failures, 16), LONGEST_BACKOFF_SECONDS)
    jittered = doubled * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
    asked = trouble.retry_after if isinstance(trouble, RetryLater) else None
    return min(max(jittered, asked or 0.0), LONGEST_BACKOFF_SECONDS)


def _condemn(office: Office, claim: Claim) -> bool:
    """Park the oldest entry: alone, it has cost the worker its life again and again.

    False when nothing is left to do, or the lease is lost.
    """
    entry = office.outbox.first()
    if entry is None:
        return True
    reason = f"the worker died {CLAIMS_BEFORE_CAUTION} times on it"
    left = office.outbox.settle(claim, Settlement(condemned=[(entry, reason)]))
    if left is not None:
        _log.error("entry parked", extra={"entry": entry, "reason": reason})
    return bool(left)


class _Reader:
    """Reads ahead in the outbox and hands out batches that fill one request, about.

    How much entries come to in a request is guessed from their stored size, and the guess is set
    right by what the batch before came to: half a request more costs a whole round trip.

    A batch that was sent before and comes again ends where it ended, however full: with what came
    since, or with less, it might come to something else, as where a guest and an account turn out
    to be one.
    """

    def __init__(self, outbox: Outbox, destination: Destination, ends: Iterable[str] = ()) -> None:
        self._outbox = outbox
        self._destination = destination
        self._ends = [order_of(end) for end in ends]
        self._ahead: deque[Entry] = deque()
        self._last = ""
        self._guessed = 0
        self._scale = 1.0
        self.more = False
        """Whether there is more in the outbox than was handed out, as far as was seen."""
        self.cut = False
        """Whether the last batch ended at one of the ends, though more is there."""

    def batch(self, most: int) -> list[Entry]:
        """The next entries, at most `most` of them; empty when there are none."""
        room = self._destination.max_request_bytes * FILL / self._scale
        entries: list[Entry] = []
        end: tuple[int, int] | None = None
        size = 0
        self.cut = False
        while len(entries) < most:
            if not self._ahead and not self._read(min(most, READ_ENTRIES)):
                break
            following = self._ahead[0]
            size += following.size + BYTES_PER_OPERATION * (1 + len(following.events))
            if entries and end is not None:
                self.cut = order_of(following.id) > end
                if self.cut:
                    break
            elif entries and size > room:
                break
            elif not entries:
                end = self._end_of(following)
            entries.append(self._ahead.popleft())
            self._guessed = size
        self.more = self.more or bool(self._ahead)
        return entries

    def _end_of(self, first: Entry) -> tuple[int, int] | None:
        """Where the batch ended that was begun before and that an entry was in, if there is one."""
        if not self._ends:
            return None
        return min((end for end in self._ends if end >= order_of(first.id)), default=None)

    def learn(self, items: int, data_bytes: int) -> None:
        """What the batch handed out last came to in the end."""
        if items and self._guessed:
            real = self._destination.size(items, data_bytes)
            self._scale = min(max(real / self._guessed, LEAST_SCALE), 1.0)

    def rewind(self, *, whole: bool = False, end: str | None = None) -> None:
        """Begin again at the oldest entry; `whole`: wherever batches ended before; `end` is where
        one did that was made ready since."""
        self._ahead.clear()
        self._last = ""
        if whole:
            self._ends = []
        if end is not None:
            self._ends.append(order_of(end))

    def _read(self, count: int) -> bool:
        found = self._outbox.read(self._last, count)
        self.more = len(found) == count
        if found:
            self._last = found[-1].id
            self._ahead.extend(found)
        return bool(found)


class _Measured:
    """Writes down what a flush has measured, once it is over, however it ends."""

    def __init__(self, office: Office, tally: Tally) -> None:
        self._figures = office.figures
        self._tally = tally
        self._began = time.monotonic()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Of a Redis that is gone nobody needs to wait once more.
        if self._figures is None or kind is StoreError:
            return
        self._tally.observe(FLUSH, time.monotonic() - self._began)
        with suppress(StoreError):
            self._figures.add(self._tally)


class _Keeper:
    """Renews the lease while a flush works, and says or sees to it when it is to stop."""

    def __init__(self, office: Office, claim: Claim) -> None:
        self._office = office
        self._claim = claim
        self._lost = False
        self._until = time.monotonic() + BATCH_SECONDS
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def begin_batch(self) -> None:
        self._until = time.monotonic() + BATCH_SECONDS

    def is_over(self) -> bool:
        """Whether no further request may begin: asked to stop, lease lost, or time is up."""
        return self._lost or self._office.stop.is_set() or time.monotonic() > self._until

    def __exit__(self, *_: object) -> None:
        self._done.set()
        # A renewal under way fails once the lease is given back, and would cut the next flush's
        # request.
        self._thread.join()

    def _keep(self) -> None:
        every = LEASE_MS / 3000
        renewed = asked_to_stop = time.monotonic()
        while not self._done.wait(0.2):
            now = time.monotonic()
            if not self._office.stop.is_set():
                asked_to_stop = now
            elif now - asked_to_stop > STOP_GRACE_SECONDS:
                self._office.transport.abort()
            if now - renewed < every:
                continue
            try:
                if self._office.outbox.renew(self._claim):
                    renewed = now
                    continue
            except StoreError:
                if time.monotonic() - renewed < LEASE_MS / 1000:
                    continue
            # The outbox is or may be somebody else's now: what we would still send, they send.
            self._lost = True
            self._office.transport.abort()
            return
