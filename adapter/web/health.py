"""GET /healthz and /readyz.

Readiness never asks the worker or Customer.io: intake must stay routed while they are down, since
it is what keeps webhooks safe until they are back.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from adapter.errors import StoreError
from adapter.store.health import Health


def blueprint(store: Health) -> Blueprint:
    """Alive: this process answers. Ready: Redis answers too; mappings were loaded at start."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def alive() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def ready() -> tuple[Response, int]:
        try:
            store.ping()
        except StoreError as error:
            return jsonify(status="not ready", reason=str(error)), 503
        return jsonify(status="ready"), 200

    return routes
