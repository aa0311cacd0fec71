"""Reads parts of YAML trees: expressions, conditions, sections; every mistake becomes a fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from adapter.errors import Fault
from adapter.mapping.expressions import (
    Condition,
    Expression,
    compile_condition,
    compile_template,
    compile_text,
    literal,
)
from adapter.mapping.hints import did_you_mean
from adapter.mapping.parser import ExpressionError
from adapter.mapping.trees import entries, place_in
from adapter.mapping.values import is_true
from adapter.strictyaml import Node

_BARE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SWITCHES = (False, 0, "", "off", "no", "none", "null", "disabled")
"""What people write who want something away."""
_SHAPES = {"ignore_when": "{reason: condition}"}
_T = TypeVar("_T")


class TreeReader:
    """Gathers faults and warnings while trees are read; nothing here raises."""

    def __init__(
        self, texts: Mapping[str, str], faults: list[Fault], warnings: list[Fault]
    ) -> None:
        self.texts = texts
        self.faults = faults
        self.warnings = warnings

    def expression(self, node: Node, what: str) -> Expression | None:
        value = node.value
        if isinstance(value, str):
            if is_quoted_word(node):
                self.warnings.append(
                    node.fault(
                        f"{what}: quotes do not make a literal; write {{value: {value}}} "
                        "or take the quotes away"
                    )
                )
            return self._parsed(node, what, compile_text)
        return self._literal(node, what)

    def condition(self, node: Node, what: str) -> Condition | None:
        if isinstance(node.value, str):
            return self._parsed(node, what, compile_condition)
        constant = self._literal(node, what)
        if constant is None:
            return None
        evaluate = constant.evaluate
        return lambda root, delivery: is_true(evaluate(root, delivery))

    def _literal(self, node: Node, what: str) -> Expression | None:
        if node.value is None:
            self.fault(node, f"{what}: is empty; expected an expression")
        elif node.is_sequence:
            self.fault(node, f"{what}: expected an expression, got a list")
        elif not node.is_mapping:
            return literal(node.value)
        elif set(node.value) == {"value"}:
            return literal(node.value["value"].plain())
        elif set(node.value) == {"text"} and node.value["text"].is_text:
            return self._parsed(node.value["text"], what, compile_template)
        else:
            self.fault(
                node,
                f'{what}: expected an expression, {{value: literal}} or {{text: "a {{path}}"}}',
            )
        return None

    def _parsed(self, node: Node, what: str, compile_: Callable[[str], _T]) -> _T | None:
        try:
            return compile_(node.value)
        except ExpressionError as error:
            line, column = place_in(self.texts[node.file], node, error.offset)
            self.faults.append(Fault(node.file, line, column, f"{what}: {error.problem}"))
            return None

    def section(self, root: Node, name: str, prefix: str = "") -> list[tuple[str, Node, Node]]:
        node = root.get(name)
        if node is None or not self.is_mapping(node, prefix + name):
            return []
        return list(entries(node))

    def is_mapping(self, node: Node, what: str) -> bool:
        """Whether it is one; a fault says what to write instead where it is not."""
        if node.is_mapping:
            return True
        kind = "an event" if what.startswith("events.") else "a mapping of names to values"
        expected = _SHAPES.get(what, kind)
        switch = "; to switch it off write off" if _switches(node) else ""
        self.fault(node, f"{what.removeprefix('events.')}: expected {expected}{switch}")
        return False

    def known(
        self,
        node: Node,
        prefix: str,
        names: Iterable[str],
        what: str,
        below: tuple[str, Iterable[str]] = ("", ()),
    ) -> None:
        """A fault for every key that is not among `names`; `below` is the part whose keys may have
        been written beside it, and what they are called."""
        for name, key, _ in entries(node):
            if name not in names:
                part, inner = below
                under = f"; indent it under `{part}:`" if name in inner else ""
                self.fault(key, f"{prefix}{name}: not {what}{under or did_you_mean(name, names)}")

    def fault(self, node: Node, message: str) -> None:
        self.faults.append(node.fault(message))


def is_quoted_word(node: Node) -> bool:
    """Whether somebody seems to have meant a literal: `"pos"` is a path for all its quotes."""
    return node.quoted and node.is_text and bool(_BARE_WORD.fullmatch(node.value))


def _switches(node: Node) -> bool:
    value = node.value
    if value == "off" and not node.quoted:
        return False  # it is written as it should be, where there is nothing to switch off
    if isinstance(value, str):
        return value.strip().lower() in _SWITCHES
    return value == () or (value is not True and value in _SWITCHES)
