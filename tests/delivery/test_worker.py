"""The threads of a worker: whatever happens in one turn, the next one comes."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import event, mapped, person
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus

from adapter import worker
from adapter.errors import StoreError
from adapter.flush import Office
from adapter.store.mode import Mode, Signs
from adapter.store.outbox import Outbox
from adapter.store.room import Room


class Turns:
    """Fails in its first turns; the last one ends the thread."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.faults: list[Exception] = [ValueError("ada@example.com"), StoreError("gone")]
        self.taken = 0

    def turn(self) -> int:
        self.taken += 1
        if self.faults:
            raise self.faults.pop()
        self.stop.set()
        return 0

    make = run = pending = turn

    def sweep(self) -> tuple[int, int]:
        return self.turn(), 0

    def give(self) -> Mode:
        return Mode()


@pytest.mark.parametrize("thread", ["sweep", "purge", "room", "alerts"])
def test_a_fault_in_one_turn_ends_no_other(thread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWEEP_SECONDS", "PURGE_SECONDS", "ROOM_SECONDS", "EVERY_SECONDS"):
        monkeypatch.setattr(worker, name, 0.0)
    stop = threading.Event()
    turns: Any = Turns(stop)
    turns.look = turns.turn
    office = cast("Office", SimpleNamespace(stop=stop, outbox=turns, purger=turns))
    if thread == "sweep":
        worker._sweep(office, cast("Signs", turns))
    elif thread == "purge":
        worker._purge(office)
    elif thread == "room":
        worker._make_room(office, cast("Room", turns))
    else:
        worker._look_out(office, turns)
    assert turns.taken == 3


def test_a_full_redis_is_swept_though_it_takes_no_sign_of_life(
    outbox: Outbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 0.0)
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    redis.delete("adapter:default:lease", "rq:queue:adapter")
    stop = threading.Event()
    signs = Signs(redis, "default", dry_run=False)
    before = redis.config_get("maxmemory")["maxmemory"]

    def give(self: Signs) -> Mode:
        stop.set()
        return real(self)

    real = Signs.give
    monkeypatch.setattr(Signs, "give", give)
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] // 2)
    try:
        worker._sweep(cast("Office", SimpleNamespace(stop=stop, outbox=outbox)), signs)
    finally:
        redis.config_set("maxmemory", before)
    assert not redis.exists("adapter:default:mode")
    assert redis.llen("rq:queue:adapter") == 1


class Gone:
    """A connection that must not be asked: its lock may be held by what a signal interrupted."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"Redis was asked for {name} in a signal handler")


@pytest.fixture
def rq_worker(redis: Redis) -> Iterator[worker._Worker]:
    found = worker._Worker([Queue("adapter", connection=redis)], connection=redis)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)
    while not worker._told_to_stop.empty():
        worker._told_to_stop.get()


def test_a_signal_in_a_job_takes_no_lock_and_is_heard_before_the_next_wait(
    rq_worker: worker._Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rq_worker._state = WorkerStatus.BUSY
    monkeypatch.setattr(rq_worker, "connection", Gone())
    rq_worker.request_stop(signal.SIGTERM, None)
    assert worker._told_to_stop.get_nowait() == signal.SIGTERM
    with pytest.raises(StopRequested):
        rq_worker.dequeue_job_and_maintain_ttl(15)


def test_a_signal_while_it_waits_ends_the_wait(rq_worker: worker._Worker) -> None:
    rq_worker._state = WorkerStatus.IDLE
    with pytest.raises(StopRequested):
        rq_worker.request_stop(signal.SIGTERM, None)
    assert not worker._told_to_stop.empty()


def test_without_a_signal_it_takes_what_is_there(rq_worker: worker._Worker, redis: Redis) -> None:
    (queue,) = rq_worker.queues
    job = queue.enqueue(len, "abc")
    found = rq_worker.dequeue_job_and_maintain_ttl(1)
    assert found is not None
    assert found[0].id == job.id


def test_an_absence_is_said_once_with_its_cause(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    absence = worker._Absence()
    absence.redis = "h:1/0"
    refused = RedisConnectionError("Error 111 connecting to h:1. Connection refused.")
    line = logging.LogRecord(
        "rq.worker", logging.ERROR, "", 0, "Worker %s: could not connect to Redis instance: %s",
        ("w", refused), None,
    )  # fmt: skip
    with caplog.at_level(logging.INFO, "adapter.worker"):
        assert not absence.filter(line)
        absence.tell(refused)
        absence.over()  # too soon: what fails is tried again
        monkeypatch.setattr(worker, "QUIET_SECONDS", 0.0)
        absence.over()
        absence.over()
    assert [(one.message, one.__dict__["redis"]) for one in caplog.records] == [
        ("worker waits for Redis", "h:1/0"),
        ("Redis answers again", "h:1/0"),
    ]
    assert caplog.records[0].__dict__["reason"] == "connection refused"
    line.args = ("w", "job failed")
    assert absence.filter(line)
