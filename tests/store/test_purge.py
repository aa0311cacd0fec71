"""Errands against a real Valkey: afterwards nothing names who was purged, wherever it is looked."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, delivery, event, happening, mapped, person
from memories import remember, remembered
from redis import Redis
from servers import naming, texts

from adapter.deeds import Errand
from adapter.model import Action, Delivery, Mapped, Person
from adapter.store import hashing, refs
from adapter.store.connection import connect
from adapter.store.needles import Needles
from adapter.store.outbox import Outbox
from adapter.store.purge import Purger
from adapter.whom import TOMBSTONE_SECONDS, tombstone

PREFIX = "adapter:default:"
SECRET = "pepper"
OTHER_SHOP = "babbage-tea.myshopify.com"

ID, EMAIL, PHONE = "8274950203799", "ada@example.com", "+4915112345678"
ORDER, CART, CHECKOUT = "9058172640211", "Z2NwLXVzLWVhc3Qx", "checkout-77aa88bb"
ADA = {"id": ID, "email": EMAIL, "phone": PHONE}
BOB = {"id": "8274950999999", "email": "bob@example.com", "phone": PHONE}
"""Of the same family: they share a phone."""

ERASE = Errand(
    "purge_person", "redact-1", AT, PLATFORM, SHOP, (ID,), (EMAIL,), (PHONE,), orders=(ORDER,)
)


def at(shop: str, id: str, topic: str = "orders/create") -> Delivery:
    return replace(delivery(id, topic), shop=shop)


def memory(redis: Redis, kind: str, value: str, content: Any, shop: str = SHOP) -> str:
    name = remember(redis, (kind, PLATFORM, shop, value), content, seconds=1000)
    return name.removeprefix(PREFIX)


def of_person(redis: Redis, kind: str, value: str, content: Any) -> None:
    name = value if kind == "id" else hashing.name(value, SECRET)
    redis.set(f"{PREFIX}person:{kind}:{name}", json.dumps(content))


def park(outbox: Outbox, id: str, body: Any, topic: str = "orders/create") -> None:
    outbox.accept(Mapped("parked", delivery(id, topic), reason="x"), json.dumps(body).encode())


def dead(redis: Redis, operation: Any, id: str = "d7", *bodies: Any) -> None:
    record = {
        "operation": operation.to_json(),
        "reason": "invalid",
        "deliveries": [delivery(id).to_json()] * max(1, len(bodies)),
    }
    beside = {f"b{n}": zlib.compress(json.dumps(body).encode()) for n, body in enumerate(bodies)}
    redis.xadd(PREFIX + "dead", {"r": json.dumps(record), **beside})


def fill(redis: Redis, outbox: Outbox, who: Mapping[str, str], order: str, *tokens: str) -> None:
    """Everything that is kept of one person, in every place that there is."""
    cart, checkout = tokens
    name = "ada" if who is ADA else "bob"
    buyer = person(who["id"], email=who["email"], phone=who["phone"], tokens={"cart": cart})
    outbox.accept(mapped(f"o-{name}", buyer, event(order), order=order), b"{}")
    added = event(f"{cart}:{AT}", "added_to_cart", cart_id=cart)
    outbox.accept(mapped(f"c-{name}", Person(as_of=AT, tokens={"cart": cart}), added), b"{}")
    created = event(who["id"], "customer_created")
    outbox.accept(mapped(f"n-{name}", Person(id=who["id"], as_of=AT), created), b"{}")
    refund = event(f"refund-{name}", "order_refunded", order_id=order)
    outbox.accept(mapped(f"r-{name}", Person(as_of=AT), refund, order=order), b"{}")

    memory(redis, "order", order, who)
    memory(redis, "cart", cart, who)
    memory(redis, "checkout", checkout, {"email": who["email"]})
    memory(redis, "cart_lines", cart, {"at": AT, "lines": {"sku": 1}})
    memory(redis, "sold", f"cart:{cart}", order)
    memory(redis, "sold", f"checkout:{checkout}", order)
    memory(redis, "told", order, {"order_completed": AT})
    memory(redis, "link", checkout, cart)
    of_person(redis, "id", who["id"], {"sent": AT, "email": who["email"], "orders": {order: [1]}})
    of_person(redis, "email", who["email"], {"to": ["id", who["id"]]})

    customer = {"id": int(who["id"]), "email": who["email"].upper(), "phone": who["phone"]}
    park(outbox, f"p-{name}", {"id": int(order), "customer": customer})
    park(outbox, f"q-{name}", {"customer_id": f"gid://shopify/Customer/{who['id']}"})
    park(outbox, f"t-{name}", {"token": f"{cart}?key=abc", "line_items": []}, "carts/update")
    park(outbox, f"u-{name}", {"note": f"write to {who['email']}, please"})
    dead(redis, happening(order, who["id"], order_id=order, cart_id=cart))
    wait = ["d", "{}", "p", json.dumps(Person(as_of=AT).to_json()), "o", order]
    waiting = f"waiting:order:{PLATFORM}:{SHOP}:{order}"
    redis.rpush(PREFIX + waiting, json.dumps(wait))
    redis.zadd(PREFIX + "waiting", {waiting: AT})


@pytest.fixture
def purger(redis_url: str) -> Iterator[Purger]:
    client = connect(redis_url, "worker")
    yield Purger(client, "default", secret=SECRET)
    client.connection_pool.disconnect()


HERS = (ID, EMAIL, ORDER, CART, CHECKOUT)
HIS = (BOB["id"], BOB["email"], "9058172640999", "cart-of-bob-1", "checkout-of-bob")


def both(redis: Redis, outbox: Outbox) -> None:
    fill(redis, outbox, ADA, ORDER, CART, CHECKOUT)
    fill(redis, outbox, BOB, *HIS[2:])


def flushed(redis: Redis) -> None:
    """All that waited was judged, by the marks that an erasure leaves: it is not the purge's."""
    redis.delete(PREFIX + "outbox")


