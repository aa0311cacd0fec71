"""`adapter person` and `adapter why`: what is known of somebody, and why they got an event or not.

The stories are told through the real mappings, outbox and flush, to a Customer.io that listens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from memories import remember
from redis import Redis

from adapter.actions import settled
from adapter.cli import main
from adapter.destinations import DESTINATIONS
from adapter.flush import Office, flush
from adapter.jobs import flush_job
from adapter.mapping import load, parse_body
from adapter.model import Delivery, Json
from adapter.resolver import Policy
from adapter.settings import shipped
from adapter.store import refs
from adapter.store.connection import connect
from adapter.store.outbox import Outbox
from adapter.transport import Transport

from .conftest import Adapter

MAPPINGS = load(shipped("mappings"))
SHOP = "lovelace-coffee.myshopify.com"
SECRET = "pepper"
PREFIX = "adapter:default:"
DAY = 86400

ADA, EMAIL = "8274950138263", "ada@example.com"
GUEST = "grace.hopper@example.com"
ORDER = "9058172640193827465"
CART, CHECKOUT = "hWN1kT3nq8LcVdJ0aYbR4fZ2-mX", "b91f6c0a7d2e4858a3c5e17f90d2b648"
CONSENT = "customers_email_marketing_consent/update"
STORY = (
    ("carts/create", "carts_create.json", 1789394180.5),
    ("checkouts/create", "checkouts_create.json", 1789394531.5),
    ("customers/create", "customers_create.json", 1789394532.5),
    (CONSENT, "customers_email_marketing_consent_update.json", 1789394681.5),
    ("orders/create", "orders_create.json", 1789394734.5),
    ("customers/update", "customers_update.json", 1789560940.5),
    ("refunds/create", "refunds_create.json", 1790109604.5),
)

Ask = Callable[..., Result]


class Shop:
    """Bodies go in through the real mappings; `flush` is what the worker does next."""

    def __init__(self, redis: Redis, office: Office, url: str) -> None:
        self.redis, self.office, self.url = redis, office, url
        self._number = 0

    def post(self, topic: str, fixture: str, at: float, **changes: Json) -> str:
        """Take one delivery in; its id."""
        raw = (shipped("fixtures") / "shopify" / fixture).read_bytes()
        return self.take(topic, {**parse_body(raw), **changes}, at)

    def take(self, topic: str, body: Json, at: float) -> str:
        self._number += 1
        told = Delivery("shopify", topic, f"d{self._number}", SHOP, int(at) + 1, at)
        raw = json.dumps(body, default=float).encode()
        self.office.outbox.accept(settled(MAPPINGS.apply(told, body)), raw)
        return told.id

    def flush(self) -> None:
        """Until nothing is left that can go."""
        self.redis.delete(PREFIX + "lease")
        self.office.outbox.sweep()
        while job := self.redis.lpop("rq:queue:adapter"):
            flush(self.office, job.decode())

    def tell(self, *story: tuple[str, str, float]) -> None:
        for body in story:
            self.post(*body)
            self.flush()

    def fault(self, *faults: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}/_sandbox/faults", json=list(faults), timeout=10)
        assert answer.status_code == 200


@pytest.fixture
def shop(redis: Redis, redis_url: str, sandbox: str) -> Iterator[Shop]:
    """One whose first whole day began before the stories do."""
    requests.delete(f"{sandbox}/_sandbox", timeout=10)
    client = connect(redis_url, "worker")
    transport = Transport(sandbox, "sandbox-site", "sandbox-key")
    policy = Policy(rules=MAPPINGS.rules, flat=MAPPINGS.schema.flat)
    outbox = Outbox(client, "default", flush_job("default"), secret=SECRET)
    office = Office("default", outbox, DESTINATIONS["track"], transport, policy)
    redis.set(PREFIX + refs.memory("since", "shopify", SHOP, ""), 1789300000)
    yield Shop(redis, office, sandbox)
    transport.close()
    client.connection_pool.disconnect()


@pytest.fixture
def ask(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Ask:
    """`ask("person", ...)`, with the secret that the worker has."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **env: str) -> Result:
        variables = {"REDIS_URL": redis_url, "HASH_SECRET": SECRET, **env}
        return CliRunner().invoke(main, list(arguments), env=variables)

    return run


