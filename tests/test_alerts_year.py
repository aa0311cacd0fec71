"""A year of hourly counts through the rules as they are shipped: what is planted is found, and next
to nothing else is told.

The year is drawn from a seed: a rhythm of days and weeks in local time (so the clocks change
twice), growth, the noise of chance, sales now and then, a Black Friday week, and Christmas.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from adapter.alerts import Facts, History, News, Rule, State, judge, read_rules, turn
from adapter.alerts.facts import HISTORY_HOURS
from adapter.mapping import load
from adapter.settings import shipped
from adapter.strictyaml import parse

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = int(START.timestamp()) // 3600
WARM_UP, YEAR = HISTORY_HOURS, 365 * 24
SEEDS = (1, 2, 4)

CHECKOUTS, ORDERS, SLOW = (
    "event checkout_started",
    "event order_completed",
    "topic shopify shop refunds/create",
)
PER_DAY = {CHECKOUTS: 2000.0, ORDERS: 900.0, SLOW: 8.0}
OF_DAY = [1.5, 0.9, 0.6, 0.4, 0.4, 0.6, 1.6, 3, 4.2, 5, 5.4, 5.6, 5.8, 5.4, 5.2, 5.2, 5.4, 5.8, 6.4]
OF_DAY += [7.2, 8, 7.6, 5.6, 3.2]
OF_WEEK = [1.05, 1.0, 0.95, 0.95, 0.9, 1.0, 1.15]
BLACK_FRIDAY = {20: 1.2, 21: 1.3, 22: 1.5, 23: 1.8, 24: 1.9, 25: 2.2, 26: 3.0, 27: 4.5, 28: 3.2}
BLACK_FRIDAY |= {29: 2.6, 30: 3.4}
CHRISTMAS = {20: 0.95, 21: 0.9, 22: 0.8, 23: 0.7, 24: 0.5, 25: 0.4, 26: 0.55, 27: 0.8, 28: 0.85}
CHRISTMAS |= {29: 0.9, 30: 0.85, 31: 0.6}


@dataclass(frozen=True)
class Plant:
    """What is wrong on purpose: from an hour of the year on, for so many hours, only so much."""

    series: str
    rule: str
    begin: datetime
    hours: int
    left: float
    within: int

    def holds(self, at: datetime) -> bool:
        return self.begin <= at < self.begin + timedelta(hours=self.hours)


PLANTS = (
    Plant(CHECKOUTS, "checkouts_dropped", datetime(2026, 4, 15, 11, tzinfo=UTC), 5, 0.0, 2),
    Plant(ORDERS, "orders_dropped", datetime(2026, 9, 8, 9, tzinfo=UTC), 8, 0.5, 6),
    Plant(SLOW, "topic_silent", datetime(2026, 6, 17, 6, tzinfo=UTC), 240, 0.0, 72),
)


def season(local: datetime) -> float:
    if local.month == 11 and local.day in BLACK_FRIDAY:
        return BLACK_FRIDAY[local.day]
    if local.month == 12 and local.day == 1:
        return 1.5
    if local.month == 12 and local.day in CHRISTMAS:
        # On Christmas Eve shops empty at noon.
        return CHRISTMAS[local.day] * (0.7 if local.day == 24 and local.hour > 13 else 1.0)
    return 0.7 if (local.month, local.day) == (1, 1) else 1.0


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    least, count, product = math.exp(-mean), 0, chance.random()
    while product > least:
        count += 1
        product *= chance.random()
    return count


def year(
    seed: int, planted: tuple[Plant, ...] = PLANTS, per_day: dict[str, float] = PER_DAY
) -> dict[str, list[int]]:
    """Hourly counts of weeks to warm up and of a year."""
    chance = random.Random(seed)
    hours = [START + timedelta(hours=hour - WARM_UP) for hour in range(WARM_UP + YEAR)]
    sales = {chance.randrange(WARM_UP + YEAR): chance.uniform(1.5, 4) for _ in range(12)}
    boosts = {begin + hour: by for begin, by in sales.items() for hour in range(6)}
    found: dict[str, list[int]] = {name: [] for name in per_day}
    for at, moment in enumerate(hours):
        local = moment.astimezone(ZONE)
        share = OF_DAY[local.hour] / sum(OF_DAY) * OF_WEEK[local.weekday()]
        # By half in a year; and a day is never quite like another.
        share *= 1.5 ** ((at - WARM_UP) / YEAR) * season(local) * boosts.get(at, 1.0)
        share *= random.Random(f"{seed} {moment:%j}").uniform(0.9, 1.1)
        for name, counts in found.items():
            mean = per_day[name] * share
            for plant in planted:
                mean *= plant.left if plant.series == name and plant.holds(moment) else 1.0
            counts.append(poisson(chance, mean))
    return found


@cache
def rules() -> tuple[Rule, ...]:
    """The shipped ones that go by the past weeks."""
    file = shipped("mappings") / "alerts.yml"
    faults: list[object] = []
    root = parse(file.read_text("utf-8"), str(file), faults)  # type: ignore[arg-type]
    found = read_rules(root, load(shipped("mappings")).schema.events, faults)  # type: ignore[arg-type]
    assert not faults
    return tuple(rule for rule in found if rule.kind in ("volume", "silence"))


def told(counts: dict[str, list[int]], hours: int = YEAR) -> Iterator[tuple[datetime, News]]:
    """All that is told in a year, or until an hour of it, looked at once an hour."""
    states: dict[tuple[str, str], State] = {}
    for hour in range(WARM_UP, WARM_UP + hours):
        # The hour has just begun: nothing of it is counted yet.
        first = hour - HISTORY_HOURS
        series = {name: (*each[first:hour], 0) for name, each in counts.items()}
        history = History(FIRST - WARM_UP + first, FIRST - WARM_UP, series)
        now = float((FIRST - WARM_UP + hour) * 3600)
        looked = turn(rules(), states, judge(rules(), Facts(now, history)), now)
        states = dict(looked.told(now))
        for news in looked.news:
            yield datetime.fromtimestamp(now, UTC), news


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_planted_is_found_and_little_else(seed: int) -> None:
    stories = list(told(year(seed)))
    begun = [(at, news) for at, news in stories if news.kind == "fires"]
    of_plants = set()
    for plant in PLANTS:
        found = [
            (at, news)
            for at, news in begun
            if news.rule == plant.rule and plant.holds(at - timedelta(hours=1))
        ]
        assert found, plant
        late = found[0][0] - plant.begin
        assert late <= timedelta(hours=plant.within), (plant, late)
        of_plants.add(found[0])
        over = [at for at, news in stories if news.kind == "over" and news.rule == plant.rule]
        end = plant.begin + timedelta(hours=plant.hours)
        assert any(timedelta() <= at - end <= timedelta(hours=24) for at in over), plant
    false = [(at, news) for at, news in begun if (at, news) not in of_plants]
    assert len(false) <= 2, false


def test_a_small_shop_is_left_in_peace() -> None:
    """Ten orders a day, and nothing wrong in half a year."""
    few = dict.fromkeys(PER_DAY, 10.0)
    stories = told(year(7, (), few), YEAR // 2)
    assert [(at, news) for at, news in stories if news.kind == "fires"] == []


def test_a_silence_of_days_is_not_the_new_rhythm() -> None:
    """Orders stop for good: told once, and never said to be over."""
    stop = Plant(ORDERS, "orders_dropped", datetime(2026, 3, 3, 9, tzinfo=UTC), 21 * 24, 0.0, 2)
    end = stop.begin + timedelta(days=7)
    until = (end - START) // timedelta(hours=1)
    stories = [
        (at, news.kind)
        for at, news in told(year(8, (stop,)), until)
        if news.rule == stop.rule and at >= stop.begin
    ]
    assert stories[0] == (stop.begin + timedelta(hours=1), "fires")
    assert [kind for _, kind in stories[1:]] == ["reminder"] * 6
