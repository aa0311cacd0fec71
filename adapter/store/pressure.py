"""How full Redis is: when intake must refuse, and when what is kept for later gives way."""

from __future__ import annotations

import time
from collections.abc import Callable

from adapter.store.connection import store_errors

REFUSE_AT, YIELD_AT = 0.85, 0.60
"""Shares of maxmemory. What is above the first belongs to those who empty Redis again: to settling,
and to RQ, whose own writes fail when nothing is left."""

LOOK_SECONDS, CLOSE_LOOK_SECONDS = 0.25, 0.05
"""How old the figure may be; the second from YIELD_AT on, where the next megabyte may matter: the
smallest Redis on offer has 25."""

Memory = tuple[int, int]
"""Bytes that Redis uses, and its maxmemory; 0 where there is no limit."""


class Gauge:
    """Redis's own figures, asked for with `look` every LOOK_SECONDS or CLOSE_LOOK_SECONDS at most.

    `relieve` lets go of what may give way: nothing is refused for its sake.
    """

    def __init__(
        self,
        look: Callable[[], Memory],
        relieve: Callable[[], object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._relieve = relieve
        self._clock = clock
        self._share = 0.0
        self._next = 0.0
        self._looking = False

    def is_full(self, *, relieve: bool = True) -> bool:
        """Whether nothing more should be taken in; without `relieve` nothing gives way for it.
        Raises StoreError."""
        now = self._clock()
        # Of many who ask at once only one goes and looks.
        if now >= self._next and not self._looking:
            self._looking = True
            self._next = now + (LOOK_SECONDS if self._share < YIELD_AT else CLOSE_LOOK_SECONDS)
            try:
                self._share = self._now_used(relieve)
            finally:
                self._looking = False
        return self._share >= REFUSE_AT

    def _now_used(self, relieve: bool) -> float:
        with store_errors():
            used = share(self._look())
            if used < REFUSE_AT or not relieve:
                return used
            self._relieve()
            return share(self._look())


def share(memory: Memory) -> float:
    """How much of its limit Redis uses; 0 where there is no limit."""
    used, limit = memory
    return used / limit if limit else 0.0
