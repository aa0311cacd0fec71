"""Mapping files -> compiled Mappings, or every fault in them at once.

Three steps: `read` makes YAML trees that remember their files, `stack` lays the trees of later
directories over those of earlier ones, `compile_sources` makes plans of trees.

A directory holds, all of it optional but the contract of the lowest:

    schema.yml  names.yml  rules.yml      the contract, names on the way out, derived attributes
    <platform>/topics.yml                 the register of its topics
    <platform>/<noun>.yml                 mapping files
    <platform>/<shop>/<noun>.yml          what differs for one shop
    <platform>/platform.yml               how its webhooks look on the wire (not read here)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapter.errors import Fault, MappingFileError
from adapter.mapping.compiler import PlatformCompiler
from adapter.mapping.mapper import Mappings, Plans
from adapter.mapping.names import read_names
from adapter.mapping.overlays import RELEASE, TESTS, Override, lay_over, without
from adapter.mapping.register import Register, read_register
from adapter.mapping.rules import read_rules
from adapter.mapping.samples import Sample
from adapter.mapping.schema import read_schema
from adapter.strictyaml import Node, parse

SCHEMA_FILE = "schema.yml"
NAMES_FILE = "names.yml"
RULES_FILE = "rules.yml"
TOP_FILES = (SCHEMA_FILE, NAMES_FILE, RULES_FILE)
PROFILE_FILE = "platform.yml"
TOPICS_FILE = "topics.yml"
_SUFFIXES = (".yml", ".yaml")

Trees = dict[str, Node]


@dataclass(slots=True)
class Sources:
    """The trees of one directory, or of several laid over each other.

    `top` holds the files of the directory itself, `platforms` and `shops` (platform, shop) mapping
    files by name, `registers` the topics of platforms. `texts` has the text of every file, to find
    exact columns in; `overrides` what stands in place of something below it; `releases` for which
    release an overlay's file says that it was written. `layers` counts directories.
    """

    directory: Path
    top: Trees = field(default_factory=dict)
    platforms: dict[str, Trees] = field(default_factory=dict)
    shops: dict[tuple[str, str], Trees] = field(default_factory=dict)
    registers: Trees = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    releases: Trees = field(default_factory=dict)
    layers: int = 1

    @property
    def schema(self) -> Node | None:
        return self.top.get(SCHEMA_FILE)


def load(*directories: Path, contract: Path | None = None) -> Mappings:
    """Read, lay over each other and compile directories of mappings, the shipped ones first.

    `contract` is the schema file for a first directory that has none of its own. Raises
    MappingFileError with all faults.
    """
    faults: list[Fault] = []
    mappings = compile_sources(read_all(directories, faults, contract), faults)
    if faults or mappings is None:
        raise MappingFileError(dict.fromkeys(faults))
    return mappings


def read_all(
    directories: Iterable[Path], faults: list[Fault], contract: Path | None = None
) -> Sources:
    """The trees of all directories, each laid over those before it."""
    first, *others = directories
    sources = read(first, faults, contract)
    for directory in others:
        sources = stack(sources, read(directory, faults, whole=False), faults)
    return sources


def read(
    directory: Path, faults: list[Fault], contract: Path | None = None, *, whole: bool = True
) -> Sources:
    """The YAML trees of all files below a directory; a `whole` one needs a contract."""
    sources = Sources(directory)
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
    """One directory's trees laid over another's. Tests are those of the upper one."""
    overrides = list(lower.overrides)

    def lay(
        below: Mapping[str, Node], above: Mapping[str, Node], folder: str = "", file: str = ""
    ) -> Trees:
        merged = {name: without(tree, TESTS) for name, tree in below.items()}
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
        layers=lower.layers + upper.layers,
    )


def compile_sources(sources: Sources, faults: list[Fault]) -> Mappings | None:
    """Everything that the trees say; None when there is no contract to hold them against."""
    schema = read_schema(sources.schema, faults) if sources.schema else None
    if schema is None:
        return None
    rules = read_rules(sources.top.get(RULES_FILE), schema, faults)
    schema = replace(
        schema,
        events={**schema.events, **{each.name: each for each in rules.events()}},
        about={**rules.about(), **schema.about},
    )
    names = read_names(sources.top.get(NAMES_FILE), schema, faults)
    warnings: list[Fault] = []
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
            register = read_register(sources.registers[platform], compiler.topics, faults)
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


def is_overlay(directory: Path, base: Path) -> bool:
    """Whether a directory only says what differs from `base`: a file of it cannot stand alone."""
    sources = read(directory, [], whole=False)
    if any((directory / name / PROFILE_FILE).is_file() for name in sources.platforms):
        return False
    schema = sources.schema
    if sources.shops or (schema and schema.is_mapping and schema.get("version") is None):
        return True
    if not sources.platforms and sources.top:
        return schema is None
    return any(
        (base / platform / name).is_file() and tree.is_mapping and tree.get("topics") is None
        for platform, trees in sources.platforms.items()
        for name, tree in trees.items()
        if not (tree.is_mapping and set(tree.value) == {"fragments"})
    )


def _folders(directory: Path) -> list[Path]:
    found = directory.iterdir() if directory.is_dir() else iter(())
    return sorted(each for each in found if each.is_dir() and not each.name.startswith("."))


def _trees(folder: Path, sources: Sources, faults: list[Fault]) -> Trees:
    """The files of a folder; for which release one was written is noted apart."""
    trees = {}
    for file in sorted(each for each in folder.iterdir() if each.suffix in _SUFFIXES):
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
            sources.releases[str(file)] = release
            if not release.is_text:
                faults.append(release.fault("release: expected the name of a release"))
            return without(tree, RELEASE)
        return tree
    return None
