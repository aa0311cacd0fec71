"""Dead letters and parked deliveries: looked at, sent again, dropped, against a real Valkey."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import AT, PLATFORM, SHOP, delivery, event, mapped, person
from redis import Redis

from adapter.model import Entry, Mapped, Operation
from adapter.resolver import resolve
from adapter.store import refs
from adapter.store.letters import HANDFUL, DeadLetter, Letters
from adapter.store.outbox import Claim, Dead, Outbox, Settlement

WORKSPACE, PREFIX = "default", "adapter:default:"
KEY = f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:1001"
REASON = "invalid (timestamp)"


@pytest.fixture
def letters(redis: Redis) -> Letters:
    return Letters(redis, WORKSPACE)


def claim(outbox: Outbox, redis: Redis) -> Claim:
    outbox.sweep()
    job = redis.lpop("rq:queue:adapter")
    assert job is not None
    found = outbox.claim(job.decode(), "t1")
    assert found is not None
    return found


def entries(outbox: Outbox) -> list[Entry]:
    return outbox.read("", 1000)


def die(outbox: Outbox, redis: Redis, action: str = "event") -> Operation:
    """Take an order in and have one of its operations refused; the operation."""
    body = b'{"id": 1001}'
    outbox.accept(
        mapped("d1", person(attributes={"first_name": "Ada"}), event("1001"), order="1001"), body
    )
    found = claim(outbox, redis)
    waiting = entries(outbox)
    operations = resolve(waiting, {}, now=AT).operations
    (operation,) = (one for one in operations if one.action == action)
    outbox.settle(found, Settlement(done=waiting, dead=[Dead(operation, REASON)]))
    return operation


def the_dead(letters: Letters) -> DeadLetter:
    (found,) = letters.dead()
    return found


# dead letters


def test_a_dead_letter_holds_all_that_a_replay_needs(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    operation = die(outbox, redis)
    found = the_dead(letters)
    assert (found.operation, found.reason) == (operation, REASON)
    assert found.deliveries == (delivery("d1"),)
    assert found.bodies == (b'{"id": 1001}',)
    assert redis.xrange(PREFIX + "kept", found.kept[0], found.kept[0])
    assert letters.dead_one(found.id) == found
    assert letters.dead_one("1-1") is None


def test_its_body_stays_when_all_bodies_give_way(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    redis.delete(PREFIX + "kept")
    assert the_dead(letters).bodies == (b'{"id": 1001}',)


def test_one_whose_body_gave_way_before_it_died(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    outbox.accept(mapped("d1", person(), event("1001")), b"{}")
    redis.delete(PREFIX + "kept")
    found = claim(outbox, redis)
    waiting = entries(outbox)
    operation = resolve(waiting, {}, now=AT).operations[-1]
    outbox.settle(found, Settlement(done=waiting, dead=[Dead(operation, REASON)]))
    assert the_dead(letters).bodies == (None,)


@pytest.mark.parametrize("action", ["event", "identify"])
def test_revived_it_waits_as_it_was(
    outbox: Outbox, redis: Redis, letters: Letters, action: str
) -> None:
    operation = die(outbox, redis, action)
    assert letters.revive([the_dead(letters)]) == ["revived"]
    (entry,) = entries(outbox)
    assert entry.operation == operation
    assert (entry.delivery, entry.events, entry.person.named) == (delivery("d1"), (), False)
    assert list(letters.dead()) == []
    assert redis.llen("rq:queue:adapter") == 1
    again = resolve([entry], {}, now=AT).operations
    assert [(one.action, one.id, one.attributes) for one in again] == [
        (operation.action, operation.id, operation.attributes)
    ]
    assert again[0].sources == (entry.id,)


def test_revived_it_holds_its_key_again(outbox: Outbox, redis: Redis, letters: Letters) -> None:
    die(outbox, redis)
    assert redis.get(KEY) is None
    letters.revive([the_dead(letters)])
    assert redis.get(KEY) == b"d1"
    assert redis.ttl(KEY) > 29 * 86400
    later = mapped("d2", person(), event("1001"))
    assert outbox.accept(later, b"{}").events == 0


def test_what_another_delivery_told_since_stays_dead(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    outbox.accept(mapped("d2", person(), event("1001")), b"{}")
    assert letters.revive([the_dead(letters)]) == ["told"]
    assert [entry.delivery.id for entry in entries(outbox)] == ["d2"]
    assert redis.get(KEY) == b"d2"


def test_who_comes_second_changes_nothing(outbox: Outbox, redis: Redis, letters: Letters) -> None:
    die(outbox, redis)
    letter = the_dead(letters)
    assert letters.revive([letter]) + letters.revive([letter]) == ["revived", "gone"]
    assert len(entries(outbox)) == 1


def test_it_may_die_again_and_be_revived_again(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    for _ in range(2):
        assert letters.revive([the_dead(letters)]) == ["revived"]
        found = claim(outbox, redis)
        (entry,) = waiting = entries(outbox)
        (operation,) = resolve(waiting, {}, now=AT).operations
        outbox.settle(found, Settlement(done=waiting, dead=[Dead(operation, "still invalid")]))
        assert redis.get(KEY) is None
        letter = the_dead(letters)
        assert (letter.reason, letter.deliveries) == ("still invalid", (entry.delivery,))
        assert letter.bodies == (b'{"id": 1001}',)


def test_its_body_is_there_when_it_dies_again_though_all_others_gave_way(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    for _ in range(2):
        redis.delete(PREFIX + "kept")
        letters.revive([the_dead(letters)])
        found = claim(outbox, redis)
        waiting = entries(outbox)
        (operation,) = resolve(waiting, {}, now=AT).operations
        outbox.settle(found, Settlement(done=waiting, dead=[Dead(operation, "still invalid")]))
        assert the_dead(letters).bodies == (b'{"id": 1001}',)


def test_the_body_of_an_erasure_is_not_kept_anew(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    redis.delete(PREFIX + "kept")
    letter = the_dead(letters)
    letters.revive([replace(letter, operation=replace(letter.operation, action="suppress"))])
    assert not redis.exists(PREFIX + "kept")
    assert [entry.kept for entry in entries(outbox)] == [""]


def test_more_than_one_step_takes(outbox: Outbox, redis: Redis, letters: Letters) -> None:
    count = HANDFUL + 20
    for number in range(count):
        outbox.accept(mapped(f"d{number}", person(), event(f"{number}")), b"{}")
    found = claim(outbox, redis)
    waiting = entries(outbox)
    operations = resolve(waiting, {}, now=AT).operations[1:]
    outbox.settle(found, Settlement(done=waiting, dead=[Dead(one, REASON) for one in operations]))
    dead = list(letters.dead())
    assert len(dead) == count
    assert letters.revive(dead) == ["revived"] * count
    assert len(outbox.read("", 1000)) == count


def test_dropped_for_good(outbox: Outbox, redis: Redis, letters: Letters) -> None:
    die(outbox, redis)
    letter = the_dead(letters)
    assert letters.drop_dead([letter.id, "1-1"]) == 1
    assert list(letters.dead()) == []
    assert letters.revive([letter]) == ["gone"]


# parked deliveries


def test_a_parked_delivery_with_its_body(outbox: Outbox, letters: Letters) -> None:
    outbox.accept(Mapped("parked", delivery("d1"), "no mapping"), b'{"a": 1}')
    (found,) = letters.parked()
    assert (found.delivery, found.reason, found.body) == (delivery("d1"), "no mapping", b'{"a": 1}')
    assert (found.person, found.events) == (None, ())
    assert letters.parked_one(found.id) == found
    assert letters.parked_one("1-1") is None


def test_one_that_was_mapped_goes_out_as_it_was(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    one = mapped("d1", person(), event("1001"), event("r1", "order_refunded"), order="1001")
    outbox.accept(one, b"{}")
    found = claim(outbox, redis)
    first = outbox.first()
    assert first is not None
    outbox.settle(found, Settlement(condemned=[(first, "the worker died")]))
    (parked,) = letters.parked()
    assert (parked.person, parked.events) == (one.person, one.events)
    assert letters.requeue([parked.id, "1-1"]) == [True, False]
    (entry,) = entries(outbox)
    assert (entry.delivery, entry.person, entry.events) == (one.delivery, one.person, one.events)
    assert (entry.order, entry.kept) == ("1001", parked.kept)
    assert list(letters.parked()) == []


def test_a_parked_one_dropped(outbox: Outbox, letters: Letters) -> None:
    outbox.accept(Mapped("parked", delivery("d1"), "no mapping"), b"{}")
    (found,) = letters.parked()
    assert letters.drop_parked([found.id]) == 1
    assert list(letters.parked()) == []
    assert letters.drop_parked([]) == 0


def park_first(outbox: Outbox, redis: Redis) -> None:
    found, first = claim(outbox, redis), outbox.first()
    assert first is not None
    outbox.settle(found, Settlement(condemned=[(first, "the worker died")]))


@pytest.mark.parametrize(
    ("held_by", "left"), [("d1", []), (None, []), ("d2", ["1001", "1002", "9" * 300])]
)
def test_a_parked_one_dropped_gives_its_keys_back_where_it_holds_them(
    outbox: Outbox, redis: Redis, letters: Letters, held_by: str | None, left: list[str]
) -> None:
    """What was never told may be told by another delivery."""
    keys = ["1001", "1002", "9" * 300]
    events = [event(key) for key in keys]
    outbox.accept(mapped("d1", person(), *events, order="1001"), b"{}")
    park_first(outbox, redis)
    names = {key: PREFIX + refs.business_key(delivery(), "order_completed", key) for key in keys}
    for name in names.values():
        assert redis.get(name) == b"d1"
        redis.delete(name)
        if held_by:
            redis.set(name, held_by)
    (parked,) = letters.parked()
    assert letters.drop_parked([parked.id, parked.id, "1-1"]) == 1
    assert [key for key, name in names.items() if redis.exists(name)] == left
    again = outbox.accept(mapped("d3", person(), *events, order="1001"), b"{}")
    assert again.events == (0 if left else 3)


def test_a_dead_letter_that_was_parked_and_is_dropped_gives_its_key_back(
    outbox: Outbox, redis: Redis, letters: Letters
) -> None:
    die(outbox, redis)
    letters.revive([the_dead(letters)])
    park_first(outbox, redis)
    assert redis.get(KEY) == b"d1"
    (parked,) = letters.parked()
    assert letters.drop_parked([parked.id]) == 1
    assert not redis.exists(KEY)


def test_what_was_replayed_before_it_is_dropped_keeps_its_keys(
    outbox: Outbox, redis: Redis, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.accept(mapped("d1", person(), event("1001"), order="1001"), b"{}")
    park_first(outbox, redis)
    (parked,) = letters.parked()
    letters.requeue([parked.id])
    monkeypatch.setattr(letters, "parked_one", lambda _: parked)
    assert letters.drop_parked([parked.id]) == 0
    assert redis.get(KEY) == b"d1"


def test_more_are_dropped_than_one_step_takes(outbox: Outbox, letters: Letters) -> None:
    count = HANDFUL + 20
    for number in range(count):
        outbox.accept(Mapped("parked", delivery(f"d{number}"), "no mapping"), b"{}")
    assert letters.drop_parked([one.id for one in letters.parked()]) == count
    assert list(letters.parked()) == []
