"""The contract, with how often each property was there, day by day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request
from markupsafe import Markup

from adapter.drift import RULE, Finding, Name
from adapter.mapping.schema import Field, Schema
from adapter.store.drift import CATALOG, PERSON, Drift
from adapter.store.hours import HOUR, Hours
from adapter.web.console import charts
from adapter.web.console.backstage import Backstage

DAYS = 9
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Property:
    """One line of an event: its field, its presence by day (None: nothing came), what drifts."""

    field: Field
    days: list[float | None]
    spark: Markup
    findings: list[Finding]
    counted: bool

    @property
    def last(self) -> float | None:
        """Its presence on the last day of which anything is known."""
        return next((each for each in reversed(self.days) if each is not None), None)

    @property
    def why(self) -> str | None:
        """How it changed abruptly, None where it did not."""
        drifting = [each for each in self.findings if each.drifting]
        return "; ".join(f"{each.topic}: {each.why}" for each in drifting) or None


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("contract", __name__)
    drift = Drift(backstage.redis, backstage.workspace)
    hours = Hours(backstage.redis, backstage.workspace)
    schema = backstage.mappings.schema

    @pages.get("/contract")
    def show() -> str:
        findings = drift.findings()
        days = _days(hours.last(DAYS * 24))
        names = [*schema.events, PERSON, CATALOG]
        chosen = request.args.get("event", "")
        if chosen and chosen not in names:
            abort(404)
        drifting = Counter(each.event for each in findings if each.drifting)
        counted = {
            name: [sum(day[of] for of in day if of.event == name and of.kind == "events")
                   for _, day in days]
            for name in names
        }  # fmt: skip
        return render_template(
            "contract.html",
            schema=schema,
            names=names,
            chosen=chosen,
            properties=_properties(schema, chosen, days, findings) if chosen else [],
            drifting=drifting,
            drifts=[each for each in findings if each.drifting],
            counted=counted,
            days=[label for label, _ in days],
            about=schema.about.get(chosen, ""),
            outside=backstage.mappings.names.event(chosen) if chosen in schema.events else chosen,
            rule=RULE,
        )

    return pages


def _days(found: Sequence[tuple[int, Mapping[Name, int]]]) -> list[tuple[str, Counter[Name]]]:
    """Days of UTC, the oldest first, and what was counted on them."""
    days: dict[int, Counter[Name]] = {}
    for hour, counts in found:
        days.setdefault(hour * HOUR // DAY, Counter()).update(counts)
    return [
        (time.strftime("%Y-%m-%d", time.gmtime(day * DAY)), counts)
        for day, counts in sorted(days.items())
    ]


def _fields(schema: Schema, name: str) -> Sequence[Field]:
    if name == PERSON:
        return schema.person
    if name == CATALOG:
        return schema.product
    event = schema.events[name]
    return (*event.fields, *schema.filled_in(event))


def _properties(
    schema: Schema,
    name: str,
    days: Sequence[tuple[str, Counter[Name]]],
    findings: Sequence[Finding],
) -> list[Property]:
    found = []
    for field in _fields(schema, name):
        own = [each for each in findings if each.event == name and _is_of(each, field)]
        counted = (field.optional or name == PERSON) and field.source == "mapping"
        shares = [_share(counts, name, field.name) if counted else None for _, counts in days]
        told = ", ".join("-" if each is None else f"{each:.0%}" for each in shares)
        title = f"{field.name} by day: {told}"
        found.append(Property(field, shares, charts.spark(title, shares), own, counted))
    return found


def _is_of(finding: Finding, field: Field) -> bool:
    return finding.name == field.name or finding.name.startswith(field.name + "[")


def _share(counts: Counter[Name], event: str, name: str) -> float | None:
    """In how many of a day's events it was; of the topics that ever hold it."""
    topics = {of.topic for of in counts if of.event == event and of.kind == "events"}
    every = sum(counts[Name(event, topic, "", "events")] for topic in topics)
    there = sum(counts[Name(event, topic, name, "present")] for topic in topics)
    return min(1.0, there / every) if every else None
