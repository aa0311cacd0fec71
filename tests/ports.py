"""Ports for servers of tests, which are told their port before they listen on it."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

PORTS = range(20_000, 32_000)
"""Below those that a system gives to whoever asks for any: between asking and listening it gave one
and the same to two servers, and one test worked with the Redis of another."""


def free_port() -> int:
    """One on which nobody listens, and that no other test gets before all others had their turn."""
    turns = Path(tempfile.gettempdir()) / f"adapter-tests-{os.getuid()}.port"
    with turns.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        turn = int(file.read() or random.choice(PORTS)) - PORTS.start
        for step in range(1, len(PORTS) + 1):
            port = PORTS[(turn + step) % len(PORTS)]
            if _is_free(port):
                file.truncate(0)
                file.write(str(port))
                return port
    raise AssertionError("no port is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: what is left of connections that ended is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
