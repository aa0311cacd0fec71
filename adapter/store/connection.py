"""Connections to Redis, each with the patience that its user can afford."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from adapter.errors import StoreError

# A store gives up on a webhook after 5 s and counts a failure; a 503 within 1.5 s makes it try
# again in peace. The worker has nobody waiting, so it may be patient with a slow server.
_PATIENCE = {"web": 0.4, "worker": 5.0}


def connect(url: str, role: Literal["web", "worker"], *, max_connections: int = 8) -> Redis:
    """A client with a bounded pool; nothing is sent before its first use.

    A `rediss://` certificate is not verified: Heroku's and others' are self-signed.
    """
    seconds = _PATIENCE[role]
    options: dict[str, Any] = {}
    if url.startswith("rediss://"):
        options = {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        # Every script can be sent twice without harm, so one retry hides a dropped connection.
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
        **options,
    )
    return Redis(connection_pool=pool)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn everything that Redis can do to us into StoreError."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreError(f"Redis: {type(error).__name__}") from error
