"""Files of many bodies, as platforms export them -> one body after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from adapter.errors import MalformedError
from adapter.mapping.body import parse_json
from adapter.model import Json

_BOM = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """A body and where it stands in its file, or what is wrong with what stands there."""

    where: str
    body: Json = None
    problem: str = ""


def bodies(name: str, raw: bytes, key: str) -> list[Found]:
    """All bodies of a file: a list, one under `key` or `key` with an s, one a line, or just one.

    What cannot be read is among them with the problem. `key` is what one is called: `product`.
    """
    raw = raw.removeprefix(_BOM)
    if not raw.strip():
        return []
    first, second = _first_two(raw)
    if second and _is_object(first):
        return list(_lines(name, raw, key))
    try:
        whole = parse_json(raw, "the file")
    except MalformedError as error:
        # One body a line, the first of which is broken: the others are as good as ever.
        if second and _is_object(second):
            return list(_lines(name, raw, key))
        return [Found(name, problem=str(error))]
    return list(_unwrapped(name, whole, key))


def _first_two(raw: bytes) -> tuple[bytes, bytes]:
    """The first two lines that are not blank; only as much as that is looked at."""
    found = list(islice(_numbered(raw), 2))
    return found[0][1], found[1][1] if len(found) > 1 else b""


def _numbered(raw: bytes) -> Iterator[tuple[int, bytes]]:
    number = start = 0
    while start < len(raw):
        end = raw.find(b"\n", start)
        end = len(raw) if end < 0 else end
        number += 1
        line = raw[start:end].strip()
        if line:
            yield number, line
        start = end + 1


def _is_object(line: bytes) -> bool:
    # A look at its ends spares the parsing of a file that is one long line, or many short ones.
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        return isinstance(parse_json(line, "the line"), dict)
    except MalformedError:
        return False


def _lines(name: str, raw: bytes, key: str) -> Iterator[Found]:
    for number, line in _numbered(raw):
        where = f"{name}, line {number}"
        try:
            body = parse_json(line, "the line")
        except MalformedError as error:
            yield Found(where, problem=str(error).replace(" at line 1, column", " at column"))
        else:
            yield from _unwrapped(where, body, key)


def _unwrapped(where: str, whole: Json, key: str) -> Iterator[Found]:
    if isinstance(whole, dict):
        for name, kind in ((f"{key}s", list), (key, dict)):
            # A body of its own may hold such a key too, so this must be all there is.
            if isinstance(whole.get(name), kind) and "id" not in whole:
                whole = whole[name]
                break
    if isinstance(whole, list):
        for number, each in enumerate(whole, start=1):
            yield Found(f"{where}, {key} {number}", each)
    else:
        yield Found(where, whole)
