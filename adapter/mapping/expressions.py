"""Syntax trees -> closures. Compiled once when the files are loaded, called for every body.

A closure gets the root (the body, or the element that a fragment is about: always an object) and
the delivery. Whatever does not fit is None; only filters that calculate raise ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.mapping import parser, syntax
from adapter.mapping.filters import Apply, build
from adapter.mapping.hints import did_you_mean
from adapter.mapping.parser import ExpressionError
from adapter.mapping.syntax import Tree
from adapter.mapping.values import as_text, is_blank, is_true
from adapter.model import Delivery, Json

Evaluate = Callable[[dict[str, Json], Delivery], Json]
Condition = Callable[[dict[str, Json], Delivery], bool]
Step = Callable[[Json], Json]

FACTS: dict[str, Callable[[Delivery], Json]] = {
    "topic": lambda delivery: delivery.topic,
    "shop": lambda delivery: delivery.shop,
    "platform": lambda delivery: delivery.platform,
    "api_version": lambda delivery: delivery.api_version,
    "triggered_at": lambda delivery: (
        None if delivery.triggered_at is None else int(delivery.triggered_at // 1)
    ),
    "received_at": lambda delivery: delivery.received_at,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression and the paths that it reads; `key` when it only is that of the root.

    `text` is as the file writes it, `tree` its syntax (None for what is no expression of paths),
    `constant` the value of a literal.
    """

    evaluate: Evaluate
    paths: tuple[syntax.Path, ...] = ()
    key: str | None = None
    text: str = ""
    tree: Tree | None = None
    constant: Json = None


