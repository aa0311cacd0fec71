"""Exports of events, CSV or JSON: a row for each event, whatever its columns are called. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

COLUMNS = {
    "name": ("event", "name", "event_name", "event_type", "metric"),
    "time": (
        *("timestamp", "time", "created_at", "occurred_at", "event_time", "datetime", "date"),
        *("sent_at", "received_at", "processed_at"),
    ),
    "id": ("event_id", "id", "message_id", "ulid"),
}
"""What a column may be called, the likeliest first; case, blanks and dashes make no difference."""

_KEY = re.compile(
    r"(.*_)?(order|cart|checkout|refund|fulfillment|subscription|customer)_(id|token)"
)
_INSIDE = ("properties", "data", "attributes", "event_properties")
"""Where exports put the properties of an event."""

LEAST_COLUMNS = 2
"""The name of an event and its time."""

_LATEST_SECOND = 10_000_000_000  # the year 2286: larger numbers are milliseconds


class FileProblem(Exception):  # noqa: N818
    """A file is no export of events; the message says why."""


class Bad(NamedTuple):
    """A row that could not be read: where it stands, and why."""

    where: str
    problem: str


@dataclass(frozen=True, slots=True)
class Row:
    """One event of an export. `ids` are what may be its id, `keys` what it names: of an order,
    a cart, ... or under "key" what is said to be its key."""

    where: str
    name: str
    at: float
    ids: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


def read(name: str, raw: bytes, named: Mapping[str, str]) -> tuple[list[Row], list[Bad]]:
    """All rows of a file. `named` says which column holds name, time, id or key, where it is
    called something else. Raises FileProblem."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"{name} is not UTF-8: byte {error.start + 1}") from None
    wanted = {part: _plain(column) for part, column in named.items()}
    rows: list[Row] = []
    bad: list[Bad] = []
    seen: set[str] = set()
    for where, record in _records(name, text, bad):
        flat = _flat(record)
        seen |= flat.keys()
        found = _row(where, flat, wanted)
        (rows if isinstance(found, Row) else bad).append(found)  # type: ignore[arg-type]
    missing = [column for column in wanted.values() if column not in seen]
    if missing and seen:
        raise FileProblem(f"{name} has no column {', '.join(missing)}; it has {_list(seen)}")
    for part in ("name", "time"):
        known = (wanted[part],) if part in wanted else COLUMNS[part]
        if seen and not seen.intersection(known):
            raise FileProblem(
                f"{name}: no column looks like the {part} of an event; it has {_list(seen)}. "
                f"Say which: --map {part}=COLUMN"
            )
    return rows, bad


def unix(value: Any) -> float:
    """Unix seconds of seconds, milliseconds or an ISO time, UTC unless it says so.

    Raises ValueError.
    """
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        found = datetime.fromisoformat(re.sub(r" UTC$", "Z", text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= number < _LATEST_SECOND * 1000:
        raise ValueError(f"{text} is no time")
    return number / 1000 if number >= _LATEST_SECOND else number


def _records(name: str, text: str, bad: list[Bad]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    start = text.lstrip()[:1]
    if start == "[":
        yield from _array(name, text, bad)
    elif start == "{":
        yield from _objects(name, text, bad)
    else:
        yield from _rows(name, text, bad)


def _rows(name: str, text: str, bad: list[Bad]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = rows.fieldnames or ()
        if len(columns) < LEAST_COLUMNS:
            raise FileProblem(f"{name} is neither CSV with columns nor JSON")
        for number, row in enumerate(rows, start=2):
            if None in row:
                bad.append(Bad(f"row {number}", "it has more columns than the head"))
                continue
            yield f"row {number}", row
    except csv.Error as error:
        raise FileProblem(f"{name}, line {rows.line_num + 1}: no CSV: {error}") from None


def _array(name: str, text: str, bad: list[Bad]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{name} is no JSON: {error}") from None
    yield from _items(found, bad)


def _objects(name: str, text: str, bad: list[Bad]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One a line, or one object that holds a list of them."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        good = 0
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                bad.append(Bad(f"line {number}", "it is no JSON"))
                continue
            if isinstance(record, dict):
                good += 1
                yield f"line {number}", record
            else:
                bad.append(Bad(f"line {number}", "it is no object"))
        if not good:
            raise FileProblem(f"{name} is neither JSON nor a JSON object a line") from None
        return
    lists = [each for each in whole.values() if isinstance(each, list)]
    yield from _items(lists[0] if len(lists) == 1 and "name" not in whole else [whole], bad)


def _items(found: list[Any], bad: list[Bad]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, record in enumerate(found, start=1):
        if isinstance(record, dict):
            yield f"item {number}", record
        else:
            bad.append(Bad(f"item {number}", "it is no object"))


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by their plain names; those of the event itself win over its properties."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        plain = _plain(name)
        if plain in _INSIDE:
            found |= {each: one for each, one in _inner(value).items() if each not in found}
        elif value not in (None, ""):
            found[plain] = value
        else:
            found.setdefault(plain, None)
    return found


def _inner(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    if not isinstance(value, dict):
        return {}
    return {_plain(name): one for name, one in value.items() if not isinstance(one, dict | list)}


def _row(where: str, flat: Mapping[str, Any], wanted: Mapping[str, str]) -> Row | Bad:
    def first(part: str) -> Any:
        names = (wanted[part],) if part in wanted else COLUMNS[part]
        return next((flat[each] for each in names if flat.get(each) not in (None, "")), None)

    name, time = first("name"), first("time")
    if not isinstance(name, str):
        return Bad(where, "it names no event")
    if time is None:
        return Bad(where, "it tells no time")
    try:
        at = unix(time)
    except (ValueError, OverflowError):
        return Bad(where, f"its time cannot be read: {str(time)[:40]!r}")
    ids = (wanted["id"],) if "id" in wanted else COLUMNS["id"]
    keys = {"key": wanted["key"]} if "key" in wanted else _keys(flat)
    named = {kind: text for kind, column in keys.items() for text in _texts(flat, (column,))}
    return Row(where, name.strip(), at, _texts(flat, ids), named)


def _keys(flat: Mapping[str, Any]) -> dict[str, str]:
    """The columns that name an order, a cart, ...: of each kind the one that is called most
    plainly."""
    found: dict[str, str] = {}
    for column in sorted(flat, key=len, reverse=True):
        if match := _KEY.fullmatch(column):
            found[match[2]] = column
    return found


def _texts(flat: Mapping[str, Any], names: Any) -> tuple[str, ...]:
    """Ids are text, though a spreadsheet may have made numbers of them: 1001.0, 1,001."""
    found = []
    for name in names:
        value = flat.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            text = str(value).strip().rpartition("/")[2]
            found.append(re.sub(r"^([0-9]+)\.0$", r"\1", text))
    return tuple(found)


def _plain(name: Any) -> str:
    """`Event Name` -> event_name."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", str(name).strip())
    return re.sub(r"[^0-9a-z]+", "_", text.casefold()).strip("_")


def _list(columns: set[str]) -> str:
    return ", ".join(sorted(columns)[:20]) or "none"
