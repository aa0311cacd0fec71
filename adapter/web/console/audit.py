"""Who did what here."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from adapter.store.audit import Audit
from adapter.web.console.backstage import Backstage
from adapter.web.console.deliveries import PLACE

ROWS = 100


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("audit", __name__)
    acts = Audit(backstage.redis, backstage.workspace)

    @pages.get("/audit")
    def show() -> str:
        before = request.args.get("before", "")
        if before and not PLACE.fullmatch(before):
            abort(404)
        found = acts.newest(ROWS, before or None)
        return render_template("audit.html", acts=found, full=len(found) == ROWS)

    return pages
