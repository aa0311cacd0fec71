"""What became of alerts, with a real Valkey."""

from __future__ import annotations

import time

from redis import Redis

from adapter.alerts import State
from adapter.store.alerts import TURN_SECONDS, Ground, States
from adapter.store.mode import Signs

KEY = "adapter:default:alerts"


def test_what_was_told_is_remembered(redis: Redis) -> None:
    states = States(redis, "default")
    assert states.read() == {}
    one = {("topic_silent", "shopify a.example orders/paid|x"): State(1.0, 2.0, told=3.0)}
    states.write({}, one)
    assert States(redis, "default").read() == one
    two = {("mixed", ""): State(5.0, 5.0, "both", "error")}
    states.write(one, {**one, **two})
    assert states.read() == {**one, **two}
    states.write({**one, **two}, two)
    assert states.read() == two
    states.write(two, {})
    assert not redis.exists(KEY)


def test_one_of_many_workers_has_the_turn(redis: Redis) -> None:
    states = [States(redis, "default") for _ in range(5)]
    assert [each.take_turn(f"w{at}") for at, each in enumerate(states)].count(True) == 1
    assert 0 < redis.ttl(KEY + ":turn") <= TURN_SECONDS
    redis.delete(KEY + ":turn")
    assert states[3].take_turn("w3")


def test_the_facts_are_those_of_redis(redis: Redis) -> None:
    facts = Ground(redis, "default").facts()
    assert (facts.pending, facts.dead, facts.paused, facts.mixed) == (0, 0, False, False)
    assert 0 < facts.memory < 1
    prefix = "adapter:default:"
    redis.xadd(prefix + "outbox", {"d": ""}, id=f"{int((time.time() - 1000) * 1000)}-0")
    redis.xadd(prefix + "dead", {"r": "{}"})
    redis.hset(prefix + "trouble", "paused", "1")
    redis.hset(prefix + "last_error", mapping={"reason": "answered 401", "at": 1})
    for dry in (True, False):
        Signs(redis, "default", dry_run=dry).give()
    facts = Ground(redis, "default").facts()
    assert (facts.pending, facts.dead, facts.paused, facts.mixed) == (1, 1, True, True)
    assert facts.reason == "answered 401"
    assert 1000 <= facts.pending_seconds < 1030
