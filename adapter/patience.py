"""How long the web process waits for its clients, and for how many: gunicorn's gevent worker waits
for ever.

A client that takes too long is treated as one that hung up. When there are nearly as many
connections as a worker may have, a new one takes the place of the one that has waited longest, so
whoever holds connections open without sending anything shuts nobody out.

It stands outside adapter/web because gunicorn's master imports it, before gevent has patched
anything that the application is made of.
"""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import Any

import gevent
from gevent import socket
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

HEAD_SECONDS = 10.0
"""From the first byte of a request to the last of its headers."""

BODY_SECONDS = 30.0
"""From the last header to the last byte of the body."""

SEND_SECONDS = 10.0
"""For the client to take the answer, as far as it does not fit into the socket's buffer."""

LINGER_SECONDS, LINGER_BYTES = 3.0, 16 * 1024 * 1024
"""What is left of a body that was refused is read, and thrown away: closing a connection with
something unread in it resets it, and the client may never see why it was refused."""

SPARE = 16
"""Connections are made room for before there are as many as a worker may have."""

_PIECE = 64 * 1024


class Peer(socket.socket):  # type: ignore[misc]
    """A client's connection, with deadlines for everything that it may keep us waiting for.

    Whatever breaks, a deadline included, is ConnectionResetError: gunicorn takes that for a client
    that hung up, and anything else for a fault that it tells of with a traceback.
    """

    def __init__(self, client: socket.socket, idle_seconds: float) -> None:
        kind = client.family, client.type, client.proto
        super().__init__(*kind, fileno=client.detach())
        self._idle_seconds = idle_seconds
        self._waited = False
        self.awaits_request()

    def awaits_request(self) -> None:
        self._idle = True
        self.awaits(self._idle_seconds)

    def awaits(self, seconds: float) -> None:
        """What comes next must be here within so many seconds."""
        self._until = time.monotonic() + seconds

    def recv(self, *args: Any) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise _gone()
        self.settimeout(left)
        try:
            data: bytes = super().recv(*args)
        except OSError:
            raise _gone() from None
        if self._idle and data:
            self._idle = False
            self.awaits(HEAD_SECONDS)
        return data

    def sendall(self, *args: Any) -> None:
        self.settimeout(SEND_SECONDS)
        try:
            super().sendall(*args)
        except OSError:
            raise _gone() from None

    def gives_way(self) -> None:
        """Let others go first, if nothing made it wait since it did so last.

        Nothing does while a client sends requests and does not wait for answers: one that sends
        them by the thousand would be served to the last before anybody else is.
        """
        if not self._waited:
            gevent.sleep(0)
        self._waited = False

    def cut(self) -> None:
        """End it now, though another greenlet waits for it."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def _wait(self, *args: Any) -> None:
        self._waited = True
        super()._wait(*args)

    def linger(self) -> None:
        """Nothing more is said; what was still on its way here is thrown away."""
        self.awaits(LINGER_SECONDS)
        left = LINGER_BYTES
        with suppress(OSError):
            self.shutdown(socket.SHUT_WR)
            while left > 0 and (data := self.recv(_PIECE)):
                left -= len(data)


def _gone() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client took too long or hung up")


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, whose patience ends."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # In the order in which they began to wait.
        self._peers: dict[Peer, None] = {}

    def init_process(self) -> None:
        # Settings change no more, and every request asks for some thirty of them: here they are
        # found without gunicorn's search for them.
        self.cfg.__dict__.update({name: each.get() for name, each in self.cfg.settings.items()})
        super().init_process()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        peer = Peer(client, self.cfg.keepalive)
        self._peers[peer] = None
        while len(self._peers) > max(1, self.worker_connections - SPARE):
            longest = next(iter(self._peers))
            del self._peers[longest]
            longest.cut()
        try:
            super().handle(listener, peer, addr)
        finally:
            self._peers.pop(peer, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Peer, addr: Any) -> None:
        sock.awaits(BODY_SECONDS)
        self._waits_anew(sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            _is_read(req, sock)
            raise
        if not _is_read(req, sock):
            raise StopIteration
        sock.gives_way()
        sock.awaits_request()
        self._waits_anew(sock)

    def handle_error(self, req: Any, client: Peer, addr: Any, exc: BaseException) -> None:
        super().handle_error(req, client, addr, exc)
        client.linger()

    def _waits_anew(self, peer: Peer) -> None:
        if peer in self._peers:  # and was not cut
            del self._peers[peer]
            self._peers[peer] = None


def _is_read(req: Any, peer: Peer) -> bool:
    """Whether a request's body is read to its end, so that the next one may follow it.

    What the application left of it is thrown away.
    """
    peer.awaits(LINGER_SECONDS)
    left = LINGER_BYTES
    try:
        while left > 0:
            data = req.body.read(_PIECE)
            if not data:
                break
            left -= len(data)
    except (OSError, ParseException):
        left = 0
    if left > 0 and not req.body.failed:
        return True
    peer.linger()
    return False
