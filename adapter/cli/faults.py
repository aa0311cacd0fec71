"""Faults as a terminal shows them: the plain line, and below it the source with a caret."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import click

from adapter.errors import Fault

_WORD = re.compile(r"[\w.$/-]+")
_WIDEST = 100  # columns of a source line; of a longer one only what is around the caret is shown


def on_terminal(*, err: bool = True) -> bool:
    """Whether a person looks at stderr, or at stdout: a terminal, or FORCE_COLOR in its stead."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() or bool(os.environ.get("FORCE_COLOR"))


def show(
    faults: Iterable[Fault], prefix: str = "", style: str = "red", *, err: bool = True
) -> None:
    """Print each to stderr, or to stdout: one plain line, on a terminal with the source line and a
    caret. What a message says from its second line on stands below them."""
    if not on_terminal(err=err):
        for fault in faults:
            click.echo(f"{prefix}{fault}", err=err)
        return
    _lines.cache_clear()  # files change between two runs of `check --watch`
    for fault in faults:
        place = f"{fault.file}:{fault.line}:{fault.column}:"
        message, *more = fault.message.splitlines()
        said = click.style(f"{prefix}{message}", fg=None if colourless() else style)
        _echo(f"{click.style(place, bold=True)} {said}", err=err)
        for line in caret(fault):
            _echo(click.style(line, dim=True), err=err)
        for line in more:
            _echo(line, err=err)


def caret(fault: Fault) -> list[str]:
    """The source line and what points into it; nothing where the file has no such line."""
    lines = _lines(fault.file)
    if not 1 <= fault.line <= len(lines):
        return []
    text, column = lines[fault.line - 1], fault.column - 1
    if column > len(text):
        return []
    word = _WORD.match(text, column)
    length = len(word[0]) if word else 1
    # A caret below a tab stands right only behind a tab.
    before = "".join("\t" if each == "\t" else " " for each in text[:column])
    start = max(0, min(column - _WIDEST // 2, len(text) - _WIDEST))
    number = str(fault.line)
    shown = text[start : start + _WIDEST]
    pointer = f"{before[start:]}{'^' * min(length, max(1, _WIDEST - (column - start)))}"
    return [f"  {number} | {shown}", f"  {' ' * len(number)} | {pointer}"]


def colourless() -> bool:
    """https://no-color.org: any value but a blank one."""
    return bool(os.environ.get("NO_COLOR"))


def _echo(text: str, *, err: bool) -> None:
    click.echo(text, err=err, color=not colourless())


@lru_cache(maxsize=256)
def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
