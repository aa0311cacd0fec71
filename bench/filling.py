"""Taking orders in without a network, as the web process does behind its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from redis import Redis

from adapter.app import WORKSPACE
from adapter.jobs import flush_job
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery
from adapter.store import refs
from adapter.store.outbox import Outbox
from bench.bodies import MAPPINGS, Orders


def outbox(redis: Redis, workspace: str = WORKSPACE) -> Outbox:
    return Outbox(redis, workspace, flush_job(workspace), secret="a secret")


def waiting(redis: Redis, workspace: str = WORKSPACE) -> int:
    """How many entries wait in the outbox."""
    return int(redis.xlen(refs.prefix(workspace) + "outbox"))


def told(redis: Redis, workspace: str = WORKSPACE) -> int:
    """Events sent so far, as the worker counts them."""
    return int(redis.hget(refs.prefix(workspace) + "counts", "events") or 0)


def fill(
    redis: Redis, fixture: str, count: int, *, first: int = 0, workspace: str = WORKSPACE
) -> None:
    """Take so many orders in, each of another customer."""
    orders = Orders(fixture, first)
    webhooks = ((orders.delivery(), orders.body(number)) for number in range(count))
    take(outbox(redis, workspace), load(MAPPINGS), webhooks)


def take(box: Outbox, mappings: Mappings, webhooks: Iterable[tuple[Delivery, bytes]]) -> None:
    """Map deliveries and take them in; RuntimeError when one comes to nothing."""
    for delivery, raw in webhooks:
        accepted = box.accept(mappings.apply(delivery, parse_body(raw)), raw)
        if accepted.outcome not in ("accepted", "parked"):
            raise RuntimeError(f"{delivery.topic}: {accepted.outcome}")


def items(body: bytes) -> list[bytes]:
    """The operations of a request to the batch endpoint, as bytes again."""
    batch: list[Any] = json.loads(body)["batch"]
    return [json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode() for each in batch]
