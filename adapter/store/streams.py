"""Reading streams of any length, a page at a time. All raise StoreError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis

from adapter.store.connection import store_errors

PAGE = 200
Fields = Mapping[bytes, bytes]


def oldest_first(
    redis: Redis, name: str, low: str = "-", high: str = "+", *, page: int = PAGE
) -> Iterator[tuple[str, Fields]]:
    """Ids and fields of what a stream holds between two ids."""
    while True:
        with store_errors():
            found: Any = redis.xrange(name, low, high, page)
        for id_, fields in found:
            yield id_.decode(), fields
        if len(found) < page:
            return
        low = f"({found[-1][0].decode()}"


def newest_first(redis: Redis, name: str, *, page: int = PAGE) -> Iterator[tuple[str, Fields]]:
    """Ids and fields of all that a stream holds."""
    high = "+"
    while True:
        with store_errors():
            found: Any = redis.xrevrange(name, high, "-", page)
        for id_, fields in found:
            yield id_.decode(), fields
        if len(found) < page:
            return
        high = f"({found[-1][0].decode()}"


def item(redis: Redis, name: str, id_: str) -> Fields | None:
    """The fields of one item; None where it is not there."""
    with store_errors():
        found: Any = redis.xrange(name, id_, id_)
    return found[0][1] if found else None


def order_of(id_: str) -> tuple[int, int]:
    """By which ids are older and newer than others."""
    at, _, number = id_.partition("-")
    return int(at), int(number)


def millisecond(id_: str) -> int:
    """When an item was added; Redis builds ids from Unix milliseconds."""
    return int(id_.partition("-")[0])
