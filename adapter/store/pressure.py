"""How full Redis is: when intake must refuse, and when what is kept for later gives way."""

from __future__ import annotations

import time
from collections.abc import Callable

from adapter.store.connection import store_errors

REFUSE_AT, YIELD_AT = 0.85, 0.60
"""Shares of maxmemory. What is above the first belongs to those who empty Redis again: to settling,
and to RQ, whose own writes fail when nothing is left."""

LOOK_SECONDS = 0.25
"""How old the figure may be. A web process takes in a few megabytes in that time at the most."""

Memory = tuple[int, int]
"""Bytes that Redis uses, and its maxmemory; 0 where there is no limit."""


class Gauge:
    """Redis's own figures, asked for with `look` at most every LOOK_SECONDS."""

    def __init__(
        self, look: Callable[[], Memory], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._clock = clock
        self._share = 0.0
        self._looked: float | None = None

    def is_full(self) -> bool:
        """Whether nothing more should be taken in. Raises StoreError."""
        now = self._clock()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            # First, so that of many who ask at once only one goes and looks.
            self._looked = now
            with store_errors():
                self._share = share(self._look())
        return self._share >= REFUSE_AT


def share(memory: Memory) -> float:
    """How much of its limit Redis uses; 0 where there is no limit."""
    used, limit = memory
    return used / limit if limit else 0.0
