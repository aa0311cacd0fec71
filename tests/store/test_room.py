"""What gives way, in which order, and what never does; intake refuses before Redis is full."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from builders import delivery, event, mapped, person
from redis import Redis

from adapter.compact import dump
from adapter.errors import StoreError
from adapter.jobs import flush_job
from adapter.model import Mapped
from adapter.store import pressure
from adapter.store.drift import Drift
from adapter.store.journal import written
from adapter.store.kept import squeeze
from adapter.store.outbox import FULL, Outbox, Settlement
from adapter.store.pressure import LOOK_SECONDS, Gauge
from adapter.store.room import Room

WORKSPACE, PREFIX = "default", "adapter:default:"
BODY = squeeze(os.urandom(1_500))
HOUR = 3600


@pytest.fixture
def limited(redis: Redis) -> Iterator[Redis]:
    """A Redis whose limit a test may set."""
    before = redis.config_get("maxmemory")["maxmemory"]
    yield redis
    redis.config_set("maxmemory", before)


def room(redis: Redis, hours: float = 72, most_bytes: int = 2**28) -> Room:
    return Room(redis, WORKSPACE, hours=hours, most_bytes=most_bytes)


def keep(redis: Redis, count: int, *, seconds_ago: float = 0) -> None:
    """Bit by bit: what a client sends at once is Redis's memory as well, for a while."""
    pipe = redis.pipeline()
    first = round((time.time() - seconds_ago) * 1000)
    fields = {"d": dump(delivery("d1").to_json()), "w": "accepted", "b": BODY}
    for number in range(count):
        pipe.xadd(PREFIX + "kept", fields, id=f"{first}-{number + 1}")
        pipe.xadd(PREFIX + "journal", {"j": written({"t": 1})}, id=f"{first}-{number + 1}")
        if number % 20 == 0:
            pipe.execute()
    pipe.execute()


def lengths(redis: Redis) -> tuple[int, int]:
    return redis.xlen(PREFIX + "kept"), redis.xlen(PREFIX + "journal")


def fill_to(redis: Redis, share: float) -> None:
    """Set the limit such that what is there now is so much of it."""
    redis.config_set("maxmemory", round(redis.info("memory")["used_memory"] / share))


# by age, by size


@pytest.mark.parametrize(("hours", "left"), [(72, 50), (47, 20), (0.5, 0), (999_999_999, 50)])
def test_what_is_too_old_goes(redis: Redis, hours: float, left: int) -> None:
    keep(redis, 30, seconds_ago=48 * HOUR)
    keep(redis, 20, seconds_ago=1 * HOUR)
    assert room(redis, hours).make() == 2 * (50 - left)
    assert lengths(redis) == (left, left)


def test_what_is_too_much_goes_oldest_first(redis: Redis) -> None:
    keep(redis, 300, seconds_ago=HOUR)
    keep(redis, 300)
    made = room(redis, most_bytes=300_000)
    while made.make():
        pass
    assert redis.memory_usage(PREFIX + "kept", 0) < 350_000
    bodies, accounts = lengths(redis)
    assert 100 < bodies < 200
    assert accounts == 600
    oldest = redis.xrange(PREFIX + "kept", count=1)[0][0]
    assert int(oldest.partition(b"-")[0]) > (time.time() - 60) * 1000


def test_an_empty_workspace_needs_none(redis: Redis) -> None:
    assert room(redis).make() == 0


# when Redis fills


def test_below_the_mark_nothing_gives_way(limited: Redis) -> None:
    keep(limited, 500)
    fill_to(limited, 0.5)
    assert room(limited).make() == 0
    assert lengths(limited) == (500, 500)


def test_bodies_give_way_until_there_is_room(limited: Redis) -> None:
    keep(limited, 2_000)
    fill_to(limited, 0.75)
    assert room(limited).make() > 0
    memory = limited.info("memory")
    assert memory["used_memory"] <= memory["maxmemory"] * (pressure.YIELD_AT + 0.02)
    bodies, accounts = lengths(limited)
    assert 0 < bodies < 2_000
    assert accounts == 2_000


def test_journal_and_drift_follow_and_what_matters_stays(limited: Redis) -> None:
    outbox = Outbox(limited, WORKSPACE, flush_job(WORKSPACE))
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    outbox.accept(Mapped("parked", delivery("d2"), "no mapping"), b"{}")
    limited.xadd(PREFIX + "dead", {"r": "{}"})
    hour = int(time.time()) // HOUR
    name = ("order_completed", "orders/create", "note", "some")
    Drift(limited, WORKSPACE).add({hour - each: {name: 1} for each in range(20)})
    keep(limited, 200)
    theirs = {"kept", "journal"}
    before = {key for key in limited.scan_iter() if b"drift:" not in key}
    fill_to(limited, 0.95)
    made = room(limited)
    while made.make():
        pass
    assert lengths(limited) == (0, 0)
    assert not [key for key in limited.scan_iter() if b"drift:" in key]
    after = set(limited.scan_iter())
    assert {key.decode().removeprefix(PREFIX) for key in before - after} <= theirs
    assert [limited.xlen(PREFIX + each) for each in ("outbox", "parked", "dead")] == [1, 1, 1]


