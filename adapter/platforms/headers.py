"""Reading header values: any letter case in, checked values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[-+]\d\d:?\d\d)")


class Headers:
    """Header values by name in any letter case.

    It takes a plain dict as well as the headers object of a web framework. A name that occurs
    more than once holds its values joined by commas, as RFC 9110 reads them.
    """

    __slots__ = ("_values",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        for name, value in headers.items():
            lower = name.lower()
            seen = self._values.get(lower)
            self._values[lower] = value.strip() if seen is None else f"{seen},{value.strip()}"

    @classmethod
    def of(cls, headers: Mapping[str, str] | Headers) -> Headers:
        """The same object where it is one already, so that it is made once for a webhook."""
        return headers if isinstance(headers, Headers) else cls(headers)

    def get(self, name: str) -> str | None:
        """The value, trimmed; None when the header is absent or blank."""
        return self._values.get(name.lower()) or None


class WsgiHeaders(Headers):
    """The same over a WSGI environ, looking at nothing but what is asked for.

    The server has joined the values of a name that occurs more than once, by commas.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def get(self, name: str) -> str | None:
        value: str | None = self._environ.get(_wsgi_name(name))
        return value.strip() or None if value else None


@cache
def _wsgi_name(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def text(value: str, limit: int) -> str:
    """Printable ASCII of at most `limit` characters."""
    if len(value) > limit:
        raise ValueError(f"longer than {limit} characters")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("not printable ASCII")
    return value


def hostname(value: str, limit: int) -> str:
    """A host name in lower case, without a port."""
    name = text(value, limit).lower()
    if not _HOSTNAME.fullmatch(name):
        raise ValueError("not a host name")
    return name


def instant(value: str, limit: int) -> float:
    """Unix seconds of an ISO-8601 time with an offset; the fraction is kept to microseconds."""
    if not _TIME.fullmatch(text(value, limit)):
        raise ValueError("not an ISO-8601 time with an offset")
    try:
        seconds = datetime.fromisoformat(value.upper()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("not an ISO-8601 time with an offset") from None
    if seconds < 0:
        raise ValueError("a time before 1970")
    return seconds


def flag(value: str, limit: int) -> bool:
    """`true` or `false` in any letter case."""
    lower = text(value, limit).lower()
    if lower not in ("true", "false"):
        raise ValueError("neither true nor false")
    return lower == "true"
