"""POST /webhooks/<platform>: the one route that is hot, as a WSGI application of its own.

Flask's own dispatch would be a sixth of what a webhook costs here (`make bench` tells), so this
stands before it: what is addressed to /webhooks/ is answered here, all else goes on to Flask.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from adapter.errors import AdapterError, DeliveryError, StoreError
from adapter.intake import Intake
from adapter.platforms import WsgiHeaders
from adapter.store.drift import Tally
from adapter.web.bodies import Bodies

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

PREFIX = "/webhooks/"
RETRY_AFTER_SECONDS = 5

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_log = logging.getLogger(__name__)


class Webhooks:
    """Takes webhooks in and hands everything else to `others`; `tally` counts what they hold."""

    def __init__(self, intake: Intake, others: Wsgi, tally: Tally, *, max_body_bytes: int) -> None:
        self._intake = intake
        self._others = others
        self._tally = tally
        self._bodies = Bodies(max_body_bytes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        name = path[len(PREFIX) :]
        if not path.startswith(PREFIX) or not name or "/" in name:
            return self._others(environ, start_response)
        status, answer, headers = self._answer(name, environ)
        body = _encode(answer).encode()
        start_response(
            _STATUS_LINES[status],
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                *headers.items(),
            ],
        )
        # An answer to HEAD is its headers.
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(
        self, name: str, environ: Environ
    ) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        """Status, JSON body and further headers."""
        if environ["REQUEST_METHOD"] != "POST":
            return 405, {"error": "Method Not Allowed"}, {"Allow": "POST"}
        try:
            return 200, self._receive(name, environ), {}
        except DeliveryError as error:
            self._tell_refusal(name, error, error.status)
            return error.status, {"error": str(error)}, {}
        except StoreError as error:
            self._tell_refusal(name, error, 503)
            text = f"not stored, send it again: {error}"
            return 503, {"error": text}, {"Retry-After": str(RETRY_AFTER_SECONDS)}
        except Exception:  # a fault of ours: the store sends it again
            _log.exception("webhook failed", extra={"platform": self._known(name)})
            return 500, {"error": "Internal Server Error"}, {}

    def _receive(self, name: str, environ: Environ) -> Mapping[str, Any]:
        started = time.perf_counter()
        platform = self._intake.platform(name)
        with self._bodies.read(environ) as raw:
            receipt = self._intake.receive(platform, WsgiHeaders(environ), raw, int(time.time()))
        delivery = receipt.delivery
        if receipt.outcome == "accepted":
            self._tally.note(receipt.mapped)
        _log.info(
            "webhook",
            extra={
                "platform": delivery.platform,
                "topic": delivery.topic,
                "shop": delivery.shop,
                "delivery": delivery.id,
                "outcome": receipt.outcome,
                "reason": _without_value(receipt.reason),
                "ms": round((time.perf_counter() - started) * 1000, 1),
            },
        )
        return {"outcome": receipt.outcome, "delivery": delivery.id, "reason": receipt.reason}

    def _tell_refusal(self, name: str, error: AdapterError, status: int) -> None:
        facts = {"platform": self._known(name), "status": status, "reason": type(error).__name__}
        _log.warning("webhook refused", extra=facts)

    def _known(self, name: str) -> str:
        """A platform's name as it may be logged: not what somebody made up."""
        return name if name in self._intake.platforms else "unknown"


def _without_value(reason: str | None) -> str | None:
    """Why it was parked, less the value that did not fit: the body is kept, the log is read."""
    return None if reason is None else reason.partition(", got ")[0]
