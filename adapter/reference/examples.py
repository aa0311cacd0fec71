"""What the mappings make of the fixtures: one example for each event, the fullest that there is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter.errors import MalformedError
from adapter.mapping import Mappings, parse_body
from adapter.mapping.suite import RECEIVED_AT, SHOP, TRIGGERED_AT
from adapter.model import Delivery, Json
from adapter.resolver import complete

_Rank = tuple[int, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Body:
    """One body of a topic; a `changed` one is a fixture that an embedded test has altered."""

    fixture: str
    platform: str
    topic: str
    content: Json
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """What one body became, as `explain --json` shows it."""

    body: Body
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Examples:
    """The best example of each event, by its name, and of a person."""

    events: Mapping[str, Example] = field(default_factory=dict)
    person: Example | None = None


def read_bodies(mappings: Mappings, directories: Iterable[Path]) -> list[Body]:
    """The bodies of all embedded tests; what cannot be read is left to `adapter check`.

    A fixture is looked for in each of the directories in turn.
    """
    directories = tuple(directories)
    found = []
    for sample in mappings.samples:
        file = next(
            (d / sample.fixture for d in directories if (d / sample.fixture).is_file()), None
        )
        if file is None:
            continue
        try:
            content = sample.change(parse_body(file.read_bytes()))
        except (MalformedError, ValueError, OSError):
            continue
        changed = bool(sample.changes or sample.removals)
        found.append(Body(sample.fixture, sample.platform, sample.topic, content, changed))
    return found


def find_examples(mappings: Mappings, bodies: Iterable[Body]) -> Examples:
    """The same for the same bodies, whatever their order."""
    events: dict[str, tuple[_Rank, Example]] = {}
    persons: list[tuple[_Rank, Example]] = []
    for body in bodies:
        delivery = Delivery(
            platform=body.platform,
            topic=body.topic,
            id="example",
            shop=SHOP,
            received_at=RECEIVED_AT,
            triggered_at=TRIGGERED_AT,
        )
        mapped = mappings.apply(delivery, body.content)
        if mapped.outcome != "mapped":
            continue
        for event in complete(mapped.events):
            ranked = _ranked(body, event.to_json(), "properties")
            if event.name not in events or ranked[0] < events[event.name][0]:
                events[event.name] = ranked
        if mapped.person is not None and mapped.person.named:
            persons.append(_ranked(body, mapped.person.to_json(), "attributes"))
    person = min(persons, key=lambda ranked: ranked[0])[1] if persons else None
    return Examples({name: example for name, (_, example) in events.items()}, person)


def _ranked(body: Body, value: dict[str, Any], part: str) -> tuple[_Rank, Example]:
    """Unaltered bodies first, then those that show most names, then the shortest."""
    names = {f".{name}" for name in value[part]}
    for item in value[part].get("items") or ():
        names |= set(item)
    rank = (body.changed, -len(names), len(json.dumps(value)), body.fixture, body.topic)
    return rank, Example(body, value)
