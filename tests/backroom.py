"""Intake, outbox, flush and a Customer.io that listens, around what looks back at deliveries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from adapter.actions import settled
from adapter.destinations import DESTINATIONS
from adapter.flush import Office, flush
from adapter.jobs import flush_job
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Json
from adapter.replay import Replayer
from adapter.resolver import Policy
from adapter.settings import shipped
from adapter.store import refs
from adapter.store.connection import connect
from adapter.store.journal import Journal
from adapter.store.kept import Kept
from adapter.store.letters import Letters, ParkedDelivery
from adapter.store.outbox import Outbox, Settlement
from adapter.store.people import People
from adapter.transport import Transport

MAPPINGS = load(shipped("mappings"))
SHOP = "lovelace-coffee.myshopify.com"
PREFIX = "adapter:default:"
SECRET = "pepper"
ORDER_TOPIC = "orders/create"
AT = 1789394734.5


class Backroom:
    """Bodies go in through the real mappings; `flush` is what the worker does next."""

    def __init__(self, redis: Redis, url: str, redis_url: str) -> None:
        requests.delete(f"{url}/_sandbox", timeout=10)
        self.redis, self.url = redis, url
        self._client = connect(redis_url, "worker")
        outbox = Outbox(self._client, "default", flush_job("default"), secret=SECRET)
        policy = Policy(rules=MAPPINGS.rules, flat=MAPPINGS.schema.flat)
        transport = Transport(url, "sandbox-site", "sandbox-key")
        self.office = Office("default", outbox, DESTINATIONS["track"], transport, policy)
        self.kept, self.letters = Kept(redis, "default"), Letters(redis, "default")
        self.journal = Journal(redis, "default")
        redis.set(PREFIX + refs.memory("since", "shopify", SHOP, ""), 1789300000)

    def close(self) -> None:
        self.office.transport.close()
        self.office.outbox.close()
        self.letters.close()
        self._client.connection_pool.disconnect()

    def replayer(self, mappings: Mappings = MAPPINGS) -> Replayer:
        people = People(self.redis, "default", secret=SECRET)
        return Replayer(
            mappings, self.office.outbox, self.kept, self.letters, people, self.office.destination,
            self.office.policy,
        )  # fmt: skip

    def take(self, id_: str, topic: str, body: Json, at: float = AT) -> str:
        """Take one delivery in; what became of it."""
        told = Delivery("shopify", topic, id_, SHOP, int(at) + 1, at)
        raw = json.dumps(body, default=float).encode()
        return self.office.outbox.accept(settled(MAPPINGS.apply(told, body)), raw).outcome

    def order(self, id_: str, topic: str = ORDER_TOPIC, **changes: Json) -> str:
        """One about an order; by its id, another one of another person."""
        return self.take(id_, topic, order(**changes))

    def flush(self) -> None:
        """Until nothing is left that can go."""
        self.redis.delete(PREFIX + "lease")
        self.office.outbox.sweep()
        while job := self.redis.lpop("rq:queue:adapter"):
            flush(self.office, job.decode())

    def condemn(self) -> ParkedDelivery:
        """What is oldest in the outbox is parked, as if the worker had died on it again and again;
        what is parked then."""
        outbox = self.office.outbox
        self.redis.delete(PREFIX + "lease")
        outbox.sweep()
        claim = outbox.claim(self.redis.lpop("rq:queue:adapter").decode(), "t1")
        first = outbox.first()
        assert claim is not None
        assert first is not None
        outbox.settle(claim, Settlement(condemned=[(first, "the worker died")]))
        *_, parked = self.letters.parked()
        return parked

    def refuse(self, **match: str) -> None:
        """Customer.io takes all but what matches, until `heal`."""
        self._faults({"refuse": True, "times": -1, "match": match})

    def answer(self, status: int, body: str = "", **more: Any) -> None:
        """Customer.io answers the next request so, without taking anything."""
        self._faults({"status": status, "body": body, **more})

    def heal(self) -> None:
        self._faults()

    def _faults(self, *faults: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}/_sandbox/faults", json=list(faults), timeout=10)
        assert answer.status_code == 200, answer.text

    def events(self) -> list[tuple[str, str]]:
        """(name, order id) of all that people have at Customer.io."""
        people = requests.get(f"{self.url}/_sandbox/people", timeout=10).json()["people"]
        return sorted(
            (one["name"], one["attributes"].get("order_id", ""))
            for person in people
            for one in person["activity"]
            if one["type"] == "event"
        )

    def people(self) -> list[str]:
        """The ids of all that Customer.io holds."""
        people = requests.get(f"{self.url}/_sandbox/people", timeout=10).json()["people"]
        return sorted(person["id"] or "" for person in people)

    def counts(self) -> dict[str, int]:
        return {k.decode(): int(v) for k, v in self.redis.hgetall(PREFIX + "counts").items()}

    def dump(self) -> dict[str, bytes]:
        """All of Redis, but for the clock."""
        return {name.decode(): self.redis.dump(name) for name in self.redis.scan_iter()}


def order(**changes: Json) -> Json:
    raw = (shipped("fixtures") / "shopify" / "orders_create.small.json").read_bytes()
    return {**parse_body(raw), **changes}


def edited(home: Path, before: str, after: str) -> Mappings:
    """The shipped mappings with one edit of orders.yml."""
    folder = home / "mappings"
    shutil.copytree(shipped("mappings"), folder)
    file = folder / "shopify" / "orders.yml"
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return load(folder)


def without_revenue(mapping_home: Path) -> Mappings:
    """Mappings of which orders are parked: a property that must be there is looked for where
    nothing is."""
    return edited(mapping_home, "revenue: total_price", "revenue: nowhere_to_be_found")
