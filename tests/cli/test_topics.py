"""`adapter topics`: what there is, what it is good for, how to get it, and when it last came."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edge.lab import FIXTURES, Lab, Valkey, Web, Webhook

from adapter.cli import topictable
from adapter.cli.tables import ago, table
from adapter.cli.topics import Topic

from .conftest import Adapter

NOWHERE = "redis://127.0.0.1:1/0"
ADDRESS = "https://hooks.example.com/webhooks/shopify"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def web(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    env = {"REDIS_URL": valkey.url(), "WEB_CONCURRENCY": "1"}
    with Lab(tmp_path_factory.mktemp("web"), **env) as lab:
        web = lab.web()
        order = (FIXTURES / "orders_create.small.json").read_bytes()
        for topic, body, outcome in (
            ("orders/create", order, "accepted"),
            ("orders/create", order, "accepted"),
            ("orders/exploded", b"{}", "parked"),
            ("draft_orders/create", b"{}", "ignored"),
        ):
            assert Webhook(topic, body).outcome(web) == outcome
        yield web
        web.process.assert_calm()


def listed(adapter: Adapter, *options: str, **env: str) -> dict[str, Any]:
    done = adapter("topics", "--json", *options, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["shopify"]


def by_name(found: dict[str, Any]) -> dict[str, Any]:
    return {one["topic"]: one for one in found["topics"]}


def test_topics_stand_below_what_they_feed(adapter: Adapter) -> None:
    done = adapter("topics")
    assert done.returncode == 0, done.stderr
    head, _, columns, *rows = done.stdout.splitlines()
    assert head == "shopify: last seen is not known, no Redis to ask"
    assert columns.split() == ["topic", "by", "seen"]
    assert "\x1b" not in done.stdout, "plain, when nobody looks at it on a terminal"
    at = rows.index("added_to_cart")
    assert [row.split() for row in rows[at + 1 : at + 3]] == [
        ["carts/create", "admin", "?"],
        ["carts/update", "admin", "?"],
    ]
    assert "headless" in rows[at + 3], "what both are to be known by is said once"
    assert done.stdout.count("headless") == 1
    assert "(catalog)" in rows
    assert "draft_orders/create" not in done.stdout
    assert re.fullmatch(r"and \d+ that are ignored on purpose: --all lists them, and why", rows[-1])


def test_every_known_topic_is_listed_when_all_are_wanted(adapter: Adapter) -> None:
    done = adapter("topics", "--all")
    names = [row.split()[0] for row in done.stdout.splitlines() if re.match(r"  \S", row)]
    assert len(names) == len(set(names))
    assert {*by_name(listed(adapter))} == {*names} - {"topic"}
    rows = done.stdout.splitlines()
    at = next(n for n, row in enumerate(rows) if row.startswith("ignored: a draft is no order yet"))
    assert [row.split()[0] for row in rows[at + 1 : at + 3]] == [
        "draft_orders/create",
        "draft_orders/delete",
    ]
    assert "ignored on purpose" not in done.stdout


@pytest.mark.parametrize(
    ("topic", "kind", "events", "effect", "admin"),
    [
        ("checkouts/create", "mapped", ["checkout_started"], None, True),
        ("carts/update", "mapped", ["added_to_cart"], None, True),
        ("products/update", "mapped", [], "catalog", True),
        ("customers/merge", "mapped", [], "merge_people", False),
        ("customers/redact", "mapped", [], "redact_person", False),
        ("draft_orders/create", "ignored", [], None, True),
    ],
)
def test_what_a_topic_is_good_for(
    adapter: Adapter, topic: str, kind: str, events: list[str], effect: str | None, admin: bool
) -> None:
    found = by_name(listed(adapter))[topic]
    assert found["kind"] == kind
    assert found["events"] == events
    assert found["effect"] == effect
    assert found["admin"] is admin
    assert (found["last_seen"], found["seen"]) == (None, None)


def test_what_to_know_of_a_topic_is_told(adapter: Adapter) -> None:
    found = by_name(listed(adapter))
    assert "headless" in found["carts/create"]["note"]
    assert found["draft_orders/create"]["note"].startswith("ignored: ")


def test_when_a_topic_last_came(adapter: Adapter, web: Web, valkey: Valkey) -> None:
    found = by_name(listed(adapter, REDIS_URL=valkey.url()))
    seen = found["orders/create"]
    assert time.time() - 60 < seen["last_seen"] <= time.time()
    assert seen["seen"] == [
        {
            "shop": "lovelace-coffee.myshopify.com",
            "at": seen["last_seen"],
            "outcomes": {"accepted": 2},
        }
    ]
    assert found["draft_orders/create"]["seen"][0]["outcomes"] == {"ignored": 1}
    assert (found["orders/paid"]["last_seen"], found["orders/paid"]["seen"]) == (None, [])
    unknown = found["orders/exploded"]
    assert (unknown["kind"], unknown["events"]) == ("unknown", [])
    assert unknown["note"] == "unknown: parked"

    rows = adapter("topics", REDIS_URL=valkey.url()).stdout.splitlines()
    assert rows[0] == "shopify"
    told = {row.split()[0]: row for row in rows if row.startswith("  ")}
    assert "  just now" in told["orders/create"]
    assert "  never" in told["orders/paid"]
    assert told["orders/exploded"].split() == ["orders/exploded", "?", "just", "now"]
    assert rows[rows.index(told["orders/exploded"]) - 1] == "unknown: parked"
    assert "  just now" in told["draft_orders/create"], "ignored, but it comes"
    assert "draft_orders/update" not in told


def test_an_hour_ago(adapter: Adapter, web: Web, valkey: Valkey) -> None:
    with valkey.client() as redis:
        field = "shopify other.example checkouts/create"
        redis.hset("adapter:default:seen", field, int(time.time()) - 3700)
        try:
            rows = adapter("topics", REDIS_URL=valkey.url()).stdout.splitlines()
        finally:
            redis.hdel("adapter:default:seen", field)
    (row,) = [row for row in rows if row.startswith("  checkouts/create ")]
    assert "  1 h ago" in row


def test_a_redis_that_does_not_answer_is_said(adapter: Adapter) -> None:
    done = adapter("topics", REDIS_URL=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shopify: last seen is not known, Redis does not answer\n")
    assert by_name(listed(adapter, REDIS_URL=NOWHERE))["orders/paid"]["seen"] is None


@pytest.mark.parametrize("url", ["https://hooks.example.com", "https://hooks.example.com/"])
def test_what_to_enter_in_the_store(adapter: Adapter, url: str) -> None:
    done = adapter("topics", "--url", url)
    assert done.returncode == 0, done.stderr
    _, _, told = done.stdout.partition("\nIn Settings > Notifications > Webhooks")
    admin, _, rest = told.partition(
        "\nBy an app, webhookSubscriptionCreate with these variables:\n"
    )
    names = [line.strip() for line in admin.splitlines()]
    assert {"Order creation", "Order payment", "Checkout creation", "Cart update"} <= {*names}
    assert "Draft order creation" not in names, "what is ignored need not be sent"
    assert f"URL     {ADDRESS}" in names
    assert "Format  JSON" in names
    app, _, elsewhere = rest.partition(f"\nElsewhere, to {ADDRESS}:\n")
    variables = [json.loads(line) for line in app.splitlines()]
    assert {
        "topic": "CUSTOMERS_MERGE",
        "webhookSubscription": {"uri": ADDRESS, "format": "JSON"},
    } in variables
    asked = [one["topic"] for one in variables]
    assert "SUBSCRIPTION_CONTRACTS_UPDATE" in asked
    assert not [name for name in asked if "REDACT" in name or "ORDERS_CREATE" in name]
    assert "  customers/redact: compliance_topics in the app's configuration" in elsewhere


def test_what_to_enter_as_json(adapter: Adapter) -> None:
    subscribe = listed(adapter, "--url", "https://hooks.example.com/a")["subscribe"]
    assert subscribe["address"] == "https://hooks.example.com/a/webhooks/shopify"
    assert subscribe["admin"]["orders/create"] == "Order creation"
    assert subscribe["graphql"] == "webhookSubscriptionCreate"
    assert "subscribe" not in listed(adapter)


@pytest.mark.parametrize(
    "url", ["hooks.example.com", "ftp://x", "https://", "https://x?y", "https://a b"]
)
def test_an_address_that_is_none(adapter: Adapter, url: str) -> None:
    done = adapter("topics", "--url", url)
    assert done.returncode == 2
    assert "expected an address such as https://hooks.example.com" in done.stderr


def test_topics_of_mappings_of_ones_own(adapter: Adapter, tmp_path: Path) -> None:
    """A platform without a register, and without a word on how to subscribe."""
    folder = tmp_path / "own" / "tea"
    folder.mkdir(parents=True)
    (folder / "cups.yml").write_text("topics: [cup.filled]\nperson: {id: drinker}\n")
    (folder / "platform.yml").write_text(
        "signature: {header: X-Tea, scheme: hmac-sha256, encoding: hex}\n"
        "delivery: {topic: X-Topic, id: X-Id, shop: X-Shop}\n"
    )
    own = {"MAPPINGS_DIR": str(tmp_path / "own")}
    done = adapter("topics", "--url", "https://hooks.example.com", **own)
    assert done.returncode == 0, done.stderr
    assert "\n(person)\n  cup.filled  yours     ?\n" in done.stdout
    assert "By an app, to https://hooks.example.com/webhooks/tea:\n  cup.filled" in done.stdout


def test_a_topic_that_an_overlay_maps_is_yours(adapter: Adapter, tmp_path: Path) -> None:
    folder = tmp_path / "custom" / "shopify"
    folder.mkdir(parents=True)
    (folder / "wishes.yml").write_text("topics: [wishes/create]\nperson: {id: customer_id}\n")
    rows = adapter("topics").stdout.splitlines()
    told = {row.split()[0]: row.split()[1] for row in rows if row.startswith("  ")}
    assert (told["wishes/create"], told["orders/create"], told["customers/merge"]) == (
        "yours", "admin", "app",
    )  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_the_table_fits_a_terminal(options: tuple[str, ...]) -> None:
    """A terminal of 80 columns, on which headings are bold."""
    topics = [
        Topic("fulfillments/create", "mapped", ("order_shipped", "order_delivered") * 4, "", True, "", ()),
        Topic("subscription_billing_attempts/failure", "mapped", ("payment_failed",), "", False, "a note " * 30, ()),
        Topic("draft_orders/create", "ignored", (), "", True, "", (), "a reason " * 20),
    ]  # fmt: skip
    lines = topictable.table("shopify", topics, "", 80, every=bool(options))
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert [line for line in plain if len(line) > 80] == []
    assert [line for line in plain if "draft_orders" in line] == (
        ["  draft_orders/create                    admin     never"] if options else []
    )
    assert ("and 1 that are ignored on purpose: --all lists them, and why" in plain) != bool(
        options
    )


# Columns


ROWS = [("a/b", "1"), ("much/longer", "some words that do not fit into thirty characters")]


def test_a_table_without_a_terminal_has_a_line_a_row() -> None:
    assert table(("topic", "note"), ROWS, None) == [
        "topic        note",
        "a/b          1",
        "much/longer  some words that do not fit into thirty characters",
    ]


def test_a_table_on_a_terminal_keeps_to_its_width() -> None:
    head, *lines = table(("topic", "note"), ROWS, 51)
    assert "topic        note" in head
    assert lines == [
        "a/b          1",
        "much/longer  some words that do not fit into thirty",
        "             characters",
    ]


def test_a_narrow_terminal_has_the_last_column_beneath() -> None:
    _, *lines = table(("topic", "note"), ROWS, 30)
    assert lines == [
        "a/b",
        "    1",
        "much/longer",
        "    some words that do not fit",
        "    into thirty characters",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (3 * 86400 + 5, "3 d ago"),
    ],
)
def test_spans_of_time(seconds: float, said: str) -> None:
    assert ago(seconds) == said
