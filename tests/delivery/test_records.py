"""What is known of an order outlives the batches that learn of it part by part, one made ready
while the other is on its way."""

from __future__ import annotations

import time
from typing import Any

import pytest
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, event, mapped, person
from memories import remember, remembered
from redis import Redis
from servers import naming

from adapter import whom
from adapter.deeds import Errand
from adapter.flush import Office, drain, reader
from adapter.model import Action, CanonicalEvent, Mapped, Person, Ref
from adapter.store import refs
from adapter.store.purge import Purger

from .test_flush import CustomerIo, dead, office, order, sandbox, there, turn

__all__ = ["office", "sandbox", "there"]
ORDER: Ref = ("order", PLATFORM, SHOP, "1")
TOLD: Ref = ("told", PLATFORM, SHOP, "1")
LINK: Ref = ("link", PLATFORM, SHOP, "k1")
SOLD: Ref = ("sold", PLATFORM, SHOP, "checkout:k1")


@pytest.fixture(autouse=True)
def one_entry_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MOST_ENTRIES", 1)
    monkeypatch.setattr(reader, "READ_ENTRIES", 1)


def of_order(id: str, *events: CanonicalEvent, **tokens: str) -> Mapped:
    return mapped(id, person("42", tokens=tokens), *events, order="1")


def shipped(at: int | None = None) -> CanonicalEvent:
    return event("1", "order_fulfilled", at=at or int(time.time()) - 30, order_id="1")


