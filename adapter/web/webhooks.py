"""POST /webhooks/<platform>."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response, jsonify, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from adapter.errors import AdapterError, DeliveryError, MalformedError, TooLargeError
from adapter.intake import Intake

_log = logging.getLogger(__name__)


def blueprint(intake: Intake, *, max_body_bytes: int) -> Blueprint:
    """The route that stores register as their webhook target."""
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<platform>")
    def receive(platform: str) -> Response:
        started = time.perf_counter()
        try:
            known = intake.platform(platform)
            headers = cast(Mapping[str, str], request.headers)
            receipt = intake.receive(known, headers, _body(max_body_bytes), int(time.time()))
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


def _body(most: int) -> bytes:
    """The raw bytes, refused before they are read where their length is known to be too much.

    Read past werkzeug, which ends a chunked body at the limit and takes a cut one for a whole one
    where the server (as gunicorn does) marks the end of its input.
    """
    length = request.content_length
    if length is not None and length > most:
        raise TooLargeError("the body is too large")
    if length is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    try:
        raw: bytes = request.environ["wsgi.input"].read(most + 1 if length is None else length)
    except (OSError, ValueError, ParseException):
        # What gunicorn raises for bad chunks and for a connection that broke.
        raise MalformedError("the body did not arrive whole") from None
    if len(raw) > most:
        raise TooLargeError("the body is too large")
    if length is not None and len(raw) < length:
        raise MalformedError("the body did not arrive whole")
    return raw
