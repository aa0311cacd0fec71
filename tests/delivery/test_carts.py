"""What was put into a cart, as told by its content now and before."""

from __future__ import annotations

from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, delivery, entry, event, person

from adapter import carts
from adapter.model import CanonicalEvent, Entry, Json, Ref
from adapter.resolver import Resolution, complete, references, resolve

CART: Ref = ("cart_lines", PLATFORM, SHOP, "c1")
OWNER: Ref = ("cart", PLATFORM, SHOP, "c1")
ADA = {"id": "42"}


def items(text: str) -> list[dict[str, Json]]:
    """`tea:2 mug:1` as lines; what is written in front of the colon is the variant's id."""
    return [
        {"variant_id": name, "name": name, "quantity": int(quantity)}
        for name, _, quantity in (part.partition(":") for part in text.split())
    ]


def names(lines: Any) -> str:
    return " ".join(f"{line['name']}:{line['quantity']}" for line in lines)


@pytest.mark.parametrize(
    ("before", "after", "added", "first"),
    [
        (None, "tea:2 mug:1", "tea:2 mug:1", True),
        ("", "tea:1", "tea:1", True),
        ("tea:1", "tea:1 mug:1", "mug:1", False),
        ("tea:1", "tea:3", "tea:3", False),
        ("tea:3", "tea:1", "", False),
        ("tea:1 mug:1", "mug:1", "", False),
        ("tea:1 mug:1", "mug:1 tea:1", "", False),
        ("tea:2", "tea:1 mug:1", "mug:1", False),
        ("tea:1", "", "", False),
        (None, "", "", True),
        ("tea:0", "tea:1", "tea:1", True),
        (None, "tea:0", "", True),
        ("tea:2", "tea:1 tea:1", "", False),
        ("tea:1", "tea:1 tea:1", "tea:1 tea:1", False),
    ],
)
def test_what_was_added(before: str | None, after: str, added: str, first: bool) -> None:
    known = None if before is None else carts.lines_of(items(before))
    lines, first_in_cart = carts.compare(known, items(after))
    assert (names(lines), first_in_cart) == (added, first)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"variant_id": "7", "name": "Tea"}, {"variant_id": "7", "name": "Tee"}, True),
        ({"variant_id": "7", "name": "Tea"}, {"variant_id": "8", "name": "Tea"}, False),
        ({"sku": "T", "name": "Tea"}, {"sku": "T", "name": "Tee"}, True),
        ({"name": "Tea"}, {"name": "Tea"}, True),
        ({"variant_id": "7"}, {"sku": "7"}, False),
        ({"product_id": "1", "name": "Tea"}, {"product_id": "1", "name": "Mug"}, False),
    ],
)
def test_lines_are_told_apart(one: Json, other: Json, same: bool) -> None:
    before, after = ({**line, "quantity": 1} for line in (one, other))
    added, _ = carts.compare(carts.lines_of([before]), [after])
    assert (added == []) is same


# A cart among other bodies


def cart(
    id: str, content: str, *, at: int = AT, sent: float | None = None, who: str | None = "42"
) -> Entry:
    """One body of the cart c1."""
    happened = event(f"c1:{id}", carts.EVENT, at, cart_id="c1", items=items(content))
    facts = {"as_of": at, "tokens": {"cart": "c1"}, "attributes": {"current_cart_value": 5}}
    one = entry(id, person(who, **facts), happened)
    told = delivery(id)
    return Entry(one.id, type(told)(**{**told.to_json(), "triggered_at": sent}), *_rest(one))


def _rest(one: Entry) -> tuple[Any, ...]:
    return one.person, one.events


def run(*entries: Entry, memory: dict[Ref, Json] | None = None) -> Resolution:
    return resolve(entries, memory or {}, now=AT)


def told(resolution: Resolution) -> list[tuple[str, bool]]:
    """What each event that goes out says was added, and whether to an empty cart."""
    return [
        (names(one.attributes["added_items"]), one.attributes["first_in_cart"])
        for one in resolution.operations
        if one.action == "event"
    ]


def reasons(resolution: Resolution) -> list[tuple[str, str]]:
    return [(id, why) for id, _, why in resolution.dropped]


def known(content: str, at: int = AT, sent: float | None = None) -> dict[Ref, Json]:
    return {CART: {"at": at, "seen": sent, "lines": carts.lines_of(items(content))}}


def test_a_cart_that_nobody_saw_before() -> None:
    resolution = run(cart("1-0", "tea:2"))
    assert CART in references([cart("1-0", "tea:2")])
    assert told(resolution) == [("tea:2", True)]
    assert resolution.taught[CART] == known("tea:2")[CART]


