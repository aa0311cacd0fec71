"""Sizes of items as they were sent, whatever the JSON looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.sandbox.batch import read_batch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
LIMIT = 40


@given(st.lists(JSON, min_size=1, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_items_are_decoded_and_measured_as_they_were_sent(
    items: list[Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps({"batch": items}, ensure_ascii=ascii_only, indent=indent)
    data, oversize = read_batch(text.encode("utf-8", "surrogatepass"), LIMIT)
    assert data == {"batch": items}
    if indent is None:
        sizes = [len(json.dumps(item, ensure_ascii=ascii_only).encode()) for item in items]
        assert oversize == {place for place, size in enumerate(sizes) if size > LIMIT}


@pytest.mark.parametrize(
    ("text", "oversize"),
    [
        ('{"batch": ["' + "x" * 38 + '"]}', set()),
        ('{"batch": ["' + "x" * 39 + '"]}', {0}),
        ('{"batch": [1, "' + "é" * 19 + '"]}', set()),
        ('{"batch": [1, "' + "é" * 19 + 'x"]}', {1}),
        ('{"more": 1, "batch": [1, "' + "é" * 19 + '"]}', set()),
        ('{"more": 1, "batch": [1, "' + "é" * 19 + 'x"]}', {1}),
        ('{"more": 1, "batch": ["' + "\\u00e9" * 7 + '"]}', {0}),
        ('{"batch": [' + "1," * 50 + "1]}", set()),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]", set()),
    ],
)
def test_limits(text: str, oversize: set[int]) -> None:
    data, found = read_batch(text.encode(), LIMIT)
    assert data == json.loads(text)
    assert found == oversize


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch": [1}',
        b'{"batch": [1,]}',
        b'{"batch": [1]',
        b'{"batch": [1]} x',
        b'{"batch": [NaN]}',
        b'{"batch": ["\xff"]}',
        b"",
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_batch(body, LIMIT)


def test_the_last_of_two_keys_counts_as_in_any_json() -> None:
    assert read_batch(b'{"batch": [1], "batch": [2]}', LIMIT)[0] == {"batch": [2]}
