"""What a workspace remembers, written and read as the adapter keeps it."""

from __future__ import annotations

import json
from typing import Any

from redis import Redis

from adapter.model import Ref
from adapter.store import refs, things
from adapter.store.recall import recall

PREFIX = "adapter:default:"


def remember(
    redis: Redis, ref: Ref, value: Any, *, secret: str = "", seconds: int | None = None
) -> str:
    """What is kept under a Ref is this from here on, beside what else is kept of the same thing;
    the name of its key."""
    name, (_, part) = PREFIX + refs.memory(*ref, secret), things.place(ref)
    if part is not None:
        value = {**json.loads(redis.get(name) or "{}"), part: value}
    redis.set(name, json.dumps(value), ex=seconds)
    return name


def remembered(redis: Redis, ref: Ref, *, secret: str = "") -> Any:
    """What is kept under a Ref; None where nothing is."""
    return recall(redis.mget, PREFIX, secret, [ref]).get(ref)
