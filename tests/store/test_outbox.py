"""The atomic steps of the outbox, each against a real Valkey."""

from __future__ import annotations

import json
import math
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, event, happening, mapped, person
from memories import remember
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from adapter.errors import StoreError
from adapter.jobs import FLUSH, QUEUE, flush_job
from adapter.model import Entry, LeftOut, Mapped, MoneyBack, OrderMoney, Product
from adapter.resolver import resolve
from adapter.store import refs, topics
from adapter.store.connection import Line, connect
from adapter.store.kept import unsqueeze
from adapter.store.outbox import (
    CAUTIOUS_ENTRIES,
    CLAIMS_BEFORE_CAUTION,
    LEASE_MS,
    WAITED_TOO_LONG,
    Accepted,
    Claim,
    Dead,
    Outbox,
    Settlement,
)
from adapter.store.scripts import PICKUP_MS
from adapter.store.topics import Seen, Topics, latest

PREFIX = "adapter:default:"
LEASE, COUNTS, STREAM = PREFIX + "lease", PREFIX + "counts", PREFIX + "outbox"
RQ_LIST = "rq:queue:adapter"
DEDUPE = f"{PREFIX}dedupe:{PLATFORM}:{SHOP}:"
BUSINESS_KEY = f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:1001"
ORDER = ("order", PLATFORM, SHOP, "1001")
OWNER = f"{PREFIX}thing:order:{PLATFORM}:{SHOP}:1001"
WAITING = f"{PREFIX}waiting:order:{PLATFORM}:{SHOP}:1001"
ADA = {"id": "42"}


def dump(redis: Redis, *, but: tuple[str, ...] = ()) -> dict[str, tuple[bytes, int]]:
    """Every key with all that is in it and the moment it ends."""
    names = sorted(name.decode() for name in redis.scan_iter() if name.decode() not in but)
    return {name: (redis.dump(name), redis.pexpiretime(name)) for name in names}


def counts(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall(COUNTS).items()}


def records(redis: Redis, stream: str) -> list[dict[str, str]]:
    found = redis.xrange(PREFIX + stream)
    return [
        {n.decode(): v.decode() for n, v in fields.items() if n[:1] != b"b"} for _, fields in found
    ]


def fill(outbox: Outbox, *keys: str) -> None:
    for key in keys:
        assert outbox.accept(mapped(f"d{key}", person(), event(key)), b"{}").outcome == "accepted"


def claim(outbox: Outbox, redis: Redis, token: str = "t1") -> Claim:
    """Take the lease as a worker does: pop the job, then claim with its id."""
    outbox.sweep()
    job_id = redis.lpop(RQ_LIST)
    assert job_id is not None
    found = outbox.claim(job_id.decode(), token)
    assert found is not None
    return found


def all_of(outbox: Outbox) -> list[Entry]:
    return outbox.read("", 1000)


# accept


def test_one_step_writes_all_there_is(outbox: Outbox, redis: Redis) -> None:
    one = mapped("d1", person(), event("1001", revenue=59.9), order="1001")
    assert outbox.accept(one, b"{}") == Accepted("accepted", 1)
    (entry,) = all_of(outbox)
    expected = Entry(
        entry.id, one.delivery, one.person, one.events, "1001", entry.size, kept=entry.kept
    )
    assert entry == expected
    assert entry.size > 0
    assert redis.get(DEDUPE + "d1") == entry.kept.encode()
    ((place, kept),) = redis.xrange(PREFIX + "kept")
    assert place.decode() == entry.kept
    assert unsqueeze(kept[b"b"]) == b"{}"
    assert redis.get(BUSINESS_KEY) == b"d1"
    assert counts(redis) == {"accepted": 1}
    assert redis.get(LEASE) == b"job:" + redis.lindex(RQ_LIST, 0)
    assert {name.removeprefix(PREFIX) for name in dump(redis) if name.startswith(PREFIX)} == {
        "outbox",
        "kept",
        "lease",
        "job",
        "jobs",
        "counts",
        "seen",
        "topics",
        (DEDUPE + "d1").removeprefix(PREFIX),
        BUSINESS_KEY.removeprefix(PREFIX),
    }


