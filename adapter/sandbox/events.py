"""How an event of the API becomes a line of somebody's activity. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .profile import Activity, Json
from .times import malformed_times, moment, triggers

ENVELOPE = ("recipient", "from_address", "reply_to")
"""Event properties that override whom a message goes to and whom it comes from."""


def activity_of(item: Mapping[str, Json], now: float) -> Activity:
    """The activity that a valid event, page or screen leaves.

    What the vendor accepts and nobody should send is flagged: `bad_timestamp` (taken as now),
    `bad_times` (attributes named as times that hold none), `envelope_override`. `triggers` tells
    whether the event could start a campaign.
    """
    attributes = item.get("attributes") or {}
    at, malformed = moment(item.get("timestamp"), now)
    ulid = item.get("id")
    activity: Activity = {
        "type": item["action"],
        "name": item["name"],
        "id": ulid.upper() if ulid else None,
        "timestamp": at,
        "received_at": now,
        "triggers": triggers(at, now),
        "attributes": attributes,
    }
    if malformed:
        activity["bad_timestamp"] = True
    if bad_times := malformed_times(attributes):
        activity["bad_times"] = bad_times
    if override := [name for name in ENVELOPE if name in attributes]:
        activity["envelope_override"] = override
    return activity
