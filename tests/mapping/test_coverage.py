"""Paths that no fixture holds, told at their place; and all that is held, not told."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.mapping import coverage
from adapter.mapping.loader import compile_sources, read_all

from .conftest import SCHEMA

MAPPING = """
    topics: [orders/paid]
    ignore_when: {test order: test}
    person:
      id: customer.id
      email: customer.email ?? email
    fragments:
      line: {name: title, quantity: quantity, price: price ?? set.amount}
    events:
      order_completed:
        when: cancelled_at | absent
        once: id
        at: created_at
        properties:
          order_id: id
          revenue: total
          subtotal: payments | where("kind", "sale") | sum("amount")
          discount_codes: codes[].code
          currency: {text: "{money}"}
          shipping_country: notes[name=country].value
          items: {each: lines, use: line}
    tests:
      - name: an order
        fixture: acme/orders_paid.json
        set: {"lines[0].price": "1.00", cancelled_at: null}
        expect: {events: []}
"""
BODY: dict[str, Any] = {
    "test": False,
    "id": 1,
    "customer": {"id": 7, "email": "a@example.com"},
    "email": None,
    "created_at": "2026-01-01T00:00:00Z",
    "total": "5.00",
    "payments": [{"kind": "sale", "amount": "5.00"}],
    "codes": [{"code": "X"}],
    "money": "EUR",
    "notes": [{"name": "colour", "value": "red"}, {"name": "country", "value": "GB"}],
    "lines": [{"title": "Tea", "quantity": 1, "set": {"amount": "1.00"}}],
}
FILE = "acme/orders.yml"


def warnings(home: Path, text: str = MAPPING, body: Any = BODY, **others: Any) -> list[str]:
    """What is said of one file and its fixture; `others` are further fixtures by name."""
    mappings, fixtures = home / "mappings", home / "fixtures"
    for directory in (mappings / "acme", fixtures / "acme"):
        directory.mkdir(parents=True, exist_ok=True)
    (mappings / "schema.yml").write_text(SCHEMA)
    (mappings / FILE).write_text(dedent(text).lstrip("\n"))
    bodies = {"orders_paid": body, **others}
    for name, each in bodies.items():
        (fixtures / "acme" / f"{name}.json").write_text(json.dumps(each))
    return told(home, mappings)


def told(home: Path, *layers: Path) -> list[str]:
    faults: list[Any] = []
    sources = read_all(layers, faults)
    compiled = compile_sources(sources, faults)
    assert compiled is not None
    assert faults == []
    found = coverage.warnings(sources, compiled.samples, coverage.Fixtures(home / "fixtures"))
    return [str(each).replace(f"{layers[-1]}/", "") for each in found]


def test_what_is_held_is_not_told(tmp_path: Path) -> None:
    assert warnings(tmp_path) == []


# What is replaced in the file, by what, and what is said then.
MISSED: list[tuple[str, str, list[str]]] = [
    ("test order: test", "test order: tset", ["2:27: ignore_when.test order: no fixture holds 'tset', did you mean 'test'?"]),
    ("id: customer.id", "id: custmer.id", ["4:7: person.id: no fixture holds 'custmer.id', did you mean 'customer'?"]),
    ("id: customer.id", "id: customer.ids", ["4:7: person.id: no fixture holds 'customer.ids', did you mean 'id'?"]),
    ("?? email", "?? mail", ["5:28: person.email: no fixture holds 'mail', did you mean 'email'?"]),
    ("?? email", "?? contact.email.address", ["5:28: person.email: no fixture holds 'contact.email.address'"]),
    ("name: title", "name: titel", ["7:16: fragments.line.name: no fixture holds 'titel', did you mean 'title'?"]),
    ("set.amount", "set.amont", ["7:59: fragments.line.price: no fixture holds 'set.amont', did you mean 'amount'?"]),
    ("cancelled_at | absent", "not canceled | absent", ["10:15: order_completed.when: no fixture holds 'canceled'"]),
    ("once: id", "once: ids", ["11:11: order_completed.once: no fixture holds 'ids', did you mean 'id'?"]),
    ("at: created_at", "at: creatd_at", ["12:9: order_completed.at: no fixture holds 'creatd_at', did you mean 'created_at'?"]),
    ("revenue: total", "revenue: totl", ["15:16: properties.revenue: no fixture holds 'totl', did you mean 'total'?"]),
    ('where("kind"', 'where("kin"', ["16:35: properties.subtotal: no fixture holds 'kin', did you mean 'kind'?"]),
    ('sum("amount")', 'sum("amt")', ["16:57: properties.subtotal: no fixture holds 'amt', did you mean 'amount'?"]),
    ("payments |", "pays |", ["16:17: properties.subtotal: no fixture holds 'pays', did you mean 'payments'?"]),
    ("codes[].code", "codes[].cod", ["17:23: properties.discount_codes: no fixture holds 'codes[].cod', did you mean 'code'?"]),
    ("codes[].code", "codes[1].code", ["17:23: properties.discount_codes: no fixture holds 'codes[1].code'"]),
    ("{money}", "{mony}", ["18:26: properties.currency: no fixture holds 'mony', did you mean 'money'?"]),
    ("notes[name=country]", "notes[name=land]", ["19:25: properties.shipping_country: no fixture holds 'notes[name=land].value'"]),
    ("each: lines", "each: linse", [
        "7:16: fragments.line.name: no fixture holds 'title'",
        "7:33: fragments.line.quantity: no fixture holds 'quantity'",
        "7:50: fragments.line.price: no fixture holds 'price'",
        "7:59: fragments.line.price: no fixture holds 'set.amount'",
        "20:21: properties.items: no fixture holds 'linse', did you mean 'lines'?",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), MISSED, ids=lambda value: str(value)[:40])
def test_what_no_fixture_holds(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in MAPPING
    found = warnings(tmp_path, MAPPING.replace(old, new, 1))
    assert [each.removeprefix(f"{FILE}:") for each in found] == said


def test_what_a_test_sets_is_held(tmp_path: Path) -> None:
    """`cancelled_at` and a line's `price` are in no fixture, but in the test that sets them."""
    text = MAPPING.replace('set: {"lines[0].price": "1.00", cancelled_at: null}', "set: {}")
    assert warnings(tmp_path, text) == [
        f"{FILE}:7:50: fragments.line.price: no fixture holds 'price'",
        f"{FILE}:10:11: order_completed.when: no fixture holds 'cancelled_at'",
    ]


