"""The sandbox as a process: it says where it is, ends when told to, and keeps secrets to itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests
from ports import free_port

from adapter.sandbox import api
from adapter.sandbox.server import running

from .conftest import Sandbox

AUTH = ("sandbox-site", "sandbox-key")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "adapter.sandbox"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        yield started
        started.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    word, url = process.stdout.readline().split()
    assert word == "sandbox"
    return url


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_at_once_in_silence(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    url = url_of(process)
    assert url.startswith("http://127.0.0.1:")
    requests.post(f"{url}/_sandbox/faults", json=[{"delay": 60}], timeout=10)
    # Neither a kept connection nor an answer that is still to come holds it up.
    with requests.Session() as kept:

        def end_it() -> None:
            while kept.get(f"{url}/_sandbox/faults", timeout=10).json()["faults"]:
                pass
            process.send_signal(number)

        waiter = threading.Thread(target=end_it)
        waiter.start()
        with pytest.raises(requests.ConnectionError):
            requests.put(f"{url}/api/v1/customers/ada%40x.com", json={}, auth=AUTH, timeout=30)
        waiter.join()
    assert process.wait(20) == 0
    assert process.stdout
    assert process.stderr
    assert process.stdout.read() == ""
    assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--port"], ["--port", "x"], ["serve"], ["--keep", "-1"], ["--help", "1"]]
)
def test_how_it_is_started(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adapter.sandbox", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ")


def test_a_port_of_ones_choice_and_credentials() -> None:
    port = free_port()
    with running(port=port, site_id="s", api_key="k", region="eu") as url:
        assert url == f"http://127.0.0.1:{port}"
        answer = requests.get(f"{url}/api/v1/accounts/region", auth=("s", "k"), timeout=10)
        assert answer.json()["region"] == "eu"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_a_taken_port_is_an_error() -> None:
    with running() as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError), running(port=port):
            pass


def test_a_bug_answers_500_and_tells_nobody_who_it_was(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def bug(*_: object) -> None:
        raise RuntimeError("ada@x.com")

    monkeypatch.setattr(api, "read", bug)
    assert sandbox.call("PUT", "/api/v1/customers/ada%40x.com", json={}).status_code == 500
    told = caplog.text + "".join(capfd.readouterr())
    assert "RuntimeError at " in told
    assert "ada@" not in told
    assert "ada%40" not in told
