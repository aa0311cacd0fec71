"""Turns at a ceiling of so many a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.pacing import Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_turn_is_there_at_once() -> None:
    assert Pacer(0.001, Clock()).seconds_left() == 0


def test_turns_are_evenly_apart() -> None:
    clock = Clock()
    pacer = Pacer(4.0, clock)
    pacer.take()
    assert pacer.seconds_left() == 0.25
    clock.now += 0.2
    assert pacer.seconds_left() == pytest.approx(0.05)
    clock.now += 0.1
    assert pacer.seconds_left() == 0


def test_a_turn_that_is_not_taken_is_not_gone() -> None:
    clock = Clock()
    pacer = Pacer(1.0, clock)
    pacer.take()
    clock.now += 5
    assert [pacer.seconds_left() for _ in range(3)] == [0, 0, 0]


def test_a_quiet_hour_is_not_saved_up() -> None:
    clock = Clock()
    pacer = Pacer(10.0, clock)
    pacer.take()
    clock.now += 3600
    pacer.take()
    assert pacer.seconds_left() == pytest.approx(0.1)


@given(
    rate=st.floats(0.1, 1000),
    idle=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_second_holds_more_than_its_share(rate: float, idle: list[float]) -> None:
    """However requests come: no second holds more than `rate` and the one that it begins with."""
    clock = Clock()
    pacer = Pacer(rate, clock)
    taken: list[float] = []
    for pause in idle:
        clock.now += pause / rate
        clock.now += pacer.seconds_left()
        pacer.take()
        taken.append(clock.now)
    for first in taken:
        assert sum(first <= at < first + 1 - 1e-6 for at in taken) <= rate + 1
