"""What actions come to: operations in stages, tombstones, errands. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, NAMELESS, PLATFORM, SHOP, delivery, happening, identify, person

from adapter.deeds import Deed, Errand, asks, deed, stages
from adapter.model import ACTIONS, Action, Entry, Operation, Person, Who
from adapter.whom import Known, Lookup, tombstone, tombstone_of, tombstones_of

ADA, BOB, EVE = ("id", "42"), ("id", "43"), ("id", "44")
MAIL, PHONE = ("email", "ada@x.com"), ("phone", "+4915112345678")
KEPT_AND_GONE = {"kept": "42", "gone": "43"}


def asked(kind: str, **values: Any) -> Entry:
    return Entry("1-0", delivery("d1"), Person(), (), action=Action(kind, values))


def knowing(known: Mapping[Who, Known] | None = None) -> Lookup:
    return (known or {}).get


def sent(*whos: Who) -> dict[Who, Known]:
    return {who: Known(sent=who, ids=(who[1],)) for who in whos}


def told(operations: tuple[Operation, ...]) -> list[str]:
    """Operations as `what kind:value`, a merge with who is merged away."""
    return [
        " ".join(
            [
                one.action,
                *(
                    f"{kind}:{value}"
                    for people in (one.identifiers, one.secondary or {})
                    for kind, value in people.items()
                ),
            ]
        )
        for one in operations
    ]


def merged(known: Mapping[Who, Known], values: Mapping[str, Any] = KEPT_AND_GONE) -> Deed:
    return deed(asked("merge_people", **values), knowing(known))


# merge


@pytest.mark.parametrize(
    ("known", "operations", "count"),
    [
        (sent(ADA, BOB), ["merge id:42 id:43"], "merged"),
        (sent(BOB), ["identify id:42", "merge id:42 id:43"], "merged"),
        (sent(ADA), [], "merged_here_only"),
        ({}, [], "merged_here_only"),
        ({ADA: Known(ids=("42",)), BOB: Known(ids=("43",))}, [], "merged_here_only"),
        (
            {ADA: Known(sent=MAIL, ids=("42",)), BOB: Known(sent=("email", "b@x.com"))},
            ["merge email:ada@x.com email:b@x.com"],
            "merged",
        ),
        ({ADA: Known(sent=MAIL), BOB: Known(sent=MAIL)}, [], "merged_here_only"),
        ({ADA: Known(sent=PHONE), BOB: Known(sent=BOB)}, [], "merged_here_only"),
    ],
    ids=[
        "both were sent",
        "only who is gone: who is kept is sent first",
        "only who is kept",
        "neither",
        "both are known and were never sent",
        "under emails",
        "under one and the same email",
        "nobody can be merged by phone",
    ],
)
def test_a_merge(known: Mapping[Who, Known], operations: list[str], count: str) -> None:
    found = merged(known)
    assert told(found.operations) == operations
    assert found.count == count
    assert found.moved == (BOB, ADA)
    assert (found.errand, found.tombstones) == (None, ())


@pytest.mark.parametrize(
    ("known", "values", "count"),
    [
        (
            {ADA: Known(sent=ADA, ids=("42", "43")), BOB: Known(sent=ADA, ids=("42", "43"))},
            KEPT_AND_GONE,
            "merged_before",
        ),
        (sent(ADA), {"kept": "42", "gone": "42"}, "merge_of_nobody"),
        (sent(ADA), {"kept": "42", "gone": None}, "merge_of_nobody"),
        (sent(ADA), {"kept": None, "gone": "43"}, "merge_of_nobody"),
    ],
)
def test_a_merge_that_comes_to_nothing(
    known: Mapping[Who, Known], values: Mapping[str, Any], count: str
) -> None:
    assert merged(known, values) == Deed(count)


# delete


def test_a_deleted_customer_is_only_noted_unless_decided_otherwise() -> None:
    assert deed(asked("delete_person", id="42"), knowing(sent(ADA))) == Deed(
        "customer_deleted", left=(ADA,)
    )


def test_a_deleted_customer_is_deleted_and_may_come_back_under_another_id() -> None:
    known = {ADA: Known(sent=ADA, ids=("42",), email="ada@x.com", tokens=("c1",))}
    found = deed(asked("delete_person", id="42"), knowing(known), on_customer_delete="delete")
    assert told(found.operations) == ["delete id:42", "delete email:ada@x.com"]
    assert found.tombstones == (tombstone(ADA),)
    assert found.errand == Errand(
        "purge_person",
        "d1",
        AT,
        PLATFORM,
        SHOP,
        ("42",),
        ("ada@x.com",),
        tokens=("c1",),
        may_return=True,
    )


def test_orders_of_a_deleted_customer_are_marked() -> None:
    """What follows them names nobody, and must not lead to who has the address by then."""
    known = {ADA: Known(sent=ADA, ids=("42",), orders=("1001",))}
    found = deed(asked("delete_person", id="42"), knowing(known), on_customer_delete="delete")
    assert found.tombstones == (tombstone(ADA), tombstone_of("order", PLATFORM, SHOP, "1001"))
    assert found.erased == (ADA,)


def test_a_deleted_customer_is_suppressed() -> None:
    known = {ADA: Known(sent=ADA, ids=("42",), email="ada@x.com")}
    found = deed(asked("delete_person", id="42"), knowing(known), on_customer_delete="suppress")
    assert told(found.operations) == [
        "suppress id:42",
        "suppress email:ada@x.com",
        "delete id:42",
        "delete email:ada@x.com",
    ]
    assert found.tombstones == (tombstone(ADA), tombstone(MAIL))


# redact


REDACT = {"id": "42", "email": "ada@x.com", "phone": PHONE[1], "orders": ["1001"]}


@pytest.mark.parametrize(
    ("known", "values", "suppressed"),
    [
        ({}, REDACT, [ADA, MAIL]),
        (sent(ADA), {**REDACT, "email": None, "phone": None}, [ADA]),
        (
            {ADA: Known(sent=ADA, ids=("42",), email="new@x.com")},
            {**REDACT, "email": None},
            [ADA, ("email", "new@x.com")],
        ),
        ({MAIL: Known(sent=BOB, ids=("43",), email="ada@x.com")}, REDACT, [ADA]),
        (
            {ADA: Known(sent=("id", "own"), ids=("own", "42"))},
            {**REDACT, "email": None},
            [ADA, ("id", "own")],
        ),
        ({MAIL: Known(sent=MAIL, email="ada@x.com")}, {**REDACT, "id": None}, [MAIL]),
        (
            {MAIL: Known(sent=BOB, ids=("43",), email="ada@x.com")},
            {**REDACT, "id": None},
            [BOB, MAIL],
        ),
        ({PHONE: Known(sent=PHONE, phone=PHONE[1])}, REDACT, [ADA, MAIL, PHONE]),
        ({PHONE: Known(sent=BOB, ids=("43",), phone=PHONE[1])}, REDACT, [ADA, MAIL]),
        ({PHONE: Known(sent=("email", "b@x.com"), email="b@x.com")}, REDACT, [ADA, MAIL]),
    ],
    ids=[
        "nobody knows them: harmless",
        "an id alone",
        "memory knows a newer email",
        "another customer holds the email by now",
        "the shop has ids of its own",
        "a guest",
        "an email alone, of somebody with an id",
        "sent under the phone",
        "the phone of another customer",
        "the phone of another guest",
    ],
)
def test_who_is_suppressed(
    known: Mapping[Who, Known], values: Mapping[str, Any], suppressed: list[Who]
) -> None:
    found = deed(asked("redact_person", **values), knowing(known))
    expected = [f"{kind}:{value}" for kind, value in suppressed]
    assert told(found.operations) == [
        *(f"suppress {who}" for who in expected),
        *(f"delete {who}" for who in expected),
    ]
    assert {tombstone(who) for who in suppressed} <= set(found.tombstones)
    assert tombstone_of("order", PLATFORM, SHOP, "1001") in found.tombstones


def test_what_is_purged_of_somebody_who_is_redacted() -> None:
    known = {
        ADA: Known(ADA, ("42", "41"), "new@x.com", None, orders=("1000",), tokens=("c1",)),
        PHONE: Known(sent=BOB, ids=("43",), phone=PHONE[1]),
    }
    found = deed(asked("redact_person", **REDACT), knowing(known))
    assert found.errand == Errand(
        "purge_person",
        "d1",
        AT,
        PLATFORM,
        SHOP,
        ("42", "41"),
        ("new@x.com", "ada@x.com"),
        (),  # the phone is somebody else's
        ("1001", "1000"),
        ("c1",),
    )
    assert Errand.from_json(json.loads(json.dumps(found.errand.to_json()))) == found.errand


def test_a_shop_is_purged_and_nobody_is_suppressed() -> None:
    found = deed(asked("redact_shop", shop="old.example"), knowing())
    assert found.operations == ()
    assert found.errand == Errand("purge_shop", "d1", AT, PLATFORM, "old.example")


def test_a_report_changes_nothing() -> None:
    found = deed(asked("report_person", **REDACT), knowing(sent(ADA)))
    assert (found.operations, found.tombstones, found.moved) == ((), (), None)
    assert found.errand is not None
    assert (found.errand.kind, found.errand.ids) == ("report_person", ("42",))


@pytest.mark.parametrize("kind", ACTIONS)
def test_nobody_is_looked_up_who_was_not_asked_for(kind: str) -> None:
    entry = asked(kind, **REDACT, **KEPT_AND_GONE, shop=SHOP)
    looked_up = set()

    def lookup(who: Who) -> None:
        looked_up.add(who)

    deed(entry, lookup, on_customer_delete="suppress")
    assert entry.action is not None
    assert looked_up <= set(asks(entry.action))


def test_an_unknown_action_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no such action"):
        deed(asked("paint_shop"), knowing())
    with pytest.raises(ValueError, match="without an action"):
        deed(replace(asked("x"), action=None), knowing())


# tombstones


@pytest.mark.parametrize(
    ("who", "order", "marks"),
    [
        (person("42", email="ada@x.com"), "1", [tombstone(ADA)]),
        (person("own", platform_id="42"), None, [tombstone(("id", "own")), tombstone(ADA)]),
        (person(None, email="ada@x.com", phone=PHONE[1]), "1", [tombstone(MAIL)]),
        (person(None, phone=PHONE[1]), None, [tombstone(PHONE)]),
        (
            person(None, tokens={"cart": "c1"}),
            "1",
            [
                tombstone_of("cart", PLATFORM, SHOP, "c1"),
                tombstone_of("order", PLATFORM, SHOP, "1"),
            ],
        ),
        (NAMELESS, None, []),
    ],
)
def test_the_strongest_name_decides_whether_somebody_was_erased(
    who: Person, order: str | None, marks: list[Any]
) -> None:
    assert list(tombstones_of(Entry("1-0", delivery(), who, (), order))) == marks


# stages


def merge(kept: str, gone: str) -> Operation:
    return Operation("merge", {"id": kept}, AT, {}, secondary={"id": gone})


def erase(what: Any, who: str = "42") -> Operation:
    return Operation(what, {"id": who}, AT, {})


def gone(who: Who) -> Operation:
    return Operation("delete", dict((who,)), AT, {})


def joins(kept: str, mail: Who) -> Operation:
    return Operation("merge", {"id": kept}, AT, {}, secondary=dict((mail,)))


def takes(who: str, mail: Who) -> Operation:
    return identify(who, email=mail[1])


ONE, TWO = identify("42"), happening("1001")


@pytest.mark.parametrize(
    ("operations", "parts"),
    [
        ([], []),
        ([ONE, TWO], [[ONE, TWO]]),
        ([ONE, merge("42", "43")], [[ONE], [merge("42", "43")]]),
        ([merge("42", "43"), ONE], [[merge("42", "43")], [ONE]]),
        ([merge("1", "2"), merge("3", "4")], [[merge("1", "2"), merge("3", "4")]]),
        (
            [merge("2", "1"), merge("3", "2"), merge("8", "9")],
            [[merge("2", "1"), merge("8", "9")], [merge("3", "2")]],
        ),
        (
            [TWO, merge("42", "43"), erase("delete"), erase("suppress")],
            [[TWO], [merge("42", "43")], [erase("suppress")], [erase("delete")]],
        ),
        (
            [ONE, erase("delete"), TWO, identify("43"), erase("suppress"), erase("delete")],
            [
                [ONE, identify("43")],
                [erase("delete")],
                [TWO],
                [erase("suppress")],
                [erase("delete")],
            ],
        ),
        (
            [erase("delete", "7"), gone(MAIL), takes("43", MAIL), happening("1", "43"), ONE],
            [[ONE], [erase("delete", "7"), gone(MAIL)], [takes("43", MAIL), happening("1", "43")]],
        ),
        (
            [joins("42", MAIL), takes("43", MAIL), ONE, happening("1", "43")],
            [[joins("42", MAIL)], [ONE], [takes("43", MAIL), happening("1", "43")]],
        ),
    ],
    ids=[
        "none",
        "as ever",
        "a merge",
        "what needs a merge",
        "of strangers",
        "a chain",
        "the end of somebody",
        "somebody new, and their end",
        "who takes the address of somebody deleted",
        "who takes the address of somebody merged away",
    ],
)
def test_what_must_go_in_a_request_of_its_own(
    operations: list[Operation], parts: list[list[Operation]]
) -> None:
    assert stages(operations) == parts
