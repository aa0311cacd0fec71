"""What a dry run says: all of it summed up, and the first few in detail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import shelf
from adapter.cli.tables import table, terminal_width

if TYPE_CHECKING:
    from adapter.replay import Plan

DETAILED = 5
"""Things that are told in detail; with --json all of them are."""

STATES = {
    "new": "new to Customer.io",
    "again": "sent before: Customer.io ignores it, as it has the same id",
    "told": "left out: told by another delivery",
    "dropped": "comes to nothing",
}
_HEADS = ("topic", "event", "new", "sent before", "told by another", "comes to nothing")


def tell_plans(plans: Iterable[Plan], *, as_json: bool) -> None:
    """A dry run, to its end."""
    outcomes: Counter[tuple[str, str, str]] = Counter()
    events: dict[tuple[str, str], Counter[str]] = {}
    first: list[dict[str, Any]] = []
    for plan in plans:
        outcomes[plan.before, plan.outcome, plan.reason or ""] += 1
        for event in plan.events:
            of = events.setdefault((plan.delivery.topic, event.name), Counter())
            of[event.state] += 1
        if as_json or len(first) < DETAILED:
            first.append(plan_json(plan))
    number = sum(outcomes.values())
    if as_json:
        click.echo(shelf.dumped(_document(number, outcomes, events, first)))
        return
    lines = [f"dry run: {number} would be replayed; nothing was written"]
    rows = [
        (str(count), before, f"{now}: {why}" if why else now)
        for (before, now, why), count in outcomes.most_common()
    ]
    lines += table(("count", "was", "now"), rows, terminal_width()) if rows else []
    rows_of_events = [
        (topic, name, *(str(counts[state]) for state in STATES))
        for (topic, name), counts in sorted(events.items())
    ]
    if rows_of_events:
        lines += ["", *table(_HEADS, rows_of_events, None)]
        lines += ["", "sent before: Customer.io will ignore it, as it has the same id"]
    if first:
        more = number - len(first)
        lines += ["", f"the first {len(first)}:" if more > 0 else "each:"]
    for each in first:
        lines += _detail(each)
    click.echo("\n".join(lines))


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan; of a person's attributes only the names, unless requests were asked for."""
    found: dict[str, Any] = {
        "id": plan.id,
        "place": plan.place,
        "deliveries": [shelf.delivery_json(each) for each in plan.deliveries],
        "before": {"outcome": plan.before, "reason": plan.before_reason},
        "now": {"outcome": plan.outcome, "reason": plan.reason},
        "events": [event.to_json() for event in plan.events],
        "attributes": sorted(plan.changes),
    }
    if plan.requests:
        found["requests"] = list(plan.requests)
    return found


def _document(
    number: int,
    outcomes: Counter[tuple[str, str, str]],
    events: dict[tuple[str, str], Counter[str]],
    plans: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "dry_run": True,
        "count": number,
        "outcomes": [
            {"before": before, "now": now, "reason": why or None, "count": count}
            for (before, now, why), count in outcomes.most_common()
        ],
        "events": [
            {"topic": topic, "event": name, **{state: counts[state] for state in STATES}}
            for (topic, name), counts in sorted(events.items())
        ],
        "plans": plans,
    }


def _detail(plan: dict[str, Any]) -> list[str]:
    one, now, before = plan["deliveries"][0], plan["now"], plan["before"]
    more = len(plan["deliveries"]) - 1
    others = f" and {more} more" if more else ""
    at = shelf.when(one["received_at"])
    lines = [f"  delivery {one['id']}{others}  {one['topic']} of {one['shop']}, {at}"]
    said = f"{now['outcome']}: {now['reason']}" if now["reason"] else now["outcome"]
    was = f"{before['outcome']}: {before['reason']}" if before["reason"] else before["outcome"]
    lines.append(f"    {said}  (was {was})")
    for event in plan["events"]:
        why = f" ({event['why']})" if event["why"] else ""
        lines.append(f"    {event['name']} {event['key']}: {STATES[event['state']]}{why}")
    if plan["attributes"]:
        lines.append(f"    writes {', '.join(plan['attributes'])}")
    return lines
