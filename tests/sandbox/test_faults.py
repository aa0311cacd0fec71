"""Which request is told to fail, and how faults are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from adapter.sandbox.faults import Faults, read_faults


def statuses(faults: Faults, count: int, held: Mapping[str, str] | None = None) -> list[int | None]:
    happened = [faults.next(lambda wanted: wanted == held) for _ in range(count)]
    return [fault.status if fault else None for fault in happened]


def told(*faults: dict[str, Any]) -> Faults:
    pending = Faults()
    pending.replace(read_faults(list(faults)))
    return pending


def test_they_happen_in_order_each_as_often_as_it_says() -> None:
    faults = told({"status": 500, "times": 2}, {"status": 429})
    assert statuses(faults, 4) == [500, 500, 429, None]
    assert faults.pending == []


def test_minus_one_is_for_ever() -> None:
    faults = told({"status": 500, "times": -1})
    assert statuses(faults, 50) == [500] * 50
    faults.replace([])
    assert statuses(faults, 1) == [None]


def test_never_is_never() -> None:
    assert statuses(told({"status": 500, "times": 0}), 1) == [None]


def test_one_that_matches_nothing_waits_for_its_request() -> None:
    faults = told({"status": 500, "match": {"id": "42"}}, {"status": 429})
    assert statuses(faults, 2, {"id": "1"}) == [429, None]
    assert statuses(faults, 2, {"id": "42"}) == [500, None]


@pytest.mark.parametrize(
    ("fault", "effect"),
    [
        ({}, True),
        ({"delay": 1}, True),
        ({"headers": {"X": "1"}}, True),
        ({"body": "<html>"}, True),
        ({"drip": 1}, True),
        ({"status": 500, "drip": 1}, True),
        ({"status": 500, "apply": True}, True),
        ({"delay": 1, "late": True}, True),
        ({"refuse": True, "match": {"id": "1"}}, True),
        ({"close": True, "apply": True}, True),
        ({"status": 500}, False),
        ({"status": 200}, False),
        ({"close": True}, False),
    ],
)
def test_whether_the_request_takes_effect(fault: dict[str, Any], effect: bool) -> None:
    assert read_faults([fault])[0].takes_effect is effect


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ({}, ["faults must be a list"]),
        (["x"], ["[0]: must be an object"]),
        ([{"status": "500"}], ["[0].status: malformed"]),
        ([{"status": 600}], ["[0].status: malformed"]),
        ([{"status": True}], ["[0].status: malformed"]),
        ([{"headers": {"Retry-After": 3}}], ["[0].headers: malformed"]),
        ([{"delay": -1}], ["[0].delay: malformed"]),
        ([{"delay": None}], ["[0].delay: malformed"]),
        ([{"times": -2}], ["[0].times: malformed"]),
        ([{"times": 1.5}], ["[0].times: malformed"]),
        ([{"body": {}}], ["[0].body: malformed"]),
        ([{"apply": 1}], ["[0].apply: malformed"]),
        ([{"match": {"price": "1"}}], ["[0].match: malformed"]),
        ([{"late": 1}], ["[0].late: malformed"]),
        ([{"refuse": "x"}], ["[0].refuse: malformed"]),
        ([{"refuse": True}], ["[0].refuse: needs a match"]),
        ([{}, {"drip": "x", "close": 0}], ["[1].drip: malformed", "[1].close: malformed"]),
    ],
)
def test_mistakes_are_all_named(data: Any, lines: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        read_faults(data)
    assert str(caught.value).splitlines() == lines


def test_an_unknown_setting_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^\[0\]\.code: no such setting; there are status,"):
        read_faults([{"code": 500}])


def test_what_was_written_can_be_read_again() -> None:
    (fault,) = read_faults([{"status": None, "headers": {"A": "b"}, "match": {"name": "x"}}])
    assert read_faults([fault.to_json()]) == [fault]
