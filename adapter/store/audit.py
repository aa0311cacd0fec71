"""Who did what at the console: a stream, and a line in the log for each.

Neither holds personal data: what was done is told with the ids of what it was done to.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from adapter.compact import dump, load
from adapter.model import Json
from adapter.store import refs
from adapter.store.connection import store_errors
from adapter.store.streams import millisecond

STREAM = "audit"
MOST = 10_000
"""So many are kept, about; the oldest give way."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done. `session` tells one log-in from another; `facts` are ids and
    counts."""

    id: str
    what: str
    session: str
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def at(self) -> float:
        """Unix seconds."""
        return millisecond(self.id) / 1000


class Audit:
    """The acts of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._workspace = workspace
        self._stream = refs.prefix(workspace) + STREAM

    def write(self, what: str, session: str, **facts: Json) -> None:
        """Before it is done: what cannot be written down is not done either."""
        with store_errors():
            self._redis.xadd(
                self._stream,
                {"w": what, "s": session, "f": dump(facts)},
                maxlen=MOST,
                approximate=True,
            )
        _log.info(
            "console",
            extra={"workspace": self._workspace, "act": what, "session": session, **facts},
        )

    def newest(self, most: int, before: str | None = None) -> list[Act]:
        """The newest, or the newest of those before a place, the newest first."""
        high = "+" if before is None else f"({before}"
        with store_errors():
            found: Any = self._redis.xrevrange(self._stream, high, "-", most)
        return [
            Act(id_.decode(), each[b"w"].decode(), each[b"s"].decode(), load(each[b"f"]))
            for id_, each in found
        ]
