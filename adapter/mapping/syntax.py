"""The syntax tree of an expression.

`str()` of a tree is its text in canonical form; parsing that gives the same tree again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

WORD = re.compile(r"[A-Za-z0-9_-]+")
"""What may stand unquoted as the value of a selector."""


@dataclass(frozen=True, slots=True)
class Key:
    """`.name`: the value under a key."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True, slots=True)
class Index:
    """`[0]`: one element of a list, from its end when negative."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True, slots=True)
class Every:
    """`[]`: what follows is asked of every element."""

    def __str__(self) -> str:
        return "[]"


@dataclass(frozen=True, slots=True)
class Match:
    """`[name=value]`: the first element whose key `name` has that text."""

    name: str
    value: str

    def __str__(self) -> str:
        bare = WORD.fullmatch(self.value)
        return f"[{self.name}={self.value if bare else quote(self.value)}]"


Part = Key | Index | Every | Match


@dataclass(frozen=True, slots=True)
class Path:
    """Where in the body, or in the element that a fragment is about."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))[1:]

    @property
    def names(self) -> tuple[str, ...]:
        """The keys on the way, without indexes and selectors."""
        return tuple(part.name for part in self.parts if isinstance(part, Key))


@dataclass(frozen=True, slots=True)
class Fact:
    """`$name`: a fact of the delivery itself."""

    name: str
    offset: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"${self.name}"


Scalar = str | bool | int | Decimal


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands for itself."""

    value: Scalar

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return quote(self.value)
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return format(self.value, "f") if isinstance(self.value, Decimal) else str(self.value)


@dataclass(frozen=True, slots=True)
class Call:
    """A filter with its arguments."""

    name: str
    arguments: tuple[Literal, ...] = ()
    offset: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return (
            f"{self.name}({', '.join(map(str, self.arguments))})" if self.arguments else self.name
        )


@dataclass(frozen=True, slots=True)
class Pipe:
    """`operand | filter | ...`."""

    operand: Tree
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        operand = f"({self.operand})" if isinstance(self.operand, Pipe | Either) else self.operand
        return " | ".join(map(str, (operand, *self.calls)))


@dataclass(frozen=True, slots=True)
class Either:
    """`x ?? y ?? ...`: the first that is not blank."""

    choices: tuple[Tree, ...]

    def __str__(self) -> str:
        return " ?? ".join(f"({c})" if isinstance(c, Either) else str(c) for c in self.choices)


Tree = Path | Fact | Literal | Pipe | Either


def quote(text: str) -> str:
    """Text as an expression writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree itself and every tree in it."""
    yield tree
    if isinstance(tree, Pipe):
        yield from walk(tree.operand)
    elif isinstance(tree, Either):
        for choice in tree.choices:
            yield from walk(choice)


def paths(tree: Tree) -> tuple[Path, ...]:
    """Every path that the tree reads."""
    return tuple(each for each in walk(tree) if isinstance(each, Path))
