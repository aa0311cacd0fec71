"""How Redis fares, and how delivery fares as Redis knows it."""

from __future__ import annotations

import json
import time
from typing import Any

from redis import Redis

from adapter.store import refs
from adapter.store.connection import store_errors

MEMORY_WARNING_PERCENT = 60


class Health:
    """Asks `redis` about itself. Every method raises StoreError when there is no answer."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def ping(self) -> None:
        with store_errors():
            self.redis.ping()

    def warnings(self) -> list[str]:
        """One sentence for each setting or condition under which accepted webhooks can be lost."""
        with store_errors():
            info: Any = self.redis.info()
        found = []
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            found.append(
                f"maxmemory-policy is {policy}: a full Redis will drop webhooks; set noeviction."
            )
        if not info.get("aof_enabled"):
            found.append("appendonly is off: what was not delivered is lost when Redis restarts.")
        elif info.get("aof_last_write_status", "ok") != "ok":
            found.append("Redis cannot write its append-only file: is its disk full?")
        used, limit = info.get("used_memory", 0), info.get("maxmemory", 0)
        if limit and used * 100 > limit * MEMORY_WARNING_PERCENT:
            found.append(f"Redis uses {used * 100 // limit} % of its memory.")
        if info.get("evicted_keys"):
            found.append("Redis has evicted keys: deliveries or their memory were dropped.")
        return found


class Status:
    """The counters of one workspace."""

    _COUNTS = ("accepted", "duplicate", "ignored", "parked", "sent")

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)

    def read(self) -> dict[str, Any]:
        """As `adapter status --json` prints it.

        `accepted` to `sent` count deliveries since the beginning; `parked` and `dead` are what
        lies there now; `pending` waits in the outbox, `waiting` for its person to become known.
        """
        prefix = self._prefix
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hgetall(prefix + "counts")
            pipe.xlen(prefix + "outbox")
            pipe.xrange(prefix + "outbox", count=1)
            pipe.xlen(prefix + "parked")
            pipe.xlen(prefix + "dead")
            pipe.hgetall(prefix + "trouble")
            pipe.hgetall(prefix + "last_error")
            pipe.zcard(prefix + "waiting")
            pipe.xrevrange(prefix + "parked", count=1)
            found = pipe.execute()
        counts, pending, first, parked, dead, trouble, last_error, waiting, last_parked = found
        counted = {name.decode(): int(value) for name, value in counts.items()}
        oldest = None
        if first:
            oldest = max(0.0, time.time() - int(first[0][0].split(b"-")[0]) / 1000)
        error = None
        if last_error:
            error = {"reason": last_error[b"reason"].decode(), "at": int(last_error[b"at"])}
        return {
            **{name: counted.get(name, 0) for name in self._COUNTS},
            "parked": parked,
            "pending": pending,
            "dead": dead,
            "oldest_pending_seconds": None if oldest is None else round(oldest, 1),
            "paused": trouble.get(b"paused") == b"1",
            "last_error": error,
            "waiting": waiting,
            "last_parked": _parked(last_parked[0][1]) if last_parked else None,
            "details": {name: n for name, n in sorted(counted.items()) if name not in self._COUNTS},
        }


def _parked(fields: dict[bytes, bytes]) -> dict[str, str]:
    """Which delivery was parked, and why."""
    delivery = json.loads(fields[b"d"])
    return {
        "reason": fields[b"r"].decode(),
        "topic": delivery["topic"],
        "delivery": delivery["id"],
    }
