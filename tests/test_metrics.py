"""`/metrics` of an adapter that has done something, and the dashboard that shows it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from backroom import MAPPINGS, Backroom
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from redis import Redis

from adapter.alerts import State
from adapter.drift import Name
from adapter.mapping import parse_body
from adapter.settings import shipped
from adapter.store.alerts import States
from adapter.store.drift import Drift
from adapter.store.figures import Figures
from adapter.store.health import Health, Status
from adapter.web import metrics

ROOT = Path(__file__).parent.parent
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
FIXTURES = shipped("fixtures") / "shopify"


class Page:
    """What the route answers."""

    def __init__(self, redis: Redis) -> None:
        app = Flask("metrics")
        app.register_blueprint(
            metrics.blueprint(Health(redis), {"default": Drift(redis, "default")})
        )
        answer = app.test_client().get("/metrics")
        assert answer.status_code == 200
        self.text = answer.text
        self.families = list(text_string_to_metric_families(self.text))

    @property
    def samples(self) -> list[Sample]:
        return [sample for family in self.families for sample in family.samples]

    def values(self, name: str, **labels: str) -> list[float]:
        return [
            each.value
            for each in self.samples
            if each.name == name and labels.items() <= each.labels.items()
        ]


@pytest.fixture
def room(redis: Redis, redis_url: str, sandbox: str) -> Iterator[Backroom]:
    found = Backroom(redis, sandbox, redis_url)
    found.office.figures = Figures(redis, "default")
    yield found
    found.close()


def busy(room: Backroom) -> None:
    """Something of everything."""
    for each in range(3):
        room.order(f"d{each}", id=7000 + each, cart_token=None)
    room.order("d0")
    room.take("d8", "orders/exploded", {})
    room.take("d9", "draft_orders/create", {})
    room.flush()
    Drift(room.redis, "default").add(
        {
            int(time.time()) // 3600: {
                Name("order_completed", "shopify orders/create", "", "events"): 40,
                Name("order_completed", "shopify orders/create", "locale", "present"): 38,
                Name("order_completed", "shopify orders/create", "locale", "bad"): 1,
            }
        }
    )
    States(room.redis, "default").write(
        {}, {("topic_silent", 'odd "one"\n'): State(1.0, 1.0, fired=2.0)}
    )


def test_figures_add_up(room: Backroom) -> None:
    busy(room)
    page = Page(room.redis)
    assert page.values("adapter_webhooks_total", outcome="duplicate") == [1]
    topic = {"platform": "shopify", "topic": "orders/create", "outcome": "accepted"}
    assert page.values("adapter_topic_webhooks_total", **topic) == [3]
    assert page.values("adapter_topic_webhooks_total", topic="orders/exploded") == [1]
    assert page.values("adapter_topic_webhooks_total", outcome="ignored") == [1]
    (seen,) = page.values("adapter_topic_last_seen_timestamp_seconds", topic="orders/create")
    assert seen > 1_700_000_000
    assert page.values("adapter_events_total", event="order_completed") == [3]
    events = sum(page.values("adapter_events_total"))
    assert events == Status(room.redis, "default").read()["details"]["events"]
    assert page.values("adapter_api_requests_total") == [1]
    assert page.values("adapter_api_requests_total", status="200") == [1]
    assert page.values("adapter_api_request_duration_seconds_count") == [1]
    assert page.values("adapter_flush_duration_seconds_count") == [1]
    assert page.values("adapter_batch_deliveries_sum") == [3]
    assert page.values("adapter_batch_deliveries_bucket", le="2.0") == [0]
    assert page.values("adapter_batch_deliveries_bucket", le="5.0") == [1]
    assert page.values("adapter_parked") == [1]
    assert page.values("adapter_alert_firing", rule="topic_silent") == [1]
    lookups = page.values("adapter_catalog_lookups_total", result="missing")
    assert lookups == [Status(room.redis, "default").read()["catalog"]["asked"]]
    assert page.values("adapter_property_presence", span="now") == [0.95]
    (ratio,) = page.values("adapter_redis_memory_ratio")
    assert 0 < ratio < 1


def test_answers_that_moved_nothing_count(room: Backroom) -> None:
    room.order("d1")
    room._faults({"status": 503, "times": 1})
    room.flush()
    room.flush()
    page = Page(room.redis)
    assert page.values("adapter_api_requests_total", status="503") == [1]
    assert page.values("adapter_api_requests_total", status="200") == [1]
    assert page.values("adapter_batch_deliveries_count") == [2], "it was tried twice"
    room.office.transport._base_url = "http://127.0.0.1:1"
    room.order("d2", id=9)
    room.flush()
    assert Page(room.redis).values("adapter_api_requests_total", status="none") == [1]


def test_names_are_prometheus_own(room: Backroom) -> None:
    busy(room)
    page = Page(room.redis)
    for family in page.families:
        assert re.fullmatch(r"adapter_[a-z_]+", family.name)
        assert family.documentation
        assert f"# TYPE {family.name}" in page.text
        assert not family.name.endswith("_total")
        assert family.type in ("counter", "gauge", "histogram")
        assert not re.search(r"_(ms|minutes|hours|percent|kb|mb)\b", family.name)
    names = [family.name for family in page.families]
    assert len(names) == len(set(names))
    for family in page.families:
        if family.type != "histogram":
            continue
        buckets = [each for each in family.samples if each.name.endswith("_bucket")]
        assert buckets[-1].labels["le"] == "+Inf"
        for lower, upper in pairwise(buckets):
            assert lower.value <= upper.value
            assert float(lower.labels["le"]) < float(upper.labels["le"])
        (count,) = (each.value for each in family.samples if each.name.endswith("_count"))
        assert buckets[-1].value == count


def test_an_empty_redis_has_all_that_can_be_told(redis: Redis) -> None:
    page = Page(redis)
    assert page.values("adapter_webhooks_total") == [0, 0, 0]
    assert page.values("adapter_flush_duration_seconds_count") == [0]
    assert page.values("adapter_dry_run") == [0]
    assert page.values("adapter_worker_last_seen_timestamp_seconds") == [0]


def test_status_stays_readable(room: Backroom) -> None:
    busy(room)
    details = Status(room.redis, "default").read()["details"]
    assert not [name for name in details if "seconds" in name or "|" in name]
    assert details["event:order_completed"] == 3


def test_the_fixture_is_an_order() -> None:
    assert parse_body((FIXTURES / "orders_create.small.json").read_bytes())
    assert "orders/create" in MAPPINGS.topics("shopify")


def test_every_metric_of_the_dashboard_is_exposed(room: Backroom) -> None:
    busy(room)
    exposed = {sample.name for sample in Page(room.redis).samples}
    named = set(re.findall(r"\badapter_[a-z_]+", json.dumps(DASHBOARD)))
    assert len(named) > 25
    assert named <= exposed
    # The other way round: what is told is shown.
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exposed}
    assert families - shown == set()


def test_the_page_names_every_metric(room: Backroom) -> None:
    busy(room)
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8").split("## Metrics")[1]
    named = set(re.findall(r"`(adapter_[a-z_]+)`", page))
    families = {
        family.name + "_total" * (family.type == "counter") for family in Page(room.redis).families
    }
    assert named == families


def test_labels_of_the_dashboard_are_there(room: Backroom) -> None:
    busy(room)
    labels: dict[str, set[str]] = {}
    for sample in Page(room.redis).samples:
        labels.setdefault(sample.name, set()).update(sample.labels)
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            for name, inside in re.findall(r"(adapter_[a-z_]+)\{(.*?)\}", target["expr"]):
                for label in re.findall(r"(\w+)(?:=~|!=|=)", inside):
                    assert label in labels[name], (panel["title"], name, label)


def test_the_dashboard_can_be_imported() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    squares: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert squares.isdisjoint(own), panel["title"]
        squares |= own
        if panel["type"] == "row":
            continue
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        references = [each["refId"] for each in panel["targets"]]
        assert len(references) == len(set(references))
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            expression = target["expr"]
            for opening, closing in ("()", "{}", "[]"):
                assert expression.count(opening) == expression.count(closing), expression
    assert "id" not in DASHBOARD, "Grafana gives its own"
