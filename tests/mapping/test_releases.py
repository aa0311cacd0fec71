"""What a release promised, what changed since, and what that demands."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter import __version__
from adapter.errors import Fault, MappingFileError
from adapter.mapping import load, releases
from adapter.mapping.overlays import Override, lay_over
from adapter.mapping.releases import Release
from adapter.mapping.schema import Schema, read_schema
from adapter.settings import shipped
from adapter.strictyaml import Node, parse

CONTRACT = """\
version: 3
person: {email: email, tags: list of text}
item: {name: text, sku: text?, price: money}
events:
  order_completed: {order_id: id, revenue: money, tax: money?, items: list of item}
  order_canceled: {order_id: id, reason: text?}
common: {shop: text}
flat: {skus: sku}
"""
MAPPING = """\
topics: [orders/create]
events:
  order_completed:
    when: [a, b]
    once: id
    properties:
      order_id: id
      revenue: {value: 5}
tests: [{name: nothing}]
"""


def tree(text: str, file: str = "schema.yml") -> Node:
    faults: list[Fault] = []
    found = parse(text, file, faults)
    assert found, faults
    return found


def schema(text: str = CONTRACT) -> Schema:
    faults: list[Fault] = []
    found = read_schema(tree(text), faults)
    assert found, faults
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Mappings that were released as 0.1.0, and nothing has changed since."""
    (tmp_path / "schema.yml").write_text(CONTRACT)
    (tmp_path / "shopify").mkdir()
    (tmp_path / "shopify" / "orders.yml").write_text(MAPPING)
    write(releases.make("0.1.0", schema(), tmp_path), tmp_path)
    return tmp_path


def write(release: Release, directory: Path) -> None:
    (directory / "releases").mkdir(exist_ok=True)
    file = directory / "releases" / f"{release.name}.json"
    file.write_text(json.dumps(release.to_json()))


def latest(directory: Path) -> Release:
    found = releases.latest(directory)
    assert found
    return found


def test_a_release_keeps_names_types_and_marks(directory: Path) -> None:
    release = latest(directory)
    assert release == releases.make("0.1.0", schema(), directory)
    assert release.version == 3
    assert release.events["order_completed"] == {
        "order_id": "id",
        "revenue": "money",
        "tax": "money?",
        "items": "list of item",
    }
    assert release.sections["person"] == {"email": "email?", "tags": "list of text?"}
    assert set(release.sources) == {"schema.yml", "shopify/orders.yml"}
    mapping = release.sources["shopify/orders.yml"]
    assert isinstance(mapping, dict)
    assert set(mapping) == {"topics", "events"}, "tests are nobody's to override"
    event = mapping["events"]["order_completed"]
    assert all(len(mark) == 12 for mark in (event["when"], event["properties"]["revenue"]))


def test_the_newest_release_is_the_highest_number(directory: Path) -> None:
    for name in ("0.9.0", "0.10.0"):
        write(releases.make(name, schema(), directory), directory)
    assert list(releases.read(directory)) == ["0.1.0", "0.9.0", "0.10.0"]
    assert latest(directory).name == "0.10.0"


def test_no_release_is_none(tmp_path: Path) -> None:
    assert releases.latest(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"release": "0.3.0"}', '{"release": 1}'])
def test_a_file_that_holds_no_release_is_a_fault(directory: Path, text: str) -> None:
    (directory / "releases" / "0.2.0.json").write_text(text)
    with pytest.raises(MappingFileError, match=r"0\.2\.0\.json:1:1: is no release"):
        releases.latest(directory)


