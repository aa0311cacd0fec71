"""Names on the way out: what is renamed where, and what no file may ask for."""

# ruff: noqa: E501, ISC004 - a table has one row a line

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.errors import Fault
from adapter.mapping.names import Names, read_names
from adapter.mapping.presets import PRESETS
from adapter.mapping.schema import Schema, read_schema
from adapter.model import Json, Operation
from adapter.strictyaml import Node, parse

CONTRACT = """
version: 1
person:
  email: email
  phone: phone
  created_at: time
  accepts_marketing: boolean
  orders_count: integer
  lifetime_value: money
item:
  product_id: id?
  sku: text?
  name: text
events:
  added_to_cart: {cart_value: money, items: list of item, added_items: list of item}
  order_completed: {order_id: id, revenue: money, subtotal: money?, items: list of item}
  order_refunded: {order_id: id, refund_amount: money}
common:
  event_id: id
  items_truncated: boolean?
flat:
  skus: sku
"""


def tree(text: str) -> Node | None:
    faults: list[Fault] = []
    root = parse(dedent(text), "names.yml", faults)
    assert faults == []
    return root


@pytest.fixture(scope="module")
def schema() -> Schema:
    faults: list[Fault] = []
    root = tree(CONTRACT)
    assert root is not None
    found = read_schema(root, faults)
    assert found is not None, faults
    return found


@pytest.fixture(scope="module")
def read(schema: Schema) -> Any:
    """The names that a file gives; with `faulty`, what is said against it."""

    def read_(text: str, *, faulty: bool = False) -> Any:
        faults: list[Fault] = []
        names = read_names(tree(text), schema, faults)
        if faulty:
            return [str(fault).removeprefix("names.yml:") for fault in sorted(faults)]
        assert faults == []
        return names

    return read_


def event(name: str = "order_completed", **properties: Json) -> Operation:
    return Operation("event", {"id": "42"}, 1, properties, name=name, id="U", key="1001")


def identify(**attributes: Json) -> Operation:
    return Operation("identify", {"id": "42"}, 1, attributes)


# What goes out


@pytest.mark.parametrize(
    ("text", "name", "properties", "outside"),
    [
        ("events: {order_completed: Purchase}", "order_completed", {}, ("Purchase", {})),
        ("events: {order_completed: Purchase}", "order_refunded", {}, ("order_refunded", {})),
        (
            "properties: {revenue: total}",
            "order_completed",
            {"order_id": "1", "revenue": 5},
            ("order_completed", {"order_id": "1", "total": 5}),
        ),
        (
            "events: {order_refunded: {name: Refund, properties: {order_id: order}}}",
            "order_refunded",
            {"order_id": "1"},
            ("Refund", {"order": "1"}),
        ),
        (
            "events: {order_refunded: {properties: {order_id: order}}}",
            "order_completed",
            {"order_id": "1"},
            ("order_completed", {"order_id": "1"}),
        ),
        (
            "{properties: {order_id: everywhere}, "
            "events: {order_refunded: {properties: {order_id: here}}}}",
            "order_refunded",
            {"order_id": "1"},
            ("order_refunded", {"here": "1"}),
        ),
        (
            "properties: {event_id: id, skus: products}",
            "order_completed",
            {"event_id": "U", "skus": ["a"]},
            ("order_completed", {"id": "U", "products": ["a"]}),
        ),
        (
            "{items: {product_id: ProductID}, properties: {items: lines}}",
            "added_to_cart",
            {"items": [{"product_id": "7", "name": "Tea"}], "added_items": [{"product_id": "7"}]},
            (
                "added_to_cart",
                {
                    "lines": [{"ProductID": "7", "name": "Tea"}],
                    "added_items": [{"ProductID": "7"}],
                },
            ),
        ),
        (
            "events: {order_completed: order_refunded, order_refunded: order_completed}",
            "order_completed",
            {},
            ("order_refunded", {}),
        ),
        (
            "preset: title_case",
            "added_to_cart",
            {"cart_value": 5},
            ("Added To Cart", {"cart_value": 5}),
        ),
        (
            "preset: segment",
            "order_completed",
            {"revenue": 5, "items": [{"name": "Tea"}]},
            ("Order Completed", {"total": 5, "products": [{"name": "Tea"}]}),
        ),
        (
            "preset: klaviyo",
            "order_completed",
            {"order_id": "1", "revenue": 5, "items": [{"product_id": "7", "name": "Tea"}]},
            (
                "Placed Order",
                {
                    "OrderId": "1",
                    "value": 5,
                    "Items": [{"ProductID": "7", "ProductName": "Tea"}],
                },
            ),
        ),
        (
            "{preset: klaviyo, events: {order_completed: Bought}, properties: {revenue: worth}}",
            "order_completed",
            {"order_id": "1", "revenue": 5},
            ("Bought", {"OrderId": "1", "worth": 5}),
        ),
    ],
)
def test_an_event_goes_out_as(
    read: Any, text: str, name: str, properties: dict[str, Json], outside: tuple[str, Json]
) -> None:
    operation = event(name, **properties)
    outgoing = read(text).outgoing(operation)
    assert (outgoing.name, outgoing.attributes) == outside
    same = ("action", "identifiers", "timestamp", "id", "key", "sources")
    assert all(getattr(outgoing, one) == getattr(operation, one) for one in same)
    assert operation.name == name
    assert operation.attributes == properties


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("attributes: {orders_count: total_orders}", {"email": "a@x.com", "total_orders": 3}),
        (
            "attributes: {orders_count: [orders_count, total_orders]}",
            {"email": "a@x.com", "orders_count": 3, "total_orders": 3},
        ),
        (
            "attributes: {email: [email, mail]}",
            {"email": "a@x.com", "mail": "a@x.com", "orders_count": 3},
        ),
        ("preset: klaviyo", {"email": "a@x.com", "orders_count": 3}),
    ],
)
def test_attributes_go_out_as(read: Any, text: str, outside: dict[str, Json]) -> None:
    outgoing = read(text).outgoing(identify(email="a@x.com", orders_count=3))
    assert outgoing.attributes == outside


