"""Rules: what follows from whose attributes, when nothing is said, and what no file may ask for."""

# ruff: noqa: E501, ISC004 - a table has one row a line

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.errors import Fault
from adapter.mapping.rules import Rules, read_rules
from adapter.mapping.schema import Schema, read_schema
from adapter.model import Json
from adapter.strictyaml import parse

CONTRACT = """
version: 4
person:
  email: email
  city: text
  tags: list of text
  accepts_marketing: boolean
  orders_count: integer
  lifetime_value: money
  first_time_buyer: boolean
  discount_eligible: boolean
  vip_tier: text
  stage: text
  level: integer
item: {name: text}
events: {order_completed: {order_id: id}}
common: {}
flat: {}
"""
TIER = "vip_tier: {from: lifetime_value, steps: {bronze: 0, silver: 500, gold: 1000}}"


@pytest.fixture(scope="module")
def schema() -> Schema:
    faults: list[Fault] = []
    root = parse(dedent(CONTRACT), "schema.yml", faults)
    assert root is not None
    found = read_schema(root, faults)
    assert found is not None, faults
    return found


@pytest.fixture(scope="module")
def read(schema: Schema) -> Any:
    """The rules of a file; with `faulty`, what is said against it."""

    def read_(text: str, *, faulty: bool = False) -> Any:
        faults: list[Fault] = []
        root = parse(dedent(text), "rules.yml", faults)
        rules = read_rules(root, schema, faults)
        if faulty:
            return [str(fault).removeprefix("rules.yml:") for fault in sorted(faults)]
        assert faults == []
        return rules

    return read_


# What follows


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        (0, "bronze"),
        (499.99, "bronze"),
        (500, "silver"),
        (500.01, "silver"),
        (1000.0, "gold"),
        (10**9, "gold"),
        (-5, "bronze"),
    ],
)
def test_the_highest_step_that_is_reached(read: Any, value: Json, tier: str) -> None:
    assert read(TIER).derive({"lifetime_value": value}) == {"vip_tier": tier}


def test_the_value_of_a_step_has_the_attributes_type(read: Any) -> None:
    rules = read("level: {from: orders_count, steps: {1: 0, 2: 10}}")
    assert rules.derive({"orders_count": 10}) == {"level": 2}


@pytest.mark.parametrize(
    ("when", "attributes", "value"),
    [
        ("orders_count | eq(1)", {"orders_count": 1}, True),
        ("orders_count | eq(1)", {"orders_count": 2}, False),
        ("not accepts_marketing", {"accepts_marketing": False}, True),
        ("[accepts_marketing, orders_count | lt(2)]", {"accepts_marketing": True, "orders_count": 1}, True),
        ("[accepts_marketing, orders_count | lt(2)]", {"accepts_marketing": True, "orders_count": 2}, False),
        ("[accepts_marketing, orders_count | lt(2)]", {"accepts_marketing": False, "orders_count": 1}, False),
    ],
)  # fmt: skip
def test_a_condition_is_true_or_false(
    read: Any, when: str, attributes: dict[str, Json], value: bool
) -> None:
    assert read(f"first_time_buyer: {{when: {when}}}").derive(attributes) == {
        "first_time_buyer": value
    }


@pytest.mark.parametrize(("orders", "stage"), [(0, "new"), (1, "once"), (2, "regular")])
def test_the_first_case_that_holds(read: Any, orders: int, stage: str) -> None:
    rules = read(
        """
        stage:
          cases:
            - {value: new, when: orders_count | eq(0)}
            - {value: once, when: orders_count | lt(2)}
            - {value: regular}
        """
    )
    assert rules.derive({"orders_count": orders}) == {"stage": stage}


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"orders_count": 1},
        {"accepts_marketing": True},
        {"email": "a@x.com", "city": "Graz"},
    ],
)
def test_nothing_follows_from_half_a_picture(read: Any, attributes: dict[str, Json]) -> None:
    rules = read(
        """
        discount_eligible: {when: [accepts_marketing, orders_count | lt(2)]}
        stage: {cases: [{value: a, when: lifetime_value}, {value: b, when: city}, {value: c}]}
        """
    )
    assert rules.derive(attributes) == {}


def test_what_a_body_says_itself_wins(read: Any) -> None:
    assert read(TIER).derive({"lifetime_value": 1000, "vip_tier": "friend"}) == {}


@pytest.mark.parametrize("first", ["vip_tier", "discount_eligible"])
def test_a_rule_may_read_what_another_sets_wherever_it_stands(read: Any, first: str) -> None:
    texts = {
        "vip_tier": TIER,
        "discount_eligible": 'discount_eligible: {when: vip_tier | eq("gold")}',
    }
    order = [texts.pop(first), *texts.values()]
    rules = read("\n".join(order))
    assert rules.derive({"lifetime_value": 1000}) == {"vip_tier": "gold", "discount_eligible": True}
    assert rules.derive({"lifetime_value": 1}) == {"vip_tier": "bronze", "discount_eligible": False}
    assert rules.derive({"vip_tier": "gold"}) == {"discount_eligible": True}
    assert rules.derive({"orders_count": 1}) == {}


