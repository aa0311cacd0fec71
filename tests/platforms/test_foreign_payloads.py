"""The shipped mappings held against bodies of orders and checkouts that nobody here wrote.

They lie beside the repository and not in it (`../shared/payloads`), so a fresh clone elsewhere
skips this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Mapped

REPOSITORY = Path(__file__).parents[2]
PAYLOADS = REPOSITORY.parent / "shared" / "payloads"
TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/cancelled")
TOPICS += ("orders/fulfilled", "orders/partially_fulfilled")
TOPICS += ("checkouts/create", "checkouts/update", "refunds/create")
TOPICS += ("fulfillments/create", "fulfillments/update", "fulfillment_events/create")
TOPICS += ("order_transactions/create",)
RECEIVED_AT = 1700000000

pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no foreign payloads here")

# What is ignored as it stands is held once more as if it were the case that counts.
CHANGES: dict[str, dict[str, Any]] = {
    "as no test": {"test": False},
    "as fulfilled": {"test": False, "cancelled_at": None, "fulfillment_status": "fulfilled"},
    "as sent": {"status": "success"},
    "as delivered": {"status": "success", "shipment_status": "delivered"},
    "as arrived": {"status": "delivered"},
    "as declined": {"status": "failure", "message": "Declined"},
}

EXPECTED: dict[str, dict[str, Any]] = {
    "orders_create.shopify-docs-2026-07": {"outcome": "ignored", "reason": "test order"},
    "orders_paid.shopify-docs-2026-07": {"outcome": "ignored", "reason": "test order"},
    "orders_updated.shopify-docs-2026-07": {"outcome": "ignored", "reason": "test order"},
    "orders_cancelled.shopify-docs-2026-07": {"outcome": "ignored", "reason": "test order"},
    "orders_fulfilled.shopify-docs-2026-07": {"outcome": "ignored", "reason": "test order"},
    "orders_partially_fulfilled.shopify-docs-2026-07": {
        "outcome": "ignored",
        "reason": "test order",
    },
    "orders_cancelled.shopify-docs-2026-07 as no test": {
        "outcome": "mapped",
        "person": {"id": "115310627314723954", "email": "john@example.com", "phone": None},
        "tokens": {},
        "attributes": {"country": "CA", "city": "Ottawa", "first_name": "John"},
        "event": ("order_canceled", "820982911946154508", 1640995200),
        "properties": {"revenue": 404.95, "currency": "USD", "cancel_reason": "customer"},
        "items": 5,
    },
    # It says that it was cancelled, and not that it was fulfilled.
    "orders_fulfilled.shopify-docs-2026-07 as no test": {
        "outcome": "mapped",
        "person": {"id": "115310627314723954", "email": "john@example.com"},
        "event": ("order_canceled", "820982911946154508", 1640995200),
        "properties": {"revenue": 404.95},
        "items": 5,
    },
    # No parcel is in it: dated when it was told.
    "orders_fulfilled.shopify-docs-2026-07 as fulfilled": {
        "outcome": "mapped",
        "order": "820982911946154508",
        "events": [
            ("order_completed", "820982911946154508", 1640995200),
            ("order_fulfilled", "820982911946154508", 1640995200),
        ],
        "properties": {"order_id": "820982911946154508"},
        "items": 5,
    },
    "orders_partially_fulfilled.shopify-docs-2026-07 as no test": {
        "outcome": "mapped",
        "event": ("order_canceled", "820982911946154508", 1640995200),
        "properties": {"currency": "USD"},
        "items": 5,
    },
    # A sale by draft order that nobody's name is on: it waits under its checkout.
    "orders_create.activepieces": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "tokens": {"checkout": "2b9ba639fb81a1fb61a02be4c95459b5"},
        "event": ("order_completed", "5324830114101", 1679675846),
        "properties": {"revenue": 2629.95, "source": "draft", "payment_gateway": "manual"},
        "items": 1,
    },
    "orders_paid.activepieces": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "event": ("order_completed", "5324830114101", 1679675846),
        "properties": {"financial_status": "paid"},
        "items": 1,
    },
    "orders_cancelled.activepieces": {
        "outcome": "mapped",
        "person": {
            "id": "6972527083830",
            "email": "alex.reed@example.com",
            "phone": "+15555550135",
        },
        "tokens": {"checkout": "751db9e69c75eb563f4d9b052e8cc0f7"},
        "attributes": {
            "tags": ["VIP"],
            "email_consent_state": "not_subscribed",
            "accepts_marketing": None,
        },
        "event": ("order_canceled", "5324790137142", 1679695698),
        # total_price, though current_total_price is 0.00 by then
        "properties": {"revenue": 1806.38, "product_names": ["The Complete Snowboard"] * 2},
        "items": 2,
    },
    "checkouts_create.shopify-docs-2026-07": {
        "outcome": "mapped",
        "person": {"id": "603851970716743426", "email": "john@example.com", "phone": None},
        "tokens": {"cart": "eeafa272cebfd4b22385bc4b645e762c", "checkout": "123123123"},
        "event": ("checkout_started", "123123123", 1640995200),
        "properties": {"cart_value": 421.88, "subtotal": 398, "currency": "USD"},
        "items": 2,
    },
    "checkouts_update.shopify-docs-2026-07": {
        "outcome": "mapped",
        "person": {"id": "603851970716743426"},
        "event": ("checkout_started", "123123123", 1640995200),
        "properties": {"cart_value": 421.88},
        "items": 2,
    },
    # The lines say 414.95, 85.00 were paid back; the transactions hold no currency.
    "refunds_create.shopify-docs-2026-07": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "order": "820982911946154500",
        "event": ("order_refunded", "890088186047892319", 1640995200),
        "properties": {"refund_amount": 85, "currency": "USD", "note": "Things were damaged"},
        "items": 5,
    },
    # The lines say 1776.38, the shipping 30.00 more.
    "refunds_create.activepieces-embedded-full-refund": {
        "outcome": "mapped",
        "order": "5324790137142",
        "event": ("order_refunded", "945108681014", 1679695698),
        "properties": {"refund_amount": 1806.38, "currency": "USD"},
        "items": 2,
    },
    "fulfillments_create.shopify-docs-2026-07": {"outcome": "ignored", "reason": "not sent"},
    # Neither jon@example.com nor Steve, whom the parcel goes to.
    "fulfillments_create.shopify-docs-2026-07 as sent": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "order": "820982911946154500",
        "event": ("order_shipped", "123456", 1640995200),
        "properties": {"carrier": "UPS", "tracking_number": "1z827wk74630"},
        "items": 5,
    },
    "fulfillments_update.shopify-docs-2026-07": {"outcome": "ignored", "reason": "not sent"},
    "fulfillments_update.shopify-docs-2026-07 as delivered": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "order": "820982911946154500",
        "events": [
            ("order_shipped", "123456", 1640995200),
            ("order_delivered", "123456", RECEIVED_AT),
        ],
        "properties": {"order_id": "820982911946154500", "fulfillment_id": "123456"},
    },
    "fulfillment_events_create.shopify-docs-2026-07": {
        "outcome": "ignored",
        "reason": "not delivered",
    },
    "fulfillment_events_create.shopify-docs-2026-07 as arrived": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "order": "820982911946154500",
        "event": ("order_delivered", "123456", 1640995200),
        "properties": {"order_id": "820982911946154500", "fulfillment_id": "123456"},
    },
    "order_transactions_create.shopify-docs-2026-07": {
        "outcome": "ignored",
        "reason": "no failure",
    },
    "order_transactions_create.shopify-docs-2026-07 as declined": {
        "outcome": "mapped",
        "person": {"id": None, "email": None, "phone": None},
        "order": "820982911946154500",
        "event": ("payment_failed", "120560818172775265", 1640995200),
        "properties": {"amount": 419.95, "currency": "USD", "error": "Declined"},
    },
}


def ours() -> list[Path]:
    """The foreign bodies of the topics that are mapped."""
    prefixes = tuple(topic.replace("/", "_") + "." for topic in TOPICS)
    return sorted(file for file in PAYLOADS.glob("*.json") if file.name.startswith(prefixes))


@cache
def mappings() -> Mappings:
    return load(REPOSITORY / "mappings")


def applied(name: str) -> Mapped:
    stem, _, case = name.partition(" ")
    body = parse_body((PAYLOADS / f"{stem}.json").read_bytes())
    if case:
        body |= CHANGES[case]
    topic = next(topic for topic in TOPICS if stem.startswith(topic.replace("/", "_") + "."))
    delivery = Delivery(
        platform="shopify", topic=topic, id="foreign", shop="shop.example", received_at=RECEIVED_AT
    )
    return mappings().apply(delivery, body)


def test_every_foreign_body_has_its_row() -> None:
    assert {file.stem for file in ours()} == {n for n in EXPECTED if " " not in n}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_foreign_body(name: str) -> None:
    expected = EXPECTED[name]
    mapped = applied(name)
    assert (mapped.outcome, mapped.reason) == (expected["outcome"], expected.get("reason"))
    if mapped.outcome != "mapped":
        return
    person = mapped.person
    assert person is not None
    for field, value in expected.get("person", {}).items():
        assert getattr(person, field) == value, field
    if "tokens" in expected:
        assert person.tokens == expected["tokens"]
    for field, value in expected.get("attributes", {}).items():
        assert person.attributes.get(field) == value, field
    if "order" in expected:
        assert mapped.order == expected["order"]
    events = [(event.name, event.key, event.timestamp) for event in mapped.events]
    assert events == (expected["events"] if "events" in expected else [expected["event"]])
    properties = mapped.events[-1].properties
    for field, value in expected["properties"].items():
        assert properties[field] == value, field
    assert ("items" in properties) is ("items" in expected)
    if "items" in expected:
        assert len(properties["items"]) == expected["items"]


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_in_a_foreign_body_is_left_out(name: str) -> None:
    assert applied(name).left_out == ()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("fulfillments_create.shopify-docs-2026-07 as sent", ("email", "destination")),
        ("fulfillments_update.shopify-docs-2026-07 as delivered", ("email", "destination")),
        (
            "order_transactions_create.shopify-docs-2026-07 as declined",
            ("payment_details", "authorization", "receipt"),
        ),
    ],
)
def test_no_recipient_and_no_card_leaves(name: str, parts: tuple[str, ...]) -> None:
    mapped = applied(name)
    assert mapped.person is not None
    values = [mapped.person.to_json(), [event.to_json() for event in mapped.events]]
    leaving = json.dumps(values, ensure_ascii=False)
    body = parse_body((PAYLOADS / f"{name.partition(' ')[0]}.json").read_bytes())
    told = {text for part in parts for text in texts(body[part])}
    assert len(told) > 1
    assert [text for text in told if f'"{text}"' in leaving] == []


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, str) and value:
        yield value


@pytest.mark.parametrize("name", EXPECTED)
def test_what_leaves_is_plain_json(name: str) -> None:
    mapped = applied(name)
    values = [mapped.person.to_json()] if mapped.person else []
    values += [event.to_json() for event in mapped.events]
    while values:
        value = values.pop()
        assert not isinstance(value, Decimal)
        if isinstance(value, dict):
            assert None not in value.values() or set(value) >= {"id", "email", "phone"}
            values += value.values()
        elif isinstance(value, list):
            values += value