@pytest.mark.parametrize(
    "text", ["preset: none", "{}", "events: {order_completed: order_completed}"]
)
def test_where_nothing_is_renamed_nothing_is_copied(read: Any, text: str) -> None:
    names = read(text)
    assert not names
    for operation in (event(revenue=5, items=[{"name": "Tea"}]), identify(orders_count=1)):
        assert names.outgoing(operation) is operation


def test_what_is_not_renamed_is_not_copied_either(read: Any) -> None:
    names = read("{events: {order_completed: Purchase}, attributes: {orders_count: total}}")
    for operation in (event("order_refunded", order_id="1"), identify(email="a@x.com")):
        assert names.outgoing(operation) is operation


def test_no_file_renames_nothing(schema: Schema) -> None:
    assert read_names(None, schema, []) is Names.none()


def test_single_names(read: Any) -> None:
    names = read(
        "{events: {order_completed: {name: Purchase, properties: {revenue: total}}}, "
        "items: {name: title}, attributes: {orders_count: [orders_count, n]}}"
    )
    assert names.event("order_completed") == "Purchase"
    assert names.event("unheard_of") == "unheard_of"
    assert names.property("order_completed", "revenue") == "total"
    assert names.property("order_refunded", "revenue") == "revenue"
    assert (names.item("name"), names.item("sku")) == ("title", "sku")
    assert names.attribute("orders_count") == ("orders_count", "n")
    assert names.attribute("email") == ("email",)


