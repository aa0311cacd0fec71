"""The first page: is data flowing, and does anything need somebody."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request

from adapter.doctor import Finding, progress, start
from adapter.jobs import workers
from adapter.store import mode
from adapter.store.alerts import States
from adapter.store.connection import store_errors
from adapter.store.drift import Drift
from adapter.store.health import Status
from adapter.store.hours import HOUR, Hours, events, webhooks
from adapter.store.recent import Recent
from adapter.store.topics import Topics, latest
from adapter.web.console import charts
from adapter.web.console.backstage import Backstage

CHART_HOURS = 48
OUTCOMES = ("accepted", "ignored", "parked")
PAGES = {"dead": "letters.grouped", "parked": "letters.grouped", "drift": "contract.show"}
"""Where what a finding is about can be looked at."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, and the table of what it shows. `names` are in the order of its colours."""

    id: str
    title: str
    svg: str
    names: list[str]
    columns: list[charts.Column]


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("overview", __name__)
    redis, workspace = backstage.redis, backstage.workspace
    recent, hours = Recent(redis, workspace), Hours(redis, workspace)
    drift = Drift(redis, workspace)

    @pages.get("/")
    def show() -> str:
        """With `part=live` only what changes from one second to the next."""
        status = Status(redis, workspace).read()
        seen = Topics(redis, workspace).seen()
        with store_errors():
            listening = workers(redis)
        signs = mode.last(redis, workspace)
        now = time.time()
        delivery = progress.delivery(
            status, signs, listening, now=now, here=backstage.settings.dry_run
        )
        findings = [*start.ask_redis(redis), *delivery, *progress.drift(drift.findings())]
        last = latest(seen)
        facts = {
            "status": status,
            "findings": findings,
            "alerts": [
                (rule, subject, state)
                for (rule, subject), state in sorted(States(redis, workspace).read().items())
                if state.fired is not None and state.over is None
            ],
            "banners": [
                _banner(each)
                for level in ("broken", "warning")
                for each in findings
                if each.level == level
            ],
            "signs": signs,
            "workers": len(listening),
            "fresh": signs.seen is not None and now - signs.seen < mode.FRESH_SECONDS,
            "now": recent.now(),
            "late": status["details"].get("late", 0),
            "unseen": {
                platform: missing
                for platform, topics in backstage.feeding().items()
                if (missing := [each for each in topics if (platform, each) not in last])
            },
            "came": bool(last),
            "newest": max(last.values(), default=None),
        }
        facts["charts"] = _charts(backstage, facts["now"], hours)
        page = "live.html" if request.args.get("part") == "live" else "overview.html"
        return render_template(page, **facts)

    return pages


def _banner(finding: Finding) -> dict[str, Any]:
    return {"finding": finding, "page": PAGES.get(finding.name)}


def _charts(backstage: Backstage, now: Any, hours: Hours) -> list[Chart]:
    known = backstage.mappings.schema.events
    found = []
    found.append(_chart("per-minute", "Webhooks per minute, the last hour", now.webhooks, OUTCOMES))
    names = _names(now.events)
    found.append(_chart("sent-minute", "Events sent per minute, the last hour", now.events, names))
    by_hour: list[charts.Column] = [
        (_hour(hour), events(counts, known)) for hour, counts in hours.last(CHART_HOURS)
    ]
    counted = webhooks(backstage.redis, backstage.workspace, CHART_HOURS)
    if any(count for _, count in counted):
        columns: list[charts.Column] = [
            (_hour(hour), {"webhooks": count}) for hour, count in counted
        ]
        title = f"Webhooks per hour, the last {CHART_HOURS} hours"
        found.append(_chart("webhooks-hour", title, columns, ["webhooks"]))
    title = f"Events taken in per hour, the last {CHART_HOURS} hours"
    found.append(_chart("per-hour", title, by_hour, _names(by_hour)))
    return found


def _hour(hour: int) -> str:
    return time.strftime("%d. %H:00", time.gmtime(hour * HOUR))


def _chart(id_: str, title: str, columns: list[charts.Column], names: Any) -> Chart:
    return Chart(id_, title, charts.bars(title, columns, list(names)), list(names), columns)


def _names(columns: list[charts.Column]) -> list[str]:
    """The most frequent first."""
    total: Counter[str] = Counter()
    for _, parts in columns:
        total.update({name: int(count) for name, count in parts.items()})
    return [name for name, _ in total.most_common()]
