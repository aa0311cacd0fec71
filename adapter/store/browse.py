"""What is kept, page by page and the newest first, with an end to how much is looked through.

A page says where it ended, so that whoever asks can go on from there: a search in a hundred
thousand deliveries is never one step.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from adapter.account import Account, Fate
from adapter.compact import dump, load
from adapter.model import Delivery
from adapter.store import refs
from adapter.store.connection import store_errors
from adapter.store.journal import STREAM as JOURNAL
from adapter.store.journal import Journal
from adapter.store.kept import STREAM, KeptDelivery, unsqueeze
from adapter.store.streams import millisecond

PAGE = 100
MOST_LOOKED = 2_000
"""Deliveries that one search looks through."""

MOST_SECONDS = 1.5
MOST_ACCOUNTS = 200
"""Batches in which what became of deliveries is looked for."""

MOST_BATCHES, BATCHES_A_STEP = 400, 25
"""Batches in which one delivery is looked for."""

WAITS, DEAD = "waits", "dead: "
"""What notes and reasons begin with after which another batch may tell more."""


@dataclass(frozen=True, slots=True)
class Needle:
    """What is looked for in a body, in lower case; `part` is in whatever the pattern fits."""

    pattern: re.Pattern[bytes]
    part: bytes

    def is_in(self, raw: bytes) -> bool:
        text = raw.lower()
        # A tenth of the pattern's time, for all those that do not hold it.
        return self.part in text and bool(self.pattern.search(text))


@dataclass(frozen=True, slots=True)
class Wish:
    """Which deliveries are meant; what is None asks for nothing. `body` is looked for in bodies."""

    shop: str | None = None
    topic: str | None = None
    outcome: str | None = None
    order: str | None = None
    id: str | None = None
    body: Needle | None = None

    @property
    def anything(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__slots__)

    def has(self, one: KeptDelivery, raw: bytes | None) -> bool:
        delivery = one.delivery
        if self.body is not None and not (raw and self.body.is_in(unsqueeze(raw))):
            return False
        return (
            self.shop in (None, delivery.shop)
            and self.topic in (None, delivery.topic)
            and self.outcome in (None, one.outcome)
            and self.order in (None, one.order)
            and (self.id is None or delivery.id.startswith(self.id))
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A page: `end` is the place of the last that was looked at, None where there are no more
    behind it; `looked` is how many were."""

    rows: tuple[KeptDelivery, ...] = ()
    end: str | None = None
    looked: int = 0


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of deliveries, by their ids; `whole` says that all was looked through."""

    by_id: Mapping[str, list[tuple[Account, Fate]]] = field(default_factory=dict)
    whole: bool = True


class Browse:
    """Pages of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._stream = self._prefix + STREAM
        self._journal = Journal(redis, workspace)

    def page(self, wish: Wish, count: int, before: str | None = None) -> Found:
        """The newest that are meant, or the newest of those before a place. Bodies are left out."""
        rows: list[KeptDelivery] = []
        looked, end = 0, before
        deadline = time.monotonic() + MOST_SECONDS
        step = PAGE if wish.anything else count
        while True:
            high = "+" if end is None else f"({end}"
            with store_errors():
                found: Any = self._redis.xrevrange(self._stream, high, "-", step)
            for id_, fields in found:
                end = id_.decode()
                looked += 1
                raw = fields.pop(b"b", None)
                one = KeptDelivery.read(end, fields)
                if wish.has(one, raw):
                    rows.append(one)
                    if len(rows) == count:
                        return Found(tuple(rows), end, looked)
            if len(found) < step:
                return Found(tuple(rows), None, looked)
            if looked >= MOST_LOOKED or time.monotonic() > deadline:
                return Found(tuple(rows), end, looked)

    def place(self, delivery: str, shops: Sequence[tuple[str, str]]) -> str | None:
        """Where a delivery of one of these (platform, shop) lies; its id is known for 48 hours."""
        if not shops:
            return None
        names = [
            self._prefix + refs.dedupe(Delivery(platform, "", delivery, shop, 0))
            for platform, shop in shops
        ]
        with store_errors():
            places: Any = self._redis.mget(names)
        return next((each.decode() for each in places if each and b"-" in each), None)

    def fates(self, rows: Sequence[KeptDelivery]) -> Fates:
        """What batches say of deliveries, as far as the first of them after the oldest tell."""
        if not rows:
            return Fates()
        since = min(one.at for one in rows)
        wanted = {one.delivery.id for one in rows}
        found: dict[str, list[tuple[Account, Fate]]] = {}
        open_ = {one.delivery.id for one in rows if one.outcome == "accepted"}
        for looked, account in enumerate(self._journal.since(since), 1):
            for id_ in wanted & account.fates.keys():
                fate = account.fates[id_]
                found.setdefault(id_, []).append((account, fate))
                if not _goes_on(fate):
                    open_.discard(id_)
            if not open_:
                break
            if looked == MOST_ACCOUNTS:
                return Fates(found, whole=False)
            # Large batches take milliseconds to read: whoever else is served here goes first.
            time.sleep(0)
        return Fates(found)

    def batches(self, one: KeptDelivery) -> tuple[list[Account], bool]:
        """Those that a delivery was part of, and whether all since it came were looked through."""
        needle = dump(one.delivery.id)
        found: list[Account] = []
        low, looked = str(millisecond(one.id)), 0
        while looked < MOST_BATCHES:
            with store_errors():
                page: Any = self._redis.xrange(self._prefix + JOURNAL, low, "+", BATCHES_A_STEP)
            for _, fields in page:
                text = zlib.decompress(fields[b"j"])
                # Spares the parsing of all others.
                if needle in text:
                    account = Account.from_json(load(text))
                    found += [account] if one.delivery.id in account.fates else []
            if len(page) < BATCHES_A_STEP:
                return found, True
            low = f"({page[-1][0].decode()}"
            looked += len(page)
        return found, False

    def oldest_pending(self) -> float | None:
        """When the oldest that waits to be sent came (Unix seconds)."""
        with store_errors():
            found: Any = self._redis.xrange(self._prefix + "outbox", count=1)
        return millisecond(found[0][0].decode()) / 1000 if found else None

    def near(self, stream: str, at: float, *, most: int = 500) -> Iterator[tuple[str, Any]]:
        """Items of a stream that were added within a few seconds from `at` on."""
        low, high = round(at * 1000), round((at + 5) * 1000)
        with store_errors():
            found: Any = self._redis.xrange(self._prefix + stream, low, high, most)
        yield from ((id_.decode(), fields) for id_, fields in found)

    def lengths(self) -> dict[str, int]:
        """How many lie in each stream."""
        names = ("kept", "outbox", "parked", "dead")
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.xlen(self._prefix + name)
            return dict(zip(names, map(int, pipe.execute()), strict=True))


def _goes_on(fate: Fate) -> bool:
    """Whether a later batch may tell more: it waits, or a dead letter of it may be replayed."""
    reasons = [event.why for event in fate.events] + [why for _, why in fate.did]
    dead = any(why is not None and why.startswith(DEAD) for why in reasons)
    return dead or (fate.note or "").startswith(WAITS)
