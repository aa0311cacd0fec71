"""Very large orders, from the body to the item that Customer.io gets (DESIGN, section 1).

They keep their totals; what gives way is optional fields of all lines first, then the last lines.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapter.destinations import Track
from adapter.destinations.base import Item
from adapter.destinations.track import ITEM_BYTES
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Entry, Mapped, Operation
from adapter.resolver import resolve

REPOSITORY = Path(__file__).parents[2]
FIXTURE = REPOSITORY / "fixtures" / "shopify" / "orders_create.json"
NOW = 1789394740
TOTALS = ("order_id", "revenue", "subtotal", "shipping", "tax", "discount_amount", "currency")
CORE = ("name", "quantity", "price")
LISTS = ("skus", "product_ids", "variant_ids", "product_names", "vendors")


@cache
def mappings() -> Mappings:
    return load(REPOSITORY / "mappings")


def body_of(lines: int) -> dict[str, Any]:
    """The fixture's order with so many lines, each of a product of its own."""
    body = parse_body(FIXTURE.read_bytes())
    assert isinstance(body, dict)
    some = body["line_items"]
    body["line_items"] = []
    for number in range(lines):
        line = copy.deepcopy(some[number % len(some)])
        line["id"] += number
        line["product_id"] += number
        line["variant_id"] += number
        line["sku"] = f"{line['sku']}-{number}"
        line["quantity"] = line["current_quantity"] = 1 + number % 3
        body["line_items"].append(line)
    body["total_price"] = str(sum(Decimal(line["price"]) for line in body["line_items"]))
    return body


@cache
def mapped(lines: int) -> Mapped:
    delivery = Delivery(
        platform="shopify",
        topic="orders/create",
        id=f"{lines} lines",
        shop="lovelace-coffee.myshopify.com",
        received_at=NOW,
        triggered_at=NOW,
    )
    mapped = mappings().apply(delivery, body_of(lines))
    assert (mapped.outcome, mapped.left_out) == ("mapped", ())
    return mapped


def operations(lines: int) -> Iterator[Operation]:
    whole = mapped(lines)
    assert whole.person is not None
    entry = Entry("1-0", whole.delivery, whole.person, whole.events, whole.order)
    return iter(resolve([entry], {}, now=NOW).operations)


def encoded(lines: int) -> Item:
    """The item of the order's event."""
    event = next(each for each in operations(lines) if each.action == "event")
    item = Track().encode(event)
    assert isinstance(item, Item)
    return item


def properties(lines: int) -> dict[str, Any]:
    """The event's properties before anything was cut."""
    (event,) = mapped(lines).events
    return dict(event.properties)


def sent(lines: int) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads(encoded(lines).data)["attributes"]
    return attributes


@pytest.mark.parametrize("lines", [1, 60, 120, 180, 250, 300, 320, 500, 2000])
def test_an_order_of_any_length_keeps_its_totals(lines: int) -> None:
    assert len(encoded(lines).data) <= ITEM_BYTES
    attributes, whole = sent(lines), properties(lines)
    assert attributes["item_count"] == sum(1 + number % 3 for number in range(lines))
    assert attributes["revenue"] == float(body_of(lines)["total_price"])
    assert {name: attributes[name] for name in TOTALS} == {name: whole[name] for name in TOTALS}


@pytest.mark.parametrize("lines", [1, 60])
def test_60_lines_fit_as_they_are(lines: int) -> None:
    assert sent(lines) == properties(lines)
    assert "items_truncated" not in sent(lines)
    assert encoded(lines).shortened == ()


def test_60_lines_with_a_lot_to_say_lose_no_line() -> None:
    """Long names and two languages, say: optional fields go until the rest fits."""
    whole = properties(60)
    whole["items"] = [
        {**line, "url": f"https://shop.example/{'x' * 300}"} for line in whole["items"]
    ]
    event = next(each for each in operations(60) if each.action == "event")
    item = Track().encode(replace(event, attributes=whole))
    assert isinstance(item, Item)
    attributes = json.loads(item.data)["attributes"]
    assert attributes["items_truncated"] is True
    assert len(item.data) <= ITEM_BYTES
    assert [{name: line[name] for name in (*CORE, "sku")} for line in attributes["items"]] == [
        {name: line[name] for name in (*CORE, "sku")} for line in whole["items"]
    ]
    assert {name: attributes[name] for name in LISTS} == {name: whole[name] for name in LISTS}


@pytest.mark.parametrize("lines", [250, 300, 320, 500, 2000])
def test_500_lines_lose_the_last_of_them_and_say_so(lines: int) -> None:
    attributes, whole = sent(lines), properties(lines)
    kept = attributes["items"]
    assert attributes["items_truncated"] is True
    assert 50 <= len(kept) < lines
    assert kept == [{name: line[name] for name in CORE} for line in whole["items"][: len(kept)]]
    assert encoded(lines).shortened[-1] == "items"


@pytest.mark.parametrize("lines", [250, 300, 320, 500, 2000])
def test_the_lists_beside_the_items_are_whole_or_as_long_as_they(lines: int) -> None:
    attributes, whole = sent(lines), properties(lines)
    lengths = {len(attributes[name]) for name in LISTS}
    assert lengths in ({lines}, {len(attributes["items"])})
    for name in LISTS:
        assert attributes[name] == whole[name][: len(attributes[name])]


@pytest.mark.parametrize("lines", [1, 60, 500])
def test_whoever_bought_so_much_is_still_a_person(lines: int) -> None:
    identify = next(each for each in operations(lines) if each.action == "identify")
    item = Track().encode(identify)
    assert isinstance(item, Item)
    assert item.shortened == ()
    assert item.operation.identifiers == {"id": "8274950138263"}
