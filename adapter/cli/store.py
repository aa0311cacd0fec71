"""The Redis that commands ask."""

from __future__ import annotations

from typing import Any

from adapter.errors import SettingsError
from adapter.settings import Settings


def redis_url(settings: Settings) -> str | None:
    """REDIS_URL, else the embedded server that runs here, else None."""
    from adapter.embedded import find_running

    return settings.redis_url or find_running(settings.data_dir)


def open_redis(settings: Settings) -> Any:
    """Raises SettingsError where there is none to ask."""
    from adapter.store.connection import connect

    url = redis_url(settings)
    if url is None:
        raise SettingsError(
            [f"REDIS_URL is not set, and no embedded server runs in {settings.data_dir}."]
        )
    return connect(url, "worker")
