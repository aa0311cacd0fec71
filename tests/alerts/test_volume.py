"""When there is less of something than there used to be; a whole year of it is test_alerts_year."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapter.alerts import History
from adapter.alerts.facts import HISTORY_HOURS
from adapter.alerts.volume import at_least, at_most, dropped, silent

NAME = "event order_completed"
FIRST = 168 * 2900


def history(counts: list[int], *, began: int = FIRST, held: tuple[int, ...] = ()) -> History:
    """Of the hours up to now; `held` counts back from the last whole one."""
    series = (*counts, 0)
    first = FIRST + HISTORY_HOURS - len(counts)
    now = first + len(counts)
    return History(first, began, {NAME: series}, frozenset(now - 1 - back for back in held))


def level(*latest: int, usual: int = 40) -> list[int]:
    return [usual] * (HISTORY_HOURS - len(latest)) + list(latest)


@pytest.mark.parametrize(
    ("latest", "bad"),
    [
        ((40,), False),
        ((0,), True),
        ((0, 0, 0, 0, 0), True),
        ((0, 0, 0, 0, 40, 40), False),  # it is back
        ((20, 20, 20, 20), True),
        ((30, 30), False),  # less, and nothing that could not be chance
        ([28] * 12, False),  # the whole day is not so low
        ((20, 20, 20, 20, 33), True),
        ((400, 300, 40), False),  # a sale is over
    ],
)
def test_what_is_too_little(latest: Sequence[int], bad: bool | None) -> None:
    assert dropped(history(level(*latest)), NAME, 0.67)[0] is bad


def test_what_cannot_be_told() -> None:
    assert dropped(history(level(0)), "event other", 0.67) == (None, None)
    few = history(level(0, usual=0))
    assert dropped(few, NAME, 0.67)[0] is None
    young = history(level(0), began=FIRST + HISTORY_HOURS - 168 * 2)
    assert dropped(young, NAME, 0.67) == (None, None)
    assert dropped(history(level(0)), NAME, 0.67)[0] is True
    # Delivery stood still in that very hour.
    assert dropped(history(level(0), held=(0,)), NAME, 0.67) == (None, None)
    assert dropped(history(level(0), held=(30,)), NAME, 0.67)[0] is True


def test_weeks_in_which_delivery_stood_still_do_not_count() -> None:
    counts = level(0)
    for week in (1, 2):
        counts[-1 - 168 * week] = 0
    assert dropped(history(counts), NAME, 0.67)[0] is False, "two weeks were as low"
    held = tuple(168 * week for week in (1, 2))
    assert dropped(history(counts, held=held), NAME, 0.67)[0] is True


def test_one_outage_in_the_past_weeks_hides_no_other() -> None:
    counts = level(0)
    counts[-1 - 168] = 0
    assert dropped(history(counts), NAME, 0.67)[0] is True


def test_two_high_weeks_make_none_look_low() -> None:
    counts = level(40)
    for week in (1, 2):
        low = len(counts) - 168 * week - 24
        counts[low : low + 48] = [200] * 48
    assert dropped(history(counts), NAME, 0.67)[0] is False


def test_on_calm_days_half_is_expected() -> None:
    counts = level(*[20] * 24)
    assert dropped(history(counts), NAME, 0.67)[0] is True
    days = [f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)]
    assert dropped(history(counts), NAME, 0.67, days)[0] is False


def test_the_clocks_may_change() -> None:
    """A steep morning, an hour later than in the weeks before."""
    day = [5] * 7 + [60] * 17
    counts = (day * 36)[:HISTORY_HOURS]
    late = [60] + [5] * 7
    assert dropped(history(counts + late), NAME, 0.67)[0] is not True
    assert dropped(history([*counts, 60, *([5] * 9)]), NAME, 0.67)[0] is True, "two hours later"


@pytest.mark.parametrize(("seen", "expected"), [(0, 5.0), (7, 12.5), (90, 120.0), (900, 1000.0)])
def test_chances_add_up(seen: int, expected: float) -> None:
    assert at_most(seen, expected) + at_least(seen + 1, expected) == pytest.approx(1, abs=0.2)
    assert 0 < at_most(seen, expected) < 0.2


def test_chances_are_those_of_poisson() -> None:
    assert at_most(0, 5.0) == pytest.approx(0.006738, rel=1e-3)
    assert at_most(3, 10.0) == pytest.approx(0.010336, rel=1e-3)
    assert at_least(10, 3.0) == pytest.approx(0.001102, rel=1e-3)
    assert at_least(3, 10.0) == 1.0
    assert at_most(3, 0.0) == 1.0


def every(hours: int, gap: int) -> list[int]:
    """Once in so many hours, and silent for the last `gap` of them."""
    counts = [int(at % hours == 0) for at in range(HISTORY_HOURS)]
    return [*counts[: HISTORY_HOURS - gap], *[0] * gap]


@pytest.mark.parametrize(
    ("hours", "gap", "verdict"),
    [
        (1, 3, False),
        (1, 6, True),  # every hour so far
        (10, 5, False),
        (10, 25, True),
        (100, 400, None),  # too seldom to be missed
    ],
)
def test_who_is_silent_for_twice_as_long_as_ever(
    hours: int, gap: int, verdict: bool | None
) -> None:
    assert silent(history(every(hours, gap)), NAME)[0] is verdict


def test_silence_needs_two_weeks() -> None:
    young = history(every(1, 12), began=FIRST + HISTORY_HOURS - 300)
    assert silent(young, NAME)[0] is None
    assert silent(young, "topic other") == (None, 0, 0)
