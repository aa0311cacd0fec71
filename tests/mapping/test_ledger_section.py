"""`ledger:` of a mapping file: what a body tells of an order's money, and what is wrong with it."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapter.mapping import Mappings, parse_body
from adapter.model import LeftOut, MoneyBack, OrderMoney

from .conftest import DELIVERY, Apply, Workshop

ORDERS = """
    topics: [orders/paid]
    order: id
    person: {email: email}
    ledger:
      at: placed
      as_of: changed
      cancelled: status | eq("cancelled")
      currency: currency
      value: net
      total: gross
      shipping: freight
      shipping_now: freight_left
      tax_included: tax_included
      presentment_currency: seen
      presentment_total: seen_gross
      refunds: {each: refunds, use: money_back}
      gift_cards: {each: vouchers, use: voucher}
    fragments:
      money_back:
        id: id
        amount: moved
        currency: in
        lines: lines
        lines_tax: tax
        presentment_lines: seen_lines
        presentment_lines_tax: seen_tax
        shipping: freight
      voucher: {price: price, quantity: left, bought: pieces, discount: off}
    """
NAMED = ORDERS.replace("    order: id\n", "").replace("at: placed", "order: id\n      at: placed")
BODY: dict[str, Any] = {
    "id": 7,
    "email": "ada@example.com",
    "placed": "2026-01-01T00:00:00Z",
    "changed": "2026-01-02T00:00:00Z",
    "currency": "EUR",
    "net": "70.00",
    "gross": 100,
}


def told(apply: Apply, **more: Any) -> OrderMoney:
    mapped = apply(ORDERS, {**BODY, **more})
    assert (mapped.outcome, mapped.left_out) == ("mapped", ())
    assert mapped.ledger is not None
    return mapped.ledger


PLAIN = OrderMoney(
    "7",
    as_of=1767312000,
    triggered_at=1767225600.75,
    at=1767225600,
    currency="EUR",
    value=70.0,
    total=100.0,
)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"status": "cancelled"}, {"cancelled": True}),
        ({"currency": "JPY", "net": "70.6"}, {"currency": "JPY", "value": 71, "total": 100}),
        ({"changed": None}, {"as_of": 1767225600}),
        ({"placed": None, "gross": None}, {"at": None, "total": None}),
        ({"seen": "EUR", "seen_gross": "100.00"}, {}),
        ({"seen": "USD", "seen_gross": "110.00"}, {"presentment_currency": "USD", "presentment_total": 110.0}),
        ({"vouchers": [{"price": "10.00"}]}, {"gift_cards": 10.0}),
        ({"vouchers": [{"price": "10.00", "left": 2, "pieces": 3, "off": "1.00"}]}, {"gift_cards": 19.33}),
        ({"vouchers": [{"price": 5, "left": 0}, {"price": "2.50", "left": 2}]}, {"gift_cards": 5.0}),
        ({"freight": 5, "freight_left": 2}, {}),
    ],
)  # fmt: skip
def test_a_body_tells_of_an_orders_money(
    apply: Apply, more: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert told(apply, **more) == replace(PLAIN, **expected)


@pytest.mark.parametrize(
    ("refund", "expected"),
    [
        ({"moved": "30.00", "in": "eur"}, {"amount": 30.0, "currency": "EUR"}),
        ({"moved": Decimal("0.1")}, {"amount": 0.1}),
        ({"lines": 20, "tax": "1.60"}, {"lines": 21.6}),
        ({"lines": "0.1", "tax": "0.2"}, {"lines": 0.3}),
        ({"moved": 9, "lines": 8, "seen_lines": "8.80", "seen_tax": 1}, {"amount": 9, "lines": 8, "presentment_lines": 9.8}),
    ],
)  # fmt: skip
def test_and_of_its_refunds(apply: Apply, refund: dict[str, Any], expected: dict[str, Any]) -> None:
    refunds = (MoneyBack("1", **expected),)
    assert told(apply, refunds=[{"id": 1, **refund}]) == replace(PLAIN, refunds=refunds)


def test_tax_that_is_in_the_prices_is_not_added(apply: Apply) -> None:
    found = told(
        apply, tax_included=True, refunds=[{"id": 1, "lines": 20, "tax": 3, "seen_tax": 3}]
    )
    assert found.refunds == (MoneyBack("1", lines=20),)


def test_shipping_that_is_gone_is_told_beside_refunds(apply: Apply) -> None:
    refunds = [{"id": 1, "moved": 5, "freight": "-2.00"}, {"id": 2, "freight": 3}, {"id": 3}]
    assert told(apply, refunds=refunds, freight=5, freight_left="0.00").shipping_off == 5
    assert told(apply, refunds=refunds, freight=5, freight_left="2.00").shipping_off == 3
    assert told(apply, refunds=refunds, freight=5, freight_left="6.00").shipping_off == 0
    assert told(apply, refunds=refunds, freight=5).shipping_off == 0


def test_shipping_that_nobody_was_paid_back_was_a_discount(apply: Apply) -> None:
    refunds = [{"id": 1, "moved": 5, "freight": 1}]
    assert told(apply, refunds=refunds, freight=5, freight_left=0).shipping_off == 1
    assert told(apply, refunds=[{"id": 1, "moved": 5}], freight=5, freight_left=0).shipping_off == 0


REFUNDS = """
    topics: [orders/paid]
    order: order_id
    ledger:
      refund: {id: id, amount: moved, currency: in}
    """


def test_a_body_may_be_about_one_refund(apply: Apply) -> None:
    mapped = apply(REFUNDS, {"id": 1, "order_id": "gid://acme/Order/7", "moved": "5", "in": "EUR"})
    assert mapped.ledger == OrderMoney(
        "7",
        as_of=1767225600,
        triggered_at=1767225600.75,
        refunds=(MoneyBack("1", 5.0, "EUR"),),
    )


def test_the_ledger_may_name_the_order_itself(apply: Apply) -> None:
    assert apply(NAMED, BODY).ledger == PLAIN


@pytest.mark.parametrize(
    ("more", "left_out", "ledger"),
    [
        ({"id": []}, "ledger.order: expected id, got a list", None),
        ({"net": "free"}, "ledger.value: expected money, got 'free'", None),
        ({"gross": "?"}, "ledger.total: expected money, got '?'", replace(PLAIN, total=None)),
        ({"placed": "soon"}, "ledger.at: expected time, got 'soon'", replace(PLAIN, at=None)),
        ({"currency": "Euro"}, "ledger.currency: expected currency, got 'Euro'", replace(PLAIN, currency=None)),
        ({"refunds": [{"moved": 5}]}, "ledger.refunds[0].id: required, but absent", PLAIN),
        ({"refunds": [{"id": 1, "moved": "5 EUR"}]}, "ledger.refunds[0].amount: expected number, got '5 EUR'", replace(PLAIN, refunds=(MoneyBack("1"),))),
        ({"vouchers": [{"left": 1}]}, "ledger.gift_cards[0].price: required, but absent", PLAIN),
        ({"vouchers": [{"price": 10**12, "left": 10**12}]}, "ledger.gift_cards: expected money, got 1e+24", PLAIN),
    ],
)  # fmt: skip
def test_what_is_bad_is_left_out_and_parks_nothing(
    apply: Apply, more: dict[str, Any], left_out: str, ledger: OrderMoney | None
) -> None:
    mapped = apply(NAMED, {**BODY, **more})
    path, _, problem = left_out.partition(": ")
    assert mapped.outcome == "mapped"
    assert (mapped.ledger, mapped.left_out) == (ledger, (LeftOut(path, problem),))


def test_a_refund_without_an_id_is_left_out(apply: Apply) -> None:
    mapped = apply(REFUNDS, {"order_id": 7, "moved": "5"})
    assert mapped.ledger is None
    assert mapped.left_out == (LeftOut("ledger.refund.id", "required, but absent"),)


def test_a_body_without_the_order_or_its_price_tells_nothing(apply: Apply) -> None:
    assert apply(ORDERS, {**BODY, "id": None}).ledger is None
    assert apply(ORDERS, {**BODY, "net": None}).ledger is None


def test_an_ignored_body_tells_nothing(apply: Apply) -> None:
    text = ORDERS.replace("person:", "ignore_when: {test order: test}\n    person:")
    mapped = apply(text, {**BODY, "test": True})
    assert (mapped.outcome, mapped.ledger) == ("ignored", None)


@pytest.mark.parametrize(
    ("ledger", "fault"),
    [
        ("{value: net, valu: net}", "ledger.valu: not a part of ledger, did you mean 'value'?"),
        ("{at: placed}", "ledger: 'value' is missing, or 'refund' where the body is about one"),
        ("{value: 'net | absent'}", "ledger.value: expected money, got a boolean"),
        ("{value: net, refunds: refunds}", "ledger.refunds: expected {each: list, use: fragment}"),
        ("{value: net, refunds: {each: refunds, use: nothing}}", "ledger.refunds: no fragment 'nothing'"),
        ("{value: net, refunds: {each: refunds, use: item}}", "fragments.item.name: not a field of refund"),
        ("{value: net, refunds: {each: refunds, use: part}}", "fragments.part.id: is missing, a refund requires it"),
        ("{value: net, gift_cards: {each: cards, use: part}}", "fragments.part.price: is missing, a gift card requires it"),
        ("{refund: {amount: moved}}", "ledger.refund.id: is missing, a refund requires it"),
        ("{refund: {id: id, sum: moved}}", "ledger.refund.sum: not a field of refund"),
        ("[net]", "ledger: expected a mapping of names to values"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named(workshop: Workshop, ledger: str, fault: str) -> None:
    faults = workshop.faults(
        f"""
        topics: [orders/paid]
        order: id
        person: {{email: email}}
        ledger: {ledger}
        fragments: {{item: {{id: id, name: name}}, part: {{}}}}
        """
    )
    assert any(fault in each for each in faults), faults


def test_a_ledger_needs_an_order(workshop: Workshop) -> None:
    faults = workshop.faults(
        "topics: [orders/paid]\nperson: {email: email}\nledger: {value: net}\n"
    )
    assert any("ledger: 'order' is missing: which order is it?" in each for each in faults)


def test_a_body_about_a_product_has_no_ledger(workshop: Workshop) -> None:
    faults = workshop.faults(
        "topics: [orders/paid]\norder: id\ncatalog: {id: id}\nledger: {value: net}\n"
    )
    assert any("catalog: a file with ledger has none, and the reverse" in each for each in faults)


def test_an_embedded_test_may_expect_a_ledger(workshop: Workshop) -> None:
    from adapter.mapping import suite

    (workshop.directory / "acme").mkdir()
    (workshop.directory / "order.json").write_text('{"id": 7, "email": "a@x.com", "net": 5}')
    tests = """
    tests:
      - {name: right, fixture: order.json, expect: {ledger: {order: "7", value: 5, total: null}}}
      - {name: wrong, fixture: order.json, expect: {ledger: {value: 6}}}
    """
    mappings = workshop.load(ORDERS + tests)
    failures = [suite.run(case) for case in suite.cases(mappings, workshop.directory)]
    assert failures[0] is None
    assert failures[1] is not None
    assert failures[1].differences == ("ledger.value: expected 6, got 5.0",)


def test_money_keeps_every_cent_of_a_body(workshop: Workshop) -> None:
    mappings: Mappings = workshop.load(ORDERS)
    raw = b'{"id": 9007199254740993, "email": "a@x.com", "currency": "EUR", "net": 8005.35}'
    found = mappings.apply(DELIVERY, parse_body(raw)).ledger
    assert found is not None
    assert (found.order, found.value) == ("9007199254740993", 8005.35)
