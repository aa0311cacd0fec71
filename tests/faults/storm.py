"""The storms: what is done to an adapter while it is under load.

A storm is a function of the `Ground`, entered in `STORMS` under its name. It lets deliveries in
(`load.let`, `load.reach`) and breaks things meanwhile. When it returns, everything is mended, the
rest of the load is let in, and once all is quiet the oracle judges (`play`).

Each has a short form, part of every run, and a long one, with TORTURE=1.
"""

from __future__ import annotations

import json
import random
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.lab import until
from redis.exceptions import RedisError

from .ground import Ground
from .load import KINDS, QUIET_SHOP, Load, Story, about_one_person, faults_of, plan
from .oracle import Verdict, judge, look

Weather = Callable[[Ground], None]
Stories = Callable[[int, int], list[Story]]


@dataclass(frozen=True, slots=True)
class Storm:
    """`deliveries` are about how many, short and long; `stories` makes them of a seed and that."""

    weather: Weather
    deliveries: tuple[int, int]
    stories: Stories
    workers: int
    lanes: int


STORMS: dict[str, Storm] = {}


def storm(
    short: int,
    long: int,
    *,
    workers: int = 1,
    lanes: int = 6,
    poison: Sequence[str] = (),
    stories: Stories | None = None,
) -> Callable[[Weather], Weather]:
    """Decorator: enters a storm under its function's name."""

    def entered(weather: Weather) -> Weather:
        made = stories or (lambda seed, deliveries: plan(seed, deliveries, poison=poison))
        STORMS[weather.__name__] = Storm(weather, (short, long), made, workers, lanes)
        return weather

    return entered


def play(home: Path, name: str, seed: int, *, long: bool) -> Verdict:
    """The storm from its beginning to its verdict."""
    one = STORMS[name]
    stories = one.stories(seed, one.deliveries[long])
    chance = random.Random(f"{name} {seed}")
    poison = faults_of(stories)
    began = time.monotonic()
    with Ground.open(home, chance, long=long, workers=one.workers, poison=poison) as ground:
        assert ground.web is not None
        with Load(ground.web.url, stories, seed, lanes=one.lanes) as load:
            ground.load = load
            one.weather(ground)
            ground.weather()
            book = load.finish()
            began_draining = time.monotonic()
            ground.workspace.drained(300)
            drained = time.monotonic() - began_draining
        seen = look(ground.sandbox.url, ground.redis)
        verdict = judge(book, seen, ground.breaks)
        if verdict.wrong:
            (home / "requests.json").write_text(json.dumps(ground.sandbox.requests()))
            ground.notes.append(f"every request is in {home}/requests.json")
        told = [
            f"{name}: seed {seed}, {load.total} deliveries, {time.monotonic() - began:.1f} s",
            f"drained {drained:.1f} s after the last was taken; answers {dict(book.answers)}",
            f"{seen.requests} requests, {seen.faulty} went wrong, {seen.taken_unknown} yet taken",
            f"dead {len(seen.dead)}, parked {len(seen.parked)}",
            *ground.notes,
            str(verdict),
        ]
        print("\n  ".join(told), flush=True)
        for process in (ground.web.process, *ground.workers):
            if "Traceback" in process.said:
                verdict.strange.append(f"{process.log.name}: {process.said[-3000:]}")
        return verdict


