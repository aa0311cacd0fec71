"""Connections to Redis, each with the patience that its user can afford."""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Literal

from hiredis import pack_command
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import TimeoutError as NoAnswerError
from redis.retry import Retry

from adapter.errors import StoreError

MOST_CALLS = 100
"""How many commands one write carries at the most."""

WAIT_SECONDS = 0.3
"""How long somebody waits for the line beyond what an exchange may take."""

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


class store_errors:  # noqa: N801 - it is used like a function
    """Turn everything that Redis can do to us into StoreError."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RedisError | OSError):
            raise StoreError(f"Redis: {cause(error)}") from error


def cause(error: BaseException) -> str:
    """Why Redis did not do what it was asked to, in words of ours: its own may hold what was
    asked. The name of the error where nothing is known."""
    text = str(error).casefold()
    for words, said in _CAUSES:
        if any(word in text for word in words):
            return said
    if isinstance(error, NoAnswerError | TimeoutError):
        return "timed out"
    return type(error).__name__


_CAUSES = (
    (("invalid username-password", "invalid password"), "wrong password or user"),
    (("authentication required", "authenticat"), "it asks for a password"),
    (("without any password", "no password is set"), "a password is given, but it has none"),
    (("db index is out of range", "invalid db index"), "it has no database of that number"),
    (("connection refused",), "connection refused"),
    (("name or service not known", "nodename nor servname", "no address associated",
      "name resolution"), "no such host"),
    (("no route to host", "network is unreachable"), "no way there"),
    (("no such file",), "no such socket"),
    (("permission denied",), "not allowed to connect"),
    (("timed out", "timeout"), "timed out"),
    (("ssl", "tls"), "TLS failed: is it redis://, not rediss://?"),
    (("connection closed", "connection reset", "broken pipe"), "it hung up"),
    (("no connection available",), "no connection of the pool was free"),
    (("max number of clients",), "it takes no more connections"),
    (("loading",), "it is still loading its data"),
)  # fmt: skip


def answered(error: StoreError) -> bool:
    """Whether Redis is there and has refused, as it does with a wrong password or database."""
    return isinstance(error.__cause__, ResponseError | AuthenticationError)


def address(redis: Redis) -> str:
    """host:port/database of a client, or the path of its socket: never user or password."""
    options = redis.connection_pool.connection_kwargs
    base = options.get("db") or 0
    if path := options.get("path"):
        return f"{path}, database {base}"
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}/{base}"


class Line:
    """One connection that many share, with group commit: the hot path of every webhook.

    Whoever finds the line free sends what has gathered (its own command, when nobody else is
    there), reads all answers and hands the line on. So a lone command goes out at once, and under
    load one write carries many: fewer system calls, and one connection a process where hosted
    plans count them. Everybody is served in the order of asking.

    A connection that turns out to be dead is replaced and all of it sent once more, so only
    commands that may be sent twice go this way. For threads and for gevent's greenlets alike.
    """

    def __init__(self, redis: Redis) -> None:
        pool: Any = redis.connection_pool
        self._make = pool.connection_class
        # One try for an exchange: what is tried again is the whole of it, here.
        self._options = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
        self._patience = 2 * float(self._options.get("socket_timeout") or 5.0) + WAIT_SECONDS
        self._connection: Any = None
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._taken = False

    def call(self, *command: str | bytes | int) -> Any:
        """The answer to one command. Raises RedisError."""
        mine = _Call(command)
        with self._lock:
            self._waiting.append(mine)
            first = not self._taken
            self._taken = True
        if not first:
            self._await(mine)
        if not mine.done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.answer

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def __del__(self) -> None:
        # What it belongs to has many owners, of whom not all say when they are done.
        with suppress(Exception):
            self.close()

    def _await(self, mine: _Call) -> None:
        """Until it is done or its turn to lead. Raises TimeoutError when that takes too long."""
        try:
            if mine.turn.wait(self._patience):
                return
            with self._lock:
                if mine in self._waiting and not mine.turn.is_set():
                    self._waiting.remove(mine)
                    raise NoAnswerError("the line was not free in time")
            # Somebody is serving it at this moment, which ends in time.
            mine.turn.wait()
        except BaseException:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    if mine.turn.is_set():
                        self._hand_on()
            raise

    def _lead(self) -> None:
        """Serve all who wait, then hand the line to the first who came meanwhile."""
        # Whoever else is ready to run comes along: under load that fills the write.
        time.sleep(0)
        with self._lock:
            calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_CALLS))]
        served = False
        try:
            self._serve(calls)
            served = True
        finally:
            with self._lock:
                if not served:
                    self.close()
                    # Who came meanwhile would only find the same, one patience later.
                    calls += self._waiting
                    self._waiting.clear()
                self._hand_on()
            for each in calls:
                if not each.done:
                    each.error = NoConnectionError("the shared connection broke")
                    each.done = True
                each.turn.set()

    def _hand_on(self) -> None:
        """With the lock held: the line goes to who waits longest, or is free."""
        self._taken = bool(self._waiting)
        if self._waiting:
            self._waiting[0].turn.set()

    def _serve(self, calls: list[_Call]) -> None:
        fresh = self._connection is None
        try:
            self._exchange(calls)
        except (NoConnectionError, NoAnswerError):
            self.close()
            if fresh:
                raise
            self._exchange(calls)

    def _exchange(self, calls: list[_Call]) -> None:
        """Send all in one write and read as many answers."""
        if self._connection is None:
            self._connection = self._make(**self._options)
            self._connection.connect()
        connection = self._connection
        # What redis would do for it as well, behind looking for other types and for blanks.
        packed = b"".join([pack_command(each.command) for each in calls])  # type: ignore[arg-type]
        connection.send_packed_command([packed], check_health=False)
        answers: list[tuple[Any, RedisError | None]] = []
        for _ in calls:
            try:
                answers.append((connection.read_response(), None))
            except ResponseError as error:
                answers.append((None, error))
        # Only now: a connection that breaks among the answers has all of it sent again.
        if any(isinstance(problem, ReadOnlyError) for _, problem in answers):
            # It was demoted while we were connected: the name may mean another server by now.
            self.close()
        for call, (answer, problem) in zip(calls, answers, strict=True):
            call.answer, call.error, call.done = answer, problem, True


class _Turn:
    """What is needed of an event for one who waits, at a third of threading.Event's cost."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def set(self) -> None:
        if self._gate.locked():
            self._gate.release()

    def is_set(self) -> bool:
        return not self._gate.locked()

    def wait(self, seconds: float = -1) -> bool:
        """False when it was not set in time; without `seconds` for ever."""
        came = self._gate.acquire(timeout=seconds)
        if came:
            self._gate.release()
        return came


class _Call:
    """One command, and its answer or error once it is done."""

    __slots__ = ("answer", "command", "done", "error", "turn")

    def __init__(self, command: tuple[str | bytes | int, ...]) -> None:
        self.command = command
        self.turn = _Turn()
        self.done = False
        self.answer: Any = None
        self.error: RedisError | None = None