def test_a_body_that_gave_way_does_not_keep_its_entry_from_being_parked(
    redis: Redis, outbox: Outbox
) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    redis.delete(PREFIX + "kept")
    job = redis.lpop("rq:queue:adapter")
    assert job is not None
    claim = outbox.claim(job.decode(), "t1")
    first = outbox.first()
    assert claim is not None
    assert first is not None
    assert outbox.settle(claim, Settlement(condemned=[(first, "the worker died")])) == 0
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    assert b"b" not in fields
    assert fields[b"e0"]


# intake


def hold(redis: Redis) -> None:
    """Something that never gives way."""
    body = os.urandom(30_000)
    for _ in range(200):
        redis.xadd(PREFIX + "dead", {"b": body})


def test_what_is_kept_gives_way_before_anything_is_refused(limited: Redis) -> None:
    keep(limited, 2_000)
    fill_to(limited, 0.94)
    outbox = Outbox(limited, WORKSPACE, flush_job(WORKSPACE))
    assert outbox.accept(mapped("d1", person(), event("1001")), b"{}").events == 1
    bodies, accounts = lengths(limited)
    assert 0 < bodies < 2_000
    assert accounts == 2_000


def test_no_body_gives_way_to_a_replay_which_may_be_about_it(limited: Redis) -> None:
    keep(limited, 500)
    fill_to(limited, 1.2)
    outbox = Outbox(limited, WORKSPACE, flush_job(WORKSPACE))
    with pytest.raises(StoreError, match=FULL):
        outbox.accept(mapped("d1", person(), event("1001")), b"{}", kept="1-1")
    assert lengths(limited) == (500, 500)


def test_while_one_makes_room_others_go_on() -> None:
    used, asked = [95], list[bool]()

    def relieve() -> None:
        asked.append(gauge.is_full())
        used[0] = 80

    gauge = Gauge(lambda: (used[0], 100), relieve, clock=lambda: 100.0 + len(asked))
    assert not gauge.is_full()
    assert asked == [False]


def test_intake_refuses_before_redis_is_full(limited: Redis) -> None:
    hold(limited)
    keep(limited, 5)
    fill_to(limited, 1.2)
    outbox = Outbox(limited, WORKSPACE, flush_job(WORKSPACE))
    before = set(limited.scan_iter())
    with pytest.raises(StoreError, match=FULL):
        outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    given = {f"{PREFIX}{name}".encode() for name in ("kept", "journal")}
    assert lengths(limited) == (0, 0)
    assert set(limited.scan_iter()) | given == before


def test_intake_takes_in_again_once_there_is_room(limited: Redis) -> None:
    hold(limited)
    fill_to(limited, 1.2)
    outbox = Outbox(limited, WORKSPACE, flush_job(WORKSPACE))
    with pytest.raises(StoreError):
        outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    limited.delete(PREFIX + "dead")
    deadline = time.monotonic() + 40 * LOOK_SECONDS
    while True:
        try:
            assert outbox.accept(mapped("d1", person(), event("1001")), b"{}").events == 1
            break
        except StoreError:
            assert time.monotonic() < deadline


def test_the_figure_is_asked_for_a_few_times_a_second_and_more_often_when_it_is_high() -> None:
    asked: list[float] = []
    now = 100.0

    def look() -> tuple[int, int]:
        asked.append(now)
        return (10 if now < 101 else 70 if now < 102 else 90, 100)

    gauge = Gauge(look, lambda: None, clock=lambda: now)
    answers = []
    for hundredth in range(0, 300, 2):
        now = 100 + hundredth / 100
        answers.append(gauge.is_full())
    assert answers[:100] == [False] * 100
    assert answers[103:] == [True] * 47
    assert len([at for at in asked if at < 101]) == 4
    assert 10 <= len([at for at in asked if 101 <= at < 102]) <= 20
    # Twice each time, since something may have given way in between.
    assert 20 <= len([at for at in asked if at >= 102]) <= 40


def test_what_gives_way_keeps_it_from_being_full() -> None:
    used = [95]

    def relieve() -> None:
        used[0] = 60

    gauge = Gauge(lambda: (used[0], 100), relieve)
    assert not gauge.is_full()
    assert used == [60]


@pytest.mark.parametrize(
    ("memory", "share"), [((10, 0), 0.0), ((0, 0), 0.0), ((50, 100), 0.5), ((110, 100), 1.1)]
)
def test_no_limit_is_never_full(memory: tuple[int, int], share: float) -> None:
    assert pressure.share(memory) == share
