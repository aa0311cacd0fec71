"""What `adapter topics` shows people: topics below what they feed, and what to enter where."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.tables import GAP, ago, wrapped

if TYPE_CHECKING:
    from adapter.cli.topics import Topic

_WHO, _SEEN = "by", "seen"


def table(
    platform: str, found: Iterable[Topic], missing: str, wide: int | None, *, every: bool
) -> list[str]:
    """The lines of a platform; ignored topics that never came are only counted unless `every`.

    `missing` says why it is not known when a topic last came.
    """
    topics = list(found)
    listed = [each for each in topics if every or each.kind != "ignored" or each.seen]
    left = len(topics) - len(listed)
    groups: dict[str, list[Topic]] = {}
    for each in listed:
        groups.setdefault(_heading(each), []).append(each)
    width = max((len(each.name) for each in listed), default=0)
    lines = [f"{platform}: last seen is not known, {missing}" if missing else platform]
    lines += ["", _line("topic", _WHO, _SEEN, width)]
    for heading, members in groups.items():
        lines += [click.style(each, bold=True) if wide else each for each in wrapped(heading, wide)]
        lines += _group(members, width, wide, known=not missing)
    if left:
        lines += ["", f"and {left} that are ignored on purpose: --all lists them, and why"]
    return lines


def _heading(topic: Topic) -> str:
    if topic.kind == "ignored":
        return f"ignored: {topic.why}"
    if topic.kind == "unknown":
        return "unknown: parked"
    return ", ".join(topic.events) or f"({topic.effect})"


def _group(members: Sequence[Topic], width: int, wide: int | None, *, known: bool) -> list[str]:
    """A line for each topic; below those that share a note, the note."""
    lines, now = [], time.time()
    notes = dict.fromkeys(each.note for each in members)
    for note in notes:
        for each in members:
            if each.note == note:
                last = "never" if each.last_seen is None else ago(now - each.last_seen)
                lines.append(_line(each.name, each.who, last if known else "?", width))
        lines += wrapped(note, wide, 6)
    return lines


def _line(name: str, who: str, last: str, width: int) -> str:
    return f"  {name:<{width}}{GAP}{who:<8}{GAP}{last}"


def instructions(told: Mapping[str, Any]) -> list[str]:
    """What to enter in the store's admin, and what an app asks for."""
    lines = []
    if told["admin"]:
        lines += ["", f"In {told['where']}, one for each of these events:"]
        lines += [f"  {name}" for name in told["admin"].values()]
        lines += ["with", f"  Format  {told['format']}", f"  URL     {told['address']}"]
    if told["app"] and told["graphql"]:
        lines += ["", f"By an app, {told['graphql']} with these variables:"]
        lines += [f"  {json.dumps(variables)}" for variables in told["app"]]
    elif told["app"]:
        lines += ["", f"By an app, to {told['address']}:", *(f"  {name}" for name in told["app"])]
    if told["elsewhere"]:
        lines += ["", f"Elsewhere, to {told['address']}:"]
        lines += [f"  {name}: {where}" for name, where in told["elsewhere"].items()]
    return lines
