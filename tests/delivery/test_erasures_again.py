"""Erasures, merges and what comes behind them: nobody but who was meant is erased or made one with
somebody, and who comes after somebody was deleted is somebody new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
import requests
from backroom import AT, MAPPINGS, PREFIX, SECRET, Backroom, order
from redis import Redis
from servers import naming

from adapter.destinations.base import Request, Response
from adapter.errors import StoreError
from adapter.model import Json
from adapter.resolver import HELD, NOT_ONE, Policy
from adapter.store import refs
from adapter.store.connection import connect
from adapter.store.purge import Purger

OLD, NEW = "9001001001", "9001001002"
EMAIL = "one@x.example"
DELETE, REDACT = "customers/delete", "customers/redact"
DAY = 86400


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def customer(id: str, email: str | None, at: float) -> Json:
    return {"id": int(id), "email": email, "created_at": iso(AT - 900), "updated_at": iso(at)}


def bought(number: int, who: Json, at: float) -> Json:
    """An order; of a guest where `who` holds no id."""
    found = order(
        id=number,
        customer=who if "id" in who else None,
        email=who["email"],
        contact_email=who["email"],
        phone=None,
        created_at=iso(at),
        processed_at=iso(at),
        updated_at=iso(at),
    )
    tokens = dict.fromkeys(("token", "cart_token", "checkout_token"))
    return {**found, **tokens, "billing_address": None, "shipping_address": None}


def refund(number: int, at: float) -> Json:
    money = {"id": 1, "kind": "refund", "status": "success", "amount": "5.00", "currency": "USD"}
    return {
        "id": 5,
        "order_id": number,
        "created_at": iso(at),
        "transactions": [money],
        "refund_line_items": [],
    }


def erasure(topic: str) -> Json:
    if topic == DELETE:
        return {"id": int(OLD)}
    named = {"id": int(OLD), "email": EMAIL, "phone": None}
    return {"shop_domain": "lovelace-coffee.myshopify.com", "customer": named}


class Place(Backroom):
    """A workspace that deletes whom the shop deletes, and what Customer.io knows in the end."""

    def __init__(self, redis: Redis, url: str, redis_url: str) -> None:
        super().__init__(redis, url, redis_url)
        self.office.policy = Policy(
            rules=MAPPINGS.rules, flat=MAPPINGS.schema.flat, on_customer_delete="delete"
        )
        self._errands = connect(redis_url, "worker")
        self.purger = Purger(self._errands, "default", secret=SECRET)
        self._number = 0
        self.refused: str | None = None
        self.fail: str | None = None
        self.sent: list[str] = []
        self._send = self.office.transport.send
        self.office.transport.send = self._pass_on  # type: ignore[method-assign]

    def close(self) -> None:
        self._errands.connection_pool.disconnect()
        super().close()

    def comes(self, topic: str, body: Json, at: float) -> None:
        self._number += 1
        assert self.take(f"delivery-{self._number}", topic, body, at) == "accepted"

    def account(self, id: str, email: str | None, at: float) -> None:
        """A customer of the shop, as their record is at a time."""
        self.comes("customers/update", customer(id, email, at), at)

    def guest(self, number: int, at: float, email: str = EMAIL) -> None:
        self.comes("orders/create", bought(number, {"email": email}, at), at)

    def erase(self, topic: str, at: float = AT) -> None:
        self.comes(topic, erasure(topic), at)

    def outbox(self) -> int:
        return int(self.redis.xlen(PREFIX + "outbox"))

    def replays(self) -> dict[str, Any]:
        """All dead letters go out again; what the dry run said of each, by its operation."""
        letters = list(self.letters.dead())
        plans = {
            letter.operation.action: plan.reason
            for letter, plan in zip(letters, self.replayer().plan(letters), strict=True)
        }
        assert [one.outcome for one in self.replayer().run(letters)] == ["revived"] * len(letters)
        self.sent.clear()
        self.flush()
        return plans

    def people(self) -> list[tuple[str | None, str | None, list[str]]]:
        """(id, email, events) of everybody at Customer.io."""
        return [
            (
                one.get("id"),
                one.get("email"),
                sorted(each["name"] for each in one["activity"] if each["type"] == "event"),
            )
            for one in self._people()["people"]
        ]

    def suppressed(self) -> set[str]:
        return {value for one in self._people()["suppressed"] for value in one.values()}

    def _people(self) -> Json:
        return requests.get(f"{self.url}/_sandbox/people", timeout=10).json()

    def _pass_on(self, request: Request, **more: Any) -> Response:
        """To Customer.io, which does not take what is refused, and breaks on what fails there."""
        items = json.loads(request.body)["batch"] if request.body else []
        self.sent += [one["action"] for one in items]
        if self.fail in {one["action"] for one in items}:
            return Response(503, {}, b"")
        if items and {one["action"] for one in items} == {self.refused}:
            errors = [{"batch_index": place, "reason": "invalid"} for place in range(len(items))]
            return Response(207, {}, json.dumps({"errors": errors}).encode())
        return self._send(request, **more)


@pytest.fixture
def place(redis: Redis, redis_url: str, sandbox: str) -> Iterator[Place]:
    found = Place(redis, sandbox, redis_url)
    yield found
    found.close()


# what was refused, and is replayed when others hold the address


def refuse_erasure(place: Place, topic: str, *, purged: bool) -> None:
    """Somebody is to be erased, and Customer.io refuses what names their address."""
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(topic)
    place.refuse(email=EMAIL)
    place.flush()
    if purged:
        place.purger.run()
    place.heal()


@pytest.mark.parametrize("purged", [True, False], ids=["purged", "not purged yet"])
@pytest.mark.parametrize("topic", [REDACT, DELETE])
def test_a_refused_erasure_that_is_replayed_erases_whom_it_was_about(
    place: Place, topic: str, purged: bool
) -> None:
    refuse_erasure(place, topic, purged=purged)
    actions = [one.operation.action for one in place.letters.dead()]
    assert place.replays() == dict.fromkeys(actions)
    assert place.sent == actions
    assert place.people() == []
    assert place.suppressed() >= ({EMAIL} if topic == REDACT else set())


@pytest.mark.parametrize("purged", [True, False], ids=["purged", "not purged yet"])
@pytest.mark.parametrize("topic", [REDACT, DELETE])
def test_a_refused_erasure_that_is_replayed_costs_nobody_else_their_profile(
    place: Place, topic: str, purged: bool
) -> None:
    refuse_erasure(place, topic, purged=purged)
    place.account(NEW, EMAIL, AT + DAY)
    place.flush()
    actions = [one.operation.action for one in place.letters.dead()]
    assert place.replays() == dict.fromkeys(actions, f"comes to nothing: {HELD}")
    assert place.sent == []
    assert [id for id, _, _ in place.people()] == [NEW]
    assert NEW not in place.suppressed()
    assert place.counts()[f"ignored:{HELD}"] == len(actions)
    assert list(place.letters.dead()) == []


def test_the_address_of_a_guest_who_came_after_a_deletion_is_not_deleted(place: Place) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(DELETE)
    place.refuse(email=EMAIL)
    place.flush()
    place.purger.run()
    place.heal()
    place.guest(7001, AT + 60)
    place.flush()
    assert place.replays() == {"delete": f"comes to nothing: {HELD}"}
    assert place.people() == [(None, EMAIL, ["order_completed"])]


def a_guest_takes_an_account(place: Place) -> None:
    """The merge of both is refused."""
    place.guest(7001, AT)
    place.flush()
    place.account(OLD, None, AT + 10)
    place.flush()
    place.account(OLD, EMAIL, AT + 20)
    place.refused = "merge"
    place.flush()
    place.refused = None
    assert [one.operation.action for one in place.letters.dead()] == ["merge"]


def test_a_refused_merge_that_is_replayed_makes_both_one(place: Place) -> None:
    a_guest_takes_an_account(place)
    assert place.replays() == {"merge": None}
    (who,) = place.people()
    assert who[0] == OLD
    assert "order_completed" in who[2]


def test_a_refused_merge_that_is_replayed_takes_over_no_third_person(place: Place) -> None:
    a_guest_takes_an_account(place)
    place.account(OLD, "two@x.example", AT + 30)
    place.flush()
    place.account(NEW, EMAIL, AT + 40)
    place.flush()
    before = place.people()
    assert place.replays() == {"merge": f"comes to nothing: {NOT_ONE}"}
    assert place.sent == []
    assert place.people() == before
    assert place.counts()[f"ignored:{NOT_ONE}"] == 1


@pytest.mark.parametrize("new", ["account", "guest"])
@pytest.mark.parametrize("replayed", [True, False])
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_who_comes_with_the_address_of_a_guest_who_was_merged_is_not_merged(
    place: Place, new: str, replayed: bool, together: bool
) -> None:
    """By then the account has another address."""

    def step() -> None:
        if not together:
            place.flush()

    if replayed:
        a_guest_takes_an_account(place)
        place.letters.revive(list(place.letters.dead()))
    else:
        place.guest(7001, AT)
        place.flush()
        place.account(OLD, None, AT + 10)
        place.flush()
        place.account(OLD, EMAIL, AT + 20)
    step()
    place.account(OLD, "two@x.example", AT + 30)
    step()
    if new == "account":
        place.account(NEW, EMAIL, AT + 40)
    else:
        place.guest(7002, AT + 40)
    place.flush()
    bought = ["order_completed"]
    assert sorted(place.people(), key=lambda one: str(one[1])) == [
        (NEW, EMAIL, []) if new == "account" else (None, EMAIL, bought),
        (OLD, "two@x.example", bought),
    ]


# what waits when somebody is purged


@pytest.mark.parametrize("purged", ["never", "before", "after"])
def test_a_wish_to_be_erased_behind_a_deletion_is_carried_out(place: Place, purged: str) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(DELETE)
    place.flush()
    if purged == "before":
        place.purger.run()
    place.erase(REDACT, AT + 5)
    if purged == "after":
        assert (place.outbox(), place.purger.run(), place.outbox()) == (1, 1, 1)
    place.flush()
    assert {OLD, EMAIL} <= place.suppressed()
    assert place.counts()["redacted"] == 1
    assert place.purger.run() == 1 + (purged == "never")


@pytest.mark.parametrize("purged", [True, False], ids=["purged between", "in one walk"])
def test_who_asks_behind_their_erasure_is_answered(place: Place, purged: bool) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(REDACT)
    place.flush()
    place.comes("customers/data_request", {**erasure(REDACT), "data_request": {}}, AT + 5)
    if purged:
        assert place.purger.run() == 1
    place.flush()
    assert place.counts()["report_asked"] == 1
    assert place.purger.run() == (1 if purged else 2)
    assert place.redis.xlen(PREFIX + "reports") == 1


def test_what_waits_of_who_was_erased_is_counted_and_leaves_nothing(place: Place) -> None:
    """By their id, their address, and by nothing but a cart of theirs."""
    known = {**bought(7000, customer(OLD, EMAIL, AT), AT - 400), "cart_token": "cart-77aa88bb"}
    place.account(OLD, EMAIL, AT - 500)
    place.comes("orders/create", known, AT - 400)
    place.flush()
    place.erase(REDACT)
    place.flush()
    place.account(OLD, EMAIL, AT + 1)
    place.guest(7001, AT + 2)
    cart = {"id": "cart-77aa88bb", "token": "cart-77aa88bb", "line_items": [], "note": ""}
    place.comes("carts/update", {**cart, "updated_at": iso(AT + 3)}, AT + 3)
    place.purger.run()
    assert place.outbox() == 3
    place.flush()
    assert place.counts()["ignored:redacted"] == 3
    assert place.people() == []
    assert naming(place.redis, OLD, EMAIL, "cart-77aa88bb", ":7001") == []


def test_what_a_guest_buys_behind_a_deletion_is_told(place: Place) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(DELETE)
    place.flush()
    place.guest(7001, AT + 5)
    place.purger.run()
    place.flush()
    assert place.people() == [(None, EMAIL, ["order_completed"])]
    body = bought(7001, {"email": EMAIL}, AT + 5)
    place.comes("orders/paid", body, AT + 6)
    place.flush()
    assert place.people() == [(None, EMAIL, ["order_completed"])]


# who comes behind a deletion is somebody new

WHEN = ("all in one batch", "behind it in one batch", "before", "between", "after")
"""When the purge runs: before somebody new comes, before they are sent, or after."""


def deleted(place: Place, purged: str) -> None:
    """Somebody who was there is deleted."""
    if purged != WHEN[0]:
        place.flush()
    place.erase(DELETE)
    if purged not in WHEN[:2]:
        place.flush()
    if purged == "before":
        place.purger.run()


@pytest.mark.parametrize("purged", WHEN)
def test_a_guest_behind_a_deletion_is_somebody_new(place: Place, purged: str) -> None:
    """What they said before goes with the deletion, also where all of it is in one batch."""
    place.account(OLD, EMAIL, AT - 500)
    deleted(place, purged)
    place.guest(7001, AT + 60)
    if purged == "between":
        place.purger.run()
    place.flush()
    place.purger.run()
    assert place.people() == [(None, EMAIL, ["order_completed"])]
    place.comes("refunds/create", refund(7001, AT + 90), AT + 90)
    place.flush()
    assert place.people() == [(None, EMAIL, ["order_completed", "order_refunded"])]
    assert not {name for name in place.counts() if name.startswith("ignored:")}


@pytest.mark.parametrize("purged", WHEN)
def test_an_account_behind_a_deletion_has_its_address(place: Place, purged: str) -> None:
    place.account(OLD, EMAIL, AT - 500)
    deleted(place, purged)
    place.account(NEW, EMAIL, AT + 60)
    place.comes("orders/create", bought(7001, customer(NEW, EMAIL, AT), AT + 70), AT + 70)
    if purged == "between":
        place.purger.run()
    place.flush()
    place.purger.run()
    assert place.people() == [(NEW, EMAIL, ["order_completed"])]
    # What is remembered of them is theirs: the order is one of two.
    place.comes("orders/create", bought(7002, customer(NEW, EMAIL, AT), AT + 80), AT + 80)
    place.guest(7003, AT + 90)
    place.flush()
    assert [(id, len(events)) for id, _, events in place.people()] == [(NEW, 3)]
    assert not {name for name in place.counts() if name.startswith(("ignored:", "left_out:"))}


@pytest.mark.parametrize("topic", [REDACT, DELETE])
def test_an_address_that_led_to_somebody_erased_leads_nowhere(place: Place, topic: str) -> None:
    """A former guest's address, which was never theirs alone."""
    other = "alias@x.example"
    place.guest(7000, AT - 600, other)
    place.flush()
    place.account(OLD, EMAIL, AT - 500)
    place.redis.set(
        PREFIX + refs.memory("person", "", "", f"email:{other}", SECRET),
        json.dumps({"to": ["id", OLD]}),
    )
    place.flush()
    place.erase(topic)
    place.flush()
    place.guest(7001, AT + 60, other)
    place.flush()
    assert OLD not in [id for id, _, _ in place.people()]
    assert place.events().count(("order_completed", "7001")) == 1
    place.purger.run()
    place.guest(7002, AT + 70, other)
    place.flush()
    assert OLD not in [id for id, _, _ in place.people()]


