"""Customer.io's Track API v2, `POST /api/v2/batch`.

Source of every number and status: Customer.io's OpenAPI file and docs; a 2xx is not proof of
effect there, and no order is promised inside a batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from adapter.compact import strict
from adapter.destinations.base import Item, Request, Response, Unsendable, Verdict
from adapter.destinations.shortening import fit_event, fit_person, lose_longest
from adapter.errors import Misconfigured, Refused, RetryLater
from adapter.model import Json, Operation

ITEM_BYTES = 32 * 1024
REQUEST_BYTES = 500_000
"""The vendor says "< 500 KB"; the smaller reading of KB is safe under both."""

IDENTIFIER_BYTES = 150
MERGED_BY = frozenset({"id", "email"})
EVENT_NAME_BYTES = 100
ENVELOPE = frozenset({"recipient", "from_address", "reply_to"})
"""Event properties that would redirect the message itself; a shop's data must never set them."""

MAX_RETRY_AFTER_SECONDS = 300.0
_RETRIED = frozenset({408, 425, 429})
_PATH = "/api/v2/batch"
_OPEN, _CLOSE = b'{"batch":[', b"]}"


class Track:
    """Encodes operations for, and reads answers of, the Track API."""

    max_request_bytes = REQUEST_BYTES

    def encode(self, operation: Operation) -> Item | Unsendable:
        """One item of a batch, at most 32 KB.

        What is too long gives way knowingly: a person's long attribute values are cut, and the
        longest left out where all together are too much; an event loses optional item fields and
        then the tail of its items. What still does not fit, or cannot be written as JSON at all,
        is Unsendable. Merging, deleting and suppressing take nothing but identifiers.
        """
        try:
            return self._fit(operation)
        except (ValueError, RecursionError):
            return Unsendable(operation, "no JSON: a number or a text that has no spelling")

    def _fit(self, operation: Operation) -> Item | Unsendable:
        for people in (operation.identifiers, operation.secondary):
            for kind, identifier in people.items() if people else ():
                if len(identifier.encode()) > IDENTIFIER_BYTES:
                    return Unsendable(operation, f"{kind} is longer than {IDENTIFIER_BYTES} bytes")
                if operation.action == "merge" and kind not in MERGED_BY:
                    return Unsendable(operation, f"nobody can be merged by {kind}")
        if operation.action not in ("identify", "event"):
            return Item(operation, strict(_bare(operation)))
        attributes = operation.attributes
        shortened: tuple[str, ...] = ()
        if operation.action == "identify":
            attributes, shortened = fit_person(attributes)
        else:
            if len((operation.name or "").encode()) > EVENT_NAME_BYTES:
                return Unsendable(operation, f"name is longer than {EVENT_NAME_BYTES} bytes")
            if not attributes.keys().isdisjoint(ENVELOPE):
                shortened = tuple(k for k in attributes if k in ENVELOPE)
                attributes = {k: v for k, v in attributes.items() if k not in ENVELOPE}
        data = _item(operation, attributes)
        if len(data) > ITEM_BYTES:
            room = ITEM_BYTES - (len(data) - len(strict(attributes)))
            shorten = fit_event if operation.action == "event" else lose_longest
            attributes, cut = shorten(attributes, room)
            shortened += cut
            data = _item(operation, attributes)
        if len(data) > ITEM_BYTES:
            return Unsendable(operation, f"larger than {ITEM_BYTES} bytes")
        return Item(operation, data, shortened)

    def request(self, items: Sequence[Item]) -> Request:
        body = b"".join((_OPEN, b",".join(item.data for item in items), _CLOSE))
        return Request("POST", _PATH, body)

    def size(self, items: int, data_bytes: int) -> int:
        return data_bytes + max(0, items - 1) + len(_OPEN) + len(_CLOSE)

    def verdict(self, response: Response, items: int) -> Verdict:
        status = response.status
        if 200 <= status < 300:
            return _read_success(response, items)
        if 300 <= status < 400:
            raise Misconfigured("redirected: is the region right?", status=status)
        if status == 401:
            raise Misconfigured("credentials refused", status=status)
        if status in _RETRIED or status >= 500 or status < 200:
            after = _retry_after(response.headers)
            raise RetryLater(f"answered {status}", status=status, retry_after=after)
        raise Refused(_reason(response) or f"answered {status}", status=status)

    def probe(self) -> Request:
        return Request("GET", "/api/v1/accounts/region", b"")


def _bare(operation: Operation) -> dict[str, Json]:
    """What changes people as a whole: it has neither a time nor attributes."""
    item: dict[str, Json] = {"type": "person", "action": operation.action}
    if operation.secondary is None:
        item["identifiers"] = dict(operation.identifiers)
    else:
        item["primary"] = dict(operation.identifiers)
        item["secondary"] = dict(operation.secondary)
    return item


def _item(operation: Operation, attributes: Mapping[str, Json]) -> bytes:
    item: dict[str, Json] = {
        "type": "person",
        "action": operation.action,
        "identifiers": operation.identifiers,
        "timestamp": operation.timestamp,
    }
    if operation.action == "event":
        item["id"] = operation.id
        item["name"] = operation.name
    item["attributes"] = attributes
    return strict(item)


def _read_success(response: Response, items: int) -> Verdict:
    """200 and 207 alike: `errors` names the items that were not taken."""
    try:
        body = json.loads(response.body) if response.body.strip() else {}
    except (ValueError, RecursionError):
        raise RetryLater("an answer that is no JSON", status=response.status) from None
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(errors, list | None):
        raise RetryLater("an answer of an unknown shape", status=response.status)
    refused: dict[int, str] = {}
    for error in errors or ():
        index = (
            error.get("batch_index", 0 if items == 1 else None) if isinstance(error, dict) else None
        )
        if type(index) is not int or not 0 <= index < items:
            raise RetryLater("errors without a batch_index", status=response.status)
        refused[index] = _error_text(error)
    if response.status == 207 and not refused:
        raise RetryLater("a 207 that names no item", status=207)
    return Verdict(refused)


def _reason(response: Response) -> str:
    try:
        errors = json.loads(response.body)["errors"]
        return f"answered {response.status}: " + "; ".join(_error_text(error) for error in errors)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""


def _error_text(error: dict[str, Any]) -> str:
    """Reason and field; the vendor's message may repeat the value, which may be personal."""
    reason, field = str(error.get("reason", "refused"))[:100], str(error.get("field", ""))[:100]
    return f"{reason} ({field})" if field else reason


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most MAX_RETRY_AFTER_SECONDS; nonsense is taken as absent.

    A date is held against the answer's own Date, so no clock of ours is asked.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        until, now = (parsedate_to_datetime(text) for text in (value, headers.get("date", "")))
        return min(max((until - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)
    except (ValueError, TypeError, OverflowError):
        return None
