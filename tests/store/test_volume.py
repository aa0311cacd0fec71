"""The hours of the past weeks, with a real Valkey."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from adapter.alerts.facts import HISTORY_HOURS
from adapter.store.volume import KEEP_SECONDS, MOST_NAMES, Volume, spread

PREFIX = "adapter:default:"
HOUR = 490_000
BEGIN = HOUR * 3600.0
PAID = "shopify a.example orders/paid"


def count(redis: Redis, orders: int, *, dead: int = 0, paid: int = 0) -> None:
    redis.hincrby(PREFIX + "counts", "event:order_completed", orders)
    redis.hincrby(PREFIX + "counts", "dead", dead)
    redis.hincrby(PREFIX + "counts", "ignored:test order", 7)
    redis.hincrby(PREFIX + "topics", f"accepted {PAID}", paid)
    redis.hincrby(PREFIX + "topics", f"parked {PAID}", paid)


def latest(volume: Volume, name: str, now: float, hours: int = 3) -> list[int]:
    return list(volume.history(now).series[name][-hours:])


def test_what_grew_is_added_to_its_hour(redis: Redis) -> None:
    volume = Volume(redis, "default")
    count(redis, 1_000_000, dead=5, paid=4)
    assert volume.record(BEGIN)
    assert volume.history(BEGIN).began == HOUR
    assert "event order_completed" not in volume.history(BEGIN).series, "that was before"
    count(redis, 10, dead=1, paid=3)
    volume.record(BEGIN + 60)
    count(redis, 5)
    volume.record(BEGIN + 120)
    count(redis, 2, paid=1)
    volume.record(BEGIN + 3600 + 60)
    now = BEGIN + 3700
    # The last look of the hour was long before its end, so what came then is told apart.
    assert latest(volume, "event order_completed", now) == [0, 17, 0]
    assert latest(volume, f"topic {PAID}", now) == [0, 8, 0]
    assert latest(volume, "letters dead", now) == [0, 1, 0]
    assert latest(volume, "letters parked", now) == [0, 0, 0]
    history = volume.history(now)
    assert (history.first, history.now) == (HOUR + 1 - HISTORY_HOURS, HOUR + 1)
    assert history.held == frozenset()


def test_two_workers_count_nothing_twice(redis: Redis) -> None:
    """Each hundred of looks finds what is there; in the end nothing is lost either."""
    one, two = (Volume(redis, "default") for _ in range(2))
    count(redis, 0)
    one.record(BEGIN)
    done = threading.Event()

    def counting() -> None:
        for _ in range(300):
            count(redis, 1)
        done.set()

    def looking(volume: Volume) -> None:
        while not done.is_set():
            volume.record(BEGIN + 60)

    threads = [threading.Thread(target=looking, args=(each,)) for each in (one, two)]
    threads.append(threading.Thread(target=counting))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert one.record(BEGIN + 61)
    assert latest(two, "event order_completed", BEGIN + 61)[-1] == 300


def test_a_look_that_another_was_faster_than_writes_nothing(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN)
    count(redis, 10)
    real = Volume._totals

    def overtaken(self: Volume, pipe: object) -> dict[str, int]:
        found = real(self, pipe)
        monkeypatch.undo()
        assert Volume(redis, "default").record(BEGIN + 30)
        return found

    monkeypatch.setattr(Volume, "_totals", overtaken)
    assert not volume.record(BEGIN + 31)
    assert latest(volume, "event order_completed", BEGIN + 31)[-1] == 10


def test_after_hours_without_a_worker_it_is_spread(redis: Redis) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN)
    count(redis, 40)
    now = BEGIN + 4 * 3600
    volume.record(now)
    assert latest(volume, "event order_completed", now, 5) == [10, 10, 10, 10, 0]


@pytest.mark.parametrize(
    ("count", "begin", "end", "expected"),
    [
        (7, 10.0, 70.0, {0: 7}),
        (60, 3570.0, 3630.0, {0: 30, 1: 30}),
        (1, 3590.0, 3650.0, {1: 1}),
        (3, 100.0, 100.0, {0: 3}),
        (4, 0.0, 7200.0, {0: 2, 1: 2}),
        (0, 0.0, 100.0, {}),
    ],
)
def test_spreading_loses_nothing(
    count: int, begin: float, end: float, expected: dict[int, int]
) -> None:
    assert dict(spread(count, begin, end)) == expected


def test_spreading_reaches_back_no_further_than_is_kept() -> None:
    found = dict(spread(10_000, 0.0, 100_000 * 3600.0))
    assert sum(found.values()) == 10_000
    assert min(found) >= 100_000 - HISTORY_HOURS


def test_an_hour_in_which_delivery_stood_still_is_marked(redis: Redis) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN, held=True)
    volume.record(BEGIN + 60)
    assert volume.history(BEGIN + 3600).held == {HOUR}


def test_a_redis_that_began_anew(redis: Redis) -> None:
    volume = Volume(redis, "default")
    count(redis, 1000)
    volume.record(BEGIN)
    redis.delete(PREFIX + "counts")
    count(redis, 3)
    volume.record(BEGIN + 60)
    assert latest(volume, "event order_completed", BEGIN + 60)[-1] == 3


def test_it_is_small_and_ends(redis: Redis) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN)
    for each in range(MOST_NAMES + 50):
        redis.hset(PREFIX + "topics", f"accepted shopify s.example topic/{each}", each + 1)
    volume.record(BEGIN + 60)
    key = f"{PREFIX}volume:{HOUR}"
    assert redis.hlen(key) == MOST_NAMES
    assert redis.hget(key, "topic shopify s.example topic/349") == b"350"
    assert redis.hget(key, "topic shopify s.example topic/0") is None
    assert 0 < redis.ttl(key) <= KEEP_SECONDS


def test_what_is_past_is_read_once(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN)
    volume.history(BEGIN)
    redis.hset(f"{PREFIX}volume:{HOUR - 100}", "event order_completed", 5)
    redis.hset(f"{PREFIX}volume:{HOUR - 1}", "event order_completed", 6)
    assert latest(volume, "event order_completed", BEGIN, 200) == [0] * 198 + [6, 0]
    other = Volume(redis, "default")
    assert sum(latest(other, "event order_completed", BEGIN, 200)) == 11


def test_nobody_misses_the_topics_of_an_erased_shop(redis: Redis) -> None:
    volume = Volume(redis, "default")
    volume.record(BEGIN)
    count(redis, 1, paid=5)
    volume.record(BEGIN + 60)
    assert f"topic {PAID}" in volume.history(BEGIN + 60).series
    redis.delete(PREFIX + "topics")
    volume.record(BEGIN + 120)
    assert f"topic {PAID}" not in volume.history(BEGIN + 120).series
    assert redis.hkeys(f"{PREFIX}volume:{HOUR}") == [b"event order_completed"]
    assert b"a.example" not in redis.get(PREFIX + "volume")
    assert "event order_completed" in volume.history(BEGIN + 120).series
