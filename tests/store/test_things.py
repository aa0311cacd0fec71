"""One record for all that is known of an order or a token, whatever it is asked by."""

from __future__ import annotations

import pytest
from builders import AT, PLATFORM, SHOP
from memories import remember
from redis import Redis

from adapter.model import Json, Ref
from adapter.store import refs, things
from adapter.store.recall import recall

PREFIX = "adapter:default:"
ADA: Json = {"id": "42", "email": "ada@example.com"}
ORDER: Ref = ("order", PLATFORM, SHOP, "1001")
TOLD: Ref = ("told", PLATFORM, SHOP, "1001")
CART: Ref = ("cart", PLATFORM, SHOP, "c1:x")
CART_SOLD: Ref = ("sold", PLATFORM, SHOP, "cart:c1:x")
CHECKOUT: Ref = ("checkout", PLATFORM, SHOP, "k1")
CHECKOUT_SOLD: Ref = ("sold", PLATFORM, SHOP, "checkout:k1")
LINK: Ref = ("link", PLATFORM, SHOP, "k1")
SUBSCRIPTION: Ref = ("subscription", PLATFORM, SHOP, "s1")
PERSON: Ref = ("person", "", "", "id:42")
LINES: Ref = ("cart_lines", PLATFORM, SHOP, "c1:x")


@pytest.mark.parametrize(
    ("ref", "thing", "part"),
    [
        (ORDER, ORDER, "owner"),
        (TOLD, ORDER, "told"),
        (CART, CART, "owner"),
        (CART_SOLD, CART, "sold"),
        (CHECKOUT, CHECKOUT, "owner"),
        (CHECKOUT_SOLD, CHECKOUT, "sold"),
        (LINK, CHECKOUT, "cart"),
        (SUBSCRIPTION, SUBSCRIPTION, "owner"),
    ],
)
def test_where_a_fact_is_kept(ref: Ref, thing: Ref, part: str) -> None:
    assert things.place(ref) == (thing, part)
    assert (part, ref) in things.parts(thing)
    assert refs.memory(*ref) == "thing:" + ":".join(thing)


@pytest.mark.parametrize("ref", [PERSON, LINES, ("since", PLATFORM, SHOP, "")])
def test_what_is_no_things_stands_by_itself(ref: Ref) -> None:
    assert things.place(ref) == (ref, None)
    assert not refs.memory(*ref).startswith("thing:")


@pytest.mark.parametrize("kind", ["order", "cart", "checkout", "subscription", "draft"])
def test_every_part_leads_back_to_its_thing(kind: str) -> None:
    thing = (kind, PLATFORM, SHOP, "1")
    assert {things.place(ref) for _, ref in things.parts(thing)} == {
        (thing, part) for part, _ in things.parts(thing)
    }


def test_what_is_learned_goes_by_things() -> None:
    learned: dict[Ref, Json] = {
        ORDER: ADA,
        PERSON: {"sent": AT},
        CART_SOLD: "1001",
        LINK: "c1:x",
        CHECKOUT: {},
        LINES: {},
        TOLD: {"b": AT},
    }
    assert things.records(learned) == (
        {PERSON: {"sent": AT}, LINES: {}},
        {
            ORDER: {"owner": ADA, "told": {"b": AT}},
            CART: {"sold": "1001"},
            CHECKOUT: {"cart": "c1:x", "owner": {}},
        },
    )


def test_the_parts_are_read_in_one_question(redis: Redis) -> None:
    remember(redis, CHECKOUT, {})
    remember(redis, CHECKOUT_SOLD, "1001")
    remember(redis, PERSON, {"sent": AT})
    asked = [CHECKOUT_SOLD, LINK, CHECKOUT, PERSON, ORDER]
    before = redis.info("commandstats").get("cmdstat_mget", {}).get("calls", 0)
    found = recall(redis.mget, PREFIX, "", asked)
    assert found == {CHECKOUT: {}, CHECKOUT_SOLD: "1001", PERSON: {"sent": AT}}
    assert redis.info("commandstats")["cmdstat_mget"]["calls"] == before + 1
