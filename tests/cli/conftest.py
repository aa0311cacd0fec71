"""The command as a process of its own, with an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edge.lab import Lab

from adapter.settings import shipped

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


def broken_mappings(home: Path) -> Path:
    """A copy of the shipped mappings with a misspelt property."""
    mappings = home / "mappings"
    shutil.copytree(shipped("mappings"), mappings)
    orders = mappings / "shopify" / "orders.yml"
    text = orders.read_text("utf-8")
    orders.write_text(
        text.replace("      revenue: total_price\n", "      revenu: total_price\n", 1)
    )
    return mappings
