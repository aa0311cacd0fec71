"""The JSON Schemas that editors use: current, named by every file, and true."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from adapter.errors import Fault
from adapter.mapping import compiler, load
from adapter.mapping.compile_event import PARTS as EVENT_PARTS
from adapter.mapping.compile_person import PARTS as PERSON_PARTS
from adapter.mapping.editor import DOCUMENTS
from adapter.settings import shipped
from adapter.strictyaml import parse

MAPPINGS = shipped("mappings")
SCHEMA = load(MAPPINGS).schema
NAMED = {
    "schema.yml": "contract",
    "names.yml": "names",
    "rules.yml": "rules",
    "alerts.yml": "alerts",
    "topics.yml": "topics",
}
FILES = sorted(file for file in MAPPINGS.rglob("*.yml") if file.name != "platform.yml")


def kind_of(file: Path) -> str:
    return NAMED.get(file.name, "mapping")


@cache
def validator(kind: str) -> Draft7Validator:
    return Draft7Validator(DOCUMENTS[kind](SCHEMA))


def faults(kind: str, text: str) -> list[str]:
    mistakes: list[Fault] = []
    root = parse(text, "x.yml", mistakes)
    assert root, mistakes
    assert not mistakes
    return [
        f"{each.json_path}: {each.message}" for each in validator(kind).iter_errors(root.plain())
    ]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_file_is_what_the_generator_gives(kind: str) -> None:
    """`make docs` writes them."""
    document = DOCUMENTS[kind](SCHEMA)
    Draft7Validator.check_schema(document)
    kept = (MAPPINGS / "editor" / f"{kind}.schema.json").read_text("utf-8")
    assert kept == json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_names_its_schema(file: Path) -> None:
    up = "../" * (len(file.relative_to(MAPPINGS).parts) - 1)
    first = file.read_text("utf-8").partition("\n")[0]
    named = f"{up}editor/{kind_of(file)}.schema.json"
    assert first == f"# yaml-language-server: $schema={named}"
    assert (file.parent / named).is_file()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_shipped_file_is_valid(file: Path) -> None:
    assert faults(kind_of(file), file.read_text("utf-8")) == []


def test_it_knows_the_parts_that_the_compiler_knows() -> None:
    properties = DOCUMENTS["mapping"](SCHEMA)["properties"]
    assert set(properties) == {*compiler.PARTS, "release"}

    def inner(part: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = part["properties"]
        return found

    assert set(inner(properties["person"])) == set(PERSON_PARTS)
    events = inner(properties["events"])
    assert set(events) == set(SCHEMA.events)
    assert set(inner(events["order_completed"])) == set(EVENT_PARTS)


VALID = [
    ("mapping", "events: {order_completed: off}"),
    ("mapping", "events: {order_completed: null}"),
    ("mapping", "events: {order_completed: {properties: {tax: off, revenue: {value: 1}}}}"),
    ("mapping", 'events: {order_completed: {properties: {order_status_url: {text: "https://{$shop}/x"}}}}'),
    ("mapping", "events: {order_completed: {properties: {items: {use: own_line}}}}"),
    ("mapping", "release: 0.1.0\nperson: {attributes: {tags: off}, changes: {tags: {add: tags}}}"),
    ("mapping", "ignore_when: {staff order: off}"),
    ("mapping", "catalog: {id: id, removed: {value: true}, variants: {each: variants, use: one}}"),
    ("mapping", "action: {kind: merge_people, with: {kept: a, gone: b}}"),
    ("mapping", "fragments: {order_line: {is_subscription: off}, one: {variant_id: id}}"),
    ("contract", "events: {order_completed: {gift_message: text?}}\nperson: {b2b: {type: boolean, about: Yes.}}"),
    ("topics", "admin: [a/b]\nignored: {c/d: why}"),
    ("names", "preset: segment\nevents: {order_completed: Bought}\nattributes: {orders_count: [a, b]}"),
    ("rules", "vip_tier: {from: lifetime_value, steps: {gold: 100}, event: tier_changed}"),
    ("alerts", "orders_dropped: {below: 0.5, calm_days: [12-24]}\nproperty_changed: off"),
    ("alerts", "refunds: {kind: volume, event: order_refunded}\nw: {kind: pending, above_minutes: 5}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), VALID)
def test_what_may_be_written(kind: str, text: str) -> None:
    assert faults(kind, text) == []


INVALID = [
    ("mapping", "event: {}"),
    ("mapping", "events: {order_complete: {once: id}}"),
    ("mapping", "events: {order_completed: {onse: id}}"),
    ("mapping", "events: {order_completed: {properties: {totl: total}}}"),
    ("mapping", "events: {added_to_cart: {properties: {first_in_cart: x}}}"),
    ("mapping", "events: {order_completed: {properties: {revenue: [a]}}}"),
    ("mapping", "events: {order_completed: {properties: {revenue: {val: 1}}}}"),
    ("mapping", "person: {attributes: {email: email}}"),
    ("mapping", "person: {changes: {city: {add: city}}}"),
    ("mapping", "action: {kind: merge}"),
    ("mapping", "tests: [{name: x, fixtur: y}]"),
    ("contract", "events: {order_completed: {gift_message: txt}}"),
    ("contract", "version: one"),
    ("topics", "admin: a/b"),
    ("names", "preset: snake"),
    ("rules", "vip: {when: x}"),

    ("mapping", "events: {order_completed: OFF}"),
    ("mapping", "events: {order_completed: false}"),
    ("mapping", "events: {order_completed: {when: [{val: 1}]}}"),
    ("mapping", "ignore_when: {staff order: {value: 1, text: x}}"),
    ("contract", "events: {order_completed: {gift_message: {type: text?, abuot: x}}}"),
    ("names", "events: {order_completed: {nmae: x}}"),
    ("names", "attributes: {orders_count: []}"),
    ("rules", "vip_tier: {form: lifetime_value}"),
    ("alerts", "orders_dropped: {bellow: 0.5}"),
    ("alerts", "orders_dropped: {below: 50}"),
    ("alerts", "refunds: {kind: volume, event: refund}"),
    ("alerts", "refunds: {kind: sound}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), INVALID)
def test_what_is_underlined(kind: str, text: str) -> None:
    assert faults(kind, text) != []


TYPOS = [
    ("mapping", "events: {order_completed: {properties: {totl: total}}}", "$.events.order_completed.properties", "'totl' was unexpected"),
    ("mapping", "person: {attributes: {fist_name: a}}", "$.person.attributes", "'fist_name' was unexpected"),
    ("mapping", "events: {order_completed: OFF}", "$.events.order_completed", "'OFF' is not one of ['off']"),
    ("mapping", "events: {order_completed: {at: {val: 1}}}", "$.events.order_completed.at", "'val' was unexpected"),
    ("contract", "events: {order_completed: {gift: {typ: text}}}", "$.events.order_completed.gift", "'typ' was unexpected"),
    ("names", "events: {order_completed: {nmae: x}}", "$.events.order_completed", "'nmae' was unexpected"),
    ("rules", "vip_tier: {form: a}", "$.vip_tier", "'form' was unexpected"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "place", "problem"), TYPOS)
def test_a_typo_is_named_at_its_place(kind: str, text: str, place: str, problem: str) -> None:
    """And not: that is none of these."""
    (found,) = faults(kind, text)
    assert found.startswith(f"{place}: ")
    assert problem in found


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_no_schema_leaves_a_choice(kind: str) -> None:
    assert "anyOf" not in json.dumps(DOCUMENTS[kind](SCHEMA))


def test_a_property_is_explained() -> None:
    events = DOCUMENTS["mapping"](SCHEMA)["properties"]["events"]["properties"]
    completed = events["order_completed"]
    assert completed["description"] == SCHEMA.about["order_completed"]
    properties = completed["properties"]["properties"]["properties"]
    assert properties["tax"]["description"] == "Taxes, in `currency`. (money, optional)"
