"""Replays through the real mappings, Valkey and flush, to a Customer.io that listens."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backroom import MAPPINGS, PREFIX, SECRET, Backroom, order, without_revenue
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, event, mapped
from memories import remember, remembered

from adapter import replay
from adapter.account import Fate, Told
from adapter.errors import StoreError
from adapter.mapping import Mappings, parse_body
from adapter.mapping.rules import Rule, Rules
from adapter.model import Operation
from adapter.replay import GIVEN_UP, GONE, Done, Plan, Thing
from adapter.settings import shipped
from adapter.store.letters import DeadLetter
from adapter.store.refs import MOST_UNDER_A_TOKEN

KEY = f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:"
UNKNOWN = "orders/exploded"
ORDER = str(order()["id"])


def run(room: Backroom, *things: Thing, remap: bool = False, by: Mappings | None = None) -> Done:
    (done,) = room.replayer(*[by] if by else []).run(things, remap=remap)
    return done


def plan(room: Backroom, *things: Thing, remap: bool = False, by: Mappings | None = None) -> Plan:
    before = room.dump()
    (found,) = room.replayer(*[by] if by else []).plan(things, remap=remap)
    assert room.dump() == before, "a plan writes nothing"
    return found


def states(found: Plan) -> list[tuple[str, str, str | None]]:
    return [(one.name, one.state, one.why) for one in found.events]


def die(room: Backroom, id_: str = "d1") -> DeadLetter:
    """Take an order in whose event Customer.io refuses; what is dead."""
    room.refuse(name="order_completed")
    room.order(id_)
    room.flush()
    room.heal()
    (found,) = room.letters.dead()
    return found


# dead letters


def test_a_dead_letter_is_replayed_until_it_is_delivered(room: Backroom) -> None:
    letter = die(room)
    assert room.events() == []
    assert room.redis.get(KEY + ORDER) is None
    assert (plan(room, letter).outcome, states(plan(room, letter))) == (
        "revived",
        [("order_completed", "new", None)],
    )
    assert run(room, letter).outcome == "revived"
    assert room.redis.get(KEY + ORDER) == b"d1"
    room.flush()
    assert room.events() == [("order_completed", ORDER)]
    assert run(room, letter) == Done(letter.id, "dead", letter.deliveries, "gone", GONE)
    assert list(room.letters.dead()) == []
    room.flush()
    assert room.events() == [("order_completed", ORDER)]


def test_another_delivery_told_it_meanwhile(room: Backroom) -> None:
    letter = die(room)
    room.order("d2", "orders/paid")
    found = plan(room, letter)
    assert (found.outcome, found.reason) == ("told", replay.TOLD_SINCE)
    assert states(found) == [("order_completed", "told", "d2")]
    done = run(room, letter)
    assert (done.outcome, done.stays, done.events) == ("told", True, 0)
    assert len(list(room.letters.dead())) == 1


@pytest.mark.parametrize("remap", [False, True])
def test_one_that_dies_again(room: Backroom, remap: bool) -> None:
    letter = die(room)
    room.refuse(name="order_completed")
    run(room, letter, remap=remap)
    room.flush()
    room.heal()
    (again,) = room.letters.dead()
    assert again.id != letter.id
    assert again.bodies == letter.bodies
    assert run(room, again, remap=remap).outcome == ("accepted" if remap else "revived")
    room.flush()
    assert room.events() == [("order_completed", ORDER)]


def test_a_remap_begins_with_the_body(room: Backroom) -> None:
    letter = die(room)
    done = run(room, letter, remap=True)
    assert (done.outcome, done.events) == ("accepted", 1)
    assert list(room.letters.dead()) == []
    assert room.redis.get(KEY + ORDER) == b"d1"
    room.flush()
    assert room.events() == [("order_completed", ORDER)]
    assert run(room, letter, remap=True).outcome == "gone"


def test_a_remap_that_is_parked_changes_nothing(room: Backroom, tmp_path: Path) -> None:
    letter, by = die(room), without_revenue(tmp_path)
    found = plan(room, letter, remap=True, by=by)
    assert found.outcome == "parked"
    assert "revenue" in str(found.reason)
    before = room.dump()
    done = run(room, letter, remap=True, by=by)
    assert (done.outcome, done.reason, done.stays) == ("parked", found.reason, True)
    assert room.dump() == before


def test_a_remap_without_a_body(room: Backroom) -> None:
    room.refuse(name="order_completed")
    room.order("d1")
    room.redis.delete(PREFIX + "kept")
    room.flush()
    room.heal()
    (letter,) = room.letters.dead()
    assert letter.bodies == (None,)
    for found in (plan(room, letter, remap=True), run(room, letter, remap=True)):
        assert found.outcome == "impossible"
        assert str(found.reason).startswith(GIVEN_UP)
    assert run(room, letter).outcome == "revived"


def test_two_letters_of_one_delivery_are_remapped_once(room: Backroom) -> None:
    room.refuse(id="8274950138263")
    room.order("d1")
    room.flush()
    room.heal()
    letters = list(room.letters.dead())
    assert {one.operation.action for one in letters} == {"identify", "event"}
    done = list(room.replayer().run(letters, remap=True))
    assert [one.outcome for one in done] == ["accepted", "accepted"]
    assert len(room.office.outbox.read("", 10)) == 1
    assert list(room.letters.dead()) == []


def test_two_letters_of_one_delivery_in_one_batch_are_both_told(room: Backroom) -> None:
    room.refuse(id="8274950138263")
    room.order("d1")
    room.flush()
    room.heal()
    letters = list(room.letters.dead())
    assert len(letters) > 1
    list(room.replayer().run(letters))
    room.flush()
    *_, (_, fate) = room.journal.of("d1")
    ((identify, event),) = [(fate.did, fate.events)]
    assert identify == (("identify", None),)
    assert [one.name for one in event] == ["order_completed"]


def test_a_remap_of_what_was_refused_of_a_person_writes_it(room: Backroom) -> None:
    room.refuse(id="8274950138263")
    room.order("d1")
    room.flush()
    room.heal()
    letters = [one for one in room.letters.dead() if one.operation.action == "identify"]
    assert "first_name" in plan(room, *letters, remap=True).changes
    assert run(room, *letters, remap=True).outcome == "accepted"


def test_a_remap_of_a_cart_that_was_refused_tells_what_was_added(room: Backroom) -> None:
    body = parse_body((shipped("fixtures") / "shopify" / "carts_update.json").read_bytes())
    token = str(body["token"]).partition("?")[0]
    remember(room.redis, ("cart", PLATFORM, SHOP, token), {"id": "42"}, secret=SECRET)
    room.refuse(name="added_to_cart")
    room.take("c1", "carts/update", body)
    room.flush()
    room.heal()
    (letter,) = room.letters.dead()
    assert [state for _, state, _ in states(plan(room, letter, remap=True))] == ["new"]
    run(room, letter, remap=True)
    room.flush()
    assert [name for name, _ in room.events()] == ["added_to_cart"]
    # Taken by now, it is what later bodies are held against.
    room.take("c2", "carts/update", body)
    room.flush()
    assert len(room.events()) == 1


def test_an_order_that_was_refused_is_no_history(room: Backroom) -> None:
    letter = die(room)
    told = ("told", PLATFORM, SHOP, ORDER)
    before = remembered(room.redis, told, secret=SECRET)
    remember(
        room.redis, told, {event: at - 30 * 86400 for event, at in before.items()}, secret=SECRET
    )
    assert states(plan(room, letter, remap=True)) == [("order_completed", "new", None)]
    run(room, letter, remap=True)
    room.flush()
    assert room.events() == [("order_completed", ORDER)]


@pytest.mark.parametrize(
    "operation",
    [
        Operation("merge", {"id": "42"}, int(AT), {}, secondary={"id": "43"}),
        Operation("identify", {"id": "42"}, int(AT), {}),
        Operation("suppress", {"id": "42"}, int(AT), {}),
        Operation("delete", {"id": "42"}, int(AT), {}),
        Operation("event", {"id": "42"}, int(AT), {"new": "gold"}, name="vip_tier_changed"),
    ],
    ids=lambda one: one.action,
)
def test_what_memory_holds_as_done_is_not_remapped(room: Backroom, operation: Operation) -> None:
    letter = replace(die(room), operation=operation)
    by = copy.copy(MAPPINGS)
    by.rules = Rules((Rule("vip_tier", frozenset(), lambda _: "gold", "vip_tier_changed"),))
    for found in (plan(room, letter, remap=True, by=by), run(room, letter, remap=True, by=by)):
        assert (found.outcome, found.reason) == ("impossible", replay.DONE_HERE)
    assert len(list(room.letters.dead())) == 1
    assert room.office.outbox.read("", 1) == []


def test_what_is_ignored_again_is_counted_once(room: Backroom) -> None:
    room.order("d1", test=True)
    (kept,) = room.kept.between(None, None)
    before = room.counts()
    assert run(room, kept).outcome == "ignored"
    assert room.counts() == {**before, "replayed": 1}


# what is parked


def test_what_is_parked_goes_by_todays_mappings(room: Backroom) -> None:
    room.order("d1", UNKNOWN)
    (parked,) = room.letters.parked()
    found = plan(room, parked)
    assert (found.before, found.outcome) == ("parked", "parked")
    assert run(room, parked).stays
    # Today its topic is known.
    room.redis.xdel(PREFIX + "parked", parked.id)
    fields = {"d": _as("orders/create"), "r": "was unknown", "b": parked.body, "k": parked.kept}
    room.redis.xadd(PREFIX + "parked", fields)
    (parked,) = room.letters.parked()
    assert (plan(room, parked).outcome, states(plan(room, parked))) == (
        "accepted",
        [("order_completed", "new", None)],
    )
    assert plan(room, parked).changes["email"] == "ada@example.com"
    assert run(room, parked).outcome == "accepted"
    assert run(room, parked).outcome == "gone"
    room.flush()
    assert room.events() == [("order_completed", ORDER)]
    assert list(room.letters.parked()) == []


def test_of_before_there_was_a_place_in_kept(room: Backroom) -> None:
    """Parked by an older version: its id is still remembered, and is no reason to refuse it."""
    room.order("d1", UNKNOWN)
    (parked,) = room.letters.parked()
    room.redis.xdel(PREFIX + "parked", parked.id)
    room.redis.xadd(PREFIX + "parked", {"d": _as("orders/create"), "r": "x", "b": parked.body})
    (parked,) = room.letters.parked()
    assert parked.kept == ""
    assert run(room, parked).outcome == "accepted"


def _as(topic: str) -> str:
    from adapter.compact import dump

    return dump(replace(delivery("d1"), topic=topic).to_json())


@pytest.mark.parametrize("with_body", [True, False])
def test_what_waited_too_long_goes_out_as_it_was_mapped(room: Backroom, with_body: bool) -> None:
    one = mapped("d1", NAMELESS, event("7", "order_refunded", AT, order_id="1001"), order="1001")
    room.office.outbox.accept(one, b"{}")
    if not with_body:
        room.redis.delete(PREFIX + "kept")
    room.flush()
    assert room.redis.zcard(PREFIX + "waiting") == 1
    for name in room.redis.zrange(PREFIX + "waiting", 0, -1):
        room.redis.zadd(PREFIX + "waiting", {name: 1})
    room.office.outbox.sweep()
    (parked,) = room.letters.parked()
    if with_body:  # today's mappings have the last word: this body names nothing
        assert run(room, parked).outcome in ("parked", "ignored")
        return
    found = plan(room, parked)
    assert (found.outcome, states(found)) == ("requeued", [("order_refunded", "again", None)])
    assert "waits until" in str(found.reason)
    assert run(room, parked).outcome == "requeued"
    assert run(room, parked).outcome == "gone"
    assert [one.name for one in room.office.outbox.read("", 1)[0].events] == ["order_refunded"]


@pytest.mark.parametrize(
    ("operation", "events"),
    [
        (None, 1),
        (Operation("merge", {"id": "42"}, int(AT), {}, secondary={"id": "43"}), 0),
        (Operation("identify", {"id": "42"}, int(AT), {}), 0),
        (Operation("suppress", {"id": "42"}, int(AT), {}), 0),
        (Operation("event", {"id": "42"}, int(AT), {"new": "gold"}, name="vip_tier_changed"), 1),
    ],
    ids=lambda one: one.action if isinstance(one, Operation) else None,
)
def test_a_dead_letter_that_is_parked_on_its_second_way_goes_out_as_it_was(
    room: Backroom, operation: Operation | None, events: int
) -> None:
    """What memory holds as done would not come about again from its body."""
    letter = die(room)
    letter = replace(letter, operation=operation or letter.operation)
    assert room.letters.revive([letter]) == ["revived"]
    parked = room.condemn()
    assert parked.operation == letter.operation
    assert plan(room, parked).outcome == "requeued"
    done = run(room, parked)
    assert (done.outcome, done.events) == ("requeued", events)
    assert run(room, parked).outcome == "gone"
    (entry,) = room.office.outbox.read("", 10)
    assert (entry.operation, entry.kept) == (letter.operation, parked.kept)


def test_a_merge_that_is_refused_then_parked_then_replayed_is_done(room: Backroom) -> None:
    gids = []
    for number in (1, 2):
        at, gid = "2026-09-14T10:00:00Z", f"gid://shopify/Customer/{number}"
        who = {"id": number, "admin_graphql_api_id": gid, "email": f"{number}@x.example"}
        room.take(f"c{number}", "customers/create", {**who, "created_at": at, "updated_at": at})
        gids.append(gid)
    room.flush()
    kept, deleted = (f"admin_graphql_api_customer_{which}_id" for which in ("kept", "deleted"))
    room.take("m1", "customers/merge", {kept: gids[0], deleted: gids[1], "status": "completed"})
    room.answer(207, json.dumps({"errors": [{"batch_index": 0, "reason": "invalid"}]}))
    room.flush()
    (letter,) = room.letters.dead()
    assert run(room, letter).outcome == "revived"
    assert room.people() == ["1", "2"]
    assert run(room, room.condemn()).outcome == "requeued"
    room.flush()
    assert room.people() == ["1"]
    assert (list(room.letters.dead()), list(room.letters.parked())) == ([], [])


def test_what_was_parked_and_dropped_may_be_told_by_another_delivery(room: Backroom) -> None:
    room.order("d1")
    room.letters.drop_parked([room.condemn().id])
    room.order("d2", "orders/paid")
    room.flush()
    assert room.events() == [("order_completed", ORDER)]


def test_what_is_parked_without_a_body_and_was_never_mapped(room: Backroom) -> None:
    room.redis.xadd(PREFIX + "parked", {"d": _as("orders/create"), "r": "no body"})
    (parked,) = room.letters.parked()
    assert (plan(room, parked).outcome, plan(room, parked).reason) == ("impossible", GIVEN_UP)
    assert run(room, parked).outcome == "impossible"


# what was taken in


def test_a_clock_of_1970_costs_an_order_nothing(room: Backroom) -> None:
    at = "1970-01-01T00:00:00Z"
    room.order("d1", updated_at=at, created_at=at, processed_at=at)
    room.order("d2", id=1002)
    room.flush()
    assert room.events() == [("order_completed", "1002"), ("order_completed", ORDER)]
    assert (list(room.letters.parked()), room.counts()["sent"]) == ([], 2)
    again = list(room.replayer().run(room.kept.between(None, None)))
    assert [one.outcome for one in again] == ["accepted", "accepted"]


def waiting_cart(room: Backroom, number: int) -> None:
    """The states of one cart of nobody, each with one more of its first line."""
    body = parse_body((shipped("fixtures") / "shopify" / "carts_create.json").read_bytes())
    body["line_items"][0]["quantity"] = number + 1
    at = AT + 10 * number
    body["updated_at"] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    room.take(f"c{number}", "carts/update", body, at)


@pytest.mark.parametrize("came", [15, 25])
@pytest.mark.parametrize("replayed", [slice(0), slice(3), slice(20), slice(None)], ids=str)
def test_a_replay_takes_nothing_from_carts_that_wait(
    room: Backroom, came: int, replayed: slice
) -> None:
    for number in range(came):
        waiting_cart(room, number)
    room.flush()
    list(room.replayer().run(list(room.kept.between(None, None))[replayed]))
    room.flush()
    checkout = parse_body((shipped("fixtures") / "shopify" / "checkouts_create.json").read_bytes())
    body = parse_body((shipped("fixtures") / "shopify" / "carts_create.json").read_bytes())
    room.take("o1", "checkouts/create", {**checkout, "cart_token": body["token"]}, AT + 500)
    room.flush()
    told = [name for name, _ in room.events() if name == "added_to_cart"]
    assert len(told) == min(came, MOST_UNDER_A_TOKEN)


def test_what_was_sent_is_ignored_by_its_id(room: Backroom) -> None:
    room.order("d1")
    room.flush()
    (kept,) = room.kept.between(None, None)
    found = plan(room, kept)
    assert (found.outcome, states(found)) == ("accepted", [("order_completed", "again", None)])
    done = run(room, kept)
    assert (done.outcome, done.events) == ("accepted", 1)
    room.flush()
    assert room.events() == [("order_completed", ORDER)], "it is there once"
    batches = [fate for _, fate in room.journal.of("d1")]
    assert [[one.id for one in fate.events] for fate in batches] == [[found.events[0].id]] * 2


def test_what_another_told_is_left_to_it(room: Backroom) -> None:
    room.order("d1")
    room.order("d2", "orders/paid")
    _, second = room.kept.between(None, None)
    assert states(plan(room, second)) == [("order_completed", "told", "d1")]
    assert run(room, second).events == 0


def test_of_two_in_one_plan_the_first_tells_it(room: Backroom) -> None:
    room.order("d1")
    room.order("d2", "orders/paid")
    room.redis.delete(KEY + ORDER)
    found = list(room.replayer().plan(room.kept.between(None, None)))
    assert [states(one) for one in found] == [
        [("order_completed", "new", None)],
        [("order_completed", "told", "d1")],
    ]
    done = list(room.replayer().run(room.kept.between(None, None)))
    assert [one.events for one in done] == [1, 0], "as planned"


def test_a_plan_knows_what_is_newer_by_now(room: Backroom) -> None:
    room.order("d1")
    room.order("d2", "orders/updated", updated_at="2026-10-22T08:00:05-04:00",
               customer={**order()["customer"], "first_name": "Augusta"})  # fmt: skip
    room.flush()
    first, _ = room.kept.between(None, None)
    assert "first_name" not in plan(room, first).changes


def test_a_plan_with_requests_shows_what_would_be_sent(room: Backroom) -> None:
    room.order("d1")
    kept = list(room.kept.between(None, None))
    (found,) = room.replayer().plan(kept, with_requests=True)
    ((request,),) = [found.requests]
    assert request["path"] == "/api/v2/batch"
    assert [one["action"] for one in request["json"]["batch"]] == ["identify", "event"]


def test_what_was_erased_comes_to_nothing(room: Backroom) -> None:
    room.order("d1")
    (kept,) = room.kept.between(None, None)
    room.flush()
    ada = {"id": order()["customer"]["id"], "email": "ada@example.com"}
    redact = {"shop_domain": SHOP, "orders_to_redact": [], "customer": ada}
    assert room.take("d2", "customers/redact", redact) == "accepted"
    room.flush()
    found = plan(room, kept)
    assert "comes to nothing" in str(found.reason)
    assert [one.state for one in found.events] == ["dropped"]
    run(room, kept)
    sent = len(room.events())
    room.flush()
    assert len(room.events()) == sent
    assert room.kept.get(kept.id) is None, "its body is not kept any longer"


def test_the_planner_reads_what_is_new_after_an_erasure(room: Backroom) -> None:
    """What one handful teaches must not keep the next from looking for itself."""
    redact = {"shop_domain": SHOP, "orders_to_redact": [], "customer": {"id": 4711}}
    room.take("d0", "customers/redact", redact)
    room.order("d1")
    room.flush()
    replayer = room.replayer()
    first, second = room.kept.between(None, None)
    planner = replay._Planner(replayer, with_requests=False)
    planner.plan([replayer._part(first, remap=False)])
    memory = planner._memory([replayer._part(second, remap=False)])
    owner = ("order", PLATFORM, SHOP, ORDER)
    assert memory.get(owner), "the order's owner was read"


def test_redis_that_goes_leaves_what_came_before_it_done(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        room.order(f"d{number}", id=1000 + number)
    room.flush()
    accept, calls = room.office.outbox.accept, []

    def fails(*args: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise StoreError("Redis: gone")
        return accept(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(room.office.outbox, "accept", fails)
    done: list[Done] = []
    with pytest.raises(StoreError):
        done.extend(room.replayer().run(room.kept.between(None, None)))
    monkeypatch.undo()
    done = list(room.replayer().run(room.kept.between(None, None)))
    assert [one.outcome for one in done] == ["accepted"] * 3
    room.flush()
    assert len(room.events()) == 3


def test_an_account_adds_up_all_that_one_delivery_brought() -> None:
    from builders import entry, happening, person

    from adapter.account import Account, account
    from adapter.courier import Report
    from adapter.resolver import Resolution

    entries = [entry("1-0", person()), entry("2-0", person())]
    entries = [type(one)(one.id, delivery("d1"), one.person, ()) for one in entries]
    one, other = (happening(key) for key in ("1", "2"))
    other = type(other)(**{n: getattr(other, n) for n in other.__slots__} | {"sources": ("2-0",)})
    report = Report(taken=[one, other])
    told = account(entries, Resolution((one, other)), report, {"1-0", "2-0"}, at=1.0)
    assert Account.from_json(told).fates == {
        "d1": Fate((Told("order_completed", str(one.id)), Told("order_completed", str(other.id))))
    }