def read(result: Result) -> dict[str, Any]:
    assert result.exit_code in (0, 1), result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def answers(result: Result) -> list[tuple[str, str]]:
    """(about, verdict) of each answer, less the shop."""
    found = read(result)["answers"]
    return [(one["about"].partition(" of ")[0], one["verdict"]) for one in found]


# --- person


@pytest.mark.parametrize(
    ("who", "way"),
    [
        (ADA, [["id", ADA]]),
        (f"gid://shopify/Customer/{ADA}", [["id", ADA]]),
        (" Ada@Example.com ", [["email", EMAIL], ["id", ADA]]),
        (ORDER, [["id", ADA]]),
        (CART, [["id", ADA]]),
        (CART + "?key=4f1cb2a09d7e", [["id", ADA]]),
        (CHECKOUT, [["id", ADA]]),
    ],
    ids=["id", "gid", "email", "order", "cart", "cart with a key", "checkout"],
)
def test_whom_a_name_means(shop: Shop, ask: Ask, who: str, way: list[list[str]]) -> None:
    shop.tell(*STORY)
    result = ask("person", who, "--json")
    assert result.exit_code == 0
    assert read(result)["way"] == way


def test_all_that_is_known_of_somebody(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    known = read(ask("person", ADA, "--json"))
    assert known["email"] == EMAIL
    assert known["created"] == 1789394529
    assert known["attributes"]["city"] == {
        "as_of": 1789560940,
        "gap": False,
        "sent_at": 1789560940.5,
        "delivery": "d6",
    }
    assert known["attributes"]["accepts_marketing"]["as_of"] == 1789394732  # the order's own time
    assert known["orders"] == {
        ORDER: {
            "at": 1789394730,
            "as_of": 1789394734,
            "value": 172.46,
            "currency": "USD",
            "cancelled": False,
            "refunds": {"9061530472918365713": {"amount": 29.83, "currency": "USD"}},
        }
    }
    assert [(one["shop"], one["whole"], one["why_not"]) for one in known["history"]] == [
        (SHOP, True, None)
    ]
    person = requests.get(f"{shop.url}/_sandbox/people", timeout=10).json()["people"][0]
    sent = {name: person["attributes"][name] for name in known["figures"]}
    assert known["figures"] == sent, "what is shown is what was sent"
    assert known["inputs"]["orders_count"] == 1
    assert known["cart"] is None
    owned = {(one["kind"], one["value"]): one for one in known["owns"]}
    assert set(owned) == {("cart", CART), ("checkout", CHECKOUT), ("order", ORDER)}
    assert owned["cart", CART]["became_order"] == ORDER
    assert owned["checkout", CHECKOUT]["began_as_cart"] == CART
    assert set(owned["order", ORDER]["told"]) == {
        "order_completed",
        "order_refunded:9061530472918365713",
    }
    assert known["waits"] == []
    assert all(one["seen"] == one["there"] for one in known["looked"])


def test_what_a_person_reads(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    lines = ask("person", EMAIL).stdout.splitlines()
    assert lines[:2] == [f"id {ADA}", f"  asked      email {EMAIL} -> id {ADA}"]
    text = "\n".join(lines)
    for part in (
        "2026-09-16 12:15:40 UTC  says so      delivery d6  city, country",
        f"{ORDER}  2026-09-14 14:05:30 UTC  172.46 USD, refund 9061530472918365713: 29.83 USD",
        f"history    {SHOP}: whole",
        "lifetime_value 172.46",
        f"checkout {CHECKOUT} of {SHOP}: began as cart {CART}; became order {ORDER}",
    ):
        assert part in text
    assert "looked" not in text, "all of it was looked through"


@pytest.mark.parametrize("who", ["nobody@example.com", "4711", "+17185550100"])
def test_nothing_is_known(shop: Shop, ask: Ask, who: str) -> None:
    shop.tell(*STORY)
    result = ask("person", who)
    assert result.exit_code == 1
    said = result.stdout.splitlines()
    assert said[0] == f"nothing is known of {who}"
    assert bool(said[1:]) == who.startswith("+"), "of a phone it tells whom it can lead to"
    assert read(ask("person", who, "--json"))["known"] is False


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("", "expected an id, an email, a phone or a token"),
        ("ada@", "'ada@' is no whole email"),
        ("+1-two", "'+1-two' is no whole phone with its country code"),
    ],
)
def test_what_is_no_name_is_refused(shop: Shop, ask: Ask, who: str, said: str) -> None:
    result = ask("person", who)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_why_a_history_is_not_whole(shop: Shop, ask: Ask) -> None:
    since = PREFIX + refs.memory("since", "shopify", SHOP, "")
    shop.redis.set(since, 1789400000)  # she came to be before it
    shop.tell(*STORY)
    known = read(ask("person", ADA, "--json"))
    assert known["history"][0]["whole"] is False
    assert "came to be on 2026-09-14 14:02:09 UTC, before" in known["history"][0]["why_not"]
    assert known["figures"] == {}
    assert "not whole: they came to be" in ask("person", ADA).stdout


