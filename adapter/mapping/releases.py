"""Released contracts, `releases/<name>.json` beside the mappings, and what changed since one.

A journey at Customer.io is built on names and types. So every release keeps what it promised, and
a change that breaks journeys demands a higher `version` in schema.yml. A release also keeps a
fingerprint of every value of its mapping files, so that whoever wrote an overlay for it can be told
which of the values below their own have changed since.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from adapter.errors import Fault, MappingFileError
from adapter.mapping.overlays import TESTS, Override
from adapter.mapping.schema import Field, Schema
from adapter.mapping.trees import entries
from adapter.strictyaml import Node, parse

FOLDER = "releases"
Types = Mapping[str, str]
"""Names and their types as schema.yml writes them: `text?` is optional."""
Marks = str | dict[str, "Marks"]
"""A fingerprint, or those of the values of a mapping by their keys."""

_SECTIONS = ("item", "person", "common", "flat")
_CALLED = {"person": "attribute", "item": "item field"}
_LEAVES = ({"value"}, {"text"})
_DIGITS = 12
_ALIKE = 0.6
_NAME = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Release:
    """What was promised. `sources` holds the marks of every YAML file, by its path below the
    mappings; `directory` is where the mappings lie that it was released with, or their later state.
    """

    name: str
    version: int
    events: Mapping[str, Types]
    sections: Mapping[str, Types]
    sources: Mapping[str, Marks]
    directory: Path | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "release": self.name,
            "version": self.version,
            "events": self.events,
            **self.sections,
            "sources": self.sources,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from a released contract, in plain words: `order_completed.tax was removed`.

    `released` is the version that the contract had then.
    """

    text: str
    breaks: bool
    release: str
    released: int

    def __str__(self) -> str:
        effect = "breaks journeys" if self.breaks else "harmless"
        return f"since {self.release}: {self.text} ({effect})"


def make(name: str, schema: Schema, directory: Path) -> Release:
    """The release of the mappings as they are now; raises MappingFileError for unreadable YAML."""
    faults: list[Fault] = []
    sources = {}
    for file in sorted(directory.rglob("*.y*ml")):
        tree = parse(file.read_text("utf-8"), str(file), faults)
        if tree is not None:
            sources[file.relative_to(directory).as_posix()] = marks(_untested(tree))
    if faults:
        raise MappingFileError(faults)
    events = {event.name: _types(event.fields) for event in schema.events.values()}
    return Release(name, schema.version, events, _sections(schema), sources, directory)


def read(directory: Path) -> dict[str, Release]:
    """Every release kept beside the mappings of a directory, by its name, the oldest first.

    Raises MappingFileError for files that hold no release.
    """
    found, faults = [], []
    for file in (directory / FOLDER).glob("*.json"):
        try:
            found.append(_release(json.loads(file.read_text("utf-8")), file, directory))
        except (ValueError, KeyError, TypeError, OSError) as error:
            faults.append(Fault(str(file), 1, 1, f"is no release: {type(error).__name__}"))
    if faults:
        raise MappingFileError(faults)
    return {each.name: each for each in sorted(found, key=lambda each: order(each.name))}


def latest(directory: Path) -> Release | None:
    """The newest release kept beside the mappings; None where there is none."""
    return next(reversed(read(directory).values()), None)


def order(name: str) -> tuple[int, ...]:
    """What releases are sorted by: 0.10.0 comes after 0.9.0."""
    return tuple(int(part) for part in name.split("."))


def _release(found: Any, file: Path, directory: Path) -> Release:
    name = found["release"]
    if not _NAME.fullmatch(name) or name != file.stem:
        raise ValueError(name)
    return Release(
        name=name,
        version=int(found["version"]),
        events={event: dict(types) for event, types in found["events"].items()},
        sections={section: dict(found[section]) for section in _SECTIONS},
        sources=dict(found["sources"]),
        directory=directory,
    )


# --- the contract


