"""What a flush does at once: one batch is on its way, the one before it is written down, the one
behind it is made ready. Each entry is a batch of its own here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from adapter.errors import StoreError
from adapter.flush import Office, drain, reader

from .test_flush import (
    LEASE,
    CustomerIo,
    added,
    cart,
    fill,
    lease,
    office,
    sandbox,
    status,
    there,
    turn,
)

__all__ = ["office", "sandbox", "there"]
Settle = Callable[..., int | None]


@pytest.fixture(autouse=True)
def one_entry_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MOST_ENTRIES", 1)
    monkeypatch.setattr(reader, "READ_ENTRIES", 1)


def settling(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    does: Callable[[Settle], Settle],
    *,
    number: int = 1,
) -> None:
    """One of the batches is written down in another way, all others as ever."""
    settle = office.outbox.settle
    ways = iter([settle] * (number - 1) + [does(settle)])

    def settles(*args: Any, **more: Any) -> int | None:
        return next(ways, settle)(*args, **more)

    monkeypatch.setattr(office.outbox, "settle", settles)


def awaited(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


def after(is_so: Callable[[], bool]) -> Callable[[Settle], Settle]:
    def wait(settle: Settle) -> Settle:
        def late(*args: Any, **more: Any) -> int | None:
            awaited(is_so)
            return settle(*args, **more)

        return late

    return wait


def test_the_next_batch_is_on_its_way_while_one_is_written_down(
    office: Office,
    redis: Redis,
    there: CustomerIo,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(office, "1", "2", "3")
    settling(office, monkeypatch, after(lambda: len(there.requests()) == 2))
    turn(office, redis)
    assert there.events() == ["1", "2", "3"]
    assert len(there.requests()) == 3, "and no more than that before it is"
    assert (status(redis)["pending"], status(redis)["sent"], lease(redis)) == (0, 3, None)
    assert not [one for one in caplog.records if one.levelname == "WARNING"]


def test_what_is_not_written_down_yet_is_known_to_those_behind(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, ready = drain.prepare, list[int]()

    def counted(*args: Any) -> Any:
        batch = prepare(*args)
        ready.append(len(batch.entries))
        return batch

    monkeypatch.setattr(drain, "prepare", counted)
    office.outbox.accept(cart(0, "tea:1"), b"{}")
    fill(office, "1", who="43")
    office.outbox.accept(cart(1, "tea:2"), b"{}")
    settling(office, monkeypatch, after(lambda: len(ready) == 3))
    turn(office, redis)
    assert added(there) == [(["tea"], True), (["tea"], False)]


def test_who_lost_the_lease_meanwhile_writes_nothing_of_either(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(settle: Settle) -> Settle:
        def without_it(*args: Any, **more: Any) -> int | None:
            redis.set(LEASE, "run:another", px=9000)
            return settle(*args, **more)

        return without_it

    fill(office, "1", "2", "3")
    settling(office, monkeypatch, late)
    turn(office, redis)
    assert (status(redis)["pending"], lease(redis)) == (3, "run:another")
    redis.delete(LEASE)
    turn(office, redis)
    assert there.events() == ["1", "2", "3"], "sent twice, received once"
    assert status(redis)["pending"] == 0


def test_a_redis_that_fails_meanwhile_loses_neither(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Settle) -> Settle:
        def fails(*_: Any, **__: Any) -> int | None:
            raise StoreError("gone")

        return fails

    for number in range(3):
        office.outbox.accept(cart(number, f"tea:{number + 1}"), b"{}")
    settling(office, monkeypatch, failing)
    with pytest.raises(StoreError):
        turn(office, redis)
    assert status(redis)["pending"] == 3
    redis.delete(LEASE)
    turn(office, redis)
    assert added(there) == [(["tea"], True), (["tea"], False), (["tea"], False)]
    assert status(redis)["pending"] == 0


def test_asked_to_stop_it_writes_down_first_what_has_arrived(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    settlement, seen = drain.settlement, list[int]()

    def stopped(*args: Any) -> Any:
        seen.append(1)
        if len(seen) == 2:
            office.stop.set()
        return settlement(*args)

    def slow(settle: Settle) -> Settle:
        def late(*args: Any, **more: Any) -> int | None:
            threading.Event().wait(0.2)  # time to give the lease back too early
            return settle(*args, **more)

        return late

    monkeypatch.setattr(drain, "settlement", stopped)
    fill(office, "1", "2", "3", "4")
    settling(office, monkeypatch, slow, number=2)
    turn(office, redis)
    assert (status(redis)["sent"], status(redis)["pending"]) == (2, 2)
    office.stop.clear()
    turn(office, redis)
    assert there.events() == ["1", "2", "3", "4"]
    assert len(there.requests()) == 4, "nothing went twice"
