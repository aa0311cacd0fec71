"""Dead letters on their second way: as they were, to whoever their person is by now; and what the
journal tells of it all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, delivery, entry, event, happening, identify, mapped, person
from redis import Redis

from adapter import whom
from adapter.account import Account, Fate, Told
from adapter.compact import dump, load
from adapter.flush import Office
from adapter.mapping import load as load_mappings
from adapter.model import Entry, Operation, OrderMoney, Person
from adapter.people.memory import person_ref
from adapter.resolver import (
    ANY_TOMBSTONE,
    HELD,
    NOT_ONE,
    OUTDATED,
    TOLD_SINCE,
    Policy,
    Resolution,
    references,
    resolve,
)
from adapter.settings import shipped
from adapter.store.journal import Journal
from adapter.store.letters import Letters

from .test_flush import CustomerIo, fill, office, order, sandbox, status, there, turn

__all__ = ["office", "sandbox", "there"]
PREFIX = "adapter:default:"
RULES = load_mappings(shipped("mappings")).rules


def again(operation: Operation, id: str = "9-0") -> Entry:
    return Entry(id, delivery("d9"), Person(), (), operation=operation)


def run(*entries: Entry, memory: Mapping[Any, Any] | None = None) -> Resolution:
    return resolve(entries, memory or {}, now=AT)


# who, and what of it


@pytest.mark.parametrize(
    "operation",
    [
        happening("1001", revenue=59.9),
        identify(first_name="Ada"),
        identify(),
        replace(identify(), action="delete"),
        replace(identify(), action="suppress"),
        replace(identify(), action="merge", secondary={"id": "43"}),
    ],
    ids=["event", "identify", "nothing but an id", "delete", "suppress", "merge"],
)
def test_it_goes_out_as_it_was(operation: Operation) -> None:
    memory = {person_ref(("id", "43")): {"to": ["id", "42"]}}
    (sent,) = run(again(operation), memory=memory).operations
    assert sent == replace(operation, sources=("9-0",), timestamp=sent.timestamp)
    assert sent.timestamp >= operation.timestamp


def test_whoever_was_merged_meanwhile_is_followed() -> None:
    memory = {person_ref(("id", "42")): {"to": ["id", "77"]}}
    (sent,) = run(again(happening("1001")), memory=memory).operations
    assert sent.identifiers == {"id": "77"}


@pytest.mark.parametrize(
    ("leads", "outcome"),
    [
        ({("id", "43"): ("id", "42")}, {"id": "42"}),
        ({("id", "43"): ("id", "42"), ("id", "42"): ("id", "77")}, {"id": "77"}),
        ({}, NOT_ONE),
        ({("id", "43"): ("id", "44")}, NOT_ONE),
        ({("id", "42"): ("id", "77")}, NOT_ONE),
    ],
    ids=["as it was", "into who was kept since", "nobody knows", "another's by now", "kept apart"],
)
def test_only_two_who_are_one_are_merged(leads: Mapping[Any, Any], outcome: Any) -> None:
    merge = replace(identify(), action="merge", secondary={"id": "43"})
    memory = {person_ref(who): {"to": list(to)} for who, to in leads.items()}
    found = run(again(merge), memory=memory)
    assert [one.identifiers for one in found.operations] == [outcome] * (outcome != NOT_ONE)
    assert found.skipped == ({"9-0": NOT_ONE} if outcome == NOT_ONE else {})


@pytest.mark.parametrize("marked", [(), ("77",)], ids=["somebody else's", "of who was erased too"])
@pytest.mark.parametrize("action", ["suppress", "delete"])
def test_an_erasure_is_never_anybody_elses(action: Any, marked: tuple[str, ...]) -> None:
    mail = ("email", "ada@example.com")
    memory: dict[Any, Any] = {person_ref(mail): {"to": ["id", "77"]}, ANY_TOMBSTONE: 1}
    memory.update((whom.tombstone(("id", one)), 1) for one in marked)
    found = run(again(Operation(action, dict((mail,)), AT, {})), memory=memory)
    assert [one.identifiers for one in found.operations] == [dict((mail,))] * bool(marked)
    assert found.skipped == ({} if marked else {"9-0": HELD})


@pytest.mark.parametrize("who", [("id", "42"), ("id", "43")], ids=["kept", "gone"])
def test_nobody_is_merged_who_was_erased(who: tuple[str, str]) -> None:
    merge = replace(identify(), action="merge", secondary={"id": "43"})
    memory = {
        person_ref(("id", "43")): {"to": ["id", "42"]},
        ANY_TOMBSTONE: 1,
        whom.tombstone(who): 1,
    }
    assert run(again(merge), memory=memory).skipped == {"9-0": whom.REDACTED}


def test_all_that_it_asks_of_memory_is_read() -> None:
    wanted = references([again(happening("1001"))])
    assert person_ref(("id", "42")) in wanted
    marks = references([again(happening("1001"))], {ANY_TOMBSTONE: 1})
    assert whom.tombstone(("id", "42")) in marks
    merge = replace(identify(), action="merge", secondary={"id": "43"})
    assert person_ref(("id", "43")) in references([again(merge)])


def test_of_a_person_nothing_goes_out_of_which_something_newer_is_known() -> None:
    memory = run(entry("1-0", person("42", as_of=AT + 60, attributes={"city": "Hull"}))).taught
    old = identify(first_name="Ada", city="York")
    (sent,) = run(again(old), memory=memory).operations
    assert sent.attributes == {"first_name": "Ada"}
    assert sent.timestamp > AT + 60


def test_nothing_is_left_of_one_that_is_outdated() -> None:
    memory = run(entry("1-0", person("42", as_of=AT + 60, attributes={"city": "Hull"}))).taught
    found = run(again(identify(city="York")), memory=memory)
    assert found.operations == ()
    assert found.skipped == {"9-0": OUTDATED}


def refused_then(first: Person, newer: Person, *money: float) -> Operation | None:
    """What goes out of an identify that was refused, once something newer was sent; `money` is what
    an order of then, and one of the newer body, came to."""
    memory: dict[Any, Any] = {("since", PLATFORM, SHOP, ""): 1}
    policy = Policy(rules=RULES, unsubscribe_on_opt_out=True)
    ledgers = [OrderMoney(str(n), AT + n, value=sum(money[: n + 1])) for n in range(len(money))]
    refused = None
    for number, who in enumerate((person("42", as_of=AT), first, newer)):
        told = entry(f"{number}-0", who)
        if money and number:
            told = replace(told, ledger=ledgers[number - 1])
        found = resolve([told], memory, now=AT, policy=policy)
        memory.update(found.taught)
        if number == 1:
            (refused,) = found.operations
    assert refused is not None
    kept = Operation.from_json(load(dump(refused.to_json())))
    found = resolve([again(kept)], memory, now=AT, policy=policy)
    return found.operations[0] if found.operations else None


def test_of_one_second_the_body_decides_and_not_when_it_was_sent() -> None:
    """An identify is dated a second behind the one before it."""
    older = person("42", as_of=AT, attributes={"first_name": "Augusta", "city": "York"})
    sent = refused_then(older, person("42", as_of=AT + 1, attributes={"first_name": "Ada"}))
    assert sent is not None
    assert sent.attributes == {"city": "York"}


def test_what_follows_from_other_attributes_follows_from_the_newest() -> None:
    first = person("42", as_of=AT + 1, attributes={"lifetime_value": 100, "city": "York"})
    sent = refused_then(first, person("42", as_of=AT + 2, attributes={"lifetime_value": 2_000}))
    assert sent is not None
    assert sent.attributes["city"] == "York"
    assert sent.attributes.get("vip_tier") == "gold"
    assert sent.attributes.get("lifetime_value") == 2_000


def test_what_orders_come_to_is_what_they_come_to_by_now() -> None:
    first = person("42", as_of=AT + 1, attributes={"created_at": AT, "city": "York"})
    sent = refused_then(first, person("42", as_of=AT + 2), 30.0, 10.0)
    assert sent is not None
    found = {name: sent.attributes[name] for name in ("orders_count", "lifetime_value", "city")}
    assert found == {"orders_count": 2, "lifetime_value": 70.0, "city": "York"}
    assert sent.attributes["first_time_buyer"] is False


def test_nobody_is_unsubscribed_by_a_consent_of_before() -> None:
    said = [{"accepts_marketing": answer, "city": "York"} for answer in (False, True)]
    first, newer = (person("42", as_of=AT + n, attributes=each) for n, each in enumerate(said, 1))
    assert refused_then(first, newer) is None
    sent = refused_then(first, person("42", as_of=AT + 2, attributes={"city": "Hull"}))
    assert sent is not None
    assert sent.attributes["unsubscribed"] is True


@pytest.mark.parametrize("who", [("id", "42"), ("id", "77")], ids=["named", "merged into"])
def test_nobody_comes_back_who_was_erased(who: tuple[str, str]) -> None:
    memory = {
        person_ref(("id", "42")): {"to": ["id", "77"]},
        ANY_TOMBSTONE: 1,
        whom.tombstone(who): 1,
    }
    found = run(again(happening("1001")), memory=memory)
    assert (found.operations, found.skipped) == ((), {"9-0": whom.REDACTED})


@pytest.mark.parametrize("action", ["suppress", "delete"])
def test_an_erasure_that_was_refused_goes_out_though_its_person_is_marked(action: str) -> None:
    operation = replace(identify(), action=action)
    memory = {ANY_TOMBSTONE: 1, whom.tombstone(("id", "42")): 1}
    found = run(again(operation), memory=memory)
    assert [one.action for one in found.operations] == [action]
    assert found.skipped == {}


def test_it_stands_beside_what_is_new() -> None:
    found = run(
        entry("1-0", person("42", attributes={"city": "Hull"}), event("1002")),
        again(happening("1001")),
    )
    assert [(one.action, one.key) for one in found.operations] == [
        ("identify", None),
        ("event", "1002"),
        ("event", "1001"),
    ]


# from the first refusal to the end


def test_a_dead_letter_is_revived_until_it_is_taken(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    there.fault(times=-1, refuse=True, match={"name": "order_completed"})
    fill(office, "1001")
    turn(office, redis)
    letters = Letters(redis, "default")
    (letter,) = letters.dead()
    assert there.events() == []
    letters.revive([letter])
    turn(office, redis)
    (letter,) = letters.dead()
    there.heal()
    assert letters.revive([letter]) == ["revived"]
    turn(office, redis)
    assert there.events() == ["1001"]
    assert list(letters.dead()) == []
    assert redis.xlen(PREFIX + "outbox") == 0
    assert [fate.events[0].why for _, fate in Journal(redis, "default").of("d1001")] == [
        f"dead: {letter.reason}",
        f"dead: {letter.reason}",
        None,
    ]


def test_what_was_told_in_the_end_is_told_once_though_its_key_ends(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """By its key for 30 days, by the record of its order for 400."""
    there.fault(times=2, refuse=True, match={"name": "order_completed"})
    fill(office, "1001")
    letters = Letters(redis, "default")
    for _ in range(3):
        turn(office, redis)
        letters.revive(list(letters.dead()))
    assert there.events() == ["1001"]
    redis.delete(f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:1001")
    name = f"{PREFIX}thing:order:{PLATFORM}:{SHOP}:1001"
    record = load(redis.get(name) or b"{}")
    record["told"]["order_completed"] -= 31 * 86400
    redis.set(name, dump(record))
    office.outbox.accept(mapped("d2", person("42"), order("1001"), order="1001"), b"{}")
    before = len(there.requests())
    turn(office, redis)
    assert len(there.requests()) == before


@pytest.mark.parametrize("key_ended", [False, True])
def test_what_another_delivery_told_since_is_not_told_again(
    office: Office, redis: Redis, there: CustomerIo, key_ended: bool
) -> None:
    there.fault(refuse=True, match={"name": "order_completed"})
    fill(office, "1001")
    turn(office, redis)
    there.heal()
    office.outbox.accept(mapped("d2", person("42"), order("1001"), order="1001"), b"{}")
    turn(office, redis)
    assert there.events() == ["1001"]
    if key_ended:
        redis.delete(f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:1001")
    letters = Letters(redis, "default")
    before = len(there.requests())
    assert letters.revive(list(letters.dead())) == ["revived" if key_ended else "told"]
    if key_ended:
        turn(office, redis)
        assert status(redis)["details"][f"ignored:{TOLD_SINCE}"] == 1
    assert len(there.requests()) == before


def test_a_cancellation_that_was_refused_is_told_though_its_order_knows_of_it(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    there.fault(refuse=True, match={"name": "order_canceled"})
    canceled = event("1001", "order_canceled", at=int(time.time()) - 60, order_id="1001")
    office.outbox.accept(mapped("d1", person("42"), canceled, order="1001"), b"{}")
    turn(office, redis)
    there.heal()
    letters = Letters(redis, "default")
    letters.revive(list(letters.dead()))
    turn(office, redis)
    assert there.events() == ["1001"]


# the journal


def journal(redis: Redis) -> list[Account]:
    return list(Journal(redis, "default").since())


def test_the_journal_says_what_was_sent_and_how_it_was_answered(
    office: Office, redis: Redis
) -> None:
    fill(office, "1", "2")
    turn(office, redis)
    (account,) = journal(redis)
    assert account.fates == {
        f"d{key}": Fate((Told("order_completed", order(key).id),), (("identify", None),))
        for key in ("1", "2")
    }
    ((status, seconds, items),) = account.answers
    assert (status, items) == (200, 3)
    assert 0 < seconds < 20
    assert not account.rehearsal


def test_a_rehearsal_says_so(office: Office, redis: Redis) -> None:
    office.rehearsal = True
    fill(office, "1")
    turn(office, redis)
    assert [one.rehearsal for one in journal(redis)] == [True]


def test_what_did_not_move_is_not_in_it(office: Office, redis: Redis, there: CustomerIo) -> None:
    there.fault(503)
    fill(office, "1")
    turn(office, redis)
    assert journal(redis) == []
    turn(office, redis)
    assert [list(one.fates) for one in journal(redis)] == [["d1"]]
