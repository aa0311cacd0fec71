"""`adapter explain --diff` for people: what an edit of the mappings changes for one body."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from adapter.cli.sheet import shown, wrapped
from adapter.explain import Change

_NUMBER = re.compile(r"\[[0-9]+\]")


def tell(console: Console, found: Sequence[Change]) -> None:
    """What an edit changes, part by part; what requests only repeat is not told twice."""
    if not found:
        console.print("no difference")
        return
    canonical = [each for each in found if not each.path.startswith("requests")]
    known = {_leaf(each) for each in canonical}
    told = [each for each in found if each in canonical or _leaf(each) not in known]
    alike: dict[str, list[Change]] = {}
    for each in told:
        alike.setdefault(_NUMBER.sub("[]", each.path), []).append(each)
    last = ""
    for each, *others in alike.values():
        part = each.path.partition(".")[0].partition("[")[0]
        if part != last:
            console.print(Text(part, "bold"))
            last = part
        more = f"  and {len(others)} more alike" if others else ""
        console.print(
            Text.assemble(f"  {each.path.removeprefix(part).lstrip('.') or part}", (more, "dim")),
            soft_wrap=True,
        )
        for sign, value, style in (("-", each.before, "red"), ("+", each.after, "green")):
            if value is not None:
                for line in wrapped(f"{sign} {shown(value)}", max(console.width - 4, 20)):
                    console.print(Text(f"    {line}", style), soft_wrap=True)
    console.print(f"\n{len(told)} difference{'' if len(told) == 1 else 's'}")


def _leaf(change: Change) -> tuple[str, str, str]:
    """What a change is about, be it told of the event or of the request that carries it."""
    path, before, after = change.path, repr(change.before), repr(change.after)
    if path.endswith("]") and (change.before is None or change.after is None):
        # A whole event: its request holds the same in other words.
        return path.rpartition("[")[2], str(change.before is None), str(change.after is None)
    return path.rpartition(".")[2], before, after
