"""Intake: webhooks a second and latency with two gevent workers, 3 kB and 13 kB orders.

The adapter, the naive receiver and the floor take turns in every round, each with the load
generator, the two workers and Valkey on the same CPUs.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import count

from bench.bodies import LARGE, SMALL
from bench.load import Generator, Load
from bench.processes import Place, busy_seconds, cpu_seconds, place
from bench.tables import Figure, Goal, Result, Table, ms, percent, quantile, rate, times, us

GOAL_TIMES_NAIVE = 2.5
GOAL_OF_FLOOR = 0.80
SIZES = {SMALL: "3 kB orders", LARGE: "13 kB orders"}
CONNECTIONS = 32
PACE = 200.0
"""Webhooks a second at which all of them keep up: latency there is a matter of the receiver, at
full load it is one of the queue before it."""

RECEIVERS = {
    "floor: HMAC, json.loads, EVALSHA": "bench.floor:create()",
    "naive: Flask, SET NX, enqueue": "bench.naive:create()",
    "adapter": None,
}
FLOOR, NAIVE, ADAPTER = RECEIVERS

_firsts = count(1_000_000, 1_000_000)


def run(*, quick: bool) -> Result:
    rounds, seconds = (2, 1.0) if quick else (5, 4.0)
    paced_rounds, paced_seconds = (1, 1.0) if quick else (3, 4.0)
    result = Result("intake: 2 gevent workers, every delivery and order a new one")
    with ExitStack() as stack:
        where = stack.enter_context(place())
        webs = {
            name: stack.enter_context(where.web(f"web-{number}", app, **_environ(name)))
            for number, (name, app) in enumerate(RECEIVERS.items())
        }
        names = list(RECEIVERS)
        for fixture, size in SIZES.items():
            full: dict[str, list[_Round]] = {name: [] for name in names}
            for number in range(rounds):
                for name in names if number % 2 else reversed(names):
                    full[name].append(_round(where, *webs[name], seconds, fixture))
            _add_full(result, size, full)
        paced: dict[str, list[Load]] = {name: [] for name in names}
        for _ in range(paced_rounds):
            for name in names:
                paced[name].append(_round(where, *webs[name], paced_seconds, SMALL, PACE).load)
        _add_paced(result, paced)
    return result


def _environ(name: str) -> dict[str, str]:
    """The naive receiver has gunicorn's gevent worker as it is, not ours."""
    return {"GUNICORN_CMD_ARGS": "--worker-class gevent"} if name == NAIVE else {}


class _Round:
    """One round, and the CPU time of the web processes, of Valkey and of all else in it."""

    def __init__(self, load: Load, web: float, valkey: float, busy: float) -> None:
        self.load = load
        self.web = web
        self.valkey = valkey
        self.others = max(0.0, busy - web - valkey - load.cpu)


def _round(
    where: Place, port: int, master: int, seconds: float, fixture: str, pace: float = 0.0
) -> _Round:
    where.redis.flushall()
    first = next(_firsts)
    with Generator(port, seconds, first, CONNECTIONS, pace, fixture=fixture) as generator:
        generator.begin()
        before = cpu_seconds(master), cpu_seconds(where.server.pid), busy_seconds()
        load = generator.result()
        after = cpu_seconds(master), cpu_seconds(where.server.pid), busy_seconds()
    return _Round(load, *(now - then for now, then in zip(after, before, strict=True)))


def _add_full(result: Result, size: str, full: dict[str, list[_Round]]) -> None:
    cpus = os.cpu_count() or 1
    rates = {name: Figure.of(each.load.rate for each in found) for name, found in full.items()}
    costs = {
        name: Figure.of(each.web / len(each.load.latencies) for each in found)
        for name, found in full.items()
    }
    table = Table(
        f"{size}, as fast as it goes, {CONNECTIONS} keep-alive connections",
        (
            "receiver",
            "webhooks",
            "of floor",
            "of naive",
            "p50",
            "p99",
            "503s",
            "CPU a webhook",
            "CPU: web",
            "Valkey",
            "load generator",
            "others",
        ),
    )
    for name, found in full.items():
        share = [
            percent(Figure.of(cpu / (each.load.seconds * cpus) for each, cpu in pairs).median)
            for pairs in (
                [(each, each.web) for each in found],
                [(each, each.valkey) for each in found],
                [(each, each.load.cpu) for each in found],
                [(each, each.others) for each in found],
            )
        ]
        p50, p99 = _latencies([each.load for each in found])
        refused = str(sum(each.load.unavailable for each in found))
        table.add(
            name,
            rates[name].shown(rate),
            percent(rates[name].ratio(rates[FLOOR]).median),
            times(rates[name].ratio(rates[NAIVE]).median),
            ms(p50.median),
            ms(p99.median),
            refused,
            us(costs[name].median),
            *share,
        )
        label = f"{size}: {name}"
        result.figures[f"{label}: webhooks a second"] = rates[name]
        result.figures[f"{label}: p50"], result.figures[f"{label}: p99"] = p50, p99
        result.figures[f"{label}: CPU seconds of web a webhook"] = costs[name]
    table.notes += [
        f"CPU shares: of all {cpus} CPUs, medians; others: what else ran",
        "CPU a webhook: of the web processes; steadier than webhooks a second",
        f"CPU a webhook, floor beside adapter: {costs[FLOOR].ratio(costs[ADAPTER]).shown(percent)}",
        f"CPU a webhook, naive beside adapter: {costs[NAIVE].ratio(costs[ADAPTER]).shown(times)}",
    ]
    result.tables.append(table)
    of_floor, of_naive = (rates[ADAPTER].ratio(rates[other]) for other in (FLOOR, NAIVE))
    result.goals += [
        Goal(f"{size}: intake, share of the floor", of_floor, GOAL_OF_FLOOR, False, percent),
        Goal(f"{size}: intake beside naive", of_naive, GOAL_TIMES_NAIVE, False, times),
    ]


def _add_paced(result: Result, paced: dict[str, list[Load]]) -> None:
    table = Table(f"{PACE:.0f} webhooks a second, 3 kB orders", ("receiver", "p50", "p99"))
    for name, loads in paced.items():
        p50, p99 = _latencies(loads)
        table.add(name, p50.shown(ms), p99.shown(ms))
        result.figures[f"{name}: paced p50"], result.figures[f"{name}: paced p99"] = p50, p99
    result.tables.append(table)


def _latencies(loads: list[Load]) -> tuple[Figure, Figure]:
    return (
        Figure.of(quantile(load.latencies, 0.50) for load in loads),
        Figure.of(quantile(load.latencies, 0.99) for load in loads),
    )
