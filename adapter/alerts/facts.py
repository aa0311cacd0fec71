"""What alerts are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.drift import Finding

HOUR = 3600
WEEK_HOURS = 168
WEEKS = 4
"""How many weeks something is held against."""

HISTORY_HOURS = (WEEKS + 1) * WEEK_HOURS
"""Of which counts are kept: the weeks, and as much again as what is judged may reach back."""


@dataclass(frozen=True, slots=True)
class History:
    """How much there was of everything, hour by hour.

    All `series` are of the same hours, from `first` (hours since 1970) on; the last is the one that
    has just begun. In hours before `began` nothing was counted; in those that are `held`
    delivery stood still, so what was sent says nothing.

    Names: `event <name>` is what was sent, `topic <platform> <shop> <topic>` what came in,
    `letters dead` and `letters parked` what came to lie there.
    """

    first: int
    began: int
    series: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    held: frozenset[int] = frozenset()

    @property
    def hours(self) -> int:
        return len(next(iter(self.series.values()), ()))

    @property
    def now(self) -> int:
        """The hour that has just begun, of which not all is counted."""
        return self.first + self.hours - 1


@dataclass(frozen=True, slots=True)
class Facts:
    """How a workspace fares at `now` (Unix seconds); `reason` is the last answer that moved
    nothing, `memory` the share of maxmemory in use, `pending_seconds` the age of the oldest."""

    now: float
    history: History
    pending: int = 0
    pending_seconds: float = 0.0
    dead: int = 0
    parked: int = 0
    paused: bool = False
    reason: str = ""
    memory: float = 0.0
    mixed: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of one subject: bad, not bad, or None where it cannot be told.

    `subject` is "" where a rule has only one; `measure` says how much, in words; `since` is when it
    began (Unix seconds), where the facts tell.
    """

    rule: str
    subject: str
    bad: bool | None
    measure: str = ""
    since: float | None = None
