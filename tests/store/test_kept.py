"""Bodies and what became of them: kept, found, given up, against a real Valkey."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from builders import PLATFORM, SHOP, delivery, event, mapped, person
from redis import Redis

from adapter.account import Account, Fate, Told
from adapter.compact import dump
from adapter.model import Mapped
from adapter.store import refs
from adapter.store.journal import Journal, written
from adapter.store.kept import Kept, KeptDelivery, squeeze, unsqueeze
from adapter.store.outbox import Accepted, Outbox

WORKSPACE, PREFIX = "default", "adapter:default:"
SHOPS = [("shopify", "elsewhere.myshopify.com"), (PLATFORM, SHOP)]
BODY = '{"name": "Adä", "total_price": "59.90"}'.encode() * 40


@pytest.fixture
def kept(redis: Redis) -> Kept:
    return Kept(redis, WORKSPACE)


def the_one(kept: Kept) -> KeptDelivery:
    (found,) = kept.between(None, None)
    return found


# bodies


@pytest.mark.parametrize("raw", [b"", b"{}", BODY, bytes(range(256))], ids=len)
def test_a_body_comes_back_as_it_was(raw: bytes) -> None:
    assert unsqueeze(squeeze(raw)) == raw


def test_a_body_takes_less_than_it_is() -> None:
    assert len(squeeze(BODY)) < len(BODY) / 4


def test_what_was_never_compressed_is_given_back() -> None:
    assert unsqueeze(b'{"kept": "as it is"}') == b'{"kept": "as it is"}'


# what is kept of a delivery


@pytest.mark.parametrize(
    ("one", "outcome", "reason", "body"),
    [
        (mapped("d1", person(), event("1001"), order="1001"), "accepted", None, BODY),
        (Mapped("ignored", delivery("d1"), "a test order"), "ignored", "a test order", BODY),
        (Mapped("parked", delivery("d1"), "no mapping"), "parked", "no mapping", None),
    ],
    ids=["accepted", "ignored", "parked"],
)
def test_every_delivery_is_kept(
    outbox: Outbox, kept: Kept, one: Mapped, outcome: str, reason: str | None, body: bytes | None
) -> None:
    before = time.time()
    outbox.accept(one, BODY)
    found = the_one(kept)
    assert (found.outcome, found.reason, found.body) == (outcome, reason, body)
    assert (found.delivery, found.order, found.told) == (one.delivery, one.order, ())
    assert before - 1 < found.at < time.time() + 1


def test_a_retried_delivery_is_kept_once(outbox: Outbox, kept: Kept) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    assert the_one(kept).delivery.id == "d1"


def test_it_says_which_delivery_had_told_an_event_before(outbox: Outbox, kept: Kept) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    outbox.accept(mapped("d2", person(), event("1001")), BODY)
    _, second = kept.between(None, None)
    assert second.told == ((f"key:{PLATFORM}:{SHOP}:order_completed:1001", "d1"),)


def test_a_parked_body_lies_where_it_is_parked_and_knows_its_place(
    outbox: Outbox, kept: Kept, redis: Redis
) -> None:
    outbox.accept(Mapped("parked", delivery("d1"), "no mapping"), BODY)
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    assert unsqueeze(fields[b"b"]) == BODY
    assert fields[b"k"].decode() == the_one(kept).id


# finding


def test_by_the_id_of_the_delivery(outbox: Outbox, kept: Kept) -> None:
    for id_ in ("d1", "d2", "d3"):
        outbox.accept(mapped(id_, person(), event(id_)), BODY)
    found = kept.find("d2", SHOPS)
    assert found is not None
    assert found.delivery.id == "d2"


@pytest.mark.parametrize("shops", [SHOPS, []], ids=["its id is known", "its shop is not"])
def test_also_when_its_id_is_no_more_remembered(
    outbox: Outbox, kept: Kept, redis: Redis, shops: list[tuple[str, str]]
) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    redis.delete(f"{PREFIX}dedupe:{PLATFORM}:{SHOP}:d1")
    found = kept.find("d1", shops)
    assert found is not None
    assert kept.find("d9", shops) is None


def test_what_was_given_up_is_not_found(outbox: Outbox, kept: Kept, redis: Redis) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    redis.delete(PREFIX + "kept")
    assert kept.find("d1", SHOPS) is None
    assert kept.get("1-0") is None


def test_by_when_they_came_both_ways(redis: Redis, kept: Kept) -> None:
    ids = [f"{second}000-0" for second in range(100, 700)]
    for id_ in ids:
        fields = {"d": dump(delivery(id_).to_json()), "w": "accepted", "b": squeeze(b"{}")}
        redis.xadd(PREFIX + "kept", fields, id=id_)
    assert [one.id for one in kept.between(None, None)] == ids
    assert [one.id for one in kept.newest()] == ids[::-1]
    assert [one.id for one in kept.between(300, 500)] == ids[200:400]
    assert [one.id for one in kept.between(698, None)] == ids[-2:]
    assert kept.count() == 600


# replays


def test_a_replay_passes_the_claim_of_its_id_and_tells_its_events_again(
    outbox: Outbox, kept: Kept
) -> None:
    one = mapped("d1", person(), event("1001"))
    outbox.accept(one, BODY)
    place = the_one(kept).id
    assert outbox.accept(one, BODY, kept=place) == Accepted("accepted", 1)
    first, again = outbox.read("", 10)
    assert (again.delivery, again.events, again.kept) == (first.delivery, first.events, place)
    assert the_one(kept).id == place


def test_a_replay_leaves_what_another_delivery_told(outbox: Outbox, kept: Kept) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), BODY)
    outbox.accept(mapped("d2", person(), event("1001")), BODY)
    _, second = kept.between(None, None)
    again = mapped("d2", person(), event("1001"), event("r1", "order_refunded"))
    assert outbox.accept(again, BODY, kept=second.id) == Accepted("accepted", 1)
    assert [one.name for one in outbox.read("", 10)[-1].events] == ["order_refunded"]


def test_a_body_that_was_given_up_and_comes_with_its_replay_is_kept_again(
    outbox: Outbox, kept: Kept, redis: Redis
) -> None:
    one = mapped("d1", person(), event("1001"))
    outbox.accept(one, BODY)
    redis.delete(PREFIX + "kept")
    outbox.accept(one, BODY, kept="1-0")
    assert the_one(kept).body == BODY
    assert outbox.read("", 10)[-1].kept == the_one(kept).id


@pytest.mark.parametrize("outcome", ["mapped", "ignored", "parked"])
def test_what_is_parked_is_replayed_until_it_is_parked_no_more(
    outbox: Outbox, kept: Kept, redis: Redis, outcome: str
) -> None:
    outbox.accept(Mapped("parked", delivery("d1"), "no mapping"), BODY)
    ((parked, _),) = redis.xrange(PREFIX + "parked")
    today = replace(mapped("d1", person(), event("1001")), outcome=outcome, reason="today's")
    said = outbox.accept(today, BODY, kept=the_one(kept).id, parked=parked.decode())
    assert said.outcome == ("accepted" if outcome == "mapped" else outcome)
    assert redis.xlen(PREFIX + "parked") == (outcome == "parked")
    assert len(outbox.read("", 10)) == (outcome == "mapped")
    # Its body lay in `parked` only: it is kept with what became of it now.
    now = the_one(kept)
    assert (now.outcome, now.body) == (said.outcome, None if outcome == "parked" else BODY)
    assert redis.get(PREFIX + refs.dedupe(delivery("d1"))) == now.id.encode()
    if outcome == "mapped":
        assert outbox.read("", 10)[0].kept == now.id


def test_two_who_replay_one_parked_delivery(outbox: Outbox, kept: Kept, redis: Redis) -> None:
    outbox.accept(Mapped("parked", delivery("d1"), "no mapping"), BODY)
    ((parked, _),) = redis.xrange(PREFIX + "parked")
    one, place = mapped("d1", person(), event("1001")), the_one(kept).id
    said = [outbox.accept(one, BODY, kept=place, parked=parked.decode()) for _ in range(2)]
    assert [each.outcome for each in said] == ["accepted", "gone"]
    assert len(outbox.read("", 10)) == 1


# the journal


def test_an_account_comes_back_as_it_was(redis: Redis) -> None:
    told = {
        "t": 1767225600.5,
        "a": [[500, 0.25, 3], [200, 0.05, 3]],
        "d": {
            "d1": [[["order_completed", "01X"], ["x", "01Y", "dead: invalid"]], [["identify"]]],
            "d2": [[], [["identify", "dead: too large"]], "note"],
            "d3": [],
        },
    }
    redis.xadd(PREFIX + "journal", {"j": written(told)})
    ((found, fate),) = Journal(redis, WORKSPACE).of("d1")
    assert found == Account(
        1767225600.5,
        ((500, 0.25, 3), (200, 0.05, 3)),
        False,
        {
            "d1": Fate(
                (Told("order_completed", "01X"), Told("x", "01Y", "dead: invalid")),
                (("identify", None),),
            ),
            "d2": Fate((), (("identify", "dead: too large"),), "note"),
            "d3": Fate(),
        },
    )
    assert fate == found.fates["d1"]
    assert list(Journal(redis, WORKSPACE).of("d9")) == []


def test_the_journal_goes_on_behind_a_page(redis: Redis) -> None:
    for second in range(1, 121):
        told = {"t": second, "a": [], "d": {f"d{second}": []}, "dry": 1}
        redis.xadd(PREFIX + "journal", {"j": written(told)}, id=f"{second}000-0")
    journal = Journal(redis, WORKSPACE)
    assert [one.at for one in journal.since()] == list(range(1, 121))
    assert [one.at for one in journal.since(119)] == [119, 120]
    assert all(one.rehearsal for one in journal.since())
    assert [account.at for account, _ in journal.of("d120", since=100)] == [120]


def test_the_journal_is_small() -> None:
    told = {
        "t": 1767225600.5,
        "a": [[200, 0.05, 700]],
        "d": {
            f"0b1c2d3e-{n:04}-4000-8000-{n:012}": [
                [["order_completed", f"01KDWYZ8{n:018}"]],
                [["identify"]],
            ]
            for n in range(500)
        },
    }
    assert len(written(told)) < 500 * 60
    assert json.loads(json.dumps(told)) == told
