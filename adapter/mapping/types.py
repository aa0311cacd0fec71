"""The types of the contract: each coerces a JSON value, and says what it is in JSON Schema.

A coercion returns the typed value, None for a blank one, and raises ValueError with the problem
otherwise: `expected money, got 'free'`. Types whose values may be personal never show them.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from adapter.mapping.iso import COUNTRIES, CURRENCIES
from adapter.mapping.values import EXACT, as_text, exact, kind, shown
from adapter.model import Json

Coerce = Callable[[Json], Json]

_GID = re.compile(r"gid://[^/]+/(?:[^?#]*/)?([^/?#]+)(?:[?#].*)?", re.DOTALL)
_EMAIL = re.compile(
    r"[^\s@\x00-\x20\x7f-\xa0]+@[^\s@.\x00-\x20\x7f-\xa0]+(\.[^\s@.\x00-\x20\x7f-\xa0]+)+"
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_DOUBTFUL = re.compile(r"\(0\)|/\s*\d{1,2}\s*$")
_PHONE_SEPARATORS = str.maketrans("", "", " \u00a0-()./")
_CENTS = re.compile(r"-?[0-9]{1,12}\.[0-9]{2}")
_INTEGER = re.compile(r"-?[0-9]{1,17}")
_URL = re.compile(
    r"[hH][tT][tT][pP][sS]?://(?:[^\s/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)"
    r"(?::[0-9]*)?(?:[/?#][!-~]*+[^\s\x00-\x20]*)?"  # [!-~]: most are ASCII, and that is faster
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAFE = 2**53
_LONGEST = 100  # characters of an amount or a time; the caches hold no longer texts
_MOST_DIGITS = 15  # of these a float keeps every one
_STEPS = {exponent: Decimal(1).scaleb(-exponent) for exponent in range(5)}


@dataclass(frozen=True, slots=True)
class Type:
    """One type of the contract."""

    name: str
    coerce: Coerce
    json_schema: dict[str, Any]
    about: str


def bad(expected: str, value: Json, hint: str = "") -> ValueError:
    """The problem of a value that may be shown."""
    return ValueError(f"expected {expected}, got {shown(value)}{hint}")


def unfit(expected: str, value: Json) -> ValueError:
    """The problem of a value that may be personal."""
    return ValueError(f"expected {expected}, got {kind(value)}")


def to_id(value: Json) -> str | None:
    if type(value) is int:
        text = str(value) if value.bit_length() <= 64 else as_text(value)
        if text is None:
            raise unfit("id", value)
        return text
    if not isinstance(value, str):
        raise unfit("id", value)
    text = value.strip()
    if text.startswith("gid://"):
        match = _GID.fullmatch(text)
        if match is None:
            raise unfit("id", value)
        return match[1]
    return text or None


def to_text(value: Json) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    text = None if isinstance(value, bool) else as_text(value)
    if text is None:
        raise unfit("text", value)
    return text


def to_email(value: Json) -> str | None:
    if not isinstance(value, str):
        raise unfit("email", value)
    text = value.strip().lower()
    if not text:
        return None
    if len(text) > 254 or _EMAIL.fullmatch(text) is None:
        raise unfit("email", value)
    return text


def to_phone(value: Json) -> str | None:
    if not isinstance(value, str):
        raise unfit("phone", value)
    text = value.strip()
    if _PHONE.fullmatch(text):
        return text
    text = text.translate(_PHONE_SEPARATORS)
    if not text and not value.strip():
        return None
    # "+44 (0)20 ..." does not say whether the 0 is dialled, "... 123/4" are two numbers: no number
    # is better than a wrong one.
    if _PHONE.fullmatch(text) is None or _PHONE_DOUBTFUL.search(value):
        raise unfit("phone", value)
    return text


def to_money(value: Json, exponent: int | None = None) -> int | float | None:
    """An amount as a JSON number, rounded half up to the decimals of its currency.

    Without a known currency up to 4 decimals are kept, as many as any currency has.
    """
    if isinstance(value, str):
        return _money_text(_short("money", value), exponent)
    return _money(value, exponent)


def _short(expected: str, text: str) -> str:
    """A text that may be remembered; raises ValueError for one that is no amount and no time."""
    if len(text) > _LONGEST:
        text = text.strip()
        if len(text) > _LONGEST:
            raise bad(expected, text)
    return text


@lru_cache(maxsize=4096)
def _money_text(text: str, exponent: int | None) -> int | float | None:
    text = text.strip()
    if exponent == 2 and _CENTS.fullmatch(text):
        return float(text) + 0.0  # nothing to round: what the exact way would come to as well
    return _money(text, exponent) if text else None


def _money(value: Json, exponent: int | None) -> int | float:
    amount = exact(value)
    if amount is None:
        raise bad("money", value)
    step = _STEPS[4 if exponent is None else exponent]
    rounded = amount.quantize(step, ROUND_HALF_UP, EXACT)
    if rounded and rounded.adjusted() >= _MOST_DIGITS - (exponent or 0):
        raise bad("money", value)
    if exponent == 0:
        return int(rounded)
    return float(rounded) + 0.0  # + 0.0: no negative zero


def to_number(value: Json) -> int | float | None:
    if isinstance(value, str) and not value.strip():
        return None
    number = exact(value)
    if number is None or abs(number) > _SAFE:
        raise bad("number", value)
    return value if type(value) is int else float(number) + 0.0


def to_integer(value: Json) -> int | None:
    if type(value) is int:
        if -_SAFE <= value <= _SAFE:
            return value
        raise bad("integer", value)
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        number = Decimal(text) if _INTEGER.fullmatch(text) else None
    else:
        number = exact(value)
    if number is None or abs(number) > _SAFE or number != number.to_integral_value():
        raise bad("integer", value)
    return int(number)


def to_boolean(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip()
        if text in ("true", "false"):
            return text == "true"
        if not text:
            return None
    raise bad("boolean", value)


def to_time(value: Json) -> int | None:
    if isinstance(value, str):
        return _time_text(_short("time", value))
    if type(value) is not int or value < 0:
        raise bad("time", value)
    if value >= 10**11:
        raise bad("time", value, ", which looks like milliseconds")
    return value


@lru_cache(maxsize=4096)
def _time_text(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad("time", text) from None
    if moment.tzinfo is None:
        raise bad("time", text, ", which has no offset")
    since = moment - _EPOCH
    return since.days * 86400 + since.seconds


def to_currency(value: Json) -> str | None:
    return _known("currency", value, CURRENCIES)


def to_country(value: Json) -> str | None:
    return _known("country", value, COUNTRIES)


def _known(name: str, value: Json, codes: dict[str, int] | frozenset[str]) -> str | None:
    if not isinstance(value, str):
        raise bad(name, value)
    if value in codes:
        return value
    code = value.strip().upper()
    if code and code not in codes:
        raise bad(name, value)
    return code or None


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def to_timezone(value: Json) -> str | None:
    if not isinstance(value, str):
        raise unfit("timezone", value)
    name = value.strip()
    if name and name not in _timezones():
        raise unfit("timezone", value)
    return name or None


def to_url(value: Json) -> str | None:
    if not isinstance(value, str):
        raise unfit("url", value)
    text = value.strip()
    if text and _URL.fullmatch(text) is None:
        raise unfit("url", value)
    return text or None


def exponent_of(currency: Json) -> int | None:
    """The decimals of a currency's minor unit; None when the currency is not known."""
    return CURRENCIES.get(currency) if isinstance(currency, str) else None


