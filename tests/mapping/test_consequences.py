"""What an overlay does to whole bodies and to the contract: warned of at the overlay's line."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter.errors import Fault
from adapter.mapping import consequences, coverage, declared
from adapter.mapping.loader import Sources, compile_sources, read_all
from adapter.mapping.mapper import Mappings

from .test_overlays import BODY, Layers, layers

__all__ = ["layers"]

BODIES = {
    "orders_create": {**BODY, "tags": "staff"},
    "orders_create.second": {**BODY, "total": "0.50", "nick": None},
    "orders_paid": {**BODY, "paid": True, "nick": 5},
    "orders_paid.broken": {**BODY, "total": "much"},
}


NONE = "order_completed: comes of no fixture any more with this, and of no test; without it, it came of "


def read(layers: Layers) -> tuple[Sources, Mappings, Mappings]:
    faults: list[Fault] = []
    sources = read_all(layers.directories, faults)
    mappings = compile_sources(sources, faults)
    assert sources.base
    base = compile_sources(sources.base, faults)
    assert faults == []
    assert mappings
    assert base
    return sources, mappings, base


def shown(layers: Layers, found: list[Fault]) -> list[str]:
    return [str(each).replace(f"{layers.directories[1]}/", "") for each in sorted(found)]


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        # parked, though the shipped file maps them; the one that is parked anyway is not counted
        ("events: {order_completed: {properties: {revenue: customer.first_name}}}", ["1:50: with this, 3 of 3 fixtures become parked: order_completed.revenue: expected money, got 'Ada'"]),
        ("events: {order_completed: {properties: {revenue: nick}}}", ["1:50: with this, 2 of 3 fixtures become parked: order_completed.revenue: expected money, got 'Countess'"]),
        ("events: {order_completed: {properties: {currency: paid}}}", ["1:51: with this, 3 of 3 fixtures become parked: order_completed.currency: required, but absent"]),
        ("events: {order_completed: {once: paid}}", ["1:34: with this, 3 of 3 fixtures become parked: order_completed.once: required, but absent"]),
        ("events: {order_completed: {at: nick}}", ["1:32: with this, 2 of 3 fixtures become parked: order_completed.at: expected time, got 'Countess'"]),
        ("person: {id: lines}", ["1:14: with this, 3 of 3 fixtures become parked: person.id: expected id, got a list"]),
        ("fragments: {line: {price: title}}", ["1:27: with this, 3 of 3 fixtures become parked: order_completed.items[0].price: expected money, got 'Tea'"]),
        # ignored: most of them, or it is meant
        ("ignore_when: {big: total | gt(0)}", ["1:20: with this, 3 of 3 fixtures become ignored: big"]),
        ("ignore_when: {big: total | gt(1)}", ["1:20: with this, 2 of 3 fixtures become ignored: big"]),
        ("ignore_when: {staff: tags | has(\"staff\")}", []),
        ("person: {id: gone, email: gone}", ["1:14: with this, 3 of 3 fixtures become ignored: no_person"]),
        # sound, or harmless
        ("events: {order_completed: {properties: {revenue: net}}}", []),
        ("events: {order_completed: off}", []),
        # events that none of them brings any more
        ("events: {order_completed: {when: total | eq(\"payed\")}}", [f"1:34: {NONE}3 fixtures"]),
        ("events: {order_completed: {when: [customer, 'total | gt(99)'], once: [id]}}", [f"1:34: {NONE}3 fixtures"]),
        ("events: {order_completed: {when: total | gt(1)}}", []),
        ("events: {order_completed: {when: off}}", []),
        ("events: {order_completed: {when: total | gt(99)}}\ntests: [{name: big, fixture: acme/orders_create.json, set: {total: 100}, expect: {}}]", []),
        ("events: {order_completed: {when: total | gt(99)}}\ntests: [{name: small, fixture: acme/orders_create.json, set: {total: 98}, expect: {}}]", [f"1:34: {NONE}3 fixtures"]),
        # left out always, or now and then
        ("events: {order_completed: {properties: {gift: lines}}}", ["1:47: order_completed.gift: is left out of every fixture that has a value here: expected boolean, got a list"]),
        ("events: {order_completed: {properties: {subtotal: customer.first_name}}}", ["1:51: order_completed.subtotal: is left out of every fixture that has a value here: expected money, got 'Ada'"]),
        ("person: {attributes: {created_at: customer.first_name}}", ["1:35: person.attributes.created_at: is left out of every fixture that has a value here: expected time, got 'Ada'"]),
        ("person: {attributes: {lifetime_value: nick}}", []),
    ],
)  # fmt: skip
def test_what_becomes_of_fixtures(
    layers: Layers, tmp_path: Path, overlay: str, said: list[str]
) -> None:
    fixtures = tmp_path / "fixtures" / "acme"
    fixtures.mkdir(parents=True)
    for name, body in BODIES.items():
        (fixtures / f"{name}.json").write_text(json.dumps(body))
    held = coverage.Fixtures(tmp_path / "fixtures")
    found = consequences.warnings(*read(layers.over(overlay)), held)
    assert shown(layers, found) == [f"acme/orders.yml:{each}" for each in said]


def test_what_a_shop_s_own_file_does_and_what_the_contract_does(
    layers: Layers, tmp_path: Path
) -> None:
    fixtures = tmp_path / "fixtures" / "acme"
    fixtures.mkdir(parents=True)
    body = {name: value for name, value in BODY.items() if name != "codes"}
    (fixtures / "orders_create.json").write_text(json.dumps(body))
    layers.over("events: {order_completed: {once: gone}}", "acme/eu.example/orders.yml")
    layers.over("events: {order_completed: {subtotal: money}}", "schema.yml")
    layers.over("events: {order_completed: {properties: {subtotal: gone}}}")
    found = consequences.warnings(*read(layers), coverage.Fixtures(tmp_path / "fixtures"))
    assert shown(layers, found) == [
        "acme/eu.example/orders.yml:1:34: with this, 1 of 1 fixture becomes parked: order_completed.once: required, but absent",
        "schema.yml:1:38: with this, 1 of 1 fixture becomes parked: order_completed.subtotal: required, but absent",
    ]


def test_an_event_that_comes_of_none_for_one_shop(layers: Layers, tmp_path: Path) -> None:
    fixtures = tmp_path / "fixtures" / "acme"
    fixtures.mkdir(parents=True)
    (fixtures / "orders_create.json").write_text(json.dumps(BODY))
    layers.over("events: {order_completed: {when: paid}}", "acme/eu.example/orders.yml")
    found = consequences.warnings(*read(layers), coverage.Fixtures(tmp_path / "fixtures"))
    assert shown(layers, found) == [f"acme/eu.example/orders.yml:1:34: {NONE}1 fixture"]


BREAKS = "what is built on the shipped contract breaks"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        # changes of what is shipped
        ("events: {order_completed: {revenue: text}}", [f"1:37: order_completed.revenue: is money in the shipped contract and text here: {BREAKS}"]),
        ("events: {order_completed: {revenue: 'money?'}}", [f"1:37: order_completed.revenue: is always there in the shipped contract and may be absent here: {BREAKS}"]),
        ("events: {order_completed: {discount_codes: list of text}}", ["1:44: order_completed.discount_codes: may be absent in the shipped contract and not here: a body without it is parked"]),
        ("events: {order_completed: {gift: off}}", [f"1:34: order_completed.gift: is taken out of the contract: {BREAKS}"]),
        ("person: {email: text}", [f"1:17: attribute email: is email in the shipped contract and text here: {BREAKS}"]),
        ("item: {sku: id?}", [f"1:13: item field sku: is text in the shipped contract and id here: {BREAKS}"]),
        ("events: {order_canceled: off}", ["1:26: order_canceled: is no event any more: journeys that are built on the shipped contract lose it"]),
        # declared, and filled by nothing
        ("events: {order_complete: {order_id: id}}", ["1:10: order_complete: is declared, but no mapping feeds it, did you mean 'order_completed'?"]),
        ("events: {quiz_taken: {score: integer}}", ["1:10: quiz_taken: is declared, but no mapping feeds it"]),
        ("events: {order_completed: {gift_note: 'text?'}}", ["1:28: order_completed.gift_note: is declared, but no mapping fills it"]),
        ("person: {nick: text}", ["1:10: nick: is declared, but no mapping fills it"]),
        # no harm
        ("events: {order_completed: {seen: {type: boolean, from: memory}}}", []),
        ("events: {order_completed: {revenue: {type: money, about: All of it.}}}", []),
        ("events: {order_completed: {note: 'text?'}}", []),
        ("person: {points: integer}", []),
        ("person: {tier: text}", []),
    ],
)  # fmt: skip
def test_what_becomes_of_the_contract(layers: Layers, schema: str, said: list[str]) -> None:
    layers.over(schema, "schema.yml")
    if "{note:" in schema:
        layers.over("events: {order_completed: {properties: {note: note}}}")
    if "points" in schema:
        layers.over("person: {attributes: {points: points}}")
    if "tier" in schema:
        layers.over("tier: {steps: {low: 0, high: 9}, from: lifetime_value}", "rules.yml")
    if "gift: off" in schema:
        layers.over("person: {id: customer.id}")
    sources, mappings, base = read(layers)
    found = declared.warnings(sources, base.schema, mappings.schema)
    assert shown(layers, found) == [f"schema.yml:{each}" for each in said]
