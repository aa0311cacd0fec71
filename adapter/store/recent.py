"""What is happening now: webhooks and batches of the last hour, minute by minute.

Redis keeps no such history, but the places of what is kept and told are times. A process reads what
came since it looked last and remembers the rest, so that a page that is looked at every few seconds
costs little; the first look has an end.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from redis import Redis

from adapter.account import Account
from adapter.compact import load
from adapter.store import journal, kept, refs
from adapter.store.connection import store_errors
from adapter.store.streams import millisecond

MINUTES = 60
MOST_KEPT, MOST_ACCOUNTS = 2_000, 400
"""What one look reads at the most; where more came, the chart begins later and says so."""

PAGE = 100
_SECONDS = MINUTES * 60.0


@dataclass(frozen=True, slots=True)
class Came:
    """A webhook that came in."""

    at: float
    delivery: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that was settled: events by name, and the deliveries in it."""

    at: float
    events: Mapping[str, int]
    deliveries: tuple[str, ...]
    answers: tuple[tuple[int, float, int], ...]
    rehearsal: bool


@dataclass(frozen=True, slots=True)
class Now:
    """The last hour as far back as `since` (Unix seconds). `columns` are minutes, the oldest first:
    their label, webhooks by outcome, events by name. Latencies are seconds from the door to the
    settled batch, `api` those of requests; (half, 95 of 100) are below."""

    since: float
    webhooks: list[tuple[str, Mapping[str, float]]] = field(default_factory=list)
    events: list[tuple[str, Mapping[str, float]]] = field(default_factory=list)
    latency: tuple[float, float] | None = None
    api: tuple[float, float] | None = None
    statuses: Mapping[int, int] = field(default_factory=dict)


class Recent:
    """The last hour of one workspace, as one process saw it. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        prefix = refs.prefix(workspace)
        self._kept = _Stream(redis, prefix + kept.STREAM, MOST_KEPT, _came)
        self._told = _Stream(redis, prefix + journal.STREAM, MOST_ACCOUNTS, _sent)

    def now(self) -> Now:
        at = time.time()
        came, told = self._kept.look(at), self._told.look(at)
        since = max(at - _SECONDS, self._kept.since, self._told.since)
        first = int(since // 60)
        minutes = range(first, int(at // 60) + 1)
        webhooks: dict[int, Counter[str]] = {minute: Counter() for minute in minutes}
        events: dict[int, Counter[str]] = {minute: Counter() for minute in minutes}
        statuses: Counter[int] = Counter()
        arrived: dict[str, float] = {}
        for one in came:
            arrived[one.delivery] = one.at
            if int(one.at // 60) in webhooks:
                webhooks[int(one.at // 60)][one.outcome] += 1
        latencies, seconds = [], []
        for each in told:
            if int(each.at // 60) in events:
                events[int(each.at // 60)].update(each.events)
            latencies += [
                max(0.0, each.at - arrived[id_]) for id_ in each.deliveries if id_ in arrived
            ]
            for status, took, _ in each.answers:
                statuses[status] += 1
                seconds.append(took)
        return Now(
            since,
            [(_minute(minute), webhooks[minute]) for minute in minutes],
            [(_minute(minute), events[minute]) for minute in minutes],
            _spread(latencies),
            _spread(seconds),
            dict(sorted(statuses.items())),
        )


class _Stream:
    """The end of a stream, of which only what is new is read."""

    def __init__(self, redis: Redis, name: str, most: int, read: Any) -> None:
        self._redis, self._name, self._most, self._read = redis, name, most, read
        self._seen: deque[Any] = deque(maxlen=most)
        self._last: str | None = None
        self._lock = threading.Lock()
        self.since = 0.0

    def look(self, now: float) -> list[Any]:
        with self._lock:
            new = list(self._newest(now - _SECONDS))
            self._seen.extend(reversed(new))
            while self._seen and self._seen[0].at < now - _SECONDS:
                self._seen.popleft()
            self.since = self._seen[0].at if len(self._seen) == self._most else 0.0
            return list(self._seen)

    def _newest(self, since: float) -> Iterator[Any]:
        """What is new, the newest first."""
        low = f"({self._last}" if self._last else str(round(since * 1000))
        high, first = "+", None
        seen = 0
        while seen < self._most:
            with store_errors():
                page: Any = self._redis.xrevrange(self._name, high, low, PAGE)
            for id_, fields in page:
                first = first or id_.decode()
                seen += 1
                yield self._read(id_.decode(), fields)
                # Large batches take milliseconds to read: whoever else is served here goes first.
                time.sleep(0)
            if len(page) < PAGE:
                break
            high = f"({page[-1][0].decode()}"
        self._last = first or self._last


def _came(id_: str, fields: Mapping[bytes, bytes]) -> Came:
    return Came(millisecond(id_) / 1000, load(fields[b"d"])["id"], fields[b"w"].decode())


def _sent(id_: str, fields: Mapping[bytes, bytes]) -> Sent:
    account = Account.from_json(load(zlib.decompress(fields[b"j"])))
    events = Counter(
        one.name for fate in account.fates.values() for one in fate.events if one.why is None
    )
    # The stream's own time: that of the webhooks is of the same clock.
    at = millisecond(id_) / 1000
    return Sent(at, events, tuple(account.fates), account.answers, account.rehearsal)


def _minute(minute: int) -> str:
    return time.strftime("%H:%M", time.gmtime(minute * 60))


def _spread(values: list[float]) -> tuple[float, float] | None:
    """Half of them are below the first, 95 of 100 below the second."""
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0]
    cut = quantiles(values, n=100, method="inclusive")
    return cut[49], cut[94]
