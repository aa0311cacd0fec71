"""What orders come to: refunds, edits, cancellations and currencies, in any sequence."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from builders import AT, event, mapped, person
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import ledger
from adapter.model import MoneyBack, OrderMoney
from adapter.store.outbox import Outbox

DAY = 86400


def body(value: float, *refunds: MoneyBack, order: str = "1", **facts: Any) -> OrderMoney:
    """A body of a whole order of 100 US dollars."""
    return OrderMoney(
        order,
        **{
            "as_of": AT,
            "at": AT,
            "currency": "USD",
            "value": value,
            "total": 100.0,
            "refunds": refunds,
            **facts,
        },
    )


def back(amount: float, id: str = "r1", lines: float = 0, **facts: Any) -> MoneyBack:
    return MoneyBack(id, **{"amount": amount, "currency": "USD", "lines": lines, **facts})


def refund(*refunds: MoneyBack, order: str = "1") -> OrderMoney:
    """A body of refunds/create: money that went back, and nothing about the order."""
    return OrderMoney(order, as_of=AT + DAY, refunds=refunds)


def told(*facts: OrderMoney) -> ledger.Orders:
    orders: ledger.Orders = {}
    for fact in facts:
        orders = ledger.apply(orders, fact)
    return orders


def value_of(*facts: OrderMoney) -> Any:
    return ledger.figures(told(*facts), True).get("lifetime_value")


# --- what one order of 100 is worth


@pytest.mark.parametrize(
    ("case", "worth", "facts"),
    [
        ("nothing happened", 100, [body(100)]),
        ("a line and its money came back", 70, [body(70, back(30, lines=30))]),
        ("and both bodies told of it", 70, [body(70, back(30, lines=30)), refund(back(30))]),
        ("and no body since", 70, [body(100), refund(back(30))]),
        ("two lines, one known to the body", 60, [body(70, back(30, lines=30)), refund(back(10, "r2"))]),
        ("goodwill has no line", 90, [body(100, back(10))]),
        ("goodwill after the body", 90, [body(100), refund(back(10))]),
        ("goodwill twice", 85, [body(100, back(10)), refund(back(5, "r2"))]),
        ("shipping that the price lacks", 95, [body(95, back(5), shipping_off=5.0)]),
        ("shipping that the price still has", 95, [body(100, back(5))]),
        ("a line with its shipping, which the price lacks", 65, [body(65, back(35, lines=30), shipping_off=5.0)]),
        ("a line with its shipping, which it still has", 65, [body(70, back(35, lines=30))]),
        ("line, shipping and goodwill in one", 55, [body(70, back(45, lines=30))]),
        ("a fee is kept", 70, [body(70, back(25, lines=30))]),
        ("and makes up for later goodwill", 65, [body(70, back(25, lines=30), back(10, "r2"))]),
        ("the bank still has to move it", 70, [body(70, back(0, lines=30, currency=None))]),
        ("all of it came back", 0, [body(0, back(100, lines=100))]),
        ("more than all of it", 0, [body(0, back(120, lines=100))]),
        ("more than all of it, without a line", 0, [body(100, back(120))]),
        ("edited: more", 120, [body(120)]),
        ("edited: less, before it was paid", 80, [body(80)]),
        ("edited: less, the line noted as a refund without money", 80, [body(80, back(0, lines=20, currency=None))]),
        ("edited: less, then the money without a line", 80, [body(80, back(0, lines=20, currency=None), back(20, "r2"))]),
        ("the same, and the edit left no note", 80, [body(80, back(20))]),
        ("the same, and the money is only in its own body", 80, [body(80), refund(back(20))]),
        ("edited: more, then a line came back", 120, [body(120, back(30, lines=30))]),
        ("edited: more, a line and its shipping came back", 115, [body(115, back(35, lines=30), shipping_off=5.0)]),
        ("edited: more, goodwill", 110, [body(120, back(10))]),
        ("edited: more, a line and goodwill", 110, [body(120, back(40, lines=30))]),
        ("an exchange, the difference back", 90, [body(90, back(0, lines=30, currency=None), back(10, "r2"))]),
        ("a gift card stays out", 75, [body(100, gift_cards=25.0)]),
        ("a gift card, and a line came back", 45, [body(70, back(30, lines=30), gift_cards=25.0)]),
        ("a gift card, and goodwill", 65, [body(100, back(10), gift_cards=25.0)]),
        ("nothing but gift cards", 0, [body(100, gift_cards=100.0)]),
        ("cancelled", 0, [body(100, cancelled=True)]),
        ("cancelled and refunded", 0, [body(0, back(100, lines=100), cancelled=True)]),
        ("cancelled after a refund", 0, [body(70, back(30, lines=30)), body(70, back(30, lines=30), as_of=AT + 9, cancelled=True)]),
        ("refunded after the cancellation", 0, [body(100, cancelled=True), refund(back(100))]),
        ("a newer body counts more", 80, [body(100), body(80, as_of=AT + 1)]),
        ("of one second the one that was triggered later", 80, [body(80, triggered_at=AT + 0.9), body(100, triggered_at=AT + 0.2)]),
        ("of one moment the cancelled one", 0, [body(100, cancelled=True), body(100)]),
        ("of one moment the lower price", 80, [body(80), body(100)]),
        ("the money moved since", 90, [body(100, back(0, currency=None)), body(100, back(10))]),
        ("only a price is known", 70, [body(70, total=None)]),
        ("a free order", 0, [body(0, total=0.0)]),
        ("fractions that no float has", 0.3, [body(0.3, total=0.1), refund()]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_what_an_order_is_worth(case: str, worth: float, facts: list[OrderMoney]) -> None:
    found = {value_of(*each) for each in permutations([*facts, facts[0]])}
    assert found == {worth}


@pytest.mark.parametrize(
    ("case", "worth", "facts"),
    [
        ("the order's own ratio", 92.5, [body(100, refund_eur := back(6, currency="EUR"), presentment_currency="EUR", presentment_total=80.0)]),
        ("known before its order", 92.5, [refund(refund_eur), body(100, presentment_currency="EUR", presentment_total=80.0)]),
        ("lines as the body has them in both currencies", 66.66, [body(66.66, back(26.67, currency="EUR", lines=33.34, presentment_lines=26.67), presentment_currency="EUR", presentment_total=80.0)]),
        ("goodwill beside such lines", 65.41, [body(66.66, back(27.67, currency="EUR", lines=33.34, presentment_lines=26.67), presentment_currency="EUR", presentment_total=80.0)]),
        ("parts are summed before they are rounded", 99.97, [body(100, *(back(0.01, f"r{n}", currency="EUR") for n in range(3)), presentment_currency="EUR", presentment_total=90.0)]),
        ("yen have no decimals", 50, [body(100, back(7410, currency="JPY"), presentment_currency="JPY", presentment_total=14820)]),
        ("a last cent is rounding", 5.01, [body(5.01, back(76, currency="EUR", lines=90.0, presentment_lines=72.0), shipping_off=4.99, presentment_currency="EUR", presentment_total=80.0)]),
        ("all that the buyer paid", 0, [body(100, back(33.33, "r1", currency="EUR"), back(46.67, "r2", currency="EUR"), presentment_currency="EUR", presentment_total=80.0)]),
        ("no currency is the buyer's", 92.5, [body(100, back(6, currency=None), presentment_currency="EUR", presentment_total=80.0)]),
        ("no currency in a shop with one is the shop's", 94, [body(100, back(6, currency=None))]),
        ("a third currency is not counted", 100, [body(100, back(6, currency="GBP"), presentment_currency="EUR", presentment_total=80.0)]),
        ("no ratio, no conversion", 100, [body(100, back(6, currency="EUR"), presentment_currency="EUR", presentment_total=0.0)]),
        ("an order that names no currency", 94, [body(100, back(6), currency=None)]),
        ("an order in yen", 940, [body(1000, back(60, currency="JPY"), total=1000, currency="JPY")]),
        ("three decimals", 0.876, [body(1, back(0.124, currency="KWD"), total=1.0, currency="KWD")]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_refunds_in_other_currencies(case: str, worth: float, facts: list[OrderMoney]) -> None:
    assert {value_of(*each) for each in permutations(facts)} == {worth}


# --- what a person's orders come to


def test_the_figures_are_of_all_orders() -> None:
    orders = told(
        body(100.0, order="11", at=AT + 3),
        body(20.05, order="9", at=AT + 1, total=20.05),
        body(0.05, order="10", at=AT + 2, total=0.05),
    )
    assert ledger.figures(orders, True) == {
        "first_order_at": AT + 1,
        "last_order_at": AT + 3,
        "last_order_id": "11",
        "orders_count": 3,
        "lifetime_value": 120.1,
        "average_order_value": 40.03,
        "first_time_buyer": False,
        "currency": "USD",
    }


def test_one_order_makes_a_first_time_buyer() -> None:
    found = ledger.figures(told(body(100)), True)
    assert (found["orders_count"], found["first_time_buyer"]) == (1, True)


def test_nothing_is_said_of_a_history_that_is_not_whole() -> None:
    assert ledger.figures(told(body(100)), False) == {}


@pytest.mark.parametrize("orders", [{}, told(refund(back(5)))])
def test_nothing_is_said_of_nothing(orders: ledger.Orders) -> None:
    assert ledger.figures(orders, True) == {}


def test_a_cancelled_order_is_no_order() -> None:
    orders = told(body(100, order="1"), body(50, order="2", at=AT + DAY, cancelled=True))
    found = ledger.figures(orders, True)
    assert (found["orders_count"], found["last_order_id"], found["last_order_at"]) == (1, "1", AT)
    assert found["average_order_value"] == 100


def test_when_all_orders_were_cancelled_nobody_ordered() -> None:
    orders = told(body(100, cancelled=True))
    assert ledger.figures(orders, True) == {
        "orders_count": 0,
        "lifetime_value": 0,
        "first_time_buyer": False,
        "currency": "USD",
    }


def test_a_refunded_order_is_one() -> None:
    found = ledger.figures(told(body(0, back(100, lines=100))), True)
    assert (found["orders_count"], found["lifetime_value"]) == (1, 0)


def test_currencies_are_not_summed() -> None:
    euros = [body(30, order=str(n), at=AT + n, total=30.0, currency="EUR") for n in (2, 3)]
    found = ledger.figures(told(body(100, order="1"), *euros), True)
    assert (found["lifetime_value"], found["average_order_value"]) == (60, 30)
    assert (found["currency"], found["orders_count"]) == ("EUR", 3)
    assert found["first_order_at"] == AT


def test_of_as_many_orders_in_each_currency_the_earliest_leads() -> None:
    euro = body(30, order="2", at=AT - 1, total=30.0, currency="EUR")
    assert ledger.figures(told(body(100), euro), True)["currency"] == "EUR"


def test_two_ledgers_become_one() -> None:
    guest = told(body(100, order="1"), refund(back(5), order="2"))
    customer = told(body(50, order="2", total=50.0), body(90, order="1", as_of=AT + 1))
    assert ledger.joined(guest, customer) == ledger.joined(customer, guest)
    assert ledger.figures(ledger.joined(guest, customer), True)["lifetime_value"] == 135


def test_a_ledger_is_not_changed_by_what_is_made_of_it() -> None:
    before = told(body(100), refund(back(5)))
    kept = json.dumps(before)
    ledger.apply(before, refund(back(7, "r2")))
    ledger.joined(before, told(body(80, as_of=AT + 1)))
    assert json.dumps(before) == kept


def test_a_ledger_goes_through_json() -> None:
    facts = [body(100, back(6, currency="EUR"), presentment_currency="EUR", presentment_total=80.0)]
    facts += [refund(back(5), order="2"), body(70, order="3", cancelled=True)]
    orders = told(*facts)
    assert json.loads(json.dumps(orders)) == orders
    assert [OrderMoney.from_json(json.loads(json.dumps(each.to_json()))) for each in facts] == facts


@pytest.mark.parametrize(
    "fact", [body(100, back(6, currency="EUR"), presentment_currency="EUR"), refund(back(5)), None]
)
def test_the_outbox_hands_out_what_a_body_told(outbox: Outbox, fact: OrderMoney | None) -> None:
    outbox.accept(replace(mapped("d1", person(), event(), order="1001"), ledger=fact), b"{}")
    (entry,) = outbox.read("", 10)
    assert (entry.ledger, entry.action) == (fact, None)
    assert [each.key for each in entry.events] == ["1001"]


# --- whether the history is whole


@pytest.mark.parametrize(
    ("case", "expected", "facts"),
    [
        ("came into being after the adapter", True, {"created_at": AT, "since": AT}),
        ("came into being before", False, {"created_at": AT - 1, "since": AT}),
        ("before, but the past was loaded", True, {"created_at": AT - 1, "since": AT, "backfilled": True}),
        ("nobody says when", False, {"created_at": None, "since": AT}),
        ("nobody says, but the past was loaded", True, {"created_at": None, "since": None, "backfilled": True}),
        ("the adapter's first day is not known", False, {"created_at": AT, "since": None}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_history_is_whole(case: str, expected: bool, facts: dict[str, Any]) -> None:
    assert ledger.whole({}, **facts) is expected


def test_an_imported_order_shows_that_a_history_is_older() -> None:
    orders = told(body(100, at=AT - 400 * DAY))
    assert ledger.whole(orders, created_at=AT, since=AT - DAY) is False
    assert ledger.whole(orders, created_at=AT, since=AT - DAY, backfilled=True) is True


# --- the platform's own figures

OWN = {
    "first_order_at": AT,
    "orders_count": 2,
    "lifetime_value": 150.0,
    "average_order_value": 75.0,
    "first_time_buyer": False,
    "last_order_id": "2",
    "currency": "USD",
}  # fmt: skip
THEIRS = {"orders_count": 1, "lifetime_value": 99.5, "last_order_id": "1"}


def test_newer_figures_of_the_platform_win_and_others_follow() -> None:
    assert ledger.merged(OWN, AT, THEIRS, AT + 1) == {
        **OWN,
        **THEIRS,
        "average_order_value": 99.5,
        "first_time_buyer": True,
    }


@pytest.mark.parametrize("as_of", [AT - 1, AT])
def test_figures_that_are_no_newer_do_not(as_of: int) -> None:
    assert ledger.merged(OWN, AT, THEIRS, as_of) == OWN


def test_where_there_are_no_figures_of_ours_the_platforms_count_whatever_their_age() -> None:
    assert ledger.merged({}, AT, THEIRS, AT - 9) == {
        **THEIRS,
        "average_order_value": 99.5,
        "first_time_buyer": True,
    }


def test_where_the_platform_counts_nothing_ours_stay() -> None:
    assert ledger.merged(OWN, AT, {"first_name": "Ada"}, AT + 1) == OWN


def test_nobody_who_never_ordered_has_an_average() -> None:
    nothing = {"orders_count": 0, "lifetime_value": 0}
    assert ledger.merged({}, 0, nothing, AT) == {**nothing, "first_time_buyer": False}


def test_an_average_needs_both_of_what_it_is_made_of() -> None:
    found = ledger.merged(OWN, AT, {"orders_count": 3}, AT + 1)
    assert (found["average_order_value"], found["orders_count"]) == (50.0, 3)
    assert "average_order_value" not in ledger.merged({}, 0, {"lifetime_value": 5.0}, AT)


def test_the_ledger_is_as_new_as_its_newest_body() -> None:
    assert ledger.latest({}) == 0
    assert (
        ledger.latest(told(body(100), body(5, order="2", as_of=AT + 7), refund(back(5)))) == AT + 7
    )


# --- any sequence

CENTS = st.integers(0, 20_000).map(lambda cents: cents / 100)
REFUNDS = st.builds(
    MoneyBack,
    st.sampled_from("abc"),
    CENTS,
    st.sampled_from([None, "USD", "EUR", "JPY"]),
    CENTS,
    CENTS,
)
FACTS = st.builds(
    OrderMoney,
    st.sampled_from("12"),
    as_of=st.integers(AT, AT + 3),
    triggered_at=st.none() | st.integers(AT * 4, AT * 4 + 8).map(lambda quarter: quarter / 4),
    at=st.none() | st.integers(AT - 2, AT),
    currency=st.sampled_from([None, "USD", "JPY"]),
    value=st.none() | CENTS,
    total=st.none() | CENTS,
    gift_cards=st.just(0) | CENTS,
    cancelled=st.booleans(),
    presentment_currency=st.sampled_from([None, "EUR"]),
    presentment_total=st.none() | CENTS,
    refunds=st.lists(REFUNDS, max_size=3, unique_by=lambda refund: refund.id).map(tuple),
)


@settings(max_examples=300)
@given(facts=st.lists(FACTS, max_size=6), data=st.data())
def test_every_sequence_ends_in_the_same_state(
    facts: list[OrderMoney], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = data.draw(st.permutations([*facts, *again]))
    orders = told(*facts)
    assert json.dumps(told(*shuffled), sort_keys=True) == json.dumps(orders, sort_keys=True)
    cut = data.draw(st.integers(0, len(facts)))
    assert ledger.joined(told(*facts[cut:]), told(*facts[:cut])) == orders
    assert ledger.figures(orders, True).get("lifetime_value", 0) >= 0
