"""alerts.yml: what it says, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from adapter.alerts import Rule, read_rules
from adapter.alerts.message import SAYS, TO_DO
from adapter.alerts.rules import KINDS
from adapter.errors import Fault, MappingFileError
from adapter.lookout import load_rules
from adapter.settings import shipped
from adapter.strictyaml import parse

EVENTS = ("checkout_started", "order_completed")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")


def read(text: str) -> tuple[tuple[Rule, ...], list[str]]:
    faults: list[Fault] = []
    rules = read_rules(parse(dedent(text), "alerts.yml", faults), EVENTS, faults)
    return rules, [str(fault).removeprefix("alerts.yml:") for fault in faults]


def test_what_is_not_said_has_a_default() -> None:
    (rule,), faults = read("drop: {kind: volume, event: order_completed}")
    assert not faults
    assert (rule.level, rule.after_minutes, rule.remind_hours) == ("warning", 0, 24)
    assert rule.wants["below"] == 0.67
    assert "12-25" in rule.wants["calm_days"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", "1:1: alerts.yml: expected a mapping of names to rules"),
        ("a: 1", "1:4: a: expected kind, level, after_minutes, remind_hours, about, or off"),
        ("a b: {kind: mixed}", "1:1: a b: a name is of letters, digits and _"),
        ("a: {kind: volum, event: x}", "1:11: a.kind: no kind 'volum', did you mean 'volume'?"),
        (
            "a: {level: error}",
            f"1:1: a: it needs a kind; there are {', '.join(KINDS)}",
        ),
        ("a: {kind: volume}", "1:1: a: it needs 'event'"),
        (
            "a: {kind: volume, event: order_complete}",
            (
                "1:26: a.event: 'order_complete' is not an event of the contract, "
                "did you mean 'order_completed'?"
            ),
        ),
        (
            "a: {kind: dead, more_then: 3}",
            "1:17: a.more_then: not a part of a dead rule, did you mean 'more_than'?",
        ),
        (
            "a: {kind: memory, above: 75}",
            "1:26: a.above: expected a share above 0 and up to 1, such as 0.6, not '75'",
        ),
        (
            "a: {kind: pending, above_minutes: soon}",
            "1:35: a.above_minutes: expected a number, 0 or more, not 'soon'",
        ),
        (
            "a: {kind: mixed, after_minutes: -1}",
            "1:33: a.after_minutes: expected a number, 0 or more, not '-1'",
        ),
        ("a: {kind: mixed, level: loud}", "1:25: a.level: expected warning or error, not 'loud'"),
        ("a: {kind: silence, except: x}", "1:28: a.except: expected a list of names"),
        (
            "a: {kind: volume, event: order_completed, calm_days: [24-12]}",
            "1:55: a.calm_days: expected month and day such as 12-24, not '24-12'",
        ),
        ("a: {kind: mixed, about: 3}", "1:25: a.about: expected a sentence"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    rules, faults = read(text)
    assert faults == [said]
    assert rules == ()


def test_a_rule_that_is_off_is_none() -> None:
    assert read("a: off\nb: null") == ((), [])


def test_a_shop_says_what_differs(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(
        "orders_dropped: {below: 0.5}\nproperty_changed: off\n"
        "refunds_dropped: {kind: volume, event: order_refunded}\n"
    )
    base = {rule.name: rule for rule in load_rules([shipped("mappings")])}
    own = {rule.name: rule for rule in load_rules([shipped("mappings"), tmp_path])}
    assert own.keys() == base.keys() - {"property_changed"} | {"refunds_dropped"}
    assert own["orders_dropped"].wants == {**base["orders_dropped"].wants, "below": 0.5}
    assert own["orders_dropped"].level == "error"


def test_faults_of_an_overlay_name_its_file(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text("orders_dropped: {bellow: 0.5}\n")
    with pytest.raises(MappingFileError, match=r"alerts\.yml:1:18: orders_dropped\.bellow: not a"):
        load_rules([shipped("mappings"), tmp_path])


def test_mappings_of_ones_own_have_the_shipped_rules(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "things.yml").write_text("topics: [things/made]\nperson: {id: id}\n")
    assert load_rules([tmp_path]) == load_rules([shipped("mappings")])


def test_a_contract_of_ones_own_needs_no_alerts(tmp_path: Path) -> None:
    (tmp_path / "schema.yml").write_text(
        "version: 1\nperson: {email: email}\nitem: {name: text}\ncommon: {event_id: text}\n"
        "flat: {}\nproduct: {}\nvariant: {}\n"
        "events: {thing_made: {thing_id: id}}\n"
    )
    names = {rule.name for rule in load_rules([tmp_path])}
    assert "redis_fills" in names
    assert "orders_dropped" not in names


def test_every_kind_is_told_of() -> None:
    assert SAYS.keys() == TO_DO.keys() == KINDS.keys()
    for kind in KINDS:
        assert f"\n### {kind}\n" in PAGE, "where the message leads"


def test_the_page_names_every_rule_with_its_kind_and_level() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for rule in load_rules([shipped("mappings")]):
        (row,) = (each for each in rows if f"`{rule.name}`" in each)
        assert f"| [{rule.kind}](#{rule.kind}) | {rule.level} |" in row


def test_the_pages_examples_can_be_read() -> None:
    blocks = PAGE.split("```yaml\n")[1:]
    for block in blocks:
        text = block.split("```")[0]
        faults: list[Fault] = []
        assert parse(text, "x.yml", faults)
        assert not faults
    assert len(blocks) == 3


def test_the_pages_examples_hold_over_the_shipped_rules(tmp_path: Path) -> None:
    text = PAGE.split("## How to change rules")[1].split("```yaml\n")[1].split("```")[0]
    (tmp_path / "alerts.yml").write_text(text)
    rules = {rule.name: rule for rule in load_rules([shipped("mappings"), tmp_path])}
    assert rules["deliveries_wait"].after_minutes == 2
