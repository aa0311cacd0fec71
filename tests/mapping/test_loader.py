"""Mistakes in mapping files, and the exact line that each is answered with."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from textwrap import dedent

import pytest

from .conftest import Workshop

GOOD = """
    topics: [orders/create, orders/paid]
    ignore_when: {test order: test}
    order: id
    person:
      id: customer.id
      tokens:
        cart: cart_token | before("?")
      attributes: {first_name: customer.first_name}
    fragments:
      line: {name: title, quantity: quantity, price: price}
    events:
      order_completed:
        when: cancelled_at | absent
        once: id
        at: created_at
        properties:
          order_id: id
          revenue: total_price
          currency: currency
          items: {each: line_items, use: line}
"""
FILE = "acme/orders.yml"
NOTHING = "is empty: write what it is to be, or indent what belongs to it"
LINES = dedent(GOOD).lstrip("\n").splitlines()

# What is replaced in the good file, by what, and the faults that follow.
FAULTS: list[tuple[str, str, list[str]]] = [
    # the file
    ("topics:", "topcs:", ["1:1: 'topics' is missing", "1:1: topcs: not a part of a mapping file, did you mean 'topics'?"]),
    ("topics: [orders/create, orders/paid]", "topics: orders/create", ["1:9: topics: expected a list of topics"]),
    ("[orders/create, orders/paid]", "[orders/create, '']", ["1:25: topics: expected the name of a topic"]),
    ("orders/paid]", "orders/create]", ["1:25: topics: orders/create: is there already, acme/orders.yml:1:10"]),
    ("{test order: test}", "test", ["2:14: ignore_when: expected {reason: condition}"]),
    ("test order: test}", "test order: test |}", ["2:33: ignore_when.test order: expected the name of a filter after '|', found the end"]),
    ("order: id\nperson", "order: id id\nperson", ["3:11: order: expected '|', '??' or the end, found 'id'; a text that stands for itself is written {value: id id}"]),
    # the person
    ("  id: customer.id", "  ids: customer.id", ["5:3: person.ids: not a part of person, did you mean 'id'?"]),
    ("id: customer.id", "id: [customer.id]", ["5:7: person.id: expected an expression, got a list"]),
    ("id: customer.id", "id: null", ["5:7: person.id: is empty; expected an expression"]),
    ("id: customer.id", "id:", [f"5:3: id {NOTHING}"]),
    ("once: id", "once:", [f"14:5: once {NOTHING}"]),
    ("each: line_items", "each: ", [f"20:15: each {NOTHING}"]),
    ("revenue: total_price", "revenue:", [f"18:7: revenue {NOTHING}"]),
    ("revenue: total_price", "revenue:  # to be seen", [f"18:7: revenue {NOTHING}"]),
    ("id: customer.id", "id: {vale: 5}", ["5:7: person.id: expected an expression, {value: literal} or {text: \"a {path}\"}"]),
    ('before("?")', 'befor("?")', ["7:24: person.tokens.cart: no filter 'befor', did you mean 'before'?"]),
    ('before("?")', "before", ["7:24: person.tokens.cart: before takes 1 argument, got 0: before(sep)"]),
    ("first_name:", "fist_name:", ["8:16: attributes.fist_name: not an attribute of person, did you mean 'first_name'?"]),
    ("first_name: customer.first_name", "email: email", ["8:16: attributes.email: is set by person.email"]),
    ("customer.first_name", "$shopp", ["8:28: attributes.first_name: no fact '$shopp', did you mean 'shop'?"]),
    # fragments
    ("name: title, ", "", ["10:9: fragments.line.name: is missing, an item requires it"]),
    ("name: title", "name: title, titel: title", ["10:23: fragments.line.titel: not a field of item"]),
    ("name: title", "name: title.", ["10:22: fragments.line.name: expected a name after '.', found the end"]),
    # events
    ("  order_completed:", "  order_canceled: off\n  order_completed:", ["12:19: order_canceled: expected an event"]),
    ("order_completed:", "order_complete:", ["12:3: events.order_complete: not an event of the contract, did you mean 'order_completed'?"]),
    ("when: can", "whn: can", ["13:5: order_completed.whn: not a part of an event, did you mean 'when'?"]),
    ("cancelled_at | absent", "[not a, not]b]", ["13:23: not YAML: did not find expected key"]),
    ("cancelled_at | absent", "[a, not b |]", ["13:22: when: expected the name of a filter after '|', found the end"]),
    ("    once: id\n", "", ["12:3: order_completed: 'once' is missing: what makes it happen only once?"]),
    ("once: id\n", "once: []\n", ["14:11: once: expected an expression or a list of them"]),
    ("    at: created_at\n", "", ["12:3: order_completed: 'at' is missing: when did it happen?"]),
    ("at: created_at", "at: order.updated_at ?? created_at", ["15:9: at: updated_at changes; the time of a once-event must not"]),
    # properties
    ("revenue: total_price", "revenue: total_price\n      xyzzy: total_price", ["19:7: properties.xyzzy: not a field of order_completed"]),
    ("revenue: total_price", "revenue: total_price\n      subtotl: total_price", ["19:7: properties.subtotl: not a field of order_completed, did you mean 'subtotal'?"]),
    ("revenue: total_price", "", ["17:7: properties.revenue: is missing, order_completed requires it"]),
    ("revenue: total_price", "revenue: total_price\n      skus: skus", ["19:7: properties.skus: the engine fills it in"]),
    ("revenue: total_price", "revenue: total_price\n      event_id: id", ["19:7: properties.event_id: the engine fills it in"]),
    ("use: line}", "use: lien}", ["20:38: properties.items: no fragment 'lien', did you mean 'line'?"]),
    ("{each: line_items, use: line}", "line_items", ["20:14: properties.items: expected {each: list, use: fragment}"]),
    ("each: line_items", "each: line_items[", ["20:31: not YAML: did not find expected ',' or '}'"]),
    ("each: line_items", 'each: "line_items["', ["20:33: properties.items.each: expected a number, name=value or ']', found the end"]),
    ("total_price", "total_price | uper | lowr", ["18:30: properties.revenue: no filter 'uper', did you mean 'upper'?"]),
]  # fmt: skip


def good(old: str = "", new: str = "") -> str:
    text = "\n".join(LINES) + "\n"
    assert old in text
    return text.replace(old, new, 1)


def test_the_good_file_is_good(workshop: Workshop) -> None:
    mappings = workshop.load(good())
    assert mappings.platforms() == ("acme",)
    assert mappings.topics("acme") == ("orders/create", "orders/paid")
    assert mappings.events_of("acme", "orders/paid") == ("order_completed",)
    assert mappings.topics("nobody") == ()
    assert mappings.events_of("acme", "nothing") == ()
    assert mappings.warnings == ()


@pytest.mark.parametrize(("old", "new", "faults"), FAULTS)
def test_a_mistake_is_named_at_its_place(
    workshop: Workshop, old: str, new: str, faults: list[str]
) -> None:
    assert workshop.faults(good(old, new)) == [f"{FILE}:{fault}" for fault in faults]


def test_of_what_is_empty_nothing_else_is_said(workshop: Workshop) -> None:
    """Neither that a section is no mapping, nor that what belongs into it is missing."""
    assert workshop.faults(
        """
        topics:
        person:
        fragments:
          line:
        events:
          order_completed:
            when: [paid, ]
            once: id
            at: created_at
            properties:
          order_canceled:
            once:
              - id
              -
            at: created_at
            properties: {order_id: id}
        """
    ) == [
        f"acme/orders.yml:{line}:{column}: {name} {NOTHING}"
        for line, column, name in (
            (1, 1, "topics"),
            (2, 1, "person"),
            (4, 3, "line"),
            (10, 5, "properties"),
        )
    ] + ["acme/orders.yml:14:8: an element of a list is empty: take its '-' out"]


def test_a_test_may_set_and_expect_nothing(workshop: Workshop) -> None:
    workshop.load(
        good()
        + "tests:\n  - name: a\n    fixture: acme/order.json\n    set: {customer: , a: null}\n"
        + "    expect: {person: }\n"
    )
    assert workshop.faults(good() + "tests:\n") == [f"{FILE}:21:1: tests {NOTHING}"]


def test_all_mistakes_of_all_files_come_at_once_in_order(workshop: Workshop) -> None:
    workshop.write("topics: [x]\npersn: {}\n", "beta/b.yml")
    workshop.write("a: 1\na: 2\n", "acme/z.yml")
    text = good("total_price", "total_price |")
    text = text.replace("once: id", "once: id[").replace("id: customer.id", "id: $me")
    assert workshop.faults(text) == [
        "acme/orders.yml:5:7: person.id: no fact '$me'",
        "acme/orders.yml:14:14: once: expected a number, name=value or ']', found the end",
        "acme/orders.yml:18:29: properties.revenue: expected the name of a filter after '|', found the end",
        "acme/z.yml:1:1: 'topics' is missing",
        "acme/z.yml:1:1: a: not a part of a mapping file",
        "acme/z.yml:2:1: duplicate key 'a', first on line 1",
        "beta/b.yml:2:1: persn: not a part of a mapping file, did you mean 'person'?",
    ]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("id: $me", "1:5"),
        ("id: 'a ?? $me'", "1:11"),
        ('id: "a ?? \\"x\\" ?? $me"', "1:20"),
        ("id: 'a[b=\"it''s\"] ?? $me'", "1:22"),
        ("id:\n  a\n  ?? b\n  ?? $me", "4:6"),
        ("id: >\n  a ??\n  $me", "3:3"),
        ("id: |\n    a ??\n\n    $me\n", "4:5"),
    ],
)
def test_the_column_is_right_in_every_style_of_yaml(
    workshop: Workshop, written: str, fault: str
) -> None:
    text = f"{written}\n".replace("id:", "order:", 1) + "topics: [a]\n"
    line, column = fault.split(":")
    column = column if "\n" in written else str(int(column) + len("order") - len("id"))
    assert workshop.faults(text) == [f"{FILE}:{line}:{column}: order: no fact '$me'"]


def test_a_topic_belongs_to_one_file(workshop: Workshop) -> None:
    workshop.write("topics: [orders/paid]\norder: id\n", "acme/more.yml")
    assert workshop.faults(good()) == [
        f"{FILE}:1:25: topics: orders/paid: is there already, acme/more.yml:1:10"
    ]


def test_fragments_are_shared_by_the_files_of_a_platform(workshop: Workshop) -> None:
    line = "fragments: {line: {name: title, quantity: quantity, price: price}}\n"
    workshop.write(line, "acme/lines.yml")
    text = good("fragments:\n  line: {name: title, quantity: quantity, price: price}\n", "")
    assert workshop.load(text).topics("acme") == ("orders/create", "orders/paid")
    assert workshop.faults(good()) == [
        f"{FILE}:10:3: fragments.line: is there already, acme/lines.yml:1:13"
    ]


def test_fragments_of_another_platform_are_out_of_reach(workshop: Workshop) -> None:
    line = "fragments: {line: {name: title, quantity: quantity, price: price}}\n"
    workshop.write(line, "beta/lines.yml")
    text = good("fragments:\n  line: {name: title, quantity: quantity, price: price}\n", "")
    assert workshop.faults(text) == [f"{FILE}:18:38: properties.items: no fragment 'line'"]


def test_a_property_from_memory_is_no_mappings_business(workshop: Workshop) -> None:
    text = """
        topics: [carts/update]
        fragments:
          line: {name: title, quantity: quantity, price: price}
        events:
          added_to_cart:
            once: [token, updated_at]
            at: updated_at
            properties:
              cart_id: token
              cart_value: total
              items: {each: items, use: line}
              first_in_cart: {value: true}
    """
    assert workshop.faults(text) == [
        f"{FILE}:12:7: properties.first_in_cart: is filled in from memory"
    ]


def test_an_event_with_updated_at_in_its_key_may_happen_at_it(workshop: Workshop) -> None:
    text = good("once: id", "once: [id, updated_at]").replace("at: created_at", "at: updated_at")
    assert workshop.load(text).warnings == ()


def test_the_platforms_profile_is_not_a_mapping(workshop: Workshop) -> None:
    workshop.write("signature: {header: X-Acme}\n", "acme/platform.yml")
    assert workshop.load(good()).platforms() == ("acme",)


def test_files_that_cannot_be_read(workshop: Workshop) -> None:
    workshop.write("", "acme/empty.yml")
    workshop.write("- a\n", "acme/list.yml")
    (workshop.directory / "acme" / "latin.yml").write_bytes(b"topics: [\xe4]")
    assert workshop.faults() == [
        "acme/empty.yml:1:1: the file is empty",
        "acme/latin.yml:1:1: is not UTF-8: byte 10",
        "acme/list.yml:1:1: a mapping file: expected a mapping of names to values",
    ]


def test_without_a_schema_nothing_can_be_checked(workshop: Workshop) -> None:
    (workshop.directory / "schema.yml").unlink()
    workshop.write("topics: [a]\ntopics: [b]\n")
    assert workshop.faults() == [
        f"{FILE}:2:1: duplicate key 'topics', first on line 1",
        "schema.yml:1:1: there is no such file",
    ]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            good("id: customer.id", "id: 'pos'"),
            "5:7: person.id: quotes do not make a literal; write {value: pos} or take the quotes away",
        ),
        (
            good("{each: line_items, use: line}", "{each: line_items, use: other}").replace(
                "fragments:", "fragments:\n  other: {name: a, quantity: b, price: c}"
            ),
            "11:3: fragments.line: nothing uses it",
        ),
        (
            good("once: id", "once: updated_at"),
            "14:11: once: updated_at changes, and order_completed would come again each time; expected the id of what it is about",
        ),
        (
            good("once: id", "once: [order.updated_at ?? id]"),
            "14:11: once: updated_at changes, and order_completed would come again each time; expected the id of what it is about",
        ),
    ],
)
def test_warnings(workshop: Workshop, text: str, warning: str) -> None:
    assert workshop.warnings(text) == [f"{FILE}:{warning}"]


TEST_FAULTS: list[tuple[str, list[str]]] = [
    ("tests: {}", ["21:8: tests: expected a list"]),
    ("tests: [a]", ["21:9: tests: a test is a mapping with name, fixture and what to expect"]),
    ("tests: [{name: n, fixture: f}]", ["21:9: tests: exactly one of expect, ignored, error must be there"]),
    ("tests: [{name: n, fixture: f, error: e, ignored: i}]", ["21:9: tests: exactly one of expect, ignored, error must be there"]),
    ("tests: [{error: e}]", ["21:9: tests: 'fixture' is missing", "21:9: tests: 'name' is missing"]),
    ("tests: [{name: n, fixture: f, eror: e}]", ["21:9: tests: exactly one of expect, ignored, error must be there", "21:31: tests: a test has no 'eror', did you mean 'error'?"]),
    ("tests: [{name: 5, fixture: f, error: e}]", ["21:16: tests: name: expected text"]),
    ("tests: [{name: n, fixture: f, topic: orders/pad, error: e}]", ["21:38: tests: topic orders/pad is none of this file, did you mean 'orders/paid'?"]),
    ("tests: [{name: n, fixture: f, set: [a], error: e}]", ["21:36: tests: set: expected a mapping of paths to values"]),
    ("tests: [{name: n, fixture: f, set: {a..b: 1}, error: e}]", ["21:38: tests: 'a..b' is no path of names and [numbers]"]),
    ("tests: [{name: n, fixture: f, remove: customer, error: e}]", ["21:39: tests: remove: expected a list of texts"]),
    ("tests: [{name: n, fixture: f, expect: {evnts: []}}]", ["21:40: tests: expect: no 'evnts' to expect, did you mean 'events'?"]),
    ("tests: [{name: n, fixture: f, expect: {events: {}}}]", ["21:48: tests: expect.events: expected a list"]),
    ("tests: [{name: n, fixture: f, expect: {events: [{nam: x}]}}]", ["21:50: tests: expect.events[0]: no 'nam' to expect, did you mean 'name'?"]),
    ("tests: [{name: n, fixture: f, expect: {person: {mail: x}}}]", ["21:49: tests: expect.person: no 'mail' to expect, did you mean 'email'?"]),
    ("tests: [{name: n, fixture: f, expect: {}, left_out: 5}]", ["21:53: tests: left_out: expected a list of texts"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "faults"), TEST_FAULTS)
def test_malformed_tests(workshop: Workshop, text: str, faults: list[str]) -> None:
    assert workshop.faults(good() + text + "\n") == [f"{FILE}:{fault}" for fault in faults]
