"""JSON as short as it can be written, and how long that is.

One encoder for all: json.dumps with options of its own makes another at every call.
"""

from __future__ import annotations

import json

from adapter.model import Json

dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

strict = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
"""The same for what goes out; raises ValueError for a number that JSON has no spelling for."""


def size(value: Json) -> int:
    """Bytes of a value as compact JSON."""
    return len(dump(value).encode())