def contract_changes(release: Release, schema: Schema) -> list[Change]:
    """Every difference of the shipped contract from what was released, those that break first.

    Meant for the contract as it ships: what a shop adds in an overlay is its own.
    """
    found: list[tuple[str, bool]] = []
    if schema.version < release.version:
        found.append((f"the version went back from {release.version} to {schema.version}", True))
    now = {event.name: _types(event.fields) for event in schema.events.values()}
    gone = [name for name in release.events if name not in now]
    new = [name for name in now if name not in release.events]
    for name in gone:
        heir = _heir(name, [each for each in new if now[each] == release.events[name]])
        if heir:
            new.remove(heir)
        found.append((f"the event {name} was {_lost(heir)}", True))
    found += [(f"the event {name} was added", False) for name in new]
    for name, types in release.events.items():
        if name in now:
            found += _compared(types, now[name], f"{name}.", "")
    sections = _sections(schema)
    for name in _SECTIONS:
        called = _CALLED.get(name, "property of every event")
        found += _compared(release.sections[name], sections[name], "", f"the {called} ")
    changes = [Change(text, breaks, release.name, release.version) for text, breaks in found]
    return sorted(changes, key=lambda change: not change.breaks)


def faults(changes: Iterable[Change], schema: Node) -> list[Fault]:
    """What stands against releasing: breaking changes without a higher version, at its line."""
    version = schema.get("version")
    if version is None or type(version.value) is not int:
        return []
    return [
        version.fault(
            f"version: since {change.release}: {change.text}; that breaks journeys, "
            f"so the version must be {change.released + 1} or higher"
        )
        for change in changes
        if change.breaks and version.value <= change.released
    ]


def _compared(was: Types, now: Types, prefix: str, called: str) -> list[tuple[str, bool]]:
    found = []
    new = [name for name in now if name not in was]
    for name, before in was.items():
        what, after = f"{called}{prefix}{name}", now.get(name)
        if after is None:
            alike = [each for each in new if _bare(now[each]) == _bare(before)]
            heir = _heir(name, alike)
            if heir:
                new.remove(heir)
            found.append((f"{what} was {_lost(heir)}", True))
        elif _bare(after) != _bare(before):
            found.append((f"{what} was {_bare(before)} and is {_bare(after)}", True))
        elif after != before and before.endswith("?"):
            found.append((f"{what} is always there now", False))
        elif after != before:
            found.append((f"{what} may be absent now", True))
    return found + [(f"{called}{prefix}{name} ({now[name]}) was added", False) for name in new]


def _heir(name: str, candidates: list[str]) -> str | None:
    """The one of them that looks like another spelling of the name."""
    alike = {each: SequenceMatcher(None, name, each).ratio() for each in candidates}
    best = max(alike, key=lambda each: alike[each], default=None)
    return best if best is not None and alike[best] >= _ALIKE else None


def _lost(heir: str | None) -> str:
    return f"renamed to {heir}, it seems" if heir else "removed"


def _bare(type_name: str) -> str:
    return type_name.removesuffix("?")


def _types(fields: Iterable[Field]) -> dict[str, str]:
    return {each.name: each.type_name + ("?" if each.optional else "") for each in fields}


def _sections(schema: Schema) -> dict[str, dict[str, str]]:
    return {
        "item": _types(schema.item),
        "person": _types(schema.person),
        "common": _types(schema.common),
        "flat": {name: f"list of {key}?" for name, key in schema.flat.items()},
    }


# --- the mapping files


def marks(node: Node) -> Marks:
    """The fingerprints of a tree; lists and literals are one value, as overlays see them."""
    if node.is_mapping and set(node.value) not in _LEAVES:
        return {name: marks(value) for name, _, value in entries(node)}
    return _mark(node)


def base_changes(release: Release, overrides: Iterable[Override]) -> list[Fault]:
    """The overrides whose shipped value has changed since the release that they were written for.

    Each is told at the overlay's own place. An override of another overlay is not ours to judge.
    """
    found = []
    for override in overrides:
        file = _below(release.directory, override.base)
        if file is None:
            continue
        was: Marks | None = release.sources.get(file)
        for step in override.path:
            was = was.get(step) if isinstance(was, dict) else None
        if was == marks(override.base):
            continue
        place = f"{file}:{override.base.line}"
        what = ".".join(override.path)
        said = "is shipped now as well" if was is None else "has changed in what is shipped"
        found.append(
            override.node.fault(
                f"{what}: {said} since {release.name}, see {place}; "
                "if this still says what you want, write the newer release into this file"
            )
        )
    return found


def _below(directory: Path | None, node: Node) -> str | None:
    if directory is None:
        return None
    try:
        return Path(node.file).resolve().relative_to(directory.resolve()).as_posix()
    except ValueError:
        return None


def _mark(node: Node) -> str:
    text = json.dumps(node.plain(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _untested(tree: Node) -> Node:
    if not tree.is_mapping:
        return tree
    values = {name: value for name, value in tree.value.items() if name != TESTS}
    return Node(values, tree.file, tree.line, tree.column, keys=tree.keys)
