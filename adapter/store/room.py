"""Making room: what is kept for replays and for looking things up gives way, oldest first.

By age and size always; when Redis fills, further. Never what is pending, dead or parked, nor what
keeps an event from being told twice.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from redis import Redis

from adapter.store import kept, refs
from adapter.store.connection import store_errors
from adapter.store.drift import Drift
from adapter.store.journal import STREAM as JOURNAL
from adapter.store.pressure import YIELD_AT, Memory, share

MOST_AT_ONCE = 5_000
"""Items that one command removes: Redis does nothing else meanwhile."""

STEPS, LEAST_STEP = 20, 100
LONGEST_SECONDS = 5.0
SAMPLES = 50

_log = logging.getLogger(__name__)


class Room:
    """Trims what one workspace keeps; `hours` and `most_bytes` are of bodies and journal each.

    Methods raise StoreError.
    """

    def __init__(self, redis: Redis, workspace: str, *, hours: float, most_bytes: int) -> None:
        self._redis = redis
        self._workspace = workspace
        self._prefix = refs.prefix(workspace)
        self._seconds = hours * 3600
        self._most_bytes = most_bytes

    def make(self) -> int:
        """Trim what is too old, too much, or in the way; how many items gave way."""
        with store_errors():
            removed = sum(self._by_age(name) for name in (kept.STREAM, JOURNAL))
            removed += sum(self._by_size(name) for name in (kept.STREAM, JOURNAL))
            return removed + make_way(self._redis, self._workspace)

    def _by_age(self, name: str) -> int:
        # By the server's clock, which made the ids: ours may jump, and bodies would be gone.
        now: Any = self._redis.time()
        oldest = max(0, round((now[0] - self._seconds) * 1000))
        return _trim(self._redis, self._prefix + name, "MINID", oldest)

    def _by_size(self, name: str) -> int:
        size: Any = self._redis.memory_usage(self._prefix + name, SAMPLES)
        if not size or size <= self._most_bytes:
            return 0
        count = int(self._redis.xlen(self._prefix + name))
        return _trim(self._redis, self._prefix + name, "MAXLEN", count * self._most_bytes // size)


def make_way(
    redis: Redis, workspace: str, until: float = YIELD_AT, seconds: float = LONGEST_SECONDS
) -> int:
    """While Redis is fuller than `until`: bodies, then journal, then drift, a tenth at a time, for
    so many seconds. How many items gave way. Raises StoreError.

    A worker does it early, and intake before it refuses anything.
    """
    removed, over = 0, time.monotonic() + seconds
    with store_errors():
        for _ in range(STEPS):
            if share(_memory(redis)) < until or time.monotonic() > over:
                break
            gave = _give_up_a_tenth(redis, workspace)
            if not gave:
                break
            removed += gave
    if removed:
        _log.warning(
            "Redis fills: bodies and journal gave way",
            extra={"workspace": workspace, "items": removed},
        )
    return removed


def _give_up_a_tenth(redis: Redis, workspace: str) -> int:
    for name in (kept.STREAM, JOURNAL):
        stream = refs.prefix(workspace) + name
        count = int(redis.xlen(stream))
        if count:
            least = min(count, LEAST_STEP)
            return _trim(redis, stream, "MAXLEN", count - max(count // 10, least))
    return Drift(redis, workspace).yield_half()


def _trim(redis: Redis, stream: str, strategy: str, threshold: int | str) -> int:
    def run(*command: str | int) -> int:
        found: Any = redis.execute_command("XTRIM", stream, strategy, *command)  # type: ignore[no-untyped-call]
        return int(found)

    removed = 0
    # Only in this way a limit can be told; it leaves what stands in a node with younger ones.
    while gave := run("~", threshold, "LIMIT", MOST_AT_ONCE):
        removed += gave
    return removed + run("=", threshold)


def _memory(redis: Redis) -> Memory:
    info: Any = redis.info("memory")
    return info.get("used_memory", 0), info.get("maxmemory", 0)
