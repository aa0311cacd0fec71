"""Faults that an overlay of the contract makes in a mapping file below it: whose fault they are.

A property that `custom/schema.yml` requires is missing in the shipped `orders.yml`. Nobody can mend
it there, so it is told where it was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from adapter.errors import Fault
from adapter.mapping.sources import SCHEMA_FILE, Sources
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

Role = tuple[str, ...]
"""Where something stands in the contract: `("events", "order_completed", "revenue")`."""

_MISSING = re.compile(r"[\w. -]+\.([\w-]+): is missing, ")


def blamed(sources: Sources, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults, each at the line of the highest directory that has a part in it."""
    faults = list(faults)
    if sources.base is None or not faults:
        return faults
    roles = dict(_roles(sources))
    return [_blamed(sources, fault, roles) for fault in faults]


def in_contract(sources: Sources, role: Role) -> Node | None:
    """What an overlay says of a part of the contract; None where it says nothing."""
    node = sources.schema
    for override in sources.overrides:
        if override.file == SCHEMA_FILE and override.path == role[: len(override.path)]:
            return override.node
    for step in role:
        if node is None or not node.is_mapping or step not in node.value:
            return None
        key, node = (node.keys or {})[step], node.value[step]
        if step == role[-1] and sources.layer(key.file):
            return key
    return None


def _blamed(sources: Sources, fault: Fault, roles: dict[tuple[str, int, int], Role]) -> Fault:
    role = roles.get((fault.file, fault.line, fault.column))
    if role is None:
        return fault
    if missing := _MISSING.match(fault.message):
        # A mapping begins where its first key does: what is missing is missing beside that one.
        role = (*(role[:2] if role[0] == "events" else role[:1]), missing[1])
    node = in_contract(sources, role)
    if node is None or sources.layer(node.file) <= sources.layer(fault.file):
        return fault
    said = fault.message.partition(", did you mean ")[0]
    return node.fault(f"{said}; see {fault.file}:{fault.line}")


def _roles(sources: Sources) -> Iterator[tuple[tuple[str, int, int], Role]]:
    """What each place of the mapping files is about, in the words of the contract."""
    for trees in (*sources.platforms.values(), *sources.shops.values()):
        for tree in trees.values():
            if not tree.is_mapping:
                continue
            for name, key, node in _entries(tree.get("events")):
                properties = node.get("properties") if node.is_mapping else None
                for place in (key, node, properties):
                    if place is not None:
                        yield _place(place), ("events", name)
                yield from _fields(properties, "events", name)
            person = tree.get("person")
            yield from _fields(person.get("attributes") if _is_mapping(person) else None, "person")
            for _, _, node in _entries(tree.get("fragments")):
                yield _place(node), ("item",)
                yield from _fields(node, "item")


def _fields(section: Node | None, *role: str) -> Iterator[tuple[tuple[str, int, int], Role]]:
    for name, key, node in _entries(section):
        for place in (key, *_all(node)):
            yield _place(place), (*role, name)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for _, _, inner in _entries(node):
        yield from _all(inner)


def _entries(node: Node | None) -> list[tuple[str, Node, Node]]:
    return list(entries(node)) if node is not None and node.is_mapping else []


def _is_mapping(node: Node | None) -> TypeGuard[Node]:
    return node is not None and node.is_mapping


def _place(node: Node) -> tuple[str, int, int]:
    return node.file, node.line, node.column