def test_a_preset_that_is_no_name_is_told_in_plain_words(schema: Schema) -> None:
    faults: list[Fault] = []
    read_names(tree("preset: [a]"), schema, faults)
    assert [each.message for each in faults] == [
        "preset: expected the name of one; there are 'none', 'title_case', 'segment', 'klaviyo'"
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_collides_with_nothing_in_the_shipped_contract(preset: str) -> None:
    faults: list[Fault] = []
    text = (Path(__file__).parents[2] / "mappings" / "schema.yml").read_text()
    root = parse(text, "schema.yml", faults)
    assert root is not None
    shipped = read_schema(root, faults)
    assert shipped is not None
    read_names(tree(f"preset: {preset}"), shipped, faults)
    assert faults == []


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event: {}", ["1:1: event: not a part of names.yml, did you mean 'events'?"]),
        ("[a]", ["1:1: names.yml: expected a mapping of preset, events, properties, items, attributes"]),
        ("preset: klavyo", ["1:9: preset: no preset 'klavyo', did you mean 'klaviyo'?"]),
        (
            "preset: x",
            [
                "1:9: preset: no preset 'x'; "
                "there are 'none', 'title_case', 'segment', 'klaviyo'"
            ],
        ),
        ("events: [a]", ["1:9: events: expected a mapping of canonical names to outgoing ones"]),
        (
            "events: {order_complete: Purchase}",
            [
                "1:10: events.order_complete: not an event of the contract, "
                "did you mean 'order_completed'?"
            ],
        ),
        (
            "events: {order_completed: {nam: x}}",
            [
                "1:28: events.order_completed.nam: not a part of an event's names, "
                "did you mean 'name'?"
            ],
        ),
        (
            "events: {order_completed: {properties: {revenu: x}}}",
            [
                "1:41: events.order_completed.revenu: not a property of order_completed, "
                "did you mean 'revenue'?"
            ],
        ),
        (
            "properties: {revenu: total}",
            ["1:14: properties.revenu: not a property of any event, did you mean 'revenue'?"],
        ),
        ("items: {nam: x}", ["1:9: items.nam: not a field of item, did you mean 'name'?"]),
        (
            "attributes: {order_count: x}",
            [
                "1:14: attributes.order_count: not an attribute of person, "
                "did you mean 'orders_count'?"
            ],
        ),
        ("events: {order_completed: 7}", ["1:27: events.order_completed: expected a name"]),
        ("items: {name: ' x'}", ["1:15: items.name: a name has no white space around it and no line breaks"]),
        ("attributes: {orders_count: []}", ["1:28: attributes.orders_count: expected a name or a list of them"]),
    ],
)  # fmt: skip
def test_what_is_not_known(read: Any, text: str, said: list[str]) -> None:
    assert read(text, faulty=True) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "events: {order_completed: order_refunded}",
            "1:27: events: order_completed and order_refunded would both go out as 'order_refunded'",
        ),
        (
            "events: {order_completed: x, order_refunded: x}",
            "1:46: events: order_refunded and order_completed would both go out as 'x'",
        ),
        (
            "properties: {revenue: order_id}",
            "1:23: properties of order_completed: revenue and order_id "
            "would both go out as 'order_id'",
        ),
        (
            "properties: {revenue: event_id}",
            "1:23: properties of order_completed: revenue and event_id "
            "would both go out as 'event_id'",
        ),
        (
            "properties: {revenue: skus}",
            "1:23: properties of order_completed: revenue and skus would both go out as 'skus'",
        ),
        (
            "events: {order_refunded: {properties: {refund_amount: order_id}}}",
            "1:55: properties of order_refunded: refund_amount and order_id "
            "would both go out as 'order_id'",
        ),
        (
            "items: {sku: name}",
            "1:14: items: sku and name would both go out as 'name'",
        ),
        (
            "attributes: {lifetime_value: [lifetime_value, orders_count]}",
            "1:47: attributes: lifetime_value and orders_count would both go out as 'orders_count'",
        ),
        (
            "attributes: {lifetime_value: x, orders_count: x}",
            "1:47: attributes: orders_count and lifetime_value would both go out as 'x'",
        ),
        (
            "{preset: segment, properties: {subtotal: total}}",
            "1:42: properties of order_completed: subtotal and revenue "
            "would both go out as 'total'",
        ),
    ],
)
def test_two_names_never_become_one(read: Any, text: str, said: str) -> None:
    assert read(text, faulty=True) == [said]


@pytest.mark.parametrize(
    "name",
    ["created_at", "unsubscribed", "id", "email", "cio_id", "cio_subscription_preferences", "_update"],
)  # fmt: skip
def test_what_means_something_to_customerio_is_nobodys_other_name(read: Any, name: str) -> None:
    (said,) = read(f"attributes: {{accepts_marketing: {name}}}", faulty=True)
    assert (
        said == f"1:33: attributes.accepts_marketing: '{name}' means something else to Customer.io"
    )


def test_the_creation_time_keeps_its_own_reserved_name(read: Any) -> None:
    assert read("attributes: {created_at: [created_at, since]}").attribute("created_at") == (
        "created_at",
        "since",
    )


@pytest.mark.parametrize("name", ["email", "phone"])
def test_addresses_keep_their_names(read: Any, name: str) -> None:
    (said,) = read(f"attributes: {{{name}: contact}}", faulty=True)
    assert f"keep it beside the other: [{name}, contact]" in said


@pytest.mark.parametrize("name", ["recipient", "from_address", "reply_to"])
@pytest.mark.parametrize(
    "text",
    ["properties: {{revenue: {}}}", "events: {{order_completed: {{properties: {{revenue: {}}}}}}}"],
)
def test_no_property_redirects_a_message(read: Any, text: str, name: str) -> None:
    (said,) = read(text.format(name), faulty=True)
    assert said.endswith(f"properties.revenue: '{name}' would redirect the message itself")


@pytest.mark.parametrize(
    ("part", "most"),
    [
        ("events: {{order_completed: {}}}", 100),
        ("properties: {{revenue: {}}}", 150),
        ("items: {{name: {}}}", 150),
        ("attributes: {{orders_count: {}}}", 150),
    ],
)
def test_names_have_a_longest_length_in_bytes(read: Any, part: str, most: int) -> None:
    fits = "ü" * (most // 2)
    assert read(part.format(fits))
    (said,) = read(part.format(fits + "x"), faulty=True)
    assert said.endswith(f"is longer than the {most} bytes that Customer.io takes")


def test_all_faults_are_told_at_once(read: Any) -> None:
    text = "preset: x\nevents: {a: b}\nitems: {c: d}\nattributes: {e: f}\n"
    assert [said.partition(":")[0] for said in read(text, faulty=True)] == ["1", "2", "3", "4"]
