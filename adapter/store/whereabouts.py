"""Where a delivery is right now: still to be sent, waiting for its person, or only known to have
come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

from adapter.compact import dump
from adapter.store import refs, streams
from adapter.store.connection import store_errors
from adapter.store.holdings import fields_of

PAGE = 500
KEYS_A_STEP = 1_000


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry of the outbox: its id, and how many stand before it."""

    entry: str
    before: int

    @property
    def since(self) -> float:
        """Unix seconds."""
        return streams.millisecond(self.entry) / 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry that waits until somebody owns `kind` `value`; `until` (Unix seconds) it may."""

    kind: str
    value: str
    until: int


class Whereabouts:
    """Looks through what is on its way in one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)

    def pending(self, delivery: str) -> list[Pending]:
        """Its entries in the outbox: as a rule one, more where it was replayed."""
        wanted, found = _needle(delivery), []
        entries = streams.oldest_first(self._redis, self._prefix + "outbox", page=PAGE)
        for number, (id_, fields) in enumerate(entries):
            if wanted in fields[b"d"]:
                found.append(Pending(id_, number))
        return found

    def waiting(self, delivery: str) -> list[Waiting]:
        """What of it waits for its person to become known."""
        wanted, found = _needle(delivery), []
        with store_errors():
            lists: Any = self._redis.zrange(self._prefix + "waiting", 0, -1, withscores=True)
        for at in range(0, len(lists), PAGE):
            with store_errors():
                pipe = self._redis.pipeline(transaction=False)
                for name, _ in lists[at : at + PAGE]:
                    pipe.lrange(self._prefix + name.decode(), 0, -1)
                answers = pipe.execute()
            for (name, until), elements in zip(lists[at : at + PAGE], answers, strict=True):
                # waiting:<kind>:<platform>:<shop>:<value>
                _, kind, _, _, value = name.decode().split(":", 4)
                found += [
                    Waiting(kind, value, int(until))
                    for element in elements
                    if wanted in fields_of(element)[b"d"]
                ]
        return found

    def place(self, delivery: str) -> str | None:
        """Where it was kept, though it may be kept no more; None: its id is known no more."""
        for name in self._dedupe(delivery):
            if name.rpartition(":")[2] == delivery:
                with store_errors():
                    place: Any = self._redis.get(name)
                return place.decode() if place and b"-" in place else None
        return None

    def beginning(self, start: str) -> set[str]:
        """Ids of deliveries of the last 48 hours that begin so."""
        return {name.rpartition(":")[2] for name in self._dedupe(start, more="*")}

    def _dedupe(self, delivery: str, more: str = "") -> Iterator[str]:
        plain = "".join(f"\\{each}" if each in "*?[]\\^" else each for each in delivery)
        pattern = f"{self._prefix}dedupe:*:{plain}{more}"
        cursor = 0
        while True:
            with store_errors():
                found: Any = self._redis.scan(cursor, pattern, KEYS_A_STEP)
            cursor, names = found
            yield from (name.decode("utf-8", "replace") for name in names)
            if cursor == 0:
                return


def _needle(delivery: str) -> bytes:
    """As its id stands in an entry: spares the parsing of all others."""
    return b'"id":%b' % dump(delivery)
