"""People: what the adapter knows of somebody, and why an event of theirs did or did not go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from adapter.lookup.desk import Asked, Desk, ask
from adapter.lookup.persons import tell
from adapter.lookup.texts import item_text, thing_text
from adapter.lookup.whys import canonical, told
from adapter.model import Ref
from adapter.store.visits import Visits
from adapter.web.console import masks, words
from adapter.web.console.acts import address, audited
from adapter.web.console.backstage import Backstage

THINGS = ("order", "cart", "checkout", "subscription")


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("people", __name__)
    visits = Visits(backstage.redis, backstage.workspace)

    @pages.route("/people", methods=["GET", "POST"])
    def show() -> str:
        """A POST asks for personal data, which is written down."""
        token = request.args.get("who", "").strip()
        event = request.args.get("event", "").strip()
        facts: dict[str, Any] = {
            "who": "", "link": token, "known": None, "event": event, "problem": None,
            "answer": None, "unmasked": False, "things": {}, "kinds": THINGS,
            "names": sorted(backstage.mappings.schema.events),
        }  # fmt: skip
        who = words.revealed(visits, token) if token else ""
        if who is None:
            facts["problem"] = "That search was too long ago: type it again."
        if not who:
            return render_template("people.html", **facts)
        unmask = request.method == "POST" and request.form.get("unmask") == "1"
        desk = backstage.desk()
        try:
            asked = ask(desk, who)
        except ValueError as error:
            facts |= {"problem": str(error), "who": who}
            return render_template("people.html", **facts)
        if unmask:
            audited("unmask", place="person", id=asked.found.who[1]
                    if asked.found.who[0] == "id" else "(not by an id)")  # fmt: skip
        known = tell(desk, who, asked)
        facts |= {
            "who": who,
            "unmasked": unmask,
            "known": known if unmask else _masked(known, who),
            "lines": {
                "owns": [thing_text({**one, "owner": None}) for one in known.get("owns", ())],
                # Whose it is may be an address or a number that nobody typed.
                "named": [
                    thing_text(one) if unmask else masks.reason(thing_text(one))
                    for one in known["named"]
                ],
                "waits": [masks.reason(item_text(one)) for one in known["waits"]],
            },
        }
        if event:
            facts |= _why(backstage, desk, asked, who, event)
        return render_template("people.html", **facts)

    @pages.post("/people/find")
    def find() -> Response:
        """What was typed, as an address that holds nothing personal."""
        who = request.form.get("who", "").strip()[:200]
        given = {name: request.form.get(name, "").strip()[:200] for name in ("event", *THINGS)}
        asked = {name: value for name, value in given.items() if value}
        if who:
            asked["who"] = words.hidden(visits, who)
        return redirect(address("people.show", asked), 303)

    return pages


def _why(backstage: Backstage, desk: Desk, asked: Asked, who: str, event: str) -> dict[str, Any]:
    """Why the event did or did not go out."""
    given = {kind: request.args.get(kind, "").strip().partition("?")[0] for kind in THINGS}
    named: list[Ref] = [
        ref for kind, value in given.items() if value for ref in desk.refs((kind,), value)
    ]
    try:
        name = canonical(backstage.mappings, event)
    except ValueError as error:
        return {"problem": str(error), "things": given}
    _, document = told(desk, backstage.mappings, name, who, asked, named)
    others = [masks.reason(item_text(one)) for one in document["items"]]
    return {"answer": document, "others": others, "things": given, "event": name}


def _masked(known: Mapping[str, Any], asked: str) -> dict[str, Any]:
    """What is known, less addresses and numbers that were not typed by who asks."""

    def veil(who: list[str]) -> list[str]:
        plain = who[0] == "id" or who[1] == asked.strip().lower()
        return [who[0], who[1] if plain else masks.HIDDEN]

    shown = dict(known)
    shown["way"] = [veil(who) for who in known["way"]]
    if shown.get("email"):
        shown["email"] = masks.HIDDEN
    for name in ("inputs", "rules"):
        if shown.get(name):
            shown[name] = dict.fromkeys(shown[name], masks.HIDDEN)
    if shown.get("lists"):
        shown["lists"] = {
            name: {**state, "elements": [masks.HIDDEN] * len(state["elements"])}
            for name, state in shown["lists"].items()
        }
    return shown
