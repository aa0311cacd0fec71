"""The contract that ships: names and types as decided, and what is made of it for others."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from adapter.errors import Fault
from adapter.mapping.schema import Field, Schema, read_schema
from adapter.strictyaml import parse

from .conftest import DELIVERY, SCHEMA, Apply
from .test_mapper import BODY, ORDERS

SHIPPED = Path(__file__).parents[2] / "mappings" / "schema.yml"

# The binding names, one line an event; `?` marks what may be absent.
EVENTS = """
added_to_cart: cart_id, cart_value, currency?, items, item_count, added_items, first_in_cart, cart_url?, discount_codes?, discount_amount?, subtotal?
checkout_started: checkout_id, cart_id?, cart_value, currency, items, item_count, checkout_url?, discount_codes?, discount_amount?, subtotal?, shipping_country?
order_completed: order_id, order_name?, cart_id?, checkout_id?, revenue, subtotal?, shipping?, tax?, discount_amount?, discount_code?, discount_codes?, currency, presentment_currency?, presentment_value?, items, item_count, has_subscription?, financial_status?, payment_gateway?, source?, shipping_country?, locale?, landing_site?, referring_site?, utm_source?, utm_medium?, utm_campaign?, order_status_url?
order_canceled: order_id, cart_id?, cancel_reason?, revenue, currency, items
order_refunded: order_id, refund_id, refund_amount, currency, full_refund?, items?, note?
order_fulfilled: order_id, items
order_shipped: order_id, fulfillment_id, carrier?, tracking_number?, tracking_url?, items
order_delivered: order_id, fulfillment_id
payment_failed: order_id?, subscription_id?, amount?, currency?, error?
subscription_created: subscription_id, status, items?, next_billing_at?, interval?, cancel_reason?
subscription_canceled: subscription_id, status, items?, next_billing_at?, interval?, cancel_reason?
customer_created:
product_viewed: product_id, variant_id?, sku?, name?, category?, price?, currency?, url?, image_url?
"""
ITEM = (
    "product_id?, variant_id?, sku?, name, variant_name?, vendor?, category?, quantity, price, "
    "compare_at_price?, discount_amount?, line_total?, presentment_price?, url?, image_url?, "
    "in_stock?, is_subscription?, selling_plan?, replenishable?, days_to_replenish?, replenish_at?"
)
PERSON = (
    "email, phone, first_name, last_name, created_at, accepts_marketing, sms_opt_in, "
    "email_consent_state, sms_consent_state, email_consent_at, sms_consent_at, country, city, "
    "language, timezone, tags, first_order_at, last_order_at, last_order_id, orders_count, "
    "lifetime_value, average_order_value, currency, first_time_buyer, discount_eligible, vip_tier, "
    "subscription_status, subscription_id, subscription_next_billing_at, current_cart_value, "
    "current_cart_updated_at, current_cart_id, current_cart_url, last_seen_at"
)


def names(fields: tuple[Field, ...], *, optional: bool = True) -> str:
    return ", ".join(field.name + ("?" if optional and field.optional else "") for field in fields)


@pytest.fixture(scope="module")
def schema() -> Schema:
    faults: list[Fault] = []
    tree = parse(SHIPPED.read_text("utf-8"), "schema.yml", faults)
    assert tree
    found = read_schema(tree, faults)
    assert found, faults
    return found


def test_the_shipped_contract_holds_the_binding_names(schema: Schema) -> None:
    lines = [f"{event.name}: {names(event.fields)}".rstrip() for event in schema.events.values()]
    assert lines == EVENTS.strip().splitlines()
    assert names(schema.item) == ITEM
    assert names(schema.person, optional=False) == PERSON
    assert (
        names(schema.common) == "event_id, source_platform, shop, schema_version, items_truncated?"
    )
    assert dict(schema.flat) == {
        "skus": "sku",
        "product_ids": "product_id",
        "variant_ids": "variant_id",
        "product_names": "name",
        "categories": "category",
        "vendors": "vendor",
    }


def test_money_has_its_currency_beside_it(schema: Schema) -> None:
    for event in schema.events.values():
        if any(field.of == "money" for field in event.fields):
            assert event.field("currency"), event.name


def test_everything_is_described(schema: Schema) -> None:
    fields = [field for event in schema.events.values() for field in event.fields]
    for field in (*fields, *schema.item, *schema.person, *schema.common):
        assert field.about.endswith("."), field.name
        assert len(field.about) <= 80, field.name


def test_the_json_schema_is_one(schema: Schema) -> None:
    document = schema.to_json_schema()
    Draft202012Validator.check_schema(document)
    assert json.loads(json.dumps(document)) == document
    assert set(document["$defs"]) == {*schema.events, "person", "item"}
    completed = document["$defs"]["order_completed"]
    assert completed["required"] == [
        "order_id", "revenue", "currency", "items", "item_count",
        "event_id", "source_platform", "shop", "schema_version",
    ]  # fmt: skip
    assert completed["properties"]["revenue"] == {
        "type": "number",
        "description": "What the order came to when it was placed, in `currency`.",
    }
    assert completed["properties"]["items"]["items"] == {"$ref": "#/$defs/item"}
    assert completed["properties"]["skus"]["items"] == {"type": "string", "minLength": 1}
    assert "skus" not in document["$defs"]["order_delivered"]["properties"]


def test_what_the_engine_makes_is_valid(apply: Apply) -> None:
    faults: list[Fault] = []
    tree = parse(SCHEMA, "schema.yml", faults)
    assert tree
    small = read_schema(tree, faults)
    assert small
    document = small.to_json_schema()
    result = apply(ORDERS, {**BODY, "total": Decimal("19.98")})
    (event,) = result.events
    assert result.person
    for name, value in (
        ("order_completed", event.properties),
        ("person", result.person.attributes),
    ):
        part = {"$ref": f"#/$defs/{name}", "$defs": document["$defs"]}
        Draft202012Validator(part).validate(dict(value))
    assert DELIVERY.shop in json.dumps(event.to_json())


BROKEN: list[tuple[str, str, str]] = [
    ("person:\n  email: email", "people:\n  email: email", "schema.yml:3:1: people: not a part of a schema"),
    ("version: 3", "version: one", "schema.yml:2:10: version: expected a whole number from 1"),
    ("phone: phone", "phone: fone", "schema.yml:5:10: phone: no type 'fone', did you mean 'phone'?"),
    ("phone: phone", "phone: [phone]", "schema.yml:5:10: phone: expected a type"),
    ("phone: phone", "phone: list of item", "schema.yml:5:10: phone: no type 'list of item'"),
    ("phone: phone", "phone: {type: phone, abut: x}", "schema.yml:5:24: phone: a field has type, about and from"),
    ("from: items}", "from: thin air}", "schema.yml:26:17: item_count: from is items or memory"),
    ("    items: list of item\n", "    items: item\n", "schema.yml:25:12: items: no type 'item'"),
    ("customer_created: {}", "customer_created: no", "schema.yml:46:21: customer_created: expected a mapping of properties"),
    ("skus: sku", "skus: sk", "schema.yml:48:14: flat.skus: not a field of item, did you mean 'sku'?"),
    ("sku: text?", "sku: list of text", "schema.yml:13:3: item.sku: an item holds no lists"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "fault"), BROKEN)
def test_a_broken_schema_says_where(old: str, new: str, fault: str) -> None:
    faults: list[Fault] = []
    assert old in SCHEMA
    tree = parse(SCHEMA.replace(old, new, 1), "schema.yml", faults)
    assert tree
    read_schema(tree, faults)
    assert fault in [str(each) for each in faults]


def test_of_a_broken_schema_the_rest_holds() -> None:
    """So that mapping files can be read, and their faults told at once with those of the schema."""
    found: list[Schema | None] = []
    for old, new, lower in [
        ("phone: phone", "phone: fone", None),
        ("phone: phone", "phone: fone", "phone: country"),
        ("customer_created: {}", "customer_created: no", None),
        ("customer_created: {}", "customer_created: no", "customer_created: {a: id}"),
        ("version: 3", "versin: 3", None),
    ]:
        below = SCHEMA.replace(old, lower or old, 1)
        trees = [parse(text, "schema.yml", []) for text in (below, SCHEMA.replace(old, new, 1))]
        assert trees[0]
        assert trees[1]
        found.append(read_schema(trees[1], [], read_schema(trees[0], []) if lower else None))
    phones = [each and next(f.of for f in each.person if f.name == "phone") for each in found]
    assert phones[:2] == ["text", "country"]
    created = [each and [f.name for f in each.events["customer_created"].fields] for each in found]
    assert created[2:4] == [[], ["a"]]
    assert found[4] is None, "without one of its parts it is no contract"


def test_what_is_said_of_an_event_that_an_overlay_broke_or_took_away_is_no_fault() -> None:
    lower = parse(SCHEMA + "about: {order_canceled: x}\n", "schema.yml", [])
    assert lower
    whole = read_schema(lower, [])
    for text, count in [("order_canceled: x", 1), ("", 0)]:
        faults: list[Fault] = []
        kept = SCHEMA.replace(
            "  order_canceled:\n    order_id: id\n    cancel_reason: text?\n", f"  {text}\n"
        )
        assert kept != SCHEMA
        tree = parse(kept + "about: {order_canceled: x}\n", "schema.yml", faults)
        assert tree
        read_schema(tree, faults, whole)
        assert len(faults) == count, faults
