"""The pages put together: who may see them, what goes with every answer, and how they fail."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, redirect, render_template, request
from flask import url_for as link_to
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from adapter import __version__
from adapter.errors import StoreError
from adapter.store.audit import Audit
from adapter.store.visits import Visits
from adapter.web.console import (
    audit,
    contract,
    deliveries,
    letters,
    overview,
    people,
    playground,
    replays,
    words,
)
from adapter.web.console.access import Access, Session, is_safe
from adapter.web.console.acts import audited, told
from adapter.web.console.backstage import Backstage

MOST_BYTES = 2 * 1024 * 1024
"""Of what a form may send; the playground's file is the largest that there is."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OPEN = frozenset(["login", "static"])
"""What somebody sees who has not given the password yet."""

PAGES = (
    ("overview.show", "Overview"),
    ("deliveries.listed", "Deliveries"),
    ("letters.grouped", "Dead and parked"),
    ("people.show", "People"),
    ("playground.show", "Playground"),
    ("contract.show", "Contract"),
    ("audit.show", "Audit"),
)
_HERE = Path(__file__).parent
_log = logging.getLogger(__name__)


def build(backstage: Backstage) -> Flask:
    """The application, with no prefix of its own."""
    app = Flask(
        __name__, template_folder=_HERE / "templates", static_folder=_HERE / "static",
        static_url_path="/static",
    )  # fmt: skip
    app.config.update(MAX_CONTENT_LENGTH=MOST_BYTES, MAX_FORM_MEMORY_SIZE=MOST_BYTES)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["audit"] = Audit(backstage.redis, backstage.workspace)
    visits = Visits(backstage.redis, backstage.workspace)
    app.extensions["visits"] = visits
    access = Access(backstage.settings.console_password, visits)
    for module in (
        overview, deliveries, letters, replays, people, playground, contract, audit,
    ):  # fmt: skip
        app.register_blueprint(module.blueprint(backstage))
    words.register(app)
    _guard(app, access)
    _log_in(app, access)
    _failures(app)

    @app.context_processor
    def common() -> dict[str, Any]:
        session: Session | None = g.get("session")
        return {
            "pages": PAGES,
            "session": session,
            "said_before": told() if session is not None and session.known else None,
            "needs_password": access.needs_password,
            "workspace": backstage.workspace,
            "dry_run": backstage.settings.dry_run,
            "version": __version__,
        }

    return app


def _guard(app: Flask, access: Access) -> None:
    """Before every request and after it."""

    @app.before_request
    def enter() -> AnyResponse | None:
        refused = access.refusal(request)
        if refused:
            return make_response(render_template("refused.html", why=refused), 403)
        if request.endpoint == "static":
            return None
        g.session = session = access.session(request)
        if request.method not in ("GET", "HEAD", "OPTIONS") and not access.is_own(request, session):
            raise Forbidden("This form is not of your session any more. Load its page again.")
        if session.known or request.endpoint in OPEN:
            return None
        back = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return redirect(link_to("login", next=back), 303)

    @app.after_request
    def leave(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        else:
            response.headers["Cache-Control"] = "public, max-age=300"
        session: Session | None = g.get("session")
        if session is not None and session.is_new and not g.get("session_ended"):
            access.write(response, request, session)
        return response


def _log_in(app: Flask, access: Access) -> None:
    @app.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
        target = request.values.get("next", "/")
        target = target if is_safe(target) else "/"
        home = request.script_root + target
        if g.session.known:
            return redirect(home, 303)
        if request.method == "GET":
            return render_template("login.html", next=target), 200
        found = access.logged_in(request, request.form.get("password", ""))
        if isinstance(found, Session):
            g.session = found
            audited("log-in")
            return redirect(home, 303)
        if found:
            _log.warning("console", extra={"act": "log-in refused", "reason": "too many tries"})
            minutes = -(-found // 60)
            said = f"Too many wrong passwords. Try again in {minutes} min."
            page = render_template("login.html", next=target, said=said)
            return page, 429, {"Retry-After": str(found)}
        _log.warning("console", extra={"act": "log-in refused", "reason": "wrong password"})
        page = render_template("login.html", next=target, said="That is not the password.")
        return page, 401

    @app.post("/logout")
    def logout() -> AnyResponse:
        audited("log-out")
        response = redirect(link_to("login"), 303)
        access.end(response, request, g.session)
        g.session_ended = True
        return response


def _failures(app: Flask) -> None:
    def page(status: int, title: str, said: str) -> AnyResponse:
        return make_response(render_template("failure.html", title=title, said=said), status)

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> AnyResponse:
        if error.code is not None and error.code < 400:
            return error.get_response()
        title, said = error.name, error.description or ""
        if error.code == 404:
            title = "There is no such page"
            said = "What it was about is gone, or the address is not whole. All pages are above."
        response = page(error.code or 500, title, said)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response

    @app.errorhandler(StoreError)
    def gone(error: StoreError) -> AnyResponse:
        said = f"{error}. Webhooks are refused until it answers, and the store sends them again."
        return page(503, "Redis does not answer", said)

    @app.errorhandler(Exception)
    def broken(_error: Exception) -> AnyResponse:
        _log.exception("console failed", extra={"endpoint": request.endpoint})
        return page(500, "This page failed", "The log says where. Nothing was changed by looking.")
