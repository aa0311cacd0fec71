"""Reading what is remembered under Refs, in one question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis

from adapter.compact import load
from adapter.model import Json, Ref
from adapter.store import refs, things
from adapter.store.connection import store_errors


def recall(redis: Redis, prefix: str, secret: str, wanted: Iterable[Ref]) -> dict[Ref, Json]:
    """What is kept under each; what is unknown is left out. Raises StoreError."""
    places = [(ref, *things.place(ref)) for ref in wanted]
    records = list(dict.fromkeys(record for _, record, _ in places))
    if not records:
        return {}
    names = [prefix + refs.memory(*record, secret) for record in records]
    with store_errors():
        texts: Any = redis.mget(names)
    found = {
        record: load(text) for record, text in zip(records, texts, strict=True) if text is not None
    }
    values = (
        (ref, value if part is None else value.get(part))
        for ref, record, part in places
        if (value := found.get(record)) is not None
    )
    return {ref: value for ref, value in values if value is not None}
