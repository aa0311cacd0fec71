"""The tests inside mapping files: how they are written, and how they change their fixture."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.model import Json
from adapter.strictyaml import Node

_KEYS = (
    "name", "fixture", "topic", "set", "remove", "expect", "ignored", "error", "left_out",
)  # fmt: skip
_OUTCOMES = ("expect", "ignored", "error")
_EXPECT = ("person", "events", "order", "catalog", "action", "ledger")
_PERSON = (
    "id", "email", "phone", "anonymous_id", "as_of", "tokens", "attributes", "changes", "gaps",
    "times", "platform_id",
)  # fmt: skip
_EVENT = ("name", "key", "id", "timestamp", "properties")
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[([0-9]{1,6})\]")

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One embedded test, as its file writes it.

    `shop` is whose body it is, where the file is a shop's own; `fixture_place` the line and column
    at which the fixture is named, `places` where each change of it is.
    """

    name: str
    file: str
    line: int
    platform: str
    topic: str
    fixture: str
    changes: tuple[tuple[Place, Json], ...] = ()
    removals: tuple[Place, ...] = ()
    expect: Mapping[str, Any] | None = None
    ignored: str | None = None
    error: str | None = None
    left_out: tuple[str, ...] | None = None
    shop: str | None = None
    fixture_place: tuple[int, int] = (1, 1)
    places: tuple[tuple[int, int], ...] = ()
    column: int = 1

    def change(self, body: Json) -> Json:
        """A copy of the fixture's body with `set` and `remove` done; ValueError where it cannot."""
        changed = copy.deepcopy(body)
        for place, value in self.changes:
            _set(changed, place, value)
        for place in self.removals:
            _remove(changed, place)
        return changed

    def invented(self, body: Json) -> Iterator[tuple[tuple[int, int], Place, frozenset[str]]]:
        """(where, place, names) of each change to something inside what the fixture does not have,
        nor an earlier change made; `names` are those that it has instead."""
        made: set[str] = set()
        names = frozenset(body) if isinstance(body, dict) else frozenset[str]()
        for (place, _), where in zip(self.changes, self.places, strict=False):
            first = str(place[0])
            if len(place) > 1 and first not in names and first not in made:
                yield where, place, names
            made.add(first)


def written(place: Place) -> str:
    """A place as files write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def read_sample(
    node: Node,
    platform: str,
    topics: tuple[str, ...],
    faults: list[Fault],
    shop: str | None = None,
) -> Sample | None:
    """One element of `tests`; None, and faults, when it is not well formed."""
    before = len(faults)
    if not node.is_mapping:
        faults.append(
            node.fault("tests: a test is a mapping with name, fixture and what to expect")
        )
        return None
    for key, _ in node.items():
        if key.value not in _KEYS:
            hint = did_you_mean(str(key.value), _KEYS)
            faults.append(key.fault(f"tests: a test has no '{key.value}'{hint}"))
    name, fixture = _text(node, "name", faults), _text(node, "fixture", faults)
    for key_name, value in (("name", name), ("fixture", fixture)):
        if value is None and node.get(key_name) is None:
            faults.append(node.fault(f"tests: '{key_name}' is missing"))
    topic = _text(node, "topic", faults) or (topics[0] if topics else "")
    if topics and topic not in topics:
        place = node.get("topic") or node
        faults.append(
            place.fault(f"tests: topic {topic} is none of this file{did_you_mean(topic, topics)}")
        )
    outcomes = [each for each in _OUTCOMES if node.get(each) is not None]
    if len(outcomes) != 1:
        faults.append(node.fault(f"tests: exactly one of {', '.join(_OUTCOMES)} must be there"))
    fixture_node = node.get("fixture") or node
    sample = Sample(
        name=name or "",
        file=node.file,
        line=node.line,
        column=node.column,
        platform=platform,
        topic=topic,
        fixture=fixture or "",
        changes=_changes(node.get("set"), faults),
        removals=_removals(node.get("remove"), faults),
        expect=_expect(node.get("expect"), faults),
        ignored=_text(node, "ignored", faults),
        error=_text(node, "error", faults),
        left_out=_texts(node.get("left_out"), "left_out", faults),
        shop=shop,
        fixture_place=(fixture_node.line, fixture_node.column),
        places=_places(node.get("set")),
    )
    return sample if len(faults) == before else None


def _text(node: Node, name: str, faults: list[Fault]) -> str | None:
    value = node.get(name)
    if value is None or value.is_text:
        return None if value is None else str(value.value)
    faults.append(value.fault(f"tests: {name}: expected text"))
    return None


def _texts(node: Node | None, name: str, faults: list[Fault]) -> tuple[str, ...] | None:
    if node is None:
        return None
    if node.is_sequence and all(each.is_text for each in node.value):
        return tuple(each.value for each in node.value)
    faults.append(node.fault(f"tests: {name}: expected a list of texts"))
    return None


def _changes(node: Node | None, faults: list[Fault]) -> tuple[tuple[Place, Json], ...]:
    if node is None:
        return ()
    if not node.is_mapping:
        faults.append(node.fault("tests: set: expected a mapping of paths to values"))
        return ()
    return tuple(
        (_place(key, str(key_text), faults), _as_body(value.plain()))
        for key_text, (key, value) in zip(node.value, node.items(), strict=True)
    )


def _places(node: Node | None) -> tuple[tuple[int, int], ...]:
    if node is None or not node.is_mapping:
        return ()
    return tuple((key.line, key.column) for key, _ in node.items())


def _removals(node: Node | None, faults: list[Fault]) -> tuple[Place, ...]:
    texts = _texts(node, "remove", faults)
    if node is None or texts is None:
        return ()
    return tuple(_place(each, text, faults) for each, text in zip(node.value, texts, strict=True))


def _place(node: Node, text: str, faults: list[Fault]) -> Place:
    steps: list[str | int] = []
    at = 0
    while at < len(text) and (match := _STEP.match(text, at)):
        steps.append(match[1] if match[1] is not None else int(match[2]))
        at = match.end()
    if at < len(text) or not steps or not isinstance(steps[0], str):
        faults.append(node.fault(f"tests: '{text}' is no path of names and [numbers]", offset=at))
    return tuple(steps)


def _as_body(value: Any) -> Json:
    """A YAML value as the JSON parser would give it: fractions are Decimals."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_as_body(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _as_body(each) for name, each in value.items()}
    return value


