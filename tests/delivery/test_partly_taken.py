"""A batch of which a part was taken: what comes again must not undo what came after it."""

from __future__ import annotations

from typing import Any

import pytest
from builders import AT, mapped, person
from redis import Redis

from adapter.flush import Office, drain, reader

from .test_flush import LEASE, CustomerIo, dead, office, order, sandbox, there, turn

__all__ = ["office", "sandbox", "there"]
PREFIX = "adapter:default:"
TAKEN: dict[str, Any] = {"delay": 0.01}


def takes(office: Office, id: str, at: int, *keys: str, **attributes: Any) -> None:
    somebody = person("42", as_of=at, attributes=attributes)
    office.outbox.accept(mapped(id, somebody, *map(order, keys)), b"{}")


def test_a_newer_value_is_not_undone_by_the_older_one_that_comes_again(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    takes(office, "d1", AT, "1", first_name="Augusta")
    takes(office, "d2", AT + 10, first_name="Ada")
    takes(office, "d3", AT + 20, "3", city="Hull")
    # Halved because of something in it; the people are taken, the events not yet.
    there.faults({"status": 400}, TAKEN, {"status": 503})
    turn(office, redis)
    assert [one["applied"] for one in there.requests()] == [False, True, False]
    turn(office, redis)
    (who,) = there.people()
    assert who["attributes"] == {"first_name": "Ada", "city": "Hull"}
    assert there.events() == ["1", "3"]
    assert redis.xlen(PREFIX + "outbox") == 0
    assert dead(redis) == []


def test_what_comes_again_is_dated_behind_what_it_was_sent_with(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """One identify told of both, and only the newer of them is finished."""
    takes(office, "d1", AT + 200, city="Hull")
    takes(office, "d2", AT + 100, "2", first_name="Augusta")
    there.faults({"status": 400}, TAKEN, {"status": 503})
    turn(office, redis)
    assert redis.xlen(PREFIX + "outbox") == 1
    takes(office, "d3", AT + 150, first_name="Ada")
    turn(office, redis)
    (who,) = there.people()
    assert who["attributes"] == {"first_name": "Ada", "city": "Hull"}


def test_what_was_sent_in_two_batches_and_comes_again_in_one(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both had arrived when the lease was lost, and none was written down."""
    monkeypatch.setattr(office.outbox, "begin", lambda *_: True)  # by a worker of before
    takes(office, "d1", AT, city="Hull")
    takes(office, "d2", AT, first_name="Augusta")
    settle = office.outbox.settle

    def lost(*args: Any, **more: Any) -> int | None:
        redis.set(LEASE, "run:another", px=9000)
        return settle(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(drain, "MOST_ENTRIES", 1)
        patched.setattr(reader, "READ_ENTRIES", 1)
        patched.setattr(office.outbox, "settle", lost)
        turn(office, redis)
    assert len(there.requests()) == 2
    redis.delete(LEASE)
    takes(office, "d3", AT, first_name="Ada")
    turn(office, redis)
    assert len(there.requests()) == 3
    (who,) = there.people()
    assert who["attributes"] == {"first_name": "Ada", "city": "Hull"}


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_guest_who_was_sent_and_an_account_are_one_though_nobody_heard_of_the_first(
    office: Office, redis: Redis, there: CustomerIo, is_lost: bool
) -> None:
    """Resolved as one batch the guest would never have been somebody of their own, nobody would
    merge them, and their event would stay with a profile of its own."""
    takes(office, "d1", AT, city="Hull")
    turn(office, redis)
    guest = person(None, email="ada@example.com", as_of=AT + 1, attributes={"first_name": "Ada"})
    office.outbox.accept(mapped("d2", guest, order("1")), b"{}")
    if is_lost:
        there.fault(apply=True, close=True)
    turn(office, redis)
    account = person("42", email="ada@example.com", as_of=AT + 2)
    office.outbox.accept(mapped("d3", account), b"{}")
    turn(office, redis)
    (who,) = there.people()
    assert (who["id"], who["email"]) == ("42", "ada@example.com")
    assert who["attributes"] == {"city": "Hull", "first_name": "Ada"}
    assert there.events() == ["1"]


def test_others_are_settled_meanwhile(office: Office, redis: Redis, there: CustomerIo) -> None:
    somebody_else = person("43", as_of=AT, attributes={"first_name": "Mary"})
    office.outbox.accept(mapped("d3", somebody_else), b"{}")
    takes(office, "d1", AT, "1", first_name="Augusta")
    takes(office, "d2", AT + 10, first_name="Ada")
    there.faults({"status": 400}, TAKEN, {"status": 400}, TAKEN, {"status": 503})
    turn(office, redis)
    left = [fields[b"d"] for _, fields in redis.xrange(PREFIX + "outbox")]
    assert len(left) == 2
    assert not any(b'"d3"' in one for one in left)
    turn(office, redis)
    assert sorted(one["attributes"]["first_name"] for one in there.people()) == ["Ada", "Mary"]
