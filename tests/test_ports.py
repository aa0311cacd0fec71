"""Tests that start servers side by side never share one by accident."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from edge.lab import Valkey
from ports import PORTS, free_port

ASKS = "from ports import free_port; print(*(free_port() for _ in range(100)))"


def test_processes_that_ask_at_once_are_told_different_ports() -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASKS], cwd=Path(__file__).parent, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    told = [int(port) for each in asking for port in each.communicate(timeout=60)[0].split()]
    assert len(set(told)) == len(told) == 400
    assert set(told) <= set(PORTS)


def test_a_port_that_is_taken_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        (tmp_path / f"adapter-tests-{os.getuid()}.port").write_text(str(taken - 1))
        assert free_port() != taken


@pytest.mark.slow
def test_a_valkey_is_not_taken_for_another(tmp_path: Path) -> None:
    with Valkey(tmp_path / "one") as one:
        other = Valkey(tmp_path / "other")
        other.port = one.port
        with pytest.raises(AssertionError, match="Address already in use"):
            other.start()
