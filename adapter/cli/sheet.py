"""Lines of a story on a console: headings, rows of name, value and path, and notes below them.

Rich breaks lines at the width of the terminal, 80 where there is none; without a terminal nothing
is coloured.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapter.mapping import parser
from adapter.mapping.coercions import utc
from adapter.mapping.origins import Hinge, Origin
from adapter.mapping.parser import ExpressionError
from adapter.mapping.syntax import Either, Pipe, Tree
from adapter.model import Json

_NAME, _VALUE = 24, 24  # columns for a name and for a value; what is longer takes its own line
_LONGEST = 300
_MANY = 2  # arguments of a filter; of more only some are shown
_DULL = ("a number, as text", "a literal of the mapping")
_SURE = ("time", "money", "integer", "number")


def teller(*, stderr: bool = False) -> Console:
    """A console that neither guesses what is a number nor reads markup in a shop's data."""
    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


class Sheet:
    """Writes lines; `home` is the file whose places need no name. `verbose` tells paths in full,
    and those at which nothing was found."""

    def __init__(self, console: Console, home: str, *, verbose: bool = False) -> None:
        self.console = console
        self.home = home
        self.verbose = verbose
        self.problems: set[str] = set()
        """The keys of values whose problem was told."""

    def heading(self, text: str, more: str = "", style: str = "") -> None:
        if not text.startswith(" "):
            self.console.print()
        self.console.print(Text.assemble((text, "bold"), "  " if more else "", (more, style)))

    def origins(self, origins: Iterable[Origin]) -> None:
        """Values that are there, or that have a problem; a line names those that are not there."""
        found = list(origins)
        for origin in found:
            if not origin.is_gone:
                self.origin(origin)
        self.absent("not in this body", [each for each in found if each.is_gone])

    def origin(self, origin: Origin, prefix: str = "", at_home: str = "") -> None:
        value = shown(origin.value) if origin.value is not None else "left out"
        if origin.of == "time" and origin.value is not None:
            value = utc(origin.value)
        place = "" if origin.place.partition(":")[0] == at_home.partition(":")[0] else origin.place
        how = "" if not self.verbose and _is_dull(origin) else origin.how
        how = origin.problem if origin.value is None else how
        self.row(prefix + origin.name, value, self.path(origin.path), place, how)
        if origin.problem:
            self.problems.add(origin.key)
        self.passed(origin)

    def passed(self, origin: Origin) -> None:
        """Alternatives that gave nothing: why they are no good is always told."""
        if origin.passed and origin.path and (self.verbose or origin.problem):
            good = "good " if origin.problem else ""
            self.note(f"nothing {good}at {', '.join(origin.passed)}")
        elif origin.problem:
            self.note(", ".join(origin.passed))

    def path(self, text: str) -> str:
        return text if self.verbose else brief(text)

    def row(self, name: str, value: str, path: str = "", place: str = "", how: str = "") -> None:
        """`place` is told where it is another file than that of the title."""
        room = max(self.console.width - _NAME, 20)
        style = "bold" if value == "left out" else ""
        lines = [f"{value:<{_VALUE}}  "] if len(value) <= _VALUE else wrapped(value, room)
        if path and len(lines) == 1 and len(value) <= _VALUE and _VALUE + 2 + len(path) <= room:
            said = Text.assemble((lines[0], style), (path, "cyan"))
            path = ""
        else:
            said = Text(lines[0].rstrip(), style)
        if len(name) > _NAME - 4:
            self.console.print(Text(f"  {name}"))
            name = ""
        self.console.print(Text(f"  {name}".ljust(_NAME)) + said, soft_wrap=True)
        for line in lines[1:]:
            self.console.print(Text(" " * _NAME + line, style), soft_wrap=True)
        self.note(path, style="cyan")
        self.note(how)
        if place and place.rpartition(":")[0] != self.home:
            self.note(self.near(place))

    def hinge(self, name: str, hinge: Hinge) -> None:
        self.row(name, hinge.text)
        if hinge.holds or hinge.found:
            self.note(", ".join(f"{path} is {value}" for path, value in hinge.found))

    def absent(self, title: str, origins: Sequence[Origin]) -> None:
        """What is not there: names, and where each was looked for if that is wanted."""
        if origins and self.verbose:
            self.searched(title, origins)
        elif origins:
            self.listing(title, (each.name for each in origins))

    def searched(self, title: str, origins: Sequence[Origin]) -> None:
        """What is not there, and where it was looked for."""
        self.note(f"{title}:", indent=2)
        for each in origins:
            self.note(f"{each.name}: {', '.join(each.passed)}", indent=4)

    def listing(self, title: str, names: Iterable[str]) -> None:
        self.note(f"{title}: {', '.join(names)}", indent=2)

    def note(self, text: str, indent: int = _NAME, style: str = "dim") -> None:
        for line in wrapped(text, max(self.console.width - indent, 20)):
            self.console.print(Text(" " * indent + line, style), soft_wrap=True)

    def near(self, place: str) -> str:
        """A place as it is named from here, or from the folder of the title's file."""
        beside = f"{Path(self.home).parent}{os.sep}"
        return place.removeprefix(beside) if self.home and beside in place else near(place)


def _is_dull(origin: Origin) -> bool:
    """Whether what a type made of a value is what anybody would expect."""
    how, of = origin.how, origin.of.removesuffix("?")
    sure = of in _SURE and "rounded" not in how and "not known" not in how
    return sure or how in _DULL


def near(place: str) -> str:
    """A file as it is named from here."""
    return place.removeprefix(f"{Path.cwd()}{os.sep}")


def brief(text: str) -> str:
    """An expression without the many arguments of a lookup; a text with braces as it is."""
    try:
        return _brief(parser.parse(text))
    except ExpressionError:
        return text


def _brief(tree: Tree) -> str:
    if isinstance(tree, Either):
        return " ?? ".join(map(_brief, tree.choices))
    if not isinstance(tree, Pipe):
        return str(tree)
    nested = isinstance(tree.operand, Pipe | Either)
    operand = f"({_brief(tree.operand)})" if nested else str(tree.operand)
    calls = (
        f"{each.name}({each.arguments[0]}, ...)" if len(each.arguments) > _MANY else str(each)
        for each in tree.calls
    )
    return " | ".join((operand, *calls))


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns; broken at blanks, and within what is longer than a line."""
    return textwrap.wrap(text, width, break_on_hyphens=False) if text else []


def shown(value: Json) -> str:
    """A value on one line, cut where it is very long."""
    if isinstance(value, str):
        text = value or "an empty text"
    elif isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        text = ", ".join(map(shown, value)) or "an empty list"
    elif isinstance(value, list) and all(isinstance(e, dict) and "method" in e for e in value):
        text = ", ".join(f"{each['method']} {each['path']}" for each in value) or "none"
    elif isinstance(value, dict) and {"name", "properties"} <= value.keys():
        text = f"{value['name']} with {', '.join(value['properties'])}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
