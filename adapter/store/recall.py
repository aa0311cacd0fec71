"""Reading what is remembered under Refs, in one question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis

from adapter.compact import load
from adapter.model import Json, Ref
from adapter.store import refs
from adapter.store.connection import store_errors


def recall(redis: Redis, prefix: str, secret: str, wanted: Iterable[Ref]) -> dict[Ref, Json]:
    """What is kept under each; what is unknown is left out. Raises StoreError."""
    wanted = list(wanted)
    if not wanted:
        return {}
    names = [prefix + refs.memory(*ref, secret) for ref in wanted]
    with store_errors():
        values: Any = redis.mget(names)
    pairs = zip(wanted, values, strict=True)
    return {ref: load(value) for ref, value in pairs if value is not None}
