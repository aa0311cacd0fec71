"""The cheap part, at the start of web and worker: what would lose or hold up webhooks."""

from __future__ import annotations

import logging
from collections.abc import Collection

from redis import Redis

from adapter.doctor import server, variables
from adapter.doctor.kinds import Finding, found
from adapter.errors import StoreError
from adapter.settings import Settings
from adapter.store.connection import address, answered
from adapter.store.health import Health

_log = logging.getLogger(__name__)


def look(
    settings: Settings, redis: Redis, platforms: Collection[str] | None = None
) -> list[Finding]:
    """Settings, secrets and Redis. A Redis that does not answer is found, not raised."""
    return [
        *variables.settings(settings),
        *variables.secrets(settings, platforms),
        *ask_redis(redis),
    ]


def ask_redis(redis: Redis) -> list[Finding]:
    try:
        return server.redis(Health(redis).server())
    except StoreError as error:
        return [gone(redis, error)]


def gone(redis: Redis, error: StoreError) -> Finding:
    """That Redis does not answer, or does and refuses."""
    kind = "redis-refuses" if answered(error) else "redis-gone"
    return found(kind, address=address(redis), error=str(error).removeprefix("Redis: "))


def warn(settings: Settings, redis: Redis, platforms: Collection[str] | None = None) -> None:
    """Log what needs somebody, with how to mend it."""
    for each in look(settings, redis, platforms):
        if each.level in ("warning", "broken"):
            _log.warning(each.text, extra={"finding": each.name, "mend": each.mend})