def _expect(node: Node | None, faults: list[Fault]) -> Mapping[str, Any] | None:
    if node is None:
        return None
    if not _known(node, "expect", _EXPECT, faults):
        return None
    person, events = node.get("person"), node.get("events")
    if person is not None and person.value is not None:
        _known(person, "expect.person", _PERSON, faults)
    if events is not None:
        if not events.is_sequence:
            faults.append(events.fault("tests: expect.events: expected a list"))
            return None
        for number, event in enumerate(events.value):
            _known(event, f"expect.events[{number}]", _EVENT, faults)
    plain: Mapping[str, Any] = node.plain()
    return plain


def _known(node: Node, what: str, names: tuple[str, ...], faults: list[Fault]) -> bool:
    if not node.is_mapping:
        faults.append(node.fault(f"tests: {what}: expected a mapping of {', '.join(names)}"))
        return False
    for key, _ in node.items():
        if key.value not in names:
            hint = did_you_mean(str(key.value), names)
            faults.append(key.fault(f"tests: {what}: no '{key.value}' to expect{hint}"))
    return True


def _set(body: Json, place: Place, value: Json) -> None:
    holder = body
    for step, following in pairwise(place):
        inner = _get(holder, step)
        if not isinstance(inner, dict | list):
            inner = [] if isinstance(following, int) else {}
            _put(holder, step, inner, place)
        holder = inner
    _put(holder, place[-1], copy.deepcopy(value), place)


def _get(holder: Json, step: str | int) -> Json:
    if isinstance(holder, dict) and isinstance(step, str):
        return holder.get(step)
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return holder[step]
    return None


def _put(holder: Json, step: str | int, value: Json, place: Place) -> None:
    if isinstance(holder, dict) and isinstance(step, str):
        holder[step] = value
    elif isinstance(holder, list) and isinstance(step, int) and step <= len(holder):
        holder[step : step + 1] = [value]
    else:
        raise ValueError(f"set: the fixture has no place '{written(place)}'")


def _remove(body: Json, place: Place) -> None:
    holder = body
    for step in place[:-1]:
        holder = _get(holder, step)
    last = place[-1]
    if isinstance(holder, dict):
        found = last in holder
    else:
        found = isinstance(holder, list) and isinstance(last, int) and last < len(holder)
    if not found:
        raise ValueError(f"remove: the fixture has no '{written(place)}'")
    del holder[last]
