"""HTTP to the destination: one session for the life of the process, and no surprises.

A ceiling of requests a second may be set; a request waits for its turn, but not for ever.

No redirects (they would drop credentials or turn POST into GET), no hidden retries, and a deadline
for the whole request: `requests` only bounds the silence between two bytes, so an answer that drips
would hold a flush for ever.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from adapter import __version__
from adapter.destinations.base import Request, Response
from adapter.errors import RetryLater
from adapter.pacing import Pacer

DEADLINE_SECONDS = 20.0
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
LONGEST_TURN_SECONDS = 20.0
"""How long a request waits for its turn. A ceiling that asks for more lets all of it wait."""

LOOK_SECONDS = 0.05
"""How soon somebody who waits for a turn notices that it is over."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024

_LENGTHS = frozenset({"content-length", "transfer-encoding"})
_WITH_BODY = frozenset(range(200, 300)) - {HTTPStatus.NO_CONTENT}

# urllib3 and http.client raise kinds of their own while a body is read.
_NO_ANSWER = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


class Transport:
    """Sends requests to one host. Not for use by several threads at once.

    `abort` may be called from any thread; it ends the request under way. With a `pacer` requests
    are spaced as it says; `stop` ends such a wait.
    """

    def __init__(
        self,
        base_url: str,
        user: str,
        password: str,
        *,
        pacer: Pacer | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._pacer = pacer
        self._stop = stop or threading.Event()
        self._base_url = base_url.rstrip("/")
        self._connections = _Connections()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (user, password)
        self._session.headers.update(
            {
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"commerce-adapter/{__version__}",
            }
        )
        adapter = _WatchedAdapter(self._connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(self, request: Request, *, seconds: float = DEADLINE_SECONDS) -> Response:
        """One request, one answer, within `seconds` in all from when its turn has come.

        Raises RetryLater when there is no whole answer: no connection, silence, a cut, the
        deadline; or when no turn comes. The text of such an error names its kind only, never host
        or body.
        """
        self._connections.is_cut = False
        self._await_turn()
        try:
            with self._deadline(seconds):
                answer = self._session.request(
                    request.method,
                    self._base_url + request.path,
                    data=request.body or None,
                    timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
                    allow_redirects=False,
                    stream=True,
                )
                with answer:
                    body = answer.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        except _NO_ANSWER as error:
            raise RetryLater(f"no answer: {type(error).__name__}") from None
        if self._connections.is_cut:
            # An answer of no stated length ends where it is cut, and looks whole.
            raise RetryLater("no answer: cut by us", status=answer.status_code)
        if len(body) > MAX_ANSWER_BYTES:
            raise RetryLater("an answer without end", status=answer.status_code)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status_code in _WITH_BODY and not body and not _LENGTHS & headers.keys():
            # http.client takes a head that was cut for a whole one: a 200 that nobody finished.
            raise RetryLater("no answer: cut before its body", status=answer.status_code)
        return Response(answer.status_code, headers, body)

    def abort(self) -> None:
        """End the request under way, if there is one; its `send` raises RetryLater."""
        self._connections.cut()

    def close(self) -> None:
        self._session.close()
        self._connections.close()

    def _await_turn(self) -> None:
        """Raises RetryLater when it is too far away, with the seconds that it is away; or when it
        is over before it has come."""
        if self._pacer is None:
            return
        left = self._pacer.seconds_left()
        if left > LONGEST_TURN_SECONDS:
            raise RetryLater("held back by RATE_LIMIT", retry_after=left)
        while left > 0:
            # Waiting for what is said to all workers, and looking for what is said to this request.
            if self._stop.wait(min(left, LOOK_SECONDS)) or self._connections.is_cut:
                raise RetryLater("ended while it waited for its turn")
            left = self._pacer.seconds_left()
        self._pacer.take()

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        done = threading.Event()

        def watch() -> None:
            until = time.monotonic() + seconds
            if done.wait(seconds):
                return
            # A connection that is only being made has no socket to cut yet, hence again.
            while not done.wait(0.05) and time.monotonic() < until + 2 * CONNECT_SECONDS:
                self._connections.cut()

        watcher = threading.Thread(target=watch, name="deadline", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()


class _Connections:
    """The session's connection (it keeps one), so that another thread can cut it."""

    def __init__(self) -> None:
        self._latest: Any = None
        self._sock: Any = None
        self.is_cut = False

    def add(self, connection: Any) -> None:
        """A connection about to be made."""
        self._latest, self._sock = connection, None

    def made(self, connection: Any) -> None:
        # A connection gives its socket away once an answer says that it is the last one
        # (`Connection: close`), while that answer may still drip.
        self._sock = connection.sock

    def cut(self) -> None:
        self.is_cut = True
        sock = self._sock or getattr(self._latest, "sock", None)
        if sock is not None:
            # shutdown, not close: it wakes the thread that waits in recv on the same socket.
            with suppress(OSError, ValueError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        # urllib3 leaves it to the garbage collector when a pool's connection is closed.
        if self._latest is not None:
            self._latest.close()


class _WatchedAdapter(HTTPAdapter):
    """Makes connections that `_Connections` knows of."""

    def __init__(self, connections: _Connections) -> None:
        self._watched = connections
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        connections = self._watched

        class Http(HTTPConnection):
            def connect(self) -> None:
                connections.add(self)
                super().connect()
                connections.made(self)

        class Https(HTTPSConnection):
            def connect(self) -> None:
                connections.add(self)
                super().connect()
                connections.made(self)

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
