"""What one webhook would become: pure and offline, with memory taken as empty."""

from __future__ import annotations

import json
from typing import Any

from adapter.courier import pack
from adapter.destinations.base import Destination, Item
from adapter.model import Entry, Json, Mapped
from adapter.resolver import IdentifyBy, resolve


def explain(
    mapped: Mapped, destination: Destination, *, identify_by: IdentifyBy = "id"
) -> dict[str, Any]:
    """As `adapter explain --json` prints it (DESIGN, section 2)."""
    delivery = mapped.delivery
    outcome: str = mapped.outcome
    reason = mapped.reason
    requests: list[Json] = []
    events = mapped.events
    if mapped.outcome == "mapped" and mapped.person is not None:
        entry = Entry("0-0", delivery, mapped.person, mapped.events, mapped.order)
        resolution = resolve([entry], {}, now=delivery.received_at, identify_by=identify_by)
        encoded = [destination.encode(operation) for operation in resolution.operations]
        items = [item for item in encoded if isinstance(item, Item)]
        for part in pack(destination, items):
            request = destination.request(part)
            requests.append(
                {
                    "method": request.method,
                    "path": request.path,
                    "json": json.loads(request.body),
                }
            )
        for skipped in resolution.skipped.values():
            outcome, reason, events = "ignored", skipped, ()
        for _, (_, _, _, order) in resolution.waits:
            reason = f"waits until order {order} says whose it is"
    return {
        "outcome": outcome,
        "reason": reason,
        "delivery": {
            "platform": delivery.platform,
            "topic": delivery.topic,
            "id": delivery.id,
            "shop": delivery.shop,
        },
        "person": None if mapped.person is None else mapped.person.to_json(),
        "events": [event.to_json() for event in events],
        "requests": requests,
    }
