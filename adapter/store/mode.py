"""Signs of life of the workers, told apart by whether they really send.

| name | kind | holds | lives |
|-|-|-|-|
| `mode` | hash | `real`, `dry`: when a worker of that kind last swept (Unix ms) | small, for good |

Whoever reads a status must see that nothing is sent; that a dry run once kept deliveries as sent
must be seen long after it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redis import Redis

from adapter.store import refs
from adapter.store.connection import store_errors

SIGN_SECONDS = 15.0
"""How often a worker gives a sign of life."""

FRESH_SECONDS = 3 * SIGN_SECONDS
"""A worker whose last sign is older than that is gone, or its sweeping thread is."""

NAME = "mode"


@dataclass(frozen=True, slots=True)
class Mode:
    """When workers of each kind last gave a sign, in Unix seconds; None is never."""

    real: float | None = None
    dry: float | None = None

    @property
    def dry_run(self) -> bool:
        """Whether the worker that was seen last sends nothing."""
        return self.dry is not None and (self.real is None or self.dry > self.real)

    @property
    def seen(self) -> float | None:
        return max((at for at in (self.real, self.dry) if at is not None), default=None)

    def is_mixed(self, now: float) -> bool:
        """Whether workers of both kinds are alive."""
        kinds = (self.real, self.dry)
        return all(at is not None and now - at < FRESH_SECONDS for at in kinds)


def read(fields: dict[bytes, bytes]) -> Mode:
    """The hash as Redis gives it."""
    found = {name.decode(): int(value) / 1000 for name, value in fields.items()}
    return Mode(real=found.get("real"), dry=found.get("dry"))


def last(redis: Redis, workspace: str) -> Mode:
    """What all workers have given by now. Raises StoreError."""
    with store_errors():
        found: Any = redis.hgetall(refs.prefix(workspace) + NAME)
    return read(found)


class Signs:
    """What one worker writes. Raises StoreError."""

    def __init__(self, redis: Redis, workspace: str, *, dry_run: bool) -> None:
        self._redis = redis
        self._key = refs.prefix(workspace) + NAME
        self._kind = "dry" if dry_run else "real"

    def give(self) -> Mode:
        """A sign of life; returns what all workers have given by now."""
        return self._write(time.time())

    def leave(self) -> None:
        """A dry run ends and is known to have been one; who sends from now on is not beside it."""
        if self._kind == "dry":
            self._write(time.time() - FRESH_SECONDS)

    def _write(self, at: float) -> Mode:
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(self._key, self._kind, str(int(at * 1000)))
            pipe.hgetall(self._key)
            found: Any = pipe.execute()
        return read(found[1])
