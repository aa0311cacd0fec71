"""The contract for a terminal: one group for each event, as wide as there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from adapter.mapping.schema import Field, Schema
from adapter.reference.groups import ABOUT, groups, type_of

_GAP = 2
_LEAST_TEXT = 30  # narrower than this it wraps badly: then the terminal may wrap as it likes


def contract_table(schema: Schema, width: int = 100, only: Iterable[str] = ()) -> str:
    """All groups, or `only` those named (an event, `item`, `person`, ...), in lines of `width`."""
    all_ = groups(schema)
    wanted = set(only)
    chosen = [name for name in all_ if name in wanted or not wanted]
    fields = [field for name in chosen for field in all_[name]]
    columns = (
        max((len(field.name) for field in fields), default=0) + _GAP,
        max((len(type_of(field)) for field in fields), default=0) + _GAP,
    )
    lines = [f"Contract version {schema.version}; ? = may be absent", ""]
    for name in chosen:
        lines.append(name)
        about = schema.about.get(name) or ABOUT.get(name)
        if about:
            lines += textwrap.wrap(about, width, initial_indent="  ", subsequent_indent="  ")
        for field in all_[name]:
            lines += _lines(field, columns, width)
        lines.append("")
    return "\n".join(lines).rstrip()


def _lines(field: Field, columns: tuple[int, int], width: int) -> list[str]:
    first = f"  {field.name:<{columns[0]}}{type_of(field):<{columns[1]}}"
    room = width - len(first)
    if room < _LEAST_TEXT:
        return [f"{first}{field.about}".rstrip()]
    texts = textwrap.wrap(field.about, room) or [""]
    return [
        f"{lead}{text}".rstrip()
        for lead, text in zip([first, *[" " * len(first)] * len(texts)], texts, strict=False)
    ]
