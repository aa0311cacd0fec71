"""Columns of text: wrapped and with bold heads on a terminal, one plain line a row elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

GAP = "  "
NARROW = 36
"""With less room than that the last column stands under its row."""


def terminal_width() -> int | None:
    """Characters a line, None where the output goes to no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], wide: int | None) -> list[str]:
    """The lines of a table that is `wide` characters wide at the most; None: nothing is wrapped.

    The last column takes what room is left, and goes under its row when that is too little.
    """
    found = [tuple(row) for row in rows]
    fixed = len(heads) - 1
    widths = [max(len(row[at]) for row in (tuple(heads), *found)) for at in range(fixed)]
    indent = sum(widths) + len(GAP) * fixed
    if wide is None:
        return [_line(row, widths) for row in (heads, *found)]
    under = wide - indent < NARROW
    head = _line(heads[:-1] if under else heads, widths)
    lines = [click.style(head, bold=True)]
    for row in found:
        if under:
            lines.append(_line(row[:-1], widths))
            lines += wrapped(row[-1], wide, 4)
        else:
            first, *rest = wrapped(row[-1], wide, indent) or [""]
            lines.append(_line((*row[:-1], first.lstrip()), widths))
            lines += rest
    return lines


def wrapped(text: str, wide: int | None, indent: int = 0) -> list[str]:
    """A text as lines of at most `wide` characters, blanks before them included."""
    before = " " * indent
    if wide is None:
        return [before + text] if text else []
    return textwrap.wrap(
        text,
        wide,
        initial_indent=before,
        subsequent_indent=before,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells beside each other; what has no width stands last, as it is."""
    widths = [*widths, 0][: len(cells)]
    return GAP.join(map(str.ljust, cells, widths)).rstrip()


def plural(count: int, one: str, many: str = "") -> str:
    """`1 event`, `2 events`"""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ago(seconds: float) -> str:
    """A span of time in one unit, as one says it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
