"""The web process: a Flask application that takes webhooks in and says how it fares."""

from __future__ import annotations

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from adapter.errors import DeliveryError, StoreError
from adapter.intake import Intake
from adapter.store.health import Health
from adapter.web import health, webhooks


def create_app(intake: Intake, store: Health, *, max_body_bytes: int) -> Flask:
    """The application; everything it works with comes in, so tests and tools can make their own."""
    app = Flask("adapter", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.register_blueprint(webhooks.blueprint(intake, max_body_bytes=max_body_bytes))
    app.register_blueprint(health.blueprint(store))

    @app.errorhandler(DeliveryError)
    def reject(error: DeliveryError) -> tuple[Response, int]:
        return jsonify(error=str(error)), error.status

    @app.errorhandler(StoreError)
    def not_stored(error: StoreError) -> tuple[Response, int, dict[str, str]]:
        return jsonify(error=f"not stored, send it again: {error}"), 503, {"Retry-After": "5"}

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        answer = jsonify(error=error.name)
        answer.status_code = error.code or 500
        # A 405 says here what would be allowed.
        for name, value in error.get_headers():
            if name != "Content-Type":
                answer.headers[name] = value
        return answer

    return app
