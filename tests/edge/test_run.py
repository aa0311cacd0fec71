"""`adapter run`: the first minute of everybody who tries the adapter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from ports import free_port

from adapter.settings import shipped

from .lab import SCENES, Lab, Process, Shopper, Web, destination, until

WHOLE = "The story arrived whole: each event once, retries and all."


def run(lab: Lab, *arguments: str, **env: str) -> Process:
    return lab.adapter("run", "--port", str(free_port()), *arguments, **env)


def calm(lab: Lab) -> None:
    """Its processes wrote of nothing amiss."""
    said = (lab.data / "adapter.log").read_text()
    for sign in ("Traceback", "Warning", '"level": "ERROR"', "[ERROR]"):
        assert sign not in said, said


@SCENES.add()
def once_and_once_more_on_the_same_data(home: Path) -> None:
    with Lab(home) as lab:
        for _ in range(2):
            process = run(lab, "--once")
            assert process.wait(150) == 0, process.said
            assert WHOLE in process.said
            assert "MISSING" not in process.said
            for topic in ("checkouts/create", "orders/create", "orders/paid", "refunds/create"):
                assert topic in process.said
            assert lab.left() == []
        calm(lab)


@SCENES.add()
def once_with_something_missing(home: Path) -> None:
    """Customer.io refuses the refund: the story says so, and the exit status too."""
    with Lab(home) as lab:
        sandbox = lab.sandbox()
        sandbox.fail({"status": 400, "times": -1, "match": {"name": "order_refunded"}})
        process = run(lab, "--once", **destination(sandbox.url))
        assert process.wait(150) == 1, process.said
        assert "MISSING order_refunded: arrived 0 times, not once" in process.said
        assert "MISSING order_completed" not in process.said
        assert WHOLE not in process.said
        assert "Traceback" not in process.said


@SCENES.add()
def once_with_a_mapping_that_refuses(home: Path) -> None:
    """A mapping of one's own that ignores refunds is in force, so the story is not whole."""
    mappings = home / "mappings"
    shutil.copytree(shipped("mappings"), mappings)
    (mappings / "shopify" / "refunds.yml").unlink()
    with Lab(home, MAPPINGS_DIR=str(mappings)) as lab:
        process = run(lab, "--once")
        assert process.wait(150) == 1, process.said
        assert "200 parked" in process.said
        assert "MISSING order_refunded" in process.said


@SCENES.add()
def taken_port(home: Path) -> None:
    with Lab(home) as lab, socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        process = lab.adapter("run", "--port", port)
        assert process.wait() == 2
        said = f"Port {port} is taken: give another with --port or PORT, as in PORT=8011.\n"
        assert process.said == said
        assert lab.left() == []


@SCENES.add()
def a_real_workspace_once(home: Path) -> None:
    """The sample story is not for a real workspace."""
    with Lab(home, CUSTOMERIO_SITE_ID="site", CUSTOMERIO_API_KEY="key") as lab:
        process = run(lab, "--once")
        assert process.wait() == 2
        assert "not for a real Customer.io workspace" in process.said
        assert "Traceback" not in process.said


@SCENES.add()
def broken_settings(home: Path) -> None:
    with Lab(home) as lab:
        process = run(lab, CUSTOMERIO_SITE_ID="site", LOG_LEVEL="LOUD")
        assert process.wait() == 2
        assert "CUSTOMERIO_API_KEY is not set." in process.said
        assert "LOG_LEVEL must be one of" in process.said
        assert "Traceback" not in process.said


def interrupt(process: Process, number: signal.Signals) -> None:
    """As a terminal does it: to the whole foreground group."""
    os.killpg(process.pid, number)


@SCENES.add(signal.SIGINT)
@SCENES.add(signal.SIGTERM)
def stopped_while_it_serves(home: Path, number: signal.Signals) -> None:
    with Lab(home) as lab:
        process = run(lab)
        until(lambda: "Serving until Ctrl-C" in process.said, "it serves", 150)
        web = Web(f"http://127.0.0.1:{process.popen.args[-1]}", process)
        # What it serves is the real thing, and other terminals find it.
        told = adapter(lab, "status", "--json")
        assert json.loads(told.stdout)["default"]["sent"] == 4, told
        file = home / "orders_paid.json"
        file.write_bytes(Shopper().body("orders_paid"))
        sent = adapter(
            lab,
            *("send", str(file), "--platform", "shopify", "--topic", "orders/paid"),
            *("--to", web.url, "--secret", "sample-secret", "--count", "2"),
        )
        assert sent.returncode == 0, sent
        assert sent.stdout.count('"accepted"') == 2
        began = time.monotonic()
        interrupt(process, number)
        assert process.wait() == 0, process.said
        took = time.monotonic() - began
        print(f"run, {number.name}: {took:.2f} s")
        assert took < 30, "9 where nothing else runs"
        assert lab.left() == []
        assert "Traceback" not in process.said
        calm(lab)


@SCENES.add("embedded Valkey")
@SCENES.add("What the store sent")
@SCENES.add("Person ")
def interrupted_in_its_story(home: Path, moment: str) -> None:
    with Lab(home) as lab:
        process = run(lab, PYTHONUNBUFFERED="1")
        until(lambda: moment in process.said, moment, 150)
        interrupt(process, signal.SIGINT)
        assert process.wait() == 0, process.said
        assert lab.left() == []
        assert "Traceback" not in process.said


@SCENES.add()
def killed(home: Path) -> None:
    """A kill -9 leaves nobody behind, and the next start is none the worse for it."""
    with Lab(home) as lab:
        process = run(lab)
        until(lambda: "What the store sent" in process.said, "it tells its story", 150)
        process.signal(signal.SIGKILL)
        process.wait()
        until(lambda: not lab.left(), "everybody is gone")
        again = run(lab, "--once")
        assert again.wait(150) == 0, again.said


def adapter(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adapter", *arguments],
        env=lab.environ(),
        cwd=lab.home,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(480)  # the first of them waits for many that run beside it
@pytest.mark.parametrize("scene", SCENES.of(__name__))
def test_run(patient: dict[str, Future[None]], scene: str) -> None:
    patient[scene].result(400)
