"""Every command: its help, its exit status, and what it says when something is missing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapter import __version__, processes
from adapter.cli import faults, main
from adapter.errors import Fault

from .conftest import Adapter, broken_mappings

COMMANDS = (
    *("run", "up", "web", "worker", "check", "explain", "send", "sandbox", "schema", "status"),
    "doctor",
)
GOOD = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SHOPIFY_WEBHOOK_SECRET": "secret",
    "CUSTOMERIO_SITE_ID": "site",
    "CUSTOMERIO_API_KEY": "key",
}


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, flag: str) -> None:
    done = CliRunner().invoke(main, [command, flag])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {command} ")


def test_the_command_itself(process: Adapter) -> None:
    done = process("--help")
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert process("--version").stdout == f"adapter, version {__version__}\n"
    assert process().returncode == 2
    unknown = process("rnu")
    assert unknown.returncode == 2
    assert "rnu" in unknown.stderr


@pytest.mark.parametrize("err", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_faults_are_shown_on_either_stream(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    err: bool,
    terminal: bool,
) -> None:
    """What else a message says stands below the line that it is about."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
    file = tmp_path / "x.yml"
    file.write_text("- name: a\n")
    faults.show([Fault(str(file), 1, 3, "a sale\n  revenue: 5, not 6")], "warning: ", err=err)
    streams = capsys.readouterr()
    told, other = (streams.err, streams.out) if err else (streams.out, streams.err)
    caret = "  1 | - name: a\n    |   ^^^^\n" if terminal else ""
    place = f"{file}:1:3: warning: " if terminal else f"warning: {file}:1:3: "
    assert told == f"{place}a sale\n{caret}  revenue: 5, not 6\n"
    assert other == ""


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "problems"),
    [
        ("web", ["REDIS_URL is not set.", "No webhook secret is set"]),
        (
            "worker",
            ["REDIS_URL is not set.", "CUSTOMERIO_SITE_ID is not", "CUSTOMERIO_API_KEY is not"],
        ),
        (
            "up",
            ["No webhook secret is set", "CUSTOMERIO_SITE_ID is not", "CUSTOMERIO_API_KEY is not"],
        ),
        ("status", ["REDIS_URL is not set, and no embedded server runs"]),
    ],
)
def test_missing_variables_are_named_all_at_once(
    adapter: Adapter, command: str, problems: list[str]
) -> None:
    done = adapter(command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == len(problems)
    assert all(problem in done.stderr for problem in problems)


@pytest.mark.parametrize("command", ["run", "up", "web", "worker", "status", "schema", "check"])
def test_malformed_variables_are_named_all_at_once(adapter: Adapter, command: str) -> None:
    bad = {
        **GOOD,
        "REDIS_URL": "http://:hunter2@example.com",
        "CUSTOMERIO_REGION": "mars",
        "CUSTOMERIO_API_KEY": "hunter2:",
        "SHOPIFY_WEBHOOK_SECRET": "hunter2,,hunter2",
        "MAX_BODY_BYTES": "1e6",
        "PORT": "0",
        "LOG_LEVEL": "LOUD",
        "MAPPINGS_DIR": "/nowhere",
    }
    done = adapter(command, **bad)
    assert done.returncode == 2
    for name in bad.keys() - {"CUSTOMERIO_SITE_ID"}:
        assert done.stderr.count(name) == 1, (name, done.stderr)
    assert "hunter2" not in done.stderr, "a secret"


@pytest.mark.parametrize("command", ["web", "up"])
def test_port_0_is_none_to_give_to_a_store(adapter: Adapter, command: str) -> None:
    done = adapter(command, "--port", "0", **GOOD)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_secrets_of_unknown_platforms_only_are_a_fault(adapter: Adapter) -> None:
    done = adapter("web", **{**GOOD, "SHOPIFY_WEBHOOK_SECRET": "", "SHOPFIY_WEBHOOK_SECRET": "x"})
    assert done.returncode == 2
    assert "shopify" in done.stderr


def test_web_does_not_start_on_broken_mappings(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    done = adapter("web", **{**GOOD, "MAPPINGS_DIR": str(mappings)})
    assert done.returncode == 1
    assert "orders.yml:" in done.stderr


@pytest.mark.parametrize("command", ["run", "sandbox", "web", "up"])
def test_a_taken_port_is_said(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(processes, "LEAVING_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = adapter(command, "--port", port, **({} if command == "run" else GOOD))
    assert done.returncode == (1 if command == "sandbox" else 2)
    assert str(port) in done.stderr
    if command != "sandbox":
        assert "give another with --port or PORT, as in PORT=8011." in done.stderr


def test_a_port_that_is_just_being_left_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Timer(0.3, server.close).start()
        assert processes.free_port(port, seconds=5) == port


def test_a_socket_that_gunicorn_was_given_is_not_taken_for_somebody_elses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        processes.free_for_web(port, {"LISTEN_FDS": "1"})
