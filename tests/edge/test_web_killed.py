"""kill -9 of the web process: the store sends again what was not answered, and nothing doubles."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from .conftest import Stack
from .lab import Lab, Shopper, Valkey, Web, Workspace, armed, crashing, until

# Between any two steps of a webhook's way in; `receive.after` is before anything is answered.
STEPS = {
    "Platform.verify.before": "accepted",
    "Platform.verify.after": "accepted",
    "Platform.deliver.after": "accepted",
    "Mappings.apply.after": "accepted",
    "Outbox.accept.before": "accepted",
    "Outbox.accept.after": "duplicate",
    "Intake.receive.after": "duplicate",
}


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crashes")


@pytest.fixture(scope="module")
def web(stack: Stack, crashes: Path) -> Iterator[Web]:
    """A web process that dies where it is told to, over the shared Valkey."""
    with Lab(stack.lab.home, **{**stack.lab.env, "WEB_CONCURRENCY": "2"}) as lab:
        yield lab.web(**crashing(crashes))


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step(stack: Stack, web: Web, crashes: Path, step: str) -> None:
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    until(lambda: len(web.process.children) == 2, "both workers are there")
    with armed(crashes, step), pytest.raises(requests.ConnectionError):
        webhook.post(web)
    assert webhook.insist(web) == STEPS[step]
    stack.sandbox.await_events(shopper, "order_completed")
    assert webhook.outcome(web) == "duplicate"
    stack.workspace.drained()
    assert stack.sandbox.names(shopper) == ["order_completed"]


def test_killed_at_every_step_in_turn(stack: Stack, web: Web, crashes: Path) -> None:
    """One delivery, whose every try ends one step further on."""
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    for step in STEPS:
        # A duplicate is verified, read, mapped and put to the store like any other.
        with armed(crashes, step):
            until(lambda: web.status("healthz") == 200, "a worker is there")
            with pytest.raises(requests.ConnectionError):
                webhook.post(web)
    assert webhook.insist(web) == "duplicate"
    stack.sandbox.await_events(shopper, "order_completed")
    stack.workspace.drained()
    assert stack.sandbox.names(shopper) == ["order_completed"]


@pytest.mark.slow
def test_killed_at_any_moment(lab: Lab, valkey: Valkey) -> None:
    """Workers, the master and the whole group, at random, while four stores deliver."""
    chance = random.Random(20261122)
    sandbox = lab.sandbox()
    lab.worker(sandbox)
    web = lab.web(WEB_CONCURRENCY="2")
    shoppers = [Shopper() for _ in range(160)]
    webhooks = [shopper.webhook("orders/paid") for shopper in shoppers]
    pace = threading.Semaphore(0)
    answered = []

    def deliver(webhook: object) -> None:
        pace.acquire()
        answered.append(webhook.insist(web))  # type: ignore[attr-defined]

    kinds = ["worker", "worker", "group", "worker", "master", "worker", "group", "worker"]
    with ThreadPoolExecutor(4) as stores:
        done = [stores.submit(deliver, webhook) for webhook in webhooks]
        for kind in kinds:
            already = len(answered)
            pace.release(20)
            # Not by the clock, which says nothing of how far they are.
            target = already + chance.randrange(1, 18)
            until(lambda target=target: len(answered) >= target, "deliveries go on", 60)
            if kind == "worker":
                with suppress(ProcessLookupError, IndexError):
                    os.kill(chance.choice(web.process.children), signal.SIGKILL)
                continue
            if kind == "master":
                # Its workers see that it is gone and go as well.
                web.process.signal(signal.SIGKILL)
                web.process.wait()
                until(lambda: not web.process.group(), "the workers go", 20)
            web.process.kill()
            web.process = lab.web(port=web.address[1], WEB_CONCURRENCY="2").process
        for each in done:
            each.result(60)
    assert len(answered) == len(shoppers)
    assert set(answered) <= {"accepted", "duplicate"}
    with valkey.client() as redis:
        workspace = Workspace(redis)
        workspace.drained()
        assert workspace.dead() == 0
        assert workspace.counts()["accepted"] == len(shoppers)
        assert workspace.counts().get("repeated", 0) == 0
    people = {person["id"]: person["activity"] for person in sandbox.everybody()}
    assert people.keys() == {shopper.id for shopper in shoppers}
    for shopper in shoppers:
        events = [one["name"] for one in people[shopper.id] if one["type"] == "event"]
        assert events == ["order_completed"]
    items = [item for request in sandbox.requests() for item in request["json"]["batch"]]
    assert len(items) == 2 * len(shoppers), "nothing was even sent twice: the worker lived"
