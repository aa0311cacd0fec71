"""What is remembered of people, read back by its real names; and that looking has an end."""

from __future__ import annotations

import json
import time
from typing import Any

import memories
import pytest
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, event, happening, mapped, person
from redis import Redis

from adapter.errors import StoreError
from adapter.model import Mapped, Person, Ref
from adapter.people.memory import person_ref
from adapter.store import people as module
from adapter.store import refs
from adapter.store.connection import connect
from adapter.store.needles import Needles
from adapter.store.outbox import Outbox
from adapter.store.people import MOST_WAITING, People

PREFIX = "adapter:default:"
SECRET = "pepper"
MOST = 1_000_000
ADA = ("id", "42")
EMAIL = ("email", "ada@example.com")
ORDER: Ref = ("order", PLATFORM, SHOP, "1001")
CART: Ref = ("cart", PLATFORM, SHOP, "c1")
CHECKOUT: Ref = ("checkout", PLATFORM, SHOP, "k1")


@pytest.fixture
def people(redis_url: str) -> People:
    return People(connect(redis_url, "worker"), "default", secret=SECRET)


def remember(redis: Redis, ref: Ref, value: Any, seconds: int | None = None) -> None:
    memories.remember(redis, ref, value, secret=SECRET, seconds=seconds)


def stamped(**more: Any) -> dict[str, Any]:
    return {"sent": AT, "v": [[1, AT, 0.0, "d1"]], "a": {"city": 0}, **more}


# --- whom an identifier means


def test_every_step_of_the_way_is_told(people: People, redis: Redis) -> None:
    remember(redis, person_ref(EMAIL), {"to": ["id", "7"]})
    remember(redis, person_ref(("id", "7")), {"to": ["id", "42"]})
    remember(redis, person_ref(ADA), stamped(email=EMAIL[1]))
    found = people.find(EMAIL)
    assert found.way == (EMAIL, ("id", "7"), ADA)
    assert found.who == ADA
    assert found.profile is not None
    assert found.profile.stamps == {"city": (1, AT, 0.0, "d1")}
    assert (found.freed, found.erased) == (False, None)


def test_a_circle_ends(people: People, redis: Redis) -> None:
    remember(redis, person_ref(("id", "1")), {"to": ["id", "2"]})
    remember(redis, person_ref(("id", "2")), {"to": ["id", "1"]})
    assert len(people.find(("id", "1")).way) < 10


def test_nobody(people: People, redis: Redis) -> None:
    found = people.find(EMAIL)
    assert (found.way, found.profile, found.freed) == ((EMAIL,), None, False)
    remember(redis, person_ref(EMAIL), {})
    assert people.find(EMAIL).freed


def test_an_erased_person_is_one_until_the_mark_ends(people: People, redis: Redis) -> None:
    remember(redis, ("redacted", "", "", "id:42"), 1, 1000)
    erased = people.find(ADA).erased
    assert erased is not None
    assert abs(erased - time.time() - 1000) < 30


def test_another_secret_finds_nobody_by_an_address(redis_url: str, redis: Redis) -> None:
    remember(redis, person_ref(EMAIL), {"to": ["id", "42"]})
    stranger = People(connect(redis_url, "worker"), "default", secret="salt")
    assert stranger.find(EMAIL).way == (EMAIL,)


# --- orders and tokens


def test_what_is_known_of_things(people: People, redis: Redis, outbox: Outbox) -> None:
    remember(redis, ORDER, {"id": "42"})
    remember(redis, ("told", PLATFORM, SHOP, "1001"), {"order_completed": AT})
    remember(redis, ("sold", PLATFORM, SHOP, "cart:c1"), "1001")
    remember(redis, ("cart_lines", PLATFORM, SHOP, "c1"), {"at": AT, "seen": None, "lines": {}})
    remember(redis, ("link", PLATFORM, SHOP, "k1"), "c1")
    remember(redis, ("redacted", PLATFORM, SHOP, "checkout:k1"), 1)
    order, cart, checkout, other = people.things([ORDER, CART, CHECKOUT, (*ORDER[:3], "2")])
    assert (order.owner, order.told) == ({"id": "42"}, {"order_completed": AT})
    assert (cart.owner, cart.sold, cart.lines and cart.lines["at"]) == (None, "1001", AT)
    assert (checkout.cart, checkout.erased) == ("c1", True)
    assert [one.known for one in (order, cart, checkout, other)] == [True, True, True, False]
    assert people.things([]) == []


def test_known_to_be_nobodys_is_not_unknown(people: People, redis: Redis) -> None:
    remember(redis, ORDER, {})
    (order,) = people.things([ORDER])
    assert (order.owner, order.known) == ({}, True)


def test_of_a_long_waiting_list_the_oldest_are_shown(people: People, redis: Redis) -> None:
    refund = event("r1", "order_refunded")
    fields = ["d", json.dumps(delivery("d9").to_json()), "p", "{}", "o", "1001",
              "e0", json.dumps(refund.to_json())]  # fmt: skip
    name = refs.waiting(refs.memory(*ORDER))
    redis.rpush(PREFIX + name, *[json.dumps(fields)] * (MOST_WAITING + 5))
    redis.zadd(PREFIX + "waiting", {name: AT})
    (order,) = people.things([ORDER])
    assert (len(order.waiting), order.length, order.until) == (MOST_WAITING, MOST_WAITING + 5, AT)
    assert order.waiting[0].events == (("order_refunded", "r1"),)
    assert order.waiting[0].about == {("order", "1001")}


