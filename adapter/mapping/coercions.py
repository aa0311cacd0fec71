"""What a type made of a value, in words: "text '202.29' -> 202.29, USD has 2 decimals"."""

from __future__ import annotations

from datetime import UTC, datetime

from adapter.mapping.schema import Field
from adapter.mapping.types import exponent_of
from adapter.mapping.values import as_text, exact, kind
from adapter.model import Json

_LONGEST = 60


def told(of: Field, raw: Json, value: Json, currency: Json = None) -> str:
    """What became of `raw` on its way to `value`; blank where nothing did.

    `currency` is that of an amount.
    """
    if of.is_list:
        return _list(of, raw, value)
    if of.of == "money":
        return _money(raw, value, currency)
    tell = _TELLERS.get(of.of)
    if tell is not None:
        return tell(raw, value)
    return "" if _same(raw, value) else f"{_was(raw)} -> {as_text(value) or kind(value)}"


def utc(seconds: int) -> str:
    """Unix seconds as people read a time; the number itself where no calendar holds it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _list(of: Field, raw: Json, value: Json) -> str:
    if isinstance(raw, str):
        return "a text cut at its commas"
    if not isinstance(raw, list) or not isinstance(value, list):
        return ""
    lost = len(raw) - len(value)
    said = [f"{lost} of {len(raw)} blank or left out"] if lost else []
    if of.of == "id" and any(isinstance(each, str) and each.startswith("gid://") for each in raw):
        said.append("gids cut to their last part")
    return ", ".join(said)


def _money(raw: Json, value: Json, currency: Json) -> str:
    amount, exponent = exact(raw), exponent_of(currency)
    if exponent is None:
        decimals = "currency not known, up to 4 decimals"
    else:
        decimals = f"{currency} has {exponent or 'no'} decimals"
    rounded = amount is not None and exact(value) != amount
    if not rounded and not isinstance(raw, str):
        return ""
    return f"{_was(raw)} -> {'rounded to ' if rounded else ''}{as_text(value)}, {decimals}"


def _time(raw: Json, value: Json) -> str:
    return f"{_was(raw)} -> Unix seconds {value}" if isinstance(raw, str) else ""


def _id(raw: Json, value: Json) -> str:
    if isinstance(raw, str):
        if raw.strip().startswith("gid://"):
            return f"gid '{raw.strip()}' cut to its last part"
        return "" if raw == value else "trimmed"
    return "a number, as text"


def _text(raw: Json, value: Json) -> str:
    if isinstance(raw, str):
        return "" if raw == value else "trimmed"
    return f"{kind(raw)}, as text"


def _email(raw: Json, value: Json) -> str:
    return "" if raw == value else "trimmed, in lower case"


def _phone(raw: Json, value: Json) -> str:
    return "" if raw == value else f"{_was(raw)} -> E.164"


_TELLERS = {
    "time": _time,
    "id": _id,
    "text": _text,
    "url": _text,
    "email": _email,
    "phone": _phone,
}


def _same(raw: Json, value: Json) -> bool:
    return type(raw) is type(value) and bool(raw == value)


def _was(raw: Json) -> str:
    text = as_text(raw)
    if text is None:
        return kind(raw)
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"text '{short}'" if isinstance(raw, str) else short