def test_a_guests_history_is_never_whole(shop: Shop, ask: Ask) -> None:
    shop.tell(("orders/create", "orders_create.guest.json", 1791118000.5))
    known = read(ask("person", GUEST, "--json"))
    assert known["way"] == [["email", GUEST]]
    assert "never told when they came to be" in known["history"][0]["why_not"]


def test_why_a_history_is_not_whole_after_a_merge(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    merge = {"status": "completed", "admin_graphql_api_customer_kept_id": ADA}
    merge["admin_graphql_api_customer_deleted_id"] = "8274950999999"
    shop.take("customers/merge", merge, 1790109700.5)
    shop.flush()
    known = read(ask("person", ADA, "--json"))
    assert known["history"][0]["why_not"] == (
        "somebody was merged into them of whom nobody told when they came to be"
    )
    assert known["figures"] == {}


def test_a_cart_that_waits_for_its_person(shop: Shop, ask: Ask) -> None:
    shop.tell(STORY[0])
    result = ask("person", CART, "--json")
    assert result.exit_code == 0
    known = read(result)
    assert known["known"] is False
    (cart,) = known["named"]
    assert cart["owner"] is None
    assert cart["waiting"]["entries"] == 1
    assert abs(cart["waiting"]["until"] - time.time() - 3 * DAY) < 60
    assert [(one["place"], one["events"][0]["name"]) for one in known["waits"]] == [
        ("waiting", "added_to_cart")
    ]
    assert "1 wait for its owner until" in ask("person", CART).stdout


def test_who_leads_to_somebody_is_shown(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY[:3])
    gone = "8274950000007"
    for name in ("id:7", f"id:{gone}"):
        record = json.dumps({"to": ["id", ADA] if name != "id:7" else ["id", gone]})
        shop.redis.set(PREFIX + refs.memory("person", "", "", name, SECRET), record)
    known = read(ask("person", ADA, "--json"))
    assert known["also"] == [f"id:{7}", f"id:{gone}"]
    assert read(ask("person", "7", "--json"))["way"] == [["id", "7"], ["id", gone], ["id", ADA]]


def test_without_the_secret_nobody_is_known_by_email(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    assert ask("person", EMAIL, HASH_SECRET="another").exit_code == 1
    assert ask("person", ADA, HASH_SECRET="another").exit_code == 0


def test_a_placeholder_is_said_to_be_one(shop: Shop, ask: Ask) -> None:
    result = ask("person", "till@pos.example", PLACEHOLDER_EMAILS="@pos.example")
    assert result.exit_code == 1
    assert "PLACEHOLDER_EMAILS" in result.stdout


def test_an_address_that_is_free_again(shop: Shop, ask: Ask) -> None:
    shop.tell(STORY[2])
    body = parse_body((shipped("fixtures") / "shopify" / "customers_update.json").read_bytes())
    shop.take("customers/update", {**body, "email": "countess@example.com"}, 1789560940.5)
    shop.flush()
    result = ask("person", EMAIL)
    assert result.exit_code == 1, "nobody is known by it"
    assert "it is free" in result.stdout
    assert read(ask("person", "countess@example.com", "--json"))["way"][-1] == ["id", ADA]


def test_who_was_erased(shop: Shop, ask: Ask) -> None:
    shop.redis.set(PREFIX + refs.memory("redacted", "", "", f"id:{ADA}", SECRET), 1, ex=30 * DAY)
    result = ask("person", ADA)
    assert result.exit_code == 0
    assert "erased: bodies about them are skipped until" in result.stdout


# --- why


def test_what_went_out(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    result = ask("why", EMAIL, "order_completed")
    assert result.exit_code == 0
    assert f"order_completed of id {ADA} (asked by email {EMAIL} -> id {ADA})" in result.stdout
    assert "sent: went out 20" in result.stdout
    assert "its key is held by delivery d5" in result.stdout
    assert "more than 72 hours back by then" in result.stdout
    assert "no telling which request held what" in result.stdout
    assert "`adapter delivery` does, for 72 hours" in result.stdout
    hours = ask("why", EMAIL, "order_completed", RETENTION_HOURS="1.5")
    assert "`adapter delivery` does, for 1.5 hours" in hours.stdout


def test_what_why_does_not_tell_is_told_of_the_delivery(shop: Shop, ask: Ask) -> None:
    """Which request held it and how it was answered, and why a body came to nothing."""
    shop.tell(*STORY)
    number = shop.post("orders/updated", "orders_create.json", 1789394740.5, test=True)
    shop.flush()
    for one in read(ask("why", EMAIL, "order_completed", "--json"))["cannot_tell"][:2]:
        assert "`adapter delivery`" in one
    done = read(ask("delivery", "d5", "--json"))
    assert done["batches"][0]["answers"][0]["status"] == 200
    nothing = ask("delivery", number)
    assert "ignored" in nothing.stdout
    assert "test" in nothing.stdout


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ("added_to_cart", [(f"cart {CART}", "taken")]),
        ("checkout_started", [(f"checkout {CHECKOUT}", "sent")]),
        ("order_completed", [(f"order {ORDER}", "sent")]),
        ("order_refunded", [(f"order {ORDER}", "sent")]),
        ("customer_created", [(f"id {ADA}", "sent")]),
        ("order_canceled", [(f"order {ORDER}", "unknown")]),
        ("subscription_created", []),
    ],
)
def test_verdicts_of_a_whole_story(
    shop: Shop, ask: Ask, event: str, found: list[tuple[str, str]]
) -> None:
    shop.tell(*STORY)
    assert answers(ask("why", ADA, event, "--json")) == found


def test_a_cart_that_was_given_up(shop: Shop, ask: Ask) -> None:
    """Nobody named it: of what waited nothing is left but the key of its event."""
    shop.tell(STORY[0])
    assert answers(ask("why", CART, "added_to_cart", "--json")) == [(f"cart {CART}", "waiting")]
    (list_,) = shop.redis.zrange(PREFIX + "waiting", 0, -1)
    shop.redis.zadd(PREFIX + "waiting", {list_: 1})  # 72 hours later
    shop.flush()
    result = ask("why", CART, "added_to_cart", "--json")
    assert answers(result) == [(f"cart {CART}", "given up")]
    (answer,) = read(result)["answers"]
    assert "nobody named the cart within 72 hours" in answer["said"]
    assert result.exit_code == 0


def test_what_waits_in_the_outbox(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY[:3])
    shop.post("orders/create", "orders_create.json", 1789394734.5)
    assert answers(ask("why", ADA, "order_completed", "--order", ORDER, "--json")) == [
        (f"order {ORDER}", "pending")
    ]
    (item,) = read(ask("why", ADA, "order_completed", "--json"))["items"]
    assert (item["place"], item["deliveries"][0]["topic"]) == ("outbox", "orders/create")


def test_a_refund_that_waits_for_its_order(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY[2:3], STORY[6])
    result = ask("why", ADA, "order_refunded", "--order", ORDER, "--json")
    assert answers(result) == [(f"order {ORDER}", "waiting")]
    assert "until" in read(result)["answers"][0]["said"]


def test_an_event_that_customer_io_refused(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY[:3])
    shop.post("orders/create", "orders_create.json", 1789394734.5)
    shop.fault({"status": 422, "times": -1})
    shop.flush()
    shop.fault()
    result = ask("why", ADA, "order_completed", "--json")
    assert answers(result) == [(f"order {ORDER}", "refused")]
    assert "was refused by Customer.io" in read(result)["answers"][0]["said"]


def test_a_parked_body_that_names_them(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY[:3])
    parked = shop.post("orders/create", "orders_create.json", 1789394734.5, total_price="free")
    result = ask("why", ADA, "order_completed")
    assert result.exit_code == 0
    assert "no order or token that it could be about is known" in result.stdout
    assert "is parked since" in result.stdout
    assert f"delivery {parked} (orders/create)" in result.stdout


def test_what_was_bought_already(shop: Shop, ask: Ask) -> None:
    """The checkout is heard of only after its order: it starts nothing any more."""
    shop.tell(STORY[4], STORY[1])
    result = ask("why", ADA, "checkout_started", "--json")
    assert answers(result) == [(f"checkout {CHECKOUT}", "dropped")]
    assert f"became order {ORDER}" in read(result)["answers"][0]["said"]
    assert read(result)["counts"]["dropped:checkout_started: already ordered"] == 1


def test_whose_order_it_is(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    body = parse_body((shipped("fixtures") / "shopify" / "customers_create.json").read_bytes())
    bob = {**body, "id": 7, "email": "bob@example.com", "phone": None}
    shop.take("customers/create", {**bob, "admin_graphql_api_id": None}, 1789394999.5)
    shop.flush()
    result = ask("why", "bob@example.com", "order_completed", "--order", ORDER, "--json")
    assert answers(result) == [(f"order {ORDER}", "elsewhere")]
    assert f"belongs to id {ADA}" in read(result)["answers"][0]["said"]


def test_a_sale_of_nobody(shop: Shop, ask: Ask) -> None:
    shop.tell(STORY[2])
    remember(shop.redis, ("order", "shopify", SHOP, "55"), {})
    found = answers(ask("why", ADA, "order_completed", "--order", "55", "--json"))
    assert found == [("order 55", "nobody")]
    result = ask("why", "stranger@example.com", "order_completed", "--order", "55")
    assert result.exit_code == 0
    assert "nobody: a sale without a person" in result.stdout


def test_nobody_who_is_known_and_nothing_of_theirs(shop: Shop, ask: Ask) -> None:
    result = ask("why", "stranger@example.com", "order_completed")
    assert result.exit_code == 1
    assert result.stdout.startswith("nothing is known of stranger@example.com\n")
    assert "none of which ever came" in result.stdout


def test_topics_that_never_came_are_named_beside_those_that_did(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    (note,) = read(ask("why", ADA, "order_completed", "--json"))["notes"]
    came, _, never = note.partition("; never came: ")
    assert came.startswith("it comes of orders/create (last came ")
    assert "orders/paid" in never.split(", ")
    assert "orders/create" not in never


def test_what_an_order_cleared_of_an_unknown_cart_has_no_time(shop: Shop, ask: Ask) -> None:
    shop.tell(STORY[2], STORY[4])
    known = read(ask("person", ADA, "--json"))
    assert known["attributes"]["current_cart_value"]["as_of"] is None
    text = ask("person", ADA).stdout
    assert "1970" not in text
    (line,) = [line for line in text.splitlines() if "current_cart_value" in line]
    assert "cleared by an order: " in line


def test_names_of_events(shop: Shop, ask: Ask, tmp_path: Any) -> None:
    shop.tell(STORY[2])
    result = ask("why", ADA, "order_complete")
    assert result.exit_code == 2
    assert "did you mean 'order_completed'?" in result.stderr
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "names.yml").write_text("events: {order_completed: Purchase}\n")
    assert read(ask("why", ADA, "Purchase", "--json"))["event"] == "order_completed"


def test_an_event_that_no_webhook_brings(shop: Shop, ask: Ask) -> None:
    shop.tell(STORY[2])
    assert "no mapping brings this event" in ask("why", ADA, "product_viewed").stdout


def test_an_event_of_a_rule(shop: Shop, ask: Ask, tmp_path: Any) -> None:
    shop.tell(STORY[2])
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "rules.yml").write_text("vip_tier: {event: vip_tier_changed}\n")
    result = ask("why", ADA, "vip_tier_changed")
    assert "the rule never had a value; it reads lifetime_value" in result.stdout


def test_a_shop_that_never_was_heard_of(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    said = f"nothing ever came from 'other.example.com'; there is {SHOP}"
    for command in (("person", ADA), ("why", ADA, "order_completed", "--order", ORDER)):
        result = ask(*command, "--shop", "other.example.com")
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
    # One that is allowed to come may be asked about before it does.
    allowed = {"SHOPIFY_SHOPS": "other.example.com"}
    known = read(ask("person", ADA, "--json", "--shop", "other.example.com", **allowed))
    assert known["owns"] == []


def test_a_platform_that_there_is_not(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    result = ask("person", ADA, "--platform", "shopfy")
    assert result.exit_code == 2
    assert "there is no 'shopfy', did you mean 'shopify'?" in " ".join(result.stderr.split())


def test_an_answer_about_one_shop_says_what_is_of_all(shop: Shop, ask: Ask) -> None:
    shop.tell(*STORY)
    shop.post("orders/create", "orders_create.json", 1789394734.5, total_price="free")
    said = "attributes, orders and figures are of all shops"
    one = ask("person", ADA, "--shop", SHOP.upper()).stdout
    assert said in one
    assert "is parked" in one
    assert said not in ask("person", ADA).stdout
    allowed = {"SHOPIFY_SHOPS": "other.example.com"}
    other = ask("person", ADA, "--shop", "other.example.com", **allowed).stdout
    assert said in other
    assert "is parked" not in other


def test_as_a_process_of_its_own(process: Adapter, shop: Shop, redis_url: str) -> None:
    shop.tell(*STORY)
    env = {"REDIS_URL": redis_url, "HASH_SECRET": SECRET}
    done = process("person", EMAIL, **env)
    assert (done.returncode, done.stderr) == (0, "")
    done = process("why", EMAIL, "order_completed", **env)
    assert (done.returncode, done.stderr) == (0, "")
    done = process("person", EMAIL, REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert EMAIL not in done.stderr


def test_what_was_not_looked_through_is_said(
    shop: Shop, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.cli.desk.MOST_ITEMS", 1)
    shop.tell(*STORY[:3])
    shop.post("orders/create", "orders_create.json", 1789394734.5, total_price="free")
    shop.post("orders/create", "orders_create.guest.json", 1789394735.5, total_price="free")
    for command in (("person", ADA), ("why", ADA, "checkout_started")):
        short, long = ask(*command).stdout, ask(*command, "--all").stdout
        assert "looked     through 1 of 2 in parked: --all looks through everything" in short
        assert "looked     through" not in long
        assert "is parked" in long
    assert "as far as was looked" in ask("why", ADA, "checkout_started").stdout


def test_people_who_are_known_by_email(shop: Shop, ask: Ask) -> None:
    shop.office.policy = Policy(identify_by="email")
    shop.tell(*STORY)
    known = read(ask("person", ADA, "--json", IDENTIFY_BY="email"))
    assert known["way"] == [["id", ADA], ["email", EMAIL]]
    assert {one["kind"] for one in known["owns"]} == {"cart", "checkout", "order"}
    found = answers(ask("why", ADA, "order_completed", "--json", IDENTIFY_BY="email"))
    assert found == [(f"order {ORDER}", "sent")]
