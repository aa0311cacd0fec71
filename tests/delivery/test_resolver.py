"""Who is meant: by the body itself, by its tokens, by its order, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, entry, event, person
from hypothesis import given
from hypothesis import strategies as st

from adapter.model import Entry, Operation, Ref
from adapter.people import sales
from adapter.resolver import (
    ANY_TOMBSTONE,
    LATE_SECONDS,
    MOST_READS,
    NOBODY,
    Owner,
    Policy,
    Resolution,
    references,
    resolve,
)
from adapter.store import refs

ADA: Owner = {"id": "42", "email": "ada@example.com"}
BOB: Owner = {"email": "bob@example.com"}


def ref(kind: str, value: str) -> Ref:
    return kind, PLATFORM, SHOP, value


ORDER, CART, CHECKOUT = ref("order", "1001"), ref("cart", "c1"), ref("checkout", "k1")
TOKENS = {"cart": "c1", "checkout": "k1"}


def run(*entries: Entry, memory: Mapping[Ref, Owner] | None = None, **more: Any) -> Resolution:
    return resolve(entries, memory or {}, now=more.pop("now", AT), policy=Policy(**more))


def told(resolution: Resolution) -> list[tuple[Any, ...]]:
    """What is sent: ("identify", identifiers, attributes) and (event name, identifiers, key)."""
    return [
        (one.action, dict(one.identifiers), dict(one.attributes))
        if one.action == "identify"
        else (one.name, dict(one.identifiers), one.key)
        for one in resolution.operations
    ]


def ada(**facts: Any) -> Entry:
    """An order that names its customer."""
    who = person("42", email="ada@example.com", **facts)
    return entry("1-0", who, event(), order="1001")


def anonymous(id: str = "2-0", order: str | None = "1001", **facts: Any) -> Entry:
    """A body that names nobody but the tokens by which somebody may be known."""
    who = person(None, **{"tokens": TOKENS, **facts})
    return entry(id, who, event("2", "checkout_started"), order=order)


def refund(id: str = "3-0", order: str = "1001") -> Entry:
    """A body that cannot name anybody."""
    return entry(id, NAMELESS, event("9", "order_refunded"), order=order)


SENT_BY_ADA = [
    ("identify", {"id": "42"}, {"email": "ada@example.com"}),
    ("order_completed", {"id": "42"}, "1001"),
]


# Named by the body itself


@pytest.mark.parametrize(
    ("facts", "by_id", "by_email"),
    [
        ({"id": "42"}, {"id": "42"}, {"id": "42"}),
        ({"id": "42", "email": "a@x.com"}, {"id": "42"}, {"email": "a@x.com"}),
        ({"email": "a@x.com", "phone": "+491"}, {"email": "a@x.com"}, {"email": "a@x.com"}),
        ({"phone": "+491"}, {"phone": "+491"}, {"phone": "+491"}),
        ({"id": "42", "phone": "+491"}, {"id": "42"}, {"id": "42"}),
    ],
)
def test_the_best_identifier(
    facts: dict[str, str], by_id: dict[str, str], by_email: dict[str, str]
) -> None:
    one = entry("1-0", person(**{"id": None, **facts}), event())
    for identify_by, expected in (("id", by_id), ("email", by_email)):
        operations = run(one, identify_by=identify_by).operations
        assert [operation.identifiers for operation in operations] == [expected, expected]


@pytest.mark.parametrize(
    ("identify_by", "attributes"),
    [
        ("id", {"email": "a@x.com", "phone": "+491", "anonymous_id": "b1", "city": "Graz"}),
        ("email", {"phone": "+491", "anonymous_id": "b1", "city": "Graz"}),
    ],
)
def test_an_identify_holds_the_contacts_and_never_its_own_identifier(
    identify_by: Any, attributes: dict[str, str]
) -> None:
    who = person(
        "42", email="a@x.com", phone="+491", anonymous_id="b1", attributes={"city": "Graz"}
    )
    (identify,) = run(entry("1-0", who), identify_by=identify_by).operations
    assert identify.attributes == attributes
    assert identify.timestamp == AT


def test_an_event_is_itself() -> None:
    one = event("1001", at=AT + 5, revenue=59.9)
    operation = run(entry("1-0", person("42"), one)).operations[1]
    assert operation == Operation(
        "event",
        {"id": "42"},
        AT + 5,
        {"revenue": 59.9},
        name="order_completed",
        id=one.id,
        key="1001",
        sources=("1-0",),
    )


def test_what_a_named_body_teaches() -> None:
    resolution = run(ada(tokens=TOKENS))
    assert resolution.owners == {ORDER: ADA, CART: ADA, CHECKOUT: ADA}
    assert references([ada(tokens=TOKENS)]) >= {ORDER, CART, CHECKOUT}


# By token and by order


@pytest.mark.parametrize(
    ("memory", "identifiers"),
    [
        ({CART: ADA}, {"id": "42"}),
        ({CHECKOUT: BOB}, {"email": "bob@example.com"}),
        ({ORDER: ADA}, {"id": "42"}),
        ({CART: ADA, CHECKOUT: BOB, ORDER: BOB}, {"id": "42"}),
        ({CART: NOBODY, CHECKOUT: BOB}, {"email": "bob@example.com"}),
        ({ORDER: NOBODY, CHECKOUT: ADA}, {"id": "42"}),
    ],
)
def test_an_owner_that_memory_knows(
    memory: Mapping[Ref, Owner], identifiers: dict[str, str]
) -> None:
    one = anonymous()
    assert references([one]) >= {ORDER, CART, CHECKOUT}
    (operation,) = run(one, memory=memory).operations
    assert operation.identifiers == identifiers


def test_what_the_batch_before_taught_hides_no_question() -> None:
    """It was made ready while that one, an erasure among it, was on its way."""
    taught = {ANY_TOMBSTONE: 1, CART: ADA}
    assert references([anonymous()], taught) >= {ORDER, CHECKOUT}


def test_an_owner_found_by_token_owns_the_order_too() -> None:
    resolution = run(anonymous(tokens={"cart": "c1"}), memory={CART: ADA})
    assert resolution.owners == {ORDER: ADA}


@pytest.mark.parametrize("first", ["named", "anonymous"])
def test_an_owner_that_the_batch_itself_names(first: str) -> None:
    pair = [ada(tokens={"cart": "c1"}), anonymous(order=None, tokens={"cart": "c1"})]
    resolution = run(*(pair if first == "named" else reversed(pair)))
    sent = [one for one in told(resolution) if one[0] != "identify"]
    completed = ("order_completed", {"id": "42"}, "1001")
    if first == "named":
        assert sent == [completed]
        assert resolution.skipped == {"2-0": "already ordered"}
    else:
        assert sent == [("checkout_started", {"id": "42"}, "2"), completed]
        assert resolution.skipped == {}


def test_the_batch_knows_better_than_memory() -> None:
    resolution = run(ada(), refund(), memory={ORDER: BOB})
    assert told(resolution)[-1] == ("order_refunded", {"id": "42"}, "9")
    assert resolution.owners == {ORDER: ADA}


@pytest.mark.parametrize(
    "other",
    [
        ref("cart", "1001"),
        ref("order", "1002"),
        ("order", "woocommerce", SHOP, "1001"),
        ("order", PLATFORM, "other.example", "1001"),
    ],
    ids=["a cart", "another order", "another platform", "another shop"],
)
def test_another_ones_owner_is_not_this_ones(other: Ref) -> None:
    resolution = run(refund(), memory={other: ADA})
    assert resolution.operations == ()
    assert resolution.waits == (("3-0", ORDER),)


def test_an_anonymous_body_does_not_rewrite_its_owners_contacts() -> None:
    """What is remembered of somebody finds them and is not sent: it may be old."""
    one = anonymous(order=None, tokens={"cart": "c1"}, attributes={"current_cart_value": 20.0})
    resolution = run(one, memory={CART: {**ADA, "phone": "+491"}})
    assert told(resolution) == [
        ("identify", {"id": "42"}, {"current_cart_value": 20.0}),
        ("checkout_started", {"id": "42"}, "2"),
    ]


def test_an_anonymous_body_without_attributes_identifies_nobody() -> None:
    resolution = run(anonymous(), memory={ORDER: ADA})
    assert told(resolution) == [("checkout_started", {"id": "42"}, "2")]


# Refunds and other bodies that cannot name anybody


def test_a_refund_goes_to_the_orders_owner() -> None:
    resolution = run(refund(), memory={ORDER: ADA})
    assert told(resolution) == [("order_refunded", {"id": "42"}, "9")]
    assert (resolution.owners, resolution.waits, resolution.skipped) == ({}, (), {})


def test_a_refund_before_its_order_waits() -> None:
    resolution = run(refund())
    assert resolution == Resolution((), waits=(("3-0", ORDER),))


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["order first", "refund first"])
def test_a_refund_and_its_order_in_one_batch(order: list[int]) -> None:
    pair = [ada(), refund()]
    resolution = run(*(pair[place] for place in order))
    assert sorted(told(resolution)) == sorted([*SENT_BY_ADA, ("order_refunded", {"id": "42"}, "9")])
    assert (resolution.waits, resolution.owners) == ((), {ORDER: ADA})


def test_a_body_without_person_and_order_is_skipped() -> None:
    resolution = run(entry("1-0", NAMELESS, event()))
    assert (resolution.operations, resolution.waits) == ((), ())
    assert resolution.skipped == {"1-0": "no_person"}


# Nobody


def test_a_sale_without_a_person_waits_for_one_under_its_token() -> None:
    resolution = run(anonymous())
    assert resolution.operations == ()
    assert resolution.waits == (("2-0", CART),)
    assert resolution.owners == {}


def test_a_sale_that_is_known_to_be_nobodys_is_skipped() -> None:
    resolution = run(anonymous(), memory={CART: NOBODY})
    assert resolution.skipped == {"2-0": "no_person"}
    assert resolution.owners == {ORDER: NOBODY}


def test_the_refund_of_nobodys_sale_is_skipped() -> None:
    resolution = run(refund(), memory={ORDER: NOBODY})
    assert (resolution.operations, resolution.waits) == ((), ())
    assert list(resolution.skipped.values()) == ["no_person"]
    assert resolution.owners == {}


def test_a_sale_and_its_refund_wait_for_their_person_alike() -> None:
    assert run(anonymous(), refund()).waits == (("2-0", CART), ("3-0", ORDER))


def test_nobody_may_turn_out_to_be_somebody() -> None:
    assert run(ada(), memory={ORDER: NOBODY}).owners == {ORDER: ADA}
    assert run(anonymous(tokens={}), memory={ORDER: ADA}).owners == {}


# One identify a person


@pytest.mark.parametrize("places", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_identifies_of_one_person_merge_and_the_newest_value_wins(places: tuple[int, ...]) -> None:
    writes = [
        entry("1-0", person("42", as_of=AT, attributes={"city": "Graz", "tags": ["a"]})),
        entry("2-0", person("42", as_of=AT + 10, attributes={"city": "Wien", "language": "de"})),
        entry("3-0", person("42", as_of=AT + 20, attributes={"language": "en"})),
    ]
    (identify,) = run(*(writes[place] for place in places)).operations
    assert identify.attributes == {"city": "Wien", "tags": ["a"], "language": "en"}
    assert AT + 20 <= identify.timestamp < AT + 20 + len(writes)
    assert sorted(identify.sources) == ["1-0", "2-0", "3-0"]


def test_of_the_same_second_the_later_one_wins() -> None:
    one, two = (person("42", attributes={"city": city}) for city in ("Graz", "Wien"))
    (identify,) = run(entry("1-0", one), entry("2-0", two)).operations
    assert identify.attributes == {"city": "Wien"}


def test_identifies_go_first_then_the_events_in_their_order() -> None:
    resolution = run(
        entry("1-0", person("1"), event("a"), event("b")),
        entry("2-0", person("2"), event("c")),
        entry("3-0", person("1"), event("d")),
    )
    assert [(one.action, one.identifiers["id"], one.key) for one in resolution.operations] == [
        ("identify", "1", None),
        ("identify", "2", None),
        ("event", "1", "a"),
        ("event", "1", "b"),
        ("event", "2", "c"),
        ("event", "1", "d"),
    ]


# Late events


@pytest.mark.parametrize(("age", "late"), [(0, 0), (LATE_SECONDS, 0), (LATE_SECONDS + 1, 1)])
def test_a_late_event_is_sent_with_its_own_time_and_counted(age: int, late: int) -> None:
    resolution = run(entry("1-0", person("42"), event(at=AT - age)))
    assert resolution.late == late
    assert resolution.operations[1].timestamp == AT - age


def test_what_is_not_sent_is_not_late() -> None:
    old = event(at=0)
    assert run(entry("1-0", NAMELESS, old, order="1001")).late == 0
    assert run(entry("1-0", NAMELESS, old)).late == 0


# Any batch


few = st.sampled_from(["1", "2", "3"])
people = st.builds(
    lambda id, email, as_of, tokens, attributes: person(
        id, email=email, as_of=AT + as_of, tokens=tokens, attributes=attributes
    ),
    st.none() | few,
    st.none() | few.map("{}@example.com".format),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(["cart", "checkout"]), few),
    st.dictionaries(st.sampled_from(["city", "tags"]), few),
)
bodies = st.tuples(people, st.lists(few.map(event), max_size=2), st.none() | few)
batches = st.lists(bodies, max_size=8).map(
    lambda found: [
        replace(entry(f"{n}-0", who, *events, order=order), delivery=delivery(f"d{n}"))
        for n, (who, events, order) in enumerate(found)
    ]
)
owners = st.sampled_from([ADA, BOB, NOBODY])
memories = st.dictionaries(
    st.tuples(st.sampled_from(["order", "cart", "checkout"]), few).map(lambda pair: ref(*pair)),
    owners,
)


@given(batches, memories, st.sampled_from(["id", "email"]))
def test_the_same_batch_comes_to_the_same(
    batch: list[Entry], memory: Mapping[Ref, Owner], identify_by: Any
) -> None:
    """A flush that died before it settled is run again on what is still there."""
    policy = Policy(identify_by=identify_by)
    asked: dict[Ref, Any] = {}
    for _ in range(MOST_READS):
        asked.update({ref: memory.get(ref) for ref in references(batch, asked, policy)})
    assert references(batch, asked, policy, again=True) == set()
    assert references(batch, asked, policy) == set()
    first = resolve(batch, memory, now=AT, policy=Policy(identify_by=identify_by))
    again = [replace(one, events=tuple(one.events)) for one in batch]
    assert resolve(again, dict(memory), now=AT, policy=Policy(identify_by=identify_by)) == first
    # `references` asks for all that matters.
    assert (
        resolve(batch, asked, now=AT, policy=Policy(identify_by=identify_by)).operations
        == first.operations
    )


@given(batches, memories)
def test_every_entry_comes_to_something(batch: list[Entry], memory: Mapping[Ref, Owner]) -> None:
    resolution = resolve(batch, memory, now=AT)
    waiting = {id for id, _ in resolution.waits}
    sent = {source for one in resolution.operations for source in one.sources}
    silent = {one.id for one in batch if not one.events}
    assert not waiting & sent
    assert not resolution.skipped.keys() & (waiting | sent)
    assert waiting | sent | resolution.skipped.keys() | silent >= {one.id for one in batch}
    identifies = [one.identifiers for one in resolution.operations if one.action == "identify"]
    assert len(identifies) == len({tuple(who.items()) for who in identifies})
    for operation in resolution.operations:
        assert len(operation.identifiers) == 1


@given(batches, memories)
def test_what_was_learned_settles_it(batch: list[Entry], memory: Mapping[Ref, Owner]) -> None:
    """Written to memory, what a batch taught is soon news no more: one token leads to another."""
    known = dict(memory)
    for _ in range(len(batch) + 1):
        known.update(resolve(batch, known, now=AT).owners)
    assert resolve(batch, known, now=AT).owners == {}


@pytest.mark.parametrize("new", [True, False])
def test_the_time_of_an_identify_is_the_same_wherever_batches_begin(*, new: bool) -> None:
    """What was sent and not written down comes again in other batches: it must not go back."""
    said: list[dict[str, Any]] = [{}, {"city": "York"}, {"city": "Hull"}, {}, {"language": "en"}]
    times = (AT + 9, AT + 5, AT + 5, AT + 20, AT)
    entries = [
        entry(f"{number}-0", person("42", as_of=at, attributes=attributes))
        for number, (at, attributes) in enumerate(zip(times, said, strict=True), 1)
    ]
    known = {} if new else run(entry("0-0", person("42", as_of=AT + 7))).taught
    found = set[int]()
    for cuts in product([False, True], repeat=len(entries) - 1):
        memory, batch, sent = dict(known), list[Entry](), 0
        for one, is_last in zip(entries, (*cuts, True), strict=True):
            batch.append(one)
            if is_last:
                resolution = resolve(batch, memory, now=AT)
                memory.update(resolution.taught)
                sent = max([sent, *(each.timestamp for each in resolution.operations)])
                batch = []
        found.add(sent)
    assert len(found) == 1


@pytest.mark.parametrize("days", [0, 2, 9])
def test_what_was_told_days_after_it_came_in_is_history_when_its_key_ends(days: int) -> None:
    came = AT + 100
    known = run(entry("1-0", person("42"), event("1"), order="1"), now=came + days * 86400).taught
    late = entry("2-0", person("42"), event("1"), order="1")
    found = run(late, memory=known, now=came + refs.KEY_SECONDS)
    assert [why for _, _, why in found.dropped] == [sales.TOLD_BEFORE]


def test_what_a_guest_said_before_what_is_known_of_their_account_is_not_news() -> None:
    """In one batch they turn out to be one, and nothing was held against the account until then."""
    newest = {"city": "York", "language": "en"}
    known = run(entry("1-0", person("42", as_of=AT + 20, attributes=newest))).taught
    said = {"city": "Hull", "first_name": "Ada"}
    guest = person(None, email="ada@example.com", as_of=AT, attributes=said)
    account = person("42", email="ada@example.com", as_of=AT + 10)
    (identify,) = run(entry("2-0", guest), entry("3-0", account), memory=known).operations
    assert identify.identifiers == {"id": "42"}
    assert identify.attributes == {"first_name": "Ada", "email": "ada@example.com"}
