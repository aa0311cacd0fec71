"""The worker process: an RQ worker that keeps its process, imports and connections.

RQ brings the wake-ups; what is to be done lies in the outbox. A thread sweeps once a second for
what no wake-up will come for: after a crash, a lost job or an ended backoff.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, get_current_job
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from adapter.app import build_office, look_for_garbage_seldom, mappings_layers, worker_redis
from adapter.errors import StoreError
from adapter.flush import Office, flush
from adapter.herald import Herald
from adapter.jobs import QUEUE
from adapter.lookout import EVERY_SECONDS, Lookout, load_rules
from adapter.settings import Settings
from adapter.store.alerts import Ground, States
from adapter.store.connection import address, cause, connect
from adapter.store.mode import SIGN_SECONDS, Signs
from adapter.store.room import Room

SWEEP_SECONDS = 1.0
IDLE_SWEEP_SECONDS = 5.0
IDLE_AFTER_SWEEPS = 60
# RQ blocks for 15 s less than this on its queue, and its socket waits 10 s more than that.
WORKER_TTL_SECONDS = 30
PURGE_SECONDS = 5.0
"""How often is looked whether something is to be erased."""

ROOM_SECONDS = 1.0
"""How often is looked whether Redis fills: a burst takes a few megabytes a second."""

NICE = 10
"""Where web and worker share a machine, stores are answered first: they wait 5 s at the most."""

RESTART_SECONDS = 2.0
END_SECONDS = 7.0
"""A worker that was told to stop is gone by then, whatever Redis does."""

QUIET_SECONDS = 10.0
"""When nothing was heard of an absence for so long it is over: there is a try every 5 s."""

_log = logging.getLogger(__name__)
_offices: dict[str, Office] = {}
# Not an Event: a signal interrupts the main thread anywhere, and an Event's lock may be its own.
_told_to_stop: SimpleQueue[int] = SimpleQueue()


def run_flush(workspace: str) -> None:
    """The RQ job. Its own id says whether the lease still means it."""
    job = get_current_job()
    if job is not None:
        flush(_offices[workspace], job.id)


class _Worker(SimpleWorker):
    """RQ's worker that does not fork, told to stop together with its flushes."""

    max_connection_wait_time = 5

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        _told_to_stop.put(signum)
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def set_shutdown_requested_date(self) -> None:
        """RQ asks Redis here, in a signal handler: for a connection whose lock may be held by what
        the signal has interrupted."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """As RQ does it, but for a signal between its last look whether to stop and its waiting,
        which was noticed only when the waiting was over."""
        self._state = WorkerStatus.IDLE
        if self._stop_requested:
            raise StopRequested
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)


def _end() -> None:
    """Stop all flushes once told so, and this process in any case.

    RQ takes its leave of a Redis that hangs for most of a minute. All that matters is settled in
    single steps, so it can be left at any of them.
    """
    _told_to_stop.get()
    for office in _offices.values():
        office.stop.set()
    time.sleep(END_SECONDS)
    _log.warning("ended without a word from Redis")
    os._exit(0)


class _Absence(logging.Filter):
    """Says once why Redis is not to be had, and that it is there again. RQ says it at every try,
    without the cause, which could hold anything; so its lines are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.redis = ""
        self._said: str | None = None
        self._at = 0.0

    def tell(self, error: RedisError) -> None:
        reason = cause(error)
        self._at = time.monotonic()
        if reason != self._said:
            self._said = reason
            _log.warning("worker waits for Redis", extra={"redis": self.redis, "reason": reason})

    def over(self) -> None:
        if self._said is not None and time.monotonic() - self._at > QUIET_SECONDS:
            self._said = None
            _log.info("Redis answers again", extra={"redis": self.redis})

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args if isinstance(record.args, tuple) else ()
        error = next((each for each in args if isinstance(each, RedisError)), None)
        if error is None or "could not connect" not in str(record.msg):
            return True
        self.tell(error)
        return False


