"""Where values came from: the alternative that gave each, and what its type made of it."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import Fault
from adapter.mapping.coercions import told
from adapter.mapping.loader import compile_sources, read_all
from adapter.mapping.origins import Origin, Trace, seen
from adapter.mapping.outline import outlines
from adapter.mapping.schema import Field
from adapter.mapping.trace import derived, trace

from .conftest import DELIVERY, Workshop

MAPPING = """
    topics: [orders/paid]
    ignore_when: {test order: test}
    order: id
    person:
      id: customer.id
      email: customer.email ?? email
      phone: customer.phone ?? phone
      tokens: {cart: cart_token | before("?")}
      as_of: updated_at
      attributes:
        first_name: customer.first_name ?? billing.first_name
        tags: customer.tags
        currency: currency
        lifetime_value: spent
      gaps: {timezone: zone, first_name: name}
      times: {tags: tagged_at ?? updated_at, timezone: moved_at}
      changes: {tags: {add: new_tags}}
    fragments:
      line: {name: title ?? name, quantity: quantity, price: price, sku: sku}
    events:
      order_completed:
        when: [cancelled_at | absent, "not state | eq(\\"draft\\")"]
        once: [id, updated_at]
        at: processed_at ?? created_at
        properties:
          order_id: id
          revenue: total_price
          subtotal: subtotal
          discount_codes: codes[].code
          currency: {value: USD}
          shipping_country: shipping.country
          items: {each: lines, use: line}
      order_canceled:
        when: cancelled_at | present
        once: id
        at: cancelled_at
        properties: {order_id: id}
