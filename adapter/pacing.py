"""A ceiling on how often something happens a second: evenly spaced, without bursts. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pacer:
    """Hands out turns, at most `rate` a second. What was not used is not saved up: after a quiet
    hour the next turns are as far apart as ever.

    Not for use by several threads at once. `clock` tells seconds and never goes back.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._apart = 1.0 / rate
        self._clock = clock
        self._next: float | None = None

    def seconds_left(self) -> float:
        """Until the next turn; 0 when it is there."""
        return 0.0 if self._next is None else max(0.0, self._next - self._clock())

    def take(self) -> None:
        """The turn is used now; the next one is a whole distance away."""
        self._next = self._clock() + self._apart
