"""What is kept of a shop's products, to enrich the lines of events with.

| name | kind | holds | lives |
|-|-|-|-|
| `product:<platform>:<shop>:<id>` | text | Product as JSON: id, as_of, removed, ... | 400 days |

A record is written by the step that takes a webhook in (`accept`) and by a load of many (`store`),
in both by one rule: unless a newer one is there. A removed product stays as a mark, so that an
older body does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis

from adapter.compact import dump, load
from adapter.jobs import flush_job
from adapter.model import Product, Ref
from adapter.store.connection import store_errors
from adapter.store.scripts import Scripts

PRODUCT_SECONDS = 400 * 86400

CALL_BYTES = 512 * 1024
"""Of so many bytes of records one call is made, so that webhooks need not wait long for it."""


def product(platform: str, shop: str, id_: str) -> str:
    """One product of one shop. Ids are short: the platform makes them."""
    return f"product:{platform}:{shop}:{id_}"


class Catalog:
    """The products of a workspace's shops. Every method raises StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, workspace, flush_job(workspace))

    def read(self, wanted: Iterable[Ref]) -> dict[Ref, Product]:
        """What is known of products, in one question; what is unknown is left out."""
        wanted = list(wanted)
        if not wanted:
            return {}
        names = [self._scripts.prefix + product(*ref[1:]) for ref in wanted]
        with store_errors():
            values: Any = self._redis.mget(names)
        return {
            ref: Product.from_json(load(value))
            for ref, value in zip(wanted, values, strict=True)
            if value is not None
        }

    def store(self, platform: str, shop: str, products: Sequence[Product]) -> list[bool]:
        """Write products down; False for each of which something newer was known."""
        stored: list[bool] = []
        arguments: list[str | bytes | int] = []
        size = 0
        for each in products:
            record = dump(each.to_json())
            arguments += [product(platform, shop, each.id), record, each.as_of]
            size += len(record)
            if size >= CALL_BYTES:
                stored += self._call(arguments)
                arguments, size = [], 0
        return stored + self._call(arguments) if arguments else stored

    def _call(self, arguments: Sequence[str | bytes | int]) -> list[bool]:
        with store_errors():
            answer = self._scripts.call("catalog", PRODUCT_SECONDS, *arguments)
        return [bool(each) for each in answer]