def literal(value: Json) -> Expression:
    """An expression that is always the same value, as a JSON body would hold it."""
    constant = _as_json(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return Expression(lambda _root, _delivery: constant, text=text, constant=constant)


def _as_json(value: Json) -> Json:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    return value


def compile_text(text: str) -> Expression:
    """The expression that `text` is; raises ExpressionError."""
    tree = parser.parse(text)
    key = tree.names[0] if isinstance(tree, syntax.Path) and len(tree.parts) == 1 else None
    return Expression(_compile(tree), syntax.paths(tree), key, text, tree)


def compile_tree(tree: Tree) -> Expression:
    """The expression of a part of a tree; raises ExpressionError."""
    return Expression(_compile(tree), syntax.paths(tree), None, str(tree), tree)


def compile_template(text: str) -> Expression:
    """The expression of a text with expressions in braces; raises ExpressionError.

    Absent when one of them is. The text's own braces are written twice.
    """
    pieces = parser.parse_template(text)
    evaluates = [each if isinstance(each, str) else _compile(each) for each in pieces]
    paths = tuple(
        path for each in pieces if not isinstance(each, str) for path in syntax.paths(each)
    )

    def evaluate(root: dict[str, Json], delivery: Delivery) -> Json:
        found = []
        for piece in evaluates:
            part = piece if isinstance(piece, str) else as_text(piece(root, delivery))
            if part is None or (not part.strip() and not isinstance(piece, str)):
                return None
            found.append(part)
        return "".join(found)

    return Expression(evaluate, paths, None, text)


def compile_condition(text: str) -> Condition:
    """The condition that `text` is; raises ExpressionError."""
    negated, tree = parser.parse_condition(text)
    evaluate = _compile(tree)
    if negated:
        return lambda root, delivery: not is_true(evaluate(root, delivery))
    return lambda root, delivery: is_true(evaluate(root, delivery))


def _compile(tree: Tree) -> Evaluate:
    if isinstance(tree, syntax.Path):
        return _path(tree)
    if isinstance(tree, syntax.Literal):
        return literal(tree.value).evaluate
    if isinstance(tree, syntax.Fact):
        fact = FACTS.get(tree.name)
        if fact is None:
            raise ExpressionError(
                tree.offset, f"no fact '${tree.name}'{did_you_mean(tree.name, FACTS)}"
            )
        return lambda _root, delivery: fact(delivery)
    if isinstance(tree, syntax.Pipe):
        return _pipe(_compile(tree.operand), tuple(_call(call) for call in tree.calls))
    return _either(tuple(_compile(choice) for choice in tree.choices))


def _call(call: syntax.Call) -> Apply:
    try:
        return build(call.name, tuple(each.value for each in call.arguments))
    except ValueError as error:
        raise ExpressionError(call.offset, str(error)) from None


def _pipe(operand: Evaluate, filters: tuple[Apply, ...]) -> Evaluate:
    if len(filters) == 1:
        only = filters[0]
        return lambda root, delivery: only(operand(root, delivery))
    if len(filters) == 2:
        first, second = filters
        return lambda root, delivery: second(first(operand(root, delivery)))

    def evaluate(root: dict[str, Json], delivery: Delivery) -> Json:
        value = operand(root, delivery)
        for apply in filters:
            value = apply(value)
        return value

    return evaluate


def _either(choices: tuple[Evaluate, ...]) -> Evaluate:
    if len(choices) == 2:
        return _one_or_other(*choices)
    *earlier, last = choices

    def evaluate(root: dict[str, Json], delivery: Delivery) -> Json:
        for choice in earlier:
            value = choice(root, delivery)
            if type(value) is str:
                if value and not value.isspace():
                    return value
            elif value is not None and not is_blank(value):
                return value
        return last(root, delivery)

    return evaluate


def _one_or_other(first: Evaluate, second: Evaluate) -> Evaluate:
    """`a ?? b`, as most alternatives are."""

    def evaluate(root: dict[str, Json], delivery: Delivery) -> Json:
        value = first(root, delivery)
        if type(value) is str:
            if value and not value.isspace():
                return value
        elif value is not None and not is_blank(value):
            return value
        return second(root, delivery)

    return evaluate


def _path(path: syntax.Path) -> Evaluate:
    first, rest = path.parts[0], path.parts[1:]
    assert isinstance(first, syntax.Key)  # noqa: S101 - the grammar says so
    name = first.name
    if not rest:
        return lambda root, _delivery: root.get(name)
    if all(isinstance(part, syntax.Key) for part in rest):
        return _keys(path.names)
    follow = _steps(rest)
    return lambda root, _delivery: follow(root.get(name))


def _keys(names: tuple[str, ...]) -> Evaluate:
    """`a.b` and `a.b.c`: what mappings are made of."""
    first, second, *more = names
    if not more:

        def two(root: dict[str, Json], _delivery: Delivery) -> Json:
            value = root.get(first)
            return value.get(second) if type(value) is dict else None

        return two
    if len(more) == 1:
        third = more[0]

        def three(root: dict[str, Json], _delivery: Delivery) -> Json:
            value = root.get(first)
            value = value.get(second) if type(value) is dict else None
            return value.get(third) if type(value) is dict else None

        return three

    def many(root: dict[str, Json], _delivery: Delivery) -> Json:
        value: Any = root
        for name in names:
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return many


def _steps(parts: tuple[syntax.Part, ...]) -> Step:
    """What a chain of parts makes of a value; built from its end."""
    step = _step(parts[0])
    if len(parts) == 1:
        return _projection(None) if isinstance(parts[0], syntax.Every) else step
    if isinstance(parts[0], syntax.Every) and len(parts) == 2 and isinstance(parts[1], syntax.Key):
        return _values(parts[1].name)
    rest = _steps(parts[1:])
    if isinstance(parts[0], syntax.Every):
        return _projection(rest, flatten=any(isinstance(p, syntax.Every) for p in parts[1:]))
    if isinstance(parts[0], syntax.Key):
        name = parts[0].name
        return lambda value: rest(value.get(name)) if type(value) is dict else None
    return lambda value: rest(step(value))


def _step(part: syntax.Part) -> Step:
    if isinstance(part, syntax.Key):
        name = part.name
        return lambda value: value.get(name) if type(value) is dict else None
    if isinstance(part, syntax.Index):
        number = part.number
        return lambda value: (
            value[number] if type(value) is list and -len(value) <= number < len(value) else None
        )
    if isinstance(part, syntax.Match):
        return _match(part)
    return _projection(None)


def _match(part: syntax.Match) -> Step:
    name, wanted = part.name, part.value

    def step(value: Any) -> Json:
        if type(value) is not list:
            return None
        for each in value:
            if type(each) is dict and as_text(each.get(name)) == wanted:
                return each
        return None

    return step


def _values(name: str) -> Step:
    """`[].name`, as most projections are."""

    def step(value: Any) -> Json:
        if type(value) is not list:
            return None
        found = [each.get(name) for each in value if type(each) is dict]
        return [each for each in found if each is not None]

    return step


def _projection(rest: Step | None, *, flatten: bool = False) -> Step:
    """`[]`: absent elements are left out; a projection inside another gives one flat list."""

    def step(value: Any) -> Json:
        if type(value) is not list:
            return None
        found = value if rest is None else map(rest, value)
        present = [each for each in found if each is not None]
        if flatten:
            return [inner for each in present for inner in each]
        return present

    return step
