"""A TCP connection that can be slow, cut, frozen or gone: it stands between a process and a server.

Bytes are passed on as they are; `delay` holds up every piece of them on its way to the server.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_PIECE = 65_536


class Link:
    """Listens on a port of its own and passes everything on to `target`.

    `delay` gives the seconds that the next piece is held up; it may be replaced at any time.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self.delay: Callable[[], float] = lambda: 0.0
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flows.set()
        self.down()

    def down(self) -> None:
        """Connections are refused, those that are there are cut."""
        # A thread that waits in accept keeps a closed socket listening; shutdown wakes it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        self._listener = self._listen(self.port)

    def cut(self) -> None:
        """Every connection ends under the feet of both sides."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _end(*pair)

    def freeze(self) -> None:
        """Nothing passes any more, and nothing is cut."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = near, far
            with self._lock:
                self._pairs.add(pair)
            for source, sink, slowed in ((near, far, True), (far, near, False)):
                args = (pair, source, sink, slowed)
                threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        slowed: bool,
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._flows.wait()
                if slowed and (seconds := self.delay()):
                    time.sleep(seconds)
                sink.sendall(piece)
        _end(*pair)
        with self._lock:
            self._pairs.discard(pair)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        # shutdown wakes whoever waits in recv; close alone would not.
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
