"""Files that nothing reads, or that lie over nothing: misspelt, or in the wrong folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from adapter.errors import Fault
from adapter.mapping.hints import closest
from adapter.mapping.overlays import TESTS
from adapter.mapping.sources import (
    ALERTS_FILE,
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
from adapter.strictyaml import Node

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?")
_NOT_PER_SHOP = (SCHEMA_FILE, NAMES_FILE, RULES_FILE, ALERTS_FILE, TOPICS_FILE)


def misplaced(upper: Sources, lower: Sources | None, faults: list[Fault]) -> None:
    """Tell of the files of one directory that have no effect where they lie, each in one fault, and
    forget them: what they hold is not looked at. `lower` is what the directory is laid over."""
    known = _known(lower or upper)
    _unread(upper.directory, known, faults)
    _misspelt(upper.directory, faults)
    for (platform, shop), trees in upper.shops.items():
        folder = next((Path(tree.file).parent for tree in trees.values()), None)
        if folder is not None and not _DOMAIN.fullmatch(shop):
            problem = f"'{folder.name}' is no domain of a shop, such as eu.myshopify.com"
            upper.warnings.append(Fault(str(folder), 1, 1, problem))
        for name in [each for each in trees if each in _NOT_PER_SHOP]:
            tree = trees.pop(name)
            faults.append(Fault(tree.file, 1, 1, f"{name} holds for all shops: none is read here"))
        below = {**_trees(lower, platform), **upper.platforms.get(platform, {})}
        _lost(trees, below, (platform,), known, faults)
    if lower is None:
        return
    for platform, trees in upper.platforms.items():
        _lost(trees, _trees(lower, platform), (platform,), known, faults)
    for platform, register in list(upper.registers.items()):
        own = upper.directory / platform / PROFILE_FILE
        if platform not in lower.platforms and not upper.platforms[platform] and not own.is_file():
            hint = _meant(platform, TOPICS_FILE, known)
            faults.append(Fault(register.file, 1, 1, f"lies over nothing{hint}"))
            del upper.registers[platform]


def _unread(directory: Path, known: dict[str, list[str]], faults: list[Fault]) -> None:
    """Files of the directory itself, where only a few names are read."""
    found = directory.iterdir() if directory.is_dir() else ()
    for file in sorted(each for each in found if each.suffix in SUFFIXES and each.stem[0] != "."):
        if file.name not in TOP_FILES:
            faults.append(Fault(str(file), 1, 1, f"nothing reads it{_meant('', file.name, known)}"))


def _misspelt(directory: Path, faults: list[Fault]) -> None:
    """Files that differ from those that are read by the case of their ending alone."""
    for pattern in ("*.*", "*/*.*", "*/*/*.*"):
        for file in sorted(directory.glob(pattern)):
            own = file.suffix.lower()
            if own in SUFFIXES and own != file.suffix:
                meant = file.with_suffix(SUFFIXES[0]).name
                faults.append(Fault(str(file), 1, 1, f"nothing reads it, did you mean '{meant}'?"))


def _lost(
    trees: Trees,
    below: Trees,
    folder: tuple[str],
    known: dict[str, list[str]],
    faults: list[Fault],
) -> None:
    """Take out files that only say what differs, and differ from nothing."""
    for name in [each for each, tree in trees.items() if each not in below and _differs(tree)]:
        tree = trees.pop(name)
        hint = _meant(*folder, name, known) or "; a file of its own needs 'topics'"
        faults.append(Fault(tree.file, 1, 1, f"lies over nothing{hint}"))


def _differs(tree: Node) -> bool:
    """Whether a file needs another below it."""
    if not tree.is_mapping:
        return False
    parts = set(tree.value) - {TESTS}
    return "topics" not in parts and parts != {"fragments"}


def _trees(sources: Sources | None, platform: str) -> Trees:
    return {} if sources is None else sources.platforms.get(platform, {})


def _known(sources: Sources) -> dict[str, list[str]]:
    """The names of files that mean something, by their folder; `""` is the directory itself."""
    platforms = {
        name: [*trees, TOPICS_FILE, PROFILE_FILE] for name, trees in sources.platforms.items()
    }
    return {"": list(TOP_FILES), **platforms}


def _meant(folder: str, name: str, known: dict[str, list[str]]) -> str:
    """Where a file may have been meant to lie: in the folder that is like its own, or in any."""
    own = closest(folder, known) if folder else ""
    folders: Iterable[str] = known if own is None else [own, *(each for each in known if each)]
    for each in (*folders, ""):
        stems = {Path(file).stem: file for file in known[each]}
        stem = closest(Path(name).stem, stems)
        if stem is not None:
            return f", did you mean '{f'{each}/' if each else ''}{stems[stem]}'?"
    return ""
