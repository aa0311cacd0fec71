"""GET /metrics, as Prometheus reads it.

Everything is asked of Redis when it is asked for, so one process answers for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from time import time
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from adapter.alerts import State
from adapter.drift import Finding
from adapter.errors import StoreError
from adapter.store import mode
from adapter.store.alerts import States, memory
from adapter.store.drift import Drift
from adapter.store.figures import API, BATCH, FLUSH, Figures, Measured
from adapter.store.health import Health, Status
from adapter.store.mode import Mode
from adapter.store.pressure import Memory, share
from adapter.store.topics import Seen, Topics

_OUTCOMES = ("accepted", "duplicate", "ignored")
_NOW = (
    ("pending", "Deliveries that wait to be sent."),
    ("waiting", "Orders whose deliveries wait for their person."),
    ("parked", "Deliveries that could not be mapped, kept until somebody looks at them."),
    ("dead", "Operations that Customer.io refused, kept until somebody looks at them."),
)
_HISTOGRAMS = (
    (FLUSH, "adapter_flush_duration_seconds", "How long a worker worked off what waited."),
    (BATCH, "adapter_batch_deliveries", "Deliveries in one batch."),
    (API, "adapter_api_request_duration_seconds", "How long Customer.io took to answer."),
)
_PROPERTY = ("workspace", "event", "topic", "property")


@dataclass(frozen=True, slots=True)
class _Books:
    """All that was read of one workspace."""

    status: Mapping[str, Any]
    measured: Measured
    mode: Mode
    states: Mapping[tuple[str, str], State] = field(default_factory=dict)
    seen: Sequence[Seen] = ()
    findings: Sequence[Finding] = ()

    @property
    def details(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.status["details"]
        return found


def blueprint(store: Health, drifts: Mapping[str, Drift]) -> Blueprint:
    """The route; `drifts` are by workspace. 503 while Redis does not answer."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Workspaces(store, drifts))

    @routes.get("/metrics")
    def metrics() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        try:
            body = encode(registry)
        except StoreError as error:
            return Response(f"{error}\n", 503, content_type="text/plain; charset=utf-8")
        return Response(body, content_type=content_type)

    return routes


class _Workspaces(Collector):
    """The figures of all workspaces. Raises StoreError."""

    def __init__(self, store: Health, drifts: Mapping[str, Drift]) -> None:
        self._store = store
        self._drifts = drifts

    def collect(self) -> Iterator[Metric]:
        books = {name: self._read(name, drift) for name, drift in self._drifts.items()}
        yield from _came_in(books)
        yield from _went_out(books)
        yield from _lies_there(books)
        yield from _measured(books)
        yield from _stands(books, time())
        yield from _memory(memory(self._store.redis))
        yield from _drift({name: each.findings for name, each in books.items()})

    def _read(self, name: str, drift: Drift) -> _Books:
        redis = self._store.redis
        return _Books(
            Status(redis, name).read(),
            Figures(redis, name).read(),
            mode.last(redis, name),
            States(redis, name).read(),
            Topics(redis, name).seen(),
            drift.findings(),
        )


def _came_in(books: Mapping[str, _Books]) -> Iterator[Metric]:
    webhooks = CounterMetricFamily(
        "adapter_webhooks", "Webhooks by what became of them.", labels=("workspace", "outcome")
    )
    by_topic = CounterMetricFamily(
        "adapter_topic_webhooks",
        "Webhooks of each topic by what became of them, of all shops, without duplicates.",
        labels=("workspace", "platform", "topic", "outcome"),
    )
    last = GaugeMetricFamily(
        "adapter_topic_last_seen_timestamp_seconds",
        "When a topic last came (Unix seconds).",
        labels=("workspace", "platform", "topic"),
    )
    for name, each in books.items():
        for outcome in _OUTCOMES:
            webhooks.add_metric((name, outcome), each.status[outcome])
        counts: Counter[tuple[str, str, str]] = Counter()
        times: dict[tuple[str, str], int] = {}
        for seen in each.seen:
            key = seen.platform, seen.topic
            times[key] = max(seen.at, times.get(key, 0))
            for outcome, count in seen.outcomes.items():
                counts[*key, outcome] += count
        for labels, count in sorted(counts.items()):
            by_topic.add_metric((name, *labels), count)
        for key, at in sorted(times.items()):
            last.add_metric((name, *key), at)
    yield from (webhooks, by_topic, last)


