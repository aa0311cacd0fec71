"""Who somebody is, through the real stack: guests and customers, carts that wait, addresses that
change, merges, bodies that name nobody."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter.settings import shipped

from .lab import FIXTURES, SHOP, Floor, Shopper, Webhook, iso, until

pytestmark = pytest.mark.slow

HOUR = 3600
NOBODYS = "till@pos.example"
WAITING = f"waiting:{{}}:shopify:{SHOP}:{{}}"
OWN_IDS = 'person:\n  id: {text: "c-{id}"}\n  platform_id: id\n'


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Every test brings its own shoppers."""
    home = tmp_path_factory.mktemp("people")
    env = {"PLACEHOLDER_EMAILS": "@pos.example", "HASH_SECRET": "pepper"}
    with Floor.open(home, **env) as floor:
        floor.workspace.knows_since_ever()
        yield floor
        floor.web.process.assert_calm()
        assert "Traceback" not in floor.worker.said
        assert floor.workspace.dead() == 0
        assert floor.sandbox.refused() == [], "nothing was asked of Customer.io that it refuses"


@pytest.fixture
def now() -> int:
    """The tests' stories end now."""
    return int(time.time())


# --- guest to customer ----------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("first", ["guest", "account"])
def test_orders_by_email_and_an_account_are_one_profile(
    floor: Floor, now: int, first: str, together: bool
) -> None:
    ada, second = Shopper(), Shopper()
    orders = [
        ada.guest("orders/create", at=now - 300),
        replace(second, email=ada.email).guest("orders/create", at=now - 200),
    ]
    account = ada.tells("customers/create", at=now - 100)
    bodies = [*orders, account] if first == "guest" else [account, *orders]
    (floor.in_one_batch if together else floor.one_by_one)(*bodies)
    assert floor.profiles(ada) == [(ada.id, ada.email)]
    assert floor.names(id=ada.id) == ["order_completed", "order_completed", "customer_created"]
    # What follows, by address or by id, is theirs.
    more = replace(Shopper(), email=ada.email)
    floor.post(more.guest("orders/create"), ada.webhook("refunds/create"))
    assert floor.profiles(ada) == [(ada.id, ada.email)]
    assert sorted(floor.names(id=ada.id))[-1] == "order_refunded"
    assert len(floor.names(id=ada.id)) == 5


def test_two_that_were_sent_apart_become_one(floor: Floor, now: int) -> None:
    """The account shows up without its address first."""
    ada = Shopper()
    floor.post(ada.guest("orders/create", at=now - 90))
    floor.post(ada.tells("customers/create", at=now - 60, email=None))
    assert floor.profiles(ada) == [(ada.id, None), (None, ada.email)]
    floor.post(ada.tells("customers/update", at=now - 30))
    until(lambda: floor.profiles(ada) == [(ada.id, ada.email)], "they are merged")
    assert floor.names(id=ada.id) == ["order_completed", "customer_created"]


def test_an_address_is_not_taken_from_another_id(floor: Floor, now: int) -> None:
    ada, bob = Shopper(), Shopper()
    before = floor.workspace.counts()
    floor.post(
        ada.tells("customers/create", at=now - 90),
        replace(bob, email=ada.email).tells("customers/create", at=now - 60),
    )
    assert floor.profiles(ada, bob) == sorted([(ada.id, ada.email), (bob.id, None)])
    assert floor.counted(before)["left_out:email held by another id"] == 1
    floor.post(Shopper(email=ada.email).guest("orders/create"))
    assert floor.names(id=ada.id) == ["customer_created", "order_completed"]
    assert floor.names(id=bob.id) == ["customer_created"]


def test_a_typo_that_is_corrected_takes_nobody_over(floor: Floor, now: int) -> None:
    """The typo happens to be a stranger's address."""
    ada, stranger = Shopper(), Shopper()
    floor.post(stranger.tells("customers/create", at=now - 900))
    floor.one_by_one(
        replace(ada, email=stranger.email).guest("checkouts/create", at=now - 300),
        ada.guest("checkouts/update", "checkouts_create", at=now - 200),
        ada.tells("orders/create", at=now - 100),
    )
    assert floor.profiles(ada, stranger) == sorted(
        [(ada.id, ada.email), (stranger.id, stranger.email)]
    )
    # The checkout began under the address that was typed; all that follows is Ada's.
    assert floor.names(id=stranger.id) == ["customer_created", "checkout_started"]
    assert floor.names(id=ada.id) == ["order_completed"]
    floor.post(ada.webhook("refunds/create"))
    assert floor.names(id=ada.id) == ["order_completed", "order_refunded"]


def test_a_shared_cart_makes_nobody_one(floor: Floor, now: int) -> None:
    """Bob opens the link to Ada's cart, and both buy it."""
    ada = Shopper()
    bob = Shopper(cart=ada.cart)
    floor.one_by_one(
        ada.tells("checkouts/create", at=now - 300),
        bob.tells("checkouts/create", at=now - 250),
        ada.tells("orders/create", at=now - 200),
        bob.tells("orders/create", at=now - 150),
    )
    assert floor.profiles(ada, bob) == sorted([(ada.id, ada.email), (bob.id, bob.email)])
    for one in (ada, bob):
        told = ["checkout_started", "order_completed"]
        assert floor.names(id=one.id) == told
        assert floor.events(id=one.id)[1]["attributes"]["order_id"] == one.order


def test_a_placeholder_address_is_nobodys(floor: Floor, now: int) -> None:
    ada, bob, nobody = Shopper(email=NOBODYS), Shopper(email=NOBODYS), Shopper(email=NOBODYS)
    before = floor.workspace.counts()
    floor.post(
        ada.tells("orders/create", at=now - 90),
        bob.tells("orders/create", at=now - 80),
        nobody.guest("orders/create", at=now - 70, cart_token=None, checkout_token=None),
        nobody.webhook("refunds/create"),
    )
    assert floor.sandbox.find(email=NOBODYS) is None
    for one in (ada, bob):
        assert floor.profiles(replace(one, email="")) == [(one.id, None)]
        assert floor.names(id=one.id) == ["order_completed"]
    assert floor.workspace.waiting() == {}, "nobody is waited for who never comes"
    assert floor.counted(before)["ignored:no_person"] == 2
    assert floor.workspace.parked() == []


# --- a cart waits under its token -----------------------------------------------------------------


def line(variant: int, quantity: int = 1) -> dict[str, object]:
    told = {"variant_id": variant, "quantity": quantity, "price": "5.00"}
    return {
        "product_id": variant,
        "title": f"Tea {variant}",
        "line_price": f"{5 * quantity}.00",
        **told,
    }


def test_a_cart_goes_out_under_its_person(floor: Floor, now: int) -> None:
    ada = Shopper()
    noted = [{"name": "_cioanonid", "value": ada.cookie}]
    keyed = f"{ada.cart}?key=0a1b2c"
    floor.post(
        ada.tells("carts/create", at=now - 900, id=keyed, token=keyed, line_items=[line(1)]),
        ada.tells(
            "carts/update", at=now - 800, line_items=[line(1), line(2)], note_attributes=noted
        ),
    )
    assert floor.sandbox.find(id=ada.id) is None
    waits = floor.workspace.waiting()
    deadline = waits[WAITING.format("cart", ada.cart)]
    assert 72 * HOUR - 60 <= deadline - now <= 72 * HOUR + 60
    floor.post(ada.tells("checkouts/create", at=now - 700, note_attributes=[]))
    until(lambda: len(floor.names(id=ada.id)) == 3, "what waited is there")
    first, second, _ = floor.events(id=ada.id)
    assert [(one["name"], one["timestamp"]) for one in (first, second)] == [
        ("added_to_cart", now - 900),
        ("added_to_cart", now - 800),
    ]
    for event, variants, begun in ((first, ["1"], True), (second, ["2"], False)):
        attributes = event["attributes"]
        assert attributes["cart_id"] == ada.cart
        assert [one["variant_id"] for one in attributes["added_items"]] == variants
        assert attributes["first_in_cart"] is begun
    assert WAITING.format("cart", ada.cart) not in floor.workspace.waiting()
    assert floor.attributes(id=ada.id)["anonymous_id"] == ada.cookie


def test_a_cart_that_only_its_order_names_is_bought(floor: Floor, now: int) -> None:
    """Whoever it was is not to be reminded of it; the profile is theirs all the same."""
    ada, before = Shopper(), floor.workspace.counts()
    floor.post(ada.tells("carts/create", at=now - 900))
    floor.post(ada.tells("orders/create", at=now - 700))
    assert floor.names(id=ada.id) == ["order_completed"]
    assert floor.counted(before)["dropped:added_to_cart: already ordered"] == 1
    assert WAITING.format("cart", ada.cart) not in floor.workspace.waiting()


def test_of_one_cart_the_newest_twenty_wait(floor: Floor, now: int) -> None:
    ada, before = Shopper(), floor.workspace.counts()
    lines = [line(number) for number in range(25)]
    floor.in_one_batch(
        *(ada.tells("carts/update", at=now - 900 + n, line_items=lines[: n + 1]) for n in range(25))
    )
    assert floor.counted(before)["ignored:too many without a person"] == 5
    floor.post(ada.tells("checkouts/create", at=now - 100))
    until(lambda: len(floor.names(id=ada.id)) == 21, "what waited is there")
    times = [one["timestamp"] for one in floor.events(id=ada.id)[:-1]]
    assert times == [now - 900 + n for n in range(5, 25)]


def test_a_cart_of_nobody_is_given_up(floor: Floor, now: int) -> None:
    ada, before = Shopper(), floor.workspace.counts()
    floor.post(ada.tells("carts/create", at=now - 900))
    floor.workspace.expire(WAITING.format("cart", ada.cart))
    assert floor.counted(before)["ignored:no_person"] == 1
    assert floor.workspace.parked() == []
    floor.post(ada.tells("checkouts/create", at=now))
    assert floor.names(id=ada.id) == ["checkout_started"]


def test_what_waits_for_a_subscriber_or_an_order_is_parked(floor: Floor, now: int) -> None:
    """A failed billing and a refund are too good to be thrown away."""
    ada, contract = Shopper(), Shopper().id
    failed = ada.tells(
        "subscription_billing_attempts/failure",
        id=int(ada.refund),
        subscription_contract_id=int(contract),
    )
    floor.post(failed, ada.webhook("refunds/create"))
    floor.workspace.expire(WAITING.format("subscription", contract))
    floor.workspace.expire(WAITING.format("order", ada.order))
    parked = [
        (json.loads(one[b"d"])["topic"], one[b"r"].decode()) for one in floor.workspace.parked()
    ]
    assert parked == [
        (
            "subscription_billing_attempts/failure",
            "its person did not become known within 72 hours",
        ),
        ("refunds/create", "the order's owner did not become known within 24 hours"),
    ]
    floor.redis.delete("adapter:default:parked")


# --- an address changes ---------------------------------------------------------------------------


def test_an_email_change_frees_the_old_one(floor: Floor, now: int) -> None:
    ada, bob = Shopper(), Shopper()
    changed = replace(ada, email=f"new-{ada.email}")
    floor.post(ada.tells("customers/create", at=now - 900))
    floor.post(changed.tells("customers/update", at=now - 600, created_at=iso(now - 900)))
    heir = replace(bob, email=ada.email)
    floor.post(heir.tells("customers/create", at=now - 300))
    # An older body of Ada brings her old address not back.
    floor.post(ada.tells("customers/update", at=now - 700, created_at=iso(now - 900)))
    wanted = sorted([(ada.id, changed.email), (bob.id, ada.email)])
    assert floor.profiles(ada, bob, changed) == wanted
    floor.post(Shopper(email=ada.email).guest("orders/create", at=now))
    assert floor.names(id=bob.id) == ["customer_created", "order_completed"]
    assert floor.names(id=ada.id) == ["customer_created"]


def test_the_shops_own_id_splits_nobody(floor: Floor, now: int, tmp_path: Path) -> None:
    """Customers' bodies say the shop's id, all others the platform's only."""
    ada = Shopper()
    custom = tmp_path / "custom"
    (custom / "shopify").mkdir(parents=True)
    (custom / "shopify" / "customers.yml").write_text(OWN_IDS)
    floor_of_ids = floor.lab.web(MAPPINGS_DIR=f"{shipped('mappings')}:{custom}")
    assert ada.tells("customers/create", at=now - 300).outcome(floor_of_ids) == "accepted"
    floor.workspace.drained()
    floor.post(ada.tells("orders/create", at=now - 200), ada.webhook("refunds/create"))
    assert floor.sandbox.find(id=ada.id) is None
    own = f"c-{ada.id}"
    assert floor.names(id=own) == ["customer_created", "order_completed", "order_refunded"]


# --- merged by staff ------------------------------------------------------------------------------


def merge(kept: Shopper, gone: Shopper, status: str = "completed") -> Webhook:
    gids = {
        f"admin_graphql_api_customer_{name}_id": f"gid://shopify/Customer/{one.id}"
        for name, one in (("kept", kept), ("deleted", gone))
    }
    return kept.tells("customers/merge", status=status, **gids)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_two_customers_become_one(floor: Floor, now: int, together: bool) -> None:
    kept, gone = Shopper(), Shopper()
    born = {"created_at": iso(now - 900)}
    assert merge(kept, gone, "failed").outcome(floor.web) == "ignored"
    before = [
        kept.tells("orders/create", at=now - 600, customer=born),
        gone.tells("orders/create", at=now - 500, customer=born),
    ]
    (floor.in_one_batch if together else floor.one_by_one)(*before, merge(kept, gone))
    until(lambda: floor.sandbox.find(id=gone.id) is None, "one of them is gone")
    assert floor.profiles(kept, gone) == [(kept.id, kept.email)]
    assert floor.names(id=kept.id) == ["order_completed"] * 2
    # What still names the one that is gone is the other's: an order anew, a refund, an email's.
    assert floor.workspace.dead() == 0
    late = replace(Shopper(), id=gone.id, email=gone.email)
    floor.post(
        late.tells("orders/create", at=now - 100, customer=born),
        gone.webhook("refunds/create"),
        Shopper(email=gone.email).guest("orders/create", at=now - 50),
    )
    assert floor.sandbox.find(id=gone.id) is None
    assert floor.sandbox.find(email=gone.email) is None
    names = floor.names(id=kept.id)
    assert sorted(names) == ["order_completed"] * 4 + ["order_refunded"]
    assert floor.attributes(id=kept.id)["orders_count"] == 4


@pytest.mark.parametrize("decided", ["note", "delete", "suppress"])
def test_a_deleted_customer_is_what_was_decided(floor: Floor, now: int, decided: str) -> None:
    ada = Shopper()
    assert floor.worker.end()[0] == 0
    env = {"HASH_SECRET": "pepper", "ON_CUSTOMER_DELETE": decided}
    floor.worker = floor.lab.worker(floor.sandbox, **env)
    floor.post(ada.tells("customers/create", at=now - 300))
    before = floor.workspace.counts()
    floor.post(ada.tells("customers/delete", id=int(ada.id)))
    gid = {"customer_id": int(ada.id)}
    floor.post(ada.tells("customers_email_marketing_consent/update", **gid))
    found = floor.sandbox.find(id=ada.id)
    counted = floor.counted(before)
    blocked = {("id", ada.id), ("email", ada.email)} & {
        pair for one in floor.sandbox.suppressed() for pair in one.items()
    }
    if decided == "note":
        assert found is not None
        assert (counted["customer_deleted"], blocked) == (1, set())
        return
    assert found is None
    assert counted["ignored:redacted"] == 1, "a body under way brings nobody back"
    assert len(blocked) == (2 if decided == "suppress" else 0)


# --- bodies that name nobody ----------------------------------------------------------------------


def about_an_order(ada: Shopper, at: int) -> list[Webhook]:
    parcel = {"order_id": int(ada.order), "fulfillment_id": int(ada.refund)}
    failed = {"order_id": int(ada.order), "id": int(ada.refund)}
    return [
        ada.tells("refunds/create", at=at),
        ada.tells("fulfillment_events/create", at=at, **parcel),
        ada.tells("order_transactions/create", at=at, **failed),
    ]


@pytest.mark.parametrize("before", [True, False], ids=["before the order", "after it"])
def test_what_names_an_order_only_goes_to_its_owner(floor: Floor, now: int, before: bool) -> None:
    ada = Shopper()
    order = ada.tells("orders/create", at=now - 100, customer={"created_at": iso(now - 900)})
    others = about_an_order(ada, now - 50)
    if before:
        floor.post(*others)
        assert floor.sandbox.find(id=ada.id) is None
        name = WAITING.format("order", ada.order)
        deadline = floor.workspace.waiting()[name]
        assert 24 * HOUR - 60 <= deadline - now <= 24 * HOUR + 60
        floor.post(order)
        assert name not in floor.workspace.waiting()
    else:
        floor.post(order, *others)
    until(lambda: len(floor.names(id=ada.id)) == 4, "all of it is there")
    told = ["order_completed", "order_delivered", "order_refunded", "payment_failed"]
    assert sorted(floor.names(id=ada.id)) == told
    assert floor.attributes(id=ada.id)["lifetime_value"] == 172.46


def test_a_thousand_that_wait_slow_nothing_down(floor: Floor, now: int) -> None:
    def seconds() -> float:
        ada = Shopper()
        order = ada.tells("orders/create", at=now)
        began = time.monotonic()
        assert order.outcome(floor.web) == "accepted"
        until(lambda: floor.sandbox.find(id=ada.id), "it is delivered")
        return time.monotonic() - began

    alone = sorted(seconds() for _ in range(5))[2]
    shoppers = [Shopper() for _ in range(1_000)]
    floor.post_all(one.tells("refunds/create", at=now) for one in shoppers)
    floor.workspace.drained()
    assert len(floor.workspace.waiting()) >= 1_000
    beside = sorted(seconds() for _ in range(5))[2]
    print(f"an order: {alone * 1000:.0f} ms, beside 1,000 that wait {beside * 1000:.0f} ms")
    assert len(floor.workspace.waiting()) >= 1_000
    # All wait for one owner now: released at once, in one step.
    ada = shoppers[0]
    many = [replace(ada, refund=Shopper().refund) for _ in shoppers[1:300]]
    floor.post_all(one.tells("refunds/create", at=now) for one in many)
    floor.workspace.drained()
    beside = sorted(seconds() for _ in range(5))[2]
    print(f"beside 300 of one order {beside * 1000:.0f} ms")
    floor.post(ada.tells("orders/create", at=now - 10))
    until(lambda: len(floor.names(id=ada.id)) == 301, "all that waited is there")
    keys = [f"adapter:default:{name}" for name in floor.workspace.waiting()]
    floor.redis.delete("adapter:default:waiting", *keys)


# --- whatever the order ---------------------------------------------------------------------------

CONSENT = "customers_email_marketing_consent/update"
STORY = {
    "carts/create": 1789394180.5,
    "carts/update": 1789394500.5,
    "checkouts/create": 1789394531.5,
    "customers/create": 1789394532.5,
    CONSENT: 1789394681.5,
    "orders/create": 1789394734.5,
    "orders/paid": 1789394736.5,
    "customers/update": 1789560940.5,
    "refunds/create": 1790109604.5,
}
"""Topics, and when the store sent them in the fixtures' time."""

MOVED = datetime.now(UTC).replace(microsecond=0) - datetime.fromtimestamp(1790109900, UTC)
MAY_BE_SKIPPED = {"added_to_cart", "checkout_started"}


def story(ada: Shopper, moved: timedelta = MOVED) -> list[Webhook]:
    return [
        Webhook(
            topic,
            ada.body(topic.replace("/", "_"), moved),
            triggered_at=sent + moved.total_seconds(),
        )
        for topic, sent in STORY.items()
    ]


def ending(floor: Floor, ada: Shopper) -> tuple[dict[str, object], set[tuple[str, int]]]:
    """Their profile, with names that are their own written as anybody's; and their events."""
    person = floor.sandbox.find(id=ada.id)
    assert person is not None
    told = {(one["name"], one["timestamp"]) for one in floor.events(id=ada.id)}
    kept = {name: person[name] for name in ("id", "email", "phone", "attributes")}
    text = json.dumps(kept)
    for name in ("id", "order", "refund", "cart", "checkout", "cookie"):
        text = text.replace(getattr(ada, name), name)
    return json.loads(text), told


def test_any_order_ends_in_the_same_profile(floor: Floor) -> None:
    """Each plays its own story, with bodies that come again, some in one batch."""
    first = Shopper()
    floor.one_by_one(*story(first))
    profile, events = ending(floor, first)
    assert {name for name, _ in events} == {
        *MAY_BE_SKIPPED,
        *("customer_created", "order_completed", "order_refunded"),
    }
    assert profile["attributes"]["orders_count"] == 1
    assert profile["attributes"]["current_cart_value"] == 0
    for seed in range(6):
        chance, ada = random.Random(seed), Shopper()
        bodies = story(ada)
        bodies += [replace(one, id=f"again-{one.id}") for one in chance.sample(bodies, 3)]
        bodies += chance.sample(bodies, 3)
        chance.shuffle(bodies)
        while bodies:
            size = chance.randint(1, 5)
            with floor.workspace.held():
                for body in bodies[:size]:
                    assert body.outcome(floor.web) in ("accepted", "duplicate")
            bodies = bodies[size:]
            floor.workspace.drained()
        found, told = ending(floor, ada)
        assert found == profile, f"seed {seed}"
        assert told <= events
        assert {name for name, _ in events - told} <= MAY_BE_SKIPPED
    assert not any(first.cart in name for name in floor.workspace.waiting())


# --- what was bought is no cart any more ----------------------------------------------------------


def test_nothing_reminds_of_what_was_bought(floor: Floor, now: int) -> None:
    ada, before = Shopper(), floor.workspace.counts()
    floor.post(ada.tells("orders/create", at=now - 100))
    floor.post(
        ada.tells("carts/create", at=now - 300),
        ada.tells("checkouts/create", at=now - 200),
    )
    assert floor.names(id=ada.id) == ["order_completed"]
    assert floor.attributes(id=ada.id)["current_cart_value"] == 0
    counted = floor.counted(before)
    assert counted["dropped:added_to_cart: already ordered"] == 1
    assert counted["dropped:checkout_started: already ordered"] == 1


def test_no_order_is_completed_after_its_cancellation(floor: Floor, now: int) -> None:
    ada, before = Shopper(), floor.workspace.counts()
    made, gone = iso(now - 300), iso(now - 100)
    cancelled = {"cancelled_at": gone, "cancel_reason": "customer", "created_at": made}
    born = {"created_at": iso(now - 900)}
    floor.one_by_one(
        ada.tells(
            "orders/cancelled",
            "orders_create",
            at=now - 100,
            **cancelled,
            processed_at=made,
            customer=born,
        ),
        ada.tells("orders/create", at=now - 300, customer=born),
    )
    assert floor.names(id=ada.id) == ["order_canceled"]
    assert floor.counted(before)["dropped:order_completed: canceled before it was told"] == 1
    assert floor.attributes(id=ada.id)["orders_count"] == 0


# --- the cart -------------------------------------------------------------------------------------


def test_only_what_is_added_is_an_event(floor: Floor, now: int) -> None:
    ada = Shopper()
    floor.post(ada.tells("checkouts/create", at=now - 1_000))
    states = [
        ([line(1)], 5, ["1"]),
        ([line(1), line(2)], 10, ["2"]),
        ([line(1, 3), line(2)], 20, ["1"]),  # more of it is added, too
        ([line(1, 2), line(2)], 15, None),
        ([line(2)], 5, None),
        ([], 0, None),
        ([line(2)], 5, ["2"]),
    ]
    bodies = []
    for number, (lines, value, added) in enumerate(states):
        body = ada.tells("carts/update", at=now - 900 + number, line_items=lines)
        bodies.append(body)
        count = len(floor.names(id=ada.id))
        floor.post(body)
        attributes = floor.attributes(id=ada.id)
        assert attributes["current_cart_value"] == value
        assert attributes["current_cart_updated_at"] == now - 900 + number
        events = floor.events(id=ada.id)
        assert len(events) - count == (added is not None)
        if added is None:
            continue
        told = events[-1]["attributes"]
        assert [one["variant_id"] for one in told["added_items"]] == added
        assert told["first_in_cart"] is (number in (0, 6))
    assert attributes["current_cart_url"] == f"https://{SHOP}/cart/2:1"
    before = floor.attributes(id=ada.id), floor.names(id=ada.id)
    for old in bodies[:-1]:
        floor.post(replace(old, id=f"again-{old.id}"))
    assert (floor.attributes(id=ada.id), floor.names(id=ada.id)) == before
    floor.post(ada.tells("orders/create", at=now - 100))
    attributes = floor.attributes(id=ada.id)
    assert attributes["current_cart_value"] == 0
    assert "current_cart_id" not in attributes
    assert "current_cart_url" not in attributes


def test_the_fixtures_are_of_one_story() -> None:
    """The times above are those of the fixtures."""
    order = json.loads((FIXTURES / "orders_create.json").read_text())
    sent = datetime.fromisoformat(order["updated_at"]).timestamp()
    assert 0 <= STORY["orders/create"] - sent < 1
