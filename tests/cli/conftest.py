"""The command, with an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backroom import SECRET
from click.testing import CliRunner, Result
from edge.lab import Lab

from adapter.cli import main
from adapter.settings import shipped

Ask = Callable[..., Result]
Adapter = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adapter:
    """`adapter(*arguments, **variables)`, in this process but with nothing of its environment; it
    must never end in a traceback."""
    lab = Lab(tmp_path)

    def run(*arguments: object, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        words = [str(each) for each in arguments]
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in os.environ:
                patch.delenv(name)
            for name, value in lab.environ(**env).items():
                patch.setenv(name, value)
            done = CliRunner().invoke(main, words, input=stdin, prog_name="adapter")
        if not (done.exception is None or isinstance(done.exception, SystemExit)):
            raise done.exception
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Adapter:
    """The same as a process of its own."""
    lab = Lab(tmp_path)

    def run(*arguments: object, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "adapter", *map(str, arguments)],
            env=lab.environ(**env),
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def ask(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """`ask("dead", "list", ...)` in this process, with the secret that the worker has."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, said: str | None = None, **env: str) -> Result:
        variables = {"REDIS_URL": redis_url, "HASH_SECRET": SECRET, **env}
        result = CliRunner().invoke(main, list(arguments), env=variables, input=said)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

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
