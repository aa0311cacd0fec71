"""Deliveries: what came in, the newest first, and what became of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from adapter.store.browse import DEAD, Browse, Fates, Needle, Wish
from adapter.store.kept import KeptDelivery
from adapter.store.topics import Topics
from adapter.store.visits import Visits
from adapter.web.console import words
from adapter.web.console.acts import address, audited
from adapter.web.console.backstage import Backstage
from adapter.web.console.tracing import traced

ROWS = 50
OUTCOMES = ("accepted", "ignored", "parked")
FIELDS = ("shop", "topic", "outcome", "order", "id", "who")
PLACE = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")

_DIGITS = re.compile(r"\D+")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. `state` is a word, `said` what is behind it."""

    one: KeptDelivery
    state: str
    said: str


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("deliveries", __name__)
    redis, workspace = backstage.redis, backstage.workspace
    browse, visits = Browse(redis, workspace), Visits(redis, workspace)

    @pages.get("/deliveries")
    def listed() -> str:
        """With `part=rows` only the table, for who looks at it every few seconds."""
        given = {name: request.args.get(name, "").strip() for name in FIELDS}
        who = words.revealed(visits, given["who"]) if given["who"] else ""
        before = request.args.get("before", "")
        if before and not PLACE.fullmatch(before):
            abort(404)
        wish = _wish({**given, "who": who or ""})
        found = browse.page(wish, ROWS, before or None)
        fates = browse.fates(found.rows)
        oldest = browse.oldest_pending()
        rows = [_row(one, fates, oldest) for one in found.rows]
        asked = {name: value for name, value in given.items() if value}
        shared: dict[str, Any] = {"rows": rows, "found": found, "given": given, "before": before}
        if request.args.get("part") == "rows":
            return render_template("rows.html", **shared)
        seen = Topics(redis, workspace).seen()
        return render_template(
            "deliveries.html",
            **shared,
            who=who,
            lost=who is None,
            wish=wish,
            full=len(rows) == ROWS,
            live=address("deliveries.listed", {**asked, "part": "rows"}),
            older=address("deliveries.listed", {**asked, "before": found.end or ""}),
            shops=sorted({one.shop for one in seen}),
            topics=sorted({one.topic for one in seen}),
            outcomes=OUTCOMES,
            kept=browse.lengths()["kept"],
        )

    @pages.post("/deliveries/find")
    def find() -> Response:
        """What was typed, as an address that holds nothing personal."""
        given = {name: request.form.get(name, "").strip()[:200] for name in FIELDS}
        if given["who"]:
            given["who"] = words.hidden(visits, given["who"])
        if given["id"] and not any(given[name] for name in FIELDS if name != "id"):
            place = browse.place(given["id"], backstage.shops())
            if place is not None:
                return redirect(url_for("deliveries.one", place=place), 303)
        asked = {name: value for name, value in given.items() if value}
        return redirect(address("deliveries.listed", asked), 303)

    @pages.route("/deliveries/<place>", methods=["GET", "POST"])
    def one(place: str) -> str | Response | tuple[str, int]:
        """A POST asks for personal data, which is written down."""
        hours = backstage.settings.retention_hours
        if not PLACE.fullmatch(place):
            # Somebody put the id of a delivery there.
            found = browse.place(place[:200], backstage.shops())
            if found is not None:
                return redirect(url_for("deliveries.one", place=found), 303)
            return render_template("nothing.html", place=place, hours=hours), 404
        unmask = request.method == "POST" and request.form.get("unmask") == "1"
        trace = traced(backstage, place, unmask=unmask)
        if trace is None:
            return render_template("nothing.html", place=place, hours=hours), 404
        if unmask:
            audited("unmask", place="kept", id=place, delivery=trace.kept.delivery.id)
        whose = words.hidden(visits, trace.whose) if trace.whose else None
        return render_template("delivery.html", trace=trace, unmasked=unmask, whose=whose)

    return pages


def needle(text: str) -> Needle | None:
    """What somebody is looked for by in bodies: an id, an email or a phone."""
    text = text.strip().lower()
    if not text:
        return None
    digits = _DIGITS.sub("", text)
    if text.startswith("+") and len(digits) >= 6:
        # Stores keep numbers as they were typed.
        spaced = r"[\s().\-]*".join(digits)
        return Needle(re.compile(rf"(?<![0-9]){spaced}(?![0-9])".encode()), digits[:1].encode())
    plain = text.encode("utf-8", "surrogatepass")
    return Needle(re.compile(rb"(?<![0-9a-z])" + re.escape(plain) + rb"(?![0-9a-z])"), plain)


def _wish(given: Mapping[str, str]) -> Wish:
    plain = {name: given[name] or None for name in ("shop", "topic", "outcome", "order", "id")}
    return Wish(**plain, body=needle(given["who"]))


def _row(one: KeptDelivery, fates: Fates, oldest: float | None) -> Row:
    """Of what was accepted: what the batches say; `oldest` is when what waits longest came."""
    if one.outcome != "accepted":
        return Row(one, one.outcome, one.reason or "")
    told = fates.by_id.get(one.delivery.id, [])
    if not told:
        if oldest is not None and oldest <= one.at:
            return Row(one, "pending", "waits to be sent")
        return Row(one, "accepted", "" if fates.whole else "what became of it: open it")
    # By what was to be sent: a dead letter that was replayed is told of again, and that counts.
    why: dict[str, tuple[str, str | None]] = {}
    did: dict[str, str | None] = {}
    notes: list[str] = []
    for _, fate in sorted(told, key=lambda each: each[0].at):
        why.update({event.id: (event.name, event.why) for event in fate.events})
        did.update(fate.did)
        if fate.note:
            notes.append(fate.note)
    dead = [name for name, said in why.values() if said and said.startswith(DEAD)]
    dead += [action for action, said in did.items() if said]
    if dead:
        return Row(one, "dead", ", ".join(dict.fromkeys(dead)))
    sent = [name for name, said in why.values() if said is None]
    if sent or did:
        rehearsed = any(account.rehearsal for account, _ in told)
        said = ", ".join(dict.fromkeys(sent or did))
        return Row(one, "rehearsed" if rehearsed else "sent", said)
    notes += [f"{name}: {said}" for name, said in why.values()]
    waits = any(note.startswith("waits") for note in notes)
    return Row(one, "waits" if waits else "nothing sent", "; ".join(dict.fromkeys(notes)))
