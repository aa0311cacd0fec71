"""A request of the Track API, read and answered without any web framework. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from . import v1
from .batch import read_batch
from .people import Workspace
from .profile import Json
from .validation import MAX_BATCH, MAX_ITEM, check, decode, problem

_HOSTS = {"us": "track.customer.io", "eu": "track-eu.customer.io"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON of an answer."""

    status: int
    json: Json


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for: its items, or why they could not even be read.

    `oversize` holds the places of the items that are over 32 KB.
    """

    kind: Literal["batch", "entity", "v1", "region"]
    items: tuple[Json, ...] = ()
    refusal: Answer | None = None
    oversize: frozenset[int] = frozenset()

    def holds(self, wanted: Mapping[str, str]) -> bool:
        """Whether one item has all of these: `name` of the event; `id`, `email`, ... of whom."""
        return any(_matches(item, wanted) for item in self.items)


def read(method: str, path: str, body: bytes) -> Call:
    """The call behind a request; `path` is still percent-encoded and has no query."""
    if path == "/api/v1/accounts/region":
        return Call("region", refusal=None if method == "GET" else _no_route(405, "v1"))
    if path in ("/api/v2/entity", "/api/v2/batch"):
        kind: Literal["batch", "entity"] = "batch" if path.endswith("batch") else "entity"
        return _read_v2(kind, body) if method == "POST" else Call(kind, refusal=_no_route(405, ""))
    if not path.startswith("/api/v1/"):
        return Call("v1", refusal=_no_route(404, "" if path.startswith("/api/v2/") else "v1"))
    try:
        data = decode(body) if body.strip() else {}
    except ValueError:
        return Call("v1", refusal=_v1_errors("parse error: the body is not JSON"))
    if not isinstance(data, dict):
        return Call("v1", refusal=_v1_errors("the body must be an object"))
    try:
        return Call("v1", (v1.item_of(method, path.removeprefix("/api/v1"), data),))
    except v1.NoSuchRouteError as error:
        return Call("v1", refusal=_no_route(error.status, "v1"))


def _read_v2(kind: Literal["batch", "entity"], body: bytes) -> Call:
    try:
        data, oversize = read_batch(body, MAX_ITEM)
    except ValueError:
        return Call(kind, refusal=_v2_errors(400, "parse_error", "", "the body is not JSON"))
    if not isinstance(data, dict):
        return Call(kind, refusal=_v2_errors(400, "invalid", "", "the body must be an object"))
    if kind == "entity":
        if len(body) > MAX_ITEM:
            refusal = _v2_errors(400, "invalid", "", f"longer than {MAX_ITEM} bytes")
            return Call(kind, (data,), refusal)
        return Call(kind, (data,))
    items = data.get("batch")
    if not isinstance(items, list):
        reason = "required" if items is None else "invalid"
        return Call(kind, refusal=_v2_errors(400, reason, "batch", "must be a list"))
    if not items:
        return Call(kind, refusal=_v2_errors(400, "required", "batch", "must not be empty"))
    if len(body) >= MAX_BATCH:
        message = f"a batch must stay under {MAX_BATCH} bytes"
        return Call(kind, tuple(items), _v2_errors(413, "invalid", "batch", message))
    return Call(kind, tuple(items), oversize=oversize)


class Track:
    """The API in front of a workspace; `counts` holds `items` taken and `errors` answered."""

    def __init__(self, workspace: Workspace, site_id: str, api_key: str, region: str) -> None:
        self.workspace = workspace
        self.region = region
        self._credentials = f"{site_id}:{api_key}".encode()
        self.clear()

    def clear(self) -> None:
        """Forgets the workspace and the counts."""
        self.workspace.clear()
        self.counts: Counter[str] = Counter(items=0, errors=0)

    def answer(
        self, call: Call, authorization: str, refuse: Mapping[str, str] | None = None
    ) -> Answer:
        """Does what the call asks for and says what the vendor would say.

        Items that match `refuse` are refused, whatever they hold.
        """
        if not self._may(authorization):
            return Answer(401, {"meta": {"error": "Unauthorized request"}})
        if call.refusal:
            self.counts["errors"] += 1
            return call.refusal
        if call.kind == "region":
            return Answer(
                200,
                {"url": _HOSTS.get(self.region, ""), "region": self.region, "environment_id": 1},
            )
        errors = self._take(call, refuse)
        if not errors:
            return Answer(200, {})
        self.counts["errors"] += len({error["batch_index"] for error in errors})
        if call.kind == "batch":
            return Answer(207, {"errors": errors})
        if call.kind == "entity":
            return Answer(400, {"errors": [_without_index(error) for error in errors]})
        return _v1_errors(*(f"{error['field']}: {error['message']}" for error in errors))

    def _take(self, call: Call, refuse: Mapping[str, str] | None) -> list[dict[str, Json]]:
        """Applies the good items; the problems of the others, with their `batch_index`."""
        errors: list[dict[str, Json]] = []
        good: list[dict[str, Json]] = []
        version = 1 if call.kind == "v1" else 2
        for place, item in enumerate(call.items):
            if place in call.oversize:
                problems = [problem("invalid", "", f"longer than {MAX_ITEM} bytes")]
            elif refuse and _matches(item, refuse):
                problems = [problem("invalid", "", "told to refuse it")]
            else:
                problems = check(item, version=version)
            if problems:
                errors += [{"batch_index": place, **one} for one in problems]
            else:
                good.append(item)
        # No order is promised inside a batch, and a merge races with an identify: merges go first,
        # so that one which leans on its own batch is seen to do nothing.
        for item in sorted(good, key=lambda one: one["action"] != "merge"):
            self.workspace.apply(item)
        self.counts["items"] += len(good)
        return errors

    def _may(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._credentials)


def _matches(item: Json, wanted: Mapping[str, str]) -> bool:
    if not isinstance(item, dict):
        return False
    identifiers = item.get("identifiers")
    for name, value in wanted.items():
        holder = item if name == "name" else identifiers
        if not isinstance(holder, dict) or holder.get(name) != value:
            return False
    return True


def _without_index(error: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in error.items() if name != "batch_index"}


def _v2_errors(status: int, reason: str, field: str, message: str) -> Answer:
    return Answer(status, {"errors": [problem(reason, field, message)]})


def _v1_errors(*messages: str) -> Answer:
    return Answer(400, {"meta": {"error": messages[0], "errors": list(messages)}})


def _no_route(status: int, version: str) -> Answer:
    message = "no such path" if status == 404 else "no such method on this path"
    if version == "v1":
        return Answer(status, {"meta": {"error": message}})
    return _v2_errors(status, "invalid", "", message)
