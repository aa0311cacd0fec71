"""Webhooks that go well: from signed HTTP to what Customer.io holds."""

from __future__ import annotations

import itertools
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from adapter.ulid import event_ulid, is_ulid

from .conftest import Stack
from .lab import SHOP, Shopper, Webhook, until

ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated")


def test_the_story_end_to_end(stack: Stack) -> None:
    ada = Shopper()
    chapters = [
        ada.webhook("checkouts/create"),
        ada.webhook("orders/create"),
        ada.webhook("orders/paid"),
        ada.webhook("refunds/create"),
    ]
    for chapter in chapters:
        answer = chapter.post(stack.web)
        assert answer.status_code == 200
        expected = {"outcome": "accepted", "delivery": chapter.id, "reason": None}
        assert answer.json() == expected
        assert chapter.post(stack.web).json() == {**expected, "outcome": "duplicate"}
    names = ("checkout_started", "order_completed", "order_refunded")
    stack.sandbox.await_events(ada, *names)
    stack.workspace.drained()

    person = stack.sandbox.person(ada)
    assert (person["id"], person["email"], person["phone"]) == (ada.id, ada.email, "+17185550142")
    attributes = person["attributes"]
    assert {name: attributes[name] for name in ("first_name", "last_name", "country", "city")} == {
        "first_name": "Ada",
        "last_name": "Byron",
        "country": "US",
        "city": "Brooklyn",
    }
    assert attributes["accepts_marketing"] is True
    assert type(attributes["created_at"]) is int
    assert type(attributes["last_seen_at"]) is int
    assert person["unsubscribed"] is False

    assert stack.sandbox.names(ada) == sorted(names), "each event once, whatever came twice"
    events = {event["name"]: event for event in stack.sandbox.events(ada)}
    checkout, order, refund = (events[name]["attributes"] for name in names)
    for event, key in zip(names, (ada.checkout, ada.order, ada.refund), strict=True):
        assert is_ulid(events[event]["id"])
        assert events[event]["id"] == event_ulid("shopify", SHOP, event, key)
        assert events[event]["attributes"]["event_id"] == events[event]["id"]
        assert type(events[event]["timestamp"]) is int
        assert events[event]["triggers"] is True

    body = json.loads(chapters[1].body)
    assert events["order_completed"]["timestamp"] == int(
        datetime.fromisoformat(body["processed_at"]).timestamp()
    )
    assert order["revenue"] == 202.29
    assert order["subtotal"] == 187.65
    assert type(order["item_count"]) is int
    assert order["item_count"] == 7 == sum(item["quantity"] for item in order["items"])
    assert order["currency"] == "USD"
    assert order["order_id"] == ada.order
    assert refund["refund_amount"] == 29.83
    assert refund["order_id"] == ada.order
    assert refund["refund_id"] == ada.refund
    assert checkout["cart_value"] == 217.54
    assert checkout["cart_id"] == order["cart_id"] == ada.cart, "what joins cart and order"
    assert checkout["checkout_id"] == order["checkout_id"] == ada.checkout

    flags = ("bad_timestamp", "bad_times", "envelope_override", "reserved", "shared_anonymous_id")
    for activity in person["activity"]:
        # The browser's id is the fixtures' own: other shoppers here have it too.
        found = [flag for flag in flags[:-1] if flag in activity]
        assert not found, activity
        assert activity["type"] in ("event", "attribute_change", "skipped_update")
    assert not [one for one in stack.sandbox.refused() if one.get("identifiers") == {"id": ada.id}]


def test_the_refund_may_come_before_its_order(stack: Stack) -> None:
    shopper = Shopper()
    assert shopper.webhook("refunds/create").outcome(stack.web) == "accepted"
    stack.workspace.drained()
    assert stack.sandbox.events(shopper) == []
    assert shopper.webhook("orders/paid").outcome(stack.web) == "accepted"
    stack.sandbox.await_events(shopper, "order_completed", "order_refunded")


