"""Type mismatches that can be seen before any body is: literals, and what the last filter gives."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from adapter.mapping import syntax
from adapter.mapping.expressions import Expression
from adapter.mapping.filters import FILTERS
from adapter.mapping.schema import Field
from adapter.mapping.syntax import Tree
from adapter.mapping.types import TYPES
from adapter.mapping.values import kind
from adapter.model import Json

_PASS_ON = frozenset({"only", "first", "last"})
_NUMBERS = frozenset({"money", "number", "integer", "time", "text", "id"})
_FITS = {
    "boolean": frozenset({"boolean"}),
    "number": _NUMBERS,
}


def mismatch(field: Field, expression: Expression) -> str | None:
    """What is wrong, whatever the body holds; None when it may fit."""
    if expression.tree is None:
        return _literal(field, expression)
    for tree in _alternatives(expression.tree):
        problem = _tree(field, tree)
        if problem:
            return problem
    return None


@cache
def given(name: str) -> str | None:
    """What a filter gives, as its examples show: boolean, number, text, list; None when it varies
    or is what the filter was given."""
    if name in _PASS_ON:
        return None
    kinds = {_kind(example.result) for example in FILTERS[name].examples} - {None}
    return kinds.pop() if len(kinds) == 1 else None


def _kind(value: Json) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, str):
        return "text"
    return None if value is None else "list" if isinstance(value, list) else "object"


def _alternatives(tree: Tree) -> tuple[Tree, ...]:
    if isinstance(tree, syntax.Either):
        return tuple(inner for choice in tree.choices for inner in _alternatives(choice))
    return (tree,)


def _literal(field: Field, expression: Expression) -> str | None:
    if expression.constant is None:
        return None
    value: Json = expression.constant
    if field.is_list:
        return None if isinstance(value, list | str) else _said(field, kind(value))
    if isinstance(value, list | dict):
        return _said(field, kind(value))
    return _coerced(field, value)


def _coerced(field: Field, value: Json) -> str | None:
    if field.of not in TYPES:
        return None
    try:
        TYPES[field.of].coerce(value)
    except ValueError as error:
        return str(error)
    return None


def _tree(field: Field, tree: Tree) -> str | None:
    if isinstance(tree, syntax.Literal):
        return _coerced(field, tree.value) if not field.is_list else None
    if isinstance(tree, syntax.Path):
        many = any(isinstance(part, syntax.Every) for part in tree.parts)
        if many and not field.is_list:
            return _said(field, "a list") + "; `| first` takes one of them"
        return None
    if not isinstance(tree, syntax.Pipe):
        return None
    gives = given(tree.calls[-1].name)
    if gives in (None, "object") or (gives == "text" and not field.is_list):
        return None
    if gives == "list":
        return None if field.is_list else _said(field, "a list") + "; `| first` takes one of them"
    if field.is_list:
        return None if gives == "text" and not field.has_items else _said(field, _A[gives])
    return None if field.of in _FITS[gives] else _said(field, _A[gives])


_A = {"boolean": "a boolean", "number": "a number", "text": "text"}


def _said(field: Field, got: str) -> str:
    return f"expected {field.type_name}, got {got}"
