"""What intake makes of webhooks that are not just mapped, over a real Valkey."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from redis import Redis

from adapter.actions import settled
from adapter.errors import MalformedError, SignatureError
from adapter.intake import Intake, Receipt
from adapter.mapping import Mappings, load
from adapter.model import ACTIONS, Action, Delivery, Mapped
from adapter.platforms import Platform, load_platforms
from adapter.settings import shipped
from adapter.store.outbox import Outbox
from adapter.store.topics import Topics

PREFIX = "adapter:default:"
SECRET, SHOP, AT = "a-secret", "lovelace-coffee.myshopify.com", 1767225600
SHOPIFY = load_platforms(shipped("mappings"))["shopify"]
BODY = b'{"topic": "Product", "action": "update", "data": {"product": {"id": "1"}}}'


@pytest.fixture(scope="module")
def mappings() -> Mappings:
    return load(shipped("mappings"))


@pytest.fixture
def intake(outbox: Outbox, mappings: Mappings) -> Intake:
    return Intake({"shopify": SHOPIFY}, mappings, outbox, {"shopify": ("old", SECRET)}, {})


def events_headers(body: bytes = BODY, **changes: str | None) -> dict[str, str]:
    """A Shopify Events delivery, as its documentation has it."""
    (signed,) = SHOPIFY.sign(body, SECRET).values()
    headers: dict[str, str | None] = {
        "shopify-hmac-sha256": signed,
        "shopify-topic": "Product",
        "shopify-action": "update",
        "shopify-handle": "price-changes",
        "shopify-webhook-id": "w-1",
        "shopify-shop-domain": SHOP,
        "shopify-api-version": "unstable",
        "shopify-triggered-at": "2026-01-01T00:00:00.5Z",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in headers.items() if value is not None}


def parked(redis: Redis) -> list[dict[str, Any]]:
    return [
        {
            "delivery": json.loads(fields[b"d"]),
            "reason": fields[b"r"].decode(),
            "body": zlib.decompress(fields[b"b"]),
        }
        for _, fields in redis.xrange(PREFIX + "parked")
    ]


def take(intake: Intake, headers: dict[str, str], body: bytes = BODY) -> Receipt:
    return intake.receive(SHOPIFY, headers, body, AT)


# Shopify Events


def test_an_events_delivery_is_parked_and_says_what_it_is(intake: Intake, redis: Redis) -> None:
    receipt = take(intake, events_headers())
    assert receipt.outcome == "parked"
    assert receipt.reason is not None
    assert receipt.reason.startswith("a Shopify Events delivery, not a webhook")
    assert "subscribe to the webhook topic instead" in receipt.reason
    assert receipt.delivery == Delivery(
        "shopify", "Product/update", "w-1", SHOP, AT, 1767225600.5, "unstable"
    )
    (kept,) = parked(redis)
    assert kept == {
        "delivery": receipt.delivery.to_json(),
        "reason": receipt.reason,
        "body": BODY,
    }
    (seen,) = Topics(redis, "default").seen()
    assert (seen.topic, seen.outcomes) == ("Product/update", {"parked": 1})
    assert take(intake, events_headers()).outcome == "duplicate"


@pytest.mark.parametrize(
    ("changes", "topic"),
    [({"shopify_action": None}, "Product"), ({"shopify_topic": "Order"}, "Order/update")],
)
def test_an_events_topic_is_what_there_is_of_it(
    intake: Intake, changes: dict[str, str | None], topic: str
) -> None:
    assert take(intake, events_headers(**changes)).delivery.topic == topic


def test_events_deliveries_without_an_id_are_never_taken_for_one_another(
    intake: Intake, redis: Redis
) -> None:
    headers = events_headers(shopify_webhook_id=None)
    receipts = [take(intake, headers) for _ in range(3)]
    assert [receipt.outcome for receipt in receipts] == ["parked"] * 3
    assert len({receipt.delivery.id for receipt in receipts}) == len(parked(redis)) == 3


def test_the_ids_of_events_that_go_away_say_nothing(intake: Intake, redis: Redis) -> None:
    """One action that two subscriptions hear of has one event id."""
    for number in range(2):
        headers = events_headers(shopify_event_id="e-1", shopify_webhook_id=f"w-{number}")
        assert take(intake, headers).outcome == "parked"
    assert len(parked(redis)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"shopify_hmac_sha256": "A" * 44},
        {"shopify_hmac_sha256": "é"},
        {"shopify_hmac_sha256": None},
        {"shopify_hmac_sha256": " "},
        {"x_shopify_hmac_sha256": "A" * 44},
    ],
    ids=["wrong", "no base64", "none", "blank", "a wrong one of the usual form beside it"],
)
def test_an_events_delivery_must_be_signed(
    intake: Intake, redis: Redis, changes: dict[str, str | None]
) -> None:
    with pytest.raises(SignatureError):
        take(intake, events_headers(**changes))
    assert list(redis.scan_iter(PREFIX + "*")) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"shopify_topic": None}, "Shopify-Topic: missing"),
        ({"shopify_shop_domain": None}, "Shopify-Shop-Domain: missing"),
        ({"shopify_shop_domain": "a b"}, "Shopify-Shop-Domain: not a host name"),
        ({"shopify_topic": "x" * 101}, "Shopify-Topic: longer than 100 characters"),
        ({"shopify_action": "é"}, "Shopify-Topic: not printable ASCII"),
        ({"shopify_webhook_id": "\x00"}, "Shopify-Webhook-Id: not printable ASCII"),
        ({"shopify_triggered_at": "now"}, "Shopify-Triggered-At: not an ISO-8601 time"),
    ],
)
def test_a_malformed_events_delivery(
    intake: Intake, redis: Redis, changes: dict[str, str | None], problem: str
) -> None:
    with pytest.raises(MalformedError, match=problem):
        take(intake, events_headers(**changes))
    assert parked(redis) == []


def test_an_events_body_is_json_like_all_others(intake: Intake) -> None:
    with pytest.raises(MalformedError, match="the body is not JSON"):
        take(intake, events_headers(b"{"), b"{")


def test_with_both_sets_of_headers_it_is_a_webhook(intake: Intake) -> None:
    """And nothing of the other set is read: its topic, id and shop are not what was vouched for."""
    facts = Delivery("shopify", "orders/exploded", "w-2", SHOP, AT)
    both = {
        **events_headers(shopify_shop_domain="other.example", shopify_hmac_sha256="wrong"),
        **SHOPIFY.headers_for(facts),
        **SHOPIFY.sign(BODY, SECRET),
    }
    receipt = take(intake, both)
    assert receipt.delivery == facts
    assert receipt.reason == "unknown topic: orders/exploded"


@pytest.mark.parametrize("missing", ["X-Shopify-Topic", "X-Shopify-Webhook-Id"])
def test_a_webhook_borrows_nothing_from_the_other_set(intake: Intake, missing: str) -> None:
    facts = Delivery("shopify", "orders/create", "w-2", SHOP, AT)
    both = {**events_headers(), **SHOPIFY.headers_for(facts), **SHOPIFY.sign(BODY, SECRET)}
    del both[missing]
    with pytest.raises(MalformedError, match=f"{missing}: missing"):
        take(intake, both)


def test_events_deliveries_obey_the_list_of_shops(intake: Intake, outbox: Outbox) -> None:
    listed = Intake(
        intake.platforms, intake.mappings, outbox, intake.secrets, {"shopify": frozenset({"b.c"})}
    )
    with pytest.raises(SignatureError, match="not on the list of shops"):
        take(listed, events_headers())


# Actions


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_action_is_carried_out(kind: str) -> None:
    asked = Mapped("mapped", Delivery("shopify", "x/y", "1", SHOP, AT), action=Action(kind))
    assert settled(asked) is asked


def test_an_action_that_nobody_carries_out_is_parked(outbox: Outbox, redis: Redis) -> None:
    kind = "send_flowers"
    asked = Mapped(
        "mapped", Delivery("shopify", "x/y", kind, SHOP, AT), action=Action(kind, {"id": "1"})
    )
    found = settled(asked)
    assert found.outcome == "parked"
    assert found.reason == f"{kind}: not carried out by this version; do it by hand, then drop it"
    assert found.action == asked.action
    assert outbox.accept(found, BODY).outcome == "parked"
    assert parked(redis)[0]["body"] == BODY
    assert redis.exists(PREFIX + "outbox") == 0


@pytest.mark.parametrize("outcome", ["ignored", "parked"])
def test_an_action_that_is_not_asked_for_stays_what_it_is(outcome: Any) -> None:
    one = Mapped(outcome, Delivery("shopify", "x/y", "1", SHOP, AT), "why", action=Action("x"))
    assert settled(one) is one


def test_what_asks_for_nothing_is_left_alone() -> None:
    one = Mapped("mapped", Delivery("shopify", "x/y", "1", SHOP, AT))
    assert settled(one) is one


def test_a_redaction_waits_for_delivery_as_everything_else(intake: Intake, redis: Redis) -> None:
    body = json.dumps({"shop_domain": SHOP, "customer": {"id": 1, "email": "a@x.com"}}).encode()
    facts = Delivery("shopify", "customers/redact", "w-3", SHOP, AT)
    receipt = take(intake, {**SHOPIFY.headers_for(facts), **SHOPIFY.sign(body, SECRET)}, body)
    assert receipt.outcome == "accepted"
    ((_, fields),) = redis.xrange(PREFIX + "outbox")
    asked = {"kind": "redact_person", "values": {"id": "1", "email": "a@x.com"}}
    assert json.loads(fields[b"a"]) == asked


def test_the_shipped_profile_reads_events_as_data() -> None:
    assert isinstance(SHOPIFY, Platform)
    usual, events = SHOPIFY.profile.forms
    assert (usual.park, usual.signature.header) == (None, "X-Shopify-Hmac-Sha256")
    assert events.delivery["topic"] == ("Shopify-Topic", "Shopify-Action")
