"""Making room: what is kept for replays and for looking things up gives way, oldest first.

By age and size always; when Redis fills, further. Never what is pending, dead or parked, nor what
keeps an event from being told twice.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis

from adapter.store import kept, refs
from adapter.store.connection import store_errors
from adapter.store.drift import Drift
from adapter.store.journal import STREAM as JOURNAL
from adapter.store.pressure import YIELD_AT, share

MOST_AT_ONCE = 5_000
"""Items that one command removes: Redis does nothing else meanwhile."""

STEPS, LEAST_STEP = 20, 100
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
        self._drift = Drift(redis, workspace)

    def make(self) -> int:
        """Trim what is too old, too much, or in the way; how many items gave way."""
        with store_errors():
            removed = sum(self._by_age(name) for name in (kept.STREAM, JOURNAL))
            removed += sum(self._by_size(name) for name in (kept.STREAM, JOURNAL))
            return removed + self._by_need()

    def _by_age(self, name: str) -> int:
        # By the server's clock, which made the ids: ours may jump, and bodies would be gone.
        now: Any = self._redis.time()
        return self._trim(name, "MINID", max(0, round((now[0] - self._seconds) * 1000)))

    def _by_size(self, name: str) -> int:
        size: Any = self._redis.memory_usage(self._prefix + name, SAMPLES)
        if not size or size <= self._most_bytes:
            return 0
        count = int(self._redis.xlen(self._prefix + name))
        return self._trim(name, "MAXLEN", count * self._most_bytes // size)

    def _by_need(self) -> int:
        """While Redis is above YIELD_AT: bodies, then journal, then drift, a tenth at a time."""
        removed = 0
        for _ in range(STEPS):
            if self._share() <= YIELD_AT:
                break
            gave = self._yield()
            if not gave:
                break
            removed += gave
        if removed:
            _log.warning(
                "Redis fills: bodies and journal gave way",
                extra={"workspace": self._workspace, "items": removed},
            )
        return removed

    def _yield(self) -> int:
        for name in (kept.STREAM, JOURNAL):
            count = int(self._redis.xlen(self._prefix + name))
            if count:
                least = min(count, LEAST_STEP)
                return self._trim(name, "MAXLEN", count - max(count // 10, least))
        return self._drift.yield_half()

    def _trim(self, name: str, strategy: str, threshold: int | str) -> int:
        command = ("XTRIM", self._prefix + name, strategy)
        removed = 0
        # Only in this way a limit can be told; it leaves what stands in a node with younger ones.
        while gave := self._run(*command, "~", threshold, "LIMIT", MOST_AT_ONCE):
            removed += gave
        return removed + self._run(*command, "=", threshold)

    def _share(self) -> float:
        info: Any = self._redis.info("memory")
        return share((info.get("used_memory", 0), info.get("maxmemory", 0)))

    def _run(self, *command: str | int) -> int:
        found: Any = self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        return int(found)
