"""`adapter schema` and `adapter filters`, and what the mappings make held against the contract."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from edge.lab import FIXTURES
from jsonschema import Draft7Validator, Draft202012Validator

from adapter import __version__
from adapter.destinations import DESTINATIONS
from adapter.explain import explained
from adapter.mapping import load, parse_body
from adapter.model import Delivery
from adapter.settings import shipped

from .conftest import Adapter

ROOT = Path(__file__).parents[2]
MAPPINGS = load(shipped("mappings"))
FILES = sorted(FIXTURES.glob("*.json"))


@cache
def contract() -> dict[str, Any]:
    return json.loads(json.dumps(MAPPINGS.schema.to_json_schema()))


def topic_of(file: Path) -> str:
    """A fixture is called by its topic, and by what is special about it after a dot."""
    known = (*MAPPINGS.topics("shopify"), *MAPPINGS.register("shopify").topics())
    slugs = {topic.replace("/", "_"): topic for topic in known}
    fitting = [slug for slug in slugs if f"{file.stem}.".startswith(f"{slug}.")]
    assert fitting, "a fixture is called by its topic"
    return slugs[max(fitting, key=len)]


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
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "\x1b" not in done.stdout, "colours are for terminals"


def test_the_command_prints_one_event(adapter: Adapter) -> None:
    done = adapter("schema", "order_delivered", "common")
    assert done.returncode == 0
    headings = [line for line in done.stdout.splitlines()[1:] if line and line[0] != " "]
    assert headings == ["order_delivered", "common"]


def test_a_name_that_is_not_there_is_told(adapter: Adapter) -> None:
    done = adapter("schema", "order_complete")
    assert done.returncode == 2
    assert "no 'order_complete', did you mean 'order_completed'?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["schema", "--markdown"], "docs/events.md"),
        (["filters", "--markdown"], "docs/filters.md"),
        (["schema", "--editor"], "mappings/editor/mapping.schema.json"),
        (["schema", "--editor", "names"], "mappings/editor/names.schema.json"),
    ],
)
def test_the_commands_write_the_generated_files(
    adapter: Adapter, arguments: list[str], file: str
) -> None:
    """As `make docs` does."""
    done = adapter(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / file).read_text("utf-8")


def test_the_command_prints_a_release(adapter: Adapter) -> None:
    done = adapter("schema", "--release")
    assert done.returncode == 0
    release = json.loads(done.stdout)
    assert release["release"] == __version__
    assert release["version"] == MAPPINGS.schema.version
    assert release["events"]["order_delivered"] == {"order_id": "id", "fulfillment_id": "id"}
    assert "shopify/orders.yml" in release["sources"]


def test_an_own_contract_has_its_own_editor_help(adapter: Adapter, tmp_path: Path) -> None:
    """What a shop adds in an overlay is completed and explained like everything else."""
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "schema.yml").write_text(
        "events: {order_completed: {gift_message: text?}}\n"
    )
    done = adapter("schema", "--editor")
    assert done.returncode == 0, done.stderr
    own = Draft7Validator(json.loads(done.stdout))
    file = {"events": {"order_completed": {"properties": {"gift_message": "note"}}}}
    assert own.is_valid(file)
    assert not Draft7Validator(
        json.loads((ROOT / "mappings/editor/mapping.schema.json").read_text("utf-8"))
    ).is_valid(file)
    assert json.loads(adapter("schema", "--release").stdout)["events"][
        "order_completed"
    ].keys() == ({field.name for field in MAPPINGS.schema.events["order_completed"].fields}), (
        "a release is of what ships"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--json", "--markdown"],
            "one of NAME, --json, --markdown, --release, --editor at a time",
        ),
        (["--json", "item"], "one of NAME"),
        (["--editor", "platform"], "there is mapping, contract, topics, names, rules"),
    ],
)
def test_what_cannot_be_asked_for(adapter: Adapter, arguments: list[str], said: str) -> None:
    done = adapter("schema", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_filters_are_printed(adapter: Adapter) -> None:
    done = adapter("filters")
    assert done.returncode == 0
    assert "  before(sep)\n" in done.stdout
    assert '"c1-abc?key=9f" | before("?")  gives  "c1-abc"' in done.stdout


def test_some_filters_are_printed(adapter: Adapter) -> None:
    done = adapter("filters", "before", "gt")
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if not line.startswith("   ") and line]
    assert heads == ["Texts", "  before(sep)", "Numbers", "  gt(n)"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["befor"], "there is no filter 'befor', did you mean 'before'?"),
        (["before", "--markdown"], "one of NAME, --markdown at a time"),
    ],
)
def test_filters_that_cannot_be_printed(adapter: Adapter, arguments: list[str], said: str) -> None:
    done = adapter("filters", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_fixture_becomes_keeps_the_contract(file: Path) -> None:
    topic = topic_of(file)
    delivery = Delivery("shopify", topic, "1", "example.myshopify.com", 1_800_000_000)
    mapped = MAPPINGS.apply(delivery, parse_body(file.read_bytes()))
    assert mapped.outcome != "parked", mapped.reason
    # As JSON has it, which is what Customer.io gets.
    found = json.loads(json.dumps(explained(mapped, DESTINATIONS["track"]).to_json()))
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
