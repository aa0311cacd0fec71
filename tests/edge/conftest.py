"""One running adapter for the tests that break nothing, and parts for those that do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

import pytest

from .lab import SCENES, Lab, Process, Sandbox, Valkey, Web, Workspace

PATIENT = ("worker_killed", "run", "ending")
"""Modules whose scenarios wait more than they work, the longest first: they all run together."""


@dataclass(slots=True)
class Stack:
    """Web, worker and sandbox over one Valkey."""

    lab: Lab
    valkey: Valkey
    web: Web
    worker: Process
    sandbox: Sandbox
    workspace: Workspace


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running adapter that tests share: every test brings its own shoppers."""
    home = tmp_path_factory.mktemp("stack")
    valkey = Valkey(home / "valkey")
    with (
        valkey,
        valkey.client() as redis,
        Lab(home, REDIS_URL=valkey.url(), WEB_CONCURRENCY="2") as lab,
    ):
        sandbox = lab.sandbox()
        web = lab.web()
        worker = lab.worker(sandbox)
        yield Stack(lab, valkey, web, worker, sandbox, Workspace(redis))
        for process in (web.process, worker, sandbox.process):
            process.assert_calm()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server of the test's own, to kill and to stop."""
    with Valkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, valkey: Valkey) -> Iterator[Lab]:
    """Processes of the test's own, over a server of its own."""
    with Lab(tmp_path, REDIS_URL=valkey.url(), WEB_CONCURRENCY="1") as lab:
        yield lab


def chosen(request: pytest.FixtureRequest) -> list[str]:
    """The scenarios whose tests are among those that run."""
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    return [call.params["scene"] for call in calls if call and "scene" in call.params]


@pytest.fixture(scope="package")
def patient(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    names = [name for name in chosen(request) if name.split()[0] in PATIENT]
    names.sort(key=lambda name: PATIENT.index(name.split()[0]))
    with SCENES.running(tmp_path_factory.mktemp("patient"), names, at_once=8) as running:
        yield running


@pytest.fixture(scope="package")
def timed(
    request: pytest.FixtureRequest,
    patient: dict[str, Future[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[None]]]:
    """Scenarios that measure how quick an answer is have the machine to themselves, nearly."""
    wait(patient.values())
    names = [name for name in chosen(request) if name.split()[0] not in PATIENT]
    with SCENES.running(tmp_path_factory.mktemp("timed"), names, at_once=3) as running:
        yield running
