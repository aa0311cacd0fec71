"""The shipped mappings of carts, people, subscriptions and products, held against bodies that
nobody here wrote, and Shopify's register of topics.

The bodies lie beside the repository and not in it (`../shared/payloads`), so a fresh clone
elsewhere skips what needs them. Orders and what follows them are in test_foreign_payloads.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Mapped

REPOSITORY = Path(__file__).parents[2]
PAYLOADS = REPOSITORY.parent / "shared" / "payloads"
RECEIVED_AT, TRIGGERED_AT = 1700000000, 1699999990

foreign = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no foreign payloads here")

DOCS = "shopify-docs-2026-07"
BOB = "706405506930370084"
NO_NEWS = {"accepts_marketing": None, "sms_opt_in": None}

# A phone without its country and a shop's domain that is a placeholder are all that does not fit.
UNDIALLED = ("action.with.phone: expected phone, got text",)

# (topic, source): what becomes of it. Attributes, properties and fields by those that are named.
EXPECTED: dict[tuple[str, str], dict[str, Any]] = {
    ("carts/create", DOCS): {
        "tokens": {"cart": "exampleCartId"},
        "attributes": {
            "current_cart_value": 59.97,
            "current_cart_id": "exampleCartId",
            "current_cart_updated_at": 1640995200,
            "currency": "USD",
        },
        "event": ("added_to_cart", "exampleCartId:2022-01-01T00:00:00.000Z", 1640995200),
        "properties": {"cart_value": 59.97, "item_count": 3, "skus": ["example-shirt-s"]},
    },
    ("carts/update", DOCS): {
        "tokens": {"cart": "exampleCartId"},
        "event": ("added_to_cart", "exampleCartId:2022-01-01T00:00:00.000Z", 1640995200),
        "properties": {"cart_value": 59.97},
    },
    ("customers/create", DOCS): {
        "person": {"id": BOB, "email": "bob@biller.com", "phone": None, "as_of": 1640995200},
        "attributes": {"country": "CA", "city": "Ottawa", "created_at": 1640995200, **NO_NEWS},
        "event": ("customer_created", BOB, 1640995200),
    },
    # A body of 2023: never asked, no order yet.
    ("customers/create", "activepieces"): {
        "person": {"id": "6972943892790", "email": "jane.roe@example.com"},
        "attributes": {
            "tags": ["tag", "VIP"],
            "orders_count": 0,
            "lifetime_value": 0,
            "last_order_id": None,
            "email_consent_state": "not_subscribed",
            "sms_consent_state": "not_subscribed",
            **NO_NEWS,
        },
        "event": ("customer_created", "6972943892790", 1679696036),
    },
    ("customers/update", DOCS): {"person": {"id": BOB}, "attributes": {"first_name": "Bob"}},
    ("customers/enable", DOCS): {"person": {"id": BOB}, "attributes": NO_NEWS},
    ("customers/disable", DOCS): {"person": {"id": BOB}, "attributes": NO_NEWS},
    ("customers/delete", DOCS): {"action": ("delete_person", {"id": BOB})},
    # Shopify's own sample is of a merge that failed.
    ("customers/merge", DOCS): {"ignored": "merge_people: nothing to do"},
    ("customers/purchasing_summary", DOCS): {
        "person": {"id": "1", "as_of": 1115269200},
        "attributes": {
            "orders_count": 1,
            "lifetime_value": 100,
            "currency": "USD",
            "last_order_id": "1",
        },
    },
    ("customer.tags_added", DOCS): {
        "person": {"id": "1", "as_of": 1115269200},
        "changes": {"tags": {"add": ["tag1", "tag2"]}},
    },
    ("customer.tags_removed", DOCS): {
        "person": {"id": "1", "as_of": 1115269200},
        "changes": {"tags": {"remove": ["tag1", "tag2"]}},
    },
    ("customers_email_marketing_consent/update", DOCS): {
        "person": {"id": "706405506930370000", "email": "bob@biller.com", "as_of": TRIGGERED_AT},
        "attributes": {"email_consent_state": "not_subscribed", **NO_NEWS},
    },
    ("customers_marketing_consent/update", DOCS): {
        "person": {"id": "706405506930370000", "phone": None, "as_of": TRIGGERED_AT},
        "attributes": {"sms_consent_state": None, **NO_NEWS},
    },
    ("subscription_contracts/create", DOCS): {
        "person": {"id": "1", "as_of": TRIGGERED_AT},
        "tokens": {"subscription": "402440842"},
        "attributes": {"subscription_status": "active", "subscription_id": "402440842"},
        "event": ("subscription_created", "402440842", TRIGGERED_AT),
        "properties": {"status": "active", "interval": "4 week"},
    },
    ("subscription_contracts/update", DOCS): {
        "person": {"id": "1"},
        "tokens": {"subscription": "7879037765"},
        "attributes": {"subscription_status": "active"},
    },
    ("products/update", DOCS): {
        "catalog": ("788032119674292922", 1640995200, False),
        "fields": {
            "name": "Example T-Shirt",
            "handle": "example-t-shirt",
            "category": "Shirts",
            "tags": ["example", "mens", "t-shirt"],
            "published": True,
        },
        "variants": [
            {
                "variant_id": "642667041472713922",
                "url_query": "variant=642667041472713922",
                "name": "Small",
                "price": 19.99,
                "compare_at_price": 24.99,
                "in_stock": True,
            },
            {
                "variant_id": "757650484644203962",
                "url_query": "variant=757650484644203962",
                "name": "Medium",
                "price": 19.99,
                "compare_at_price": 24.99,
                "in_stock": True,
            },
        ],
    },
    ("customers/data_request", DOCS): {
        "action": (
            "report_person",
            {
                "id": "191167",
                "email": "john@example.com",
                "orders": ["299938", "280263", "220458"],
            },
        ),
        "left_out": UNDIALLED,
    },
    ("customers/redact", DOCS): {
        "action": (
            "redact_person",
            {
                "id": "191167",
                "email": "john@example.com",
                "orders": ["299938", "280263", "220458"],
            },
        ),
        "left_out": UNDIALLED,
    },
    ("shop/redact", DOCS): {"action": ("redact_shop", {"shop": "{shop}.myshopify.com"})},
}

# Of these there are foreign bodies, and nothing comes of them.
SILENT = (
    "app/uninstalled",
    "bulk_operations/finish",
    "checkouts/delete",
    "customer.joined_segment",
    "customers_whats_app_marketing_consent/update",
    "disputes/create",
    "disputes/update",
    "draft_orders/create",
    "inventory_levels/update",
    "orders/delete",
    "orders/edited",
    "returns/request",
    "shop/update",
    "tender_transactions/create",
)


@cache
def mappings() -> Mappings:
    return load(REPOSITORY / "mappings")


def file_of(topic: str, source: str) -> Path:
    return PAYLOADS / f"{topic.replace('/', '_')}.{source}.json"


def applied(topic: str, source: str) -> Mapped:
    body = parse_body(file_of(topic, source).read_bytes())
    delivery = Delivery(
        platform="shopify",
        topic=topic,
        id="foreign",
        shop="shop.example",
        received_at=RECEIVED_AT,
        triggered_at=TRIGGERED_AT + 0.5,
    )
    return mappings().apply(delivery, body)


@foreign
@pytest.mark.parametrize(("topic", "source"), EXPECTED)
def test_a_foreign_body(topic: str, source: str) -> None:
    expected = EXPECTED[topic, source]
    mapped = applied(topic, source)
    if "ignored" in expected:
        assert (mapped.outcome, mapped.reason) == ("ignored", expected["ignored"])
        return
    assert (mapped.outcome, mapped.reason) == ("mapped", None)
    left_out = tuple(f"{each.path}: {each.problem}" for each in mapped.left_out)
    assert left_out == expected.get("left_out", ())
    events = [(event.name, event.key, event.timestamp) for event in mapped.events]
    assert events == ([expected["event"]] if "event" in expected else [])
    for name, value in expected.get("properties", {}).items():
        assert mapped.events[0].properties[name] == value, name
    if "action" in expected:
        assert mapped.action is not None
        assert (mapped.action.kind, dict(mapped.action.values)) == expected["action"]
    elif "catalog" in expected:
        product = mapped.catalog
        assert product is not None
        assert (product.id, product.as_of, product.removed) == expected["catalog"]
        assert {name: product.fields[name] for name in expected["fields"]} == expected["fields"]
        assert list(product.variants) == expected["variants"]
    else:
        same_person(mapped, expected)


def same_person(mapped: Mapped, expected: dict[str, Any]) -> None:
    person = mapped.person
    assert person is not None
    for name, value in expected.get("person", {}).items():
        assert getattr(person, name) == value, name
    assert person.tokens == expected.get("tokens", {})
    assert person.changes == expected.get("changes", {})
    for name, value in expected.get("attributes", {}).items():
        assert person.attributes.get(name) == value, name


@foreign
@pytest.mark.parametrize("topic", SILENT)
def test_a_foreign_body_that_nothing_comes_of(topic: str) -> None:
    mapped = applied(topic, DOCS)
    assert mapped.outcome == "ignored"
    assert mapped.reason == mappings().register("shopify").ignored[topic]


@foreign
def test_every_foreign_body_is_mapped_or_knowingly_ignored() -> None:
    topics = {*mappings().topics("shopify"), *mappings().register("shopify").ignored}
    known = tuple(f"{topic.replace('/', '_')}." for topic in topics)
    assert [each.name for each in PAYLOADS.glob("*.json") if not each.name.startswith(known)] == []


def test_every_topic_of_the_store_admin_is_mapped_or_knowingly_ignored() -> None:
    register = mappings().register("shopify")
    assert register.admin - {*mappings().topics("shopify"), *register.ignored} == set()


def test_notes_are_of_topics_that_something_comes_of() -> None:
    assert set(mappings().register("shopify").notes) - set(mappings().topics("shopify")) == set()
