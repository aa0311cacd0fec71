"""What must be in a body for an expression to find anything, and how far a body leads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from adapter.mapping import syntax
from adapter.mapping.expressions import compile_tree
from adapter.mapping.filters import FILTERS
from adapter.mapping.outline import Written
from adapter.mapping.values import as_text
from adapter.model import Delivery, Json

NO_DELIVERY = Delivery("", "", "coverage", "", 0)
"""A fixture has no facts of a delivery; no path asks for them."""


@dataclass(frozen=True, slots=True)
class Miss:
    """How far into a body a path leads: the name that is not there, and those that are."""

    depth: int
    name: str
    others: frozenset[str]


HERE = Miss(-1, "", frozenset())


@dataclass(frozen=True, slots=True)
class Question:
    """Something that must be in a body: a path, or a key of the elements of a list.

    `first` is the key of the body that it begins with; `find` gives None where all of it is there.
    Where one that it `needs` is missed, it would only say the same again.
    """

    text: str
    first: str
    find: Callable[[Json], Miss | None]
    needs: tuple[str, ...] = ()


def questions(written: Written) -> Iterator[Question]:
    """All that an expression asks for."""
    for path in written.paths:
        yield Question(str(path), path.names[0], _finder(path))
    for tree in written.trees:
        for inner in syntax.walk(tree):
            if isinstance(inner, syntax.Pipe):
                yield from _keys(inner)


def _keys(pipe: syntax.Pipe) -> Iterator[Question]:
    """The keys that filters ask of the elements that reach them."""
    paths = syntax.paths(pipe.operand)
    first = paths[0].names[0] if paths else ""
    needs = tuple(map(str, paths))
    for number, call in enumerate(pipe.calls):
        before = syntax.Pipe(pipe.operand, pipe.calls[:number]) if number else pipe.operand
        for key in _key_arguments(call):
            yield Question(key, first, _key_finder(before, key), needs)
            needs += (key,)


def _key_arguments(call: syntax.Call) -> list[str]:
    return [
        str(argument.value)
        for position, argument in enumerate(call.arguments)
        if position in _key_positions(call.name)
    ]


@cache
def _key_positions(name: str) -> frozenset[int]:
    """Which arguments of a filter name a key of elements: those that its signature calls so."""
    parameters = inspect.signature(FILTERS[name].make).parameters
    return frozenset(
        position for position, each in enumerate(parameters) if each == "key" or "_key" in each
    )


def _finder(path: syntax.Path) -> Callable[[Json], Miss | None]:
    def find(root: Json) -> Miss | None:
        values = [root]
        for depth, part in enumerate(path.parts):
            found = [inner for value in values for inner in _step(value, part)]
            if found:
                values = found
            elif isinstance(part, syntax.Every) and depth == len(path.parts) - 1:
                return None if any(isinstance(each, list) for each in values) else HERE
            else:
                name = part.name if isinstance(part, syntax.Key) else ""
                return Miss(depth, name, _names(values))
        return None

    return find


def _step(value: Json, part: syntax.Part) -> list[Json]:
    """All that a part of a path may lead to: more than one for elements of lists."""
    if isinstance(part, syntax.Key):
        return [value[part.name]] if isinstance(value, dict) and part.name in value else []
    if not isinstance(value, list):
        return []
    if isinstance(part, syntax.Index):
        return value[part.number :][:1]
    if isinstance(part, syntax.Match):
        return [each for each in value if _matches(each, part)]
    return value


def _matches(element: Json, part: syntax.Match) -> bool:
    return isinstance(element, dict) and as_text(element.get(part.name)) == part.value


def _names(values: Iterable[Json]) -> frozenset[str]:
    return frozenset(name for value in values if isinstance(value, dict) for name in value)


def _key_finder(before: syntax.Tree, key: str) -> Callable[[Json], Miss | None]:
    evaluate = compile_tree(before).evaluate

    def find(root: Json) -> Miss | None:
        try:
            value = evaluate(root, NO_DELIVERY)
        except ValueError:
            return HERE
        names = _names(value if isinstance(value, list) else ())
        return None if key in names else Miss(0, key, names)

    return find
