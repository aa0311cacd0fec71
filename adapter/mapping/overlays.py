"""Laying a tree over another: what overlays write stands in place of what shipped files say.

Mappings merge by key, `null` or `off` removes, lists and single values replace; a key without
anything behind it is a fault. Values remember the file that they came from, so a fault names the
file that set what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

_LEAVES = ({"value"}, {"text"})
_ITEMS = {"each", "use"}
TESTS = "tests"
RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Override:
    """A value of an overlay in place of one of the file below it; `path` is where it stands."""

    file: str
    path: tuple[str, ...]
    node: Node
    base: Node


def lay_over(
    base: Node, over: Node, file: str, overrides: list[Override], faults: list[Fault]
) -> Node:
    """The whole of two files of one name, `file`.

    Tests of both are kept: whoever wants those of the upper one alone takes them out of the lower.
    """
    merged = _merge(without(base, TESTS), without(over, TESTS), file, (), overrides, faults)
    tests = _both(base, over)
    if tests is None or not merged.is_mapping:
        return merged
    keys = {**(base.keys or {}), **(merged.keys or {}), **(over.keys or {})}
    return replace(merged, value={**merged.value, TESTS: tests}, keys=keys)


def _both(base: Node, over: Node) -> Node | None:
    below, own = (each.get(TESTS) if each.is_mapping else None for each in (base, over))
    if below is None or own is None or not (below.is_sequence and own.is_sequence):
        return below if own is None else own
    return replace(own, value=(*below.value, *own.value))


def without(node: Node, *names: str) -> Node:
    """A mapping less some of its keys."""
    if not node.is_mapping:
        return node
    values = {name: value for name, value in node.value.items() if name not in names}
    return replace(node, value=values)


def _merge(
    base: Node,
    over: Node,
    file: str,
    path: tuple[str, ...],
    overrides: list[Override],
    faults: list[Fault],
) -> Node:
    if not _merge_by_key(base, over):
        if base.plain() != over.plain():
            overrides.append(Override(file, path, over, base))
        return over
    values = dict(base.value)
    keys = dict(base.keys or {})
    for name, key, node in entries(over):
        below = values.get(name)
        inner = (*path, name)
        if below is not None and node.blank:
            faults.append(empty_over(key, name, below))
            continue
        keys[name] = key
        if below is not None and _is_off(node):
            overrides.append(Override(file, inner, node, below))
            del values[name]
        elif below is not None:
            values[name] = _merge(below, node, file, inner, overrides, faults)
        elif _is_off(node):
            hint = did_you_mean(name, base.value)
            faults.append(key.fault(f"{'.'.join(inner)}: there is nothing to switch off{hint}"))
        else:
            values[name] = node
    return Node(values, over.file, over.line, over.column, keys=keys)


def empty_over(key: Node, name: str, below: Node) -> Fault:
    """The fault of a key without anything behind it that lies over something."""
    meant = "indent what belongs to it" if below.is_mapping else "what it is to be"
    return key.fault(f"{name} is empty: write `off` to take it away, or {meant}")


def _merge_by_key(base: Node, over: Node) -> bool:
    """Whether two values are sections rather than values of one place.

    `{value: x}` is a literal, but it may also be a section with one property called `value`: which
    of the two it is, shows by what it is laid over.
    """
    if not (base.is_mapping and over.is_mapping):
        return False
    leaf = set(over.value) in _LEAVES
    return not (leaf and set(base.value) in (*_LEAVES, _ITEMS))


def _is_off(node: Node) -> bool:
    return not node.blank and (node.value is None or (node.value == "off" and not node.quoted))
