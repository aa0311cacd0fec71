"""ULIDs are valid, the same for the same happening, and different for different ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.ulid import event_ulid, is_ulid

TEXTS = st.text(max_size=12)
FOUR = st.tuples(TEXTS, TEXTS, TEXTS, TEXTS)


def test_it_never_changes_between_releases() -> None:
    ulid = event_ulid("shopify", "acme.myshopify.com", "order_completed", "1001")
    assert ulid == "01KDVDNA007TPR2Z3VSKXSDHCF"


def test_its_time_part_is_the_start_of_2026() -> None:
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    milliseconds = 0
    for character in event_ulid("a", "b", "c", "d")[:10]:
        milliseconds = milliseconds * 32 + digits.index(character)
    assert milliseconds == 1767225600_000


@given(FOUR)
def test_it_is_valid_and_deterministic(parts: tuple[str, str, str, str]) -> None:
    assert is_ulid(event_ulid(*parts))
    assert event_ulid(*parts) == event_ulid(*parts)


@given(FOUR, FOUR)
def test_different_happenings_have_different_ids(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (one == other) == (event_ulid(*one) == event_ulid(*other))


def test_the_border_between_the_parts_counts() -> None:
    assert event_ulid("a", "bc", "d", "e") != event_ulid("ab", "c", "d", "e")
    assert event_ulid("a", "1:b", "", "") != event_ulid("a1:b", "", "", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01KDVDNA00",
        "81KDVDNA00SVFK8D9PD0F4MKX6",  # beyond 128 bits
        "01kdvdna00svfk8d9pd0f4mkx6",
        "01KDVDNA00SVFK8D9PD0F4MKXI",  # I, L, O and U are no digits
        "01KDVDNA00SVFK8D9PD0F4MKX6\n",
    ],
)
def test_what_is_no_ulid(text: str) -> None:
    assert not is_ulid(text)
