"""The Flask edge: HTTP in front of `track`, and the `/_sandbox` routes that look behind it."""

from __future__ import annotations

import json
import math
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping

import gevent
from flask import Flask, Response, request

from .faults import Fault, Faults, read_faults
from .journal import Journal, Received
from .people import Workspace
from .profile import Json
from .track import Answer, Call, Track, read
from .validation import decode

MAX_BODY = 16 * 1024 * 1024
_DRIPS_A_SECOND = 10
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_sandbox(
    site_id: str = "sandbox-site",
    api_key: str = "sandbox-key",
    *,
    region: str = "us",
    email_updates_by_id: bool = True,
    keep_requests: int = 1000,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """A Customer.io workspace as a WSGI application; its state lives and dies with it.

    `email_updates_by_id` is the workspace setting "Allow updates to email using ID". The newest
    `keep_requests` requests are kept whole. `clock` gives Unix seconds.
    """
    workspace = Workspace(email_updates_by_id=email_updates_by_id, clock=clock)
    track = Track(workspace, site_id, api_key, region)
    journal = Journal(keep_requests)
    faults = Faults()

    app = Flask("adapter.sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @app.route("/api/<path:_rest>", methods=_METHODS)
    def api(_rest: str) -> Response:
        body, path = request.get_data(), _raw_path()
        call = read(request.method, path, body)
        entry = Received(request.method, path, clock(), len(call.items), body)
        journal.add(entry)
        fault = faults.next(call.holds)
        return _respond(call, fault, entry)

    def _respond(call: Call, fault: Fault | None, entry: Received) -> Response:
        answer = Answer(200, {})
        if fault is None:
            answer = _take(call, entry)
            entry.status = answer.status
            return _json(answer.json, answer.status)
        entry.fault = fault.told()
        refuse = fault.match if fault.refuse else None
        if fault.late:
            gevent.sleep(fault.delay)
        if fault.takes_effect:
            answer = _take(call, entry, refuse)
        if fault.status is not None and fault.status != answer.status:
            answer = Answer(fault.status, {"meta": {"error": "told to fail"}})
        if fault.delay and not fault.late:
            gevent.sleep(fault.delay)
        if fault.close:
            return _cut()
        entry.status = answer.status
        return _faulty(answer, fault)

    def _take(call: Call, entry: Received, refuse: Mapping[str, str] | None = None) -> Answer:
        answer = track.answer(call, request.headers.get("Authorization", ""), refuse)
        if answer.status in (200, 207):
            entry.applied_at = clock()
            places = {error["batch_index"] for error in answer.json.get("errors", ())}
            entry.refused = tuple(sorted(places))
        return answer

    @app.get("/_sandbox/people")
    def people() -> Response:
        wanted = [(kind, request.args[kind]) for kind in ("id", "email") if kind in request.args]
        found = list(workspace.directory.people.values())
        for kind, value in wanted:
            one = workspace.find(**{kind: value})
            found = [profile for profile in found if profile is one]
        summary = "summary" in request.args
        return _json(
            {
                "people": [profile.to_json(with_activity=not summary) for profile in found],
                "refused": list(workspace.refused),
                "anonymous": [
                    {"anonymous_id": token, "events": events}
                    for token, events in workspace.anonymous.waiting.items()
                ],
                "suppressed": [
                    {kind: value} for kind, value in sorted(workspace.directory.suppressed)
                ],
            }
        )

    @app.get("/_sandbox/requests")
    def requests() -> Response:
        summary = "summary" in request.args
        totals = {"requests": journal.total, **track.counts, **workspace.counts}
        listed = [entry.to_json(with_body=not summary) for entry in journal.kept]
        return _json({"requests": listed, "totals": totals})

    @app.get("/_sandbox/faults")
    def pending() -> Response:
        return _json({"faults": [fault.to_json() for fault in faults.pending]})

    @app.post("/_sandbox/faults")
    def tell() -> Response:
        try:
            faults.replace(read_faults(decode(request.get_data())))
        except ValueError as error:
            return _json({"errors": str(error).splitlines()}, 400)
        return pending()

    @app.delete("/_sandbox")
    def forget() -> Response:
        track.clear()
        journal.clear()
        faults.replace([])
        return _json({})

    @app.errorhandler(404)
    def unknown(_error: Exception) -> Response:
        return _json({"meta": {"error": "no such path"}}, 404)

    @app.errorhandler(405)
    def wrong_method(_error: Exception) -> Response:
        return _json({"meta": {"error": "no such method on this path"}}, 405)

    @app.errorhandler(413)
    def too_large(_error: Exception) -> Response:
        return _json({"errors": [{"reason": "invalid", "field": "", "message": "too large"}]}, 413)

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        # Flask's own line would hold the path, and with it perhaps somebody's address.
        place = traceback.extract_tb(error.__traceback__)[-1]
        app.logger.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
        return _json({"meta": {"error": "a bug in the sandbox"}}, 500)

    app.extensions["sandbox"] = workspace
    return app


def _raw_path() -> str:
    """The path as it was sent, percent-encoding and all."""
    raw: str = request.environ.get("RAW_URI") or request.path
    return raw.partition("?")[0]


def _json(data: Json, status: int = 200) -> Response:
    return Response(json.dumps(data), status, mimetype="application/json")


def _faulty(answer: Answer, fault: Fault) -> Response:
    text = json.dumps(answer.json) if fault.body is None else fault.body
    if fault.drip and fault.body is None:
        # Blanks after JSON are still JSON; without them two bytes would not make a trickle.
        text = text.ljust(math.ceil(fault.drip * _DRIPS_A_SECOND))
    payload = text.encode()
    response = Response(
        _drip(payload, fault.drip) if fault.drip else payload,
        answer.status,
        mimetype="application/json",
    )
    response.headers["Content-Length"] = str(len(payload))
    response.headers.update(dict(fault.headers))
    return response


def _drip(payload: bytes, seconds: float) -> Iterator[bytes]:
    """One byte at a time; the first comes at once, because the headers travel with it."""
    pause = seconds / max(len(payload) - 1, 1)
    for place in range(len(payload)):
        if place:
            gevent.sleep(pause)
        yield payload[place : place + 1]


def _cut() -> Response:
    """Ends the connection under the client's feet."""
    connection: socket.socket | None = request.environ.get("sandbox.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=502)
