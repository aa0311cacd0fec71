"""docs/recipes: each is an overlay that holds what it promises, and the page shows each whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from adapter.cli.checkup import Checkup, check
from adapter.courier import encode
from adapter.destinations import DESTINATIONS
from adapter.mapping import load, parse_body, suite
from adapter.mapping.loader import is_overlay
from adapter.model import Delivery, Entry
from adapter.resolver import resolve
from adapter.settings import shipped

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
NAMES = sorted(each.name for each in RECIPES.iterdir() if each.is_dir())
PAGE = (RECIPES / "README.md").read_text("utf-8")


def shown() -> dict[str, str]:
    """The files that the page shows, by path."""
    blocks = re.findall(r"^`([^`\n]+)`\n\n```yaml\n(.*?)^```", PAGE, re.M | re.S)
    return dict(blocks)


def files() -> dict[str, str]:
    return {
        each.relative_to(RECIPES).as_posix(): each.read_text("utf-8")
        for each in sorted(RECIPES.glob("*/**/*.yml"))
    }


def test_the_ten_edits_that_shops_make_first_are_there() -> None:
    assert NAMES == [
        "b2b-company",
        "event-off",
        "gift-message",
        "locale",
        "metafield",
        "no-staff-orders",
        "other-names",
        "own-customer-id",
        "subscription-tag",
        "utm-from-notes",
    ]


def test_the_page_shows_every_file_as_it_is() -> None:
    assert shown() == files()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_an_overlay_without_faults_and_warnings(name: str) -> None:
    base = shipped("mappings")
    assert is_overlay(RECIPES / name, base)
    assert load(base, RECIPES / name).warnings == load(base).warnings


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"other-names"}))
def test_what_a_recipe_promises(name: str) -> None:
    mappings = load(shipped("mappings"), RECIPES / name)
    cases = suite.cases(mappings, shipped("fixtures"))
    assert cases
    assert [str(failure) for case in cases if (failure := suite.run(case))] == []


def wrong_with(found: Checkup) -> list[object]:
    """All but that what is shipped has changed since the release that a recipe was written for:
    between two releases that is so of whatever is being worked on."""
    warnings = [
        each for each in found.warnings if "has changed in what is shipped" not in each.message
    ]
    return [*found.faults, *warnings, *found.failures, *found.hints]


def test_all_ten_hold_over_each_other() -> None:
    base = shipped("mappings")
    layers = [RECIPES / name for name in NAMES]
    mappings = load(base, *layers)
    assert mappings.warnings == load(base).warnings
    cases = suite.cases(mappings, shipped("fixtures"))
    alone = [len(load(base, layer).samples) for layer in layers]
    assert len(cases) == sum(alone) > len(NAMES)
    assert [str(failure) for case in cases if (failure := suite.run(case))] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_checked_without_faults_warnings_and_hints(name: str) -> None:
    found = check([shipped("mappings"), RECIPES / name])
    assert wrong_with(found) == []


def test_the_page_shows_how_two_become_one_file(tmp_path: Path) -> None:
    (merged,) = re.findall(r":\n\n```yaml\n(.*?)^```", PAGE, re.M | re.S)
    files = [RECIPES / name / "shopify" / "orders.yml" for name in ("gift-message", "event-off")]
    both = {line for file in files for line in file.read_text("utf-8").splitlines()}
    assert set(merged.splitlines()) <= both
    shutil.copytree(RECIPES / "gift-message", tmp_path / "custom")
    (tmp_path / "custom" / "shopify" / "orders.yml").write_text(merged)
    found = check([shipped("mappings"), tmp_path / "custom"])
    assert wrong_with(found) == []
    assert found.tests == 2


def test_each_recipe_is_needed() -> None:
    """Its tests fail without it, or they would show nothing."""
    base = load(shipped("mappings"))
    for name in sorted(set(NAMES) - {"other-names"}):
        cases = suite.cases(load(shipped("mappings"), RECIPES / name), shipped("fixtures"))
        held = [suite.run(suite.Case(case.sample, case.fixture, base)) for case in cases]
        assert any(held), name


def test_other_names_are_those_on_the_way_out() -> None:
    mappings = load(shipped("mappings"), RECIPES / "other-names")
    delivery = Delivery("shopify", "orders/create", "d1", "shop.example", 1789394740)
    body = parse_body((shipped("fixtures") / "shopify" / "orders_create.json").read_bytes())
    mapped = mappings.apply(delivery, body)
    assert mapped.person is not None
    assert mapped.events[0].name == "order_completed"
    entry = Entry("1-0", delivery, mapped.person, mapped.events, mapped.order)
    operations = resolve([entry], {}, now=delivery.received_at).operations
    parcel = encode(DESTINATIONS["track"], operations, mappings.names)
    sent = [parse_body(item.data) for item in parcel.items]
    assert [each.get("name") for each in sent] == [None, "Purchase"]
    assert "total" in sent[1]["attributes"]
    assert "revenue" not in sent[1]["attributes"]
    assert "ProductID" in sent[1]["attributes"]["items"][0]
    assert mappings.names.attribute("lifetime_value") == ("lifetime_value", "ltv")
    assert mappings.names.attribute("orders_count") == ("total_orders",)
