"""Webhooks to measure with: orders made of a fixture, each with its own ids, tokens and times."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from adapter.model import Delivery
from adapter.platforms import Platform, load_platforms

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "shopify"
MAPPINGS = ROOT / "mappings"
LARGE = "orders_paid.json"
"""An order of five lines, 13 kB."""
SMALL = "orders_create.small.json"
"""An order of one line, 3 kB."""
TOPICS = {LARGE: "orders/paid", SMALL: "orders/create"}
SHOP = "lovelace-coffee.myshopify.com"
SECRET = "a secret for measuring"

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-04:00"
_TOTALS = ("total_price", "subtotal_price", "total_tax", "total_line_items_price")


class Orders:
    """As many different orders as are asked for, each of another customer.

    Every distinct time of the fixture becomes another one as well, and every total: what is
    computed from a body must not come out of a cache that real webhooks would miss. Prices stay: a
    shop's products cost the same in every order.
    """

    def __init__(self, fixture: str, first: int = 0) -> None:
        self.topic = TOPICS[fixture]
        self._first = first
        self._now = int(time.time()) - 86_400
        order = json.loads((FIXTURES / fixture).read_text("utf-8"))
        text = json.dumps(order, ensure_ascii=False, separators=(",", ":"))
        self._names = {
            str(order["id"]): "order",
            str(order["customer"]["id"]): "customer",
            order["cart_token"]: "cart",
            order["checkout_token"]: "checkout",
            order["customer"]["email"]: "email",
        }
        self._totals = {f'"{order[name]}"': float(order[name]) for name in _TOTALS if name in order}
        known = "|".join(re.escape(name) for name in (*self._names, *self._totals))
        pieces = re.split(f"({known}|{_TIME})", text)
        self._texts, self._holes = pieces[0::2], pieces[1::2]
        moments = sorted({hole for hole in self._holes if re.fullmatch(_TIME, hole)})
        self._moments = {hole: place for place, hole in enumerate(moments)}

    def body(self, number: int) -> bytes:
        """The order with that number."""
        n = self._first + number
        new = {
            "order": str(6_000_000_000_000 + n),
            "customer": str(8_000_000_000_000 + n),
            "cart": f"hWN1kT{n:022d}",
            "checkout": f"{n:032x}",
            "email": f"ada.{n}@example.com",
        }
        found = {hole: new[name] for hole, name in self._names.items()}
        for hole, place in self._moments.items():
            # The moments keep their order; no two orders share one.
            moment = datetime.fromtimestamp(self._now - n * 7 - 7 + place % 7, UTC)
            found[hole] = moment.isoformat(timespec="seconds")
        for hole, total in self._totals.items():
            found[hole] = f'"{total + n * 37 % 9_000 / 100:.2f}"'
        parts = [self._texts[0]]
        for hole, text in zip(self._holes, self._texts[1:], strict=True):
            parts += (found[hole], text)
        return "".join(parts).encode()

    def delivery(self) -> Delivery:
        """The facts of a delivery of such an order, with an id of its own."""
        now = time.time()
        return Delivery(
            platform="shopify",
            topic=self.topic,
            id=str(uuid.uuid4()),
            shop=SHOP,
            received_at=int(now),
            triggered_at=now,
            api_version="2026-07",
        )


def shopify() -> Platform:
    return load_platforms(MAPPINGS)["shopify"]


def headers(platform: Platform, delivery: Delivery, raw: bytes) -> Mapping[str, str]:
    """All that Shopify itself would send beside the body."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        **platform.headers_for(delivery),
        **platform.sign(raw, SECRET),
    }


def http(platform: Platform, delivery: Delivery, raw: bytes) -> bytes:
    """A signed webhook as the bytes of one HTTP request."""
    named = headers(platform, delivery, raw)
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = (
        f"POST /webhooks/shopify HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}"
        f"Content-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw
