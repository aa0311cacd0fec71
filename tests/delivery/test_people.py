"""The right person, with the right state: guests and customers, shared and changed addresses, carts
that wait, consent that is not undone, what was bought already."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, delivery, entry, event, person
from hypothesis import given
from hypothesis import strategies as st

from adapter.deeds import stages
from adapter.mapping.rules import Rule, Rules
from adapter.model import Action, Entry, Json, OrderMoney, Ref
from adapter.people.memory import SINCE
from adapter.resolver import MOST_READS, Policy, Resolution, references, resolve
from adapter.sandbox.people import Workspace

DAY = 86400
POLICY = Policy(is_placeholder=lambda email: email.endswith("@marketplace.example"))


class Shop:
    """Memory and Customer.io around the resolver."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.memory: dict[Ref, Json] = {}
        self.people = Workspace(clock=lambda: float(AT))
        self.last = Resolution(())

    def flush(self, *entries: Entry, now: int = AT) -> Resolution:
        memory: dict[Ref, Json] = {}
        for _ in range(MOST_READS):
            wanted = references(entries, memory, self.policy)
            memory.update({ref: self.memory.get(ref) for ref in wanted})
        self.last = resolve(entries, memory, now=now, policy=self.policy)
        assert resolve(entries, memory, now=now, policy=self.policy) == self.last
        self.memory.update(self.last.taught)
        for part in stages(self.last.operations):
            for one in part:
                self.people.apply(_item(one))
        return self.last

    def attributes(self, id: str) -> dict[str, Any]:
        """What Customer.io knows of somebody."""
        found = self.people.find(id=id)
        assert found is not None, id
        return dict(found.to_json()["attributes"])

    def profiles(self) -> list[dict[str, Any]]:
        """Who there is at Customer.io: id, email and the events of each."""
        found = []
        for profile in self.people.directory.people.values():
            data = profile.to_json()
            events = [one["name"] for one in data["activity"] if one["type"] == "event"]
            who = {"id": profile.id, "email": profile.email}
            found.append({**{k: v for k, v in who.items() if v}, "events": events})
        return found


def _item(one: Any) -> dict[str, Any]:
    item = {"type": "person", "action": one.action, "timestamp": one.timestamp}
    if one.action == "merge":
        return {**item, "primary": one.identifiers, "secondary": one.secondary}
    item |= {"identifiers": one.identifiers, "attributes": one.attributes}
    return {**item, "name": one.name, "id": one.id} if one.action == "event" else item


def body(number: int, who: Any, *events: Any, order: str | None = None, at: int = AT) -> Entry:
    """What one delivery says; `at` is when it was sent."""
    told = replace(delivery(f"d{number}"), triggered_at=float(at))
    return replace(entry(f"{number}-0", who, *events, order=order), delivery=told)


def guest(number: int, email: str = "ada@example.com", **facts: Any) -> Entry:
    who = person(None, email=email, as_of=AT + number, **facts)
    return body(number, who, event(str(number)), order=str(number), at=AT + number)


def account(
    number: int, id: str = "42", email: str | None = "ada@example.com", **facts: Any
) -> Entry:
    happened = event(f"c{number}", "customer_created")
    who = person(id, email=email, as_of=AT + number, **facts)
    return body(number, who, happened, at=AT + number)


# Guest to customer


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("first", ["guest", "account"])
def test_a_guest_and_the_account_of_one_address_are_one(first: str, together: bool) -> None:
    shop = Shop()
    bodies = [guest(1), guest(2), account(3)]
    if first == "account":
        bodies = [account(1), guest(2), guest(3)]
    if together:
        shop.flush(*bodies)
    else:
        for one in bodies:
            shop.flush(one)
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"]) == ("42", "ada@example.com")
    assert sorted(ada["events"]) == ["customer_created", "order_completed", "order_completed"]
    # What follows by address or by id is theirs.
    shop.flush(guest(9))
    (ada,) = shop.profiles()
    assert len(ada["events"]) == 4


def test_two_that_were_sent_apart_are_merged_in_a_later_request() -> None:
    shop = Shop()
    shop.flush(guest(1))
    shop.flush(account(2, email=None))
    assert len(shop.profiles()) == 2
    (*_, merge) = shop.flush(account(3)).operations
    assert (merge.action, merge.identifiers, merge.secondary) == (
        "merge", {"id": "42"}, {"email": "ada@example.com"},
    )  # fmt: skip
    assert len(shop.profiles()) == 1


def test_an_account_that_is_older_than_the_order_takes_the_guests_profile() -> None:
    """The order was heard of first: its address must go out with the id, or both stay apart."""
    shop = Shop()
    shop.flush(guest(5))
    shop.flush(account(1))
    shop.flush(guest(9))
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"], len(ada["events"])) == ("42", "ada@example.com", 3)


def test_an_address_changed_to_that_of_a_guest_is_theirs_after_the_merge() -> None:
    """Before it Customer.io refuses the address, as another profile has it."""
    shop = Shop()
    shop.flush(guest(1, "new@example.com"))
    shop.flush(account(2, email="old@example.com"))
    parts = stages(shop.flush(account(3, email="new@example.com")).operations)
    assert [[one.action for one in part] for part in parts] == [
        ["identify", "event"], ["merge"], ["identify"],
    ]  # fmt: skip
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"]) == ("42", "new@example.com")


def test_an_address_typed_into_a_checkout_takes_over_no_stranger() -> None:
    """Of who has an address of their own; the customer's record may still say that it is theirs."""
    shop = Shop()
    shop.flush(account(1, "42", "ada@example.com"), guest(2, "bob@example.com"))
    typed = person("42", email="bob@example.com", as_of=AT + 3, tokens={"checkout": "k1"})
    shop.flush(body(3, typed, event("k1", "checkout_started"), at=AT + 3))
    assert shop.last.counts["left_out:email typed by somebody who has another one"] == 1
    assert sorted(one["email"] for one in shop.profiles()) == ["ada@example.com", "bob@example.com"]
    shop.flush(account(4, "42", "bob@example.com"))
    assert len(shop.profiles()) == 1


def test_an_address_that_another_id_holds_stays_theirs() -> None:
    shop = Shop()
    shop.flush(account(1, "42"))
    shop.flush(account(2, "7"))
    assert shop.last.counts["left_out:email held by another id"] == 1
    assert sorted((one["id"], one.get("email")) for one in shop.profiles()) == [
        ("42", "ada@example.com"),
        ("7", None),
    ]
    shop.flush(guest(3))
    assert [one["id"] for one in shop.profiles() if "order_completed" in one["events"]] == ["42"]


def test_a_placeholder_address_is_nobodys() -> None:
    shop = Shop()
    shop.flush(account(1, "42", "x@marketplace.example"), account(2, "7", "x@marketplace.example"))
    resolution = shop.flush(guest(3, "x@marketplace.example"))
    assert sorted(one["id"] for one in shop.profiles()) == ["42", "7"]
    assert all("email" not in one for one in shop.profiles())
    assert resolution.skipped == {"3-0": "no_person"}
    # What follows a sale of nobody need not wait for anybody.
    refund = body(4, person(None), event("r", "order_refunded"), order="3")
    assert shop.flush(refund).skipped == {"4-0": "no_person"}


def test_a_typo_that_was_corrected_takes_nobody_over() -> None:
    shop = Shop()
    tokens = {"checkout": "k1"}
    for number, email in enumerate(["ada@exmaple.com", "ada@example.com"], 1):
        who = person(None, email=email, as_of=AT + number, tokens=tokens)
        shop.flush(body(number, who, event(f"k{number}", "checkout_started")))
    assert sorted(one["email"] for one in shop.profiles()) == ["ada@example.com", "ada@exmaple.com"]
    nameless = body(3, person(None, tokens=tokens), event("x", "payment_failed"))
    shop.flush(nameless)
    late = [one["email"] for one in shop.profiles() if "payment_failed" in one["events"]]
    assert late == ["ada@example.com"]


# An address changes


def test_an_email_change_is_an_update_and_the_old_one_is_free() -> None:
    shop = Shop()
    shop.flush(account(1, "42", "old@example.com"))
    shop.flush(account(2, "42", "new@example.com"))
    shop.flush(account(3, "7", "old@example.com"))
    assert sorted((one["id"], one["email"]) for one in shop.profiles()) == [
        ("42", "new@example.com"),
        ("7", "old@example.com"),
    ]


def test_an_older_body_does_not_bring_the_old_address_back() -> None:
    shop = Shop()
    shop.flush(account(5, "42", "new@example.com"))
    shop.flush(account(1, "42", "old@example.com"))
    (ada,) = shop.profiles()
    assert ada["email"] == "new@example.com"
    shop.flush(account(6, "7", "old@example.com"))
    assert len(shop.profiles()) == 2


def test_the_platforms_id_leads_to_the_shops_own() -> None:
    shop = Shop()
    shop.flush(account(1, "c-1842", platform_id="42"))
    shop.flush(body(2, person("42", as_of=AT + 2, attributes={"city": "Graz"})))
    (ada,) = shop.profiles()
    assert ada["id"] == "c-1842"


# Two customers become one


def merge(number: int, kept: str, gone: str) -> Entry:
    action = Action("merge_people", {"kept": kept, "gone": gone})
    return replace(body(number, person(None)), action=action)


def paid(number: int, value: float, at: int = AT, **who: Any) -> Entry:
    """An order, with its money."""
    order = str(number)
    told = body(number, person(**{"as_of": at, **who}), event(order), order=order, at=at)
    money = OrderMoney(order, at, at=at, currency="USD", value=value, total=value)
    return replace(told, ledger=money)


def whole_shop(**policy: Any) -> Shop:
    """One that delivers here for long."""
    shop = Shop(Policy(**policy))
    shop.memory[SINCE, PLATFORM, SHOP, ""] = AT - 10 * DAY
    return shop


NEW: dict[str, Any] = {"attributes": {"created_at": AT - DAY}}
OLD: dict[str, Any] = {"attributes": {"created_at": AT - 30 * DAY}}


@pytest.mark.parametrize("together", [True, False])
def test_a_long_row_of_merges_leads_to_who_is_left(together: bool) -> None:
    shop = Shop()
    ids = [str(number) for number in range(100, 109)]
    shop.flush(*(account(n, id_, f"{id_}@example.com") for n, id_ in enumerate(ids, 1)))
    merges = [merge(20 + n, kept, gone) for n, (gone, kept) in enumerate(pairwise(ids))]
    for row in [merges] if together else [[one] for one in merges]:
        shop.flush(*row)
    shop.flush(account(50, "100", None), guest(51, "100@example.com"))
    shop.flush(body(52, person(None), event("r", "order_refunded"), order="51"))
    (left,) = shop.profiles()
    assert (left["id"], left["events"][-1]) == ("108", "order_refunded")


@pytest.mark.parametrize("decided", ["delete", "suppress"])
def test_who_is_deleted_for_a_merge_costs_nobody_their_profile(decided: Any) -> None:
    shop = Shop(Policy(on_customer_delete=decided))
    shop.flush(account(1, "42", "a@example.com"), account(2, "7", "b@example.com"))
    shop.flush(merge(3, "42", "7"))
    deleted = replace(body(4, person(None)), action=Action("delete_person", {"id": "7"}))
    assert shop.flush(deleted).operations == ()
    assert shop.last.errands == ()
    assert [one["id"] for one in shop.profiles()] == ["42"]


def test_who_is_first_sent_in_the_batch_of_a_merge_was_sent() -> None:
    shop = Shop()
    shop.flush(account(1, "7", "b@example.com"), merge(2, "7", "8"))
    shop.flush(merge(3, "42", "7"))
    assert [one["id"] for one in shop.profiles()] == ["42"]


def test_the_address_of_who_is_gone_replaces_none_and_stays_theirs() -> None:
    shop = Shop()
    shop.flush(account(1, "42", "a@example.com"), account(9, "7", "b@example.com"))
    shop.flush(merge(10, "42", "7"))
    shop.flush(account(5, "42", "a@example.com"), guest(11, "b@example.com"))
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"]) == ("42", "a@example.com")
    shop.flush(account(12, "42", "new@example.com"), guest(13, "b@example.com"))
    (ada,) = shop.profiles()
    assert ada["email"] == "new@example.com"


def deleted(number: int, id: str) -> Entry:
    action = Action("delete_person", {"id": id})
    return replace(body(number, person(None)), action=action)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("address", [None, "other@example.com"], ids=["without", "with another"])
def test_who_was_deleted_and_comes_back_under_another_id_has_their_address(
    address: str | None, together: bool
) -> None:
    """The destination keeps the deleted profile (ON_CUSTOMER_DELETE=note), with the address."""
    shop = Shop()
    bodies = [
        account(1),
        deleted(2, "42"),
        account(3, "43", address),
        account(4, "43"),
        guest(5),
        account(6, "43"),
    ]
    for row in [bodies] if together else [[one] for one in bodies]:
        shop.flush(*row)
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"]) == ("43", "ada@example.com")
    assert ada["events"].count("order_completed") == 1


@pytest.mark.parametrize("together", [True, False])
def test_nor_need_they_have_been_known_before(together: bool) -> None:
    shop = Shop()
    bodies = [account(1), deleted(2, "42"), account(3, "43"), guest(4)]
    for row in [bodies] if together else [[one] for one in bodies]:
        shop.flush(*row)
    (ada,) = shop.profiles()
    assert (ada["id"], ada["email"]) == ("43", "ada@example.com")


def test_an_address_of_somebody_who_was_not_deleted_is_theirs() -> None:
    shop = Shop()
    shop.flush(account(1), deleted(2, "41"))
    shop.flush(account(3, "43"))
    assert [one.get("email") for one in shop.profiles()] == ["ada@example.com", None]


# Totals of who turns out to be somebody else


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the order first", "the account first"])
def test_a_guests_orders_count_for_the_account_at_once(order: tuple[int, int]) -> None:
    shop = whole_shop()
    bodies = [paid(1, 50, id=None, email="ada@example.com"), account(2, **NEW)]
    for place in order:
        shop.flush(bodies[place])
    figures = shop.attributes("42")
    assert (figures["orders_count"], figures["lifetime_value"]) == (1, 50)


def test_who_came_to_be_is_told_after_the_order() -> None:
    shop = whole_shop()
    shop.flush(paid(1, 50, id="42"))
    assert "orders_count" not in shop.attributes("42")
    shop.flush(account(2, **NEW))
    assert shop.attributes("42")["orders_count"] == 1


def test_a_merge_adds_up_the_orders_of_both() -> None:
    shop = whole_shop()
    shop.flush(paid(1, 50, id="42", **NEW), paid(2, 30, id="7", **NEW))
    shop.flush(merge(3, "42", "7"))
    figures = shop.attributes("42")
    assert (figures["orders_count"], figures["lifetime_value"]) == (2, 80)


@pytest.mark.parametrize(
    ("kept", "gone"), [(NEW, OLD), (OLD, NEW), (NEW, None)], ids=["gone", "kept", "nobody knows"]
)
def test_a_history_that_a_merge_makes_partial_is_no_history(
    kept: dict[str, Any], gone: dict[str, Any] | None
) -> None:
    """Nor does Customer.io keep what one of both had: it was true of a part of the orders."""
    shop = whole_shop()
    shop.flush(paid(1, 50, id="42", **kept), *([paid(2, 30, id="7", **gone)] if gone else []))
    shop.flush(merge(3, "42", "7"))
    for number in (4, 5):
        assert {"orders_count", "lifetime_value", "first_time_buyer"}.isdisjoint(
            shop.attributes("42")
        )
        shop.flush(paid(number, 1, AT + number, id="42", **kept))


SPENT = Rule(
    "vip_tier",
    frozenset({"lifetime_value"}),
    lambda known: "gold" if known["lifetime_value"] >= 100 else "bronze",
    "vip_tier_changed",
)
FRESH = Rule(
    "discount_eligible", frozenset({"orders_count"}), lambda known: known["orders_count"] < 2
)
TIERS = Rules((SPENT, FRESH))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_figures_are_taken_away_once_an_older_order_is_heard_of(
    order: tuple[int, ...], together: bool
) -> None:
    """An import, or a sale of years ago that is theirs by now: what was told was of a part."""
    shop = whole_shop(rules=TIERS)
    bodies = [
        paid(1, 50, id="42", **NEW),
        paid(2, 80, AT - 900 * DAY, id="42"),
        paid(3, 60, id="42"),
    ]
    bodies = [bodies[place] for place in order]
    for row in [bodies] if together else [[one] for one in bodies]:
        shop.flush(*row)
    assert set(shop.attributes("42")) <= {"created_at", "currency", "id"}


def test_figures_come_back_with_what_follows_from_them() -> None:
    shop = whole_shop(rules=TIERS)
    shop.flush(paid(1, 50, id="42", **NEW), paid(2, 80, AT - 900 * DAY, id="42"))
    shop.flush(
        body(3, person("42", as_of=AT + 3, attributes={"orders_count": 9, "lifetime_value": 700}))
    )
    told = shop.attributes("42")
    assert (told["orders_count"], told["vip_tier"], told["discount_eligible"]) == (9, "gold", False)


@pytest.mark.parametrize("together", [True, False])
def test_of_a_cancelled_only_order_no_time_and_no_number_is_left(together: bool) -> None:
    shop = whole_shop()
    sold = paid(1, 50, id="42", **NEW)
    assert sold.ledger is not None
    gone = paid(2, 50, AT + 5, id="42")
    gone = replace(gone, ledger=replace(sold.ledger, as_of=AT + 5, cancelled=True))
    for row in [[sold, gone]] if together else [[sold], [gone]]:
        shop.flush(*row)
    told = shop.attributes("42")
    assert (told["orders_count"], told["lifetime_value"], told["first_time_buyer"]) == (0, 0, False)
    assert {"first_order_at", "last_order_at", "last_order_id", "average_order_value"}.isdisjoint(
        told
    )


def test_what_follows_from_the_orders_of_both_follows_a_merge() -> None:
    shop = whole_shop(rules=TIERS)
    shop.flush(paid(1, 60, id="42", **NEW), paid(2, 60, id="7", **NEW))
    assert shop.attributes("42")["discount_eligible"]
    shop.flush(merge(3, "42", "7"))
    told = shop.attributes("42")
    assert (told["orders_count"], told["vip_tier"], told["discount_eligible"]) == (2, "gold", False)
    (ada,) = shop.profiles()
    assert ada["events"].count("vip_tier_changed") == 1


@pytest.mark.parametrize("first", ["cart", "refund", "order"])
def test_the_first_order_begins_the_history(first: str) -> None:
    """Not what came while orders were not told: somebody may have ordered meanwhile."""
    shop = Shop()
    early = {
        "cart": cart(1, at=AT, who=person("9", as_of=AT, tokens={"cart": "c9"})),
        "refund": replace(paid(1, 5, id="9"), ledger=OrderMoney("1", AT)),
        "order": paid(1, 5, id="9"),
    }[first]
    shop.flush(early)
    late = paid(2, 50, AT + 5 * DAY, id="42", attributes={"created_at": AT + 3 * DAY})
    shop.flush(replace(late, delivery=replace(late.delivery, received_at=AT + 5 * DAY)))
    assert ("orders_count" in shop.attributes("42")) == (first == "order")


# Wherever batches begin


def sold_long_ago(number: int, **who: Any) -> Entry:
    told = paid(number, 50, AT + number, **who)
    assert told.ledger is not None
    return replace(told, ledger=replace(told.ledger, at=AT - 900 * DAY))


ADA, BEA = "ada@example.com", "bea@example.com"
NO_FIGURES = {"orders_count": None, "vip_tier": None, "discount_eligible": None}
STORIES: dict[str, tuple[str, list[Entry], dict[str, Any]]] = {
    "by email, an older body brings the address": (
        "email",
        [
            body(
                1, person("42", as_of=AT + 50, attributes={"city": "York"}), event("1"), order="1"
            ),
            body(2, person("42", email=ADA, as_of=AT + 1, attributes={"city": "Hull"}), order="1"),
            guest(3),
        ],
        {ADA: {"city": "York"}},
    ),
    "by email, the history turns out not to be whole": (
        "email",
        [
            paid(1, 50, AT + 1, id="42", **NEW),
            sold_long_ago(2, id="42", email=ADA),
            paid(3, 50, AT + 3, id="42", email=ADA),
        ],
        {ADA: NO_FIGURES},
    ),
    "by email, an id's newer order before an older one with the address": (
        "email",
        [paid(9, 60, AT + 9, id="42", **NEW), paid(2, 50, AT + 2, id="42", email=ADA)],
        {ADA: {"orders_count": 2, "lifetime_value": 110, "vip_tier": "gold"}},
    ),
    "somebody of whom nothing was known takes over one who had ordered": (
        "id",
        [paid(1, 50, AT + 1, id="7", email=ADA, **NEW), merge(2, "42", "7"), account(3, "42")],
        {ADA: NO_FIGURES},
    ),
    "an account gives up the address of a guest that became theirs": (
        "id",
        [guest(1), account(2, "42"), account(3, "42", BEA)],
        {BEA: {}},
    ),
    "who is merged away had taken the address of a guest": (
        "id",
        [guest(1), account(2, "7"), account(3, "42", BEA), merge(4, "42", "7")],
        {BEA: {}},
    ),
    "who is merged away is heard of once more": (
        "id",
        [account(1, "42"), merge(2, "42", "7"), account(3, "7", BEA)],
        {ADA: {}},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story_ends_the_same_wherever_batches_begin(story: str) -> None:
    by, entries, expected = STORIES[story]
    ends = []
    for cuts in range(2 ** (len(entries) - 1)):
        shop = whole_shop(rules=TIERS, identify_by=by)
        rows = [[entries[0]]]
        for number, one in enumerate(entries[1:]):
            if cuts >> number & 1:
                rows.append([])
            rows[-1].append(one)
        for row in rows:
            shop.flush(*row)
        profiles = shop.people.directory.people.values()
        ends.append({one.email: one.to_json()["attributes"] for one in profiles})
        told = sum(len(one["events"]) for one in shop.profiles())
        assert told == sum(len(one.events) for one in entries), (
            "no event is lost, and none is twice"
        )
    for end in ends:
        assert end == ends[0]
    found = {email: {name: has.get(name) for name in expected[email]} for email, has in end.items()}
    assert found == expected


# Carts and tokens


def cart(number: int, *, token: str = "c1", at: int = AT, who: Any = None) -> Entry:
    items = [{"variant_id": str(number), "name": "Tea", "quantity": 1, "price": 5}]
    happened = event(f"{token}:{number}", "added_to_cart", at, cart_id=token, items=items)
    attributes = {"current_cart_value": 5 * number, "current_cart_id": token}
    facts = {"tokens": {"cart": token}, "as_of": at, "attributes": attributes}
    return body(number, who or person(None, **facts), happened, at=at)


def checkout(number: int, at: int = AT, **facts: Any) -> Entry:
    who = person("42", as_of=at, **{"tokens": {"cart": "c1", "checkout": "k1"}, **facts})
    happened = event("k1", "checkout_started", at, checkout_id="k1", cart_id="c1")
    return body(number, who, happened, at=at)


def sale(number: int, at: int = AT, **facts: Any) -> Entry:
    who = person("42", as_of=at, **{"tokens": {"cart": "c1", "checkout": "k1"}, **facts})
    return body(number, who, event("1001", at=at, order_id="1001"), order="1001", at=at)


def test_a_cart_waits_under_its_token() -> None:
    shop = Shop()
    waits = shop.flush(cart(1)).waits
    assert waits == (("1-0", ("cart", PLATFORM, SHOP, "c1")),)
    assert ("cart", PLATFORM, SHOP, "c1") in shop.flush(checkout(2)).owners
    shop.flush(cart(1))
    (ada,) = shop.profiles()
    assert ada["events"] == ["checkout_started", "added_to_cart"]


def test_what_was_ordered_is_no_cart_any_more() -> None:
    shop = Shop()
    shop.flush(cart(1, at=AT), checkout(2, AT + 10))
    shop.flush(sale(3, AT + 20))
    for late in (cart(4, at=AT + 5), checkout(5, AT + 15)):
        assert {why for *_, why in shop.flush(late).dropped} <= {"already ordered"}
    person_ = shop.people.find(id="42")
    assert person_ is not None
    attributes = person_.to_json()["attributes"]
    assert (attributes["current_cart_value"], attributes.get("current_cart_id")) == (0, None)


def test_a_cart_that_was_begun_since_then_stays() -> None:
    shop = Shop()
    shop.flush(checkout(1), cart(2, token="c2", at=AT + 30, who=None))
    shop.memory["cart", PLATFORM, SHOP, "c2"] = {"id": "42"}
    shop.flush(cart(2, token="c2", at=AT + 30))
    shop.flush(sale(3, AT + 20))
    person_ = shop.people.find(id="42")
    assert person_ is not None
    assert person_.to_json()["attributes"]["current_cart_id"] == "c2"


def test_an_order_without_its_cart_is_given_it_by_its_checkout() -> None:
    shop = Shop()
    shop.flush(checkout(1))
    resolution = shop.flush(sale(2, tokens={"checkout": "k1"}))
    (completed,) = [one for one in resolution.operations if one.action == "event"]
    assert completed.attributes["cart_id"] == "c1"


def test_who_is_known_by_an_id_stays_the_owner() -> None:
    """A later body of the order that holds an address only must not take its refunds away."""
    shop = Shop()
    shop.flush(sale(1))
    shop.flush(body(2, person(None, email="other@example.com"), order="1001"))
    refund = body(3, person(None), event("r1", "order_refunded"), order="1001")
    (refunded,) = [one for one in shop.flush(refund).operations if one.action == "event"]
    assert refunded.identifiers == {"id": "42"}


# What was told


def test_no_order_is_completed_after_its_cancellation() -> None:
    shop = Shop()
    who = person("42")
    shop.flush(body(1, who, event("1001", "order_canceled"), order="1001"))
    assert [why for *_, why in shop.flush(sale(2)).dropped] == ["canceled before it was told"]


def test_what_was_told_is_not_told_again_once_its_key_has_ended() -> None:
    shop = Shop()
    shop.flush(sale(1))
    assert shop.flush(sale(2), now=AT + 3 * DAY).dropped == ()  # its key was given back
    assert [why for *_, why in shop.flush(sale(3), now=AT + 31 * DAY).dropped] == [
        "history: told before"
    ]


def test_old_orders_that_were_never_told_are_told_late() -> None:
    shop = Shop()
    assert shop.flush(sale(1, AT - 400 * DAY)).late == 1


# Consent


def order_with_box(number: int, *, at: int, made: int, ticked: bool = True) -> Entry:
    who = person(
        "42",
        as_of=at,
        attributes={"accepts_marketing": ticked},
        times={"accepts_marketing": made},
    )
    return body(number, who, order="1001", at=at)


def test_a_box_that_was_ticked_long_ago_does_not_undo_an_opt_out() -> None:
    shop = Shop(Policy(unsubscribe_on_opt_out=True))
    shop.flush(order_with_box(1, at=AT, made=AT))
    opted_out = person("42", as_of=AT + 50, attributes={"accepts_marketing": False})
    shop.flush(body(2, opted_out, at=AT + 50))
    shop.flush(order_with_box(3, at=AT + 90, made=AT))  # the order was fulfilled meanwhile
    person_ = shop.people.find(id="42")
    assert person_ is not None
    attributes = person_.to_json()["attributes"]
    assert attributes["accepts_marketing"] is False
    shop.flush(order_with_box(4, at=AT + 99, made=AT + 95))  # a new order, ticked anew
    assert person_.to_json()["attributes"]["accepts_marketing"] is True


@pytest.mark.parametrize(
    ("made", "told"), [(-400, False), (-2, False), (0, True), (5, True)], ids=str
)
def test_a_box_from_before_the_shop_was_connected_says_nothing(made: int, told: bool) -> None:
    """Staff edit orders of years; who ticked a box then may have opted out since, unheard."""
    shop = Shop()
    shop.memory[SINCE, PLATFORM, SHOP, ""] = AT // DAY * DAY + DAY
    entry_ = order_with_box(1, at=AT + 9 * DAY, made=AT + made * DAY)
    shop.flush(replace(entry_, events=(event("1001", at=AT, order_id="1001"),)))
    assert ("accepts_marketing" in shop.attributes("42")) == told
    assert bool(shop.last.counts) != told


# Where people go by address


def by_email(number: int, *, email: str | None, id: str | None = "42", **facts: Any) -> Entry:
    who = {"id": id, "email": email, "attributes": {"created_at": AT - DAY}, **facts}
    return paid(number, 50, AT + number, **who)


@pytest.mark.parametrize("together", [True, False])
def test_who_was_known_by_id_first_is_one_with_their_address(together: bool) -> None:
    """A till's sale names the customer only by id; the next order has the address as well."""
    shop = whole_shop(identify_by="email")
    bodies = [
        by_email(1, email=None),
        by_email(2, email="ada@example.com"),
        by_email(3, email=None),
    ]
    for row in [bodies] if together else [[one] for one in bodies]:
        shop.flush(*row)
    (ada,) = shop.profiles()
    assert (ada["email"], len(ada["events"])) == ("ada@example.com", 3)
    (profile,) = shop.people.directory.people.values()
    assert profile.to_json()["attributes"]["orders_count"] == 3


def test_the_history_of_a_changed_address_is_not_whole() -> None:
    shop = whole_shop(identify_by="email")
    shop.flush(by_email(1, email="old@example.com"), by_email(2, email="old@example.com"))
    shop.flush(by_email(3, email="new@example.com"))
    figures = {
        profile.email: profile.to_json()["attributes"].get("orders_count")
        for profile in shop.people.directory.people.values()
    }
    assert figures == {"old@example.com": 2, "new@example.com": None}


# Gaps


def test_what_was_typed_into_an_older_order_does_not_replace_that_of_a_newer_one() -> None:
    """Whichever of them staff edited last."""
    shop = Shop()
    for number, bought, edited, city in ((1, 50, 50, "Berlin"), (2, 10, 90, "Austin")):
        told = paid(
            number,
            5,
            AT + edited,
            id=None,
            email="ada@example.com",
            attributes={"city": city},
            gaps=("city",),
        )
        assert told.ledger is not None
        shop.flush(replace(told, ledger=replace(told.ledger, at=AT + bought)))
    (ada,) = shop.people.directory.people.values()
    assert ada.to_json()["attributes"]["city"] == "Berlin"


def test_what_an_order_says_of_somebody_only_fills_gaps() -> None:
    shop = Shop()
    typed = {"attributes": {"first_name": "A.", "city": "Oz"}, "gaps": ("first_name", "city")}
    shop.flush(body(1, person("42", as_of=AT, attributes={"first_name": "Ada"})))
    shop.flush(body(2, person("42", as_of=AT + 9, **typed), at=AT + 9))
    person_ = shop.people.find(id="42")
    assert person_ is not None
    attributes = person_.to_json()["attributes"]
    assert (attributes["first_name"], attributes["city"]) == ("Ada", "Oz")


# Any order of a person's values

values = st.tuples(
    st.integers(0, 5), st.booleans(), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))
)


@given(st.lists(values, max_size=6), st.randoms(use_true_random=False))
def test_the_newest_value_stands_whatever_the_order(told: list[Any], random: Any) -> None:
    bodies = [
        body(n, person("42", as_of=AT + at, attributes=found, gaps=tuple(found) if weak else ()))
        for n, (at, weak, found) in enumerate(told)
    ]
    shuffled = list(bodies)
    random.shuffle(shuffled)
    ends = []
    for row in (bodies, shuffled):
        shop = Shop()
        for one in row:
            shop.flush(one)
        person_ = shop.people.find(id="42")
        ends.append(person_.to_json()["attributes"] if person_ else None)
    assert ends[0] == ends[1]
