"""The web process: a Flask application that takes webhooks in and says how it fares."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from adapter.intake import Intake
from adapter.store.drift import Drift, Tally
from adapter.store.health import Health
from adapter.web import health, metrics
from adapter.web.console import Backstage, Console
from adapter.web.webhooks import Webhooks

_FRONT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>commerce adapter</title>
<p>This is a commerce adapter. People look at <a href="/console/">/console/</a>, stores send to
<code>/webhooks/&lt;platform&gt;</code>.</p></html>
"""
"""What a browser is shown that was only given the host."""


def create_app(
    intake: Intake,
    store: Health,
    *,
    max_body_bytes: int,
    workspace: str = "default",
    backstage: Backstage | None = None,
) -> Flask:
    """The application; everything it works with comes in, so tests and tools can make their own.

    Without a `backstage` there is no console.
    """
    app = Flask("adapter", static_folder=None)
    drift = Drift(store.redis, workspace)
    app.register_blueprint(health.blueprint(store))
    app.register_blueprint(metrics.blueprint(store, {workspace: drift}))
    tally = Tally(drift, intake.mappings.schema)
    others = app.wsgi_app if backstage is None else Console(app.wsgi_app, backstage)
    webhooks = Webhooks(intake, others, tally, max_body_bytes=max_body_bytes)
    app.wsgi_app = webhooks  # type: ignore[method-assign]  # how Flask wants middleware put in

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        kinds = ("application/json", "text/html")
        if (
            backstage is not None
            and error.code == 404
            and request.path == "/"
            and request.accept_mimetypes.best_match(kinds) == "text/html"
        ):
            return Response(_FRONT, 404, mimetype="text/html")
        answer = jsonify(error=error.name)
        answer.status_code = error.code or 500
        # A 405 says here what would be allowed.
        for name, value in error.get_headers():
            if name != "Content-Type":
                answer.headers[name] = value
        return answer

    return app