# old text, new text, what is said, whether it breaks journeys
CHANGES = [
    ("tax: money?, ", "", "order_completed.tax was removed", True),
    ("revenue: money", "revenues: money", "order_completed.revenue was renamed to revenues, it seems", True),
    ("revenue: money", "revenues: text", "order_completed.revenue was removed", True),
    ("revenue: money", "revenue: text", "order_completed.revenue was money and is text", True),
    ("revenue: money", "revenue: money?", "order_completed.revenue may be absent now", True),
    ("tax: money?", "tax: money", "order_completed.tax is always there now", False),
    ("tax: money?", "tax: money?, tip: money?", "order_completed.tip (money?) was added", False),
    ("  order_canceled: {order_id: id, reason: text?}\n", "", "the event order_canceled was removed", True),
    ("order_canceled:", "order_cancelled:", "the event order_canceled was renamed to order_cancelled, it seems", True),
    ("events:\n", "events:\n  cart_emptied: {}\n", "the event cart_emptied was added", False),
    ("sku: text?", "sku: id?", "the item field sku was text and is id", True),
    ("price: money}", "price: money, cost: money?}", "the item field cost (money?) was added", False),
    ("email: email", "mail: email", "the attribute email was renamed to mail, it seems", True),
    ("email: email, ", "", "the attribute email was removed", True),
    ("tags: list of text", "tags: text", "the attribute tags was list of text and is text", True),
    ("{shop: text}", "{}", "the property of every event shop was removed", True),
    ("skus: sku", "skus: name", "the property of every event skus was list of sku and is list of name", True),
    ("version: 3", "version: 2", "the version went back from 3 to 2", True),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said", "breaks"), CHANGES, ids=[c[2] for c in CHANGES])
def test_every_change_is_named_and_judged(
    directory: Path, old: str, new: str, said: str, breaks: bool
) -> None:
    assert CONTRACT.count(old) >= 1
    changes = releases.contract_changes(latest(directory), schema(CONTRACT.replace(old, new, 1)))
    assert (said, breaks) in [(change.text, change.breaks) for change in changes]
    assert any(change.breaks for change in changes) == breaks


def test_nothing_changed_is_nothing_said(directory: Path) -> None:
    assert releases.contract_changes(latest(directory), schema()) == []


def test_what_breaks_comes_first_and_reads_as_a_sentence(directory: Path) -> None:
    text = CONTRACT.replace("order_id: id, revenue: money", "order_id: id, a: text?", 1)
    changes = releases.contract_changes(latest(directory), schema(text))
    assert [str(change) for change in changes] == [
        "since 0.1.0: order_completed.revenue was removed (breaks journeys)",
        "since 0.1.0: order_completed.a (text?) was added (harmless)",
    ]


@pytest.mark.parametrize(
    ("version", "removed", "demanded"),
    [(3, True, True), (2, True, True), (4, True, False), (3, False, False)],
)
def test_a_breaking_change_demands_a_higher_version(
    directory: Path, version: int, removed: bool, demanded: bool
) -> None:
    text = CONTRACT.replace("version: 3", f"version: {version}")
    text = text.replace("tax: money?, ", "" if removed else "tax: money?, tip: money?, ")
    changes = releases.contract_changes(latest(directory), schema(text))
    found = [str(fault) for fault in releases.faults(changes, tree(text))]
    said = (
        "schema.yml:1:10: version: since 0.1.0: order_completed.tax was removed; that breaks "
        "journeys, so the version must be 4 or higher"
    )
    assert (said in found) == demanded
    assert bool(found) == demanded


# --- overlays


def overrides(directory: Path, over: str) -> list[Override]:
    file = directory / "shopify" / "orders.yml"
    base = tree(file.read_text(), str(file))
    found: list[Override] = []
    faults: list[Fault] = []
    lay_over(base, tree(over, "custom/shopify/orders.yml"), "shopify/orders.yml", found, faults)
    assert not faults
    return found


OVER = """\
events:
  order_completed:
    once: number
    properties: {revenue: total}
"""
BASE_EDITS = [
    ("nothing", "once: id", "once: id", None),
    ("another value", "once: id", "once: [id, shop]", "events.order_completed.once: has changed in what is shipped"),
    ("a literal", "{value: 5}", "{value: 6}", "events.order_completed.properties.revenue: has changed in what is shipped"),
    ("what is not overridden", "order_id: id", "order_id: number", None),
    ("the order of a list that is not overridden", "[a, b]", "[b, a]", None),
    ("a comment", "once: id", "once: id  # once", None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), [e[1:] for e in BASE_EDITS], ids=[e[0] for e in BASE_EDITS])  # fmt: skip
def test_an_override_is_told_when_its_base_changed(
    directory: Path, old: str, new: str, said: str | None
) -> None:
    file = directory / "shopify" / "orders.yml"
    file.write_text(MAPPING.replace(old, new))
    found = releases.base_changes(latest(directory), overrides(directory, OVER))
    if said is None:
        assert found == []
        return
    (fault,) = found
    assert fault.file == "custom/shopify/orders.yml"
    assert fault.message.startswith(f"{said} since 0.1.0, see shopify/orders.yml:")


def test_a_value_that_is_new_below_is_told_as_well(directory: Path) -> None:
    file = directory / "shopify" / "orders.yml"
    file.write_text(MAPPING.replace("    once: id", "    at: created_at\n    once: id"))
    over = "events: {order_completed: {at: processed_at}}"
    (fault,) = releases.base_changes(latest(directory), overrides(directory, over))
    assert fault == Fault(
        "custom/shopify/orders.yml",
        1,
        32,
        "events.order_completed.at: is shipped now as well since 0.1.0, see shopify/orders.yml:5; "
        "if this still says what you want, write the newer release into this file",
    )


def test_a_switched_off_part_is_told_of_any_change_inside(directory: Path) -> None:
    over = "events: {order_completed: off}"
    assert releases.base_changes(latest(directory), overrides(directory, over)) == []
    file = directory / "shopify" / "orders.yml"
    file.write_text(MAPPING.replace("order_id: id", "order_id: number"))
    (fault,) = releases.base_changes(latest(directory), overrides(directory, over))
    assert fault.message.startswith("events.order_completed: has changed")


def test_what_overrides_another_overlay_is_not_judged(directory: Path) -> None:
    node = tree("once: id", "company/shopify/orders.yml")
    override = Override("shopify/orders.yml", ("once",), node, node)
    assert releases.base_changes(latest(directory), [override]) == []


# --- what ships


def test_the_shipped_contract_keeps_the_rules() -> None:
    """Whatever was changed since the last release, journeys know of it by the version."""
    release = latest(shipped("mappings"))
    assert release.name == __version__, "`adapter schema --release` writes the file of a release"
    mappings = load(shipped("mappings"))
    root = tree((shipped("mappings") / "schema.yml").read_text("utf-8"))
    changes = releases.contract_changes(release, mappings.schema)
    assert releases.faults(changes, root) == []
    assert mappings.schema.version - release.version in (0, 1)
