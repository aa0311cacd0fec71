"""Connections to Redis, each with the patience that its user can afford."""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswerError
from redis.retry import Retry

from adapter.errors import StoreError

TURN_SECONDS = 0.5
"""How long a webhook waits for a connection while all are in use."""

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


class Line:
    """Sends single commands over a few connections of its own: the hot path of every webhook.

    It does what the library's pool does, less what a webhook cannot afford: no look at the socket
    before each use (a connection that turns out to be dead is replaced, and the command sent once
    more, which is why only commands that may be sent twice go this way), and whoever waits for a
    connection gets one in the order of asking. With the library's pool, which lets newcomers pass,
    a burst on 32 connections starved single webhooks until they were answered 503.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._idle: list[Any] = []
        self._turns = _Turns(self._pool.max_connections)

    def call(self, *command: str | bytes | int) -> Any:
        """The answer to one command. Raises RedisError."""
        if not self._turns.take(TURN_SECONDS):
            raise NoConnectionError("no connection is free")
        try:
            return self._call(command)
        finally:
            self._turns.give()

    def close(self) -> None:
        """Close the idle connections."""
        while (connection := self._take()) is not None:
            connection.disconnect()

    def _call(self, command: tuple[str | bytes | int, ...]) -> Any:
        connection = self._take() or self._connection()
        try:
            return self._ask(connection, command)
        except (NoConnectionError, NoAnswerError):
            # The others are as old as this one, so most likely as dead.
            self.close()
            return self._ask(self._connection(), command)

    def _ask(self, connection: Any, command: tuple[str | bytes | int, ...]) -> Any:
        try:
            connection.send_command(*command, check_health=False)
            answer = connection.read_response()
        except ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:
            # An answer may still come over it, and would be taken for the next command's.
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer

    def _take(self) -> Any:
        """An idle connection, the one used last; None when there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connection(self) -> Any:
        # The second try is ours: with the library's own beneath it, a Redis whose packets are
        # dropped would be waited for four times over, and longer than a webhook can.
        once = {"retry": Retry(NoBackoff(), 0)}
        return self._pool.connection_class(**{**self._pool.connection_kwargs, **once})


class _Turns:
    """A semaphore that is first come, first served; for threads and for gevent's greenlets."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def take(self, seconds: float) -> bool:
        """Take a place; False when none became free in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(seconds):
            return True
        with self._lock:
            if mine.is_set():  # handed over in the very last moment
                return True
            self._waiting.remove(mine)
            return False

    def give(self) -> None:
        """Give a place back: to who waits longest, if anybody does."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
