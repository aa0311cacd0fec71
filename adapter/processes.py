"""The processes that make up an adapter, as commands for the supervisor."""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from adapter.errors import SettingsError
from adapter.supervisor import Command

LEAVING_SECONDS = 4.0
"""How long a web process that was told to end holds its port, and a little more."""

_ELSEWHERE = ("LISTEN_FDS", "GUNICORN_FD", "GUNICORN_CMD_ARGS")
"""Variables that may give gunicorn another socket than that of its port."""


def free_port(port: int, host: str = "127.0.0.1", *, seconds: float = 0.0) -> int:
    """The port itself, or a free one for 0; SettingsError when it is still taken after so long."""
    until = time.monotonic() + seconds
    while True:
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                is_taken = error.errno == errno.EADDRINUSE
                if is_taken and time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                why = "taken" if is_taken else "not to be had"
                other = 8011 if port != 8011 else 8012
                said = (
                    f"Port {port} is {why}: give another with --port or PORT, as in PORT={other}."
                )
                raise SettingsError([said]) from None
            found: int = probe.getsockname()[1]
            return found


def free_for_web(port: int, environ: Mapping[str, str]) -> None:
    """Raises SettingsError where the web process could not listen on its port. Once, at the start:
    a gunicorn that reloads itself holds the port and hands it on."""
    if not any(environ.get(name) for name in _ELSEWHERE):
        free_port(port, "0.0.0.0", seconds=LEAVING_SECONDS)  # noqa: S104 - as gunicorn will


def gunicorn(bind: str | None = None) -> list[str]:
    """The web process, at `bind` (host:port) instead of PORT on every address.

    Its configuration is read as a file: imported as a module it would bring its package, and with
    that redis, into the master before gevent has patched ssl.
    """
    conf = Path(__file__).parent / "web" / "gunicorn_conf.py"
    argv = [sys.executable, "-m", "gunicorn", "-c", f"file:{conf}"]
    return argv if bind is None else [*argv, "--bind", bind]


def commands(
    environ: Mapping[str, str], output: Path | None = None, bind: str | None = None
) -> list[Command]:
    """Web and worker, in the order in which they are to end: first no more comes in."""
    worker = [sys.executable, "-m", "adapter", "worker"]
    return [
        Command("web", gunicorn(bind), env=environ, output=output),
        Command("worker", worker, env=environ, output=output),
    ]
