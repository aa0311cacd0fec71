"""The Redis that commands ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from adapter.errors import SettingsError, StoreError
from adapter.settings import Settings

_ADDRESS = "adapter.redis"
"""Where the address of the Redis that a command asks is noted, in click's context."""


def redis_url(settings: Settings) -> str | None:
    """REDIS_URL, else the embedded server that runs here, else None."""
    from adapter.embedded import find_running

    return settings.redis_url or find_running(settings.data_dir)


def at_the_end(close: Callable[[], object]) -> None:
    """Have it called when the command is over, however it ends."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.find_root().call_on_close(close)


def ask_redis(url: str) -> Any:
    """A client of the server under a URL, for as long as the command runs."""
    from adapter.store.connection import connect

    redis = connect(url, "worker")
    at_the_end(redis.connection_pool.disconnect)
    return redis


def open_redis(settings: Settings) -> Any:
    """Raises SettingsError where there is none to ask."""
    from adapter.store.connection import address

    url = redis_url(settings)
    if url is None:
        raise SettingsError(
            [f"REDIS_URL is not set, and no embedded server runs in {settings.data_dir}."]
        )
    redis = ask_redis(url)
    if (context := click.get_current_context(silent=True)) is not None:
        context.find_root().meta[_ADDRESS] = address(redis)
    return redis


def complaint(error: StoreError) -> str:
    """What a StoreError says, with the address of the Redis that this command has asked."""
    context = click.get_current_context(silent=True)
    where = context.find_root().meta.get(_ADDRESS) if context is not None else None
    said = str(error)
    return said.replace("Redis:", f"Redis at {where}:", 1) if where else said
