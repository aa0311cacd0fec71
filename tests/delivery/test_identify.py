"""What a batch says of one person: rules and their events, lists by their changes, opt-outs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, delivery, entry, event, person
from hypothesis import given
from hypothesis import strategies as st

from adapter import carts
from adapter.errors import Fault
from adapter.mapping.rules import Rules, read_rules
from adapter.mapping.schema import read_schema
from adapter.model import Entry, Json, Operation, Ref
from adapter.resolver import MOST_READS, Policy, Resolution, references, resolve
from adapter.strictyaml import parse
from adapter.ulid import event_ulid, is_ulid

CONTRACT = """
version: 7
person: {lifetime_value: money, orders_count: integer, vip_tier: text, tags: list of text,
  first_time_buyer: boolean, discount_eligible: boolean, email: email}
item: {name: text}
events: {}
common: {}
flat: {}
"""
RULES_FILE = """
vip_tier: {from: lifetime_value, steps: {bronze: 0, silver: 500, gold: 1000}, event: tier_changed}
first_time_buyer: {when: orders_count | eq(1)}
discount_eligible: {when: [email, tags | count | gt(1)]}
"""
ADA: Ref = ("person", "", "", "id:42")


def _read() -> Rules:
    faults: list[Fault] = []
    contract, file = (parse(text, "f.yml", faults) for text in (CONTRACT, RULES_FILE))
    assert contract is not None
    schema = read_schema(contract, faults)
    assert schema is not None
    rules = read_rules(file, schema, faults)
    assert faults == []
    return rules


RULES_ = _read()


def body(id: str, at: int = AT, who: str | None = "42", **attributes: Json) -> Entry:
    return entry(id, person(who, as_of=at, attributes=attributes))


def spent(id: str, amount: float, at: int = AT) -> Entry:
    return body(id, at, lifetime_value=amount)


def run(*entries: Entry, memory: dict[Ref, Json] | None = None, **more: Any) -> Resolution:
    policy = Policy(**{"rules": RULES_, **more})
    return resolve(entries, memory or {}, now=AT, policy=policy)


def knowing(tier: str) -> dict[Ref, Json]:
    """Memory in which somebody is of that tier."""
    return {ADA: {"sent": AT, "rules": {"vip_tier": [AT, tier]}}}


def last_values(resolution: Resolution) -> Json:
    """The last values of rules with an event, as they are remembered."""
    return resolution.taught.get(ADA, {}).get("rules")


def identify(resolution: Resolution) -> Operation:
    (one,) = (one for one in resolution.operations if one.action == "identify")
    return one


def told(resolution: Resolution) -> list[tuple[Json, Json, int]]:
    """Old and new value and time of each event of the rule."""
    return [
        (one.attributes["old"], one.attributes["new"], one.timestamp)
        for one in resolution.operations
        if one.action == "event"
    ]


# Derived attributes


def test_what_follows_is_sent_with_what_it_follows_from() -> None:
    resolution = run(body("1-0", lifetime_value=500.0, orders_count=1))
    assert identify(resolution).attributes == {
        "lifetime_value": 500.0,
        "orders_count": 1,
        "average_order_value": 500.0,
        "vip_tier": "silver",
        "first_time_buyer": True,
    }


def test_all_that_the_batch_says_counts() -> None:
    resolution = run(
        entry("1-0", person(email="a@x.com")), body("2-0", tags=["a", "b"]), body("3-0", who="7")
    )
    first, other = resolution.operations
    assert first.attributes["discount_eligible"] is True
    assert "discount_eligible" not in other.attributes


def test_the_identifier_counts_though_it_is_no_attribute() -> None:
    one = entry("1-0", person(None, email="a@x.com", attributes={"tags": ["a"]}))
    assert identify(run(one)).attributes == {"tags": ["a"], "discount_eligible": False}


def test_what_a_body_says_itself_wins() -> None:
    resolution = run(body("1-0", lifetime_value=500.0, vip_tier="friend"))
    assert identify(resolution).attributes["vip_tier"] == "friend"
    assert last_values(resolution) is None


def test_without_its_inputs_a_rule_says_nothing() -> None:
    assert identify(run(body("1-0", city="Graz"))).attributes == {"city": "Graz"}


def test_inputs_that_never_stand_in_one_body_are_remembered() -> None:
    """An opt-out must end what an earlier body has begun, whatever shares its batch."""
    memory = run(body("1-0", AT, tags=["a", "b"])).taught
    later = run(entry("2-0", person("42", email="a@x.com", as_of=AT + 1)), memory=memory)
    assert identify(later).attributes["discount_eligible"] is True
    fewer = run(body("3-0", AT + 2, tags=["a"]), memory={**memory, **later.taught})
    assert identify(fewer).attributes["discount_eligible"] is False


# The events of rules


def test_a_first_value_is_no_change() -> None:
    resolution = run(spent("1-0", 700))
    assert told(resolution) == []
    assert last_values(resolution) == {"vip_tier": [AT, "silver"]}


@pytest.mark.parametrize(
    ("amount", "events"),
    [
        (600, []),
        (1000, [("silver", "gold", AT + 9)]),
        (10, [("silver", "bronze", AT + 9)]),
    ],
)
def test_a_change_is_told_once(amount: float, events: list[Any]) -> None:
    one = spent("1-0", amount, AT + 9)
    memory = knowing("silver")
    resolution = run(one, memory=memory)
    assert told(resolution) == events
    assert told(run(spent("2-0", amount, AT + 10), memory={**memory, **resolution.taught})) == []


def test_the_event_is_one_of_the_contract() -> None:
    memory = knowing("silver")
    event = run(spent("1-0", 5000, AT + 9), memory=memory).operations[-1]
    key = f"id:42:vip_tier:silver:gold:{AT + 9}"
    assert event == Operation(
        "event",
        {"id": "42"},
        AT + 9,
        {
            "old": "silver",
            "new": "gold",
            "event_id": event.id,
            "source_platform": PLATFORM,
            "shop": SHOP,
            "schema_version": 7,
        },
        name="tier_changed",
        id=event_ulid(PLATFORM, SHOP, "tier_changed", key),
        key=key,
        sources=("1-0",),
    )
    assert is_ulid(event.id or "")


def test_each_change_within_a_batch_is_told() -> None:
    """With how many others a body shares its batch decides nothing: a flush that died may find
    more of them when it runs again, and must send the same events."""
    bodies = [spent("1-0", 10, AT + 1), spent("2-0", 600, AT + 2), spent("3-0", 1200, AT + 3)]
    memory = knowing("gold")
    whole = run(*bodies, memory=memory)
    changes = [
        ("gold", "bronze", AT + 1),
        ("bronze", "silver", AT + 2),
        ("silver", "gold", AT + 3),
    ]
    assert told(whole) == changes
    assert identify(whole).attributes["vip_tier"] == "gold"
    fewer = run(*bodies[:2], memory=memory)
    assert told(fewer) == changes[:2]
    assert [one.id for one in fewer.operations[1:]] == [one.id for one in whole.operations[1:3]]


def test_what_is_older_than_what_is_known_is_no_change() -> None:
    memory = run(spent("1-0", 700)).taught
    resolution = run(spent("2-0", 5000, AT - 1), memory=memory)
    assert (resolution.operations, last_values(resolution)) == ((), None)


def test_a_body_that_names_nobody_decides_for_its_owner() -> None:
    owner = ("cart", PLATFORM, SHOP, "c1")
    who = person(None, tokens={"cart": "c1"}, as_of=AT + 1, attributes={"lifetime_value": 5000})
    memory = {**knowing("silver"), owner: {"id": "42"}}
    assert told(run(entry("1-0", who), memory=memory)) == [("silver", "gold", AT + 1)]


# Lists of which only changes are told


def changed(id: str, at: int = AT, who: str | None = "42", **change: list[str]) -> Entry:
    return entry(id, person(who, as_of=at, changes={"tags": change}))


def tags(resolution: Resolution) -> Json:
    return identify(resolution).attributes.get("tags")


def test_changes_come_to_the_whole_list() -> None:
    memory: dict[Ref, Json] = {}
    steps = [
        (body("1-0", AT, tags=["a", "b"]), ["a", "b"]),
        (changed("2-0", AT + 1, add=["c"]), ["a", "b", "c"]),
        (changed("3-0", AT + 2, remove=["a"]), ["b", "c"]),
        (changed("4-0", AT + 3, remove=["b", "c"]), []),
        (body("5-0", AT + 4, tags=["d"]), ["d"]),
    ]
    for one, expected in steps:
        assert ADA in references([one])
        resolution = run(one, memory=memory)
        assert tags(resolution) == expected
        memory |= resolution.taught
    whole = run(*(one for one, _ in steps))
    assert tags(whole) == ["d"]
    assert whole.taught[ADA]["lists"] == memory[ADA]["lists"]


def test_unknown_before_it_begins_empty() -> None:
    assert tags(run(changed("1-0", add=["a"]))) == ["a"]


def test_what_was_removed_from_an_unknown_list_does_not_empty_it() -> None:
    resolution = run(changed("1-0", remove=["a"]))
    assert tags(resolution) is None
    assert resolution.taught[ADA]["lists"]["tags"]["elements"] == {"a": [False, AT]}


def test_an_older_whole_list_does_not_undo_a_change() -> None:
    memory = run(changed("1-0", AT + 5, add=["x"])).taught
    assert tags(run(body("2-0", AT, tags=["a"]), memory=memory)) == ["a", "x"]


def test_rules_see_the_whole_list() -> None:
    memory = run(body("1-0", tags=["a"])).taught
    one = entry("2-0", person(email="a@x.com", as_of=AT + 1, changes={"tags": {"add": ["b"]}}))
    assert identify(run(one, memory=memory)).attributes["discount_eligible"] is True


@pytest.mark.parametrize("identify_by", ["id", "email"])
def test_memory_is_the_persons_by_whom_they_are_identified(identify_by: Any) -> None:
    one = entry("1-0", person(email="a@x.com", changes={"tags": {"add": ["b"]}}))
    by_email: Ref = ("person", "", "", "email:a@x.com")
    own, other = (ADA, by_email) if identify_by == "id" else (by_email, ADA)
    assert {own, other} <= references([one], {}, Policy(identify_by=identify_by))
    taught = run(one, identify_by=identify_by).taught
    assert "lists" in taught[own]
    assert taught[other] == {"to": own[3].split(":", 1)}


# Opting out


@pytest.mark.parametrize(
    ("switched_on", "said", "unsubscribed"),
    [
        (True, [False], True),
        (True, [True], None),
        (True, [None], None),
        (True, [False, True], None),
        (True, [True, False], True),
        (False, [False], None),
    ],
)
def test_an_opt_out_unsubscribes_where_that_is_wanted(
    switched_on: bool, said: list[bool | None], unsubscribed: bool | None
) -> None:
    bodies = [
        body(f"{n}-0", AT + n, **({} if one is None else {"accepts_marketing": one}), city="Graz")
        for n, one in enumerate(said)
    ]
    resolution = run(*bodies, unsubscribe_on_opt_out=switched_on)
    assert identify(resolution).attributes.get("unsubscribed") is unsubscribed


# Any batch


happenings = st.builds(
    lambda number, who, at, amount, change, content: replace(
        entry(
            f"{number}-0",
            person(
                who,
                as_of=AT + at,
                tokens={"cart": "c1"},
                attributes={} if amount is None else {"lifetime_value": amount},
                changes={} if change is None else {"tags": {change: ["a"]}},
            ),
            *(
                [event(f"c1:{number}", carts.EVENT, AT + at, cart_id="c1", items=content)]
                if content is not None
                else []
            ),
        ),
        delivery=delivery(f"d{number}"),
    ),
    st.integers(0, 10**6),
    st.sampled_from(["42", "7", None]),
    st.integers(0, 9),
    st.sampled_from([None, 10, 700, 5000]),
    st.sampled_from([None, "add", "remove"]),
    st.none()
    | st.lists(st.builds(lambda name: {"name": name, "quantity": 1}, st.sampled_from("xyz"))),
)
several = st.lists(happenings, max_size=6, unique_by=lambda one: one.id)


@given(several, several)
def test_what_is_asked_for_is_all_that_matters(before: list[Entry], batch: list[Entry]) -> None:
    memory = run(*before).taught
    asked: dict[Ref, Json] = {}
    for _ in range(MOST_READS):
        asked.update({ref: memory.get(ref) for ref in references(batch, asked)})
    assert references(batch, asked) == set()
    first, second = run(*batch, memory=memory), run(*batch, memory=asked)
    assert (first.operations, first.lessons) == (second.operations, second.lessons)
    assert run(*batch, memory=memory) == first, "a flush that runs again sends the same"


@given(several)
def test_what_is_remembered_can_be_written_down(batch: list[Entry]) -> None:
    """Redis holds JSON: what comes back from it decides the same."""
    memory = run(*batch).taught
    again = {ref: json.loads(json.dumps(value)) for ref, value in memory.items()}
    assert run(*batch, memory=again) == run(*batch, memory=memory)
