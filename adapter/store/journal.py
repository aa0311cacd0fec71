"""What became of every batch, as `account` tells it: a stream that gives way as bodies do."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from isal import isal_zlib
from redis import Redis

from adapter.account import Account, Fate
from adapter.compact import dump, load
from adapter.model import Json
from adapter.store import refs, streams

PAGE = 50
STREAM = "journal"


def written(account: Mapping[str, Json]) -> bytes:
    """An account as it is kept."""
    return isal_zlib.compress(dump(dict(account)), 1)


class Journal:
    """Reads the journal of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._stream = refs.prefix(workspace) + STREAM

    def since(self, seconds: float | None = None) -> Iterator[Account]:
        """The accounts of batches settled from then on (Unix seconds), the oldest first."""
        low = "-" if seconds is None else str(round(seconds * 1000))
        for _, fields in streams.oldest_first(self._redis, self._stream, low, page=PAGE):
            yield Account.from_json(load(zlib.decompress(fields[b"j"])))

    def of(self, delivery: str, since: float | None = None) -> Iterator[tuple[Account, Fate]]:
        """The batches that a delivery was part of. `since`: when it came in."""
        for account in self.since(since):
            if delivery in account.fates:
                yield account, account.fates[delivery]
