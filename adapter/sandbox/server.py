"""The sandbox as a server: a process of its own, or a thread of somebody else's.

gevent carries it, so that an answer which was told to be slow holds up nobody else. Nothing is
monkey-patched, and no request is ever logged.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import gevent.socket
from gevent.hub import get_hub
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from .api import create_sandbox

_START_SECONDS = 10


class _Server(WSGIServer):  # type: ignore[misc]
    """Answers at once: with Nagle's algorithm a small answer waits 40 ms for an ACK."""

    def do_handle(self, *args: Any) -> None:
        args[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().do_handle(*args)


class _Handler(WSGIHandler):  # type: ignore[misc]
    """Hands the application the path as it was sent, and the socket so that it can be cut."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["RAW_URI"] = self.path
        environ["sandbox.socket"] = self.socket
        return environ

    def handle_error(self, kind: type[BaseException], *rest: Any) -> None:
        if issubclass(kind, gevent.GreenletExit):
            # The server ends: whoever still waits sees the connection go, not a 500.
            self.close_connection = True
        else:
            super().handle_error(kind, *rest)


def serve(host: str = "127.0.0.1", port: int = 0, **options: Any) -> None:
    """Serves until SIGTERM or SIGINT, having printed one line with the URL; port 0 is a free one.

    `options` are those of `create_sandbox`. Raises OSError when the port is taken.
    """
    # What a workspace keeps is JSON without cycles: looking through all of it for garbage again and
    # again was a fifth of the work of a large batch.
    gc.set_threshold(100_000, 50, 1000)
    server = _server(host, port, options)
    server.start()
    sys.stdout.write(f"sandbox {_url(server)}\n")
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop, 0)
    server.serve_forever(stop_timeout=0)


@contextmanager
def running(host: str = "127.0.0.1", port: int = 0, **options: Any) -> Iterator[str]:
    """Serves in a thread of its own for as long as the block lasts; gives the URL.

    `options` are those of `create_sandbox`. Raises OSError when the port is taken.
    """
    started = threading.Event()
    found: dict[str, Any] = {}

    def run() -> None:
        # The server belongs to the event loop of the thread that makes it.
        try:
            server = _server(host, port, options)
            server.start()
            found.update(server=server, loop=get_hub().loop, url=_url(server))
        except OSError as error:
            found["error"] = error
            return
        finally:
            started.set()
        server.serve_forever(stop_timeout=0)
        get_hub().destroy(destroy_loop=True)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    if not started.wait(_START_SECONDS):
        raise TimeoutError("the sandbox did not start")
    if "error" in found:
        raise found["error"]
    try:
        yield found["url"]
    finally:
        found["loop"].run_callback_threadsafe(gevent.spawn, found["server"].stop, 0)
        thread.join(_START_SECONDS)


def _server(host: str, port: int, options: dict[str, Any]) -> _Server:
    app = create_sandbox(**options)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # gevent's own way to a listener leaves the socket open when the port is taken.
    listener = socket.create_server((host, port), family=family, backlog=256)
    return _Server(
        gevent.socket.socket(fileno=listener.detach()),
        app,
        handler_class=_Handler,
        log=None,
        spawn=Pool(),
    )


def _url(server: _Server) -> str:
    host, port = server.address[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