def _text_schema(**more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, **more}


TYPES: dict[str, Type] = {
    each.name: each
    for each in (
        Type("id", to_id, _text_schema(), "text; a gid is cut to its last part"),
        Type("text", to_text, _text_schema(), "trimmed text"),
        Type("email", to_email, _text_schema(format="email"), "trimmed, lower case"),
        Type("phone", to_phone, _text_schema(pattern=r"^\+[1-9][0-9]{6,14}$"), "E.164"),
        Type("money", to_money, {"type": "number"}, "rounded to the decimals of its currency"),
        Type("number", to_number, {"type": "number"}, "any number within 2^53"),
        Type("integer", to_integer, {"type": "integer"}, "a whole number within 2^53"),
        Type("boolean", to_boolean, {"type": "boolean"}, "true or false"),
        Type("time", to_time, {"type": "integer"}, "whole Unix seconds, UTC"),
        Type("currency", to_currency, _text_schema(pattern="^[A-Z]{3}$"), "ISO 4217"),
        Type("country", to_country, _text_schema(pattern="^[A-Z]{2}$"), "ISO 3166-1 alpha-2"),
        Type("timezone", to_timezone, _text_schema(), "a name of the IANA database"),
        Type("url", to_url, _text_schema(pattern="^[hH][tT][tT][pP][sS]?://"), "http or https"),
    )
}