_absence = _Absence()


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT. Redis may come and go meanwhile."""
    redis = worker_redis(settings)
    _absence.redis = address(redis)
    logging.getLogger("rq.worker").addFilter(_absence)
    office = build_office(settings, redis)
    signs = Signs(redis, office.workspace, dry_run=settings.dry_run)
    _offices[office.workspace] = office
    look_for_garbage_seldom()
    with suppress(OSError):
        os.nice(NICE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    room = Room(
        redis,
        office.workspace,
        hours=settings.retention_hours,
        most_bytes=settings.retention_bytes,
    )
    url = settings.alert_webhook_url
    rules = load_rules(mappings_layers(settings))
    ground, states = Ground(redis, office.workspace), States(redis, office.workspace)
    lookout = Lookout(ground, states, rules, Herald(url) if url else None)
    watches = {
        "sweep": lambda: _sweep(office, signs),
        "purge": lambda: _purge(office),
        "room": lambda: _make_room(office, room),
        "alerts": lambda: _look_out(office, lookout),
        "end": _end,
    }
    for name, watch in watches.items():
        threading.Thread(target=watch, name=name, daemon=True).start()
    # RQ's signal handlers stay when its worker has ended, and raise this wherever we are then.
    with suppress(StopRequested):
        while not office.stop.is_set():
            try:
                _work(settings)
            except RedisError as error:
                _absence.tell(error)
            if not office.stop.is_set():
                office.stop.wait(RESTART_SECONDS)
    office.transport.close()
    with suppress(StoreError):
        signs.leave()
    return 0


def _work(settings: Settings) -> None:
    connection = connect(settings.redis_url or "", "worker", max_connections=4)
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    worker = _Worker(
        [queue],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        log_job_description=False,
    )
    worker.log_result_lifespan = False
    worker.work(logging_level="WARNING")


def _purge(office: Office) -> None:
    """Do what erasures have left to be done in the whole of Redis. A thread of its own: with
    millions of keys it takes minutes."""
    while office.purger is not None and not office.stop.wait(PURGE_SECONDS):
        with _lasting("purge"):
            done = office.purger.run() if office.purger.pending() else 0
            if done:
                _log.info("errands done", extra={"errands": done})


def _make_room(office: Office, room: Room) -> None:
    """Let go of what is too old or too much, and of more when Redis fills. A thread of its own: the
    sweep must not wait for it."""
    while not office.stop.wait(ROOM_SECONDS):
        with _lasting("room"):
            room.make()


def _look_out(office: Office, lookout: Lookout) -> None:
    """See whether somebody must be told. A thread of its own: whom it tells may be slow."""
    seconds = 0.0
    while not office.stop.wait(seconds):
        seconds = EVERY_SECONDS
        with _lasting("alerts"):
            lookout.look()


def _sweep(office: Office, signs: Signs) -> None:
    idle = 0
    signed = -SIGN_SECONDS
    seconds = 0.0
    while not office.stop.wait(seconds):
        seconds = SWEEP_SECONDS if idle < IDLE_AFTER_SWEEPS else IDLE_SWEEP_SECONDS
        with _lasting("sweep"):
            left, parked = office.outbox.sweep()
            _absence.over()
            idle = 0 if left or parked else idle + 1
            if parked:
                _log.error("entries parked", extra={"entries": parked})
            # Last: a full Redis refuses it, and must be emptied all the same.
            if time.monotonic() - signed >= SIGN_SECONDS:
                _sign(signs)
                signed = time.monotonic()


@contextmanager
def _lasting(thread: str) -> Iterator[None]:
    """One turn of a thread that must never end: Redis may be gone for a while, and a fault of ours
    in one turn must not end all others."""
    try:
        yield
    except StoreError:
        pass
    except Exception:  # noqa: BLE001 - said, and the next turn comes
        _log.exception("a turn failed", extra={"turn": thread})


def _sign(signs: Signs) -> None:
    """A sign of life, which also tells whether it is a dry run."""
    if signs.give().is_mixed(time.time()):
        _log.error("workers with and without DRY_RUN share this Redis: stop one kind of them")
