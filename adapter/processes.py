"""The processes that make up an adapter, as commands for the supervisor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from adapter.supervisor import Command


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
