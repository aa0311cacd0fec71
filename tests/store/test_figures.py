"""What flushes measure, with a real Valkey."""

from __future__ import annotations

import pytest
from redis import Redis

from adapter.store.figures import API, BATCH, BUCKETS, Figures, Histogram, Tally

KEY = "adapter:default:figures"


def test_several_workers_add_up(redis: Redis) -> None:
    figures = Figures(redis, "default")
    for _ in range(2):
        tally = Tally()
        tally.observe(BATCH, 1)
        tally.observe(BATCH, 3)
        tally.observe(BATCH, 9_999)
        tally.answer(200, 0.03)
        tally.answer(503, 12.0)
        tally.answer("none")
        figures.add(tally)
    found = figures.read()
    assert found.answers == {"200": 2, "503": 2, "none": 2}
    batch = dict(found.histograms[BATCH].buckets)
    assert (batch[1], batch[2], batch[5], batch[2000], batch[float("inf")]) == (2, 2, 4, 4, 6)
    assert found.histograms[BATCH].sum == 2 * 10_003
    assert found.histograms[API].sum == pytest.approx(24.06)
    assert found.histograms[API].buckets[-1] == (float("inf"), 4)


def test_a_bound_belongs_to_its_bucket(redis: Redis) -> None:
    figures, tally = Figures(redis, "default"), Tally()
    for bound in BUCKETS[API]:
        tally.observe(API, bound)
    figures.add(tally)
    counts = [count for _, count in figures.read().histograms[API].buckets]
    assert counts == [*range(1, len(BUCKETS[API]) + 1), len(BUCKETS[API])]


def test_nothing_measured_is_nothing_written(redis: Redis) -> None:
    figures = Figures(redis, "default")
    figures.add(Tally())
    assert not redis.exists(KEY)
    empty = figures.read()
    assert empty.answers == {}
    assert empty.histograms[BATCH] == Histogram(
        tuple((bound, 0) for bound in (*BUCKETS[BATCH], float("inf"))), 0.0
    )
