"""`adapter schema --json`, and what the mappings make held against it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from edge.lab import FIXTURES
from jsonschema import Draft202012Validator

from adapter.destinations import DESTINATIONS
from adapter.explain import explain
from adapter.mapping import load, parse_body
from adapter.model import Delivery
from adapter.settings import shipped

from .conftest import Adapter

MAPPINGS = load(shipped("mappings"))
FILES = sorted(FIXTURES.glob("*.json"))


@cache
def contract() -> dict[str, Any]:
    return json.loads(json.dumps(MAPPINGS.schema.to_json_schema()))


def faults(definition: str, value: Any) -> list[str]:
    schema = {"$ref": f"#/$defs/{definition}", "$defs": contract()["$defs"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def test_the_command_prints_it(adapter: Adapter) -> None:
    done = adapter("schema", "--json")
    assert done.returncode == 0
    printed = json.loads(done.stdout)
    Draft202012Validator.check_schema(printed)
    assert printed == contract()
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"person", "checkout_started", "order_completed", "order_refunded"} <= set(
        printed["$defs"]
    )


def test_the_command_prints_a_table(adapter: Adapter) -> None:
    done = adapter("schema")
    assert done.returncode == 0
    assert "order_completed\n" in done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_fixture_becomes_keeps_the_contract(file: Path) -> None:
    topic = file.stem.partition(".")[0].replace("_", "/", 1)
    assert topic in MAPPINGS.topics("shopify"), "a fixture is called by its topic"
    delivery = Delivery("shopify", topic, "1", "example.myshopify.com", 1_800_000_000)
    mapped = MAPPINGS.apply(delivery, parse_body(file.read_bytes()))
    assert mapped.outcome != "parked", mapped.reason
    # As JSON has it, which is what Customer.io gets.
    found = json.loads(json.dumps(explain(mapped, DESTINATIONS["track"])))
    for event in found["events"]:
        assert faults(event["name"], event["properties"]) == []
    person = found["person"]
    if person is not None:
        contacts = {name: person[name] for name in ("email", "phone") if person[name] is not None}
        assert faults("person", {**person["attributes"], **contacts}) == []


def test_the_contract_can_be_broken() -> None:
    """So that a schema which lets everything pass would be noticed."""
    assert faults("order_completed", {}) != []
    delivery = Delivery("shopify", "orders/paid", "1", "example.myshopify.com", 1_800_000_000)
    body = parse_body((FIXTURES / "orders_paid.json").read_bytes())
    (event,) = MAPPINGS.apply(delivery, body).events
    good = json.loads(json.dumps(event.properties, default=float))
    assert faults("order_completed", good) == []
    for name, bad in (("revenue", "202.29"), ("item_count", 7.5), ("order_id", 1), ("totl", 1)):
        assert faults("order_completed", {**good, name: bad}) != [], name
    assert faults("person", {"created_at": "2026-01-01"}) != []
    assert faults("person", {"email": 5}) != []
