"""The sample story: one shopper's checkout, order and refund, as a store would send them.

Every telling gets ids, tokens and times of its own, so that it is news to an adapter that keeps
its data between runs.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapter.model import Delivery

PLATFORM = "shopify"
SHOP = "lovelace-coffee.myshopify.com"

# Topic, fixture, and how long before now the body says that it happened.
_CHAPTERS = (
    ("checkouts/create", "checkouts_create.json", timedelta(minutes=12)),
    ("orders/create", "orders_create.json", timedelta(minutes=8)),
    ("orders/paid", "orders_paid.json", timedelta(minutes=8)),
    ("refunds/create", "refunds_create.json", timedelta(minutes=1)),
)
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([-+]\d\d:\d\d|Z)"')


@dataclass(frozen=True, slots=True)
class Chapter:
    """One delivery of the story."""

    delivery: Delivery
    body: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """The deliveries in order, and what must have come of them: event names and who did it."""

    chapters: tuple[Chapter, ...]
    person: str
    order: str
    checkout: str
    events: tuple[str, ...] = ("checkout_started", "order_completed", "order_refunded")

    def missing(self, person: Mapping[str, Any] | None) -> list[str]:
        """What is not as it must be in a person as the sandbox tells it; empty when all is."""
        if person is None:
            return [f"person {self.person}"]
        problems = []
        for name in self.events:
            times = sum(self._is_told(event, name) for event in person["activity"])
            if times != 1:
                problems.append(f"{name}: arrived {times} times, not once")
        return problems

    def _is_told(self, activity: Mapping[str, Any], name: str) -> bool:
        if activity.get("type") != "event" or activity.get("name") != name:
            return False
        properties = activity.get("attributes", {})
        return self.order == properties.get("order_id") or (
            name == "checkout_started" and self.checkout == properties.get("checkout_id")
        )


def tell(fixtures: Path, now: datetime) -> Story:
    """The story as of `now`; `fixtures` is the directory of fixtures."""
    texts = {name: (fixtures / PLATFORM / name).read_text("utf-8") for _, name, _ in _CHAPTERS}
    bodies = {name: json.loads(text) for name, text in texts.items()}
    order, refund = bodies["orders_create.json"], bodies["refunds_create.json"]
    fresh = int(now.timestamp() * 1000)
    names = {
        str(order["id"]): str(fresh),
        str(refund["id"]): str(fresh + 1),
        order["cart_token"]: f"cart-{uuid.uuid4().hex}",
        order["checkout_token"]: uuid.uuid4().hex,
    }
    chapters = []
    for topic, name, before in _CHAPTERS:
        text = texts[name]
        for old, new in names.items():
            text = text.replace(old, new)
        happened = now - before
        text = _moved(text, happened - datetime.fromisoformat(bodies[name]["created_at"]))
        delivery = Delivery(
            platform=PLATFORM,
            topic=topic,
            id=str(uuid.uuid4()),
            shop=SHOP,
            received_at=int(now.timestamp()),
            triggered_at=happened.timestamp(),
            api_version="2026-10",
        )
        chapters.append(Chapter(delivery, text.encode()))
    return Story(
        chapters=tuple(chapters),
        person=str(order["customer"]["id"]),
        order=names[str(order["id"])],
        checkout=names[order["checkout_token"]],
    )


def _moved(text: str, by: timedelta) -> str:
    """All times of a body, moved by so much."""

    def move(match: re.Match[str]) -> str:
        return f'"{(datetime.fromisoformat(match[1] + match[2]) + by).isoformat("T", "seconds")}"'

    return _TIME.sub(move, text)


def timeline(person: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """A person's events as (time, name, what matters most of it), oldest first."""
    events = [entry for entry in person["activity"] if entry.get("type") == "event"]
    for event in sorted(events, key=lambda entry: entry["timestamp"]):
        when = datetime.fromtimestamp(event["timestamp"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        properties = event.get("attributes", {})
        amount = next(
            (properties[k] for k in ("revenue", "refund_amount", "cart_value") if k in properties),
            None,
        )
        told = [] if amount is None else [f"{amount:.2f} {properties.get('currency', '')}"]
        if "item_count" in properties:
            told.append(f"{properties['item_count']} items")
        told += [
            f"{name} {properties[name]}"
            for name in ("checkout_id", "order_id", "cart_id")
            if name in properties
        ]
        yield when, str(event["name"]), ", ".join(told)
