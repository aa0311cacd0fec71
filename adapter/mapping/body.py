"""Raw bytes -> JSON body: exact numbers, well-formed text, an object or nothing."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NoReturn

import msgspec

from adapter.errors import MalformedError
from adapter.model import Json

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


# Twice as fast, and it knows no more than JSON. What it does not take the other one takes, or says
# where and why not.
_FAST = msgspec.json.Decoder(float_hook=Decimal).decode
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def parse_body(raw: bytes) -> Json:
    """The object that a body holds; raises MalformedError with the reason."""
    body = parse_json(raw, "the body")
    if not isinstance(body, dict):
        raise MalformedError("the body is no JSON object")
    return body


def parse_json(raw: bytes, what: str) -> Json:
    """The value that bytes hold; raises MalformedError with the reason, which calls them `what`.

    Fractions become Decimals. Half a surrogate pair cannot be written as UTF-8 and becomes U+FFFD.
    """
    try:
        return _FAST(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError, ArithmeticError):
        return _parsed(raw, what)


def _parsed(raw: bytes, what: str) -> Json:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} is not UTF-8: byte {error.start + 1}") from None
    try:
        value = _DECODER.decode(text)
        if b"\\" in raw and _SURROGATE_ESCAPE.search(raw):
            value = _mended(value)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise MalformedError(f"{what} is nested too deeply") from None
    except (ValueError, ArithmeticError):
        raise MalformedError(f"{what} holds a number that is too long or none at all") from None
    return value


def _mended(value: Json) -> Json:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_mended(each) for each in value]
    return value
