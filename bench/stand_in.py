"""A stand-in for Customer.io that costs next to nothing: it waits, answers 200 `{}`, and counts.

It runs as threads of the measuring process, which itself only waits meanwhile. It checks nothing;
whether what is sent is right is the sandbox's business.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Self

_ITEM = b'"type":"person"'
_SPACED = b'"type": "person"'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One POST: when its first byte came and its answer left (monotonic seconds), what it held."""

    arrived: float
    answered: float
    bytes: int
    items: int


class StandIn:
    """Serves while the block lasts. `delay` (seconds before an answer) may be changed meanwhile."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.kept: list[bytes] | None = None
        """Where the bodies of POSTs go, once there is a list."""
        self._seen: list[Seen] = []
        self._arrivals: list[float] = []
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def clear(self) -> None:
        with self._changed:
            self._seen.clear()
            self._arrivals.clear()

    def seen(self) -> list[Seen]:
        """The POSTs answered since the last `clear`, in the order of their answers."""
        with self._changed:
            return list(self._seen)

    def arrival(self, number: int, seconds: float) -> float:
        """When the POST with that number (from 0) arrived; TimeoutError when it does not."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._arrivals) > number, seconds):
                raise TimeoutError("no request arrived at the stand-in")
            return self._arrivals[number]

    def answered(self, number: int, seconds: float) -> None:
        """Blocks until so many POSTs were answered; TimeoutError when they are not."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._seen) >= number, seconds):
                raise TimeoutError(f"{len(self._seen)} of {number} requests arrived")

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="stand-in", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._changed:
            for connection in self._connections:
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while self._answer(connection):
                pass
        except OSError:
            pass
        finally:
            connection.close()
            with self._changed:
                self._connections.discard(connection)

    def _answer(self, connection: socket.socket) -> bool:
        """Take one request and answer it; False when there is none any more."""
        data = connection.recv(65536)
        arrived = time.monotonic()
        if not data:
            return False
        is_post = data.startswith(b"POST ")
        if is_post:
            with self._changed:
                self._arrivals.append(arrived)
                self._changed.notify_all()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += connection.recv(65536)
        head = data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        body = bytearray(data[end + 4 :])
        while len(body) < length:
            piece = connection.recv(min(1 << 18, length - len(body)))
            if not piece:
                return False
            body += piece
        if self.delay:
            time.sleep(self.delay)
        connection.sendall(_ANSWER)
        if is_post:
            answered = time.monotonic()
            items = body.count(_ITEM) + body.count(_SPACED)
            with self._changed:
                if self.kept is not None:
                    self.kept.append(bytes(body))
                self._seen.append(Seen(arrived, answered, len(body), items))
                self._changed.notify_all()
        return True
