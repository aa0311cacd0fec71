"""The few forms of Markdown that the pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown themselves."""
    lines = [_row(head), "|" + "-|" * len(head), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def fence(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def code(text: str) -> str:
    """Text as it is written; a backtick in it needs a longer fence."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}"


def link(title: str) -> str:
    """A link to the heading of that title on the same page, as GitHub makes its anchors."""
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{title}](#{anchor})"
