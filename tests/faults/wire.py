"""HTTP byte by byte, as hostile and broken clients speak it."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from edge.lab import Web, Webhook

REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 414, 417, 431, 501, 503, 505})
"""What a client may be answered that is no 200; 500 is a fault of ours."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer on a connection."""

    status: int
    body: bytes


def lines(webhook: Webhook, target: str = "/webhooks/shopify") -> list[bytes]:
    """Request line and headers of a delivery, without a length and without the blank line."""
    head = [f"POST {target} HTTP/1.1", "Host: localhost"]
    head += [f"{name}: {value}" for name, value in webhook.headers().items()]
    return [line.encode("latin-1") for line in head]


def request(
    webhook: Webhook, *extra: bytes, body: bytes | None = None, sized: bool = True
) -> bytes:
    """A whole request; `body` stands for the delivery's own, whose length is told if `sized`."""
    head = lines(webhook)
    if sized:
        head.append(b"Content-Length: %d" % len(webhook.body))
    return joined(*head, *extra) + (webhook.body if body is None else body)


def joined(*head: bytes) -> bytes:
    return b"\r\n".join(head) + b"\r\n\r\n"


def chunked(body: bytes, size: int = 1_000, end: bytes = b"0\r\n\r\n") -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def connect(web: Web, seconds: float = 10) -> socket.socket:
    return socket.create_connection(web.address, timeout=seconds)


def speak(web: Web, data: bytes, seconds: float = 10) -> list[Answer]:
    """All that is answered to these bytes, after which nothing more comes from us."""
    said = b""
    # Who hangs up before everything is read resets the connection.
    with suppress(ConnectionError), connect(web, seconds) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        while piece := peer.recv(65_536):
            said += piece
    return answers(said)


def hear(peer: socket.socket) -> Answer:
    """The next answer on a connection that stays open."""
    said = b""
    while True:
        piece = peer.recv(65_536)
        assert piece, "the server hung up"
        said += piece
        with suppress(ValueError, StopIteration):
            (found,) = answers(said)
            if b"Content-Length: %d\r\n" % len(found.body) in said:
                return found


def answers(said: bytes) -> list[Answer]:
    """The answers that a connection's bytes are; ValueError where they are anything else."""
    found = []
    while said:
        if said.startswith(CONTINUE):
            said = said.removeprefix(CONTINUE)
            continue
        head, blank, rest = said.partition(b"\r\n\r\n")
        version, status, *_ = head.split(b" ", 2)
        if not blank or not version.startswith(b"HTTP/1."):
            raise ValueError(said[:200])
        named = [line.lower().partition(b":") for line in head.split(b"\r\n")[1:]]
        size = int(next(value for name, _, value in named if name == b"content-length"))
        found.append(Answer(int(status), rest[:size]))
        said = rest[size:]
    return found


@contextmanager
def flooded(web: Web, requests: Sequence[bytes], at_once: int = 8) -> Iterator[None]:
    """Meanwhile another process sends these requests over and over, over so many connections.

    Another process, so that it takes no time from the one that measures.
    """
    spawn = multiprocessing.get_context("spawn")
    stop, begun = spawn.Event(), spawn.Event()
    arguments = (web.address, list(requests), at_once, begun, stop)
    flood = spawn.Process(target=_flood, args=arguments, daemon=True)
    flood.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        stop.set()
        flood.join(60)
    assert flood.exitcode == 0


def _flood(address, requests, at_once, begun, stop) -> None:
    peers: list[socket.socket] = []
    try:
        while not stop.is_set():
            for number in range(at_once):
                if number == len(peers):
                    peers.append(socket.create_connection(address, timeout=10))
                try:
                    peers[number].sendall(requests[number % len(requests)])
                except OSError:
                    peers[number].close()
                    peers[number] = socket.create_connection(address, timeout=10)
            for peer in peers:
                with suppress(OSError):
                    peer.recv(65_536)
            begun.set()
    finally:
        for peer in peers:
            peer.close()
