"""How Redis fares, and how delivery fares as Redis knows it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from redis import Redis

from adapter.store import mode, refs
from adapter.store.connection import store_errors
from adapter.store.streams import millisecond

PINGS = 5


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself.

    `used` and `limit` are bytes, a limit of 0 is none. `seconds` is the median of a few round
    trips, `ahead` by how many seconds its clock is ahead of ours, as far as they show.
    """

    version: tuple[int, ...] = (7,)
    is_replica: bool = False
    policy: str = "noeviction"
    aof: bool = True
    aof_writes: bool = True
    used: int = 0
    limit: int = 0
    evicted: int = 0
    seconds: float = 0.0
    ahead: float = 0.0


class Health:
    """Asks `redis` about itself. Every method raises StoreError when there is no answer."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def ping(self) -> None:
        with store_errors():
            self.redis.ping()

    def server(self) -> Server:
        """All that can be asked of any server; what hosted ones do not tell is taken to be well."""
        with store_errors():
            info: Any = self.redis.info()
            trips, ahead = [], 0.0
            for _ in range(PINGS):
                began, at = time.perf_counter(), time.time()
                there: Any = self.redis.time()
                trips.append(time.perf_counter() - began)
                off = there[0] + there[1] / 1e6 - at
                # It was told at some moment of the round trip, unknown which.
                ahead = min(off, 0.0) + max(off - trips[-1], 0.0)
        statuses = ("aof_last_write_status", "aof_last_bgrewrite_status")
        return Server(
            version=_version(str(info.get("redis_version", ""))),
            is_replica=info.get("role") == "slave",
            policy=str(info.get("maxmemory_policy", "noeviction")),
            aof=bool(info.get("aof_enabled")),
            aof_writes=all(info.get(name, "ok") == "ok" for name in statuses),
            used=int(info.get("used_memory", 0)),
            limit=int(info.get("maxmemory", 0)),
            evicted=int(info.get("evicted_keys", 0)),
            seconds=median(trips),
            ahead=ahead,
        )


def _version(text: str) -> tuple[int, ...]:
    """Of Redis, or the one that Valkey says it is compatible with."""
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", text)[:3])


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
        `dry_run` says that the worker seen last sends nothing (DRY_RUN). Of `catalog`, `asked`
        counts items that were to be completed from the catalog, `found` those that it knew.
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
            pipe.hgetall(prefix + mode.NAME)
            found = pipe.execute()
        counts, pending, first, parked, dead, trouble, last_error, waiting, last, modes = found
        counted = {name.decode(): int(value) for name, value in counts.items()}
        oldest = None
        if first:
            oldest = max(0.0, time.time() - millisecond(first[0][0].decode()) / 1000)
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
            "last_parked": _parked(last[0][1]) if last else None,
            "dry_run": mode.read(modes).dry_run,
            "catalog": {
                "asked": counted.get("catalog_asked", 0),
                "found": counted.get("catalog_found", 0),
            },
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
