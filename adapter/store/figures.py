"""What flushes measure: answers by status, and histograms of times and sizes.

| name | kind | holds | lives |
|-|-|-|-|
| `figures` | hash | `answer|<status>`, `<histogram>|<bucket>`, `<histogram>|sum`: n | for good |

A flush gathers (`Tally`) and writes once, when it ends: that costs a delivery nothing. What it has
gathered is lost when its worker is killed outright: these are statistics. What must add up, such as
the events that were sent, is counted in the step that settles a batch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis import Redis

from adapter.store import refs
from adapter.store.connection import store_errors

NAME: Final = "figures"
FLUSH, BATCH, API = "flush_seconds", "batch_deliveries", "api_seconds"
BUCKETS: Final[Mapping[str, tuple[float, ...]]] = {
    FLUSH: (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    BATCH: (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000),
    API: (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
}
"""Upper bounds of each histogram's buckets; above the last there is one more, `inf`."""

NO_ANSWER = "none"
_INFINITE = "inf"


class Tally:
    """What one flush has measured so far."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()

    def observe(self, histogram: str, value: float) -> None:
        bounds = BUCKETS[histogram]
        at = bisect_left(bounds, value)
        self.counts[f"{histogram}|{bounds[at] if at < len(bounds) else _INFINITE}"] += 1
        self.sums[f"{histogram}|sum"] += value  # type: ignore[assignment]

    def answer(self, status: int | str, seconds: float | None = None) -> None:
        """One answer of the API, or that there was NO_ANSWER."""
        self.counts[f"answer|{status}"] += 1
        if seconds is not None:
            self.observe(API, seconds)


@dataclass(frozen=True, slots=True)
class Histogram:
    """`buckets` are (upper bound, how many up to it), the last bound is infinite."""

    buckets: tuple[tuple[float, int], ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it since the beginning; `answers` are by status, as text."""

    answers: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


class Figures:
    """The figures of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._key = refs.prefix(workspace) + NAME

    def add(self, tally: Tally) -> None:
        """Add what a flush has measured, all in one step."""
        if not tally.counts:
            return
        with store_errors():
            pipe = self._redis.pipeline(transaction=True)
            for name, count in tally.counts.items():
                pipe.hincrby(self._key, name, count)
            for name, value in tally.sums.items():
                pipe.hincrbyfloat(self._key, name, round(value, 6))
            pipe.execute()

    def read(self) -> Measured:
        with store_errors():
            found: Any = self._redis.hgetall(self._key)
        values = {name.decode(): float(value) for name, value in found.items()}
        answers = {
            name.partition("|")[2]: int(count)
            for name, count in sorted(values.items())
            if name.startswith("answer|")
        }
        return Measured(answers, {name: _histogram(name, values) for name in BUCKETS})


def _histogram(name: str, values: Mapping[str, float]) -> Histogram:
    """As Prometheus has it: each bucket holds what is in those below it as well."""
    total = 0
    buckets = []
    for bound in (*BUCKETS[name], float("inf")):
        total += int(values.get(f"{name}|{bound}", 0))
        buckets.append((bound, total))
    return Histogram(tuple(buckets), values.get(f"{name}|sum", 0.0))
