"""Replaying and dropping: first what it would come to, then doing it, a handful at a time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from adapter.errors import StoreError
from adapter.replay import Plan, Thing
from adapter.store.kept import Kept
from adapter.store.letters import Letters
from adapter.web.console import masks
from adapter.web.console.acts import audited, telling
from adapter.web.console.backstage import Backstage
from adapter.web.console.deliveries import PLACE
from adapter.web.console.shelves import Place, Shelves, deliveries_of

PLACES = ("dead", "parked", "kept")
ACTIONS = ("replay", "drop")
MOST = 500
"""Things that one form replays or drops; of a larger group the rest is left for the next."""

DETAILED = 20
MOST_SECONDS = 8.0
NAMED = 20
"""Ids that a line of the audit names; their number is told in any case."""

STUCK = ("parked", "told", "impossible", "gone")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a form is about. `more` says that the group holds more than are taken at a time."""

    place: str
    action: str
    remap: bool
    things: list[Thing]
    group: str
    missing: int
    more: bool

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.things]


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("replays", __name__)
    redis, workspace = backstage.redis, backstage.workspace
    letters = Letters(redis, workspace)
    shelves = Shelves(letters, Kept(redis, workspace))

    @pages.post("/letters/plan")
    def plan() -> str | Response:
        """What it would come to; nothing is written."""
        chosen = _chosen(shelves)
        if not chosen.things:
            said = "Nothing was chosen, or it was replayed or dropped meanwhile."
            return redirect(telling(_back(chosen), said), 303)
        plans: list[Plan] = []
        if chosen.action == "replay":
            plans = list(backstage.replayer().plan(chosen.things, remap=chosen.remap))
        return render_template(
            "plan.html", chosen=chosen, back=_back(chosen), detailed=plans[:DETAILED],
            **_summed(plans),
        )  # fmt: skip

    @pages.post("/letters/do")
    def do() -> Response:
        """Replay or drop what was planned, by its ids."""
        if not request.form.getlist("id"):
            abort(400, "The form does not name what was shown.")
        chosen = _chosen(shelves)
        if not chosen.things:
            said = f"Nothing was done.{_missing(chosen)}"
            return redirect(telling(_back(chosen), said), 303)
        audited(
            chosen.action,
            place=chosen.place,
            count=len(chosen.things),
            ids=chosen.ids[:NAMED],
            deliveries=[each.id for one in chosen.things[:NAMED] for each in deliveries_of(one)],
            remap=chosen.remap,
        )
        if chosen.action == "drop":
            drop = letters.drop_dead if chosen.place == "dead" else letters.drop_parked
            said = f"Dropped {drop(chosen.ids)} for good."
        else:
            said = _replayed(backstage, chosen)
        return redirect(telling(_back(chosen), said + _missing(chosen)), 303)

    return pages


def _chosen(shelves: Shelves) -> Chosen:
    """What the form says: ids, or a whole group."""
    form = request.form
    place, action = form.get("place", ""), form.get("action", "")
    if place not in PLACES or action not in ACTIONS or (place == "kept" and action == "drop"):
        abort(400, "The form does not say what is to be done.")
    ids, group = form.getlist("id"), form.get("group", "")
    if len(ids) > MOST or not all(PLACE.fullmatch(each) for each in ids):
        abort(400, "The form names things that there cannot be.")
    more = False
    if ids:
        things = shelves.named(place, ids)
    elif group and place != "kept":
        found, whole = shelves.members(cast(Place, place), group, MOST)
        things, more = list(found), not whole
    else:
        things = []
    missing = max(0, len(set(ids)) - len(things))
    return Chosen(place, action, form.get("remap") == "1", things, group, missing, more)


def _replayed(backstage: Backstage, chosen: Chosen) -> str:
    """Replay, and say what it came to."""
    outcomes: Counter[str] = Counter()
    events, until = 0, time.monotonic() + MOST_SECONDS
    try:
        for one in backstage.replayer().run(_until(chosen.things, until), remap=chosen.remap):
            outcomes[one.outcome] += 1
            events += one.events
    except StoreError as error:
        outcomes[f"stopped by {error}"] += 1
    done = sum(count for outcome, count in outcomes.items() if outcome not in STUCK)
    said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    left = len(chosen.things) - sum(outcomes.values())
    rest = f" {left} are left for the next time: it took long." if left > 0 else ""
    return f"Replayed {done} of {len(chosen.things)} ({said}); {events} events go out.{rest}"


def _missing(chosen: Chosen) -> str:
    """How many were there when they were chosen, and are not now."""
    if not chosen.missing:
        return ""
    kept = chosen.place == "kept"
    why = "their bodies gave way" if kept else "they were replayed or dropped meanwhile"
    return f" {chosen.missing} of the chosen are there no more: {why}."


def _until(things: list[Thing], deadline: float) -> Iterator[Thing]:
    for one in things:
        if time.monotonic() > deadline:
            return
        yield one


def _summed(plans: list[Plan]) -> dict[str, Any]:
    """How many come to what, and their events by topic and name."""
    outcomes: Counter[tuple[str, str]] = Counter(
        (plan.outcome, masks.reason(plan.reason)) for plan in plans
    )
    events: dict[tuple[str, str], Counter[str]] = {}
    for plan in plans:
        for event in plan.events:
            counts = events.setdefault((plan.delivery.topic, event.name), Counter())
            counts[event.state] += 1
    return {"outcomes": outcomes.most_common(), "events": sorted(events.items())}


def _back(chosen: Chosen) -> str:
    if chosen.place == "kept":
        if len(chosen.ids) == 1:
            return url_for("deliveries.one", place=chosen.ids[0])
        return url_for("deliveries.listed")
    return url_for("letters.grouped")
