"""Runs the tests inside mapping files and says readably what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.errors import Fault, MalformedError
from adapter.mapping.body import parse_body
from adapter.mapping.hints import closest, did_you_mean
from adapter.mapping.mapper import Mappings
from adapter.mapping.samples import Sample, written
from adapter.mapping.words import counted
from adapter.model import Delivery, Json, Mapped

TRIGGERED_AT = 1767225600  # 2026-01-01T00:00:00Z
RECEIVED_AT = TRIGGERED_AT + 2
SHOP = "shop.example"
_MOST_DIFFERENCES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One embedded test with all that running it takes."""

    sample: Sample
    fixture: Path
    mappings: Mappings

    @property
    def name(self) -> str:
        return f"{self.sample.platform} {self.sample.topic}: {self.sample.name}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that does not hold: where it stands and how it is called, and what first differs."""

    place: Fault
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((str(self.place), *(f"  {each}" for each in self.differences)))


def cases(mappings: Mappings, *fixtures: Path) -> list[Case]:
    """Every embedded test; a fixture is looked for in one directory after the other."""
    return [Case(each, _found(each.fixture, fixtures), mappings) for each in mappings.samples]


def missing(found: Iterable[Case]) -> list[Fault]:
    """A fault for every test whose fixture is in none of the directories."""
    faults = []
    for case in found:
        if not case.fixture.is_file():
            hint = _named_alike(case.fixture)
            line, column = case.sample.fixture_place
            problem = f"tests: fixture {case.sample.fixture}: there is no such file{hint}"
            faults.append(Fault(case.sample.file, line, column, problem))
    return faults


def warnings(found: Iterable[Case]) -> list[Fault]:
    """A warning for every change to something inside what the fixture does not have: a slip in its
    name would be added to the body, and the test would hold for nothing."""
    warned = []
    bodies: dict[Path, Json] = {}
    for case in found:
        if not any(len(place) > 1 for place, _ in case.sample.changes):
            continue
        if case.fixture not in bodies:
            bodies[case.fixture] = _body(case.fixture)
        for (line, column), place, names in case.sample.invented(bodies[case.fixture]):
            problem = f"the fixture has no '{place[0]}'{did_you_mean(str(place[0]), names)}"
            text = f"tests: set: {written(place)}: {problem}"
            warned.append(Fault(case.sample.file, line, column, text))
    return warned


def _body(file: Path) -> Json:
    try:
        return parse_body(file.read_bytes())
    except (OSError, MalformedError):
        return None


def _named_alike(file: Path) -> str:
    """The fixture of its folder that may have been meant; the folder itself is no likeness."""
    stems = {each.name.removesuffix(".json"): each.name for each in _beside(file)}
    close = closest(file.name.removesuffix(".json"), stems)
    return f", did you mean '{file.parent.name}/{stems[close]}'?" if close else ""


def _found(name: str, directories: tuple[Path, ...]) -> Path:
    places = [directory / name for directory in directories]
    return next((place for place in places if place.is_file()), places[-1])


def _beside(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.json")) if file.parent.is_dir() else []


def run(case: Case) -> Failure | None:
    """None when the test holds."""
    differences = list(_differences(case))
    if not differences:
        return None
    more = len(differences) - _MOST_DIFFERENCES
    shown = differences[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])
    sample = case.sample
    return Failure(Fault(sample.file, sample.line, sample.column, sample.name), tuple(shown))


def _differences(case: Case) -> Iterator[str]:
    sample = case.sample
    try:
        body = sample.change(parse_body(case.fixture.read_bytes()))
    except OSError as error:
        yield f"fixture {case.fixture}: {error.strerror}"
        return
    except (MalformedError, ValueError) as error:
        yield f"fixture {case.fixture}: {error}"
        return
    delivery = Delivery(
        platform=sample.platform,
        topic=sample.topic,
        id="test",
        shop=sample.shop or SHOP,
        received_at=RECEIVED_AT,
        triggered_at=TRIGGERED_AT,
    )
    mapped = case.mappings.apply(delivery, body)
    left_out = [f"{each.path}: {each.problem}" for each in mapped.left_out]
    if sample.ignored is not None:
        yield from _outcome(mapped, "ignored", sample.ignored)
    elif sample.error is not None:
        yield from _outcome(mapped, "parked", sample.error)
    elif mapped.outcome != "mapped":
        yield f"expected it to be mapped, got {mapped.outcome}: {mapped.reason}"
    else:
        yield from _compare(sample.expect, _as_json(mapped), "")
    if sample.left_out is not None and left_out != list(sample.left_out):
        yield f"left_out: expected {list(sample.left_out)}, got {left_out}"


def _outcome(mapped: Mapped, outcome: str, reason: str) -> Iterator[str]:
    if mapped.outcome == "mapped":
        names = ", ".join(event.name for event in mapped.events) or "no event"
        yield f"expected {outcome}: {reason}, got mapped with {names}"
    elif (mapped.outcome, mapped.reason) != (outcome, reason):
        yield f"expected {outcome}: {reason}, got {mapped.outcome}: {mapped.reason}"


def _as_json(mapped: Mapped) -> dict[str, Any]:
    person = mapped.person
    return {
        "person": None if person is None else person.to_json(),
        "events": [event.to_json() for event in mapped.events],
        "order": mapped.order,
        "catalog": None if mapped.catalog is None else mapped.catalog.to_json(),
        "action": None if mapped.action is None else mapped.action.to_json(),
        "ledger": None if mapped.ledger is None else mapped.ledger.to_json(),
    }


def _compare(expected: Any, got: Any, path: str) -> Iterator[str]:
    """Objects by the keys that are expected (null: absent), lists in full length and order."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name, value in expected.items():
            yield from _compare(value, got.get(name), f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            wanted = counted(len(expected), "element")
            yield f"{path}: expected {wanted}, got {len(got)}: {_short(got)}"
        for number, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from _compare(one, other, f"{path}[{number}]")
    elif expected != got or isinstance(expected, bool) != isinstance(got, bool):
        yield f"{path}: expected {_short(expected)}, got {_short(got)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if (
        isinstance(value, list)
        and value
        and all(isinstance(e, dict) and "name" in e for e in value)
    ):
        return ", ".join(str(each["name"]) for each in value)
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
