"""`python -m bench.page FIGURES.json ...`: what `python -m bench --json` has measured, as Markdown.

It is the second half of docs/performance.md; what stands before it is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def page(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the tables, subject by subject, each with when and where it was measured."""
    for document in documents:
        when = str(document["header"]).split("\n", 1)[0]
        for result in document["results"]:
            yield from ("", f"## {_heading(result['subject'])}", "", f"Measured {when}.")
            for table in result["tables"]:
                yield from ("", f"**{table['title']}**", "", _row(table["head"]))
                yield "|-|" + "-:|" * (len(table["head"]) - 1)
                yield from map(_row, table["rows"])
                if table["notes"]:
                    yield from ("", *(f"- {note}" for note in table["notes"]))


def _heading(subject: str) -> str:
    return subject[:1].upper() + subject[1:]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def main() -> int:
    documents = [json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:]]
    if not documents:
        print(__doc__, file=sys.stderr)
        return 2
    print("\n".join(page(documents)).lstrip("\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