"""
BODY: dict[str, Any] = {
    "id": "gid://acme/Order/1001",
    "customer": {"id": 7, "email": None, "phone": "718 555", "first_name": " ", "tags": "a, b"},
    "email": "Ada@Example.com ",
    "phone": "+1 718 555 0142",
    "billing": {"first_name": "Ada"},
    "cart_token": "c1?key=9",
    "updated_at": "2026-01-01T00:00:01Z",
    "created_at": "2026-01-01T01:00:00+01:00",
    "currency": "USD",
    "spent": 10,
    "new_tags": ["vip"],
    "zone": "Europe/London",
    "name": "Lovelace",
    "tagged_at": None,
    "total_price": "12.345",
    "subtotal": "free",
    "codes": [{"code": "X"}, {"code": None}],
    "lines": [
        {"title": "", "name": "Tea", "quantity": 2, "price": "6.00"},
        {"title": "Mug", "quantity": 1, "price": "1.00"},
    ],
}


def traced(workshop: Workshop, body: dict[str, Any], text: str = MAPPING) -> Trace:
    workshop.write(text)
    faults: list[Fault] = []
    sources = read_all([workshop.directory], faults)
    mappings = compile_sources(sources, faults)
    assert mappings is not None
    assert faults == []
    mapped = mappings.apply(DELIVERY, body)
    return trace(mapped, body, outlines(sources, "acme", DELIVERY.shop), mappings.schema)


def named(origins: tuple[Origin, ...]) -> dict[str, tuple[Any, str, tuple[str, ...]]]:
    return {each.name: (each.value, each.path, each.passed) for each in origins}


def test_who_it_is(workshop: Workshop) -> None:
    found = traced(workshop, BODY)
    assert named(found.identity) == {
        "id": ("7", "customer.id", ()),
        "email": ("ada@example.com", "email", ("customer.email",)),
        # A phone without its country is no good, so the next one was taken.
        "phone": ("+17185550142", "phone", ("customer.phone is '718 555'",)),
    }
    assert named(found.tokens) == {"cart": ("c1", 'cart_token | before("?")', ())}
    assert (found.order and found.order.value) == "1001"
    assert (found.as_of and (found.as_of.value, found.as_of.path)) == (1767225601, "updated_at")
    assert named(found.attributes) == {
        "first_name": ("Ada", "billing.first_name", ("customer.first_name",)),
        "tags": (["a", "b"], "customer.tags", ()),
        "currency": ("USD", "currency", ()),
        "lifetime_value": (10.0, "spent", ()),
    }
    assert named(found.gaps) == {"timezone": ("Europe/London", "zone", ())}
    assert named(found.times) == {"tags": (1767225601, "updated_at", ("tagged_at",))}
    assert named(found.changes) == {"tags.add": (["vip"], "new_tags", ())}


def test_what_fills_a_gap_is_told_apart(workshop: Workshop) -> None:
    found = traced(workshop, {**BODY, "customer": {"id": 7}, "billing": None})
    assert "first_name" not in named(found.attributes)
    assert named(found.gaps)["first_name"] == ("Lovelace", "name", ())
    assert [each.name for each in found.absent] == ["tags"], "what a gap fills is not absent"


def test_a_time_that_is_none_is_told_as_a_problem(workshop: Workshop) -> None:
    found = traced(workshop, {**BODY, "tagged_at": "soon"})
    (time,) = found.times
    assert (time.value, time.problem) == (None, "expected time, got 'soon'")
    assert time.key == "person.times.tags"


def test_what_is_in_no_body_is_told_with_its_rule(workshop: Workshop) -> None:
    workshop.write(
        "first_name: {cases: [{value: rich, when: lifetime_value | gt(5)}, {value: a}]}\n",
        "rules.yml",
    )
    workshop.write(MAPPING)
    faults: list[Fault] = []
    sources = read_all([workshop.directory], faults)
    mappings = compile_sources(sources, faults)
    assert mappings is not None
    assert faults == []
    found = derived(
        {"first_name": "rich", "created_at": 5},
        mappings.rules,
        sources.top["rules.yml"],
        mappings.schema,
    )
    assert [(each.name, each.path, each.place, each.of) for each in found] == [
        ("first_name", "by a rule, of lifetime_value", f"{workshop.directory}/rules.yml:1", "text"),
        ("created_at", "by the adapter", "", "time"),
    ]


def test_an_event_that_fired(workshop: Workshop) -> None:
    event, _ = traced(workshop, BODY).events
    assert event.event is not None
    assert [(each.text, each.holds, each.found) for each in event.hinges] == [
        ("cancelled_at | absent", True, (("cancelled_at", "absent"),)),
        ('not state | eq("draft")', True, (("state", "absent"),)),
    ]
    assert [(each.value, each.path) for each in event.once] == [
        ("1001", "id"),
        ("2026-01-01T00:00:01Z", "updated_at"),
    ]
    assert event.event.key == "1001:2026-01-01T00:00:01Z"
    assert event.at == Origin(
        "at", 1767225600, "created_at", ("processed_at",),
        "text '2026-01-01T01:00:00+01:00' -> Unix seconds 1767225600", "",
        f"{workshop.directory}/acme/orders.yml:24", "time", "order_completed.at",
    )  # fmt: skip
    found = {each.name: (each.value, each.how, each.problem) for each in event.properties}
    assert found == {
        "order_id": ("1001", "gid 'gid://acme/Order/1001' cut to its last part", ""),
        "revenue": (12.35, "text '12.345' -> rounded to 12.35, USD has 2 decimals", ""),
        "subtotal": (None, "", "expected money, got 'free'"),
        "discount_codes": (["X"], "", ""),
        "currency": ("USD", "a literal of the mapping", ""),
    }
    assert [(each.name, each.passed) for each in event.absent] == [
        ("shipping_country", ("shipping.country",))
    ]
    assert event.unmapped == ("presentment_currency", "presentment_value", "gift")
    assert set(event.filled) == {
        *("item_count", "product_names"),
        *("event_id", "source_platform", "shop", "schema_version"),
    }


def test_the_first_item_of_a_list_is_told_and_the_others_are_counted(workshop: Workshop) -> None:
    event, _ = traced(workshop, BODY).events
    (items,) = event.lists
    assert (items.count, items.origin.path, items.fragment) == (2, "lines", "line")
    assert named(items.first) == {
        "name": ("Tea", "name", ("title",)),
        "quantity": (2, "quantity", ()),
        "price": (6.0, "price", ()),
    }
    assert [each.name for each in items.absent] == ["sku"]


def test_an_event_that_did_not_fire(workshop: Workshop) -> None:
    _, event = traced(workshop, BODY).events
    assert (event.name, event.event, event.properties) == ("order_canceled", None, ())
    (hinge,) = event.hinges
    assert (hinge.text, hinge.holds) == ("cancelled_at | present", False)


def test_why_a_body_is_ignored(workshop: Workshop) -> None:
    found = traced(workshop, {**BODY, "test": True})
    assert found.ignored is not None
    assert (found.ignored.name, found.ignored.text, found.ignored.found) == (
        "test order", "test", (("test", "true"),),
    )  # fmt: skip
    assert traced(workshop, BODY).ignored is None


# What is wrong with a body, the place that is named, and the expression that stands there.
CULPRITS: list[tuple[dict[str, Any], str, str, tuple[str, ...]]] = [
    ({"total_price": "free"}, "order_completed.revenue", "total_price", ("total_price is 'free'",)),
    ({"created_at": None}, "order_completed.at", "processed_at ?? created_at", ("processed_at is absent", "created_at is absent")),
    ({"lines": [{"title": "Tea", "quantity": 1, "price": []}]}, "order_completed.items[0].price", "price", ("price is an empty list",)),
    ({"lines": [{"title": "Tea", "quantity": {"n": 1}, "price": 1}]}, "order_completed.items[0].quantity", "quantity", ("quantity is an object",)),
    ({"lines": "none"}, "order_completed.items", "lines", ("lines is 'none'",)),
    ({"customer": {"id": ["7"]}}, "person.id", "customer.id", ("customer.id is a list of 1",)),
    ({"id": None, "total_price": "1"}, "order_completed.once", "id", ("id is absent",)),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "name", "text", "asked"), CULPRITS)
def test_what_parks_a_body(
    workshop: Workshop, wrong: dict[str, Any], name: str, text: str, asked: tuple[str, ...]
) -> None:
    found = traced(workshop, {**BODY, **wrong})
    assert found.culprit is not None
    assert (found.culprit.name, found.culprit.path, found.culprit.passed) == (name, text, asked)
    assert found.culprit.place.startswith(f"{workshop.directory}/acme/orders.yml:")


def test_a_value_of_an_overlay_is_told_with_its_place(workshop: Workshop) -> None:
    shop = workshop.directory / "acme" / DELIVERY.shop
    shop.mkdir(parents=True)
    (shop / "orders.yml").write_text("events:\n  order_completed:\n    at: updated_at ?? at\n")
    event, _ = traced(workshop, BODY).events
    assert event.at is not None
    assert event.at.place == f"{shop}/orders.yml:3"


def test_a_product(workshop: Workshop) -> None:
    schema = workshop.directory / "schema.yml"
    schema.write_text(
        schema.read_text() + "product: {name: text?}\nvariant: {variant_id: id, price: money?}\n"
    )
    text = """
        topics: [orders/paid]
        catalog: {id: id, product: {name: title}, variants: {each: variants, use: variant}}
        fragments: {variant: {variant_id: id, price: price}}
    """
    body = {"id": 5, "title": "Tea", "variants": [{"id": 6, "price": "1.00"}, {"id": 7}]}
    found = traced(workshop, body, text)
    assert named(found.catalog) == {"id": ("5", "id", ()), "name": ("Tea", "title", ())}
    assert found.variants is not None
    assert found.variants.count == 2
    assert named(found.variants.first) == {
        "variant_id": ("6", "id", ()),
        "price": (1.0, "price", ()),
    }


def test_an_action(workshop: Workshop) -> None:
    text = """
        topics: [orders/paid]
        action: {kind: delete_person, when: gone, with: {id: who ?? id}}
    """
    found = traced(workshop, {"id": 5, "gone": True}, text)
    assert named(found.action) == {"id": ("5", "id", ("who",))}
    assert [each.holds for each in found.hinges] == [True]
    ignored = traced(workshop, {"id": 5, "gone": False}, text)
    assert (ignored.action, [each.holds for each in ignored.hinges]) == ((), [False])


def test_a_topic_that_no_file_is_for(workshop: Workshop) -> None:
    assert traced(workshop, BODY, "topics: [a/b]\norder: id\n") == Trace()


@pytest.mark.parametrize(
    ("of", "raw", "value", "currency", "said"),
    [
        ("money", "202.29", 202.29, "USD", "text '202.29' -> 202.29, USD has 2 decimals"),
        ("money", "100.4", 100, "JPY", "text '100.4' -> rounded to 100, JPY has no decimals"),
        ("money", "1", 1.0, None, "text '1' -> 1.0, currency not known, up to 4 decimals"),
        ("money", 5, 5.0, "USD", ""),
        ("time", "1970-01-01T00:00:05Z", 5, None, "text '1970-01-01T00:00:05Z' -> Unix seconds 5"),
        ("time", 5, 5, None, ""),
        ("id", 7, "7", None, "a number, as text"),
        ("id", "7", "7", None, ""),
        ("id", " 7", "7", None, "trimmed"),
        ("id", "gid://a/B/7", "7", None, "gid 'gid://a/B/7' cut to its last part"),
        ("text", "a ", "a", None, "trimmed"),
        ("text", 5, "5", None, "a number, as text"),
        ("email", "A@x.com", "a@x.com", None, "trimmed, in lower case"),
        ("phone", "+1 718", "+1718", None, "text '+1 718' -> E.164"),
        ("boolean", "true", True, None, "text 'true' -> true"),
        ("boolean", True, True, None, ""),
        ("country", "gb", "GB", None, "text 'gb' -> GB"),
        ("integer", "5", 5, None, "text '5' -> 5"),
    ],
)
def test_what_a_type_made_of_a_value(
    of: str, raw: Any, value: Any, currency: str | None, said: str
) -> None:
    assert told(Field("x", of), raw, value, currency) == said


@pytest.mark.parametrize(
    ("of", "raw", "value", "said"),
    [
        ("text", "a, b", ["a", "b"], "a text cut at its commas"),
        ("text", ["a", " ", None], ["a"], "2 of 3 blank or left out"),
        ("id", ["gid://a/B/7"], ["7"], "gids cut to their last part"),
        ("text", ["a"], ["a"], ""),
    ],
)
def test_what_a_type_made_of_a_list(of: str, raw: Any, value: Any, said: str) -> None:
    assert told(Field("x", of, is_list=True), raw, value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "absent"),
        ("a", "'a'"),
        ("x" * 50, f"'{'x' * 40}...'"),
        (5, "5"),
        (True, "true"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        ({}, "an empty object"),
        ({"a": 1}, "an object"),
    ],
)
def test_what_a_body_holds(value: Any, said: str) -> None:
    assert seen(value) == said
