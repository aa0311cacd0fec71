"""When a property has drifted: it used to be there, or to be readable, and is not any more. Pure.

A shop's theme, an app or a new version of the platform's API can stop sending a value without
anything failing: events go on, with less in them. So optional properties are counted as bodies
come in, by hour, and the last hours are held against the days before.

They are compared topic by topic: bodies of different topics hold different things, and a topic
that becomes more frequent is no drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, NamedTuple

RECENT_HOURS = 24
BEFORE_HOURS = 7 * 24
ENOUGH = 200
"""So many events make the last hours; a busy shop's drift is seen within one of them."""
LEAST = 30
FELL_POINTS = 0.20
FELL_TO = 0.5
RARE = 0.05
BAD = 0.05
SURE = 4.0
"""How many standard errors a difference must be apart to be no chance."""

RULE = (
    f"Compared are the last hours that hold {ENOUGH} events (at most {RECENT_HOURS} hours) with "
    f"the {BEFORE_HOURS // 24} days before them, where both hold at least {LEAST}. A property "
    f"drifts when its presence fell by {FELL_POINTS * 100:.0f} points or to under half, or when "
    f"more than {BAD * 100:.0f} % of its values became unreadable; and when that is more than "
    f"chance ({SURE:.0f} standard errors)."
)


class Name(NamedTuple):
    """What is counted: events of a topic (property ""), and of these a property's `present` and
    `bad` ones. Of an item's field (`items[].url`) only the bad ones are counted."""

    event: str
    topic: str
    property: str
    kind: Literal["events", "present", "bad"]


Counts = Mapping[Name, int]


@dataclass(frozen=True, slots=True)
class Share:
    """How many events there were, and in how many the property was present, and bad."""

    events: int
    present: int
    bad: int

    @property
    def presence(self) -> float:
        return self.present / self.events if self.events else 0.0

    @property
    def badness(self) -> float:
        return min(1.0, self.bad / self.events) if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One property (`name`) of one event, as the bodies of one topic hold it.

    `why` says how it drifts, None when it does not. `judged` is False where there are too few
    events to tell. `in_items` marks an item's field, whose presence is not counted.
    """

    event: str
    topic: str
    name: str
    now: Share
    before: Share
    why: str | None
    judged: bool

    @property
    def drifting(self) -> bool:
        return self.why is not None

    @property
    def in_items(self) -> bool:
        return "[]" in self.name


def judge(recent: Sequence[Counts], older: Counts) -> list[Finding]:
    """Everything that was counted, drifting properties first, then by name.

    `recent` are the last hours, the newest first; `older` is the sum of all hours before them.
    """
    names = {(name.event, name.topic, name.property) for hour in (*recent, older) for name in hour}
    spans: dict[tuple[str, str], int] = {}
    found = []
    for event, topic, of in names:
        if not of:
            continue
        if (event, topic) not in spans:
            spans[event, topic] = _span(recent, Name(event, topic, "", "events"))
        span = spans[event, topic]
        now = _share(recent[:span], event, topic, of)
        before = _share((*recent[span:], older), event, topic, of)
        if not (now.present or now.bad or before.present or before.bad):
            continue
        judged = min(now.events, before.events) >= LEAST
        why = drift(now, before, in_items="[]" in of) if judged else None
        found.append(Finding(event, topic, of, now, before, why, judged))
    return sorted(found, key=lambda one: (not one.drifting, one.event, one.topic, one.name))


def drift(now: Share, before: Share, *, in_items: bool = False) -> str | None:
    """How a property drifts, None when it does not; both shares are of enough events."""
    if not in_items:
        fell = round(before.presence - now.presence, 9)  # 98 % less 78 % is 20 points
        much = fell >= FELL_POINTS or (
            before.presence >= RARE and now.presence < before.presence * FELL_TO
        )
        if much and _beyond_chance(before.present, before.events, now.present, now.events):
            return f"present in {_percent(now.presence)}, was {_percent(before.presence)}"
    rose = now.badness > BAD and now.badness > before.badness
    bad = min(now.bad, now.events), min(before.bad, before.events)
    if rose and _beyond_chance(bad[0], now.events, bad[1], before.events):
        return f"unreadable in {_percent(now.badness)}, was {_percent(before.badness)}"
    return None


def _beyond_chance(many: int, of_many: int, few: int, of_few: int) -> bool:
    """Whether one share is larger than another by more than chance: two proportions compared."""
    both = (many + few) / (of_many + of_few)
    error = sqrt(both * (1 - both) * (1 / of_many + 1 / of_few))
    return many / of_many - few / of_few > SURE * error


def _span(recent: Sequence[Counts], events: Name) -> int:
    """How many of the last hours make up "now"."""
    counted = 0
    for hours, hour in enumerate(recent, start=1):
        counted += hour.get(events, 0)
        if counted >= ENOUGH:
            return hours
    return len(recent)


def _share(hours: Sequence[Counts], event: str, topic: str, of: str) -> Share:
    events = Name(event, topic, "", "events")
    present, bad = Name(event, topic, of, "present"), Name(event, topic, of, "bad")
    return Share(
        sum(hour.get(events, 0) for hour in hours),
        sum(hour.get(present, 0) for hour in hours),
        sum(hour.get(bad, 0) for hour in hours),
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
