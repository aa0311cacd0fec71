"""What tests do to the server behind them, and how they look at all that it holds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis


@contextmanager
def configured(redis: Redis, name: str, value: str | int) -> Iterator[None]:
    """Another setting for a while."""
    before = redis.config_get(name)[name]
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, before)


def naming(redis: Redis, *names: str) -> list[str]:
    """Texts that name somebody, in any letter case, wherever in the server they stand."""
    return sorted(
        text for text in texts(redis) if any(name.lower() in text.lower() for name in names)
    )


def texts(redis: Redis) -> Iterator[str]:
    """Every name and every value in the whole of Redis, unpacked."""
    read: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
        b"none": lambda key: None,  # gone since it was named
    }
    for key in redis.scan_iter():
        yield key.decode()
        yield from _flat(read[redis.type(key)](key))


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, bytes):
        with suppress(zlib.error):
            value = zlib.decompress(value)
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for each in pair for text in _flat(each))
    elif isinstance(value, list | tuple | set):
        yield from (text for each in value for text in _flat(each))
