"""What the web processes count, as `/metrics` and `adapter status --drift` show it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from adapter.drift import ENOUGH, RULE

from .conftest import Stack
from .lab import SECRET, Lab, Shopper, Valkey, Web, Webhook, until

DRIFT = "adapter:default:drift:"
EVENTS = "order_completed|shopify orders/paid||events"
LOCALE = "order_completed|shopify orders/paid|locale|present"


def counted(redis: Redis, name: str = EVENTS) -> int:
    """Over all hours: a test may begin in one and end in the next."""
    return sum(int(redis.hget(key, name) or 0) for key in redis.scan_iter(DRIFT + "*"))


def orders(web: Web, count: int, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """So many new orders, each changed before it is signed."""

    def one(_: int) -> str:
        webhook = Shopper().webhook("orders/paid")
        body = json.loads(webhook.body)
        change(body)
        return Webhook(webhook.topic, json.dumps(body).encode()).outcome(web)

    with ThreadPoolExecutor(8) as stores:
        assert set(stores.map(one, range(count))) == {"accepted"}


def without_locale(body: dict[str, Any]) -> None:
    body["customer_locale"] = None


class Metrics:
    """What `/metrics` says, read by the client library's own parser."""

    def __init__(self, web: Web) -> None:
        answer = requests.get(f"{web.url}/metrics", timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(answer.text)
        self.samples = [sample for family in families for sample in family.samples]

    def values(self, name: str, **labels: str) -> list[float]:
        """Of all samples of that name with these labels, whatever others they have."""
        return [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, **labels: str) -> float:
        (found,) = self.values(name, workspace="default", **labels)
        return found


def status(lab: Lab, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "adapter", "status", *options]
    return subprocess.run(
        argv, env=lab.environ(), cwd=lab.home, capture_output=True, text=True, check=True
    )


def before(redis: Redis, events: int, present: int) -> None:
    """Yesterday's and the day before yesterday's orders."""
    hour = int(time.time()) // 3600
    for back in (30, 50):
        redis.hset(f"{DRIFT}{hour - back}", mapping={EVENTS: events, LOCALE: present})


@pytest.mark.slow
def test_a_property_that_went_from_98_to_40_percent_is_seen(lab: Lab, valkey: Valkey) -> None:
    web = lab.web(WEB_CONCURRENCY="2")
    with valkey.client() as redis:
        before(redis, 400, 392)
        orders(web, 30, without_locale)
        orders(web, 20)
        until(lambda: counted(redis) == 850, "both processes have written what they counted")
        assert counted(redis, LOCALE) == 804
    # Whichever process answers: it asks Redis.
    for _ in range(4):
        found = Metrics(web)
        locale = {"event": "order_completed", "topic": "shopify orders/paid", "property": "locale"}
        assert found.value("adapter_property_drifting", **locale) == 1
        assert found.value("adapter_property_presence", **locale, span="now") == 0.4
        assert found.value("adapter_property_presence", **locale, span="before") == 0.98
        assert found.value("adapter_property_unreadable", **locale, span="now") == 0
        assert sum(found.values("adapter_property_drifting")) == 1
    told = status(lab, "--drift").stdout.splitlines()
    assert told[0].startswith("workspace default: 1 of ")
    first = told[2].split()
    assert first[:5] == ["DRIFT", "order_completed", "locale", "shopify", "orders/paid"]
    assert told[2].endswith("present in 40 %, was 98 %")
    assert told[-1] == RULE
    drift = json.loads(status(lab, "--drift", "--json").stdout)["default"]["drift"]
    assert drift["rule"] == RULE
    assert drift["properties"][0] == {
        "event": "order_completed",
        "topic": "shopify orders/paid",
        "property": "locale",
        "drifting": True,
        "why": "present in 40 %, was 98 %",
        "judged": True,
        "now": {"events": 50, "present": 20, "absent": 30, "bad": 0},
        "before": {"events": 800, "present": 784, "absent": 16, "bad": 0},
    }
    assert ENOUGH > 50, "the last hours were all that there was"


@pytest.mark.slow
def test_a_process_that_is_stopped_writes_what_it_counted(lab: Lab, valkey: Valkey) -> None:
    web = lab.web()
    with valkey.client() as redis:
        orders(web, 2)
        webhook = Shopper().webhook("orders/paid")
        # Only what was accepted counts, and once.
        assert [webhook.outcome(web) for _ in range(2)] == ["accepted", "duplicate"]
        assert Webhook("orders/paid", b"{}").outcome(web) == "ignored"
        web.process.signal(signal.SIGTERM)
        assert web.process.wait() == 0
        assert counted(redis) == 3
    web.process.assert_calm()


@pytest.mark.slow
def test_counts_outlive_a_redis_that_is_gone(lab: Lab, valkey: Valkey) -> None:
    web = lab.web()
    orders(web, 2)
    valkey.kill()
    assert Shopper().webhook("orders/paid").post(web).status_code == 503
    assert requests.get(f"{web.url}/metrics", timeout=30).status_code == 503
    valkey.start()
    until(lambda: web.status("readyz") == 200, "it is back")
    assert Shopper().webhook("orders/paid").insist(web) == "accepted"
    with valkey.client() as redis:
        until(lambda: counted(redis) == 3, "all of it was written")
    assert "Traceback" not in web.process.said


def test_metrics_add_up(stack: Stack) -> None:
    old = Metrics(stack.web)
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    assert [webhook.outcome(stack.web) for _ in range(3)] == ["accepted", "duplicate", "duplicate"]
    assert Webhook("orders/exploded", b"{}").outcome(stack.web) == "parked"
    stack.sandbox.await_events(shopper, "order_completed")
    stack.workspace.drained()
    new = Metrics(stack.web)

    def grown(name: str, **labels: str) -> float:
        return new.value(name, **labels) - old.value(name, **labels)

    assert grown("adapter_webhooks_total", outcome="accepted") == 1
    assert grown("adapter_webhooks_total", outcome="duplicate") == 2
    assert grown("adapter_webhooks_total", outcome="ignored") == 0
    assert grown("adapter_sent_total") == 1
    assert grown("adapter_parked") == 1
    for quiet in ("pending", "waiting", "dead", "oldest_pending_seconds", "paused"):
        assert new.value(f"adapter_{quiet}") == 0


def test_an_events_delivery_is_kept_with_its_reason(stack: Stack) -> None:
    body = b'{"topic": "Product", "action": "update"}'
    usual = Webhook("Product", body).headers(SECRET)
    headers = {
        "Shopify-Hmac-Sha256": usual["X-Shopify-Hmac-Sha256"],
        "Shopify-Topic": "Product",
        "Shopify-Action": "update",
        "Shopify-Shop-Domain": "lovelace-coffee.myshopify.com",
    }
    answer = requests.post(stack.web.webhooks, data=body, headers=headers, timeout=30)
    assert answer.status_code == 200
    told = answer.json()
    assert told["outcome"] == "parked"
    assert told["reason"].startswith("a Shopify Events delivery, not a webhook")
    assert stack.workspace.parked()[-1][b"r"].decode() == told["reason"]
    said = until(
        lambda: [line for line in stack.web.process.said.splitlines() if told["delivery"] in line],
        "it is logged",
    )
    assert json.loads(said[0])["reason"] == told["reason"]
    headers["Shopify-Hmac-Sha256"] = "A" * 44
    assert (
        requests.post(stack.web.webhooks, data=body, headers=headers, timeout=30).status_code == 401
    )
