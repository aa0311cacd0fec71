"""The sample story: bodies of Shopify's that belong together, and that nobody real is in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shopify"
FILES = sorted(FIXTURES.glob("*.json"))


def body(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


WITH_TOTALS = [file.stem for file in FILES if "shipping_lines" in body(file.stem)]


def test_one_person_one_cart_one_checkout_one_order() -> None:
    checkout, order, refund = map(body, ("checkouts_create", "orders_create", "refunds_create"))
    assert checkout["customer"]["id"] == order["customer"]["id"]
    assert checkout["cart_token"] == order["cart_token"]
    assert checkout["token"] == order["checkout_token"]
    assert order["id"] == refund["order_id"]


def test_the_order_stays_itself_while_it_moves_on() -> None:
    created, paid, updated = map(body, ("orders_create", "orders_paid", "orders_updated"))
    assert created["id"] == paid["id"] == updated["id"]
    assert created["updated_at"] < paid["updated_at"] < updated["updated_at"]
    assert updated["cart_token"].partition("?")[0] == paid["cart_token"] != updated["cart_token"]


def test_the_refund_is_not_what_its_lines_say() -> None:
    refund = body("refunds_create")
    lines = sum(line["subtotal"] + line["total_tax"] for line in refund["refund_line_items"])
    assert lines != sum(float(each["amount"]) for each in refund["transactions"])


def test_an_order_of_five_lines_has_the_size_of_a_real_one() -> None:
    order = body("orders_paid")
    assert len(order["line_items"]) == 5
    assert 12_000 < len(json.dumps(order, separators=(",", ":"))) < 14_000
    assert 2_500 < (FIXTURES / "orders_create.small.json").stat().st_size < 3_500


@pytest.mark.parametrize("name", WITH_TOTALS)
def test_totals_add_up(name: str) -> None:
    order = body(name)
    cents = {key: round(float(order[f"{key}_price"]) * 100) for key in ("total", "subtotal")}
    lines = sum(
        round(float(line["price"]) * 100) * line["quantity"] for line in order["line_items"]
    )
    shipping = sum(round(float(line["price"]) * 100) for line in order["shipping_lines"])
    tax, discounts = (round(float(order[key]) * 100) for key in ("total_tax", "total_discounts"))
    assert cents["subtotal"] == lines - discounts
    assert cents["total"] == cents["subtotal"] + shipping + tax


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nobody_real_is_in_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert all(host.lower() == "example.com" for host in re.findall(r'"[^"@\s]+@([^"\s]+)"', text))
    phones = re.findall(r'"[a-z_]*phone": "([^"]+)"', text)
    assert all("555" in phone for phone in phones)