@pytest.mark.parametrize(
    ("name", "seconds"),
    [(DEDUPE + "d1", 48 * 3600), (BUSINESS_KEY, 30 * 86400), (LEASE, PICKUP_MS // 1000)],
    ids=["delivery id", "business key", "lease of a job"],
)
def test_how_long_it_is_remembered(outbox: Outbox, redis: Redis, name: str, seconds: int) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    assert seconds - 5 <= redis.ttl(name) <= seconds


@pytest.mark.parametrize("outcome", ["mapped", "ignored", "parked"])
def test_a_duplicate_changes_its_counter_only(outbox: Outbox, redis: Redis, outcome: Any) -> None:
    one = replace(
        mapped("d1", person(), event("1001"), order="1001"),
        outcome=outcome,
        reason="test order",
        left_out=(LeftOut("person.phone", "no phone"),),
    )
    outbox.accept(one, b"{}")
    before, counted = dump(redis, but=(COUNTS,)), counts(redis)
    for _ in range(3):
        assert outbox.accept(one, b"another body") == Accepted("duplicate", 0)
    assert dump(redis, but=(COUNTS,)) == before
    assert counts(redis) == {**counted, "duplicate": 3}


def test_the_same_business_key_drops_that_event_only(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1001")
    second = mapped("d2", person(), event("1001"), event("1001", "order_fulfilled"))
    assert outbox.accept(second, b"{}") == Accepted("accepted", 1)
    assert [one.name for one in all_of(outbox)[1].events] == ["order_fulfilled"]
    assert redis.get(BUSINESS_KEY) == b"d1001"
    assert counts(redis) == {"accepted": 2, "repeated": 1}


def test_a_repeated_event_still_brings_its_person(outbox: Outbox) -> None:
    fill(outbox, "1001")
    again = mapped("d2", person(attributes={"city": "Graz"}), event("1001"))
    assert outbox.accept(again, b"{}") == Accepted("accepted", 0)
    assert all_of(outbox)[1].person == again.person
    assert all_of(outbox)[1].events == ()


@pytest.mark.parametrize(
    "other",
    [{"platform": "woocommerce"}, {"shop": "other.example"}],
    ids=["another platform", "another shop"],
)
def test_keys_are_of_one_shop(outbox: Outbox, other: dict[str, str]) -> None:
    one = mapped("d1", person(), event("1001"))
    outbox.accept(one, b"{}")
    elsewhere = replace(one, delivery=replace(one.delivery, **other))
    assert outbox.accept(elsewhere, b"{}") == Accepted("accepted", 1)


def test_keys_of_any_length_stay_apart(outbox: Outbox, redis: Redis) -> None:
    assert outbox.accept(mapped("d1", person(), event("x" * 5000 + "1")), b"{}").events == 1
    assert outbox.accept(mapped("d2", person(), event("x" * 5000 + "2")), b"{}").events == 1
    assert outbox.accept(mapped("d3", person(), event("x" * 5000 + "2")), b"{}").events == 0
    assert max(len(name) for name in dump(redis)) < 400


def test_a_delivery_finds_its_own_keys_free(outbox: Outbox, redis: Redis) -> None:
    """It is sent again after its id was forgotten, before anybody else claimed its keys."""
    one = mapped("d1", person(), event("1001"))
    outbox.accept(one, b"{}")
    redis.delete(DEDUPE + "d1")
    assert outbox.accept(one, b"{}") == Accepted("accepted", 1)
    other = mapped("d2", person(), event("1001"))
    assert outbox.accept(other, b"{}") == Accepted("accepted", 0)


def test_of_twenty_at_once_one_is_accepted(outbox: Outbox, redis: Redis) -> None:
    together = threading.Barrier(20)
    one = mapped("d1", person(), event("1001"))

    def accept(_: int) -> str:
        together.wait(5)
        return outbox.accept(one, b"{}").outcome

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(accept, range(20)))
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 19
    assert len(all_of(outbox)) == 1
    assert redis.llen(RQ_LIST) == 1


def test_of_twenty_deliveries_one_brings_the_event(outbox: Outbox) -> None:
    together = threading.Barrier(20)

    def accept(number: int) -> int:
        together.wait(5)
        return outbox.accept(mapped(f"d{number}", person(), event("1001")), b"{}").events

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(accept, range(20))) == 1


def test_what_is_parked_keeps_body_and_reason(outbox: Outbox, redis: Redis) -> None:
    body = '{"price": "free", "name": "Adä"}'.encode() * 100
    parked = Mapped("parked", delivery("d1"), "order_completed.revenue: expected money")
    assert outbox.accept(parked, body) == Accepted("parked", 0)
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    assert zlib.decompress(fields[b"b"]) == body
    assert fields[b"r"] == b"order_completed.revenue: expected money"
    assert json.loads(fields[b"d"]) == delivery("d1").to_json()
    assert (all_of(outbox), redis.llen(RQ_LIST), redis.exists(LEASE)) == ([], 0, 0)
    assert counts(redis) == {"parked": 1}


def test_what_is_ignored_is_counted_by_reason(outbox: Outbox, redis: Redis) -> None:
    for number in range(2):
        ignored = Mapped("ignored", delivery(f"d{number}"), "test order")
        assert outbox.accept(ignored, b"{}") == Accepted("ignored", 0)
    assert counts(redis) == {"ignored": 2, "ignored:test order": 2}
    assert (all_of(outbox), redis.llen(RQ_LIST)) == ([], 0)


@pytest.mark.parametrize(("known", "after"), [(None, {}), ({"id": "42"}, {"id": "42"})])
def test_an_ignored_order_is_nobodys_unless_somebody_is_known(
    outbox: Outbox, redis: Redis, known: dict[str, str] | None, after: dict[str, str]
) -> None:
    if known:
        remember(redis, ORDER, known)
    outbox.accept(Mapped("ignored", delivery("d1"), "no_person", order="1001"), b"{}")
    assert outbox.owners([ORDER]) == {ORDER: after}


def test_what_was_left_out_is_counted_by_property(outbox: Outbox, redis: Redis) -> None:
    left_out = (
        LeftOut("order_completed.items[0].price", "x"),
        LeftOut("order_completed.items[12].price", "x"),
        LeftOut("person.phone", "x"),
    )
    outbox.accept(replace(mapped("d1", person()), left_out=left_out), b"{}")
    assert counts(redis) == {
        "accepted": 1,
        "left_out:order_completed.items[].price": 2,
        "left_out:person.phone": 1,
    }


# accept: topics and the catalog


@pytest.mark.parametrize("outcome", ["mapped", "ignored", "parked"])
def test_every_topic_is_seen_whatever_becomes_of_it(
    outbox: Outbox, redis: Redis, outcome: Any
) -> None:
    one = replace(mapped("d1", person()), outcome=outcome, reason="because")
    outbox.accept(one, b"{}")
    later = replace(one, delivery=replace(one.delivery, id="d2", received_at=AT + 5))
    outbox.accept(later, b"{}")
    outbox.accept(later, b"{}")
    told = {"accepted" if outcome == "mapped" else outcome: 2}
    assert Topics(redis, "default").seen() == [
        Seen(PLATFORM, SHOP, "orders/create", AT + 5, told),
    ]


def test_topics_are_told_apart_by_shop_and_platform(outbox: Outbox, redis: Redis) -> None:
    base = delivery(topic="customer.tags added")
    for number, change in enumerate(
        [{}, {"shop": "b.example"}, {"platform": "woo"}, {"topic": "a/b", "received_at": AT + 1}]
    ):
        one = replace(base, id=f"d{number}", **change)
        outbox.accept(Mapped("parked", one, "unknown topic"), b"{}")
    found = Topics(redis, "default").seen()
    assert [(one.platform, one.topic, one.shop) for one in found] == [
        (PLATFORM, "a/b", SHOP),
        (PLATFORM, "customer.tags added", "b.example"),
        (PLATFORM, "customer.tags added", SHOP),
        ("woo", "customer.tags added", SHOP),
    ]
    assert latest(found)[PLATFORM, "customer.tags added"] == AT
    assert {tuple(one.outcomes.items()) for one in found} == {(("parked", 1),)}


def test_made_up_topics_do_not_fill_redis(
    outbox: Outbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "MOST", 3)
    for number in range(6):
        made_up = Mapped("parked", delivery(f"d{number}", f"made/up{number}"), "unknown topic")
        assert outbox.accept(made_up, b"{}").outcome == "parked"
    again = Mapped("parked", replace(delivery("d9", "made/up1"), received_at=AT + 9), "unknown")
    outbox.accept(again, b"{}")
    assert redis.hlen(PREFIX + "seen") == redis.hlen(PREFIX + "topics") == 3
    assert Topics(redis, "default").seen()[1].at == AT + 9, "what is known goes on being seen"
    assert counts(redis) == {"parked": 7}


def product_record(redis: Redis, id: str = "77") -> dict[str, Any]:
    text = redis.get(f"{PREFIX}product:{PLATFORM}:{SHOP}:{id}")
    assert text is not None
    return json.loads(text)


def accept_product(outbox: Outbox, id: str, product: Product) -> Accepted:
    return outbox.accept(Mapped("mapped", delivery(id, "products/update"), catalog=product), b"{}")


def test_a_product_feeds_the_catalog_and_nothing_else(outbox: Outbox, redis: Redis) -> None:
    product = Product("77", AT, fields={"title": "Adä"}, variants=({"variant_id": "1"},))
    assert accept_product(outbox, "d1", product) == Accepted("accepted", 0)
    assert Product.from_json(product_record(redis)) == product
    assert redis.ttl(f"{PREFIX}product:{PLATFORM}:{SHOP}:77") > 399 * 86400
    assert (all_of(outbox), redis.llen(RQ_LIST), redis.exists(LEASE)) == ([], 0, 0)
    assert counts(redis) == {"accepted": 1}
    other = replace(delivery("d1"), shop="other.example")
    outbox.accept(Mapped("mapped", other, catalog=replace(product, as_of=1)), b"{}")
    assert product_record(redis)["as_of"] == AT, "another shop's products are others"


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Product("77", AT), Product("77", AT + 1, fields={"title": "new"}), "second"),
        (Product("77", AT), Product("77", AT, fields={"title": "same second"}), "second"),
        (Product("77", AT + 1), Product("77", AT, fields={"title": "old"}), "first"),
        (Product("77", AT), Product("77", AT + 1, removed=True), "second"),
        (Product("77", AT + 1, removed=True), Product("77", AT), "first"),
        (Product("77", AT, removed=True), Product("77", AT), "first"),
        (Product("77", AT), Product("77", AT, removed=True), "second"),
        (Product("77", AT), Product("77", AT - 1, removed=True), "first"),
        (Product("77", AT, removed=True), Product("77", AT + 1), "second"),
        (Product("77", AT, removed=True), Product("77", AT, removed=True), "second"),
    ],
    ids=[
        "newer",
        "of the same second",
        "older",
        "removed",
        "older than its removal",
        "of the second of its removal",
        "removed in the same second",
        "removed before it was made anew",
        "made anew",
        "removed twice",
    ],
)
def test_the_newest_record_of_a_product_stays(
    outbox: Outbox, redis: Redis, first: Product, second: Product, kept: str
) -> None:
    for number, product in enumerate((first, second)):
        assert accept_product(outbox, f"d{number}", product).outcome == "accepted"
    expected = first if kept == "first" else second
    assert Product.from_json(product_record(redis)) == expected


