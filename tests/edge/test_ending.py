"""SIGTERM and Ctrl-C: everything ends by itself within seconds, loses nothing, leaves nobody."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from ports import free_port

from .lab import (
    PATIENT_WEB,
    SCENES,
    SECRET,
    Lab,
    Process,
    Shopper,
    Web,
    Workspace,
    destination,
    shop,
    until,
)

NOWHERE = "http://127.0.0.1:9"
STALLS = 6.0
"""So many seconds more on a machine that has other work."""

FORCED = "ended without a word from Redis"


def ends(
    process: Process,
    most: float,
    number: signal.Signals = signal.SIGTERM,
    *,
    forced: bool = False,
) -> None:
    """It ends within `most` seconds of a signal, as it should and with all of its group; by its own
    last resort only where it may be `forced`."""
    began = time.monotonic()
    process.signal(number)
    assert process.wait() == 0, process.said
    took = time.monotonic() - began
    print(f"{process.log.stem}: {number.name} {took:.2f} s")
    assert took < most + STALLS
    assert forced or FORCED not in process.said
    assert not process.group(), "left behind"
    assert "Traceback" not in process.said


# --- web ----------------------------------------------------------------------------------------


@SCENES.add(signal.SIGTERM)
@SCENES.add(signal.SIGINT)
def web(home: Path, number: signal.Signals) -> None:
    with shop(home) as (lab, _):
        ends(lab.web(WEB_CONCURRENCY="2").process, 4, number)


@SCENES.add()
def web_whose_stores_keep_their_connections(home: Path) -> None:
    """Kept alive, stalled in mid-request, and just opened: none of them may hold it up."""
    with shop(home) as (lab, _):
        web = lab.web()
        webhook = Shopper().webhook("orders/paid")
        head = b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        with (
            requests.Session() as session,
            socket.create_connection(web.address, timeout=10) as stalled,
            socket.create_connection(web.address, timeout=10),
        ):
            stalled.sendall(head)
            answer = session.post(
                web.webhooks, data=webhook.body, headers=webhook.headers(), timeout=5
            )
            assert answer.status_code == 200
            ends(web.process, 6)


# --- worker -------------------------------------------------------------------------------------


@SCENES.add()
def idle_worker(home: Path) -> None:
    with shop(home) as (lab, _):
        worker = lab.worker(NOWHERE)
        ends(worker, 3)
        worker.assert_calm()


@SCENES.add()
def worker_that_starts(home: Path) -> None:
    """Wherever in its start it is hit, it ends and does not hang."""
    with shop(home) as (lab, _):
        for delay in (0.0, 0.3, 0.6, 0.9):
            worker = lab.adapter("worker", **destination(NOWHERE))
            with suppress(subprocess.TimeoutExpired):
                worker.wait(delay)
            began = time.monotonic()
            worker.signal(signal.SIGTERM)
            # Before it has said what to do about signals the default is as good.
            assert worker.wait() in (0, -signal.SIGTERM), worker.said
            assert time.monotonic() - began < 3 + STALLS
            assert FORCED not in worker.said
            assert "Traceback" not in worker.said


@SCENES.add()
def worker_in_mid_flush(home: Path) -> None:
    """The next worker takes over at once, not only when the lease is over."""
    with shop(home) as (lab, valkey), valkey.client() as redis:
        sandbox, shopper, workspace = lab.sandbox(), Shopper(), Workspace(redis)
        sandbox.fail({"status": 503, "delay": 15})
        worker, web = lab.worker(sandbox), lab.web()
        assert shopper.webhook("orders/paid").outcome(web) == "accepted"
        until(sandbox.requests, "the request is under way")
        ends(worker, 6)
        worker.assert_calm()
        assert (workspace.pending(), workspace.lease()) == (1, ""), "kept, and given back"
        assert sandbox.events(shopper) == []

        lab.worker(sandbox)
        began = time.monotonic()
        # Its lease was given back, as was seen.
        sandbox.await_events(shopper, "order_completed")
        print(f"taken over after {time.monotonic() - began:.2f} s")
        workspace.drained()
        assert workspace.counts()["sent"] == 1


@SCENES.add()
def worker_whose_request_is_short(home: Path) -> None:
    with shop(home) as (lab, valkey), valkey.client() as redis:
        sandbox, workspace = lab.sandbox(), Workspace(redis)
        sandbox.fail({"delay": 1})
        worker, web = lab.worker(sandbox), lab.web()
        assert Shopper().webhook("orders/paid").outcome(web) == "accepted"
        until(sandbox.requests, "the request is under way")
        ends(worker, 4)
        assert workspace.pending() == 0, "settled before it went"
        assert len(sandbox.requests()) == 1


@SCENES.add()
def worker_in_a_backoff(home: Path) -> None:
    with shop(home) as (lab, valkey), valkey.client() as redis:
        sandbox, workspace = lab.sandbox(), Workspace(redis)
        sandbox.fail({"status": 401, "times": -1})
        worker, web = lab.worker(sandbox), lab.web()
        assert Shopper().webhook("orders/paid").outcome(web) == "accepted"
        until(lambda: workspace.lease().startswith("wait:"), "it waits")
        ends(worker, 3)
        assert workspace.pending() == 1


@SCENES.add()
def worker_that_rq_has_left(home: Path) -> None:
    """RQ's worker ends on what it does not understand; ours then waits and begins anew."""
    with shop(home) as (lab, valkey), valkey.client() as redis:
        worker = lab.worker(NOWHERE)
        redis.set("rq:queue:adapter", "not a list")
        redis.client_kill_filter(_type="normal", skipme=True)
        until(lambda: "found an unhandled exception" in worker.said, "RQ has left")
        ends(worker, 3)


