"""How delivery gets on: workers, what waits, what needs somebody, what never came. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from adapter import drift as drifting
from adapter.doctor.kinds import Finding, found
from adapter.store.mode import FRESH_SECONDS, Mode

OLD_SECONDS = 60.0
STUCK_SECONDS = 3600.0
MOST_NAMED = 12
MOST_DRIFTS = 10


def delivery(
    status: Mapping[str, Any], mode: Mode, workers: Sequence[float], *, now: float, here: bool
) -> list[Finding]:
    """From the workspace's status, the workers' signs of life, and when each of those that RQ has
    registered last reported to it (Unix seconds). `here` is whether DRY_RUN is set here."""
    findings = _workers(mode, workers, now)
    if mode.dry is not None and not mode.dry_run and not mode.is_mixed(now):
        findings.append(found("rehearsed"))
    if mode.dry_run and not here:
        findings.append(found("dry-run"))
    findings += _waiting(status)
    for name in ("dead", "parked"):
        if status[name]:
            findings.append(found(name, count=status[name]))
    came = sum(status[name] for name in ("accepted", "ignored", "parked", "duplicate"))
    if not findings:
        pending = status["pending"]
        findings.append(found("delivery-ok", workers=_count(len(workers)), pending=pending))
    return findings if came else [*findings, found("nothing-came")]


def topics(
    feeding: Mapping[str, Collection[str]], seen: Collection[tuple[str, str]]
) -> list[Finding]:
    """`feeding`: by platform the topics that events are made of; `seen`: platform and topic of
    what came in. Nothing is said while nothing came at all, or where no topic feeds any event."""
    if not seen or not any(feeding.values()):
        return []
    findings = []
    for platform, names in sorted(feeding.items()):
        missing = sorted(set(names) - {topic for each, topic in seen if each == platform})
        if missing:
            told = ", ".join(missing[:MOST_NAMED])
            if len(missing) > MOST_NAMED:
                told += f" and {len(missing) - MOST_NAMED} more"
            findings.append(found("topics-unseen", platform=platform, topics=told))
    return findings or [found("topics-ok")]


def drift(findings: Iterable[drifting.Finding]) -> list[Finding]:
    """The properties that drift, the first few of them."""
    everything = list(findings)
    bad = [
        found("drift", property=each.name, event=each.event, topic=each.topic, why=each.why)
        for each in everything
        if each.drifting
    ]
    return bad[:MOST_DRIFTS] or [found("drift-ok", count=len(everything))]


def _workers(mode: Mode, workers: Sequence[float], now: float) -> list[Finding]:
    """The sweeping thread's sign is the surer one: RQ's worker says nothing while it works."""
    if mode.is_mixed(now):
        return [found("workers-mixed")]
    seen = mode.seen or 0.0
    is_fresh = now - seen < FRESH_SECONDS
    if workers:
        ago = round(now - max(seen, *workers) if mode.seen is None else now - seen)
        return [] if is_fresh or ago < FRESH_SECONDS else [found("worker-silent", ago=ago)]
    return [found("worker-deaf", ago=round(now - seen)) if is_fresh else found("worker-none")]


def _waiting(status: Mapping[str, Any]) -> list[Finding]:
    if status["paused"]:
        error = status["last_error"]
        return [found("paused", reason=error["reason"] if error else "no reason was kept")]
    age = status["oldest_pending_seconds"] or 0.0
    if age <= OLD_SECONDS:
        return []
    kind = "pending-stuck" if age > STUCK_SECONDS else "pending-old"
    return [found(kind, pending=status["pending"], age=_age(age))]


def _age(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _count(workers: int) -> str:
    return "a worker listens" if workers == 1 else f"{workers} workers listen"
