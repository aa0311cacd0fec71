"""Mapping files -> compiled Mappings, or every fault in them at once.

Three steps: `read` makes YAML trees that remember their files, `stack` lays the trees of later
directories over those of earlier ones, `compile_sources` makes plans of trees.

A directory holds, all of it optional but the contract of the lowest:

    schema.yml  names.yml  rules.yml      the contract, names on the way out, derived attributes
    alerts.yml                            what is watched (not read here, see `adapter.alerts`)
    <platform>/topics.yml                 the register of its topics
    <platform>/<noun>.yml                 mapping files
    <platform>/<shop>/<noun>.yml          what differs for one shop
    <platform>/platform.yml               how its webhooks look on the wire (not read here)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adapter.errors import Fault, MappingFileError
from adapter.mapping import blanks
from adapter.mapping.blame import blamed
from adapter.mapping.compiler import PlatformCompiler
from adapter.mapping.mapper import Mappings, Plans
from adapter.mapping.names import read_names
from adapter.mapping.overlays import RELEASE, TESTS, lay_over, without
from adapter.mapping.placement import misplaced
from adapter.mapping.register import Register, read_register
from adapter.mapping.rules import read_rules
from adapter.mapping.samples import Sample
from adapter.mapping.schema import REQUIRED, read_schema
from adapter.mapping.sources import (
    NAMES_FILE,
    PROFILE_FILE,
    RULES_FILE,
    SCHEMA_FILE,
    SUFFIXES,
    TOP_FILES,
    TOPICS_FILE,
    Sources,
    Trees,
)
from adapter.strictyaml import Node, parse

__all__ = [
    "RULES_FILE",
    "SCHEMA_FILE",
    "Sources",
    "compile_sources",
    "is_overlay",
    "load",
    "not_whole",
    "read_all",
    "stack",
]


def load(*directories: Path, contract: Path | None = None) -> Mappings:
    """Read, lay over each other and compile directories of mappings, the shipped ones first.

    `contract` is the schema file for a first directory that has none of its own. Raises
    MappingFileError with all faults.
    """
    faults: list[Fault] = []
    mappings = compile_sources(read_all(directories, faults, contract), faults)
    faults += not_whole(directories, faults, contract)
    if faults or mappings is None:
        raise MappingFileError(dict.fromkeys(faults))
    return mappings


def read_all(
    directories: Iterable[Path], faults: list[Fault], contract: Path | None = None
) -> Sources:
    """The trees of all directories, each laid over those before it."""
    first, *others = directories
    sources = read(first, faults, contract)
    misplaced(sources, None, faults)
    for directory in others:
        upper = read(directory, faults, whole=False)
        misplaced(upper, sources, faults)
        sources = stack(sources, upper, faults)
    return sources


def read(
    directory: Path, faults: list[Fault], contract: Path | None = None, *, whole: bool = True
) -> Sources:
    """The YAML trees of all files below a directory; a `whole` one needs a contract."""
    sources = Sources(directory, directories=(directory,))
    for name in TOP_FILES:
        file = directory / name
        if name == SCHEMA_FILE and contract is not None and not file.is_file():
            file = contract
        if not file.is_file():
            if name == SCHEMA_FILE and whole:
                faults.append(Fault(str(file), 1, 1, "there is no such file"))
        elif tree := _tree(file, sources, faults):
            sources.top[name] = tree
    for folder in _folders(directory):
        trees = _trees(folder, sources, faults)
        if topics := trees.pop(TOPICS_FILE, None):
            sources.registers[folder.name] = topics
        if trees or (folder / PROFILE_FILE).is_file() or topics:
            sources.platforms[folder.name] = trees
        for inner in _folders(folder):
            own = _trees(inner, sources, faults)
            if own:
                sources.platforms.setdefault(folder.name, {})
                sources.shops[folder.name, inner.name.lower()] = own
    return sources


def stack(lower: Sources, upper: Sources, faults: list[Fault]) -> Sources:
    """One directory's trees laid over another's. Tests of the lowest are left behind: what shipped
    files promise is held against them alone, and an overlay is there to change it."""
    overrides = list(lower.overrides)
    dropped = (TESTS,) if lower.base is None else ()

    def lay(
        below: Mapping[str, Node], above: Mapping[str, Node], folder: str = "", file: str = ""
    ) -> Trees:
        merged = {name: without(tree, *dropped) for name, tree in below.items()}
        for name, tree in above.items():
            if name in merged:
                place = f"{folder}{name}{file}"
                merged[name] = lay_over(merged[name], tree, place, overrides, faults)
            else:
                merged[name] = tree
        return merged

    names = dict.fromkeys([*lower.platforms, *upper.platforms])
    shops = dict.fromkeys([*lower.shops, *upper.shops])
    return Sources(
        directory=upper.directory,
        top=lay(lower.top, upper.top),
        platforms={
            name: lay(lower.platforms.get(name, {}), upper.platforms.get(name, {}), f"{name}/")
            for name in names
        },
        shops={
            key: lay(lower.shops.get(key, {}), upper.shops.get(key, {}), "/".join((*key, "")))
            for key in shops
        },
        registers=lay(lower.registers, upper.registers, file=f"/{TOPICS_FILE}"),
        texts={**lower.texts, **upper.texts},
        overrides=overrides,
        releases={**lower.releases, **upper.releases},
        warnings=[*lower.warnings, *upper.warnings],
        directories=(*lower.directories, *upper.directories),
        base=lower.base or lower,
    )


def compile_sources(sources: Sources, faults: list[Fault]) -> Mappings | None:
    """Everything that the trees say; None when there is no contract to hold them against."""
    found: list[Fault] = []
    mappings = _compiled(sources, found)
    faults += blanks.told(sources, found, faults)
    return mappings


def _compiled(sources: Sources, faults: list[Fault]) -> Mappings | None:
    below = sources.base.schema if sources.base else None
    lower = read_schema(below, []) if below else None
    schema = read_schema(sources.schema, faults, lower) if sources.schema else None
    schema = schema or lower
    if schema is None:
        return None
    before = len(faults)
    rules = read_rules(sources.top.get(RULES_FILE), schema, faults)
    schema = replace(
        schema,
        events={**schema.events, **{each.name: each for each in rules.events()}},
        about={**rules.about(), **schema.about},
    )
    names = read_names(sources.top.get(NAMES_FILE), schema, faults)
    warnings = list(sources.warnings)
    plans: dict[str, Plans] = {}
    shops: dict[tuple[str, str], Plans] = {}
    registers: dict[str, Register] = {}
    samples: list[Sample] = []

    def compiled(platform: str, trees: Trees, tested: Trees, shop: str | None) -> Plans:
        compiler = PlatformCompiler(platform, schema, sources.texts, faults, warnings)
        found = compiler.compile(trees.values())
        topics = {plan.file: plan.topics for plan in found}
        for tree in tested.values():
            samples.extend(compiler.samples(tree, topics.get(tree.file, ()), shop))
        if shop is None and platform in sources.registers:
            register = read_register(sources, platform, compiler.topics, faults, warnings)
            registers[platform] = register
        return found

    for platform, trees in sources.platforms.items():
        plans[platform] = compiled(platform, trees, trees, None)
    for (platform, shop), own in sources.shops.items():
        merged = {name: without(tree, TESTS) for name, tree in sources.platforms[platform].items()}
        for name, tree in own.items():
            place = f"{platform}/{shop}/{name}"
            base = merged.get(name)
            merged[name] = lay_over(base, tree, place, sources.overrides, faults) if base else tree
        tested = {name: merged[name] for name in own}
        shops[platform, shop] = compiled(platform, merged, tested, shop)
    faults[before:] = blamed(sources, faults[before:])
    return Mappings(
        schema,
        plans,
        shops=shops,
        registers=registers,
        names=names,
        rules=rules,
        samples=tuple(samples),
        warnings=tuple(sorted(dict.fromkeys(warnings))),
    )


def not_whole(
    directories: Sequence[Path], faults: Iterable[Fault], contract: Path | None
) -> list[Fault]:
    """Where there are faults and the first of some directories is none that others can lie over:
    a question that explains them. `contract` lies in what may have been meant to be below it."""
    if contract is None or not any(faults) or not is_overlay(directories[0], contract.parent):
        return []
    whole = ":".join(map(str, (contract.parent, *directories)))
    problem = f"this is not whole; is it an overlay? MAPPINGS_DIR={whole}"
    return [Fault(str(directories[0]), 1, 1, problem)]


def is_overlay(directory: Path, base: Path) -> bool:
    """Whether a directory says what differs from `base`, and not all that there is to say.

    It says all where it has a contract of its own, or a platform: its profile, or mapping files
    that are for topics in a folder that `base` does not have.
    """
    sources = read(directory, [], whole=False)
    schema = sources.schema
    if schema and schema.is_mapping and all(schema.get(name) for name in REQUIRED):
        return False
    for folder in _folders(directory):
        trees = sources.platforms.get(folder.name, {}).values()
        if (folder / PROFILE_FILE).is_file():
            return False
        if not (base / folder.name).is_dir() and any(map(_has_topics, trees)):
            return False
    return any(file.suffix in SUFFIXES for file in directory.rglob("*"))


def _has_topics(tree: Node) -> bool:
    return tree.is_mapping and tree.get("topics") is not None


def _folders(directory: Path) -> list[Path]:
    found = directory.iterdir() if directory.is_dir() else iter(())
    return sorted(each for each in found if each.is_dir() and not each.name.startswith("."))


def _trees(folder: Path, sources: Sources, faults: list[Fault]) -> Trees:
    """The files of a folder; for which release one was written is noted apart."""
    trees = {}
    for file in sorted(each for each in folder.iterdir() if each.suffix in SUFFIXES):
        if file.name == PROFILE_FILE or not file.is_file():
            continue
        tree = _tree(file, sources, faults)
        if tree is not None:
            trees[file.name] = tree
    return trees


def _tree(file: Path, sources: Sources, faults: list[Fault]) -> Node | None:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        faults.append(Fault(str(file), 1, 1, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        faults.append(Fault(str(file), 1, 1, f"is not UTF-8: byte {error.start + 1}"))
    else:
        sources.texts[str(file)] = text
        before = len(faults)
        tree = parse(text, str(file), faults)
        if tree is None and len(faults) == before:
            faults.append(Fault(str(file), 1, 1, "the file is empty"))
        if tree is not None and tree.is_mapping and (release := tree.get(RELEASE)):
            if release.is_text:
                sources.releases[str(file)] = release
            else:
                faults.append(release.fault("release: expected the name of a release"))
            return without(tree, RELEASE)
        return tree
    return None
