"""Questions that both expressions and types ask of a JSON value. None of them ever raises."""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal

from adapter.model import Json

_ZERO = Decimal(0)
EXACT = Context(prec=100)
"""Room for every sum of sane amounts; `exact` lets nothing else in."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_MOST_BITS = 4096  # far beyond any id, far below the 4300 digits at which Python refuses `str`
_LARGEST = 30  # digits before the point


def is_blank(value: Json) -> bool:
    """Absent for the language: None, text without a visible character, an empty list."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, list) and not value)


def is_true(value: Json) -> bool:
    """Truth of a condition: None, False, blank text, empty lists and objects, 0 are false."""
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    return bool(value)


def as_text(value: Json) -> str | None:
    """The text that a scalar has in JSON; None for None, lists, objects and monstrous numbers."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _MOST_BITS else None
    if isinstance(value, Decimal | float):
        return str(value)
    return None


def exact(value: Json) -> Decimal | None:
    """The number that a JSON number or a text like "12.50" is; None for all else."""
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, float):
        value = Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        sane = value.is_finite() and (not value or abs(value.adjusted()) <= _LARGEST)
        return (value or _ZERO) if sane else None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value) if value.bit_length() <= _LARGEST * 3 else None
    return None


def kind(value: Json) -> str:
    """What a value is, without showing it: messages hold no personal data."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "an object"


def shown(value: Json) -> str:
    """A short harmless value as itself, anything else as its kind."""
    text = as_text(value)
    if text is None or len(text) > 24 or "@" in text or not text.isprintable():
        return kind(value)
    return f"'{text}'" if isinstance(value, str) else text
