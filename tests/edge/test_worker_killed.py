"""The worker dies, hangs or is slow in mid-flush: nothing is lost, each event is there once.

A dead worker's lease ends after 10 s, so these scenarios run side by side.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from adapter.store.outbox import LEASE_MS

from .lab import (
    SCENES,
    Lab,
    Process,
    Sandbox,
    Shopper,
    Workspace,
    accept,
    crashing,
    destination,
    shop,
    until,
)

STORY = ("checkout_started", "order_completed", "order_refunded")
LEASE = LEASE_MS / 1000


@dataclass(slots=True)
class Scene:
    """A shop of its own: three shoppers with a story each wait in its outbox."""

    lab: Lab
    sandbox: Sandbox
    redis: Redis
    url: str
    crashes: Path
    shoppers: list[Shopper]

    def start(self) -> Process:
        """A worker that may die before it listens."""
        env = {**destination(self.sandbox.url), **crashing(self.crashes), "REDIS_URL": self.url}
        return self.lab.adapter("worker", **env)

    def worker(self) -> Process:
        return self.lab.worker(self.sandbox, REDIS_URL=self.url, **crashing(self.crashes))

    def fill(self) -> None:
        """All at once: a worker that is there already finds one batch, and not its beginning."""
        lease = "adapter:default:lease"
        self.redis.set(lease, "wait:until all is in")
        for shopper in self.shoppers:
            accept(
                self.redis,
                shopper.webhook("checkouts/create"),
                shopper.webhook("orders/create"),
                shopper.webhook("orders/paid"),
                shopper.webhook("refunds/create"),
            )
        self.redis.delete(lease)

    def arm(self, step: str) -> None:
        self.crashes.mkdir(exist_ok=True)
        (self.crashes / step).touch()

    def batches(self) -> list[dict[str, Any]]:
        return self.sandbox.requests()

    def under_way(self) -> bool:
        return any(batch["status"] is None for batch in self.batches())

    def check(self) -> None:
        """Everything arrived once and is settled once."""
        workspace = Workspace(self.redis)
        workspace.drained(40)
        for shopper in self.shoppers:
            assert self.sandbox.names(shopper) == sorted(STORY)
        counts = workspace.counts()
        assert counts["accepted"] == counts["sent"] == 4 * len(self.shoppers)
        assert counts["events"] == 3 * len(self.shoppers)
        assert workspace.dead() == 0
        assert workspace.parked() == []
        assert not self.redis.exists("adapter:default:waiting")


def dies_at(step: str, batches: int) -> Callable[[Scene], float]:
    """Killed at a step; then `batches` requests in all are needed."""

    def scenario(scene: Scene) -> float:
        scene.fill()
        scene.arm(step)
        first = scene.start()
        assert first.wait(40) == -signal.SIGKILL
        died = time.monotonic()
        second = scene.worker()
        scene.check()
        took = time.monotonic() - died
        second.assert_calm()
        assert len(scene.batches()) == batches
        return took

    return scenario


def dies_in_flight(scene: Scene) -> float:
    """Killed while the request is out, which takes effect all the same."""
    scene.fill()
    first = scene.worker()
    until(scene.under_way, "the request is under way", 40)
    first.kill()
    died = time.monotonic()
    scene.worker()
    scene.check()
    assert len(scene.batches()) == 2
    return time.monotonic() - died


def is_cut_off(scene: Scene) -> float:
    """The connection is cut after the request took effect: the worker lives and sends it again."""
    began = time.monotonic()
    scene.fill()
    scene.worker()
    scene.check()
    first, second = scene.batches()
    assert (first["status"], first["applied"]) == (None, True)
    assert second["status"] == 200
    return time.monotonic() - began


def drips(scene: Scene) -> float:
    """The answer takes longer than the lease, and another worker stands by."""
    scene.worker()
    scene.worker()
    scene.fill()
    workspace = Workspace(scene.redis)
    owner = until(lambda: running(workspace), "somebody flushes")
    began = time.monotonic()
    while running(workspace) is not None:
        assert running(workspace) in (owner, None)
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    # Since the request, not since it was noticed here, which may be late.
    took = time.time() - scene.batches()[0]["received_at"]
    assert took > LEASE
    scene.check()
    assert len(scene.batches()) == 1
    return took


def running(workspace: Workspace) -> str | None:
    lease = workspace.lease()
    return lease if lease.startswith("run:") else None


def is_frozen(scene: Scene) -> float:
    """It hangs in mid-flush until its lease is over, and wakes up when all is done."""
    first = scene.worker()
    scene.fill()
    until(scene.under_way, "the request is under way", 40)
    first.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        second = scene.worker()
        scene.check()
        took = time.monotonic() - frozen
        batches = len(scene.batches())
    finally:
        first.signal(signal.SIGCONT)
    until(lambda: noticed(first), "it notices")
    scene.check()
    assert len(scene.batches()) == batches == 2
    second.assert_calm()
    return took


def noticed(process: Process) -> bool:
    """A worker that hung sees that its lease is lost: by the answer that it wants to settle, or by
    its wish to keep the lease, whichever comes first; then it hangs up on who has not answered."""
    return "lease lost, nothing written" in process.said or "delivery waits" in process.said


def dies_again_and_again(scene: Scene) -> float:
    """Three workers die on the same batch; then its entries go one by one, and all arrive."""
    began = time.monotonic()
    scene.fill()
    scene.crashes.mkdir(exist_ok=True)
    claims = 0
    while claims < 3:
        (scene.crashes / "Transport.send.before").touch()
        process = scene.start()
        assert process.wait(40) == -signal.SIGKILL
        claims += 1
        # Not the 10 s of its lease, three times over: that it ends is what the others show.
        scene.redis.delete("adapter:default:lease")
    scene.worker()
    scene.check()
    batches = scene.batches()
    assert all(len(batch["json"]["batch"]) <= 2 for batch in batches), "one entry at a time"
    return time.monotonic() - began


SCENARIOS: dict[str, tuple[Callable[[Scene], float], dict[str, Any] | None]] = {
    "when claimed": (dies_at("Outbox.claim.after", 1), None),
    "when read": (dies_at("Outbox.read.after", 1), None),
    "before the request": (dies_at("Transport.send.before", 1), None),
    "with the request under way": (dies_in_flight, {"delay": 9}),
    "when answered": (dies_at("Transport.send.after", 2), None),
    "before settling": (dies_at("Outbox.settle.before", 2), None),
    "when settled": (dies_at("Outbox.settle.after", 1), None),
    "and again": (dies_again_and_again, None),
}
LIVES: dict[str, tuple[Callable[[Scene], float], dict[str, Any] | None]] = {
    "while the answer drips": (drips, {"drip": LEASE + 2}),
    "and is frozen": (is_frozen, {"delay": 9}),
    "and is cut off": (is_cut_off, {"apply": True, "close": True}),
}


def play(home: Path, scenario: Callable[[Scene], float], fault: dict[str, Any] | None) -> float:
    with shop(home) as (lab, valkey), valkey.client() as redis:
        sandbox = lab.sandbox()
        if fault:
            sandbox.fail(fault)
        shoppers = [Shopper() for _ in range(3)]
        scene = Scene(lab, sandbox, redis, valkey.url(), home / "crashes", shoppers)
        return scenario(scene)


def dies(home: Path, name: str) -> None:
    print(f"dies {name}: {play(home, *SCENARIOS[name]):.1f} s")


def lives(home: Path, name: str) -> None:
    print(f"lives {name}: {play(home, *LIVES[name]):.1f} s")


for _name in LIVES:
    SCENES.add(_name)(lives)
for _name in SCENARIOS:
    SCENES.add(_name)(dies)


@pytest.mark.slow
@pytest.mark.timeout(480)  # the first of them waits for many that run beside it
@pytest.mark.parametrize("scene", SCENES.of(__name__))
def test_each_event_is_there_once(patient: dict[str, Future[None]], scene: str) -> None:
    patient[scene].result(400)
