"""Whether there is less of something than there used to be, hour by hour.

A shop has a rhythm of days and weeks, it grows, and a few weeks of the year are like no other. So
the last hours are held against the same hours of the four weeks before:

- of the four the second lowest counts: a sale or an outage in one of them, and Black Friday with
  the week around it in two, changes nothing;
- the same is done with each week set to today's level, by the day before; and the lower of both is
  what was to be expected. So neither a high week (the week after Black Friday) nor a low one
  (Christmas) makes an ordinary day look wrong;
- the clocks change: the hour before or after may be what is meant, and the lowest of them counts;
- on calm days (Christmas) half of it is expected.

It has dropped when it is below a share of that, and when that is no chance: less than once in
10,000 times would so little come, of a tenth less than was expected (real traffic strays further
than a Poisson process does). Hence at night, and in a small shop, more hours are needed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import exp, lgamma, log

from adapter.alerts.facts import HOUR, WEEK_HOURS, WEEKS, History

WINDOWS = (1, 2, 3, 4, 6, 8, 12, 24)
"""So many whole hours are looked at, the latest first; one that tells is enough."""

LEAST_WEEKS = 2
LEVEL_HOURS = 24
CALM = 0.5
LOWEST_LEVEL = 0.5
"""However low the day before was, no less than half of the past weeks is expected: else a silence
of a day would be the new rhythm."""

CHANCE = 1e-4
STRAY = 0.9
WELL_CHANCE = 1e-3
"""All is well where so many come by chance this seldom, were it still as little as what is told."""

GAPS = 2.0
"""A topic is silent once it is away for so many times its longest absence in the past weeks."""

LEAST_GAP_HOURS = 6
LEAST_ACTIVE_HOURS = 20
"""Hours of the past weeks in which a topic came, at the least, that it can be said to be missed."""


@dataclass(frozen=True, slots=True)
class Drop:
    """How much there was in the last `hours` whole hours, and how much was to be expected."""

    hours: int
    seen: int
    expected: float

    @property
    def share(self) -> float:
        return self.seen / self.expected if self.expected else 1.0


def dropped(
    history: History, name: str, below: float, calm: Collection[str] = ()
) -> tuple[bool | None, Drop | None]:
    """Whether something fell below a share of what was to be expected, and in which hours.
    `calm` are days of the year, as `12-24`, on which little is expected.

    The fewest hours that tell decide: once it is well again, older hours say nothing. None where
    nothing can be said: too young, too little, or delivery stood still.
    """
    counts = history.series.get(name)
    found: Drop | None = None
    share = 1.0
    if calm and datetime.fromtimestamp((history.now - 1) * HOUR, UTC).strftime("%m-%d") in calm:
        share = CALM
    for hours in WINDOWS if counts is not None else ():
        drop = _held_against(history, counts or (), hours, share)
        if drop is None:
            break
        found = drop
        if drop.share < below:
            if at_most(drop.seen, STRAY * drop.expected) < CHANCE:
                return True, drop
        elif at_least(drop.seen, below * drop.expected) < WELL_CHANCE:
            return False, drop
    return None, found


def silent(history: History, name: str) -> tuple[bool | None, int, int]:
    """Whether something that used to come does not any more: (verdict, hours since it came last,
    longest absence in the weeks before)."""
    counts = history.series.get(name)
    if counts is None:
        return None, 0, 0
    last = len(counts) - 1
    while last >= 0 and not counts[last]:
        last -= 1
    gap = len(counts) - 1 - last
    if gap < LEAST_GAP_HOURS:
        return False, gap, 0
    known = max(0, history.began - history.first)
    past = counts[known : last + 1]
    active = [at for at, count in enumerate(past) if count]
    if len(active) < LEAST_ACTIVE_HOURS or len(past) + gap < LEAST_WEEKS * WEEK_HOURS:
        return None, gap, 0
    longest = max(later - earlier - 1 for earlier, later in pairwise(active))
    return gap >= GAPS * (longest + 1), gap, longest


def _held_against(history: History, counts: Sequence[int], hours: int, share: float) -> Drop | None:
    """The last whole hours and what was to be expected of them; None where that is not known."""
    end = len(counts) - 1
    begin = end - hours
    if begin < 0 or _is_held(history, begin, end):
        return None
    level = sum(counts[max(0, begin - LEVEL_HOURS) : begin])
    plain, scaled = [], []
    for week in range(1, WEEKS + 1):
        shift = week * WEEK_HOURS
        low, high = begin - shift, end - shift
        if low - LEVEL_HOURS < 0 or history.first + low - LEVEL_HOURS < history.began:
            break
        if _is_held(history, low, high):
            continue
        there = sum(counts[low:high])
        earlier = there - counts[high - 1] + counts[low - 1]
        there = min(there, earlier, there - counts[low] + counts[high])
        before = sum(counts[low - LEVEL_HOURS : low])
        plain.append(there)
        scaled.append(there * max(LOWEST_LEVEL, level / before) if before else there)
    if len(plain) < LEAST_WEEKS:
        return None
    expected = share * min(_second(plain), _second(scaled))
    return Drop(hours, sum(counts[begin:end]), expected)


def _is_held(history: History, low: int, high: int) -> bool:
    hours = range(history.first + low, history.first + high)
    return bool(history.held) and not history.held.isdisjoint(hours)


def _second(values: Sequence[float]) -> float:
    """The second lowest; of two the lower one."""
    ordered = sorted(values)
    return ordered[1] if len(ordered) > 2 else ordered[0]


def at_most(seen: int, expected: float) -> float:
    """How likely so few come, or fewer, where so many are expected (Poisson)."""
    if seen >= expected:
        return 1.0
    term = total = _exactly(seen, expected)
    for count in range(seen, 0, -1):
        term *= count / expected
        total += term
        if term < total * 1e-9:
            break
    return total


def at_least(seen: int, expected: float) -> float:
    """How likely so many come, or more, where so few are expected."""
    if seen <= expected:
        return 1.0
    term = total = _exactly(seen, expected)
    while term > total * 1e-9:
        seen += 1
        term *= expected / seen
        total += term
    return total


def _exactly(count: int, expected: float) -> float:
    if expected <= 0:
        return float(count == 0)
    return exp(count * log(expected) - expected - lgamma(count + 1))
