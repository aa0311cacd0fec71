"""What `adapter check` looks at, and how it tells what it found."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from adapter.app import load_profiles
from adapter.cli import faults as carets
from adapter.errors import Fault, MappingFileError
from adapter.lookout import rules_in
from adapter.mapping import blanks, consequences, coverage, declared, releases, suite
from adapter.mapping.loader import SCHEMA_FILE, Sources, compile_sources, not_whole, read_all
from adapter.mapping.mapper import Mappings
from adapter.mapping.releases import Change, Release
from adapter.mapping.suite import Case, Failure
from adapter.mapping.words import counted
from adapter.settings import shipped


@dataclass(slots=True)
class Checkup:
    """All that is to be said of mappings. `skipped` counts tests of files that hold faults."""

    where: str = ""
    seconds: float = 0.0
    topics: int = 0
    events: int = 0
    tests: int = 0
    skipped: int = 0
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.faults or self.failures)

    def tell(self) -> None:
        """Faults, warnings and failing tests on stderr, the rest on stdout."""
        carets.show(self.faults)
        carets.show(self.warnings, "warning: ", "yellow")
        for failure in self.failures:
            carets.show([failure.place])
            for difference in failure.differences:
                click.echo(f"  {difference}", err=True)
        for change in self.changes:
            click.echo(f"contract: {change}")
        for hint in self.hints:
            click.echo(f"hint: {hint}")
        skipped = f", {self.skipped} not run" if self.skipped else ""
        click.echo(
            f"{self.where}: {counted(self.topics, 'topic')}, {counted(self.events, 'event')}, "
            f"{counted(self.tests, 'test')}, {len(self.failures)} failed{skipped}, "
            f"{counted(len(self.faults), 'fault')}, {counted(len(self.warnings), 'warning')}, "
            f"{self.seconds:.1f} s"
        )


def fixture_directories(layers: Sequence[Path]) -> tuple[Path, ...]:
    """Where fixtures are looked for: inside the last directory, then beside it, and so on for those
    below it; in the end among the shipped."""
    found = [
        folder / "fixtures"
        for layer in reversed(layers)
        for folder in (layer.resolve(), layer.resolve().parent)
    ]
    found = [each for each in found if each.is_dir()]
    return tuple(dict.fromkeys([*found, shipped("fixtures").resolve()]))


def check(layers: Sequence[Path]) -> Checkup:
    """Look at directories of mappings, each laid over those before it. Raises nothing."""
    began = time.perf_counter()
    found = Checkup(where=_where(layers))
    faults: list[Fault] = []
    contract = shipped("mappings") / SCHEMA_FILE
    sources = read_all(layers, faults, contract)
    mappings = compile_sources(sources, faults)
    try:
        load_profiles(layers)
    except MappingFileError as error:
        faults += error.faults
    if mappings is not None:
        of_alerts: list[Fault] = []
        rules_in(sources, mappings.schema.events, of_alerts)
        faults += blanks.beyond(sources, of_alerts)
        if not mappings.platforms():
            faults.append(Fault(str(layers[-1]), 1, 1, "no mapping files are in it"))
        _look(found, mappings, sources, layers, faults)
    faults += not_whole(layers, faults, contract)
    found.faults = sorted(dict.fromkeys(faults))
    found.warnings = sorted(dict.fromkeys(found.warnings))
    found.seconds = time.perf_counter() - began
    return found


def _look(
    found: Checkup,
    mappings: Mappings,
    sources: Sources,
    layers: Sequence[Path],
    faults: list[Fault],
) -> None:
    """What can be said as far as the files could be compiled."""
    platforms = mappings.platforms()
    fed = {
        event
        for platform in platforms
        for topic in mappings.topics(platform)
        for event in mappings.events_of(platform, topic)
    }
    found.topics = sum(len(mappings.topics(platform)) for platform in platforms)
    found.events = len(fed)
    found.warnings += mappings.warnings
    directories = fixture_directories(layers)
    cases = suite.cases(mappings, *directories)
    faulty = _faulty(sources, faults)
    faults += suite.missing(cases)
    fixtures = coverage.Fixtures(*directories)
    found.warnings += coverage.warnings(
        sources, mappings.samples, fixtures, schema=mappings.schema, faults=faults
    )
    found.warnings += suite.warnings(cases)
    _overlaid(found, mappings, sources, None if faults else fixtures)
    _releases(found, mappings, sources, layers, faults)
    fit = [case for case in cases if _is_fit(case, faulty)]
    found.tests, found.skipped = len(cases), len(cases) - len(fit)
    found.failures = [failure for case in fit if (failure := suite.run(case)) is not None]


def _overlaid(
    found: Checkup, mappings: Mappings, sources: Sources, fixtures: coverage.Fixtures | None
) -> None:
    """What overlays do to the contract and, with `fixtures`, to what bodies become."""
    if sources.base is None:
        return
    base = compile_sources(sources.base, [])
    if base is None:
        return
    found.warnings += declared.warnings(sources, base.schema, mappings.schema)
    if fixtures is not None:
        found.warnings += consequences.warnings(sources, mappings, base, fixtures)


def _where(layers: Sequence[Path]) -> str:
    """Which directories were looked at, and over which."""
    *over, base = [_called(layer) for layer in reversed(layers)]
    return f"{' over '.join(over)} over {base}" if over else f"{base} alone"


def _called(directory: Path) -> str:
    if directory.resolve() == shipped("mappings").resolve():
        return "the shipped mappings"
    return os.path.relpath(directory) if directory.is_relative_to(Path.cwd()) else str(directory)


def _faulty(sources: Sources, faults: list[Fault]) -> set[str]:
    """Names of files whose tests would fail of nothing but what is a fault already: those that
    hold one, and all that may use a fragment which does, or a contract. A test that is no test is
    the only one that is not run."""
    names = {Path(fault.file).name for fault in faults if not fault.message.startswith("tests:")}
    if SCHEMA_FILE in names or any(each.message.startswith("fragments.") for each in faults):
        names |= {name for trees in sources.platforms.values() for name in trees}
    return names


def _is_fit(case: Case, faulty: set[str]) -> bool:
    return Path(case.sample.file).name not in faulty and case.fixture.is_file()


def _releases(
    found: Checkup,
    mappings: Mappings,
    sources: Sources,
    layers: Sequence[Path],
    faults: list[Fault],
) -> None:
    """What has changed since releases: of the contract, and below what overlays override."""
    try:
        known = releases.read(layers[0])
        newest = releases.latest(layers[0])
    except MappingFileError as error:
        faults += error.faults
        return
    if len(layers) == 1 and newest and sources.schema:
        of_rules = {event.name for event in mappings.rules.events()}
        schema = mappings.schema
        own = {name: each for name, each in schema.events.items() if name not in of_rules}
        found.changes = releases.contract_changes(newest, replace(schema, events=own))
        faults += releases.faults(found.changes, sources.schema)
    if newest:
        found.hints += [
            f"{_called(Path(file))} says for no release that it was written; with "
            f"`release: {newest.name}`, check tells when what it replaces has changed"
            for file in sorted({each.node.file for each in sources.overrides if "/" in each.file})
            if sources.layer(file) and file not in sources.releases
        ]
    for file, node in sources.releases.items():
        overrides = [each for each in sources.overrides if each.node.file == file]
        release: Release | None = known.get(str(node.value))
        if release is not None:
            found.warnings += releases.base_changes(release, overrides)
        elif known:
            there = ", ".join(known)
            found.warnings.append(
                node.fault(f"release: '{node.value}' is no release that is known; there is {there}")
            )