def test_a_product_may_come_with_events(outbox: Outbox, redis: Redis) -> None:
    both = replace(mapped("d1", person(), event("1"), event("2")), catalog=Product("77", AT))
    assert outbox.accept(both, b"{}") == Accepted("accepted", 2)
    assert [one.key for one in all_of(outbox)[0].events] == ["1", "2"]
    assert product_record(redis)["as_of"] == AT


@pytest.mark.parametrize("outcome", ["ignored", "parked"])
def test_what_is_not_accepted_teaches_the_catalog_nothing(
    outbox: Outbox, redis: Redis, outcome: Any
) -> None:
    outbox.accept(Mapped(outcome, delivery("d1"), "why", catalog=Product("77", AT)), b"{}")
    assert list(redis.scan_iter(PREFIX + "product:*")) == []


# read


def test_entries_come_back_in_order_and_whole(outbox: Outbox) -> None:
    texts = ["Adä", "\N{HOT BEVERAGE}", 'quote " and \\', "\x00\x1f", "\u2028"]
    for number, text in enumerate(texts):
        outbox.accept(mapped(f"d{number}", person(), event(str(number), note=text)), b"{}")
    assert [one.events[0].properties["note"] for one in all_of(outbox)] == texts
    first, second = outbox.read("", 2)
    assert outbox.first() == first.id
    assert [one.delivery.id for one in outbox.read(second.id, 2)] == ["d2", "d3"]


# wake


@pytest.mark.parametrize(
    "ledger",
    [
        OrderMoney("1001", 0),
        OrderMoney("1001", 0, 0.0, 0, value=0.0, total=0.0, cancelled=True, presentment_total=0.0),
        OrderMoney("1001", AT, refunds=(MoneyBack("", 0), MoneyBack("r1", 5.0, "EUR"))),
        OrderMoney("", 0, refunds=(MoneyBack("r1"),)),
    ],
    ids=str,
)
def test_money_comes_back_whole_though_it_is_nothing_or_of_1970(
    outbox: Outbox, ledger: OrderMoney
) -> None:
    outbox.accept(replace(mapped("d1", person()), ledger=ledger), b"{}")
    assert [entry.ledger for entry in all_of(outbox)] == [ledger]


