"""What a delivery becomes: person and events, and what happens to values that do not fit."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mapping import Mappings, load
from adapter.model import LeftOut, Mapped
from adapter.ulid import event_ulid

from .conftest import DELIVERY, Apply, Workshop
from .strategies import ANY_JSON, ANY_TEXT, BODIES

ORDERS = """
    topics: [orders/paid]
    ignore_when:
      test order: test
      nothing to pay: total | lt(1)
    order: id
    person:
      id: customer.id
      email: customer.email ?? email
      phone: customer.phone
      anonymous_id: anonymous
      tokens:
        cart: cart | before("?")
        checkout: checkout
      as_of: updated_at
      attributes:
        first_name: customer.first_name
        created_at: customer.created_at
        tags: customer.tags
        currency: currency
        lifetime_value: customer.spent
    fragments:
      line:
        product_id: product_id
        sku: sku
        name: title
        quantity: quantity
        price: price
        compare_at_price: was
        presentment_price: shown
    events:
      order_completed:
        when: [cancelled_at | absent, not draft]
        once: id
        at: created_at
        properties:
          shipping_country: country
          order_id: id
          revenue: total
          subtotal: subtotal
          discount_codes: codes[].code
          currency: currency
          presentment_currency: shown_currency
          presentment_value: shown_total
          items: {each: lines, use: line}
          gift: {value: true}
      order_canceled:
        when: cancelled_at
        once: [id, cancelled_at]
        at: cancelled_at ?? $triggered_at
        properties:
          order_id: id
          cancel_reason: {value: pos}
