"""How it grows: with what is pending, and with the number of workspaces and workers.

With 1 k to 1 M entries pending: what taking one more in costs, what sending one costs, and what all
of them take in Redis. The pending ones are real ones, copied as often as it takes. CPU time of the
measuring process and of Valkey, not the clock's: the machine is shared.

With 1, 2 and 4 workspaces: worker processes that drain them, each its share, against an API that
takes 50 ms. On few CPUs they share what there is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

from redis import Redis

from adapter.destinations import DESTINATIONS
from adapter.flush import Office, flush
from adapter.mapping import Mappings, load
from adapter.resolver import Policy
from adapter.store import refs
from adapter.transport import Transport
from bench.bodies import MAPPINGS, ROOT, SMALL, Orders
from bench.filling import fill, outbox, take, told, waiting
from bench.processes import Place, cpu_seconds, place
from bench.stand_in import StandIn
from bench.tables import Figure, Result, Table, rate, us

PENDING = (1_000, 10_000, 100_000, 1_000_000)
TEAMS = ((1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4))
"""Workspaces, and workers that share them."""
MAXMEMORY = "8gb"
SAMPLE = 1_000
DELAY = 0.05
SEND_SECONDS = 3.0
PATIENCE_SECONDS = 300.0
PIECE = 5_000

_firsts = count(100_000_000, 1_000_000)


def run(
    *,
    quick: bool,
    pending: tuple[int, ...] = (),
    teams: tuple[tuple[int, int], ...] = (),
    sample: int = SAMPLE,
) -> Result:
    result = Result("growth: with what is pending, with workspaces and workers")
    with place(MAXMEMORY) as where:
        # Gigabytes of copies need not be on the disk of whoever measures.
        where.redis.config_set("appendonly", "no")
        _pending(result, where, pending or (PENDING[:3] if quick else PENDING), sample)
        where.redis.flushall()
        entries = 2 * sample if quick else 4 * sample
        _teams(result, where, teams or (TEAMS[:3] if quick else TEAMS), entries)
    return result


def _pending(result: Result, where: Place, sizes: tuple[int, ...], sample: int) -> None:
    redis = where.redis
    table = Table(
        f"entries pending; {sample:,} more taken in, then sent for {SEND_SECONDS:.0f} s",
        ("pending", "take one in", "of it Valkey", "send one", "of it Valkey", "MB in Redis"),
    )
    fill(redis, SMALL, sample, first=next(_firsts))
    copies = _Copies(redis)
    series: dict[str, list[float]] = {}
    box, mappings = outbox(redis), load(MAPPINGS)
    with StandIn() as api:
        for size in sizes:
            copies.grow(size - waiting(redis))
            used = redis.info("memory")["used_memory"]
            orders = Orders(SMALL, next(_firsts))
            webhooks = [(orders.delivery(), orders.body(number)) for number in range(sample)]
            took_in = _spent(where, partial(take, box, mappings, webhooks))
            before = waiting(redis)
            office = _office(redis, api.url, mappings)
            sent = _spent(where, partial(_send, redis, office, SEND_SECONDS))
            number = before - waiting(redis)
            row = {
                "take one in": sum(took_in) / sample,
                "take one in, Valkey": took_in[1] / sample,
                "send one": sum(sent) / number,
                "send one, Valkey": sent[1] / number,
                "bytes in Redis": used,
            }
            for name, value in row.items():
                series.setdefault(name, []).append(value)
            *times, space = row.values()
            table.add(f"{size:,}", *map(us, times), f"{space / 1e6:,.0f}")
    for name, values in series.items():
        result.figures[f"pending {_listed(sizes)}: {name}"] = Figure.of(values)
    table.notes.append("CPU time, the measuring process's and Valkey's together")
    result.tables.append(table)


def _spent(where: Place, work: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds of this process and of Valkey."""
    own, valkey = time.process_time(), cpu_seconds(where.server.pid)
    work()
    return time.process_time() - own, cpu_seconds(where.server.pid) - valkey


class _Copies:
    """Entries that are in the outbox, to be written into it again."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._stream = refs.prefix("default") + "outbox"
        found: Any = redis.xrange(self._stream)
        self._entries = [fields for _, fields in found]

    def grow(self, more: int) -> None:
        while more > 0:
            with self._redis.pipeline(transaction=False) as pipe:
                for number in range(min(more, PIECE)):
                    pipe.xadd(self._stream, self._entries[number % len(self._entries)])
                pipe.execute()
            more -= PIECE


def _send(redis: Redis, office: Office, seconds: float) -> None:
    """Flush until nothing is left, or so many seconds have passed."""
    end = threading.Timer(seconds, office.stop.set)
    end.start()
    try:
        while waiting(redis, office.workspace) and not office.stop.is_set():
            office.outbox.sweep()
            lease: Any = redis.get(refs.prefix(office.workspace) + "lease") or b""
            flush(office, lease.decode().removeprefix("job:"))
    finally:
        end.cancel()
        office.transport.close()


def _office(redis: Redis, api: str, mappings: Mappings, workspace: str = "default") -> Office:
    return Office(
        workspace=workspace,
        outbox=outbox(redis, workspace),
        destination=DESTINATIONS["track"],
        transport=Transport(api, "site", "key"),
        policy=Policy(rules=mappings.rules, flat=mappings.schema.flat),
        names=mappings.names,
    )


def _teams(result: Result, where: Place, teams: tuple[tuple[int, int], ...], entries: int) -> None:
    table = Table(
        f"{entries:,} orders in all, API {DELAY * 1000:.0f} ms",
        ("workspaces, workers", "operations a second"),
    )
    for workspaces, workers in teams:
        where.redis.flushall()
        names = [f"shop{number}" for number in range(workspaces)]
        for name in names:
            fill(where.redis, SMALL, entries // workspaces, first=next(_firsts), workspace=name)
        seconds = _drained(where, names, workers)
        sent = 2 * sum(told(where.redis, name) for name in names)
        speed = sent / seconds
        table.add(f"{workspaces}, {workers}", rate(speed))
        label = f"{workspaces} workspaces, {workers} workers: operations a second"
        result.figures[label] = Figure.of([speed])
    result.tables.append(table)


def _drained(where: Place, names: list[str], workers: int) -> float:
    """Seconds until as many processes have drained all workspaces, each every so many-th."""
    argv = [sys.executable, "-m", "bench.growth"]
    with StandIn(DELAY) as api, ExitStack() as stack:
        team = [
            stack.enter_context(
                subprocess.Popen(
                    argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(workers)
        ]
        for number, each in enumerate(team):
            mine = {"redis": where.server.url, "api": api.url, "names": names[number::workers]}
            _say(each, json.dumps(mine))
        for each in team:
            _hear(each)
        started = time.monotonic()
        for each in team:
            _say(each, "begin")
        for each in team:
            _hear(each)
        return time.monotonic() - started


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError("a worker has ended")


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)


def _work() -> None:
    """A worker process: its workspaces as JSON on stdin, then `begin`; a line when all is sent."""
    mine = json.loads(sys.stdin.readline())
    redis, mappings = Redis.from_url(mine["redis"]), load(MAPPINGS)
    offices = [_office(redis, mine["api"], mappings, name) for name in mine["names"]]
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "begin":
        for office in offices:
            _send(redis, office, PATIENCE_SECONDS)
        print("done", flush=True)


if __name__ == "__main__":
    _work()
