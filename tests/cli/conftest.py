"""The command as a process of its own, with an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edge.lab import Lab

Adapter = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    """`adapter(*arguments, **variables)`; it must never end in a traceback."""
    lab = Lab(tmp_path)

    def run(*arguments: object, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "adapter", *map(str, arguments)],
            env=lab.environ(**env),
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
