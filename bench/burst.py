"""How long stores wait for an answer while a burst is drained on the same machine.

Webhooks come at a steady pace, before the burst and while the worker empties an outbox of 20,000
orders as fast as it can. All of it shares the CPUs: web processes, worker, Valkey, the API's
stand-in and the load generator.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

from bench.bodies import SMALL
from bench.filling import fill, told
from bench.load import Generator
from bench.processes import Place, place
from bench.stand_in import StandIn
from bench.tables import Figure, Goal, Result, Table, ms, quantile, rate

PACE = 50.0
CONNECTIONS = 16
GOAL_SECONDS = 0.050
PATIENCE_SECONDS = 120.0

_firsts = count(50_000_000, 1_000_000)


def run(*, quick: bool, burst: int = 0) -> Result:
    rounds, burst = (1, burst or 2_000) if quick else (3, burst or 20_000)
    idle_seconds = 2.0 if quick else 10.0
    result = Result("burst: the acknowledgement while an outbox is drained")
    idle: list[Sequence[float]] = []
    busy: list[Sequence[float]] = []
    seconds: list[float] = []
    for _ in range(rounds):
        with place() as where, StandIn() as api, where.web("web") as (port, _):
            with (
                where.worker(api.url),
                Generator(port, idle_seconds, next(_firsts), CONNECTIONS, PACE) as generator,
            ):
                generator.begin()
                idle.append(generator.result().latencies)
            latencies, took = _drained(where, api, port, burst)
            busy.append(latencies)
            seconds.append(took)
    table = Table(
        f"{PACE:.0f} webhooks a second, 3 kB orders; a burst of {burst:,}",
        ("meanwhile", "p50", "p99", "longest"),
    )
    for name, found in {"idle": idle, "draining": busy}.items():
        p50, p99 = (Figure.of(quantile(each, share) for each in found) for share in (0.50, 0.99))
        longest = Figure.of(max(each) for each in found)
        table.add(name, p50.shown(ms), p99.shown(ms), longest.shown(ms))
        result.figures |= {f"{name}: p50": p50, f"{name}: p99": p99, f"{name}: longest": longest}
    drained = Figure.of(burst / took for took in seconds)
    result.figures["orders drained a second"] = drained
    table.notes.append(f"orders drained meanwhile: {drained.shown(rate)}")
    result.tables.append(table)
    what = "p99 of the acknowledgement while draining"
    result.goals.append(Goal(what, result.figures["draining: p99"], GOAL_SECONDS, True, ms))
    return result


def _drained(where: Place, api: StandIn, port: int, burst: int) -> tuple[Sequence[float], float]:
    """Latencies from the worker's start until the burst is sent, and how long that took."""
    before = told(where.redis)
    fill(where.redis, SMALL, burst, first=next(_firsts))
    with Generator(port, PATIENCE_SECONDS, next(_firsts), CONNECTIONS, PACE) as generator:
        generator.begin()
        began = time.monotonic()
        with where.worker(api.url):
            since = time.monotonic()
            while told(where.redis) - before < burst:
                if time.monotonic() - since > PATIENCE_SECONDS - 10:
                    raise TimeoutError(f"{told(where.redis) - before} of {burst} were sent")
                time.sleep(0.02)
            now = time.monotonic()
            latencies = generator.stop().latencies
    return latencies[int((since - began) * PACE) : int((now - began) * PACE)], now - since