def test_concurrent_redeliveries_of_one_id_give_one_effect(stack: Stack) -> None:
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    with ThreadPoolExecutor(30) as pool:
        outcomes = list(pool.map(lambda _: webhook.outcome(stack.web), range(60)))
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 59
    stack.sandbox.await_events(shopper, "order_completed")
    stack.workspace.drained()
    sent = [
        item
        for request in stack.sandbox.requests_for(shopper)
        for item in request["json"]["batch"]
        if item["identifiers"] == {"id": shopper.id}
    ]
    assert [item["action"] for item in sent] == ["identify", "event"]


def test_concurrent_bodies_of_one_order_give_one_event(stack: Stack) -> None:
    """Twenty deliveries of one order at once: different ids, one business key."""
    shopper = Shopper()
    webhooks = [shopper.webhook(ORDER_TOPICS[n % 3]) for n in range(21)]
    with ThreadPoolExecutor(21) as pool:
        outcomes = list(pool.map(lambda webhook: webhook.outcome(stack.web), webhooks))
    assert outcomes == ["accepted"] * 21, "each of them tells something of the person"
    stack.workspace.drained()
    assert stack.sandbox.names(shopper) == ["order_completed"]
    sent = [
        item
        for request in stack.sandbox.requests_for(shopper)
        for item in request["json"]["batch"]
        if item["action"] == "event"
    ]
    assert len(sent) == 1, "sent once, and not only dropped as a repeat by Customer.io"


@pytest.mark.parametrize("topics", list(itertools.permutations(ORDER_TOPICS)), ids=" ".join)
def test_the_topics_of_one_order_give_one_order_completed(
    stack: Stack, topics: tuple[str, ...]
) -> None:
    shopper = Shopper()
    for topic in topics:
        assert shopper.webhook(topic).outcome(stack.web) == "accepted"
    stack.workspace.drained()
    assert stack.sandbox.names(shopper) == ["order_completed"]
    (event,) = stack.sandbox.events(shopper)
    assert event["id"] == event_ulid("shopify", SHOP, "order_completed", shopper.order)
    assert event["attributes"]["cart_id"] == shopper.cart


def test_a_duplicate_writes_nothing_but_its_count(stack: Stack) -> None:
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    assert webhook.outcome(stack.web) == "accepted"
    stack.sandbox.await_events(shopper, "order_completed")
    stack.workspace.drained()
    before, counted = stack.workspace.at_rest(), stack.workspace.counts()
    requests = len(stack.sandbox.requests())
    for _ in range(5):
        assert webhook.outcome(stack.web) == "duplicate"
    assert stack.workspace.at_rest() == before
    counted["duplicate"] = counted.get("duplicate", 0) + 5
    assert stack.workspace.counts() == counted
    assert len(stack.sandbox.requests()) == requests


def test_one_id_of_two_shops_is_two_deliveries(stack: Stack) -> None:
    one, other = Shopper(), Shopper()
    first = one.webhook("orders/paid")
    second = Webhook("orders/paid", other.body("orders_paid"), first.id, "other.myshopify.com")
    assert first.outcome(stack.web) == "accepted"
    assert second.outcome(stack.web) == "accepted"
    stack.sandbox.await_events(one, "order_completed")
    stack.sandbox.await_events(other, "order_completed")


def test_a_new_order_after_a_quiet_time_is_sent_at_once(stack: Stack) -> None:
    """Nothing polls its way to Customer.io: the wake-up comes with the webhook."""
    stack.workspace.drained()
    clients = stack.workspace.redis.client_list
    until(lambda: any("b" in one["flags"] for one in clients()), "the worker waits on its queue")
    shopper = Shopper()
    # Nobody sweeps meanwhile: what is there was put there by the webhook.
    stack.worker.signal(signal.SIGSTOP)
    try:
        assert shopper.webhook("orders/paid").outcome(stack.web) == "accepted"
        assert stack.workspace.lease().startswith("job:")
        assert not any("b" in one["flags"] for one in clients()), "the worker has been answered"
    finally:
        stack.worker.signal(signal.SIGCONT)
    stack.sandbox.await_events(shopper, "order_completed")
