"""Keys with nothing behind them: half-written, or with what belongs to them indented too little.

A key that is left empty takes nothing away, that is what `null` and `off` are for. It is a fault of
its own, and what would be said only because of it is left out, or told what it belongs under.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from adapter.errors import Fault
from adapter.mapping.overlays import TESTS, empty_over
from adapter.mapping.sources import Sources
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

_EMPTY = re.compile(r"(\S+) is empty: ")
_STRAY = re.compile(r": (?:not|expected) an? ")
_HINTED = re.compile(r"; indent it under|, did you mean ")


def told(sources: Sources, found: Iterable[Fault], before: Iterable[Fault]) -> list[Fault]:
    """What was found in trees, with the keys in them that are empty; `before` are the faults of
    laying them over each other."""
    empty = dict(_everywhere(sources))
    blanks = [each for each in (*before, *empty.values()) if _EMPTY.match(each.message)]
    rest = beyond(sources, found)
    return [*empty.values(), *(_sorted_under(sources, each, blanks) for each in rest)]


def beyond(sources: Sources, found: Iterable[Fault]) -> list[Fault]:
    """What was found in trees, less what is said of values that are not there at all."""
    empty = dict(_everywhere(sources))
    return [each for each in found if (each.file, each.line, each.column) not in empty]


def _everywhere(sources: Sources) -> Iterator[tuple[tuple[str, int, int], Fault]]:
    """The place of every value that is none, and its fault. What lies over something is not among
    them any more, but in a shop's own files it has not been laid over anything yet."""
    for trees in (sources.top, sources.registers, *sources.platforms.values()):
        for tree in trees.values():
            yield from _inside(tree, None)
    for (platform, _), trees in sources.shops.items():
        for name, tree in trees.items():
            yield from _inside(tree, sources.platforms.get(platform, {}).get(name))


def _inside(
    node: Node, below: Node | None, top: bool = True
) -> Iterator[tuple[tuple[str, int, int], Fault]]:
    if node.is_sequence:
        for each in node.value:
            if each.blank:
                yield _place(each), each.fault("an element of a list is empty: take its '-' out")
            yield from _inside(each, None, False)
    if not node.is_mapping:
        return
    for name, key, value in entries(node):
        under = below.get(name) if below is not None and below.is_mapping else None
        if value.blank and under is not None:
            yield _place(value), empty_over(key, name, under)
        elif value.blank:
            said = f"{name} is empty: write what it is to be, or indent what belongs to it"
            yield _place(value), key.fault(said)
        elif not (top and name == TESTS):  # a test may set a key to nothing, or expect nothing
            yield from _inside(value, under, False)


def _place(node: Node) -> tuple[str, int, int]:
    return node.file, node.line, node.column


def _sorted_under(sources: Sources, fault: Fault, blanks: list[Fault]) -> Fault:
    """A fault of what stands beside an empty key says that it may belong under that."""
    if not _STRAY.search(fault.message) or _HINTED.search(fault.message):
        return fault
    lines = sources.texts.get(fault.file, "").splitlines()
    for blank in sorted(blanks, reverse=True):
        between = lines[blank.line : fault.line]
        if blank.file == fault.file and between and _beside(between, blank.column - 1):
            name = blank.message.partition(" is empty")[0]
            return replace(fault, message=f"{fault.message}; indent it under `{name}:`")
    return fault


def _beside(lines: list[str], indent: int) -> bool:
    """Whether the last of some lines is indented so, and none before it less."""
    depths = [len(each) - len(each.lstrip()) for each in lines if _is_written(each)]
    return bool(depths) and depths[-1] == indent and min(depths) == indent


def _is_written(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