def test_the_wake_up_is_a_job_as_rq_reads_it(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    assert Queue.all(connection=redis, serializer=JSONSerializer) == [queue]
    (job_id,) = queue.job_ids
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == (FLUSH, ["default"], {})
    assert job.get_status() is JobStatus.QUEUED
    assert (job.origin, job.timeout, job.result_ttl) == (QUEUE, 300, 0)
    assert job.enqueued_at is not None
    assert abs(job.enqueued_at.timestamp() - time.time()) < 60
    assert redis.get(LEASE) == f"job:{job_id}".encode()


def test_rq_takes_the_job_from_the_queue(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    taken = Queue.dequeue_any([queue], None, connection=redis, serializer=JSONSerializer)
    assert taken is not None
    assert outbox.claim(taken[0].id, "t1") is not None


def test_one_job_however_much_comes_in(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, *map(str, range(10)))
    assert redis.llen(RQ_LIST) == 1


@pytest.mark.parametrize("by", ["accept", "sweep"])
def test_with_no_worker_for_long_the_queue_holds_one_job(
    outbox: Outbox, redis: Redis, by: str
) -> None:
    fill(outbox, "0")
    job_id = redis.lindex(RQ_LIST, 0)
    for number in range(1, 4):
        redis.delete(LEASE)  # as time does
        fill(outbox, str(number)) if by == "accept" else outbox.sweep()
        assert redis.get(LEASE) == b"job:" + job_id
    assert redis.lrange(RQ_LIST, 0, -1) == [job_id]
    assert len(list(redis.scan_iter("rq:job:*"))) == 1
    assert claim(outbox, redis) is not None


def test_a_job_that_was_lost_is_followed_by_another(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    lost = redis.lpop(RQ_LIST)
    assert outbox.sweep() == (1, 0)
    assert redis.llen(RQ_LIST) == 0, "its time to be picked up is not over"
    redis.delete(LEASE)
    assert outbox.sweep() == (1, 0)
    (new,) = redis.lrange(RQ_LIST, 0, -1)
    assert new != lost
    assert outbox.claim(lost.decode(), "t1") is None
    assert outbox.claim(new.decode(), "t1") is not None


def test_an_empty_outbox_wakes_nobody(outbox: Outbox, redis: Redis) -> None:
    assert outbox.sweep() == (0, 0)
    assert dump(redis) == {}


def test_workspaces_share_a_queue_and_nothing_else(outbox: Outbox, redis: Redis) -> None:
    other = Outbox(redis, "second", flush_job("second"))
    fill(outbox, "1")
    fill(other, "1")
    assert [id.decode() for id in redis.lrange(RQ_LIST, 0, -1)] == [
        "flush-default-1",
        "flush-second-1",
    ]
    assert outbox.claim("flush-second-1", "t1") is None
    assert other.claim("flush-second-1", "t1") is not None


# claim


def test_only_the_named_job_claims(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    job_id = redis.lpop(RQ_LIST).decode()
    before = dump(redis)
    assert outbox.claim("flush-default-99", "t1") is None
    assert outbox.claim("", "t1") is None
    assert dump(redis) == before
    assert outbox.claim(job_id, "t1") == Claim("t1", attempts=1, caution=0, failures=0)
    assert redis.get(LEASE) == b"run:t1"
    assert LEASE_MS - 2000 <= redis.pttl(LEASE) <= LEASE_MS
    assert outbox.claim(job_id, "t2") is None, "a job claims once"


@pytest.mark.parametrize("lease", [None, "run:other", "wait:answered 500"])
def test_no_claim_without_a_lease_of_its_own(
    outbox: Outbox, redis: Redis, lease: str | None
) -> None:
    fill(outbox, "1")
    job_id = redis.lpop(RQ_LIST).decode()
    redis.set(LEASE, lease) if lease else redis.delete(LEASE)
    assert outbox.claim(job_id, "t1") is None


def test_after_three_deaths_on_one_batch_entries_go_one_by_one(
    outbox: Outbox, redis: Redis
) -> None:
    fill(outbox, *map(str, range(5)))
    seen = []
    for number in range(CLAIMS_BEFORE_CAUTION + 4):
        found = claim(outbox, redis, f"t{number}")
        seen.append((found.attempts, found.caution))
        redis.delete(LEASE)  # the worker was killed
    assert seen == [(1, 0), (2, 0), (3, 0)] + [(n, CAUTIOUS_ENTRIES) for n in (1, 2, 3, 4)]


def test_caution_ends_when_so_many_are_settled(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "0", "1", "2")
    for number in range(CLAIMS_BEFORE_CAUTION):
        claim(outbox, redis, f"t{number}")
        redis.delete(LEASE)
    found = claim(outbox, redis)
    for left in (1, 2):
        outbox.settle(found, Settlement(done=all_of(outbox)[:1]))
        assert int(redis.hget(PREFIX + "attempts", "caution")) == CAUTIOUS_ENTRIES - left
    redis.hset(PREFIX + "attempts", "caution", 1)
    outbox.settle(found, Settlement(done=all_of(outbox)))
    fill(outbox, "3")
    assert claim(outbox, redis).caution == 0


@pytest.mark.parametrize("end", ["settle", "back off", "release"])
def test_a_flush_that_ends_well_was_no_death(outbox: Outbox, redis: Redis, end: str) -> None:
    fill(outbox, *map(str, range(20)))
    for number in range(6):
        found = claim(outbox, redis, f"t{number}")
        assert (found.attempts, found.caution) == (1, 0)
        if end == "settle":
            outbox.settle(found, Settlement(done=all_of(outbox)[:1]))
        elif end == "back off":
            outbox.back_off(found, 9, "answered 500")
        else:
            outbox.release(found)
        redis.delete(LEASE)


# The fence: who is no longer the owner writes nothing


def full_work(outbox: Outbox) -> Settlement:
    entries = all_of(outbox)
    operation = resolve(entries, {}, now=AT).operations[-1]
    return Settlement(
        done=entries[:2],
        dead=[Dead(operation, "invalid")],
        condemned=[(entries[2].id, "died")],
        waits=[(entries[3].id, ORDER)],
        owners={ORDER: ADA},
        counts={"sent": 2},
    )


STALE_STEPS: dict[str, Callable[[Outbox, Claim], Any]] = {
    "settle": lambda outbox, stale: outbox.settle(stale, full_work(outbox)),
    "settle and hand over": lambda outbox, stale: outbox.settle(
        stale, full_work(outbox), hand_over=True
    ),
    "back off": lambda outbox, stale: outbox.back_off(stale, 9, "answered 500"),
    "pause": lambda outbox, stale: outbox.back_off(stale, 60, "answered 401", paused=True),
    "die": lambda outbox, stale: outbox.back_off(stale, 1, "fault", died=True),
    "release": lambda outbox, stale: outbox.release(stale),
    "begin": lambda outbox, stale: outbox.begin(stale, all_of(outbox)[1].id),
    "renew": lambda outbox, stale: outbox.renew(stale),
}


@pytest.mark.parametrize("lease", [None, "run:other", "run:", "job:flush-default-1", "wait:x"])
@pytest.mark.parametrize("step", STALE_STEPS.values(), ids=STALE_STEPS)
def test_a_stale_token_writes_nothing(
    outbox: Outbox, redis: Redis, step: Callable[[Outbox, Claim], Any], lease: str | None
) -> None:
    fill(outbox, *map(str, range(5)))
    stale = claim(outbox, redis)
    redis.set(LEASE, lease, px=9000) if lease else redis.delete(LEASE)
    before = dump(redis)
    assert not step(outbox, stale)
    assert dump(redis) == before


def test_a_settlement_that_lost_its_lease_is_told_from_an_empty_outbox(
    outbox: Outbox, redis: Redis
) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    work = Settlement(done=all_of(outbox))
    assert outbox.settle(found, work) == 0
    assert outbox.settle(found, work) is None


# begin


def test_where_batches_ended_is_told_to_who_comes_after(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, *map(str, range(5)))
    found = claim(outbox, redis)
    assert found.ends == ()
    ids = [entry.id for entry in all_of(outbox)]
    for last in (ids[1], ids[3], ids[1]):
        assert outbox.begin(found, last)
    redis.delete(LEASE)
    again = claim(outbox, redis, "t2")
    assert again.ends == (ids[3], ids[1])
    assert not outbox.begin(found, ids[4]), "the lease is another's"
    outbox.settle(again, Settlement(done=all_of(outbox)[:2]))
    assert outbox.begin(again, ids[4])
    redis.delete(LEASE)
    last = claim(outbox, redis, "t3")
    assert last.ends == (ids[3], ids[4]), "what is gone has no end"
    assert outbox.settle(last, Settlement(done=all_of(outbox))) == 0
    assert not redis.hexists(PREFIX + "attempts", "ends")


def test_ids_are_compared_as_numbers(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    redis.delete(STREAM)
    for id_ in ("99-1", "100-2", "100-10"):
        redis.xadd(STREAM, {"d": "{}"}, id=id_)
        assert outbox.begin(found, id_)
    redis.xdel(STREAM, "99-1")
    assert outbox.begin(found, "100-10")
    redis.delete(LEASE)
    assert claim(outbox, redis).ends == ("100-2", "100-10")


# renew, back off, release


def test_renewing_gives_the_whole_lease_again(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    redis.pexpire(LEASE, 1000)
    assert outbox.renew(found)
    assert redis.pttl(LEASE) > LEASE_MS - 2000


def test_a_backoff_is_the_lease(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    assert outbox.back_off(found, 7.5, "answered 503")
    assert redis.get(LEASE) == b"wait:answered 503"
    assert 7000 <= redis.pttl(LEASE) <= 7500
    fill(outbox, "2")
    assert outbox.sweep() == (2, 0)
    assert redis.llen(RQ_LIST) == 0, "nobody is woken while it lasts"
    redis.delete(LEASE)
    assert claim(outbox, redis).failures == 1


def test_failures_add_up_until_something_is_settled(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1", "2")
    for number in range(3):
        found = claim(outbox, redis)
        assert found.failures == number
        outbox.back_off(found, 9, "answered 503")
        redis.delete(LEASE)
    found = claim(outbox, redis)
    outbox.settle(found, Settlement(done=all_of(outbox)[:1]))
    assert not redis.exists(PREFIX + "trouble")
    redis.delete(LEASE)
    assert claim(outbox, redis).failures == 0
    assert redis.hget(PREFIX + "last_error", "reason") == b"answered 503"


@pytest.mark.parametrize(
    ("how", "failures", "throttles"),
    [
        ({}, 2, 0),
        ({"throttled": True}, 0, 2),
        ({"paused": True}, 0, 0),
        ({"died": True}, 0, 0),
    ],
    ids=str,
)
def test_what_counts_towards_what(
    outbox: Outbox, redis: Redis, how: dict[str, bool], failures: int, throttles: int
) -> None:
    fill(outbox, "1")
    for _ in range(2):
        outbox.back_off(claim(outbox, redis), 9, "trouble", **how)
        redis.delete(LEASE)
    found = claim(outbox, redis)
    assert (found.failures, found.throttles) == (failures, throttles)


def test_trouble_is_over_once_nothing_is_left_that_has_it(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    outbox.back_off(found, 60, "answered 401", paused=True)
    assert outbox.sweep() == (1, 0)
    assert redis.hget(PREFIX + "trouble", "paused") == b"1"
    # Skipped, as its person was erased meanwhile: the destination was not asked.
    redis.delete(LEASE)
    work = Settlement(done=all_of(outbox), answered=False)
    assert outbox.settle(claim(outbox, redis), work) == 0
    assert redis.exists(PREFIX + "trouble")
    assert outbox.sweep() == (0, 0)
    assert not redis.exists(PREFIX + "trouble")


def test_a_fault_of_ours_counts_as_a_death_and_not_as_a_failure(
    outbox: Outbox, redis: Redis
) -> None:
    fill(outbox, "1")
    outbox.back_off(claim(outbox, redis), 1, "adapter fault: KeyError", died=True)
    redis.delete(LEASE)
    found = claim(outbox, redis)
    assert (found.attempts, found.failures) == (2, 0)


def test_a_release_leaves_no_trace(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    assert outbox.release(found)
    assert not redis.exists(LEASE, PREFIX + "trouble", PREFIX + "last_error")
    assert claim(outbox, redis).failures == 0


# settle


def test_done_is_gone_and_the_rest_stays_in_order(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, *map(str, range(5)))
    found = claim(outbox, redis)
    entries = all_of(outbox)
    redis.pexpire(LEASE, 1000)
    assert outbox.settle(found, Settlement(done=entries[1:4], counts={"sent": 3, "late": 0})) == 2
    assert [one.id for one in all_of(outbox)] == [entries[0].id, entries[4].id]
    assert redis.pttl(LEASE) > LEASE_MS - 2000
    assert counts(redis) == {"accepted": 5, "sent": 3}


def test_the_last_one_drops_the_lease_so_that_the_next_wakes(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    found = claim(outbox, redis)
    assert outbox.settle(found, Settlement(done=all_of(outbox))) == 0
    assert not redis.exists(LEASE)
    fill(outbox, "2")
    assert redis.llen(RQ_LIST) == 1


def test_thousands_at_once(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "0")
    fields = redis.xrange(STREAM)[0][1]
    pipe = redis.pipeline()
    for _ in range(4000):
        pipe.xadd(STREAM, fields)
    pipe.execute()
    found = claim(outbox, redis)
    assert outbox.settle(found, Settlement(done=outbox.read("", 10_000))) == 0


def test_owners_are_remembered(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    refs = {
        ORDER: {"id": "42", "email": "adä@example.com"},
        ("cart", PLATFORM, SHOP, "c" * 5000): {},
    }
    outbox.settle(claim(outbox, redis), Settlement(owners=refs))
    assert outbox.owners([*refs, ("order", PLATFORM, SHOP, "1002")]) == refs
    assert outbox.owners([]) == {}
    assert 399 * 86400 < redis.ttl(OWNER) <= 400 * 86400


def test_handing_over_wakes_another_job(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1", "2")
    found = claim(outbox, redis)
    assert outbox.settle(found, Settlement(done=all_of(outbox)[:1]), hand_over=True) == 1
    (job_id,) = redis.lrange(RQ_LIST, 0, -1)
    assert redis.get(LEASE) == b"job:" + job_id
    assert not outbox.renew(found)
    assert outbox.claim(job_id.decode(), "t2") is not None


def test_handing_over_nothing_wakes_nobody(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1")
    outbox.settle(claim(outbox, redis), Settlement(done=all_of(outbox)), hand_over=True)
    assert (redis.llen(RQ_LIST), redis.exists(LEASE)) == (0, 0)


# dead


def die(outbox: Outbox, redis: Redis, holder: str | None = None) -> dict[str, Any]:
    """Settle an order whose event is refused; the record of it."""
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    if holder:
        redis.set(BUSINESS_KEY, holder)
    found = claim(outbox, redis)
    entries = all_of(outbox)
    operation = resolve(entries, {}, now=AT).operations[-1]
    outbox.settle(found, Settlement(done=entries, dead=[Dead(operation, "invalid (timestamp)")]))
    ((record),) = records(redis, "dead")
    return {"operation": operation.to_json(), **json.loads(record["r"])}


def test_a_dead_letter_holds_operation_reason_and_delivery(outbox: Outbox, redis: Redis) -> None:
    record = die(outbox, redis)
    assert record["reason"] == "invalid (timestamp)"
    assert record["deliveries"] == [delivery("d1").to_json()]
    assert record["operation"]["name"] == "order_completed"
    assert record["operation"]["id"] == event("1001").id


@pytest.mark.parametrize(("holder", "freed"), [(None, True), ("d1", True), ("d2", False)])
def test_a_dead_event_frees_its_key_if_it_is_its_own(
    outbox: Outbox, redis: Redis, holder: str | None, freed: bool
) -> None:
    die(outbox, redis, holder)
    assert redis.exists(BUSINESS_KEY) == (not freed)
    later = mapped("d3", person(), event("1001"))
    assert outbox.accept(later, b"{}") == Accepted("accepted", int(freed))


def test_a_dead_identify_frees_no_key(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1001")
    found = claim(outbox, redis)
    entries = all_of(outbox)
    identify = resolve(entries, {}, now=AT).operations[0]
    outbox.settle(found, Settlement(done=entries, dead=[Dead(identify, "invalid")]))
    assert redis.exists(BUSINESS_KEY)
    assert redis.xlen(PREFIX + "dead") == 1


def test_what_is_condemned_is_parked_whole(outbox: Outbox, redis: Redis) -> None:
    fill(outbox, "1", "2")
    found = claim(outbox, redis)
    first = outbox.first()
    assert first is not None
    before = redis.xrange(STREAM, first, first)[0][1]
    work = Settlement(condemned=[(first, "the worker died"), ("1-1", "is not there")])
    assert outbox.settle(found, work) == 1
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    body = fields.pop(b"b")
    assert unsqueeze(body) == b"{}"
    assert fields == {b"r": b"the worker died", **before}
    assert counts(redis) == {"accepted": 2, "parked": 1}


# waiting for an order's owner


def wait(outbox: Outbox, redis: Redis) -> None:
    """A refund comes in and waits for order 1001."""
    outbox.accept(mapped("d9", NAMELESS, event("9", "order_refunded"), order="1001"), b"{}")
    found = claim(outbox, redis, "t-refund")
    (entry,) = all_of(outbox)
    assert outbox.settle(found, Settlement(waits=[(entry.id, ORDER)])) == 0


def test_what_waits_leaves_the_outbox_and_has_a_day(outbox: Outbox, redis: Redis) -> None:
    wait(outbox, redis)
    assert redis.llen(WAITING) == 1
    ((name, until),) = redis.zrange(PREFIX + "waiting", 0, -1, withscores=True)
    assert PREFIX + name.decode() == WAITING
    assert abs(until - time.time() - 24 * 3600) < 60
    assert not redis.exists(LEASE)
    assert outbox.sweep() == (0, 0)


@pytest.mark.parametrize(
    ("kind", "left"), [("cart", 20), ("checkout", 20), ("subscription", 22), ("order", 22)]
)
def test_only_carts_and_checkouts_of_nobody_give_way_to_newer_ones(
    outbox: Outbox, redis: Redis, kind: str, left: int
) -> None:
    fill(outbox, *map(str, range(22)))
    ref = kind, PLATFORM, SHOP, "t1"
    waits = [(entry.id, ref) for entry in all_of(outbox)]
    outbox.settle(claim(outbox, redis), Settlement(waits=waits))
    assert redis.llen(f"{PREFIX}waiting:{kind}:{PLATFORM}:{SHOP}:t1") == left
    assert counts(redis).get("ignored:too many without a person", 0) == 22 - left


MOST = refs.MOST_UNDER_A_TOKEN


def cart_body(outbox: Outbox, redis: Redis, number: int) -> None:
    """A body of the cart c1 comes in and waits; of one that came before, it is a replay."""
    who = person(None, tokens={"cart": "c1"}, attributes={"current_cart_value": number})
    one = mapped(f"c{number}", who, event(str(number), "added_to_cart"))
    outbox.accept(one, b"{}", kept=place_of(redis, f"c{number}"))
    (entry,) = all_of(outbox)
    outbox.settle(claim(outbox, redis), Settlement(waits=[(entry.id, CART)]))


def place_of(redis: Redis, delivery: str) -> str:
    for place, fields in redis.xrange(PREFIX + "kept"):
        if json.loads(fields[b"d"])["id"] == delivery:
            return str(place.decode())
    return ""


def those_that_wait(redis: Redis) -> list[int]:
    fields = [json.loads(text) for text in redis.lrange(CART_WAITING, 0, -1)]
    found = [dict(zip(one[::2], one[1::2], strict=True)) for one in fields]
    return [int(json.loads(one["d"])["id"].removeprefix("c")) for one in found]


@pytest.mark.parametrize(
    ("came", "replayed", "wait", "given_up"),
    [
        (15, [], range(15), 0),
        (15, range(15), range(15), 0),
        (15, [3, 3, 14, 0], range(15), 0),
        (MOST, range(MOST), range(MOST), 0),
        # What was given up before does not come before what is newer.
        (MOST + 5, [], range(5, MOST + 5), 5),
        (MOST + 5, range(5), range(5, MOST + 5), 10),
        (MOST + 5, range(12), range(5, MOST + 5), 10),
        (MOST + 5, range(MOST + 5), range(5, MOST + 5), 10),
    ],
)
def test_a_replay_of_what_waits_takes_the_place_that_it_has(
    outbox: Outbox,
    redis: Redis,
    came: int,
    replayed: Iterable[int],
    wait: Iterable[int],
    given_up: int,
) -> None:
    for number in (*range(came), *replayed):
        cart_body(outbox, redis, number)
    assert those_that_wait(redis) == list(wait)
    assert counts(redis).get("ignored:too many without a person", 0) == given_up


def test_a_replay_of_what_waits_waits_as_it_is_mapped_now(outbox: Outbox, redis: Redis) -> None:
    cart_body(outbox, redis, 7)
    who = person(None, tokens={"cart": "c1"}, attributes={"current_cart_value": 9})
    outbox.accept(mapped("c7", who, event("7", "added_to_cart")), b"{}", kept=place_of(redis, "c7"))
    waits = [(entry.id, CART) for entry in all_of(outbox)]
    outbox.settle(claim(outbox, redis), Settlement(waits=waits, owners={CART: ADA}))
    (entry,) = all_of(outbox)
    assert entry.person.attributes == {"current_cart_value": 9}


def test_a_replay_of_what_waits_for_its_order_is_parked_once(outbox: Outbox, redis: Redis) -> None:
    wait(outbox, redis)
    refund = mapped("d9", NAMELESS, event("9", "order_refunded"), order="1001")
    outbox.accept(refund, b"{}", kept=place_of(redis, "d9"))
    waits = [(entry.id, ORDER) for entry in all_of(outbox)]
    outbox.settle(claim(outbox, redis), Settlement(waits=waits))
    assert redis.llen(WAITING) == 1


def test_its_order_moves_it_back_in_the_same_step(outbox: Outbox, redis: Redis) -> None:
    wait(outbox, redis)
    fill(outbox, "1001")
    found = claim(outbox, redis)
    work = Settlement(done=all_of(outbox), owners={ORDER: ADA})
    assert outbox.settle(found, work) == 1, "the lease stays for what was moved back"
    (entry,) = all_of(outbox)
    assert (entry.delivery.id, entry.person, entry.order) == ("d9", NAMELESS, "1001")
    assert [one.name for one in entry.events] == ["order_refunded"]
    assert not redis.exists(WAITING, PREFIX + "waiting")
    assert redis.get(LEASE) == b"run:t1"


def test_another_order_moves_nothing(outbox: Outbox, redis: Redis) -> None:
    wait(outbox, redis)
    fill(outbox, "1002")
    other = {("order", PLATFORM, SHOP, "1002"): ADA, ("cart", PLATFORM, SHOP, "1001"): ADA}
    outbox.settle(claim(outbox, redis), Settlement(done=all_of(outbox), owners=other))
    assert (all_of(outbox), redis.llen(WAITING)) == ([], 1)


def test_what_waits_and_is_released_in_one_settlement(outbox: Outbox, redis: Redis) -> None:
    """A refund, then the sale of nobody, in one batch."""
    outbox.accept(mapped("d9", NAMELESS, event("9", "order_refunded"), order="1001"), b"{}")
    found = claim(outbox, redis)
    (entry,) = all_of(outbox)
    assert outbox.settle(found, Settlement(waits=[(entry.id, ORDER)], owners={ORDER: {}})) == 1
    assert [one.delivery.id for one in all_of(outbox)] == ["d9"]


def test_who_waits_a_day_is_parked(outbox: Outbox, redis: Redis) -> None:
    wait(outbox, redis)
    redis.zadd(PREFIX + "waiting", {WAITING.removeprefix(PREFIX): time.time() - 1})
    assert outbox.sweep() == (0, 1)
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    assert fields[b"r"].decode() == WAITED_TOO_LONG
    assert json.loads(fields[b"d"])["id"] == "d9"
    assert json.loads(fields[b"e0"])["name"] == "order_refunded"
    assert not redis.exists(WAITING, PREFIX + "waiting")
    assert counts(redis)["parked"] == 1
    assert outbox.sweep() == (0, 0)


DAY = 24 * 3600
CART = ("cart", PLATFORM, SHOP, "c1")
CART_WAITING = f"{PREFIX}waiting:cart:{PLATFORM}:{SHOP}:c1"


def put_aside(outbox: Outbox, redis: Redis, *sale_and_refund: str) -> None:
    """A sale of nobody waits under its cart, its refund under the order, in this order."""
    for what in sale_and_refund:
        if what == "sale":
            who = person(None, tokens={"cart": "c1"})
            outbox.accept(mapped("d1", who, event("1001"), order="1001"), b"{}")
        else:
            outbox.accept(mapped("d9", NAMELESS, event("9", "order_refunded"), order="1001"), b"{}")
        (entry,) = all_of(outbox)
        work = Settlement(waits=[(entry.id, CART if what == "sale" else ORDER)])
        assert outbox.settle(claim(outbox, redis), work) == 0


def deadlines(redis: Redis) -> dict[str, float]:
    """Seconds that each list still waits."""
    found = redis.zrange(PREFIX + "waiting", 0, -1, withscores=True)
    return {PREFIX + name.decode(): until - time.time() for name, until in found}


@pytest.mark.parametrize("entries", [("sale", "refund"), ("refund", "sale")])
def test_what_follows_a_sale_of_nobody_waits_as_long_as_it_does(
    outbox: Outbox, redis: Redis, entries: tuple[str, str]
) -> None:
    put_aside(outbox, redis, *entries)
    found = deadlines(redis)
    assert found.keys() == {CART_WAITING, WAITING}
    assert 3 * DAY - 60 < found[CART_WAITING] < found[WAITING] < 3 * DAY + 120


@pytest.mark.parametrize("entries", [("sale", "refund"), ("refund", "sale")])
def test_a_sale_that_came_to_nothing_is_nobodys_and_so_is_what_followed_it(
    outbox: Outbox, redis: Redis, entries: tuple[str, str]
) -> None:
    put_aside(outbox, redis, *entries)
    told = ("told", PLATFORM, SHOP, "1001")
    remember(redis, told, {"order_edited": 5})
    assert redis.exists(BUSINESS_KEY)
    redis.zadd(PREFIX + "waiting", {CART_WAITING.removeprefix(PREFIX): time.time() - 1})
    assert outbox.sweep() == (1, 0), "the refund goes on, nothing is parked"
    assert deadlines(redis) == {}
    assert not redis.exists(WAITING, CART_WAITING)
    assert outbox.owners([ORDER, told]) == {ORDER: {}, told: {"order_edited": 5}}
    assert redis.ttl(OWNER) > 300 * DAY
    assert counts(redis)["ignored:no_person"] == 1
    assert not redis.exists(BUSINESS_KEY), "a body that names somebody may tell it"
    (refund,) = all_of(outbox)
    resolution = resolve([refund], {ORDER: {}}, now=AT)
    assert dict(resolution.skipped) == {refund.id: "no_person"}


def test_a_sale_whose_owner_became_known_is_told_as_theirs(outbox: Outbox, redis: Redis) -> None:
    """By a body of the order that did not name the cart: it let go what waited for the order."""
    put_aside(outbox, redis, "sale", "refund")
    remember(redis, ORDER, ADA)
    redis.zadd(PREFIX + "waiting", {CART_WAITING.removeprefix(PREFIX): time.time() - 1})
    assert outbox.sweep() == (2, 0)
    assert outbox.owners([ORDER]) == {ORDER: ADA}
    assert redis.get(BUSINESS_KEY) == b"d1"
    assert "ignored" not in counts(redis)
    resolution = resolve(all_of(outbox), {ORDER: ADA}, now=AT)
    told = [one.name for one in resolution.operations if one.action == "event"]
    assert told == ["order_completed", "order_refunded"]
    assert not resolution.waits


def test_what_gives_way_to_newer_ones_may_be_told_by_another_body(
    outbox: Outbox, redis: Redis
) -> None:
    who = person(None, tokens={"cart": "c1"})
    outbox.accept(mapped("d1", who, event("1001"), order="1001"), b"{}")
    for number in range(20):
        edited = event(str(number), "order_edited")
        outbox.accept(mapped(f"u{number}", who, edited, order="1001"), b"{}")
    waits = [(entry.id, CART) for entry in all_of(outbox)]
    outbox.settle(claim(outbox, redis), Settlement(waits=waits))
    assert counts(redis)["ignored:too many without a person"] == 1
    assert not redis.exists(BUSINESS_KEY)
    assert redis.exists(f"{PREFIX}key:{PLATFORM}:{SHOP}:order_edited:0")


def test_what_waits_for_an_order_of_a_very_long_id_waits_a_day(
    outbox: Outbox, redis: Redis
) -> None:
    """Its name is a hash, which the scripts cannot make."""
    number = "9" * 300
    outbox.accept(mapped("d9", NAMELESS, event("9", "order_refunded"), order=number), b"{}")
    (entry,) = all_of(outbox)
    waits = [(entry.id, ("order", PLATFORM, SHOP, number))]
    assert outbox.settle(claim(outbox, redis), Settlement(waits=waits)) == 0
    assert [round(left / DAY) for left in deadlines(redis).values()] == [1]


def test_a_clock_of_ours_that_jumps_gives_nobody_up(
    outbox: Outbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(outbox, redis)
    ahead = time.time() + 30 * 86400
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: ahead)
        assert outbox.sweep() == (0, 0)
    assert redis.llen(WAITING) == 1


def test_texts_survive_the_waiting_list(outbox: Outbox, redis: Redis) -> None:
    note = 'Adä \N{HOT BEVERAGE} " \\ / \x00\x1f \u2028 1e5 null'
    refund = mapped("d9", NAMELESS, event("9", "order_refunded", note=note), order="1001")
    outbox.accept(refund, b"{}")
    found = claim(outbox, redis)
    (before,) = all_of(outbox)
    outbox.settle(found, Settlement(waits=[(before.id, ORDER)], owners={ORDER: ADA}))
    (after,) = all_of(outbox)
    assert replace(after, id=before.id) == before


# Redis is full, has forgotten, or is gone


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    before = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        redis.config_set("maxmemory", before)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_full_redis_refuses_what_comes_and_lets_go_what_is_there(
    outbox: Outbox, redis: Redis, forgotten: bool
) -> None:
    fill(outbox, "1001", "1002", "1003", "1004", "1005")
    assert redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    with full(redis):
        if forgotten:
            redis.script_flush()
        before = dump(redis)
        outbox._gauge._next = math.inf  # nor does anybody look at how full it is
        for outcome in ("mapped", "ignored", "parked"):
            more = replace(mapped("d9", person(), event("9")), outcome=outcome, reason="why")
            with pytest.raises(StoreError, match="Redis: OutOfMemory"):
                outbox.accept(more, b"{}")
        assert dump(redis) == before
        found = claim(outbox, redis)
        assert outbox.renew(found)
        assert outbox.settle(found, full_work(outbox), hand_over=True) == 2
        found = claim(outbox, redis, "t2")
        assert outbox.settle(found, Settlement(done=all_of(outbox)[:1])) == 1
        assert outbox.back_off(found, 1, "answered 500")
        redis.delete(LEASE)
        assert outbox.sweep() == (1, 0)
        assert outbox.settle(claim(outbox, redis), Settlement(done=all_of(outbox))) == 0
    fill(outbox, "9")


def test_forgotten_scripts_are_sent_again(outbox: Outbox, redis: Redis) -> None:
    redis.script_flush()
    fill(outbox, "1")
    redis.script_flush()
    found = claim(outbox, redis)
    redis.script_flush()
    assert outbox.renew(found)
    redis.script_flush()
    assert outbox.settle(found, Settlement()) == 1
    redis.script_flush()
    assert outbox.release(found)
    redis.script_flush()
    assert outbox.sweep() == (1, 0)


def test_without_redis_every_step_says_so() -> None:
    client = connect("redis://127.0.0.1:1", "web")
    gone = Outbox(client, "default", flush_job("default"))
    nothing = Claim("t1", 1, 0, 0)
    for step in (
        lambda: gone.accept(mapped("d1", person()), b"{}"),
        lambda: gone.claim("j", "t1"),
        lambda: gone.renew(nothing),
        lambda: gone.read("", 1),
        gone.first,
        lambda: gone.owners([ORDER]),
        lambda: gone.settle(nothing, Settlement()),
        lambda: gone.back_off(nothing, 1, "x"),
        lambda: gone.release(nothing),
        gone.sweep,
    ):
        with pytest.raises(StoreError, match="Redis: connection refused"):
            step()


# --- what is remembered of things


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"told":{"a":1789394734}}', {"told": {"a": 1789394734}, "owner": ADA}),
        (b'{"owner":{"id":"7"},"told":{}}', {"owner": ADA, "told": {}}),
        (b'{"owner":{},"x":{"y":[1.5]}}', {"owner": ADA, "x": {"y": [1.5]}}),
        ('{"cart":"caf\u00e9/\u2603\\n"}'.encode(), {"cart": "caf\u00e9/\u2603\n", "owner": ADA}),
        (b"no JSON", {"owner": ADA}),
        (b'"a text"', {"owner": ADA}),
    ],
)
def test_what_is_learned_goes_into_the_record_that_is_there(
    outbox: Outbox, redis: Redis, before: bytes, after: Any
) -> None:
    redis.set(OWNER, before, ex=1000)
    fill(outbox, "1")
    outbox.settle(claim(outbox, redis), Settlement(done=all_of(outbox), owners={ORDER: ADA}))
    assert json.loads(redis.get(OWNER)) == after
    assert redis.ttl(OWNER) > 399 * 86400


# --- an answer that gets lost: the client asks again, and it is as if it had asked once


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Once called, the next answer of Redis is lost on its way, after Redis has done the work."""
    exchange, armed = Line._exchange, threading.Event()

    def lose(line: Line, calls: Any) -> None:
        exchange(line, calls)
        if armed.is_set():
            armed.clear()
            raise RedisConnectionError("lost")

    monkeypatch.setattr(Line, "_exchange", lose)
    return armed.set


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (mapped("d1", person(), event("1001"), event("1002")), Accepted("accepted", 2)),
        (mapped("d1", person()), Accepted("accepted", 0)),
        (Mapped("ignored", delivery("d1"), "test order"), Accepted("ignored", 0)),
        (Mapped("parked", delivery("d1"), "unknown topic"), Accepted("parked", 0)),
    ],
)
def test_a_delivery_whose_answer_is_lost_is_no_duplicate(
    outbox: Outbox, redis: Redis, losing: Callable[[], None], asked: Mapped, answer: Accepted
) -> None:
    fill(outbox, "0")
    losing()
    assert outbox.accept(asked, b"{}") == answer
    assert counts(redis)[answer.outcome] == 1 + (answer.outcome == "accepted")
    assert "duplicate" not in counts(redis)
    before = dump(redis, but=(COUNTS,))
    assert outbox.accept(asked, b"{}") == Accepted("duplicate", 0), "another call is one"
    assert dump(redis, but=(COUNTS,)) == before


def test_a_claim_whose_answer_is_lost_is_still_one_claim(
    outbox: Outbox, redis: Redis, losing: Callable[[], None]
) -> None:
    fill(outbox, "1")
    job_id = redis.lpop(RQ_LIST)
    assert job_id is not None
    losing()
    found = outbox.claim(job_id.decode(), "t1")
    assert found is not None
    assert found.attempts == 1


def test_a_settlement_whose_answer_is_lost_is_written_once(
    outbox: Outbox, redis: Redis, losing: Callable[[], None]
) -> None:
    fill(outbox, "1", "2")
    held = claim(outbox, redis)
    first = all_of(outbox)[0]
    dead = Dead(happening("1"), "refused")
    losing()
    assert outbox.settle(held, Settlement(done=[first], dead=[dead], counts={"sent": 1})) == 1
    assert len(records(redis, "dead")) == 1
    assert counts(redis)["sent"] == 1


def test_a_last_settlement_whose_answer_is_lost_is_not_taken_for_a_lost_lease(
    outbox: Outbox, redis: Redis, losing: Callable[[], None]
) -> None:
    fill(outbox, "1")
    held = claim(outbox, redis)
    losing()
    assert outbox.settle(held, Settlement(done=all_of(outbox))) == 0


def test_what_the_network_held_back_of_a_settlement_is_not_written_over_the_next_one(
    outbox: Outbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try goes on its way when its connection is given up, and may come behind others."""
    fill(outbox, "1", "2", "3")
    held = claim(outbox, redis)
    call, calls = outbox._scripts.call, list[Any]()

    def noted(*asked: Any) -> Any:
        calls.append(asked)
        return call(*asked)

    monkeypatch.setattr(outbox._scripts, "call", noted)
    first, second, _ = all_of(outbox)
    for number, one in enumerate((first, second)):
        work = Settlement(
            done=[one],
            dead=[Dead(happening(str(number)), "refused")],
            memory={("person", "", "", "id:42"): {"sent": AT + number}},
            counts={"sent": 1},
        )
        outbox.settle(held, work)
    before = dump(redis)
    call(*calls[0])
    assert dump(redis) == before