def test_what_cannot_be_calculated_says_nothing(read: Any) -> None:
    rules = read("{first_time_buyer: {when: city | gt(5)}, discount_eligible: {when: city}}")
    assert rules.derive({"city": "Graz"}) == {"discount_eligible": True}


def test_the_attributes_stay_as_they_are(read: Any) -> None:
    attributes = {"lifetime_value": 5}
    read(TIER).derive(attributes)
    assert attributes == {"lifetime_value": 5}


@pytest.mark.parametrize("text", ["vip_tier: null", "vip_tier: off", ""])
def test_a_rule_that_is_switched_off_is_none(read: Any, text: str) -> None:
    rules = read(text)
    assert not rules
    assert rules.derive({"lifetime_value": 5}) == {}


def test_no_file_is_no_rules(schema: Schema) -> None:
    assert read_rules(None, schema, []) is Rules.none()
    assert (Rules.none().events(), Rules.none().reads) == ((), frozenset())


def test_what_all_rules_read(read: Any) -> None:
    rules = read(f"{TIER}\nfirst_time_buyer: {{when: orders_count | eq(1)}}")
    assert rules.reads == {"lifetime_value", "orders_count"}


# Their events


def test_an_event_joins_the_contract(read: Any) -> None:
    rules = read(TIER.replace("}}", "}, event: vip_tier_changed}"))
    (event,) = rules.events()
    assert event.name == "vip_tier_changed"
    assert [(each.name, each.type_name, each.optional) for each in event.fields] == [
        ("old", "text", True),
        ("new", "text", False),
    ]
    assert rules.about() == {"vip_tier_changed": "`vip_tier` of a person changed."}
    assert (len(rules.remembering), rules.version) == (1, 4)


@pytest.mark.parametrize("event", ["null", "off"])
def test_an_event_can_be_switched_off(read: Any, event: str) -> None:
    rules = read(TIER.replace("}}", f"}}, event: {event}}}"))
    assert (rules.events(), rules.remembering) == ((), ())


# The shipped ones


