"""Events of people who have not said who they are yet, until an identify claims them. Pure."""

from __future__ import annotations

from .profile import Activity
from .times import triggers

KEPT = 30 * 24 * 3600
"""Seconds for which an anonymous event waits for its owner."""

LATE = 5 * 60
"""Seconds after an identify in which anonymous events still go straight to the person."""


class Anonymous:
    """Waiting events by anonymous id, and which person claimed that id first and last."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Activity]] = {}
        self.owners: dict[str, str] = {}
        self._open: dict[str, tuple[str, float]] = {}

    def keep(self, token: str, event: Activity) -> None:
        """Lets an event wait; under "" wait those that nobody can ever claim."""
        self.waiting.setdefault(token, []).append(event)

    def claim(self, token: str, cio_id: str, now: float) -> list[Activity]:
        """Gives a person the events that wait, and for five minutes those that still come."""
        self.owners.setdefault(token, cio_id)
        self._open[token] = (cio_id, now + LATE)
        events = [
            event for event in self.waiting.pop(token, ()) if event["received_at"] >= now - KEPT
        ]
        for event in events:
            event["triggers"] = triggers(event["timestamp"], now)
        return events

    def owner_of(self, token: str, now: float) -> str | None:
        """The cio_id of whoever claimed `token` within the last five minutes."""
        cio_id, until = self._open.get(token, (None, 0.0))
        return cio_id if now <= until else None
