"""A look at everything, with a real Valkey and a webhook that listens."""

from __future__ import annotations

import logging
import time

import pytest
from redis import Redis

from adapter.herald import Herald, Word
from adapter.lookout import Lookout, load_rules
from adapter.settings import shipped
from adapter.store.alerts import Ground, States

from .conftest import Channel

PREFIX = "adapter:default:"
RULES = load_rules([shipped("mappings")])
NOW = time.time()


def lookout(redis: Redis, herald: Herald | None) -> Lookout:
    return Lookout(Ground(redis, "default"), States(redis, "default"), RULES, herald)


def pause(redis: Redis, *, on: bool = True) -> None:
    redis.hset(PREFIX + "trouble", "paused", int(on))
    redis.hset(PREFIX + "last_error", mapping={"reason": "answered 401", "at": 1})


def test_from_firing_to_over(
    redis: Redis, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    look = lookout(redis, Herald(channel.url)).look_now
    caplog.set_level(logging.WARNING, "adapter")
    look(NOW)
    assert channel.said == []
    pause(redis)
    redis.hincrby(PREFIX + "counts", "dead", 12)
    look(NOW + 60)
    (said,) = channel.said
    assert "ALERT delivery_paused: Customer.io refuses us" in said
    assert "ALERT dead_letters: dead letters grow: 12 more lately, 0 lie there" in said
    assert said.index("delivery_paused") < said.index("dead_letters"), "the gravest first"
    # Another worker, after a restart: it was told.
    lookout(redis, Herald(channel.url)).look_now(NOW + 120)
    assert len(channel.said) == 1
    pause(redis, on=False)
    look(NOW + 180)
    look(NOW + 240)
    assert len(channel.said) == 1
    look(NOW + 180 + 600)
    assert channel.said[1].splitlines()[1] == (
        "OVER delivery_paused: Customer.io refuses us: delivery is paused: no more, after 12 min"
    )
    logged = [(one.levelname, one.getMessage(), one.__dict__["rule"]) for one in caplog.records]
    assert logged == [
        ("WARNING", "alert", "dead_letters"),
        ("ERROR", "alert", "delivery_paused"),
        ("WARNING", "alert over", "delivery_paused"),
    ]


def test_nobody_listens_for_a_while(
    redis: Redis, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    look = lookout(redis, Herald(channel.url)).look_now
    pause(redis)
    channel.answer = 500
    look(NOW)
    look(NOW + 60)
    assert channel.said == []
    channel.answer = 200
    look(NOW + 120)
    look(NOW + 180)
    assert len(channel.said) == 1
    said = [one.getMessage() for one in caplog.records]
    assert said.count("alert") == 1
    assert said.count("alerts not delivered, tried again") == 2
    assert "s3cret" not in caplog.text


def test_who_never_answers_well_is_asked_less_and_less(redis: Redis, channel: Channel) -> None:
    """It may have told somebody every time, and only answered too late."""
    look = lookout(redis, Herald(channel.url)).look_now
    pause(redis)
    channel.answer = 500
    for minute in range(4 * 60):
        look(NOW + 60 * minute)
    assert len(channel.heads) == 9
    channel.answer = 200
    for minute in range(4 * 60, 5 * 60):
        look(NOW + 60 * minute)
    assert len(channel.said) == 1


def test_without_a_webhook_the_log_is_enough(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    look = lookout(redis, None).look_now
    pause(redis)
    for at in range(5):
        look(NOW + 60 * at)
    assert [one.getMessage() for one in caplog.records] == ["alert"]
    (state,) = States(redis, "default").read().values()
    assert state.told == NOW


def test_many_workers_look_once(redis: Redis, channel: Channel) -> None:
    pause(redis)
    workers = [lookout(redis, Herald(channel.url)) for _ in range(4)]
    assert sum(bool(each.look(NOW)) for each in workers) == 1
    assert len(channel.said) == 1


def test_hours_in_which_nothing_moves_are_marked(redis: Redis) -> None:
    pause(redis)
    look = lookout(redis, None)
    look.look_now(NOW)
    assert Ground(redis, "default").facts(NOW).history.held == {int(NOW) // 3600}


def test_a_word_gets_through_as_text(channel: Channel) -> None:
    assert Herald(channel.url).tell("<!here> a & b") == Word(True, "answered 200")
    assert channel.said == ["&lt;!here&gt; a &amp; b"]
    (head,) = channel.heads
    assert head["Content-Type"] == "application/json"
    assert head["path"] == "/services/T0/B0/s3cret"


@pytest.mark.parametrize(("status", "said"), [(404, "answered 404"), (302, "answered 302")])
def test_a_word_that_nobody_takes(channel: Channel, status: int, said: str) -> None:
    channel.answer = status
    assert Herald(channel.url).tell("a") == Word(False, said)
    assert len(channel.heads) == 1, "it goes nowhere else"


def test_nobody_there() -> None:
    word = Herald("http://127.0.0.1:1/s3cret").tell("a")
    assert word == Word(False, "no answer: ConnectionError")
