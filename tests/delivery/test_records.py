"""What is known of an order outlives the batches that learn of it part by part, one made ready
while the other is on its way."""

from __future__ import annotations

import time

import pytest
from builders import PLATFORM, SHOP, event, mapped, person
from memories import remember, remembered
from redis import Redis

from adapter import flush as module
from adapter.flush import Office
from adapter.model import CanonicalEvent, Mapped, Ref

from .test_flush import CustomerIo, dead, office, order, sandbox, there, turn

__all__ = ["office", "sandbox", "there"]
ORDER: Ref = ("order", PLATFORM, SHOP, "1")
TOLD: Ref = ("told", PLATFORM, SHOP, "1")
LINK: Ref = ("link", PLATFORM, SHOP, "k1")
SOLD: Ref = ("sold", PLATFORM, SHOP, "checkout:k1")


@pytest.fixture(autouse=True)
def one_entry_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 1)
    monkeypatch.setattr(module, "READ_ENTRIES", 1)


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
    assert len(there.requests()) == 3, "each by itself; of d3 there is nothing to say"
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