def test_who_holds_a_key_and_since_when(people: People, outbox: Outbox) -> None:
    outbox.accept(mapped("d1", person(), event("1001"), order="1001"), b"{}")
    (held,) = people.holders([(ORDER, "order_completed", "1001"), (ORDER, "order_canceled", "1")])
    assert (held.delivery, held.key) == ("d1", "1001")
    assert abs(held.since - time.time()) < 30
    assert people.holders([]) == []


def test_keys_that_begin_with_a_token(people: People, outbox: Outbox) -> None:
    for token in ("c1", "c1x", "c2"):
        added = event(f"{token}:2026-01-01T10:00:00Z", "added_to_cart")
        outbox.accept(mapped(f"d-{token}", Person(tokens={"cart": token}), added), b"{}")
    held, looked = people.keys_of("added_to_cart", [CART], MOST)
    assert [(one.key, one.delivery) for one in held] == [("c1:2026-01-01T10:00:00Z", "d-c1")]
    assert looked.whole


# --- what must be looked for


def test_who_leads_to_somebody_over_several_steps(people: People, redis: Redis) -> None:
    remember(redis, person_ref(EMAIL), {"to": ["id", "1"]})
    for number in range(1, 5):
        remember(redis, person_ref(("id", str(number))), {"to": ["id", str(number + 1)]})
    remember(redis, person_ref(("id", "5")), stamped())
    remember(redis, person_ref(("id", "9")), {"to": ["id", "8"]})
    found, looked = people.aliases(("id", "5"), MOST)
    assert found == {people.name_of(EMAIL), "id:1", "id:2", "id:3", "id:4"}
    assert looked.whole
    assert EMAIL[1] not in str(found)


def test_what_somebody_owns(people: People, redis: Redis) -> None:
    remember(redis, ORDER, {"id": "42", "email": "other@example.com"})
    remember(redis, CART, {"email": EMAIL[1]})
    remember(redis, CHECKOUT, {"id": "7", "email": EMAIL[1]})
    remember(redis, (*ORDER[:3], "2"), {})
    lead = [people.name_of(EMAIL)]
    assert people.belongings(ADA, lead, "id", MOST)[0] == [CART, ORDER]
    assert people.belongings(ADA, [], "id", MOST)[0] == [ORDER]
    assert people.belongings(EMAIL, [], "email", MOST)[0] == [CART, CHECKOUT]


def test_looking_through_keys_has_an_end(
    people: People, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEYS_A_STEP", 100)
    pipe = redis.pipeline()
    for number in range(5_000):
        pipe.set(f"{PREFIX}dedupe:{number}", 1)
    pipe.execute()
    _, looked = people.aliases(ADA, 300)
    assert (looked.seen, looked.there, looked.whole) == (300, 5_000, False)
    _, looked = people.belongings(ADA, (), "id", MOST)
    assert (looked.seen, looked.there, looked.whole) == (5_000, 5_000, True)


def fill(outbox: Outbox, redis: Redis) -> None:
    outbox.accept(mapped("d1", person(), event("1"), order="1"), b"{}")
    outbox.accept(mapped("d2", person("7"), event("2"), order="2"), b"{}")
    outbox.accept(mapped("d3", NAMELESS, event("r1", "order_refunded"), order="1001"), b"{}")
    parked = Mapped("parked", delivery("d4"), reason="x: expected money")
    outbox.accept(parked, json.dumps({"email": "Ada@Example.com"}).encode())
    record = {
        "operation": happening("1001", order_id="1001").to_json(),
        "reason": "refused",
        "deliveries": [delivery("d5").to_json()],
    }
    redis.xadd(PREFIX + "dead", {"r": json.dumps(record)})


def test_what_names_somebody_or_their_things(people: People, outbox: Outbox, redis: Redis) -> None:
    fill(outbox, redis)
    needles = Needles(["42"], [EMAIL[1]], orders=["1001"])
    items, looked = people.items(needles, MOST)
    found = [(one.place, one.deliveries[0]["id"], one.mapped, one.reason) for one in items]
    assert found == [
        ("outbox", "d3", True, None),
        ("outbox", "d1", True, None),
        ("parked", "d4", False, "x: expected money"),
        ("dead", "d5", True, "refused"),
    ]
    assert items[-1].events == (("order_completed", "1001"),)
    assert items[-1].about == {("order", "1001")}
    assert [(one.place, one.seen, one.there) for one in looked] == [
        ("outbox", 3, 3), ("parked", 1, 1), ("dead", 1, 1),
    ]  # fmt: skip


def test_looking_through_streams_begins_with_the_newest_and_has_an_end(
    people: People, outbox: Outbox
) -> None:
    for number in range(30):
        outbox.accept(mapped(f"d{number}", person(), event(str(number))), b"{}")
    items, looked = people.items(Needles(["42"]), 7)
    assert [one.deliveries[0]["id"] for one in items] == [f"d{n}" for n in range(29, 22, -1)]
    assert (looked[0].seen, looked[0].there, looked[0].whole) == (7, 30, False)


def test_nothing_is_written(people: People, outbox: Outbox, redis: Redis) -> None:
    fill(outbox, redis)
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    people.find(EMAIL)
    people.things([ORDER, CART, CHECKOUT])
    people.items(Needles(["42"]), MOST)
    people.aliases(ADA, MOST)
    people.belongings(ADA, (), "id", MOST)
    people.keys_of("added_to_cart", [CART], MOST)
    people.counts()
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_without_redis_it_says_so() -> None:
    nobody = People(connect("redis://127.0.0.1:1/0", "web"), "default")
    for ask in (
        lambda: nobody.find(ADA),
        lambda: nobody.things([ORDER]),
        lambda: nobody.items(Needles(["42"]), 10),
        lambda: nobody.aliases(ADA, 10),
        nobody.counts,
    ):
        with pytest.raises(StoreError, match=r"^Redis: connection refused$"):
            ask()
