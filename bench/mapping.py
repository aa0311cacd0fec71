"""What mapping one order costs, parsing included; beside it the same written by hand.

CPU time of this thread, not the clock's: the machine is shared, and mapping waits for nothing. The
garbage collector is set as in the web process, for both.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from adapter.mapping import Mappings, load, parse_body
from adapter.mapping.expressions import compile_text
from adapter.model import Delivery
from bench import handwritten
from bench.bodies import LARGE, MAPPINGS, SMALL, Orders
from bench.tables import Figure, Goal, Result, Table, ns, times, us

GOAL_SECONDS = 300e-6
GOAL_BESIDE_HAND = 2.0
FRESH = 1500
"""So many orders that none of their times is still in a cache when it comes round again."""
CHUNK = 50
EVALUATIONS = 20_000
GARBAGE = (50_000, 20, 20)
"""As adapter/app.py sets it."""
EXPRESSIONS = (
    "total_price",
    "customer.email",
    "total_price_set.presentment_money.amount",
    "customer.email ?? email ?? contact_email",
    "note_attributes[name=_cioanonid].value",
    "discount_codes[0].code",
    "discount_codes[].code",
    'cart_token | before("?")',
    "cancelled_at | absent",
    'source_name | lookup("web=web", "pos=pos", "*=app")',
    'payment_gateway_names | join(", ") ?? gateway',
    'landing_site | query("utm_source")',
)
ITEM_EXPRESSION = "discount_allocations[].amount | sum ?? total_discount"


def run(*, quick: bool) -> Result:
    rounds = 2 if quick else 9
    mappings = load(MAPPINGS)
    result = Result("mapping: one order, JSON parse included")
    with garbage_as_in_the_web_process():
        _orders(result, mappings, (LARGE,) if quick else (LARGE, SMALL), rounds)
        result.tables.append(_expressions(Orders(LARGE), rounds))
    return result


@contextmanager
def garbage_as_in_the_web_process() -> Iterator[None]:
    """What is loaded is not looked through again and again; afterwards all is as it was."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _orders(result: Result, mappings: Mappings, fixtures: tuple[str, ...], rounds: int) -> None:
    for fixture in fixtures:
        orders = Orders(fixture)
        bodies = [orders.body(number) for number in range(FRESH)]
        same_output(mappings, orders.delivery(), bodies[0])
        figures = _measure(mappings, orders, bodies, rounds)
        result.tables.append(_table(fixture, bodies[0], figures))
        for name, figure in figures.items():
            result.figures[f"{fixture}: {name}"] = figure
        if fixture == LARGE:
            engine, hand = figures["parse and map"], figures["by hand, parse included"]
            alone, by_hand = figures["map alone"], figures["by hand alone"]
            result.goals += [
                Goal("13 kB order, parsed and mapped", engine, GOAL_SECONDS, True, us),
                _beside("parsed and mapped, beside by hand", engine, hand),
                _beside("mapped alone, beside by hand", alone, by_hand),
            ]


def _beside(what: str, engine: Figure, hand: Figure) -> Goal:
    return Goal(what, engine.ratio(hand), GOAL_BESIDE_HAND, True, times)


def same_output(mappings: Mappings, delivery: Delivery, raw: bytes) -> None:
    """The comparison is worth nothing unless both make the same; RuntimeError where they do not."""
    mapped = mappings.apply(delivery, parse_body(raw))
    person, events, money = _by_hand(mappings, delivery, json.loads(raw))
    if mapped.person is None or mapped.person.to_json() != person:
        raise RuntimeError("the engine and the hand-written code make different people")
    if [each.to_json() for each in mapped.events] != events:
        raise RuntimeError("the engine and the hand-written code make different events")
    if mapped.ledger is None or mapped.ledger.to_json() != money:
        raise RuntimeError("the engine and the hand-written code make different ledgers")


def _by_hand(mappings: Mappings, delivery: Delivery, body: Any) -> tuple[Any, Any, Any]:
    version = mappings.schema.version
    return handwritten.order(body, "shopify", delivery.shop, version, delivery.triggered_at)


def _measure(
    mappings: Mappings, orders: Orders, bodies: list[bytes], rounds: int
) -> dict[str, Figure]:
    """Seconds a body, of each way in every round; the ways take turns chunk by chunk."""
    delivery = orders.delivery()

    def by_hand(body: Any) -> object:
        return _by_hand(mappings, delivery, body)

    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        spent: dict[str, float] = {}

        def take(
            name: str, way: Callable[[Any], object], inputs: Iterable[Any], spent: Any = spent
        ) -> None:
            started = time.thread_time()
            for each in inputs:
                way(each)
            spent[name] = spent.get(name, 0.0) + time.thread_time() - started

        for start in range(0, len(bodies), CHUNK):
            chunk = bodies[start : start + CHUNK]
            take("json.loads alone (the floor)", json.loads, chunk)
            take("parse alone", parse_body, chunk)
            take("parse and map", lambda raw: mappings.apply(delivery, parse_body(raw)), chunk)
            take("by hand, parse included", lambda raw: by_hand(json.loads(raw)), chunk)
            parsed = [json.loads(raw) for raw in chunk]
            take("by hand alone", by_hand, parsed)
        # A pass of its own: the caches must not know these times from the passes above.
        for start in range(0, len(bodies), CHUNK):
            parsed = [parse_body(raw) for raw in bodies[start : start + CHUNK]]
            take("map alone", lambda body: mappings.apply(delivery, body), parsed)
        for name, seconds in spent.items():
            found.setdefault(name, []).append(seconds / len(bodies))
    return {name: Figure.of(values) for name, values in found.items()}


def _table(fixture: str, raw: bytes, figures: dict[str, Figure]) -> Table:
    floor = figures["json.loads alone (the floor)"]
    table = Table(f"{fixture}, {len(raw):,} bytes", ("CPU time an order", "time", "of the floor"))
    for name, figure in figures.items():
        table.add(name, figure.shown(us), figure.ratio(floor).shown(times))
    table.notes.append(
        f"{FRESH} different orders, each with its own times and totals: caches help as in life"
    )
    return table


def _expressions(orders: Orders, rounds: int) -> Table:
    count = EVALUATIONS
    delivery = orders.delivery()
    body = parse_body(orders.body(0))
    table = Table("single expressions", ("expression", "time", "a second"))
    every = []
    for text in (*EXPRESSIONS, ITEM_EXPRESSION):
        evaluate = compile_text(text).evaluate
        root = body["line_items"][0] if text == ITEM_EXPRESSION else body
        values = []
        for _ in range(rounds):
            started = time.thread_time()
            for _ in repeat(None, count):
                evaluate(root, delivery)
            values.append((time.thread_time() - started) / count)
        figure = Figure.of(values)
        every.append(figure.median)
        table.add(text, figure.shown(ns), f"{1 / figure.median / 1e6:.2f} M")
    mean = sum(every) / len(every)
    table.add("mean of these", ns(mean), f"{1 / mean / 1e6:.2f} M")
    return table
