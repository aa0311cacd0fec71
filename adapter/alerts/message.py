"""What is told: what is wrong, since when, how much, and what to do. Names and figures only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from adapter.alerts.rules import Rule
from adapter.alerts.states import News

MOST_SUBJECTS = 10
"""Of one rule; further ones are counted."""

MOST_CHARACTERS = 3_000
DOCS = "docs/alerts.md"

SAYS: Mapping[str, str] = {
    "volume": "fewer {subject} than usual",
    "silence": "{subject} fell silent",
    "dead": "dead letters grow",
    "parked": "parked deliveries grow",
    "pending": "deliveries wait too long",
    "paused": "Customer.io refuses us: delivery is paused",
    "presence": "{subject} changed",
    "memory": "Redis fills",
    "mixed": "workers with and without DRY_RUN share this Redis",
}
TO_DO: Mapping[str, str] = {
    "volume": "Compare with the store's own figures; `adapter topics` shows what still comes in.",
    "silence": "Look whether the webhook is still there in the store; put it back if not.",
    "dead": "`adapter dead list` shows the reasons; mend the cause, then `adapter dead replay`.",
    "parked": "`adapter dead list --parked` shows the reasons; mend the mapping, then "
    "`adapter replay --parked`.",
    "pending": "`adapter status` shows the last error; nothing is lost, it goes out by itself.",
    "paused": "Mend credentials or region (`adapter doctor` says which); it resumes by itself.",
    "presence": "`adapter status --drift` shows it; see what a theme, app or API version changed.",
    "memory": "See whether deliveries wait; else raise maxmemory or lower RETENTION_BYTES.",
    "mixed": "Stop one kind of them.",
}
_HEADS = {"fires": "ALERT", "reminder": "STILL", "over": "OVER"}
_ORDER = ("fires", "reminder", "over")


def text(workspace: str, rules: Iterable[Rule], news: Iterable[News]) -> str:
    """All the news in one message, the gravest first, in plain text."""
    kinds = {rule.name: rule.kind for rule in rules}
    groups: dict[tuple[str, str], list[News]] = {}
    for one in news:
        groups.setdefault((one.kind, one.rule), []).append(one)
    paragraphs = []
    for (kind, rule), ones in sorted(groups.items(), key=_gravest_first):
        lines = []
        for one in ones[:MOST_SUBJECTS]:
            lines.append(line(one, kinds.get(rule, "")))
        if len(ones) > MOST_SUBJECTS:
            lines.append(f"... and {len(ones) - MOST_SUBJECTS} more like that")
        if kind != "over" and rule in kinds:
            lines.append(f"  {TO_DO[kinds[rule]]} ({DOCS}#{kinds[rule]})")
        paragraphs.append("\n".join(lines))
    head = f"commerce adapter, workspace {workspace}"
    whole = "\n".join((head, *paragraphs))
    if len(whole) > MOST_CHARACTERS:
        return whole[:MOST_CHARACTERS].rpartition("\n")[0] + "\n... `adapter alerts list` shows all"
    return whole


def line(one: News, kind: str) -> str:
    """One piece of news; `kind` is that of its rule, "" where the rule is gone."""
    state = one.state
    said = SAYS.get(kind, "{subject}").format(subject=one.subject)
    if one.kind == "over":
        end = state.over or state.since
        lasted = _duration(end - state.since)
        return f"{_HEADS['over']} {one.rule}: {said}: no more, after {lasted}"
    since = f"since {_moment(state.since)}"
    return f"{_HEADS[one.kind]} {one.rule}: {said}: {state.measure} ({since})"


def escaped(text: str) -> str:
    """For Slack and those that speak as it does: names come from outside, and `<!channel>` in one
    would wake everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _gravest_first(item: tuple[tuple[str, str], list[News]]) -> tuple[int, bool, str]:
    (kind, rule), ones = item
    return _ORDER.index(kind), ones[0].state.level != "error", rule


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
