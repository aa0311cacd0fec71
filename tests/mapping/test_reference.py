"""The generated pages are current, and say what they must."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from random import Random

import pytest

from adapter.mapping import Mappings, load
from adapter.mapping.expressions import compile_text
from adapter.mapping.filters import FILTERS, Example
from adapter.mapping.types import TYPES
from adapter.reference import (
    Examples,
    contract_table,
    events_page,
    filters_page,
    filters_table,
    find_examples,
    read_bodies,
)
from adapter.reference.filters import GROUPS, TOGETHER
from adapter.reference.groups import groups
from adapter.reference.markdown import code, link, table
from adapter.settings import shipped

from .conftest import DELIVERY

DOCS = Path(__file__).parents[2] / "docs"
MAPPINGS = load(shipped("mappings"))
SCHEMA = MAPPINGS.schema


@cache
def examples() -> Examples:
    return find_examples(MAPPINGS, read_bodies(MAPPINGS, [shipped("fixtures")]))


@cache
def page() -> str:
    return events_page(MAPPINGS, examples())


def section(title: str) -> str:
    _, _, rest = page().partition(f"\n## {title}\n")
    assert rest, title
    return rest.partition("\n## ")[0]


def test_events_md_is_what_the_generator_gives() -> None:
    """`make docs` writes it."""
    assert (DOCS / "events.md").read_text("utf-8") == page()


def test_filters_md_is_what_the_generator_gives() -> None:
    """`make docs` writes it."""
    assert (DOCS / "filters.md").read_text("utf-8") == filters_page()


# --- the page of events


@pytest.mark.parametrize("event", SCHEMA.events.values(), ids=lambda event: event.name)
def test_every_event_is_told_whole(event) -> None:
    text = section(event.name)
    for field in event.fields:
        optional = "?" if field.optional else ""
        assert f"| `{field.name}` | {field.type_name}{optional} | {field.about}" in text
    topics = [
        topic
        for platform in MAPPINGS.platforms()
        for topic in MAPPINGS.topics(platform)
        if event.name in MAPPINGS.events_of(platform, topic)
    ]
    assert all(f"`{topic}`" in text for topic in topics)
    assert ("; once per `" in text) == bool(topics)
    assert (event.name in examples().events) == bool(topics), "every event that is fed is shown"


def test_every_other_part_is_told() -> None:
    assert "`event_id`" in section("Common properties")
    assert "`skus`" in section("Flat lists")
    for field in SCHEMA.item:
        assert f"| `{field.name}` |" in section("Items")
    for field in SCHEMA.person:
        assert f"| `{field.name}` |" in section("People")
    for name in TYPES:
        assert f"| `{name}` |" in section("Types")


def test_the_table_of_contents_names_every_heading() -> None:
    headings = re.findall(r"^## (.+)$", page(), re.M)
    assert headings[0] == "Contents"
    assert re.findall(r"^- \[([^\]]+)\]\(#", section("Contents"), re.M) == headings[1:]


def test_the_version_is_said() -> None:
    assert f"It is version {SCHEMA.version}," in page()


def test_every_example_is_json_that_the_mappings_made() -> None:
    found = re.findall(r"```json\n(.*?)\n```", page(), re.S)
    shown = [json.loads(text) for text in found]
    expected = [
        examples().events[name].value for name in SCHEMA.events if name in examples().events
    ]
    assert examples().person is not None
    assert shown == [*expected, examples().person.value]
    assert all(len(line) < 1000 for line in page().splitlines())


def test_an_example_holds_all_that_the_contract_requires() -> None:
    for name, example in examples().events.items():
        required = {field.name for field in SCHEMA.events[name].fields if not field.optional}
        assert required <= set(example.value["properties"]), name


def test_examples_are_the_same_in_any_order() -> None:
    bodies = read_bodies(MAPPINGS, [shipped("fixtures")])
    Random(7).shuffle(bodies)
    assert find_examples(MAPPINGS, bodies) == examples()


def test_a_body_as_it_came_is_rather_shown_than_an_altered_one() -> None:
    altered = {
        each.fixture for each in read_bodies(MAPPINGS, [shipped("fixtures")]) if each.changed
    }
    assert altered
    assert not examples().events["order_completed"].body.changed


def test_a_fixture_that_is_not_there_is_left_to_check(tmp_path: Path) -> None:
    (tmp_path / "shopify").mkdir()
    (tmp_path / "shopify" / "orders_create.json").write_text("{")
    assert read_bodies(MAPPINGS, [tmp_path]) == []


def test_without_anything_there_is_still_a_page() -> None:
    text = events_page(Mappings(SCHEMA, {}), Examples())
    assert "```json" not in text
    assert "; once per `" not in text
    assert "\n## order_completed\n" in text


# --- the terminal


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_table_keeps_to_its_width(width: int) -> None:
    text = contract_table(SCHEMA, width)
    names = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    assert {"revenue", "email", "replenish_at", "skus", "event_id"} <= names
    headings = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")]
    assert headings == list(groups(SCHEMA))
    longest = max(len(line) for line in text.splitlines())
    assert longest <= width
    assert longest > width - 20, "it uses the room there is"


def test_a_table_too_narrow_to_wrap_is_left_to_the_terminal() -> None:
    lines = contract_table(SCHEMA, 30).splitlines()
    assert any(line.endswith("Number of the order as the customer sees it.") for line in lines)


def test_a_table_of_one_event() -> None:
    lines = contract_table(SCHEMA, 100, ["order_delivered"]).splitlines()
    assert lines[2] == "order_delivered"
    assert [line.split()[:2] for line in lines[4:]] == [
        ["order_id", "id"],
        ["fulfillment_id", "id"],
    ]


# --- filters


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_on_the_page_and_in_the_table(name: str) -> None:
    one = FILTERS[name]
    assert one.group in GROUPS
    for text in (filters_page(), filters_table(1000)):
        assert one.signature in text
        assert one.about in text
    assert f"\n### {name}\n" in filters_page()


@pytest.mark.parametrize("example", [example for _, example in TOGETHER], ids=lambda e: e.call)
def test_filters_together(example: Example) -> None:
    got = compile_text(f"a | {example.call}").evaluate({"a": example.value}, DELIVERY)
    assert got == example.result


def test_the_rule_of_letter_case_is_true() -> None:
    """As the page tells it."""
    exact, lenient = ("eq", "one_of", "only"), ("has", "contains", "starts_with")
    for name in (*exact, *lenient):
        got = compile_text(f'a | {name}("VIP")').evaluate({"a": "vip"}, DELIVERY)
        assert bool(got) == (name in lenient), name
    assert compile_text('a | prefixed("VIP-")').evaluate({"a": "vip-Gold"}, DELIVERY) == ["Gold"]
    assert compile_text('a | lookup("VIP=1")').evaluate({"a": "vip"}, DELIVERY) is None


# --- Markdown


def test_a_cell_keeps_its_bar() -> None:
    assert table(("a", "b"), [("x | y", "`z`")]) == "| a | b |\n|-|-|\n| x \\| y | `z` |"


def test_a_backtick_is_fenced() -> None:
    assert (code("a"), code("a`b")) == ("`a`", "``a`b``")


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("order_completed", "order_completed"),
        ("Common properties", "common-properties"),
        ("What? It's so", "what-its-so"),
    ],
)
def test_anchors_are_those_of_github(title: str, anchor: str) -> None:
    assert link(title) == f"[{title}](#{anchor})"
