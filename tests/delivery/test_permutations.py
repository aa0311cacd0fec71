"""Whatever the order in which a shopper's bodies arrive, and however often, the same profile stands
in the end, and the same events but for those that a rule skips with a reason."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .world import SHOP, World, post_all

NOW = 1790200000
ADA = "8274950138263"
CONSENT = "customers_email_marketing_consent/update"
STORY = (
    ("carts/create", "carts_create.json", 1789394180.5),
    ("carts/update", "carts_update.json", 1789394500.5),
    ("checkouts/create", "checkouts_create.json", 1789394531.5),
    ("customers/create", "customers_create.json", 1789394532.5),
    (CONSENT, "customers_email_marketing_consent_update.json", 1789394681.5),
    ("orders/create", "orders_create.json", 1789394734.5),
    ("orders/paid", "orders_paid.json", 1789394736.5),
    ("customers/update", "customers_update.json", 1789560940.5),
    ("refunds/create", "refunds_create.json", 1790109604.5),
)  # fmt: skip
MAY_BE_SKIPPED = {"added_to_cart", "checkout_started"}


def world() -> World:
    """One in which Ada came to be after the adapter, so that her history is whole."""
    found = World(NOW)
    found.memory["since", "shopify", SHOP, ""] = 1789300000
    return found


def told(order: list[int], sizes: list[int]) -> World:
    """The story in some order, cut into batches of those sizes."""
    found = world()
    bodies = [found.body(*STORY[place]) for place in order]
    while bodies:
        size = sizes.pop() if sizes else 1
        found.post(*bodies[:size])
        bodies = bodies[size:]
    return found


IN_ORDER = told(list(range(len(STORY))), [])
PROFILE, EVENTS = IN_ORDER.profile(id=ADA), IN_ORDER.events(id=ADA)


def test_the_story_in_its_order() -> None:
    assert {name for name, _ in EVENTS} == {
        "added_to_cart",
        "checkout_started",
        "customer_created",
        "order_completed",
        "order_refunded",
    }
    expected = {
        "last_name": "Lovelace",  # from the newest body of the customer, not of the order
        "city": "Jersey City",
        "accepts_marketing": True,
        "current_cart_value": 0,  # what was in the cart is bought
        "orders_count": 1,
        "lifetime_value": 172.46,
        "first_time_buyer": True,
        "first_order_at": 1789394730,
        "vip_tier": "bronze",
    }
    assert {name: PROFILE.get(name) for name in expected} == expected
    assert IN_ORDER.waiting == {}


@settings(max_examples=250, deadline=None)
@given(
    st.permutations(range(len(STORY))),
    st.lists(st.integers(0, len(STORY) - 1), max_size=4),
    st.lists(st.integers(1, 4), max_size=4),
)
def test_any_order_comes_to_the_same(order: list[int], again: list[int], sizes: list[int]) -> None:
    found = told([*order, *again], sizes)
    assert found.profile(id=ADA) == PROFILE
    events = found.events(id=ADA)
    assert events <= EVENTS
    missing = EVENTS - events
    assert {name for name, _ in missing} <= MAY_BE_SKIPPED
    assert len(missing) <= sum(
        found.reasons[why]
        for why in ("already ordered", "older than what is known of the cart", "nothing was added")
    )
    assert found.waiting == {}


def test_a_body_less_is_another_profile() -> None:
    """That the comparison can fail: a body that is left out is missed."""
    found = told([0, 1, 2, 3, 4, 5, 6, 8], [])
    assert found.profile(id=ADA) != PROFILE


GUEST: dict[str, Any] = {"customer": None}
BY_EMAIL: tuple[tuple[str, str, float, dict[str, Any]], ...] = (
    ("carts/create", "carts_create.json", 1789394180.5, {}),
    ("carts/update", "carts_update.json", 1789394500.5, {}),
    ("checkouts/create", "checkouts_create.json", 1789394531.5, GUEST),
    ("orders/create", "orders_create.json", 1789394734.5, GUEST),
    ("customers/create", "customers_create.json", 1789394532.5, {}),
    (CONSENT, "customers_email_marketing_consent_update.json", 1789394681.5, {}),
    ("customers/update", "customers_update.json", 1789560940.5, {}),
    ("refunds/create", "refunds_create.json", 1790109604.5, {}),
)


def told_by_email(order: list[int], sizes: list[int]) -> World:
    """The same shopper, whose checkout and order know them by their address only."""
    found = world()
    bodies = [
        found.body(topic, fixture, at, **changes)
        for topic, fixture, at, changes in (BY_EMAIL[place] for place in order)
    ]
    while bodies:
        size = sizes.pop() if sizes else 1
        found.post(*bodies[:size])
        bodies = bodies[size:]
    return found


@settings(max_examples=250, deadline=None)
@given(
    st.permutations(range(len(BY_EMAIL))),
    st.lists(st.integers(0, len(BY_EMAIL) - 1), max_size=3),
    st.lists(st.integers(1, 4), max_size=4),
)
def test_a_guest_who_has_an_account_is_one_in_any_order(
    order: list[int], again: list[int], sizes: list[int]
) -> None:
    found, expected = told_by_email([*order, *again], sizes), told_by_email(list(range(8)), [])
    assert [person.id for person in found.people.directory.people.values()] == [ADA]
    assert found.profile(id=ADA) == expected.profile(id=ADA)
    missing = expected.events(id=ADA) ^ found.events(id=ADA)
    assert {name for name, _ in missing} <= MAY_BE_SKIPPED
    assert found.waiting == {}


def test_a_cart_and_its_order_in_the_batch_that_names_their_person() -> None:
    """What the order ended must not be brought back by what was said under the address."""
    found = told_by_email([1, 4, 3], [3])
    assert found.profile(id=ADA)["current_cart_value"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_each_body_arrives_three_times(seed: int) -> None:
    order = list(range(len(STORY))) * 3
    random.Random(seed).shuffle(order)
    found = world()
    post_all(found, [found.body(*STORY[place]) for place in order])
    assert found.profile(id=ADA) == PROFILE
    counts: dict[Any, int] = {}
    person = found.people.find(id=ADA)
    assert person is not None
    for one in person.to_json()["activity"]:
        if one["type"] == "event":
            key = one["name"], one["timestamp"]
            counts[key] = counts.get(key, 0) + 1
    assert set(counts.values()) == {1}
