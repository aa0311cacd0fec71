"""What bodies held hour by hour, for days: the counts of drift, as pages need them.

An hour that is over does not change, so a process reads it once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis

from adapter.drift import Name
from adapter.store import refs
from adapter.store.connection import store_errors

HOUR = 3600
MOST_HOURS = 9 * 24
"""As long as they are kept there."""

AT_ONCE = 24
SETTLES_SECONDS = 60
"""So long after its end an hour may still be added to: processes write every few seconds."""


def webhooks(redis: Redis, workspace: str, number: int) -> list[tuple[int, int]]:
    """(hour, webhooks) of the last hours, the oldest first, as the worker counted them. Raises
    StoreError."""
    hour = int(time.time() // HOUR)
    wanted = range(hour - number + 1, hour + 1)
    with store_errors():
        pipe = redis.pipeline(transaction=False)
        for each in wanted:
            pipe.hgetall(f"{refs.prefix(workspace)}volume:{each}")
        answers: Any = pipe.execute()
    return [
        (each, sum(int(n) for name, n in counts.items() if name.startswith(b"topic ")))
        for each, counts in zip(wanted, answers, strict=True)
    ]


class Hours:
    """The hours of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace) + "drift:"
        self._known: OrderedDict[int, Mapping[Name, int]] = OrderedDict()
        self._lock = threading.Lock()

    def last(self, number: int) -> list[tuple[int, Mapping[Name, int]]]:
        """(hour since 1970, counts) of the last hours, the oldest first; the running one is the
        last."""
        now = time.time()
        hour = int(now // HOUR)
        wanted = range(hour - number + 1, hour + 1)
        with self._lock:
            missing = [each for each in wanted if each not in self._known]
        found = dict(self._read(missing))
        over = int((now - SETTLES_SECONDS) // HOUR)
        with self._lock:
            self._known.update((each, counts) for each, counts in found.items() if each < over)
            while len(self._known) > MOST_HOURS:
                self._known.popitem(last=False)
            return [(each, found.get(each) or self._known.get(each, {})) for each in wanted]

    def _read(self, hours: list[int]) -> Iterable[tuple[int, Mapping[Name, int]]]:
        for at in range(0, len(hours), AT_ONCE):
            some = hours[at : at + AT_ONCE]
            with store_errors():
                pipe = self._redis.pipeline(transaction=False)
                for each in some:
                    pipe.hgetall(f"{self._prefix}{each}")
                answers: Any = pipe.execute()
            for each, counts in zip(some, answers, strict=True):
                yield each, {_name(name.decode()): int(count) for name, count in counts.items()}


def events(counts: Mapping[Name, int], known: Iterable[str]) -> Counter[str]:
    """How many of each event of the contract an hour brought."""
    wanted = set(known)
    found: Counter[str] = Counter()
    for name, count in counts.items():
        if name.kind == "events" and name.event in wanted:
            found[name.event] += count
    return found


def _name(text: str) -> Name:
    event, _, rest = text.partition("|")
    topic, of, kind = rest.rsplit("|", 2)
    return Name(event, topic, of, kind)  # type: ignore[arg-type]
