"""Dead and parked: what Customer.io refused and what could not be mapped, by reason."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, cast

from flask import Blueprint, abort, render_template, request

from adapter.replay import body_of
from adapter.store.browse import Browse
from adapter.store.kept import Kept
from adapter.store.letters import DeadLetter, Letters
from adapter.web.console import masks
from adapter.web.console.acts import audited
from adapter.web.console.backstage import Backstage
from adapter.web.console.deliveries import PLACE
from adapter.web.console.shelves import Letter, Place, Shelves, key_of, kind
from adapter.web.console.tracing import readable

PLACES = ("dead", "parked")
SHOWN = 100
_KEY = re.compile(r"[0-9a-f]{16}")


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("letters", __name__)
    redis, workspace = backstage.redis, backstage.workspace
    kept = Kept(redis, workspace)
    shelves, browse = Shelves(Letters(redis, workspace), kept), Browse(redis, workspace)

    @pages.get("/letters")
    def grouped() -> str:
        lengths = browse.lengths()
        shelf = [shelves.shelf(cast(Place, place), lengths[place]) for place in PLACES]
        return render_template("letters.html", shelves=shelf)

    @pages.get("/letters/<place>/group/<key>")
    def group(place: str, key: str) -> str | tuple[str, int]:
        if place not in PLACES or not _KEY.fullmatch(key):
            abort(404)
        found, whole = shelves.members(cast(Place, place), key, SHOWN)
        if not found:
            said = "Nothing of that kind lies there any more: it was replayed or dropped."
            return render_template("failure.html", title="Nothing there", said=said), 404
        what, why = kind(found[0])
        return render_template(
            "group.html", place=place, key=key, letters=found, whole=whole, what=what, why=why
        )

    @pages.route("/letters/<place>/<id_>", methods=["GET", "POST"])
    def letter(place: str, id_: str) -> str | tuple[str, int]:
        """A POST asks for personal data, which is written down."""
        if place not in PLACES or not PLACE.fullmatch(id_):
            abort(404)
        found = shelves.one(cast(Place, place), id_)
        if found is None:
            said = "It was replayed or dropped, or was never there."
            return render_template("failure.html", title="Nothing there", said=said), 404
        unmask = request.method == "POST" and request.form.get("unmask") == "1"
        if unmask:
            audited("unmask", place=place, id=id_)
        shown = _shown(found, kept, unmask=unmask)
        return render_template(
            "letter.html", place=place, letter=found, unmasked=unmask, key=key_of(place, found),
            **shown,
        )  # fmt: skip

    return pages


def _shown(one: Letter, kept: Kept, *, unmask: bool) -> dict[str, Any]:
    """What is behind a letter: whose bodies, and the operation or the events."""
    why = one.reason if unmask else masks.reason(one.reason)
    operation = replace(one.operation, stamps={}).to_json() if one.operation else None
    if operation is not None and not unmask:
        operation = masks.operation(operation)
    if isinstance(one, DeadLetter):
        return {
            "why": why,
            "what": kind(one)[0],
            "operation": operation,
            "bodies": [
                (each, readable(body_of(one, number, kept), unmask=unmask))
                for number, each in enumerate(one.deliveries)
            ],
            "events": [],
        }
    events = [each.to_json() for each in one.events]
    return {
        "why": why,
        "what": kind(one)[0],
        "operation": operation,
        "bodies": [(one.delivery, readable(one.body, unmask=unmask))],
        "events": events if unmask else [masks.event(each) for each in events],
    }
