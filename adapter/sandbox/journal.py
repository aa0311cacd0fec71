"""The requests that came in: the newest whole, all of them counted. Pure."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass

from .profile import Json

KEEP_BYTES = 256 * 1024 * 1024
"""Bodies kept in all; beyond it the oldest requests go, however few they are."""


@dataclass(slots=True)
class Received:
    """One request. `status` is None until it is answered, and for ever if it never is.

    `applied_at` is when it took effect (Unix seconds), None where it did not; `refused` are the
    places of items that did not; `fault` is what it was told to do wrong.
    """

    method: str
    path: str
    received_at: float
    items: int
    body: bytes
    status: int | None = None
    applied_at: float | None = None
    refused: tuple[int, ...] = ()
    fault: dict[str, Json] | None = None

    @property
    def applied(self) -> bool:
        return self.applied_at is not None

    def to_json(self, *, with_body: bool = True) -> dict[str, Json]:
        data: dict[str, Json] = {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "applied": self.applied,
            "applied_at": self.applied_at,
            "refused": list(self.refused),
            "fault": self.fault,
            "received_at": self.received_at,
            "bytes": len(self.body),
            "items": self.items,
        }
        if with_body:
            data["json"] = _decoded(self.body)
        return data


class Journal:
    """The newest `keep` requests, newest last; `total` counts those that went as well."""

    def __init__(self, keep: int, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep, self._keep_bytes = keep, keep_bytes
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.kept: deque[Received] = deque()
        self.total = 0
        self._bytes = 0

    def add(self, received: Received) -> None:
        """Keeps a request, and lets the oldest go if that is too much."""
        self.total += 1
        self.kept.append(received)
        self._bytes += len(received.body)
        while self.kept and (len(self.kept) > self._keep or self._bytes > self._keep_bytes):
            self._bytes -= len(self.kept.popleft().body)


def _decoded(body: bytes) -> Json:
    try:
        return json.loads(body)
    except ValueError:
        return None