def test_fixtures_that_are_called_by_the_topic_count(tmp_path: Path) -> None:
    text = MAPPING.replace("?? email", "?? mail")
    assert warnings(tmp_path, text, **{"orders_paid.legacy": {"mail": None}}) == []
    assert len(warnings(tmp_path, text, orders_paid_more={"mail": None})) == 0, "still there"
    (tmp_path / "fixtures" / "acme" / "orders_paid.legacy.json").unlink()
    assert len(warnings(tmp_path, text, orders_paid_more={"mail": None})) == 1, "another topic's"


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ("[orders/paid, orders/new]", "orders/new has neither a test nor a fixture"),
        ("[orders/paid, carts/new]", "carts/new has no test"),
    ],
)
def test_topics_that_nothing_shows(tmp_path: Path, topics: str, said: str) -> None:
    text = MAPPING.replace("[orders/paid]", topics)
    found = warnings(tmp_path, text, carts_new={})
    assert found == [f"{FILE}:1:23: topics: {said}"]


def test_a_file_that_nothing_shows_is_told_once(tmp_path: Path) -> None:
    text = "topics: [a/b]\norder: id\n"
    assert warnings(tmp_path, text) == [
        f"{FILE}:1:10: topics: a/b has neither a test nor a fixture"
    ]


def test_of_an_overlay_only_its_own_lines_are_told(tmp_path: Path) -> None:
    base = MAPPING.replace("revenue: total", "revenue: totl")
    assert len(warnings(tmp_path, base)) == 1
    custom = tmp_path / "custom" / "acme"
    custom.mkdir(parents=True)
    (custom / "orders.yml").write_text("person:\n  phone: phon\n")
    assert told(tmp_path, tmp_path / "mappings", tmp_path / "custom") == [
        f"{FILE}:2:10: person.phone: no fixture holds 'phon'"
    ]


