"""Verdicts over time: what fires, what is over, and what of it is worth a message.

A rule that turns bad fires once it was bad for `after_minutes`; it is over once it was not bad for
CALM_SECONDS. What cannot be told changes nothing. Each is told once when it begins and once when it
ends, and again every `remind_hours` in between. A message that did not get through is due again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from adapter.alerts.facts import Verdict
from adapter.alerts.rules import Rule

CALM_SECONDS = 600
UNTOLD_HOURS = 24
"""So long is tried to tell of what is over; then it is let go."""

Key = tuple[str, str]
"""Rule and subject."""


@dataclass(frozen=True, slots=True)
class State:
    """One alert; times are Unix seconds, None is not (yet).

    `since` is when it became bad, `seen` when that was first noticed, `fired` when it was found
    worth telling, `told` when somebody was told last, `calm` since when it is not bad any more,
    `over` when it ended. `measure` is the latest bad one.
    """

    since: float
    seen: float
    measure: str = ""
    level: str = "warning"
    fired: float | None = None
    told: float | None = None
    calm: float | None = None
    over: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. `fresh` is what was not told of before: it is logged, too."""

    kind: Literal["fires", "over", "reminder"]
    rule: str
    subject: str
    state: State
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look at all of it came to: the states from now on, and what is to be told."""

    states: Mapping[Key, State]
    news: tuple[News, ...] = ()

    def told(self, now: float) -> Mapping[Key, State]:
        """The states once all the news got through."""
        after = dict(self.states)
        for one in self.news:
            if one.kind == "over":
                del after[one.rule, one.subject]
            else:
                after[one.rule, one.subject] = replace(one.state, told=now)
        return after


def turn(
    rules: Iterable[Rule],
    states: Mapping[Key, State],
    verdicts: Iterable[Verdict],
    now: float,
) -> Turn:
    """The next states. One that no verdict is about any more is over: its rule was taken away, or
    what it was about."""
    by_name = {rule.name: rule for rule in rules}
    found = {(each.rule, each.subject): each for each in verdicts}
    after: dict[Key, State] = {}
    news: list[News] = []
    for key in dict.fromkeys((*found, *states)):
        verdict, before = found.get(key), states.get(key)
        rule = by_name.get(key[0])
        state = _next(rule, before, verdict, now)
        if state is None:
            continue
        after[key] = state
        kind: Literal["fires", "over", "reminder"] | None = None
        if state.over is not None:
            kind = "over"
        elif state.fired is not None and state.told is None:
            kind = "fires"
        elif state.fired is not None and state.told is not None and rule is not None:
            due = rule.remind_hours * 3600
            kind = "reminder" if due and now - state.told >= due else None
        if kind:
            fresh = now in (state.fired, state.over) or kind == "reminder"
            news.append(News(kind, *key, state, fresh))
    return Turn(after, tuple(news))


def _next(
    rule: Rule | None, before: State | None, verdict: Verdict | None, now: float
) -> State | None:
    """The state that follows; None where there is nothing to remember."""
    bad = verdict.bad if verdict and rule else False
    if bad and verdict and rule:
        if before is None:
            since = now if verdict.since is None else min(now, verdict.since)
            before = State(since, now)
        # One that is bad again before anybody was told that it is over never was over.
        measure = verdict.measure
        state = replace(before, measure=measure, level=rule.level, calm=None, over=None)
        if state.fired is None and now - state.seen >= rule.after_minutes * 60:
            state = replace(state, fired=now)
        return state
    if before is None:
        return None
    if before.over is not None:
        return before if now - before.over < UNTOLD_HOURS * 3600 else None
    if bad is None:
        return before
    if before.fired is None:
        return None
    calm = now if before.calm is None else before.calm
    if verdict is not None and now - calm < CALM_SECONDS:
        return replace(before, calm=calm)
    if before.told is None:
        return None
    return replace(before, calm=calm, over=now)