def _steps(ground: Ground, count: int) -> list[int]:
    """How many deliveries to let in before each of `count` deeds; the rest come after them."""
    assert ground.load is not None
    return [max(1, ground.load.total // (count + 1))] * count


def _amid(ground: Ground, step: int) -> None:
    """Let so many in, and come back when a random part of them was taken: not by the clock, which
    says nothing of how far they are."""
    load = ground.load
    assert load is not None
    already = load.done
    load.let(step)
    load.reach(already + ground.chance.randint(1, step))


def _through(ground: Ground, some: int = 1) -> None:
    """Let deliveries in, a few at a time, until the weather has happened or nothing is left."""
    load = ground.load
    assert load is not None

    def happened() -> bool:
        if ground.is_used_up() or load.over:
            return True
        if ground.workspace.pending() == 0:
            load.let(some)
            load.reach(load.done + 1)
        return False

    until(happened, "the weather has happened", 600 if ground.long else 300)


# --- processes ----------------------------------------------------------------------------------


@storm(220, 4000, workers=2, poison=("refused", "rejected"))
def processes_die(ground: Ground) -> None:
    """SIGKILL and SIGTERM of workers and of the web process, which are started again at once."""
    chance = ground.chance
    deeds: list[tuple[str, Any]] = [
        ("worker", signal.SIGKILL),
        ("web", "child"),
        ("worker", signal.SIGTERM),
        ("web", "all"),
        ("web", "politely"),
        ("worker", signal.SIGKILL),
        ("web", "master"),
    ]
    if ground.long:
        deeds = [chance.choice(deeds) for _ in range(50)]
    chance.shuffle(deeds)
    # Long enough that some die with a request under way.
    ground.climate({"delay": 0.25, "times": -1})
    for (what, how), step in zip(deeds, _steps(ground, len(deeds)), strict=True):
        _amid(ground, step)
        if what == "worker":
            ground.kill_worker(how)
        else:
            ground.kill_web(how)


# --- Redis --------------------------------------------------------------------------------------


@storm(160, 3000, workers=2)
def redis_dies(ground: Ground) -> None:
    """Killed and started again. Its append-only file is written with `appendfsync always`: what a
    host may lose within the second of `everysec` is no promise, see docs/guarantees.md."""
    times = 12 if ground.long else 2
    ground.climate({"delay": 0.1, "times": -1})
    for step in _steps(ground, times):
        _amid(ground, step)
        with ground.breaking():
            ground.valkey.kill()
            ground.pause(0.1, 2.0)
            ground.valkey.start()


@storm(120, 2000)
def redis_is_slow(ground: Ground) -> None:
    """Each piece on its way there is held up, then everything stands still, then is cut."""
    chance = ground.chance
    steps = _steps(ground, 30 if ground.long else 6)
    for turn, step in enumerate(steps):
        if turn % 3 == 0:
            longest = chance.choice((0.02, 0.1, 0.4))
            ground.to_redis.delay = lambda longest=longest: random.uniform(0, longest)
            _amid(ground, step)
        elif turn % 3 == 1:
            _amid(ground, step)
            with ground.breaking():
                ground.redis.client_pause(round(chance.uniform(200, 1800)), all=True)
                ground.redis.ping()
        else:
            _amid(ground, step)
            with ground.breaking():
                ground.to_redis.cut()
    ground.to_redis.delay = lambda: 0.0


# A Redis that is full has a test of its own, test_full.py.


# --- Customer.io --------------------------------------------------------------------------------

BUSY = [
    {"status": 500},
    {"status": 503},
    {"status": 502, "body": "<html>bad gateway</html>"},
    {"status": 408},
    {"status": 425},
    {"status": 429},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 503, "headers": {"Retry-After": "2"}},
    {"status": 500, "apply": True},
    {"status": 503, "apply": True},
    {"body": "<html>all is well</html>"},
    {"body": '{"errors": "many"}'},
    {"body": '{"errors": [{"batch_index": 100000, "reason": "x", "field": "y"}]}'},
    {"status": 207, "body": "{}"},
    {"status": 207, "body": "{", "apply": True},
    {"close": True},
    {"close": True, "apply": True},
    {"drip": 1.5},
    {"drip": 0.5, "status": 500},
]
"""Answers after which everything waits; some of them come although the batch was taken."""

REFUSING = [
    {"status": 401},
    {"status": 403},
    {"status": 404},
    {"status": 301, "headers": {"Location": "https://elsewhere.example.com/"}},
    {"status": 307, "headers": {"Location": "/api/v2/batch"}},
]
"""Answers after which delivery pauses: they speak of host and credentials."""


@storm(170, 4000, poison=KINDS)
def answers(ground: Ground) -> None:
    """Every kind of answer, each once or several times in a row, with poison among the items."""
    chance, load = ground.chance, ground.load
    assert load is not None
    busy, refusing = list(BUSY), list(REFUSING)
    if ground.long:
        busy, refusing = busy * 8, refusing * 3
    chance.shuffle(busy)
    share = -(-len(busy) // len(refusing))
    for fault, step in zip(refusing, _steps(ground, len(refusing)), strict=True):
        some, busy = busy[:share], busy[share:]
        most = (1, 1, 1, 2, 6) if ground.long else (1, 1, 1, 2)
        # Behind the poison: what the storm lets pass must not make poison harmless.
        ground.climate(*({**one, "times": chance.choice(most)} for one in some))
        _amid(ground, step // 2)
        _through(ground)
        # Until it pauses, and mended before it goes on: with a refusal that ends between a request
        # and the question whether host and credentials work, the content would be to blame.
        with ground.patient("pauses"):
            ground.climate({**fault, "times": -1})
            load.let(max(1, step // 2))
            until(lambda: _paused(ground) or load.over, "delivery pauses", 120)
            ground.weather()


def _paused(ground: Ground) -> bool:
    try:
        return ground.redis.hget("adapter:default:trouble", "paused") == b"1"
    except RedisError:
        return False


_BLAME = "-+-+-+"


@storm(120, 3000)
def flapping(ground: Ground) -> None:
    """Requests fail at random, more often than not, for long: no item is to blame for that.

    An item that fails four times while the host is well three times in between is dead whoever is
    to blame, so that row (bad, good, bad, good, bad, good) is left out.
    """
    chance = ground.chance
    for _ in range(20 if ground.long else 2):
        bad = chance.uniform(0.4, 0.8)
        row = "".join("-" if chance.random() < bad else "+" for _ in range(40))
        while _BLAME in row:
            row = row.replace(_BLAME, "--+--+")
        ground.weather(*({"status": 500} if sign == "-" else {"delay": 0.01} for sign in row))
        _through(ground, 4)


@storm(100, 1500)
def silence(ground: Ground) -> None:
    """No answer within the time that a request may take: before the batch was taken, after it, and
    the batch taken when nobody waits for it any more."""
    kinds: list[dict[str, Any]] = [
        {"status": 503, "delay": 16.0},
        {"delay": 16.0},
        {"delay": 17.0, "late": True},
    ]
    kinds *= 4 if ground.long else 1
    ground.chance.shuffle(kinds)
    for fault, step in zip(kinds, _steps(ground, len(kinds)), strict=True):
        ground.weather(fault)
        _amid(ground, step)
        ground.used_up()
    if ground.long:
        ground.weather({"drip": 30.0})
        ground.used_up()


@storm(160, 4000, poison=("breaks",))
def outage(ground: Ground) -> None:
    """The host refuses, takes and says nothing, is cut off, is slow, and comes back."""
    chance = ground.chance
    for step in _steps(ground, 4):
        longest = 5.0 if ground.long else 1.2
        ground.climate(*({"delay": chance.uniform(0.1, longest)} for _ in range(6)))
        _amid(ground, step)
        with ground.breaking():
            ground.to_api.cut()
        _amid(ground, max(1, step // 4))
        with ground.breaking():
            ground.to_api.down()
            ground.pause(*((120, 200) if ground.long else (1.0, 3.0)))
            ground.to_api.up()
        with ground.breaking():
            ground.to_api.freeze()
            ground.pause(0.5, 3.0)
            ground.to_api.thaw()


# --- load ---------------------------------------------------------------------------------------


@storm(400, 10_000, lanes=1, stories=about_one_person)
def one_person(ground: Ground) -> None:
    """All of it about one person, most of it in few large batches."""
    load = ground.load
    assert load is not None
    with ground.patient():
        ground.weather({"status": 503, "headers": {"Retry-After": "300"}})
        load.let(load.total // 2)
        load.reach(load.total // 2)
        ground.used_up()
    load.rest()


def _two_shops(seed: int, deliveries: int) -> list[Story]:
    flood = plan(seed, deliveries)
    quiet = plan(seed + 1, 30, shop=QUIET_SHOP, first=500_000, bystanders=False)
    return quiet + flood


@storm(400, 8000, stories=_two_shops, lanes=6)
def flood(ground: Ground) -> None:
    """One shop floods while a quiet one sends now and then; how long that takes is told."""
    load = ground.load
    assert load is not None
    load.rest()
    load.reach(load.total)
    ground.workspace.drained(300)
    quiet = {
        one.webhook.id: one
        for one in load.book.taken
        if one.webhook.shop == QUIET_SHOP and one.facts
    }
    arrived = {
        (person["id"], event["name"]): event["received_at"]
        for person in ground.sandbox.everybody()
        for event in person["activity"]
        if event["type"] == "event"
    }
    waits = sorted(
        arrived[fact.who, fact.event] - load.book.at[id_]
        for id_, one in quiet.items()
        for fact in one.facts
        if (fact.who, fact.event) in arrived
    )
    assert waits
    answers = sorted(load.book.seconds)
    ground.notes.append(
        f"the quiet shop: {len(waits)} events at Customer.io after"
        f" {statistics.median(waits):.3f} s (median), {waits[-1]:.3f} s (longest);"
        f" answers within {answers[len(answers) * 99 // 100]:.3f} s (p99)"
    )


# --- time ---------------------------------------------------------------------------------------


@storm(160, 3000, workers=2, poison=("refused",))
def clock_goes_back(ground: Ground) -> None:
    """The clocks of web process and workers jump to and fro, mostly back."""
    day = 86_400.0
    jumps = [-3600.0, -day, 0.5, -400 * day, 300.0, -5.0]
    if ground.long:
        jumps = [ground.chance.choice(jumps) for _ in range(40)]
    for jump, step in zip(jumps, _steps(ground, len(jumps)), strict=True):
        ground.set_clock(jump)
        _amid(ground, step)
    ground.set_clock(0.0)
    kept = ground.redis.xrange("adapter:default:kept")
    received = [json.loads(fields[b"d"])["received_at"] for _, fields in kept]
    jumped = sum(abs(time.time() - at) > 1000 for at in received)
    assert jumped, "no clock was off"
    ground.notes.append(f"{jumped} of {len(received)} were received at another time than now")