@pytest.mark.parametrize(
    ("path", "faults", "warned"),
    [
        # nothing is found in any fixture: every order would be parked
        ("revenue: totl", ["3:27: properties.revenue: no fixture holds 'totl', did you mean 'total'?"], 0),
        ("revenue: totl ?? zzzz", [
            "3:27: properties.revenue: no fixture holds 'totl', did you mean 'total'?",
            "3:35: properties.revenue: no fixture holds 'zzzz'",
        ], 0),
        ("items: {each: linse}", ["3:32: properties.items: no fixture holds 'linse', did you mean 'lines'?"], 0),
        # something is
        ("revenue: totl ?? total", [], 1),
        # nobody needs it
        ("subtotal: totl", [], 1),
    ],
)  # fmt: skip
def test_what_an_overlay_does_not_find_for_a_required_property_is_a_fault(
    tmp_path: Path, path: str, faults: list[str], warned: int
) -> None:
    assert warnings(tmp_path) == []
    layers = [tmp_path / "mappings", tmp_path / "custom"]
    (layers[1] / "acme").mkdir(parents=True)
    (layers[1] / FILE).write_text(f"events:\n  order_completed:\n    properties: {{{path}}}\n")
    found: list[Any] = []
    sources = read_all(layers, found)
    compiled = compile_sources(sources, found)
    assert compiled is not None
    said = coverage.warnings(
        sources,
        compiled.samples,
        coverage.Fixtures(tmp_path / "fixtures"),
        schema=compiled.schema,
        faults=found,
    )
    assert [str(each).replace(f"{layers[1]}/{FILE}:", "") for each in found] == faults
    assert len(said) == warned


def test_a_quoted_word_is_told_once(tmp_path: Path) -> None:
    """That it is a path at all is what its warning says, when it is compiled."""
    assert warnings(tmp_path, MAPPING.replace("at: created_at", 'at: "gone"')) == []


def test_below_a_misspelt_name_nothing_is_told(tmp_path: Path) -> None:
    text = MAPPING.replace("properties:", "propertys:").replace("order_id: id", "order_id: gone")
    home = tmp_path / "mappings"
    assert warnings(tmp_path) == []
    (home / FILE).write_text(dedent(text).lstrip("\n"))
    faults: list[Any] = []
    sources = read_all([home], faults)
    compiled = compile_sources(sources, faults)
    assert compiled is not None
    assert any("propertys: not a part of an event" in each.message for each in faults)
    found = coverage.warnings(sources, compiled.samples, coverage.Fixtures(tmp_path / "fixtures"))
    assert found == []
    assert [each.message for each in compiled.warnings] == [], "of the fragment neither"


def test_of_a_shop_only_its_own_lines_are_told(tmp_path: Path) -> None:
    assert warnings(tmp_path) == []
    shop = tmp_path / "mappings" / "acme" / "uk.example"
    shop.mkdir()
    (shop / "orders.yml").write_text("events:\n  order_completed:\n    when: gfit\n")
    assert told(tmp_path, tmp_path / "mappings") == [
        "acme/uk.example/orders.yml:3:11: order_completed.when: no fixture holds 'gfit'"
    ]


def test_a_fixture_that_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    warnings(tmp_path)
    (tmp_path / "fixtures" / FILE.replace("orders.yml", "orders_paid.json")).write_text("{")
    found = told(tmp_path, tmp_path / "mappings")
    assert any("'customer.id'" in each for each in found)