def test_every_batch_keeps_what_the_others_learned(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    remember(redis, LINK, "c1")
    for one in (
        of_order("d1", order("1"), checkout="k1"),
        of_order("d2", shipped()),
        of_order("d3"),
        of_order("d4", checkout="k1"),
    ):
        office.outbox.accept(one, b"{}")
    turn(office, redis)
    assert len(there.requests()) == 2, "each by itself; of d3 and d4 there is nothing to say"
    assert remembered(redis, ORDER) == {"id": "42"}
    assert set(remembered(redis, TOLD)) == {"order_completed", "order_fulfilled"}
    assert (remembered(redis, LINK), remembered(redis, SOLD)) == ("c1", "1")
    assert remembered(redis, ("checkout", PLATFORM, SHOP, "k1")) == {"id": "42"}


def test_what_was_refused_is_not_told_by_the_batch_behind_it(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    refused = CanonicalEvent("order_completed", "1", "no-ulid", int(time.time()), {"order_id": "1"})
    for one in (of_order("d1", refused), of_order("d2", shipped()), of_order("d3")):
        office.outbox.accept(one, b"{}")
    turn(office, redis)
    assert [one["operation"]["id"] for one in dead(redis)] == ["no-ulid"]
    assert there.events() == ["1"]
    assert set(remembered(redis, TOLD)) == {"order_fulfilled"}
    assert redis.xlen("adapter:default:outbox") == 0


def test_a_cart_that_only_its_checkout_names_stays_sold(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    now = int(time.time())
    both = {"cart": "c1", "checkout": "k1"}
    office.outbox.accept(mapped("d1", person("42", tokens=both)), b"{}")
    office.outbox.accept(mapped("d2", person("42", tokens=both), order("1"), order="1"), b"{}")
    turn(office, redis)
    late = person("42", tokens={"checkout": "k1"}, as_of=now, attributes={"city": "Hull"})
    office.outbox.accept(mapped("d3", late), b"{}")
    turn(office, redis)
    assert remembered(redis, ("sold", PLATFORM, SHOP, "cart:c1")) == "1"
    added = event("c1:x", "added_to_cart", at=now, cart_id="c1", order_id="c1", items=[])
    office.outbox.accept(mapped("d4", person("42", tokens={"cart": "c1"}), added), b"{}")
    turn(office, redis)
    assert there.events() == ["1"]


def test_what_waits_is_not_taken_for_remembered(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    both = {"cart": "c1", "checkout": "k1"}
    waits = mapped("d1", Person(as_of=AT, tokens=both), event("k1", "checkout_started"))
    office.outbox.accept(waits, b"{}")
    office.outbox.accept(mapped("d2", Person(as_of=AT, tokens=both)), b"{}")
    turn(office, redis)
    assert remembered(redis, LINK) == "c1"


# What is erased meanwhile

EMAIL = "ada@example.com"


def erase(redis: Redis) -> None:
    purger = Purger(redis, "default")
    purger.order(Errand("purge_person", "r", AT, PLATFORM, SHOP, ("42",), (EMAIL,)))
    purger.run()


@pytest.mark.parametrize("owner", [{"id": "7", "email": EMAIL}, {"email": EMAIL}])
def test_what_is_erased_while_a_batch_is_on_its_way_stays_so(
    office: Office,
    redis: Redis,
    there: CustomerIo,
    monkeypatch: pytest.MonkeyPatch,
    owner: dict[str, str],
) -> None:
    remember(redis, ORDER, owner)
    office.outbox.accept(mapped("d1", NAMELESS, shipped(), order="1"), b"{}")
    send = office.transport.send

    def purged(request: Any, **more: Any) -> Any:
        erase(redis)
        return send(request, **more)

    monkeypatch.setattr(office.transport, "send", purged)
    turn(office, redis)
    assert there.events() == ["1"]
    assert naming(redis, EMAIL) == []
    assert set(remembered(redis, TOLD)) == {"order_fulfilled"}


def test_what_a_batch_changes_while_it_is_erased_is_looked_at_again(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(redis, ORDER, {"id": "7", "email": EMAIL})
    office.outbox.accept(mapped("d1", NAMELESS, shipped(), order="1"), b"{}")
    remove, walked = Purger._remove_some, list[int]()

    def late(purger: Purger, some: Any) -> Any:
        some = list(some)
        if not walked:
            turn(office, redis)
        walked.append(len(some))
        return remove(purger, some)

    monkeypatch.setattr(Purger, "_remove_some", late)
    erase(redis)
    assert walked == [1, 1]
    assert naming(redis, EMAIL) == []
    assert remembered(redis, ORDER) == {"id": "7"}
    assert set(remembered(redis, TOLD)) == {"order_fulfilled"}


def test_things_of_kinds_that_a_shop_names_itself_are_erased(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(mapped("d1", person("42", tokens={"draft": "of-a-phone-call"})), b"{}")
    turn(office, redis)
    assert remembered(redis, ("draft", PLATFORM, SHOP, "of-a-phone-call")) == {"id": "42"}
    erase(redis)
    assert naming(redis, "of-a-phone-call") == []


def test_a_body_without_a_name_of_somebody_erased_is_skipped(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """Their order knows them by an address; it is their id that was erased."""
    remember(redis, ORDER, {"email": EMAIL})
    remember(redis, ("person", "", "", f"email:{EMAIL}"), {"to": ["id", "42"]})
    remember(redis, ("person", "", "", "id:42"), {"sent": AT})
    for mark in (whom.tombstone(("id", "42")), whom.tombstone(("any", ""))):
        remember(redis, mark, 1)
    office.outbox.accept(mapped("d1", NAMELESS, shipped(), order="1"), b"{}")
    turn(office, redis)
    assert there.requests() == []
    assert redis.xlen("adapter:default:outbox") == 0


def test_every_erasure_begins_the_time_of_the_marks_anew(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """The mark that anybody was erased lives as long as the youngest mark of somebody."""

    def erased(who: str, by: str) -> int:
        asked = Action("redact_person", {"id": who})
        office.outbox.accept(Mapped("mapped", delivery(by), person=Person(), action=asked), b"{}")
        turn(office, redis)
        marks = [whom.tombstone(one) for one in (("any", ""), ("id", who))]
        return min(redis.ttl("adapter:default:" + refs.memory(*mark)) for mark in marks)

    erased("42", by="r1")
    for name in redis.scan_iter("adapter:default:redacted:*"):
        redis.expire(name, 86400)  # 29 days later
    assert erased("43", by="r2") > whom.TOMBSTONE_SECONDS - 60
    assert erased("42", by="r3") > whom.TOMBSTONE_SECONDS - 60
