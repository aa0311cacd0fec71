"""A sandbox that really listens, and a clock that moves when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapter.sandbox.people import Workspace
from adapter.sandbox.server import running

NOW = 1_767_225_600
"""2026-01-01T00:00:00Z"""


class Clock:
    """Unix seconds that stand still until somebody turns them on."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Sandbox:
    """A client of a running sandbox: `call` speaks to the API, most others look behind it."""

    def __init__(self, url: str, http: requests.Session) -> None:
        self.url = url
        self.http = http

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("auth", ("sandbox-site", "sandbox-key"))
        return self.http.request(method, self.url + path, timeout=10, **options)

    def batch(self, *items: Any) -> requests.Response:
        return self.call("POST", "/api/v2/batch", json={"batch": list(items)})

    def entity(self, item: Any) -> requests.Response:
        return self.call("POST", "/api/v2/entity", json=item)

    def faults(self, *faults: dict[str, Any]) -> requests.Response:
        return self.http.post(f"{self.url}/_sandbox/faults", json=list(faults), timeout=10)

    def pending(self) -> list[dict[str, Any]]:
        return self._look("faults")["faults"]

    def forget(self) -> None:
        assert self.http.delete(f"{self.url}/_sandbox", timeout=10).status_code == 200

    def state(self, **filters: str) -> dict[str, Any]:
        return self._look("people", **filters)

    def people(self, **filters: str) -> list[dict[str, Any]]:
        return self.state(**filters)["people"]

    def person(self, **filters: str) -> dict[str, Any]:
        (one,) = self.people(**filters)
        return one

    def requests(self, **options: str) -> list[dict[str, Any]]:
        return self._look("requests", **options)["requests"]

    def totals(self) -> dict[str, int]:
        return self._look("requests")["totals"]

    def _look(self, what: str, **params: str) -> Any:
        answer = self.http.get(f"{self.url}/_sandbox/{what}", params=params, timeout=10)
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(clock: Clock) -> Workspace:
    return Workspace(clock=clock)


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with running(clock=clock) as url, requests.Session() as http:
        yield Sandbox(url, http)
