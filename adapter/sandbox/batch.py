"""The items of a batch and how many bytes each of them took on the wire. Pure."""

from __future__ import annotations

import json
import re

from .profile import Json
from .validation import decode, exceeds, refuse_constant

_OPENING = re.compile(r'\s*\{\s*"batch"\s*:\s*\[\s*')
_COMMA = re.compile(r"\s*,\s*")
_CLOSING = re.compile(r"\s*\]\s*\}\s*")
_decoder = json.JSONDecoder(parse_constant=refuse_constant)


def read_batch(body: bytes, limit: int) -> tuple[Json, frozenset[int]]:
    """The decoded body, and the places of the items in its `batch` that take over `limit` bytes.

    Raises ValueError when the body is not JSON.
    """
    text = body.decode("utf-8")
    return _walk(text, limit) or _decode(body, limit)


def _walk(text: str, limit: int) -> tuple[Json, frozenset[int]] | None:
    """Decodes item by item, so that each one's size as it was sent comes for nothing.

    None for anything but JSON that holds `batch` alone: the slow way has the last word on that.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return None
    place = opening.end()
    items: list[Json] = []
    oversize: set[int] = set()
    while True:
        try:
            item, end = _decoder.raw_decode(text, place)
        except ValueError:
            return None
        # A character takes 1 to 4 bytes, so most items need no encoding to know.
        if (end - place) * 4 > limit and len(text[place:end].encode()) > limit:
            oversize.add(len(items))
        items.append(item)
        comma = _COMMA.match(text, end)
        if comma is None:
            break
        place = comma.end()
    return ({"batch": items}, frozenset(oversize)) if _CLOSING.fullmatch(text, end) else None


def _decode(body: bytes, limit: int) -> tuple[Json, frozenset[int]]:
    data = decode(body)
    items = data.get("batch") if isinstance(data, dict) else None
    if not isinstance(items, list) or len(body) <= limit:
        return data, frozenset()
    # A body in ASCII spells other letters as \uXXXX, and is measured that way.
    ascii_only = body.isascii()
    return data, frozenset(
        place for place, item in enumerate(items) if exceeds(item, limit, ascii_only=ascii_only)
    )
