"""The bodies of what came in, each with what became of it at the door.

A stream beside the outbox, so that what waits is read without its bodies. It gives way by age, by
size and when Redis fills, oldest first (see `room`): what still waits is delivered without it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isal import isal_zlib
from redis import Redis

from adapter.compact import load
from adapter.model import Delivery
from adapter.store import refs, streams
from adapter.store.connection import store_errors

STREAM = "kept"


def squeeze(raw: bytes) -> bytes:
    """A body as it is kept: in zlib's format, at a quarter of what zlib takes for it."""
    return isal_zlib.compress(raw, 1)


def unsqueeze(body: bytes) -> bytes:
    """A body as it came; what is not compressed is given back as it is."""
    try:
        return zlib.decompress(body)
    except zlib.error:
        return body


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """One webhook as it came in.

    `id` is its place, and holds when it came (Unix milliseconds). `outcome` is accepted, ignored or
    parked, `told` are pairs of a business key and the delivery that had told it before. `body` is
    None where it is parked and lies there.
    """

    id: str
    delivery: Delivery
    outcome: str
    reason: str | None = None
    order: str | None = None
    told: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def at(self) -> float:
        """When it came, Unix seconds."""
        return streams.millisecond(self.id) / 1000

    @classmethod
    def read(cls, id_: str, fields: Mapping[bytes, bytes]) -> KeptDelivery:
        body = fields.get(b"b")
        return cls(
            id_,
            Delivery.from_json(load(fields[b"d"])),
            fields[b"w"].decode(),
            fields[b"r"].decode() if b"r" in fields else None,
            fields[b"o"].decode() if b"o" in fields else None,
            tuple((key, holder) for key, holder in load(fields.get(b"x", b"[]"))),
            unsqueeze(body) if body is not None else None,
        )


class Kept:
    """Reads what is kept in one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._stream = self._prefix + STREAM

    def get(self, id_: str) -> KeptDelivery | None:
        """By its place; None once it was given up."""
        fields = streams.item(self._redis, self._stream, id_)
        return None if fields is None else KeptDelivery.read(id_, fields)

    def find(self, delivery: str, shops: Iterable[tuple[str, str]]) -> KeptDelivery | None:
        """By its delivery id, in (platform, shop) pairs; looks through all where its id is known
        no more."""
        names = [
            self._prefix + refs.dedupe(Delivery(platform, "", delivery, shop, 0))
            for platform, shop in shops
        ]
        with store_errors():
            places: Any = self._redis.mget(names) if names else []
        for place in filter(None, places):
            found = self.get(place.decode()) if b"-" in place else None
            if found is not None:
                return found
        return next((one for one in self.newest() if one.delivery.id == delivery), None)

    def between(self, since: float | None, until: float | None) -> Iterator[KeptDelivery]:
        """What came from `since` until before `until` (Unix seconds), the oldest first."""
        low = "-" if since is None else str(round(since * 1000))
        high = "+" if until is None else f"({round(until * 1000)}-0"
        for id_, fields in streams.oldest_first(self._redis, self._stream, low, high):
            yield KeptDelivery.read(id_, fields)

    def newest(self) -> Iterator[KeptDelivery]:
        """All, the newest first."""
        for id_, fields in streams.newest_first(self._redis, self._stream):
            yield KeptDelivery.read(id_, fields)

    def count(self) -> int:
        with store_errors():
            return int(self._redis.xlen(self._stream))
