"""What is watched (alerts.yml). A rule is a name, a kind, and what that kind wants to know:

    orders_dropped:
      kind: volume                 # see KINDS
      event: order_completed
      below: 0.67
      level: error                 # or warning; the same for all kinds:
      after_minutes: 0             # how long it must be so before somebody is told
      remind_hours: 24             # how often they are told again while it lasts
      about: ...                   # for whoever reads the file

Files merge by key: custom/alerts.yml holds what differs, and `orders_dropped: off` takes one away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.mapping.sources import ALERTS_FILE
from adapter.mapping.trees import entries
from adapter.mapping.watched import COMMON, KINDS, LEVELS, Want
from adapter.strictyaml import Node


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is watched; `wants` is what its kind goes by."""

    name: str
    kind: str
    level: str = "warning"
    after_minutes: float = 0.0
    remind_hours: float = 24.0
    wants: Mapping[str, Any] = field(default_factory=dict)


_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


def read_rules(root: Node | None, events: Iterable[str], faults: list[Fault]) -> tuple[Rule, ...]:
    """The rules of a tree, held against the names of the contract's events; every mistake becomes
    a fault. `null` or `off` is no rule."""
    if root is None or root.value is None:
        return ()
    if not root.is_mapping:
        faults.append(root.fault(f"{ALERTS_FILE}: expected a mapping of names to rules"))
        return ()
    reader = _Reader(frozenset(events), faults)
    found = (reader.rule(name, key, node) for name, key, node in entries(root) if not _is_off(node))
    return tuple(rule for rule in found if rule is not None)


def _is_off(node: Node) -> bool:
    return node.value is None or (node.value == "off" and not node.quoted)


class _Reader:
    """Reads rules one after the other; what is wrong is gathered in `faults`."""

    def __init__(self, events: frozenset[str], faults: list[Fault]) -> None:
        self.events = events
        self.faults = faults

    def rule(self, name: str, key: Node, node: Node) -> Rule | None:
        before = len(self.faults)
        if not name.replace("_", "").isalnum():
            self.faults.append(key.fault(f"{name}: a name is of letters, digits and _"))
        if not node.is_mapping:
            self.faults.append(node.fault(f"{name}: expected {', '.join(COMMON)}, or off"))
            return None
        kind = self._kind(name, key, node)
        if kind is None:
            return None
        wants = KINDS[kind].wants
        for part, part_key, _ in entries(node):
            if part not in COMMON and part not in wants:
                hint = did_you_mean(part, [*COMMON, *wants])
                said = f"{name}.{part}: not a part of a {kind} rule{hint}"
                self.faults.append(part_key.fault(said))
        values = {
            part: self._value(f"{name}.{part}", key, node.get(part), want)
            for part, want in wants.items()
        }
        rule = Rule(
            name,
            kind,
            level=self._level(name, node.get("level")),
            after_minutes=self._value(
                f"{name}.after_minutes", key, node.get("after_minutes"), Want("number", 0)
            ),
            remind_hours=self._value(
                f"{name}.remind_hours", key, node.get("remind_hours"), Want("number", 24)
            ),
            wants=values,
        )
        about = node.get("about")
        if about is not None and not about.is_text:
            self.faults.append(about.fault(f"{name}.about: expected a sentence"))
        return rule if len(self.faults) == before else None

    def _kind(self, name: str, key: Node, node: Node) -> str | None:
        kind = node.get("kind")
        there_are = f"there are {', '.join(KINDS)}"
        if kind is None:
            self.faults.append(key.fault(f"{name}: it needs a kind; {there_are}"))
        elif not kind.is_text or kind.value not in KINDS:
            hint = did_you_mean(str(kind.value), KINDS) or f"; {there_are}"
            self.faults.append(kind.fault(f"{name}.kind: no kind '{kind.value}'{hint}"))
        else:
            return str(kind.value)
        return None

    def _level(self, name: str, node: Node | None) -> str:
        if node is not None and node.value not in LEVELS:
            problem = f"{name}.level: expected {' or '.join(LEVELS)}, not '{node.value}'"
            self.faults.append(node.fault(problem))
        return str(node.value) if node is not None else LEVELS[0]

    def _value(self, path: str, key: Node, node: Node | None, want: Want) -> Any:
        if node is None:
            if want.default is None:
                part = path.rpartition(".")[2]
                self.faults.append(key.fault(f"{path.partition('.')[0]}: it needs '{part}'"))
            return want.default
        value = node.value
        if want.of in ("names", "days"):
            return self._names(path, node, days=want.of == "days")
        if want.of == "event":
            if value not in self.events:
                hint = did_you_mean(str(value), self.events)
                said = f"{path}: '{value}' is not an event of the contract{hint}"
                self.faults.append(node.fault(said))
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if want.of == "share" and not (number and 0 < value <= 1):
            said = f"{path}: expected a share above 0 and up to 1, such as 0.6, not '{value}'"
            self.faults.append(node.fault(said))
        elif want.of == "number" and not (number and 0 <= value < 1e9):
            self.faults.append(node.fault(f"{path}: expected a number, 0 or more, not '{value}'"))
        return value

    def _names(self, path: str, node: Node, *, days: bool) -> tuple[str, ...]:
        if not node.is_sequence or not all(each.is_text for each in node.value):
            self.faults.append(
                node.fault(f"{path}: expected a list of {'days' if days else 'names'}")
            )
            return ()
        for each in node.value if days else ():
            if not _DAY.fullmatch(each.value):
                said = f"{path}: expected month and day such as 12-24, not '{each.value}'"
                self.faults.append(each.fault(said))
        return tuple(each.value for each in node.value)