def test_a_deletion_of_which_only_a_part_was_taken_is_done_before_who_comes_next(
    place: Place,
) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(DELETE)
    place.guest(7001, AT + 60)
    for _ in range(3):
        place.fail = "delete"
        place.flush()
        assert [id for id, _, _ in place.people()] == [OLD]
    place.fail = None
    place.flush()
    place.purger.run()
    assert place.people() == [(None, EMAIL, ["order_completed"])]


# wherever batches begin

ACCOUNT, GUEST, OTHER, AGAIN = "account", "guest", "other account", "account again"


@pytest.mark.parametrize("purged", [True, False], ids=["purged at once", "purged in the end"])
@pytest.mark.parametrize("cuts", list(product([True, False], repeat=4)))
@pytest.mark.parametrize(
    ("story", "left"),
    [
        ((GUEST, ACCOUNT, DELETE, GUEST, OTHER), [(NEW, EMAIL, 1)]),
        ((ACCOUNT, GUEST, DELETE, GUEST, GUEST), [(None, EMAIL, 2)]),
        ((ACCOUNT, DELETE, OTHER, GUEST, AGAIN), [(NEW, EMAIL, 1)]),
        ((ACCOUNT, DELETE, GUEST, DELETE, OTHER), [(NEW, EMAIL, 1)]),
        ((ACCOUNT, GUEST, REDACT, GUEST, AGAIN), []),
        ((ACCOUNT, DELETE, GUEST, REDACT, GUEST), []),
    ],
    ids=lambda value: " > ".join(value) if isinstance(value, tuple) else "",
)
def test_the_same_people_are_left_wherever_batches_begin(
    place: Place,
    story: tuple[str, ...],
    left: list[tuple[str | None, str, int]],
    cuts: tuple[bool, ...],
    purged: bool,
) -> None:
    """Who is left: id, address, how many orders they have."""
    for number, (step, cut) in enumerate(zip(story, (*cuts, True), strict=True)):
        at = AT + number * 10
        if step == GUEST:
            place.guest(7000 + number, at)
        elif step in (DELETE, REDACT):
            place.erase(step, at)
        else:
            place.account(NEW if step == OTHER else OLD, EMAIL, at)
        if cut:
            place.flush()
            if purged:
                place.purger.run()
    place.purger.run()
    place.flush()
    found = [(id, email, events.count("order_completed")) for id, email, events in place.people()]
    assert found == left
    assert (place.outbox(), list(place.letters.dead())) == (0, [])