@SCENES.add("killed")
@SCENES.add("hanging")
def both_without_redis(home: Path, state: str) -> None:
    with shop(home) as (lab, valkey):
        worker, web = lab.worker(NOWHERE), lab.web(patient=False)
        if state == "hanging":
            valkey.hang()
        else:
            valkey.kill()
        try:
            until(lambda: web.status("readyz") == 503, "web knows")
            ends(web.process, 5)
            ends(worker, 9, forced=True)
        finally:
            valkey.go_on()


# --- up: both over an embedded Valkey -----------------------------------------------------------


def up(lab: Lab) -> Process:
    env = {"SHOPIFY_WEBHOOK_SECRET": SECRET, **PATIENT_WEB, **destination(NOWHERE)}
    return lab.adapter("up", "--port", str(free_port()), **env)


def up_ready(lab: Lab) -> Web:
    process = up(lab)
    web = Web(f"http://127.0.0.1:{process.popen.args[-1]}", process)
    web.wait_ready()
    return web


def commands(lab: Lab) -> str:
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in lab.left())


@SCENES.add(signal.SIGINT)
@SCENES.add(signal.SIGHUP)
def everything(home: Path, number: signal.Signals) -> None:
    with Lab(home, WEB_CONCURRENCY="1") as lab:
        web = up_ready(lab)
        assert len(lab.left()) >= 5, "supervisor, Valkey, gunicorn, its worker, worker"
        assert "valkey" in commands(lab)
        ends(web.process, 9, number)
        assert lab.left() == []


@SCENES.add()
def everything_and_starts_again(home: Path) -> None:
    with Lab(home, WEB_CONCURRENCY="1") as lab:
        web = up_ready(lab)
        webhook, other = Shopper().webhook("orders/paid"), Shopper().webhook("orders/paid")
        assert webhook.outcome(web) == "accepted"
        ends(web.process, 9)
        assert lab.left() == []

        web = up_ready(lab)
        assert webhook.outcome(web) == "duplicate"
        assert other.outcome(web) == "accepted"
        # appendfsync everysec: a killed process loses nothing that was written, a machine might.
        written = other.id.encode()
        until(
            lambda: any(written in file.read_bytes() for file in lab.data.rglob("*.aof")),
            "written to disk",
        )
        web.process.signal(signal.SIGKILL)
        began = time.monotonic()
        web.process.wait()
        until(lambda: not lab.left(), "its children go with it")
        print(f"all gone {time.monotonic() - began:.2f} s after a kill -9")

        web = up_ready(lab)
        assert other.outcome(web) == "duplicate"
        ends(web.process, 9)


@SCENES.add()
def everything_twice(home: Path) -> None:
    """A second adapter on the same data is refused, and leaves the first one alone."""
    with Lab(home, WEB_CONCURRENCY="1") as lab:
        web = up_ready(lab)
        second = up(lab)
        assert second.wait() == 2
        assert "in use by another adapter" in second.said
        assert "Traceback" not in second.said
        assert web.status("readyz") == 200


@pytest.mark.slow
@pytest.mark.timeout(480)  # the first of them waits for many that run beside it
@pytest.mark.parametrize("scene", SCENES.of(__name__))
def test_it_ends(patient: dict[str, Future[None]], scene: str) -> None:
    patient[scene].result(400)