"""
LINE = {"sku": "TEA", "title": "Tea", "quantity": 2, "price": "9.99"}
BODY: dict[str, Any] = {
    "id": 820982911946154508,
    "created_at": "2026-01-01T01:00:00+01:00",
    "updated_at": "2026-01-02T00:00:00Z",
    "total": "19.98",
    "currency": "USD",
    "customer": {"id": 42, "email": " Ada@X.com ", "first_name": "Ada"},
    "lines": [LINE],
}


@pytest.fixture
def mappings(workshop: Workshop) -> Mappings:
    return workshop.load(ORDERS)


def mapped(mappings: Mappings, **changes: Any) -> Mapped:
    """The good body with some keys changed, mapped."""
    return mappings.apply(DELIVERY, {**BODY, **changes})


def test_a_whole_order(mappings: Mappings) -> None:
    result = mapped(mappings, cart="c1?key=2", codes=[{"code": "TEA10"}])
    assert (result.outcome, result.reason, result.left_out) == ("mapped", None, ())
    assert result.order == "820982911946154508"
    assert result.person is not None
    assert result.person.to_json() == {
        "id": "42",
        "email": "ada@x.com",
        "phone": None,
        "anonymous_id": None,
        "as_of": 1767312000,
        "tokens": {"cart": "c1"},
        "attributes": {"first_name": "Ada", "currency": "USD"},
    }
    ulid = event_ulid("acme", "acme.example", "order_completed", "820982911946154508")
    assert [event.to_json() for event in result.events] == [
        {
            "name": "order_completed",
            "key": "820982911946154508",
            "id": ulid,
            "timestamp": 1767225600,
            "properties": {
                "order_id": "820982911946154508",
                "revenue": 19.98,
                "discount_codes": ["TEA10"],
                "currency": "USD",
                "items": [{"sku": "TEA", "name": "Tea", "quantity": 2, "price": 9.99}],
                "gift": True,
                "item_count": 2,
                "skus": ["TEA"],
                "product_names": ["Tea"],
                "event_id": ulid,
                "source_platform": "acme",
                "shop": "acme.example",
                "schema_version": 3,
            },
        }
    ]


# --- bad and missing values

LEFT_OUT: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"subtotal": "free"}, [("order_completed.subtotal", "expected money, got 'free'")]),
    ({"subtotal": " "}, []),
    ({"subtotal": None}, []),
    ({"country": "UK"}, [("order_completed.shipping_country", "expected country, got 'UK'")]),
    (
        {"customer": {"id": 1, "email": "ada", "phone": "555", "created_at": "x", "spent": True}},
        [
            ("person.email", "expected email, got text"),
            ("person.phone", "expected phone, got text"),
            ("person.attributes.created_at", "expected time, got 'x'"),
            ("person.attributes.lifetime_value", "expected money, got true"),
        ],
    ),
    (
        {"codes": [{"code": "A"}, {"code": ["B"]}, {"code": ""}, {}, {"code": True}]},
        [
            ("order_completed.discount_codes[1]", "expected text, got a list"),
            ("order_completed.discount_codes[3]", "expected text, got a boolean"),
        ],
    ),
    ({"cart": "gid://x/"}, [("person.tokens.cart", "expected id, got text")]),
    ({"updated_at": "soon"}, [("person.as_of", "expected time, got 'soon'")]),
    ({"anonymous": []}, [("person.anonymous_id", "expected id, got a list")]),
    (
        {"lines": [LINE, {**LINE, "was": "x", "product_id": {}}]},
        [
            ("order_completed.items[1].product_id", "expected id, got an object"),
            ("order_completed.items[1].compare_at_price", "expected money, got 'x'"),
        ],
    ),
]


@pytest.mark.parametrize(("changes", "left_out"), LEFT_OUT)
def test_a_bad_optional_value_is_left_out_and_noted(
    mappings: Mappings, changes: dict[str, Any], left_out: list[tuple[str, str]]
) -> None:
    result = mapped(mappings, **changes)
    assert result.outcome == "mapped"
    assert list(result.left_out) == [LeftOut(*each) for each in left_out]
    assert len(result.events) == 1


PARKED: list[tuple[dict[str, Any], str]] = [
    ({"total": None}, "order_completed.revenue: required, but absent"),
    ({"total": {"amount": "1"}}, "ignore_when.nothing to pay: expected number, got an object"),
    ({"currency": "dollars"}, "order_completed.currency: expected currency, got 'dollars'"),
    ({"currency": ""}, "order_completed.currency: required, but absent"),
    ({"id": True}, "order: expected id, got a boolean"),
    ({"created_at": "2026-01-01"}, "order_completed.at: expected time, got '2026-01-01', which has no offset"),
    ({"created_at": None}, "order_completed.at: required, but absent"),
    ({"id": None}, "order_completed.once: required, but absent"),
    ({"customer": {"id": [7]}}, "person.id: expected id, got a list"),
    ({"lines": [LINE, {**LINE, "price": "free"}]}, "order_completed.items[1].price: expected money, got 'free'"),
    ({"lines": [LINE, {}]}, "order_completed.items[1].name: required, but absent"),
    ({"lines": ["tea"]}, "order_completed.items[0]: expected item, got text"),
    ({"lines": "tea"}, "order_completed.items: expected list of item, got text"),
    ({"lines": {"0": LINE}}, "order_completed.items: expected list of item, got an object"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), PARKED)
def test_a_bad_required_value_parks_with_its_path(
    mappings: Mappings, changes: dict[str, Any], reason: str
) -> None:
    result = mapped(mappings, **changes)
    assert (result.outcome, result.reason) == ("parked", reason)
    assert (result.person, result.events) == (None, ())


def test_an_unknown_topic_parks(mappings: Mappings) -> None:
    result = mappings.apply(replace(DELIVERY, topic="products/create"), BODY)
    assert (result.outcome, result.reason) == ("parked", "unknown topic: products/create")
    result = mappings.apply(replace(DELIVERY, platform="nobody"), BODY)
    assert (result.outcome, result.reason) == ("parked", "unknown topic: orders/paid")


# --- ignored

IGNORED: list[tuple[dict[str, Any], str]] = [
    ({"test": True}, "test order"),
    ({"test": True, "total": "0"}, "test order"),  # the first reason that holds
    ({"total": "0.00"}, "nothing to pay"),
    ({"customer": None, "id": None}, "no_person"),
    ({"customer": {"email": "nobody"}, "id": None}, "no_person"),
    ({"customer": None, "id": None, "cancelled_at": "2026-01-03T00:00Z"}, "no_person"),
]


@pytest.mark.parametrize(("changes", "reason"), IGNORED)
def test_ignored(mappings: Mappings, changes: dict[str, Any], reason: str) -> None:
    result = mapped(mappings, **changes)
    assert (result.outcome, result.reason) == ("ignored", reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"customer": {"email": "a@x.com"}, "id": None, "draft": True},
        {"customer": {"phone": "+15550109999"}, "id": None, "draft": True},
        {"customer": None, "id": None, "cart": "c1", "draft": True},
    ],
)
def test_a_name_or_a_token_is_enough(mappings: Mappings, changes: dict[str, Any]) -> None:
    assert mapped(mappings, **changes).outcome == "mapped"


def test_a_test_notification_is_ignored_whatever_it_is_about(mappings: Mappings) -> None:
    for topic in (DELIVERY.topic, "no/such/topic"):
        result = mappings.apply(replace(DELIVERY, topic=topic, test=True), BODY)
        assert (result.outcome, result.reason) == ("ignored", "test notification")


def test_a_sale_of_nobody_says_which_order_it_was(mappings: Mappings) -> None:
    result = mapped(mappings, customer=None)
    assert (result.outcome, result.reason, result.order) == (
        "ignored",
        "no_person",
        str(BODY["id"]),
    )


# --- events

WHEN: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["order_completed"]),
    ({"draft": True}, []),
    ({"cancelled_at": "2026-01-03T00:00:00Z"}, ["order_canceled"]),
    ({"cancelled_at": " "}, ["order_completed"]),
]


@pytest.mark.parametrize(("changes", "names"), WHEN)
def test_when_all_conditions_must_hold(
    mappings: Mappings, changes: dict[str, Any], names: list[str]
) -> None:
    assert [event.name for event in mapped(mappings, **changes).events] == names


def test_a_key_of_several_parts_and_a_literal(mappings: Mappings) -> None:
    (event,) = mapped(mappings, cancelled_at="2026-01-03T00:00:00Z").events
    assert event.key == "820982911946154508:2026-01-03T00:00:00Z"
    assert event.properties["cancel_reason"] == "pos"


def test_the_time_of_a_person_is_that_of_the_delivery_when_the_body_has_none(
    mappings: Mappings,
) -> None:
    body = {**BODY, "updated_at": None}
    as_of = []
    for triggered_at in (1767225600.75, -0.5, None):
        person = mappings.apply(replace(DELIVERY, triggered_at=triggered_at), body).person
        assert person is not None
        as_of.append(person.as_of)
    assert as_of == [1767225600, -1, 1767225609]


def test_money_is_rounded_to_its_own_currency(mappings: Mappings) -> None:
    line = {**LINE, "price": "10.005", "shown": "1500.5"}
    (event,) = mapped(
        mappings, total="20.014", shown_total="3001.5", shown_currency="JPY", lines=[line]
    ).events
    assert event.properties["revenue"] == 20.01
    assert event.properties["presentment_value"] == 3002
    assert event.properties["items"][0]["price"] == 10.01
    assert event.properties["items"][0]["presentment_price"] == 1501


def test_a_persons_money_follows_the_persons_currency(mappings: Mappings) -> None:
    customer = {"id": 1, "spent": Decimal("1500.5")}
    person = mapped(mappings, currency="JPY", customer=customer).person
    assert person is not None
    assert person.attributes["lifetime_value"] == 1501


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("vip, , tea lover", ["vip", "tea lover"]),
        (["vip", " tea "], ["vip", "tea"]),
        (["vip", None, 7, {}], ["vip", "7"]),
        ("", None),
        ([], None),
        ({}, None),
    ],
)
def test_lists(mappings: Mappings, tags: Any, expected: list[str] | None) -> None:
    person = mapped(mappings, customer={"id": 1, "tags": tags}).person
    assert person is not None
    assert person.attributes.get("tags") == expected


@pytest.mark.parametrize("lines", [None, [], [None]])
def test_an_order_without_lines_is_an_order(mappings: Mappings, lines: Any) -> None:
    (event,) = mapped(mappings, lines=lines).events
    assert event.properties["items"] == []
    assert event.properties["item_count"] == 0
    assert "skus" not in event.properties


def test_flat_lists_follow_the_items(mappings: Mappings) -> None:
    lines = [LINE, {**LINE, "sku": "", "product_id": 7}, {**LINE, "quantity": 3}]
    (event,) = mapped(mappings, lines=lines).events
    assert event.properties["skus"] == ["TEA", "TEA"]
    assert event.properties["product_ids"] == ["7"]
    assert event.properties["product_names"] == ["Tea", "Tea", "Tea"]
    assert event.properties["item_count"] == 7


CARTS = """
    topics: [orders/paid]
    person: {tokens: {cart: token}}
    fragments:
      line: {name: title, quantity: quantity, price: price}
    events:
      added_to_cart:
        once: [token, updated_at]
        at: updated_at
        properties:
          cart_id: token
          cart_value: total
          items: {each: lines, use: line}
          item_count: count
