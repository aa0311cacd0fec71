"""Raw bytes become an object with exact numbers, or a refusal that says why."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import MalformedError
from adapter.mapping import parse_body


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b'{"price": 149.85}', {"price": Decimal("149.85")}),
        (b'{"id": 115310627314723954}', {"id": 115310627314723954}),
        (b'{"name": "\\ud83d\\ude00"}', {"name": "\U0001f600"}),
        (
            b'{"name": "a\\ud83d", "\\udc00": ["\\udfff"]}',
            {"name": "a\ufffd", "\ufffd": ["\ufffd"]},
        ),
        (b'{"name": "\\\\ud83d"}', {"name": "\\ud83d"}),
        (b' {"a": null}\n', {"a": None}),
    ],
)
def test_what_it_reads(raw: bytes, body: object) -> None:
    assert parse_body(raw) == body


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the body is not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,\n "b"}', "the body is not JSON: Expecting ':' delimiter at line 2, column 5"),
        (b'{"a": "\xff"}', "the body is not UTF-8: byte 8"),
        (b'{"a": "\xed\xa0\x80"}', "the body is not UTF-8: byte 8"),
        (b'{"a": NaN}', "the body holds a number that is too long or none at all"),
        (b'{"a": -Infinity}', "the body holds a number that is too long or none at all"),
        (
            b'{"a": ' + b"9" * 5000 + b"}",
            "the body holds a number that is too long or none at all",
        ),
        (
            b'{"a": 1e99999999999999999999}',
            "the body holds a number that is too long or none at all",
        ),
        (b'{"a": ' + b"[" * 100_000, "the body is nested too deeply"),
        (b'{"a": "\\ud800", "b": ' + b"[" * 100_000, "the body is nested too deeply"),
        (b"[]", "the body is no JSON object"),
        (b'"text"', "the body is no JSON object"),
        (b"null", "the body is no JSON object"),
        (b"webhook_id=17", "the body is not JSON: Expecting value at line 1, column 1"),
    ],
)
def test_what_it_refuses(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as error:
        parse_body(raw)
    assert str(error.value) == message


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_it_raises_nothing_else(raw: bytes) -> None:
    with suppress(MalformedError):
        parse_body(raw)


@given(st.dictionaries(st.text(), st.text(alphabet=st.characters(codec=None))))
def test_what_it_gives_can_be_written_as_utf_8(body: dict[str, str]) -> None:
    parsed = parse_body(json.dumps(body).encode())
    json.dumps(parsed, ensure_ascii=False).encode("utf-8")