def test_a_cart_that_memory_knows() -> None:
    assert told(run(cart("1-0", "tea:2 mug:1"), memory=known("tea:2"))) == [("mug:1", False)]


def test_each_body_is_held_against_the_one_before_it_in_the_batch() -> None:
    resolution = run(
        cart("1-0", "tea:1"),
        cart("2-0", "tea:1 mug:1", at=AT + 1),
        cart("3-0", "mug:1", at=AT + 2),
        cart("4-0", "mug:1 tea:1", at=AT + 3),
    )
    assert told(resolution) == [("tea:1", True), ("mug:1", False), ("tea:1", False)]
    assert reasons(resolution) == [("3-0", "nothing was added")]
    assert resolution.taught[CART] == known("mug:1 tea:1", AT + 3)[CART]


def test_one_batch_or_several_come_to_the_same() -> None:
    bodies = [cart(f"{n}-0", text, at=AT + n) for n, text in enumerate(["a:1", "a:1 b:1", "b:2"])]
    memory: dict[Ref, Json] = {}
    apart = []
    for one in bodies:
        resolution = run(one, memory=memory)
        apart += told(resolution)
        memory |= resolution.taught
    whole = run(*bodies)
    assert apart == told(whole)
    assert memory == whole.taught


def test_where_nothing_was_added_the_person_is_still_told() -> None:
    resolution = run(cart("1-0", "tea:1"), memory=known("tea:2"))
    (identify,) = resolution.operations
    assert (identify.action, identify.attributes) == ("identify", {"current_cart_value": 5})
    assert reasons(resolution) == [("1-0", "nothing was added")]
    assert resolution.skipped == {}
    assert resolution.taught[CART]["lines"] == carts.lines_of(items("tea:1"))


@pytest.mark.parametrize(
    ("at", "sent", "since", "last", "older"),
    [
        (AT - 1, None, AT, None, True),
        (AT, None, AT, None, False),
        (AT + 1, None, AT, None, False),
        (AT, AT + 0.2, AT, AT + 0.7, True),
        (AT, AT + 0.7, AT, AT + 0.2, False),
        (AT + 1, AT + 0.2, AT, AT + 0.7, False),
        (AT, None, AT, AT + 0.7, False),
    ],
)
def test_an_older_body_is_never_compared_backwards(
    at: int, sent: float | None, since: int, last: float | None, older: bool
) -> None:
    memory = known("tea:1", since, last)
    resolution = run(cart("1-0", "tea:1 mug:1", at=at, sent=sent), memory=memory)
    if older:
        assert reasons(resolution) == [("1-0", "older than what is known of the cart")]
        assert CART not in resolution.taught
        assert [one.action for one in resolution.operations] == ["identify"]
    else:
        assert told(resolution) == [("mug:1", False)]


def test_a_cart_of_nobody_teaches_nothing() -> None:
    """Whoever turns out to own it is told all that is in it."""
    resolution = run(cart("1-0", "tea:1", who=None))
    assert resolution.waits == (("1-0", ("cart", PLATFORM, SHOP, "c1")),)
    assert resolution.taught == {}


def test_a_cart_whose_token_has_an_owner() -> None:
    resolution = run(cart("1-0", "tea:1", who=None), memory={OWNER: ADA})
    assert told(resolution) == [("tea:1", True)]


def test_a_body_that_comes_to_nothing_at_all_is_skipped_for_that_reason() -> None:
    silent = cart("1-0", "tea:1", who=None)
    silent = Entry("1-0", silent.delivery, person(None, tokens={"cart": "c1"}), silent.events)
    resolution = run(silent, memory={OWNER: ADA, **known("tea:1")})
    assert resolution.operations == ()
    assert resolution.skipped == {"1-0": "nothing was added"}


def test_carts_of_other_shops_are_other_carts() -> None:
    memory = {("cart_lines", PLATFORM, "other.example", "c1"): known("tea:1")[CART]}
    assert told(run(cart("1-0", "tea:1"), memory=memory)) == [("tea:1", True)]


def test_what_an_event_is_where_memory_is_empty() -> None:
    order, added = event("1"), event("2", carts.EVENT, cart_id="c1", items=items("tea:1"))
    expected = {"cart_id": "c1", "items": items("tea:1")}
    full: CanonicalEvent
    same, full = complete([order, added])
    assert same is order
    assert full.properties == {**expected, "added_items": items("tea:1"), "first_in_cart": True}
    assert (full.key, full.id, full.timestamp) == (added.key, added.id, added.timestamp)
    assert added.properties == expected