"""


def test_a_count_of_the_platforms_own_goes_first(apply: Apply) -> None:
    body = {"token": "c1", "updated_at": 1767225600, "total": 1, "lines": [LINE]}
    (event,) = apply(CARTS, {**body, "count": 5}).events
    assert event.properties["item_count"] == 5
    assert event.key == "c1:1767225600"
    (event,) = apply(CARTS, body).events
    assert event.properties["item_count"] == 2


def test_what_memory_fills_in_is_not_missed_here(apply: Apply) -> None:
    body = {"token": "c1", "updated_at": 1767225600, "total": 1}
    (event,) = apply(CARTS, body).events
    assert "first_in_cart" not in event.properties


REFUNDS = """
    topics: [orders/paid]
    order: id
    fragments:
      line: {name: title, quantity: quantity, price: price}
    events:
      order_refunded:
        once: id
        at: $triggered_at
        properties:
          order_id: id
          items: {each: lines, use: line}
"""


def test_optional_items_with_a_bad_one_are_left_out_whole(apply: Apply) -> None:
    result = apply(REFUNDS, {"id": 1, "lines": [LINE, {**LINE, "price": "free"}]})
    assert result.left_out == (
        LeftOut("order_refunded.items[1].price", "expected money, got 'free'"),
    )
    assert "items" not in result.events[0].properties


def test_a_body_that_cannot_name_anybody_is_about_the_owner_of_its_order(apply: Apply) -> None:
    result = apply(REFUNDS, {"id": 1})
    assert (result.outcome, result.order, len(result.events)) == ("mapped", "1", 1)
    assert result.person is not None
    assert not result.person.named


def test_optional_items_that_are_empty_are_absent(apply: Apply) -> None:
    (event,) = apply(REFUNDS, {"id": 1, "lines": []}).events
    assert "items" not in event.properties


# --- whatever the body holds


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Mappings:
    directory: Path = tmp_path_factory.mktemp("mappings")
    workshop = Workshop(directory)
    workshop.write(ORDERS)
    workshop.write(
        CARTS.replace("orders/paid", "carts/update")
        .replace("line:", "other:")
        .replace("use: line", "use: other"),
        "acme/carts.yml",
    )
    return load(directory)


MUTATIONS = st.dictionaries(
    st.sampled_from([*BODY, "cart", "codes", "cancelled_at", "shown_total", "shown_currency"]),
    ANY_JSON,
    max_size=4,
)
CUSTOMERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "email", "phone", "tags", "created_at", "spent"), ANY_JSON)
)
LINES = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys((*LINE, "was", "shown"), ANY_JSON)),
    max_size=3,
)


@given(ANY_JSON)
def test_any_json_at_all(lasting: Mappings, body: Any) -> None:
    assert lasting.apply(DELIVERY, body).outcome in ("mapped", "ignored", "parked")


@given(BODIES, MUTATIONS, CUSTOMERS, LINES, st.sampled_from(["orders/paid", "carts/update"]))
def test_any_damage_to_an_order(
    lasting: Mappings,
    more: dict[str, Any],
    changes: dict[str, Any],
    customer: dict[str, Any],
    lines: list[dict[str, Any]],
    topic: str,
) -> None:
    for part in ({"customer": customer}, {"lines": lines}, {"token": "c1", **more}, changes):
        body = {**BODY, "token": "c1", **part}
        result = lasting.apply(replace(DELIVERY, topic=topic), body)
        assert (result.outcome == "mapped") == (result.person is not None)


@given(ANY_TEXT)
def test_texts_pass_through_trimmed_and_whole(lasting: Mappings, name: str) -> None:
    person = lasting.apply(DELIVERY, {**BODY, "customer": {"id": 1, "first_name": name}}).person
    assert person is not None
    assert person.attributes.get("first_name") == (name.strip() or None)


def test_monstrous_values(lasting: Mappings) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    monsters = [10**5000, Decimal("1e999999"), Decimal("sNaN"), float("nan"), "9" * 10**6, deep]
    for monster in monsters:
        for key in BODY:
            lasting.apply(DELIVERY, {**BODY, key: monster})
        lasting.apply(DELIVERY, {**BODY, "lines": [dict.fromkeys(LINE, monster)]})
        lasting.apply(DELIVERY, {**BODY, "customer": dict.fromkeys(("id", "email"), monster)})
