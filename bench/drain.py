"""Draining: one worker process against an API that takes 50 ms, and one that takes no time.

The floor is a loop that reads a stream and posts the very operations that the adapter made (see
bench/loop.py), as many at a time; adapter and floor take turns. The ceiling is what batches of
500 KB allow at 50 ms each, with operations as large as they really were. The naive ways send one
event a job: they are held to the same API, on fewer jobs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from rq import Queue

from adapter.app import WORKSPACE
from adapter.destinations.track import REQUEST_BYTES
from bench import naive
from bench.bodies import LARGE, ROOT, SMALL, Orders
from bench.filling import fill, items, outbox, told
from bench.processes import Place, cpu_seconds, free_port, place
from bench.stand_in import StandIn
from bench.tables import Figure, Goal, Result, Table, percent, rate

DELAY = 0.05
GOAL_OF_LOOP = 0.70
PATIENCE_SECONDS = 120.0
LOOP = "loop"
OUTBOX = f"adapter:{WORKSPACE}:outbox"
SIZES = {LARGE: "13 kB orders", SMALL: "3 kB orders"}
NAIVE_WORKERS = {
    "naive job each, SimpleWorker": "rq.worker.SimpleWorker",
    "naive job each, forking Worker": "rq.worker.Worker",
}


@dataclass(frozen=True, slots=True)
class Drained:
    """One time that the outbox was drained: entries and operations, in so many seconds.

    `ceiling` is operations a second; `cpu` the seconds of the worker, `valkey` those of Valkey.
    """

    entries: int
    operations: int
    requests: int
    seconds: float
    ceiling: float
    cpu: float
    valkey: float


def run(*, quick: bool) -> Result:
    rounds = 2 if quick else 5
    counts = {LARGE: 1500, SMALL: 2000} if quick else {LARGE: 3000, SMALL: 6000}
    jobs = (12, 4) if quick else (60, 25)
    delays = (DELAY, 0.0)
    result = Result("draining: one worker process, operations a second")
    table = Table(
        f"entries that wait in the outbox: {counts[LARGE]:,} large or {counts[SMALL]:,} small",
        ("sender and API", "webhooks", "operations", "a request", "of ceiling", "CPU", "Valkey"),
    )
    with place() as where:
        for fixture, count in counts.items():
            fill(where.redis, fixture, count)
            where.redis.copy(OUTBOX, fixture, destination_db="1")
            where.redis.flushdb()
        with StandIn() as api, where.worker(api.url) as worker:
            for fixture, size in SIZES.items():
                most = _operations_of(where, worker.pid, fixture, api)
                for delay in delays:
                    api.delay = delay
                    found, loops = [], []
                    for _ in range(rounds):
                        found.append(_drain(where, worker.pid, fixture, api))
                        loops.append(2 * counts[fixture] / _loop(where, fixture, api, most))
                    name = f"{size}, {delay * 1000:.0f} ms"
                    _add(table, result, f"adapter, {name}", found, ceiling=bool(delay))
                    _add_loop(table, result, name, found, Figure.of(loops))
        with _sandbox(where) as url, where.worker(url) as worker:
            found = [_drain(where, worker.pid, LARGE, url) for _ in range(1 if quick else 3)]
            _add(table, result, "adapter, 13 kB orders, 50 ms, sandbox", found, ceiling=True)
        with StandIn() as api:
            for number, (name, kind) in enumerate(NAIVE_WORKERS.items()):
                for delay in delays:
                    api.delay = delay
                    figure = _naive(where, api, kind, jobs[number])
                    label = f"{name}, {delay * 1000:.0f} ms"
                    table.add(label, rate(figure), rate(figure), "1", "", "", "")
                    result.figures[f"{label}: operations a second"] = Figure.of([figure])
    table.notes += [
        "ceiling: operations that fill a request of 500 KB, every 50 ms, by the real bytes",
        "adapter: from the wake-up to the empty outbox; naive: between first and last request",
        "CPU: the worker's, of one CPU; an order is two operations, identify and event",
    ]
    result.tables.append(table)
    return result


def _operations_of(where: Place, worker: int, fixture: str, api: StandIn) -> int:
    """Put what the adapter sends into a stream for the loop; how many went in one request."""
    api.delay, api.kept = 0.0, []
    _drain(where, worker, fixture, api)
    bodies, api.kept = api.kept, None
    with where.aside.pipeline(transaction=False) as pipe:
        for body in bodies:
            for operation in items(body):
                pipe.xadd(LOOP + fixture, {"o": operation})
            pipe.execute()
    return max(len(items(body)) for body in bodies)


def _loop(where: Place, fixture: str, api: StandIn, most: int) -> float:
    """Seconds that the bare loop takes for the same operations."""
    where.aside.copy(LOOP + fixture, LOOP, destination_db="1", replace=True)
    arguments = {"redis": where.aside_url, "stream": LOOP, "api": api.url, "most": most}
    argv = [sys.executable, "-m", "bench.loop"]
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (json.dumps(arguments), "begin"):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
        return float(said)


def _drain(where: Place, worker: int, fixture: str, api: StandIn | str) -> Drained:
    """Put the outbox back, wake the worker, and wait until all is settled.

    Nobody and nothing is known before, so every round is the same work.
    """
    redis, aside = where.redis, where.aside
    for kind in ("thing", "person", "lines"):
        if left := redis.keys(f"adapter:*:{kind}:*"):
            redis.unlink(*left)
    expected = 2 * aside.xlen(fixture)
    before = told(redis)
    if isinstance(api, StandIn):
        api.clear()
    else:
        requests.delete(f"{api}/_sandbox", timeout=10).raise_for_status()
        fault = [{"delay": DELAY, "times": -1}]
        requests.post(f"{api}/_sandbox/faults", json=fault, timeout=10).raise_for_status()
    # An empty outbox is still a key.
    aside.copy(fixture, OUTBOX, destination_db="0", replace=True)
    cpu, valkey = cpu_seconds(worker), cpu_seconds(where.server.pid)
    started = time.monotonic()
    entries, _ = outbox(redis).sweep()
    while redis.xlen(OUTBOX):
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise TimeoutError(f"{redis.xlen(OUTBOX)} of {entries} entries are still waiting")
        time.sleep(0.005)
    seconds = time.monotonic() - started
    cpu, valkey = cpu_seconds(worker) - cpu, cpu_seconds(where.server.pid) - valkey
    sent = told(redis) - before
    if 2 * sent != expected or redis.xlen(f"adapter:{WORKSPACE}:dead"):
        raise RuntimeError(f"{sent} events were sent, not {expected // 2}")
    if isinstance(api, StandIn):
        seen = api.seen()
        items, size, posts = (
            sum(each.items for each in seen),
            sum(each.bytes for each in seen),
            len(seen),
        )
    else:
        totals = requests.get(f"{api}/_sandbox/requests?summary", timeout=30).json()
        listed = [each for each in totals["requests"] if each["path"] == "/api/v2/batch"]
        items, posts = sum(each["items"] for each in listed), len(listed)
        size = sum(each["bytes"] for each in listed)
    if items != expected:
        raise RuntimeError(f"{items} operations arrived, not {expected}")
    ceiling = REQUEST_BYTES / (size / items) / DELAY
    return Drained(entries, items, posts, seconds, ceiling, cpu, valkey)


def _add_loop(table: Table, result: Result, name: str, found: list[Drained], loops: Figure) -> None:
    table.add(f"the bare loop, {name}", rate(loops.median / 2), loops.shown(rate), "", "", "", "")
    result.figures[f"loop, {name}: operations a second"] = loops
    share = Figure.of(each.operations / each.seconds for each in found).ratio(loops)
    what = f"share of the bare loop, {name}"
    result.goals.append(Goal(what, share, GOAL_OF_LOOP, False, percent))


def _add(table: Table, result: Result, name: str, found: list[Drained], *, ceiling: bool) -> None:
    webhooks = Figure.of(each.entries / each.seconds for each in found)
    operations = Figure.of(each.operations / each.seconds for each in found)
    share = Figure.of(each.operations / each.seconds / each.ceiling for each in found)
    table.add(
        name,
        rate(webhooks.median),
        operations.shown(rate),
        f"{Figure.of(each.operations / each.requests for each in found).median:.0f}",
        f"{percent(share.median)} of {rate(found[0].ceiling)}" if ceiling else "",
        percent(Figure.of(each.cpu / each.seconds for each in found).median),
        percent(Figure.of(each.valkey / each.seconds for each in found).median),
    )
    result.figures[f"{name}: operations a second"] = operations


@contextmanager
def _sandbox(where: Place) -> Iterator[str]:
    """The real sandbox, in a process of its own."""
    port = free_port()
    argv = [sys.executable, "-m", "adapter", "sandbox", "--port", str(port)]
    argv += ["--site-id", "site", "--api-key", "key"]
    with where.process("sandbox", argv) as process:
        process.wait_for_port(port)
        yield f"http://127.0.0.1:{port}"


def _naive(where: Place, api: StandIn, kind: str, jobs: int) -> float:
    """Jobs a second, without the worker's start."""
    where.redis.flushdb()
    api.clear()
    queue = Queue(naive.QUEUE, connection=where.redis)
    orders = Orders(LARGE)
    for number in range(jobs):
        queue.enqueue(naive.deliver, orders.topic, json.loads(orders.body(number)))
    argv = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--quiet", "-w", kind, naive.QUEUE]
    environ = {"RQ_REDIS_URL": where.server.url, "CUSTOMERIO_TRACK_URL": api.url}
    with where.process("naive", argv, **environ) as process:
        process.wait_until(lambda: len(api.seen()) >= jobs, PATIENCE_SECONDS)
        process.wait(30)
    seen = api.seen()
    return (jobs - 1) / (seen[-1].answered - seen[0].answered)
