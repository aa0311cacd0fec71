"""GET /metrics, as Prometheus reads it.

Everything is asked of Redis when it is asked for, so one process answers for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from adapter.drift import Finding
from adapter.errors import StoreError
from adapter.store.drift import Drift
from adapter.store.health import Status

_OUTCOMES = ("accepted", "duplicate", "ignored")
_NOW = (
    ("pending", "Deliveries that wait to be sent."),
    ("waiting", "Orders whose deliveries wait for their person."),
    ("parked", "Deliveries that could not be mapped, kept until somebody looks at them."),
    ("dead", "Operations that Customer.io refused, kept until somebody looks at them."),
)
_PROPERTY = ("workspace", "event", "topic", "property")


def blueprint(statuses: Mapping[str, Status], drifts: Mapping[str, Drift]) -> Blueprint:
    """The route; both mappings are by workspace. 503 while Redis does not answer."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Workspaces(statuses, drifts))

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

    def __init__(self, statuses: Mapping[str, Status], drifts: Mapping[str, Drift]) -> None:
        self._statuses = statuses
        self._drifts = drifts

    def collect(self) -> Iterator[Metric]:
        yield from self._status()
        findings = {name: drift.findings() for name, drift in self._drifts.items()}
        yield from _drift(findings)

    def _status(self) -> Iterator[Metric]:
        found = {name: status.read() for name, status in self._statuses.items()}
        webhooks = CounterMetricFamily(
            "adapter_webhooks", "Webhooks by what became of them.", labels=("workspace", "outcome")
        )
        sent = CounterMetricFamily(
            "adapter_sent", "Deliveries that reached Customer.io.", labels=("workspace",)
        )
        oldest = GaugeMetricFamily(
            "adapter_oldest_pending_seconds",
            "Age of the oldest delivery that waits to be sent, 0 when none does.",
            labels=("workspace",),
        )
        paused = GaugeMetricFamily(
            "adapter_paused", "1 while credentials or region are refused.", labels=("workspace",)
        )
        for name, status in found.items():
            for outcome in _OUTCOMES:
                webhooks.add_metric((name, outcome), status[outcome])
            sent.add_metric((name,), status["sent"])
            oldest.add_metric((name,), status["oldest_pending_seconds"] or 0.0)
            paused.add_metric((name,), float(status["paused"]))
        yield from (webhooks, sent, oldest, paused)
        for what, about in _NOW:
            gauge = GaugeMetricFamily(f"adapter_{what}", about, labels=("workspace",))
            for name, status in found.items():
                gauge.add_metric((name,), status[what])
            yield gauge


def _drift(findings: Mapping[str, list[Finding]]) -> Iterator[Metric]:
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
            for span, share in (("now", one.now), ("before", one.before)):
                if not share.events:
                    continue
                if not one.in_items:
                    presence.add_metric((*labels, span), share.presence)
                bad.add_metric((*labels, span), share.badness)
            drifting.add_metric(labels, float(one.drifting))
    yield from (presence, bad, drifting)
