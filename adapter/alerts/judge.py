"""Each rule held against the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from adapter.alerts.facts import HOUR, Facts, Verdict
from adapter.alerts.rules import Rule
from adapter.alerts.volume import dropped, silent


def judge(rules: Iterable[Rule], facts: Facts) -> list[Verdict]:
    """What each rule says of each of its subjects."""
    return [verdict for rule in rules for verdict in _KINDS[rule.kind](rule, facts)]


def _volume(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    event = rule.wants["event"]
    wants = rule.wants
    bad, drop = dropped(facts.history, f"event {event}", wants["below"], wants["calm_days"])
    if _stands_still(facts):
        bad = None
    if drop is None:
        yield Verdict(rule.name, event, bad, "too few, or too young, to tell")
        return
    hours = "the last hour" if drop.hours == 1 else f"the last {drop.hours} hours"
    measure = f"{drop.seen:,} in {hours}, about {drop.expected:,.0f} in the same hours before"
    end = facts.history.now * HOUR
    yield Verdict(rule.name, event, bad, measure, end - drop.hours * HOUR)


def _stands_still(facts: Facts) -> bool:
    """Nothing is sent at all, which other alerts tell; then no event says anything."""
    return facts.paused or facts.pending_seconds > HELD_SECONDS


HELD_SECONDS = 600.0
"""Delivery stands still where the oldest delivery waits for so long."""


def _silence(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    for name in facts.history.series:
        kind, _, which = name.partition(" ")
        if kind != "topic" or which.split(" ", 2)[-1] in rule.wants["except"]:
            continue
        bad, gap, longest = silent(facts.history, name)
        if gap >= facts.history.hours:
            continue
        measure = f"silent for {gap} hours, never longer than {longest} in the weeks before"
        # It came within the hour that is the last one counted.
        since = (facts.history.now - gap + 1) * HOUR
        yield Verdict(rule.name, which, bad, measure if bad else f"came {gap} h ago", since)


def _growing(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    """Of this hour and the one before it, so that nothing is missed when an hour ends."""
    counts = facts.history.series.get(f"letters {rule.kind}", ())
    grown = sum(counts[-2:])
    there = facts.dead if rule.kind == "dead" else facts.parked
    bad = grown > rule.wants["more_than"]
    hours = facts.history.now - 1, facts.history.now
    since = next((hour * HOUR for hour, n in zip(hours, counts[-2:], strict=False) if n), None)
    yield Verdict(rule.name, "", bad, f"{grown:,} more lately, {there:,} lie there", since)


def _pending(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    minutes = facts.pending_seconds / 60
    measure = f"{facts.pending:,} wait, the oldest for {minutes:,.0f} min"
    if facts.reason and facts.pending:
        measure += f"; last answer: {facts.reason}"
    bad = minutes > rule.wants["above_minutes"]
    yield Verdict(rule.name, "", bad, measure, facts.now - facts.pending_seconds)


def _paused(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    measure = f"{facts.reason}; {facts.pending:,} wait" if facts.paused else "delivery goes on"
    yield Verdict(rule.name, "", facts.paused, measure)


def _presence(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    for one in facts.findings:
        only, without = rule.wants["events"], rule.wants["except"]
        if (only and one.event not in only) or one.name in without:
            continue
        bad = one.drifting if one.judged else None
        subject = f"{one.event}.{one.name} ({one.topic})"
        yield Verdict(rule.name, subject, bad, one.why or "as it used to be")


def _memory(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    bad = facts.memory > rule.wants["above"]
    yield Verdict(rule.name, "", bad, f"{facts.memory * 100:.0f} % of maxmemory in use")


def _mixed(rule: Rule, facts: Facts) -> Iterator[Verdict]:
    measure = "both kinds are alive" if facts.mixed else "one kind of worker"
    yield Verdict(rule.name, "", facts.mixed, measure)


_KINDS: dict[str, Callable[[Rule, Facts], Iterator[Verdict]]] = {
    "volume": _volume,
    "silence": _silence,
    "dead": _growing,
    "parked": _growing,
    "pending": _pending,
    "paused": _paused,
    "presence": _presence,
    "memory": _memory,
    "mixed": _mixed,
}
