"""Which kind of worker was seen when."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from adapter.errors import StoreError
from adapter.store.connection import connect
from adapter.store.health import Status
from adapter.store.mode import FRESH_SECONDS, Mode, Signs, last


def test_nobody_was_ever_there() -> None:
    assert Mode().seen is None
    assert not Mode().dry_run
    assert not Mode().is_mixed(1000)


@pytest.mark.parametrize(
    ("mode", "dry_run", "mixed"),
    [
        (Mode(real=990), False, False),
        (Mode(dry=990), True, False),
        (Mode(real=991, dry=990), False, True),
        (Mode(real=990, dry=991), True, True),
        (Mode(real=999, dry=1000 - FRESH_SECONDS), False, False),
        (Mode(real=1000 - FRESH_SECONDS, dry=999), True, False),
    ],
)
def test_who_was_seen_last_counts(mode: Mode, dry_run: bool, mixed: bool) -> None:
    assert mode.dry_run is dry_run
    assert mode.is_mixed(1000) is mixed
    assert mode.seen in (mode.real, mode.dry)


def test_signs_are_told_apart(redis: Redis) -> None:
    before = time.time()
    mode = Signs(redis, "default", dry_run=True).give()
    assert mode.dry is not None
    assert before - 0.01 <= mode.dry <= time.time()
    assert mode.real is None
    assert Status(redis, "default").read()["dry_run"] is True
    assert redis.hkeys("adapter:default:mode") == [b"dry"]

    time.sleep(0.002)  # signs are told apart by the millisecond
    both = Signs(redis, "default", dry_run=False).give()
    assert both.dry == mode.dry
    assert both.is_mixed(time.time())
    assert Status(redis, "default").read()["dry_run"] is False
    assert Signs(redis, "another", dry_run=False).give().dry is None


def test_who_sends_after_a_dry_run_is_not_beside_it(redis: Redis) -> None:
    dry, real = (Signs(redis, "default", dry_run=kind) for kind in (True, False))
    dry.give()
    dry.leave()
    assert Status(redis, "default").read()["dry_run"] is True
    mode = real.give()
    assert mode.dry is not None, "it is known to have been there"
    assert not mode.is_mixed(time.time())
    real.leave()
    assert last(redis, "default") == mode


def test_without_redis_no_sign_is_given() -> None:
    with pytest.raises(StoreError):
        Signs(connect("redis://127.0.0.1:1", "web"), "default", dry_run=True).give()
