"""Whether web and worker grow: what they hold in memory after the first thousand deliveries, and
after a hundred thousand. Real processes, each delivery new, all of it sent to the stand-in.

Private memory, so that what all processes share is counted for none of them.
"""

from __future__ import annotations

import time
from itertools import count

from bench.filling import told, waiting
from bench.load import Generator
from bench.processes import Place, memory_bytes, place
from bench.stand_in import StandIn
from bench.tables import Figure, Goal, Result, Table

WARM_UP, TOTAL = 1_000, 100_000
CHUNK = 5_000
"""So many requests are built ahead by the load generator."""
CONNECTIONS = 16
MAXMEMORY = "2gb"
SETTLE_SECONDS = 3.0
PATIENCE_SECONDS = 600.0
GOAL_GROWTH = 1.10

_firsts = count(1_000_000_000, 1_000_000)


def run(*, quick: bool, warm_up: int = WARM_UP, total: int = 0) -> Result:
    total = total or (5_000 if quick else TOTAL)
    result = Result("endurance: memory of web and worker")
    points = sorted({warm_up, *(n for n in (10_000, 30_000) if warm_up < n < total), total})
    table = Table("private memory, MB", ("deliveries", "web, 2 workers and master", "worker"))
    found: dict[str, list[float]] = {"web": [], "worker": []}
    with (
        place(MAXMEMORY) as where,
        StandIn() as api,
        where.web("web") as (port, web),
        where.worker(api.url) as worker,
    ):
        taken = 0
        for point in points:
            taken += _take(where, port, point - taken)
            _settle(where, taken)
            found["web"].append(memory_bytes(web))
            found["worker"].append(memory_bytes(worker.pid))
            table.add(f"{taken:,}", *(f"{found[name][-1] / 1e6:.1f}" for name in found))
    for name, values in found.items():
        result.figures[f"{name}: bytes"] = Figure.of(values)
        growth = Figure.of([values[-1] / values[0]])
        what = f"{name}: after {total:,} beside after {warm_up:,}"
        result.goals.append(Goal(what, growth, GOAL_GROWTH, True, lambda ratio: f"{ratio:.2f}x"))
    table.notes.append(
        "the worker's caches, of 4,096 names and the like, fill with the first ten thousand"
    )
    result.tables.append(table)
    return result


def _take(where: Place, port: int, deliveries: int) -> int:
    """Send so many and have them all taken in; the warm-up of each round is among them."""
    before = _seen(where)
    while (left := deliveries - (_seen(where) - before)) > 0:
        most = min(left, CHUNK)
        with Generator(port, PATIENCE_SECONDS, next(_firsts), CONNECTIONS, most=most) as generator:
            generator.begin()
            load = generator.result()
        if load.unavailable:
            raise RuntimeError(f"{load.unavailable} webhooks were answered 503")
    return _seen(where) - before


def _seen(where: Place) -> int:
    found = where.redis.hget("adapter:default:counts", "accepted")
    return int(found or 0)


def _settle(where: Place, deliveries: int) -> None:
    """Until all is sent and nobody has anything in hand."""
    until = time.monotonic() + PATIENCE_SECONDS
    while waiting(where.redis) or told(where.redis) < deliveries:
        if time.monotonic() > until:
            raise TimeoutError(f"{waiting(where.redis)} entries are still waiting")
        time.sleep(0.05)
    time.sleep(SETTLE_SECONDS)
