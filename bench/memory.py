"""What the memory of a store takes in Redis, by kind of key, and what a store needs by its orders.

A real Valkey is filled by the real code: mapping, intake, flushes against an API that takes all.
`MEMORY USAGE` says what each key takes with its name, the difference of `used_memory` what all of
it takes: what is between them are the tables that hold the keys, shared out to each key alike.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from redis import Redis
from rq import Queue

from adapter.app import WORKSPACE
from adapter.destinations import DESTINATIONS
from adapter.destinations.base import Request, Response
from adapter.flush import Office, flush
from adapter.jobs import flush_job
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery
from adapter.resolver import Policy
from adapter.store import refs
from adapter.store.outbox import Outbox
from adapter.transport import Transport
from bench import naive
from bench.bodies import FIXTURES, LARGE, MAPPINGS, SMALL, Orders
from bench.processes import place
from bench.tables import Figure, Result, Table

PREFIX = refs.prefix(WORKSPACE)
TWO_PARTS = ("thing", "waiting", "person")
"""Kinds of keys that are told apart by what stands behind them as well."""

STORES = {10_000: 300, 1_000_000: 5_000, 10_000_000: 50_000}
"""Orders in 400 days, and products in the catalog."""

CUSTOMERS, WEBHOOKS, EVENTS, CARTS, CHECKOUTS, CART_BODIES = 0.5, 10, 4, 3, 1.5, 4
"""How many there are to one order: new customers, webhooks of all topics, events, carts, checkouts
(the order's own among them), and bodies of each cart."""

_CART, _CHECKOUT, _PRODUCT = (
    "carts_update.discount.json",
    "checkouts_create.json",
    "products_update.json",
)


def run(*, quick: bool) -> Result:
    count = 300 if quick else 5_000
    result = Result("memory: what is kept in Redis, bytes")
    with place() as where:
        store = _Store(where.redis)
        bytes_of = _measure(store, count)
        naive_of = _naive(where.redis, store, count)
    table = Table(f"{count:,} of each", ("what", "bytes"))
    for name, value in bytes_of.items():
        table.add(name, f"{value:,.0f}")
        result.figures[name] = Figure.of([value])
    table.notes.append("MEMORY USAGE with its name, and its share of the tables that hold all keys")
    result.tables += [table, _beside(bytes_of, naive_of), needs(bytes_of)]
    result.figures |= {name: Figure.of([value]) for name, value in naive_of.items()}
    return result


def _beside(bytes_of: Mapping[str, float], naive_of: Mapping[str, float]) -> Table:
    """What waits, what is dead and what is known here, beside the naive way's."""
    table = Table("beside a naive RQ job, bytes", ("what", "3 kB order", "13 kB order"))
    rows = {
        "pending: entry in the outbox": "entry in the outbox, {} order",
        "the body, kept and compressed": "body kept, {} order",
        "dead letter, one of two an order": "dead letter, {} order",
        "naive: queued job": "naive queued job, {} order",
    }
    both = {**bytes_of, **naive_of}
    for what, name in rows.items():
        table.add(what, *(f"{both[name.format(size)]:,.0f}" for size in ("3 kB", "13 kB")))
    for what, name in (
        ("delivery id, 48 h", "delivery id"),
        ("naive: delivery id, 48 h", "naive delivery id"),
    ):
        table.add(what, *([f"{both[name]:,.0f}"] * 2))
    table.notes.append("a dead letter holds its delivery's body as well, for it may be replayed")
    return table


def _naive(redis: Redis, store: _Store, count: int) -> dict[str, float]:
    """Bytes of what the naive receiver leaves in Redis for one order. Empties Redis first."""
    found = {}
    for fixture, size in ((SMALL, "3 kB"), (LARGE, "13 kB")):
        orders = Orders(fixture)
        redis.flushall()
        queue = Queue(naive.QUEUE, connection=redis)
        queue.enqueue(naive.deliver, orders.topic, {})
        before = store.used()
        for number in range(count):
            queue.enqueue(naive.deliver, orders.topic, json.loads(orders.body(number)))
        found[f"naive queued job, {size} order"] = (store.used() - before) / count
    redis.flushall()
    before = store.used()
    for _ in range(count):
        redis.set(f"seen:{Orders(SMALL).delivery().id}", 1, nx=True, ex=172_800)
    found["naive delivery id"] = (store.used() - before) / count
    return found


def needs(bytes_of: Mapping[str, float]) -> Table:
    """What stores of several sizes need once all lifetimes have passed: orders x these."""
    order = sum(bytes_of[name] for name in bytes_of if name.startswith("order: "))
    parts: dict[str, Callable[[float], float]] = {
        "orders, 400 days": lambda n: n * order,
        "checkouts without an order, 400 days": lambda n: (
            n * (CHECKOUTS - 1) * bytes_of["checkout: owner and cart, owner of the cart"]
        ),
        "content of carts, 90 days": lambda n: n * CARTS * 90 / 400 * bytes_of["cart: content"],
        "business keys, 30 days": lambda n: n * EVENTS * 30 / 400 * bytes_of["business key"],
        "carts of nobody, 72 h": lambda n: (
            n * (CARTS - 1) * CART_BODIES * 3 / 400 * bytes_of["waiting cart body, 2 lines"]
        ),
        "bodies kept, 72 h or 256 MiB": lambda n: min(
            256 * 2**20, n * WEBHOOKS * 3 / 400 * bytes_of["body kept, 3 kB order"]
        ),
        "delivery ids, 48 h": lambda n: n * WEBHOOKS * 2 / 400 * bytes_of["delivery id"],
        "an hour's outage, five times the mean": lambda n: (
            n * WEBHOOKS * 5 / 400 / 24 * bytes_of["entry in the outbox, 3 kB order"]
        ),
    }
    for_good: dict[str, Callable[[float], float]] = {
        "customers, for good": lambda n: n * CUSTOMERS * bytes_of["customer"],
        "the ledger, for good": lambda n: n * bytes_of["order in the ledger"],
    }
    table = Table("a store needs", ("orders in 400 days", *(f"{n:,}" for n in STORES)))
    catalog = {n: products * bytes_of["product, 2 variants"] for n, products in STORES.items()}
    for name, part in {**parts, **for_good}.items():
        table.add(name, *(_size(part(n)) for n in STORES))
    table.add("catalog", *(_size(catalog[n]) for n in STORES))
    total = {n: sum(part(n) for part in (*parts.values(), *for_good.values())) for n in STORES}
    table.add("all of it", *(_size(total[n] + catalog[n]) for n in STORES))
    table.add(
        "each further 400 days, for good",
        *(_size(sum(part(n) for part in for_good.values())) for n in STORES),
    )
    table.notes += [
        (
            f"to one order: {CUSTOMERS} new customers, {WEBHOOKS} webhooks, {EVENTS} events, "
            f"{CARTS} carts of {CART_BODIES} bodies, {CHECKOUTS} checkouts"
        ),
        "products: " + ", ".join(f"{products:,}" for products in STORES.values()),
    ]
    return table


def _measure(store: _Store, count: int) -> dict[str, float]:
    """Bytes of each thing. Everything goes the way that webhooks go."""
    found: dict[str, float] = {}
    orders = Orders(SMALL)
    numbers = range(count)

    store.take(map(_product, numbers))
    products, before = store.keys(), store.used()

    small = [(orders.delivery(), orders.body(number)) for number in numbers]
    store.take(small)
    store.drain()
    first = store.keys()
    share = max(0.0, _beyond(store.used() - before, products, first))

    def each(kind: str, kinds: _Keys = first) -> float:
        return kinds.mean(kind) + share

    found["product, 2 variants"] = each("product", products)
    found["delivery id"] = each("dedupe")
    found["business key"] = each("key")
    names = {
        "thing:order": "order: owner, what was told of it",
        "thing:cart": "order: owner of its cart, which is sold",
        "thing:checkout": "order: owner and cart of its checkout, which is sold",
    }
    found.update((name, each(kind)) for kind, name in names.items())
    found["customer"] = each("person:id") + each("person:email")

    # The same people order again: their records grow by what the ledger keeps of an order.
    people = Orders(SMALL, first=count)
    store.take((people.delivery(), _of_customer(people.body(n), count + n, n)) for n in numbers)
    store.drain()
    again = store.keys()
    found["order in the ledger"] = again.mean("person:id") - first.mean("person:id")
    found["customer"] -= found["order in the ledger"]

    store.take(map(_cart, numbers))
    store.drain()
    found["waiting cart body, 2 lines"] = each("waiting:cart", store.keys())
    store.take(map(_checkout, numbers))
    store.drain()
    carts = store.keys()
    found["cart: content"] = each("lines", carts)
    found["checkout: owner and cart, owner of the cart"] = sum(
        each(kind, carts) for kind in ("thing:cart", "thing:checkout")
    )

    for fixture, size in ((SMALL, "3 kB"), (LARGE, "13 kB")):
        few = Orders(fixture, first=10 * count)
        was = store.usage("parked")
        store.take(
            (replace(few.delivery(), topic="orders/unknown"), few.body(number))
            for number in numbers
        )
        found[f"parked delivery with its body, {size} order"] = (
            store.usage("parked") - was
        ) / count
    for fixture, size in ((LARGE, "13 kB"), (SMALL, "3 kB")):
        orders = Orders(fixture, first=20 * count if fixture == LARGE else 30 * count)
        kept, dead, letters = store.usage("kept"), store.usage("dead"), store.length("dead")
        store.take((orders.delivery(), orders.body(number)) for number in numbers)
        found[f"entry in the outbox, {size} order"] = store.usage("outbox") / count
        found[f"body kept, {size} order"] = (store.usage("kept") - kept) / count
        store.drain(refuse=True)
        letters = store.length("dead") - letters
        found[f"dead letter, {size} order"] = (store.usage("dead") - dead) / letters
    return found


def _beyond(used: int, before: _Keys, after: _Keys) -> float:
    """What a new key took beyond its own memory."""
    return (used - (after.bytes - before.bytes)) / (after.count - before.count)


@dataclass(slots=True)
class _Keys:
    """How many keys of each kind there are, and what they take."""

    numbers: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.numbers.total()

    @property
    def bytes(self) -> int:
        return self.sizes.total()

    def mean(self, kind: str) -> float:
        return self.sizes[kind] / self.numbers[kind]


class _Store:
    """The embedded Valkey, with intake before and a worker behind it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._mappings = load(MAPPINGS)
        self._outbox = Outbox(redis, WORKSPACE, flush_job(WORKSPACE), secret="a secret")
        self._office = _office(self._outbox, self._mappings, _Taking("http://127.0.0.1", "", ""))
        self._refused = _office(self._outbox, self._mappings, _Refusing("http://127.0.0.1", "", ""))

    def take(self, webhooks: Iterable[tuple[Delivery, bytes]]) -> None:
        for delivery, raw in webhooks:
            accepted = self._outbox.accept(self._mappings.apply(delivery, parse_body(raw)), raw)
            if accepted.outcome not in ("accepted", "parked"):
                raise RuntimeError(f"{delivery.topic}: {accepted.outcome}")

    def drain(self, *, refuse: bool = False) -> None:
        """Flush until nothing is left, what is released on the way included."""
        office = self._refused if refuse else self._office
        while self._redis.xlen(PREFIX + "outbox"):
            self._outbox.sweep()
            lease: Any = self._redis.get(PREFIX + "lease") or b""
            flush(office, lease.decode().removeprefix("job:"))

    def used(self) -> int:
        """Bytes of all data, once what clients and the append-only file have in hand is away."""
        time.sleep(1.2)  # the file is written once a second
        info = self._redis.info("memory")
        return int(info["used_memory"] - info["mem_clients_normal"] - info["mem_aof_buffer"])

    def usage(self, name: str) -> int:
        return int(self._redis.memory_usage(PREFIX + name, samples=0) or 0)

    def length(self, stream: str) -> int:
        return int(self._redis.xlen(PREFIX + stream))

    def keys(self) -> _Keys:
        found = _Keys()
        names = list(self._redis.scan_iter(PREFIX + "*", count=1000))
        for start in range(0, len(names), 1000):
            part = names[start : start + 1000]
            with self._redis.pipeline(transaction=False) as pipe:
                for name in part:
                    pipe.memory_usage(name, samples=0)
                for name, size in zip(part, pipe.execute(), strict=True):
                    kind = _kind(name.decode().removeprefix(PREFIX))
                    found.numbers[kind] += 1
                    found.sizes[kind] += size
        return found


class _Taking(Transport):
    """An API that takes everything."""

    def send(self, _request: Request, *, seconds: float = 0.0) -> Response:
        del seconds  # it answers at once
        return Response(200, {}, b"{}")


class _Refusing(Transport):
    """An API that takes nothing of what is in a batch."""

    def send(self, request: Request, *, seconds: float = 0.0) -> Response:
        del seconds
        items = range(len(json.loads(request.body)["batch"]))
        errors = [{"batch_index": n, "reason": "invalid", "field": "name"} for n in items]
        return Response(207, {}, json.dumps({"errors": errors}).encode())


def _office(outbox: Outbox, mappings: Mappings, transport: Transport) -> Office:
    return Office(
        workspace=WORKSPACE,
        outbox=outbox,
        destination=DESTINATIONS["track"],
        transport=transport,
        policy=Policy(rules=mappings.rules, flat=mappings.schema.flat),
        names=mappings.names,
    )


def _kind(name: str) -> str:
    parts = name.split(":")
    return ":".join(parts[:2]) if parts[0] in TWO_PARTS and len(parts) > 1 else parts[0]


def _webhook(topic: str, fixture: str, names: Mapping[str, str]) -> tuple[Delivery, bytes]:
    """A fixture under other names; it may not matter in which order they are replaced."""
    text = json.dumps(json.loads((FIXTURES / fixture).read_text("utf-8")), separators=(",", ":"))
    for old, new in names.items():
        if old not in text:
            raise RuntimeError(f"{fixture} holds no {old}")
        text = text.replace(old, new)
    return replace(Orders(SMALL).delivery(), topic=topic), text.encode()


def _product(number: int) -> tuple[Delivery, bytes]:
    return _webhook("products/update", _PRODUCT, {"8840127463715": f"{7_000_000_000_000 + number}"})


def _cart_token(number: int) -> str:
    return f"hWN1kC{number:021d}"


def _cart(number: int) -> tuple[Delivery, bytes]:
    return _webhook("carts/update", _CART, {"hWN1kT8bz6XnJqA1uFsT3gH5-eM": _cart_token(number)})


def _checkout(number: int) -> tuple[Delivery, bytes]:
    names = {
        "hWN1kT3nq8LcVdJ0aYbR4fZ2-mX": _cart_token(number),
        "b91f6c0a7d2e4858a3c5e17f90d2b648": f"c{number:031x}",
        "8274950138263": f"{8_000_000_000_000 + number}",
        "ada@example.com": f"ada.{number}@example.com",
    }
    return _webhook("checkouts/create", _CHECKOUT, names)


def _of_customer(raw: bytes, number: int, other: int) -> bytes:
    """The order of customer `number` as one of customer `other`."""
    text = raw.decode().replace(f"{8_000_000_000_000 + number}", f"{8_000_000_000_000 + other}")
    return text.replace(f"ada.{number}@", f"ada.{other}@").encode()


def _size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"