@pytest.mark.parametrize(
    ("attributes", "derived"),
    [
        ({"lifetime_value": 500.0}, {"vip_tier": "silver"}),
        ({"orders_count": 1}, {"first_time_buyer": True}),
        ({"orders_count": 2}, {"first_time_buyer": False}),
        (
            {"orders_count": 1, "accepts_marketing": True},
            {"first_time_buyer": True, "discount_eligible": True},
        ),
        (
            {"orders_count": 2, "accepts_marketing": True},
            {"first_time_buyer": False, "discount_eligible": False},
        ),
        ({"city": "Graz", "accepts_marketing": True}, {}),
    ],
)
def test_the_shipped_rules(attributes: dict[str, Json], derived: dict[str, Json]) -> None:
    faults: list[Fault] = []
    trees = [
        parse((Path(__file__).parents[2] / "mappings" / name).read_text(), name, faults)
        for name in ("schema.yml", "rules.yml")
    ]
    assert trees[0] is not None
    schema = read_schema(trees[0], faults)
    assert schema is not None
    rules = read_rules(trees[1], schema, faults)
    assert faults == []
    assert rules.derive(attributes) == derived
    assert rules.events() == (), "thresholds that are but an example trigger nothing"


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", ["1:1: rules.yml: expected a mapping of attributes to rules"]),
        (
            "vip_tir: {from: lifetime_value, steps: {a: 0}}",
            ["1:1: vip_tir: not an attribute of person, did you mean 'vip_tier'?"],
        ),
        ("tags: {cases: [{value: a, when: city}, {value: b}]}", ["1:1: tags: is a list, which no rule can set"]),
        ("vip_tier: gold", ["1:11: vip_tier: expected one of steps, when, cases"]),
        (
            "vip_tier: {from: lifetime_value, step: {a: 0}}",
            [
                "1:18: vip_tier.from: belongs to steps; a condition names what it reads",
                "1:1: vip_tier: exactly one of steps, when, cases must be there",
                "1:34: vip_tier.step: not a part of a rule, did you mean 'steps'?",
            ],
        ),
        (
            "first_time_buyer: {when: city, steps: {a: 0}}",
            ["1:1: first_time_buyer: exactly one of steps, when, cases must be there"],
        ),
        (
            "vip_tier: {steps: {a: 0}}",
            ["1:1: vip_tier.from: is missing: which attribute are the steps about?"],
        ),
        (
            "vip_tier: {from: lifetime_valu, steps: {a: 0}}",
            [
                "1:18: vip_tier.from: 'lifetime_valu' is not an attribute of person, "
                "did you mean 'lifetime_value'?"
            ],
        ),
        (
            "vip_tier: {from: city, steps: {a: 0}}",
            ["1:18: vip_tier.from: city is text, steps need a number"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: [a]}",
            ["1:41: vip_tier.steps: expected values and from where on they hold"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {a: 0, b: much}}",
            ["1:51: vip_tier.steps.b: expected a number"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {a: 0, b: 500, c: 100}}",
            ["1:59: vip_tier.steps.c: is below b; steps ascend from the lowest"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {a: 0, b: 0}}",
            ["1:51: vip_tier.steps.b: begins where a does"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {silver: 500}}",
            [
                "1:41: vip_tier.steps: silver is the lowest and must begin at 0, or who falls below "
                "it would keep it; what are those below to be called?"
            ],
        ),
        (
            "level: {from: lifetime_value, steps: {low: 0}}",
            ["1:39: level.steps.low: expected integer, got 'low'"],
        ),
        (
            "vip_tier: {when: orders_count | eq(1)}",
            ["1:18: vip_tier.when: is true or false, but vip_tier is text; use cases"],
        ),
        (
            "first_time_buyer: {when: order_count | eq(1)}",
            [
                "1:26: first_time_buyer.when: 'order_count' is not an attribute of person, "
                "did you mean 'orders_count'?"
            ],
        ),
        (
            "first_time_buyer: {when: orders_count | equals(1)}",
            ["1:41: first_time_buyer.when: no filter 'equals'"],
        ),
        (
            "first_time_buyer: {when: [orders_count, $shop]}",
            ["1:41: first_time_buyer.when: $shop: a rule reads attributes only"],
        ),
        ("first_time_buyer: {when: true}", ["1:26: first_time_buyer.when: expected a condition"]),
        ("first_time_buyer: {when: []}", ["1:26: first_time_buyer.when: expected a condition"]),
        ("first_time_buyer: {when: '1'}", ["1:26: first_time_buyer.when: reads no attribute"]),
        (
            "first_time_buyer: {when: first_time_buyer}",
            ["1:26: first_time_buyer.when: a rule cannot read what it sets itself"],
        ),
        (
            "{first_time_buyer: {when: discount_eligible}, discount_eligible: {when: first_time_buyer}}",
            [
                "1:2: first_time_buyer: rules read each other in a circle: "
                "first_time_buyer, discount_eligible"
            ],
        ),
        ("stage: {cases: {value: a}}", ["1:16: stage.cases: expected a list of {value, when}"]),
        (
            "stage: {cases: [{value: a, if: city}, {value: b}]}",
            ["1:17: stage.cases: a case is {value, when}", "1:16: stage.cases: no case reads anything"],
        ),
        (
            "stage: {cases: [{value: a, when: city}]}",
            [
                "1:17: stage.cases: the last case, and only that, stands without 'when': "
                "it is what everybody else is"
            ],
        ),
        (
            "level: {cases: [{value: a, when: city}, {value: 2}]}",
            ["1:25: level.cases: expected integer, got 'a'"],
        ),
        (
            "first_time_buyer: {when: city, event: bought_first}",
            ["1:39: first_time_buyer.event: an event needs steps or cases"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {a: 0}, event: order_completed}",
            ["1:56: vip_tier.event: order_completed is an event of the contract already"],
        ),
        (
            "vip_tier: {from: lifetime_value, steps: {a: 0}, event: Tier Changed}",
            ["1:56: vip_tier.event: expected a name such as vip_tier_changed"],
        ),
        (
            "{vip_tier: {from: lifetime_value, steps: {a: 0}, event: up}, "
            "stage: {from: orders_count, steps: {a: 0}, event: up}}",
            ["1:112: stage.event: up is the event of vip_tier already"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule(read: Any, text: str, said: list[str]) -> None:
    assert read(text, faulty=True) == sorted(said, key=lambda one: int(one.split(":")[1]))


def test_a_step_of_an_overlay_may_stand_behind_higher_ones(schema: Schema) -> None:
    """Files merge by key: what another file adds comes last, wherever it belongs."""
    faults: list[Fault] = []
    base = parse(TIER, "rules.yml", faults)
    over = parse("vip_tier: {steps: {iron: 100}}", "custom/rules.yml", faults)
    assert base is not None
    assert over is not None
    steps, more = (root.value["vip_tier"].value["steps"] for root in (base, over))
    steps.value.update(more.value)
    steps.keys.update(more.keys)
    rules = read_rules(base, schema, faults)
    assert faults == []
    assert [rules.derive({"lifetime_value": n})["vip_tier"] for n in (99, 100, 499, 500)] == [
        "bronze",
        "iron",
        "iron",
        "silver",
    ]