# What is sent twice, and two deletions at once


@pytest.mark.parametrize("who", ["guest", "account"])
def test_a_deletion_that_is_sent_again_takes_nobody_new_with_it(
    place: Place, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies between sending the batch and writing it down; what stood behind the deletion
    in the outbox is of somebody new."""
    place.account(OLD, EMAIL, AT - 500)
    place.flush()
    place.erase(DELETE)
    if who == "guest":
        place.guest(7001, AT + 60)
    else:
        found = bought(7001, customer(NEW, EMAIL, AT + 60), AT + 60)
        place.comes("orders/create", found, AT + 60)

    def dies(*_: object, **__: object) -> None:
        raise StoreError("Redis: gone")

    with monkeypatch.context() as patched:
        patched.setattr(place.office.outbox, "settle", dies)
        with pytest.raises(StoreError):
            place.flush()
    place.flush()
    ((id_, email, events),) = place.people()
    assert (id_ or None, email, events) == (
        NEW if who == "account" else None,
        EMAIL,
        ["order_completed"],
    )


@pytest.mark.parametrize("other", [False, True], ids=["one deletion", "two"])
def test_a_later_deletion_of_somebody_else_costs_a_newcomer_nothing(
    place: Place, other: bool
) -> None:
    place.account(OLD, EMAIL, AT - 500)
    place.account("9001001009", "two@x.example", AT - 500)
    place.flush()
    place.erase(DELETE)
    place.flush()
    place.refuse(name="order_completed")
    place.guest(7001, AT + 100)
    place.flush()
    place.heal()
    if other:
        place.comes(DELETE, {"id": 9001001009}, AT + 200)
        place.flush()
    assert place.purger.run() == 1 + other
    assert [one.operation.name for one in place.letters.dead()] == ["order_completed"]