def _went_out(books: Mapping[str, _Books]) -> Iterator[Metric]:
    sent = CounterMetricFamily(
        "adapter_sent", "Deliveries that reached Customer.io.", labels=("workspace",)
    )
    events = CounterMetricFamily(
        "adapter_events",
        "Events that Customer.io took, by their canonical name.",
        labels=("workspace", "event"),
    )
    late = CounterMetricFamily(
        "adapter_late_events",
        "Events that were older than 72 hours when they were sent, and trigger nothing.",
        labels=("workspace",),
    )
    letters = CounterMetricFamily(
        "adapter_dead_letters", "Operations that Customer.io refused.", labels=("workspace",)
    )
    answers = CounterMetricFamily(
        "adapter_api_requests",
        "Requests to Customer.io by the status of the answer, none where there was none.",
        labels=("workspace", "status"),
    )
    catalog = CounterMetricFamily(
        "adapter_catalog_lookups",
        "Items that were to be completed from the catalog, by whether it knew them.",
        labels=("workspace", "result"),
    )
    for name, each in books.items():
        sent.add_metric((name,), each.status["sent"])
        for detail, count in each.details.items():
            kind, _, event = detail.partition(":")
            if kind == "event":
                events.add_metric((name, event), count)
        late.add_metric((name,), each.details.get("late", 0))
        letters.add_metric((name,), each.details.get("dead", 0))
        for status, count in each.measured.answers.items():
            answers.add_metric((name, status), count)
        asked, found = each.status["catalog"]["asked"], each.status["catalog"]["found"]
        catalog.add_metric((name, "found"), found)
        catalog.add_metric((name, "missing"), max(0, asked - found))
    yield from (sent, events, late, letters, answers, catalog)


def _lies_there(books: Mapping[str, _Books]) -> Iterator[Metric]:
    for what, about in _NOW:
        yield _gauge(f"adapter_{what}", about, ((n, b.status[what]) for n, b in books.items()))
    yield _gauge(
        "adapter_oldest_pending_seconds",
        "Age of the oldest delivery that waits to be sent, 0 when none does.",
        ((name, each.status["oldest_pending_seconds"] or 0.0) for name, each in books.items()),
    )


def _measured(books: Mapping[str, _Books]) -> Iterator[Metric]:
    for which, metric, about in _HISTOGRAMS:
        family = HistogramMetricFamily(metric, about, labels=("workspace",))
        for name, each in books.items():
            histogram = each.measured.histograms[which]
            buckets = [(_bound(bound), count) for bound, count in histogram.buckets]
            family.add_metric((name,), buckets, histogram.sum)
        yield family


def _bound(bound: float) -> str:
    return "+Inf" if bound == inf else str(float(bound))


def _stands(books: Mapping[str, _Books], now: float) -> Iterator[Metric]:
    yield _gauge(
        "adapter_paused",
        "1 while credentials or region are refused.",
        ((name, float(each.status["paused"])) for name, each in books.items()),
    )
    yield _gauge(
        "adapter_dry_run",
        "1 while the worker that was seen last sends nothing (DRY_RUN).",
        ((name, float(each.mode.dry_run)) for name, each in books.items()),
    )
    yield _gauge(
        "adapter_dry_run_mixed",
        "1 while workers with and without DRY_RUN share this Redis.",
        ((name, float(each.mode.is_mixed(now))) for name, each in books.items()),
    )
    yield _gauge(
        "adapter_worker_last_seen_timestamp_seconds",
        "When a worker last gave a sign of life (Unix seconds), 0 for never.",
        ((name, each.mode.seen or 0.0) for name, each in books.items()),
    )
    firing = GaugeMetricFamily(
        "adapter_alert_firing",
        "1 for each alert that is on.",
        labels=("workspace", "rule", "subject", "level"),
    )
    for name, each in books.items():
        for (rule, subject), state in sorted(each.states.items()):
            if state.fired is not None and state.over is None:
                firing.add_metric((name, rule, subject, state.level), 1)
    yield firing


def _memory(found: Memory) -> Iterator[Metric]:
    used, limit = found
    for metric, about, value in (
        ("adapter_redis_memory_used_bytes", "What Redis uses.", used),
        ("adapter_redis_memory_limit_bytes", "What Redis may use, 0 for no limit.", limit),
        ("adapter_redis_memory_ratio", "Share of its limit that Redis uses.", share(found)),
    ):
        yield GaugeMetricFamily(metric, about, value=float(value))


def _gauge(metric: str, about: str, values: Iterable[tuple[str, float]]) -> Metric:
    """One value for each workspace."""
    family = GaugeMetricFamily(metric, about, labels=("workspace",))
    for name, value in values:
        family.add_metric((name,), value)
    return family


def _drift(findings: Mapping[str, Sequence[Finding]]) -> Iterator[Metric]:
    presence = GaugeMetricFamily(
        "adapter_property_presence",
        "Share of an event's bodies that hold an optional property; span: now or before.",
        labels=(*_PROPERTY, "span"),
    )
    bad = GaugeMetricFamily(
        "adapter_property_unreadable",
        "Share of an event's bodies in which an optional property could not be read.",
        labels=(*_PROPERTY, "span"),
    )
    drifting = GaugeMetricFamily(
        "adapter_property_drifting",
        "1 for a property that is present less, or unreadable more, than it used to be.",
        labels=_PROPERTY,
    )
    for workspace, found in findings.items():
        for one in found:
            labels = (workspace, one.event, one.topic, one.name)
            for span, share_ in (("now", one.now), ("before", one.before)):
                if not share_.events:
                    continue
                if not one.in_items:
                    presence.add_metric((*labels, span), share_.presence)
                bad.add_metric((*labels, span), share_.badness)
            drifting.add_metric(labels, float(one.drifting))
    yield from (presence, bad, drifting)
