"""JSON as the adapter writes it for itself and for others: as short as it can be, in bytes.

What comes from outside is read elsewhere (`mapping.body`): money must not pass through float there.
"""

from __future__ import annotations

import json

import orjson

from adapter.model import Json

load = orjson.loads
"""What `dump` wrote. Raises ValueError."""

# For what orjson has no spelling for: whole numbers beyond 64 bits, a text that is no Unicode.
_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_strict = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dump(value: Json) -> bytes:
    """Raises ValueError for a text that is no Unicode."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _any(value).encode()


def strict(value: Json) -> bytes:
    """The same for what goes out; raises ValueError for a number that JSON has no spelling for."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return _strict(value).encode()
    # orjson writes NaN and infinity as null, of which there is hardly ever one.
    return _strict(value).encode() if b"null" in text else text


def size(value: Json) -> int:
    """Bytes of a value as compact JSON."""
    return len(dump(value))