def test_nothing_names_a_person_who_was_purged(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    both(redis, outbox)
    for name in HERS:
        assert naming(redis, name), name
    flushed(redis)
    of_bob = sorted(naming(redis, *HIS))
    purger.order(ERASE)
    assert (purger.pending(), purger.run(), purger.pending()) == (1, 1, 0)
    assert naming(redis, *HERS) == []
    assert sorted(naming(redis, *HIS)) == of_bob, "somebody else lost something"
    assert redis.zrange(PREFIX + "waiting", 0, -1) == [
        f"waiting:order:{PLATFORM}:{SHOP}:{HIS[2]}".encode()
    ]


def test_what_waits_is_left_to_be_judged_in_its_turn(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    """By the marks, and counted: see tests/delivery/test_erasures_again.py."""
    both(redis, outbox)
    before = outbox.read("", 100)
    purger.order(ERASE)
    purger.run()
    assert outbox.read("", 100) == before
    for value in (f"cart:{CART}", f"order:{ORDER}"):
        assert redis.exists(PREFIX + hashing.redacted(PLATFORM, SHOP, value, SECRET)), value


@pytest.mark.parametrize("stream", ["outbox", "parked"])
def test_what_they_asked_for_is_not_taken_for_what_is_kept_of_them(
    redis: Redis, purger: Purger, stream: str
) -> None:
    action = Action("redact_person", {"id": ID, "email": EMAIL})
    fields = {"d": json.dumps(delivery().to_json()), "p": "", "o": "", "k": "", "r": "x"}
    redis.xadd(PREFIX + stream, {**fields, "a": json.dumps(action.to_json())})
    purger.order(ERASE)
    purger.run()
    assert redis.xlen(PREFIX + stream) == 1


def test_a_second_run_changes_nothing(redis: Redis, outbox: Outbox, purger: Purger) -> None:
    both(redis, outbox)
    purger.order(ERASE)
    purger.run()
    before = sorted(texts(redis))
    purger.order(ERASE)
    assert (purger.run(), purger.run()) == (1, 0)
    assert sorted(texts(redis)) == before


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commands", range(1, 40, 3))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    redis: Redis,
    redis_url: str,
    outbox: Outbox,
    purger: Purger,
    commands: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both(redis, outbox)
    purger.order(ERASE)
    # One key a step, one removal at a time: as many moments to be killed in as there can be.
    monkeypatch.setattr("adapter.store.holdings.KEYS_A_STEP", 5)
    monkeypatch.setattr("adapter.store.purge.HANDFUL", 1)
    left = [commands]
    delete = Purger._remove_some

    def mortal(self: Purger, some: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        delete(self, some)

    with monkeypatch.context() as patch:
        patch.setattr(Purger, "_remove_some", mortal)
        client = connect(redis_url, "worker")
        try:
            Purger(client, "default", secret=SECRET).run()
        except _Killed:
            assert purger.pending() == 1
        client.connection_pool.disconnect()
    purger.run()
    flushed(redis)
    assert naming(redis, *HERS) == []


def test_tombstones_are_left_and_say_of_nobody(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    both(redis, outbox)
    purger.order(ERASE)
    purger.run()
    for value in (f"cart:{CART}", f"checkout:{CHECKOUT}", f"order:{ORDER}"):
        name = PREFIX + hashing.redacted(PLATFORM, SHOP, value, SECRET)
        assert TOMBSTONE_SECONDS - 60 < redis.ttl(name) <= TOMBSTONE_SECONDS, value
        assert redis.get(name) == b"1"


def test_short_ids_are_told_from_other_numbers_by_their_place(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    keep = {
        "quantity": {"id": 1001, "line_items": [{"quantity": 42, "product_id": 42, "id": 42}]},
        "other customer": {"id": 7, "customer": {"id": 43}, "number": 42},
        "text": {"note": "42 pieces"},
    }
    lose = {
        "customer": {"id": 7, "customer": {"id": 42}},
        "customer_id": {"customer_id": "42"},
        "gid": {"owner": "gid://shopify/Customer/42"},
        "token": {"cart_token": "c1-a"},
    }
    for name, body in {**keep, **lose}.items():
        park(outbox, name, body)
    park(outbox, "of customers", {"id": 42}, "customers/update")
    memory(redis, "cart", "c1-a", {"id": "42"})
    memory(redis, "order", "42", {"id": "43", "email": "b@x.com"})
    redis.set(f"{PREFIX}product:{PLATFORM}:{SHOP}:42", '{"id": "42"}')
    dead(redis, happening("1", "42"))
    dead(redis, happening("2", "43"), "d8")
    purger.order(Errand("purge_person", "r", AT, PLATFORM, SHOP, ids=("42",)))
    purger.run()
    parked = [json.loads(fields[b"d"])["id"] for _, fields in redis.xrange(PREFIX + "parked")]
    assert parked == list(keep)
    assert redis.exists(f"{PREFIX}product:{PLATFORM}:{SHOP}:42")
    assert redis.exists(PREFIX + refs.memory("order", PLATFORM, SHOP, "42"))
    assert not redis.exists(PREFIX + refs.memory("cart", PLATFORM, SHOP, "c1-a"))
    assert [json.loads(fields[b"r"])["deliveries"][0]["id"]
            for _, fields in redis.xrange(PREFIX + "dead")] == ["d8"]  # fmt: skip


def test_a_record_of_somebody_else_loses_only_the_address(redis: Redis, purger: Purger) -> None:
    ref = ("order", PLATFORM, SHOP, "5000000001")
    known = {"id": BOB["id"], "email": EMAIL, "phone": PHONE}
    name = remember(redis, ref, known, seconds=1000)
    remember(redis, ("told", *ref[1:]), {"order_completed": AT}, seconds=1000)
    purger.order(ERASE)
    purger.run()
    assert remembered(redis, ref) == {"id": BOB["id"], "phone": PHONE}
    assert remembered(redis, ("told", *ref[1:])) == {"order_completed": AT}
    assert 0 < redis.ttl(name) <= 1000


def test_things_of_somebody_else_lose_what_names_hers(redis: Redis, purger: Purger) -> None:
    memory(redis, "cart", "cart-of-bob-1", BOB)
    memory(redis, "sold", "cart:cart-of-bob-1", ORDER)
    memory(redis, "cart", CART, ADA)
    memory(redis, "checkout", "checkout-of-bob", BOB)
    memory(redis, "link", "checkout-of-bob", CART)
    memory(redis, "sold", "checkout:nobodys-checkout", ORDER)
    purger.order(ERASE)
    purger.run()
    assert naming(redis, *HERS) == []
    for ref in (("cart", "cart-of-bob-1"), ("checkout", "checkout-of-bob")):
        name = PREFIX + refs.memory(ref[0], PLATFORM, SHOP, ref[1])
        assert json.loads(redis.get(name)) == {"owner": BOB}
        assert redis.ttl(name) > 0
    assert not redis.exists(PREFIX + refs.memory("checkout", PLATFORM, SHOP, "nobodys-checkout"))


def test_a_report_shows_nothing_of_somebody_else(redis: Redis, purger: Purger) -> None:
    name = memory(redis, "cart", "cart-of-bob-1", {**BOB, "email": EMAIL})
    memory(redis, "sold", "cart:cart-of-bob-1", ORDER)
    purger.order(replace(ERASE, kind="report_person", delivery="ask-1"))
    purger.run()
    ((_, fields),) = redis.xrange(PREFIX + "reports")
    assert json.loads(fields[b"r"])["held"] == [
        {
            "where": name,
            "holds": json.dumps({"owner": {"email": EMAIL}, "sold": ORDER}, separators=(",", ":")),
        }
    ]


def test_an_id_that_became_theirs_is_purged_with_them(redis: Redis, purger: Purger) -> None:
    of_person(redis, "id", "8274950000001", {"to": ["id", ID]})
    memory(redis, "order", "5000000002", {"id": "8274950000001"})
    purger.order(ERASE)
    purger.run()
    assert naming(redis, "8274950000001", "5000000002") == []
    # A body under way that names them by it must not bring them back.
    mark = refs.memory(*tombstone(("id", "8274950000001")), SECRET)
    assert redis.exists(PREFIX + mark) == 1


def test_a_refused_erasure_stays_until_somebody_has_seen_to_it(
    redis: Redis, purger: Purger
) -> None:
    for action in ("suppress", "delete", "identify"):
        dead(redis, replace(happening("1", ID), action=action))
    purger.order(ERASE)
    purger.run()
    left = [json.loads(fields[b"r"])["operation"]["action"]
            for _, fields in redis.xrange(PREFIX + "dead")]  # fmt: skip
    assert left == ["suppress", "delete"]


def test_a_dead_letter_of_somebody_else_loses_only_the_bodies(redis: Redis, purger: Purger) -> None:
    his = happening("1", BOB["id"])
    dead(redis, his, "d7", {"id": 1}, {"note": f"a present for {EMAIL}"})
    dead(redis, his, "d8", {"id": 2})
    purger.order(ERASE)
    purger.run()
    assert naming(redis, *HERS) == []
    left = [(json.loads(f[b"r"])["deliveries"][0]["id"], len(f))
            for _, f in redis.xrange(PREFIX + "dead")]  # fmt: skip
    assert left == [("d8", 2), ("d7", 1)]
    assert json.loads(redis.xrevrange(PREFIX + "dead", count=1)[0][1][b"r"])["operation"] == (
        his.to_json()
    )


@pytest.mark.parametrize("stream", ["outbox", "parked"])
def test_a_dead_letter_on_its_second_way_is_found(
    redis: Redis, purger: Purger, stream: str
) -> None:
    for who in (ID, BOB["id"]):
        fields = {
            "d": json.dumps(delivery().to_json()),
            "p": "",
            "o": "",
            "q": json.dumps(happening("1", who).to_json()),
            "k": "1-1",
        }
        redis.xadd(PREFIX + stream, {**fields, **({"r": "x"} if stream == "parked" else {})})
    purger.order(ERASE)
    purger.run()
    assert naming(redis, *HERS) == []
    assert redis.xlen(PREFIX + stream) == 1


def test_an_erasure_on_its_second_way_stays(redis: Redis, purger: Purger) -> None:
    said = json.dumps(replace(happening("1", ID), action="suppress").to_json())
    told = json.dumps(delivery().to_json())
    redis.xadd(PREFIX + "outbox", {"d": told, "p": "", "o": "", "q": said, "k": ""})
    purger.order(ERASE)
    purger.run()
    assert redis.xlen(PREFIX + "outbox") == 1


@pytest.mark.parametrize(
    ("body", "theirs"),
    [
        ({"phone": "+49 (151) 123-45678"}, True),
        ({"phone": PHONE, "email": "bob@example.com"}, False),
        ({"phone": "+4915112345679"}, False),
        ({"note": "Ada@Example.COM."}, True),
        ({"url": "https://x.example/?email=ada%40example.com&a=1"}, True),
        ({"email": "xada@example.com"}, False),
        ({"email": "ada@example.com.org"}, False),
        ({"url": f"https://x.example/orders/{ORDER}/status"}, True),
        ({"id": int(ID + "0")}, False),
    ],
)
def test_spellings(body: Any, theirs: bool) -> None:
    needles = Needles.of([ERASE])
    assert needles.in_value(body) is theirs


def test_a_body_that_is_no_json_is_searched_as_a_text(redis: Redis, purger: Purger) -> None:
    for raw in (f"customer={ID}&x=1".encode(), b"customer=1"):
        fields = {"d": json.dumps(delivery().to_json()), "r": "x", "b": zlib.compress(raw)}
        redis.xadd(PREFIX + "parked", fields)
    purger.order(ERASE)
    purger.run()
    (left,) = redis.xrange(PREFIX + "parked")
    assert zlib.decompress(left[1][b"b"]) == b"customer=1"


def test_why_something_was_parked_may_quote_them(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    for reason in (f"total: expected money, got '{EMAIL}'", "total: expected money, got 'free'"):
        told = Mapped("parked", delivery(f"d{len(reason)}"), reason=reason)
        outbox.accept(told, json.dumps({"total": reason}).encode())
    purger.order(ERASE)
    purger.run()
    assert naming(redis, EMAIL) == []
    assert (redis.xlen(PREFIX + "kept"), redis.xlen(PREFIX + "parked")) == (1, 1)


def test_many_people_go_in_one_walk(redis: Redis, outbox: Outbox, purger: Purger) -> None:
    both(redis, outbox)
    purger.order(ERASE)
    purger.order(replace(ERASE, delivery="r2", ids=(HIS[0],), emails=(HIS[1],), orders=()))
    assert purger.run() == 2
    flushed(redis)
    assert naming(redis, *HERS, *HIS) == []


def test_other_workspaces_are_left_alone(redis: Redis, purger: Purger) -> None:
    redis.set("adapter:other:thing:cart:a:b:c", json.dumps(ADA))
    purger.order(ERASE)
    purger.run()
    assert redis.exists("adapter:other:thing:cart:a:b:c")


# a shop


def test_a_shop_goes_with_the_people_who_are_known_through_it_alone(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    both(redis, outbox)
    redis.set(f"{PREFIX}since:{PLATFORM}:{SHOP}", AT)
    redis.set(f"{PREFIX}product:{PLATFORM}:{SHOP}:1", "{}")
    outbox.accept(Mapped("mapped", at(OTHER_SHOP, "d9"), person=person("77")), b"{}")
    memory(redis, "cart", "cart-at-other", BOB, OTHER_SHOP)
    asked = Errand("purge_shop", "shop-1", AT, PLATFORM, SHOP)
    purger.order(asked)
    assert (purger.run(), purger.pending()) == (1, 0)
    # The ledger of somebody who is known elsewhere does not say where an order was.
    assert naming(redis, SHOP, *HERS, *HIS[3:]) == []
    assert redis.exists(f"{PREFIX}person:id:{BOB['id']}"), "known through another shop as well"
    assert [entry.delivery.id for entry in outbox.read("", 10)] == ["d9"]
    assert list(redis.hkeys(PREFIX + "seen")) == [f"{PLATFORM} {OTHER_SHOP} orders/create".encode()]


def test_the_only_shop_takes_everybody_with_it(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    of_person(redis, "id", ID, {"sent": AT})
    memory(redis, "cart", CART, BOB)
    purger.order(Errand("purge_shop", "shop-1", AT, PLATFORM, SHOP))
    purger.run()
    assert naming(redis, SHOP, ID, BOB["id"]) == []


# a report


def test_a_report_says_what_is_held_and_the_log_does_not(
    redis: Redis, outbox: Outbox, purger: Purger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    both(redis, outbox)
    before = sorted(naming(redis, *HERS))
    purger.order(replace(ERASE, kind="report_person", delivery="ask-1"))
    purger.run()
    ((_, fields),) = redis.xrange(PREFIX + "reports")
    report = json.loads(fields[b"r"])
    assert report["person"] == {"ids": [ID], "emails": [EMAIL], "phones": [PHONE]}
    assert report["complete"] is True
    places = {re.split("[ :]", one["where"])[0] for one in report["held"]}
    assert places == {
        *("outbox", "kept", "parked", "dead", "waiting", "person", "thing", "key"),
        "lines",
    }
    assert CHECKOUT in json.dumps(report)
    assert not any(name in json.dumps(report) for name in HIS)
    record = next(one for one in report["held"] if one["where"] == f"person:id:{ID}")
    assert json.loads(record["holds"])["email"] == EMAIL
    assert redis.ttl(PREFIX + "reports") > 0
    redis.delete(PREFIX + "reports")
    assert sorted(naming(redis, *HERS)) == before
    said = [json.dumps(vars(one), default=str) for one in caplog.records]
    assert any("report written" in one for one in said)
    assert not any(name in one for one in said for name in (ID, EMAIL, PHONE, CART))


def test_reports_about_somebody_are_purged_with_them(
    redis: Redis, outbox: Outbox, purger: Purger
) -> None:
    both(redis, outbox)
    purger.order(replace(ERASE, kind="report_person", delivery="ask-1"))
    purger.order(ERASE)
    assert purger.run() == 2
    assert redis.xlen(PREFIX + "reports") == 0
    flushed(redis)
    assert naming(redis, *HERS) == []


# an action on its way


def test_an_action_waits_in_the_outbox_as_everything_does(redis: Redis, outbox: Outbox) -> None:
    action = Action("merge_people", {"kept": "42", "gone": "43"})
    about = Mapped("mapped", delivery("d1", "customers/merge"), action=action)
    assert outbox.accept(about, b"{}").outcome == "accepted"
    (entry,) = outbox.read("", 10)
    assert (entry.action, entry.person, entry.events) == (action, Person(), ())
    assert redis.exists(PREFIX + "lease"), "nobody was woken"


def test_names_are_hashed_with_the_secret() -> None:
    assert hashing.name(EMAIL, "a") != hashing.name(EMAIL, "b")
    assert re.fullmatch("[0-9A-Za-z_-]{22}", hashing.name(EMAIL, "a"))
    one = hashing.redacted(PLATFORM, SHOP, "cart:1", "a")
    assert one != hashing.redacted(PLATFORM, OTHER_SHOP, "cart:1", "a")
    assert one.startswith("redacted:")
