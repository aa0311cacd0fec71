"""POST /webhooks/<platform>."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from adapter.errors import AdapterError, DeliveryError, MalformedError, TooLargeError
from adapter.intake import Intake

_log = logging.getLogger(__name__)


def blueprint(intake: Intake) -> Blueprint:
    """The route that stores register as their webhook target."""
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<platform>")
    def receive(platform: str) -> Response:
        started = time.perf_counter()
        try:
            known = intake.platform(platform)
            receipt = intake.receive(known, cast(Mapping[str, str], request.headers), _body(), int(time.time()))
        except AdapterError as error:
            _log.warning(
                "webhook refused",
                extra={
                    "platform": platform if platform in intake.platforms else "unknown",
                    "status": error.status if isinstance(error, DeliveryError) else 503,
                    "reason": type(error).__name__,
                },
            )
            raise
        delivery = receipt.delivery
        _log.info(
            "webhook",
            extra={
                "platform": delivery.platform,
                "topic": delivery.topic,
                "shop": delivery.shop,
                "delivery": delivery.id,
                "outcome": receipt.outcome,
                "reason": receipt.reason,
                "ms": round((time.perf_counter() - started) * 1000, 1),
            },
        )
        return jsonify(outcome=receipt.outcome, delivery=delivery.id, reason=receipt.reason)

    return routes


def _body() -> bytes:
    """The raw bytes, refused before they are read where their length is known to be too much."""
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLargeError("the body is too large") from None
    except (ClientDisconnected, OSError, ValueError):
        # gunicorn raises its own kinds of OSError and ValueError for bad chunks and cut bodies.
        raise MalformedError("the body did not arrive whole") from None
