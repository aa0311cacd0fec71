"""JSON as the adapter writes it for itself and for others: as short as it can be, in bytes.

What comes from outside is read elsewhere (`mapping.body`): money must not pass through float there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import msgspec

from adapter.model import Json

T = TypeVar("T")

load = msgspec.json.Decoder().decode
"""What `dump` wrote."""


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads what `dump` wrote of a dataclass straight into one, whose defaults may be left out."""
    return msgspec.json.Decoder(kind).decode


dump = msgspec.json.Encoder().encode
"""Raises ValueError for a text that is no Unicode; writes null for what is no number."""

_exact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def strict(value: Json) -> bytes:
    """The same for what goes out; raises ValueError for a number that JSON has no spelling for."""
    text = dump(value)
    # There is hardly ever a null, so it costs nothing to find out where one came from.
    return _exact(value).encode() if b"null" in text else text


def size(value: Json) -> int:
    """Bytes of a value as compact JSON."""
    return len(dump(value))
