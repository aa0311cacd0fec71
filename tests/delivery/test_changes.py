"""A list of which some bodies hold the whole and others only what changed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from adapter import changes

Body = tuple[int, str, str]
"""When, `=` (the whole) or `+` or `-`, and the elements."""


def told(*bodies: Body, state: changes.State | None = None) -> changes.State | None:
    for at, kind, text in bodies:
        if kind == "=":
            state = changes.replaced(state, text.split(), at)
        else:
            what = {"+": "add", "-": "remove"}[kind]
            state = changes.changed(state, {what: text.split()}, at)
    return state


@pytest.mark.parametrize(
    ("bodies", "elements"),
    [
        ([], ""),
        ([(1, "=", "a b")], "a b"),
        ([(1, "+", "a")], "a"),
        ([(1, "+", "a"), (2, "+", "b")], "a b"),
        ([(1, "+", "a"), (2, "-", "a")], ""),
        ([(1, "-", "a"), (2, "+", "a")], "a"),
        ([(1, "=", "a b"), (2, "+", "c"), (3, "-", "a")], "b c"),
        ([(1, "=", "a b"), (2, "=", "c")], "c"),
        ([(1, "+", "a"), (2, "=", "b")], "b"),
        ([(1, "-", "b"), (2, "=", "b")], "b"),
        ([(1, "=", "a"), (1, "+", "b")], "a b"),
        ([(1, "+", "a"), (1, "-", "a")], ""),
        ([(1, "+", "a a")], "a"),
    ],
)
def test_what_the_whole_list_is(bodies: list[Body], elements: str) -> None:
    assert changes.elements(told(*bodies)) == elements.split()


@pytest.mark.parametrize(
    "bodies",
    [
        [(1, "+", "a"), (2, "-", "a"), (3, "+", "b")],
        [(1, "-", "a"), (2, "+", "a"), (3, "-", "b")],
        [(1, "=", "a b"), (2, "+", "c"), (3, "-", "a")],
        [(1, "+", "c"), (2, "=", "a b"), (3, "-", "b")],
        [(1, "=", "a"), (2, "=", "b"), (3, "+", "c"), (4, "-", "b")],
        [(1, "-", "c"), (2, "+", "c"), (3, "=", "c d"), (4, "-", "d")],
    ],
)
def test_in_whatever_order_they_arrive(bodies: list[Body]) -> None:
    expected = sorted(changes.elements(told(*bodies)))
    for order in itertools.permutations(bodies):
        assert sorted(changes.elements(told(*order))) == expected, order


def test_the_same_body_twice_changes_nothing() -> None:
    once: Any = told((1, "=", "a"), (2, "+", "b"), (3, "-", "a"))
    again = told((3, "-", "a"), (2, "+", "b"), (1, "=", "a"), state=once)
    assert again == once
