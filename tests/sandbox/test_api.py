"""The API over HTTP, the routes that look behind it, and everything it can be told to do wrong."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import requests

from adapter.sandbox.server import running

from .conftest import NOW, Clock, Sandbox

ULID = "01J8ZQ4T7M0000000000000000"


def identify(who: str, **attributes: Any) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": who},
        "attributes": attributes,
    }


def event(who: str, name: str = "order_completed", **rest: Any) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "event",
        "identifiers": {"id": who},
        "name": name,
        **rest,
    }


class TestPeople:
    def test_a_person_in_full(self, sandbox: Sandbox) -> None:
        sandbox.batch(
            identify("42", email="Ada@x.com", phone="+31612345678", city="Delft"),
            event("42", id=ULID, timestamp=NOW - 60, attributes={"revenue": 59.9}),
        )
        person = sandbox.person()
        assert person.pop("cio_id")
        assert person == {
            "id": "42",
            "email": "Ada@x.com",
            "phone": "+31612345678",
            "unsubscribed": False,
            "attributes": {"city": "Delft"},
            "devices": [],
            "relationships": [],
            "activity_count": 2,
            "activity": [
                {
                    "type": "attribute_change",
                    "timestamp": NOW,
                    "received_at": NOW,
                    "attributes": {
                        "email": "Ada@x.com",
                        "phone": "+31612345678",
                        "city": "Delft",
                    },
                },
                {
                    "type": "event",
                    "name": "order_completed",
                    "id": ULID,
                    "timestamp": NOW - 60,
                    "received_at": NOW,
                    "triggers": True,
                    "attributes": {"revenue": 59.9},
                },
            ],
        }

    def test_filters(self, sandbox: Sandbox) -> None:
        sandbox.batch(identify("1", email="a+b@x.com"), identify("2"))
        assert [one["id"] for one in sandbox.people()] == ["1", "2"]
        assert [one["id"] for one in sandbox.people(id="2")] == ["2"]
        assert [one["id"] for one in sandbox.people(email="A+B@x.com")] == ["1"]
        assert sandbox.people(id="2", email="a+b@x.com") == []
        assert sandbox.people(id="3") == []

    def test_a_summary_leaves_the_activity_out(self, sandbox: Sandbox) -> None:
        sandbox.entity(event("42"))
        person = sandbox.person(summary="1")
        assert "activity" not in person
        assert person["activity_count"] == 1

    def test_what_belongs_to_nobody(self, sandbox: Sandbox) -> None:
        sandbox.call("POST", "/api/v1/events", json={"name": "seen", "anonymous_id": "c1"})
        sandbox.call("POST", "/api/v1/customers/42/suppress", json={})
        sandbox.entity(event("42", id=ULID))
        state = sandbox.state()
        assert state["people"] == []
        assert state["suppressed"] == [{"id": "42"}]
        assert [one["anonymous_id"] for one in state["anonymous"]] == ["c1"]
        assert state["anonymous"][0]["events"][0]["name"] == "seen"
        assert state["refused"] == [
            {
                "type": "failed_event",
                "reason": "suppressed",
                "identifiers": {"id": "42"},
                "timestamp": NOW,
                "received_at": NOW,
                "name": "order_completed",
                "id": ULID,
            }
        ]


class TestRequests:
    def test_each_as_it_came(self, sandbox: Sandbox) -> None:
        sandbox.batch(identify("1"), identify("2"))
        sandbox.call("PUT", "/api/v1/customers/a%2Fb?x=1", data=b"{")
        first, second = sandbox.requests()
        assert first == {
            "method": "POST",
            "path": "/api/v2/batch",
            "status": 200,
            "applied": True,
            "applied_at": float(NOW),
            "refused": [],
            "fault": None,
            "received_at": NOW,
            "bytes": len(requests.models.complexjson.dumps(first["json"])),
            "items": 2,
            "json": {"batch": [identify("1"), identify("2")]},
        }
        assert (second["path"], second["status"]) == ("/api/v1/customers/a%2Fb", 400)
        assert (second["applied"], second["json"]) == (False, None)

    def test_a_summary_leaves_the_bodies_out(self, sandbox: Sandbox) -> None:
        sandbox.entity(identify("1"))
        (one,) = sandbox.requests(summary="1")
        assert "json" not in one
        assert one["items"] == 1

    def test_totals(self, sandbox: Sandbox) -> None:
        sandbox.batch(event("1", id=ULID), event("1", id=ULID), "bad", identify("1", email="x"))
        sandbox.faults({"status": 500})
        sandbox.batch(event("1"))
        assert sandbox.totals() == {
            "requests": 2,
            "items": 3,
            "errors": 1,
            "events": 1,
            "duplicates": 1,
            "refused": 1,
        }

    def test_looking_is_not_counted(self, sandbox: Sandbox) -> None:
        sandbox.people()
        sandbox.faults()
        assert sandbox.requests() == []

    def test_only_the_newest_are_kept(self, clock: Clock) -> None:
        with running(clock=clock, keep_requests=2) as url, requests.Session() as http:
            sandbox = Sandbox(url, http)
            for who in ("1", "2", "3"):
                sandbox.entity(identify(who))
            kept = [one["json"]["identifiers"]["id"] for one in sandbox.requests()]
            assert kept == ["2", "3"]
            assert sandbox.totals()["requests"] == 3


def test_everything_can_be_forgotten(sandbox: Sandbox) -> None:
    sandbox.batch(event("1", id=ULID))
    sandbox.entity("bad")
    sandbox.call("POST", "/api/v1/customers/42/suppress", json={})
    sandbox.faults({"status": 500})
    sandbox.forget()
    assert sandbox.state() == {"people": [], "refused": [], "anonymous": [], "suppressed": []}
    assert sandbox.requests() == []
    assert set(sandbox.totals().values()) == {0}
    assert sandbox.pending() == []
    sandbox.batch(event("1", id=ULID))
    assert sandbox.totals()["duplicates"] == 0


class TestEdges:
    def test_401_is_json(self, sandbox: Sandbox) -> None:
        for auth in (None, ("sandbox-site", "no")):
            answer = sandbox.call("POST", "/api/v2/batch", json={"batch": []}, auth=auth)
            assert answer.status_code == 401
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.json()

    def test_the_region_check(self, sandbox: Sandbox) -> None:
        answer = sandbox.call("GET", "/api/v1/accounts/region")
        assert answer.json()["region"] == "us"

    def test_encoded_slashes_are_part_of_an_id(self, sandbox: Sandbox) -> None:
        answer = sandbox.call("PUT", "/api/v1/customers/a%2F%2Fb%2Fevents", json={"city": "Delft"})
        assert (answer.status_code, answer.history) == (200, [])
        assert sandbox.person(id="a//b/events")["attributes"] == {"city": "Delft"}

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/v2/batch", 405),
            ("POST", "/api/v2/other", 404),
            ("GET", "/", 404),
            ("POST", "/_sandbox/people", 405),
        ],
    )
    def test_other_routes_answer_json(
        self, sandbox: Sandbox, method: str, path: str, status: int
    ) -> None:
        answer = sandbox.call(method, path)
        assert answer.status_code == status
        assert answer.json()["meta"]["error"] if "v2" not in path else answer.json()["errors"]

    def test_the_connection_is_kept(self, sandbox: Sandbox) -> None:
        with closing(HTTPConnection(sandbox.url.removeprefix("http://"), timeout=10)) as http:
            http.connect()
            connection = http.sock
            for _ in range(3):
                http.request("POST", "/api/v2/batch", body=b"{}")
                assert http.getresponse().read()
                # It would be None if the server had asked to close it.
                assert http.sock is connection

    def test_a_body_beyond_all_measure_is_a_413(self, sandbox: Sandbox) -> None:
        answer = sandbox.call("POST", "/api/v2/batch", data=b" " * (16 * 1024 * 1024 + 1))
        assert answer.status_code == 413


class TestFaults:
    def test_a_status_with_headers_and_no_effect(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 429, "headers": {"Retry-After": "7"}, "times": 2})
        for _ in range(2):
            answer = sandbox.entity(identify("1"))
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert sandbox.people() == []
        assert sandbox.entity(identify("1")).status_code == 200
        assert [(one["status"], one["applied"]) for one in sandbox.requests()] == [
            (429, False),
            (429, False),
            (200, True),
        ]

    def test_they_come_before_the_credentials_are_looked_at(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 401}, {"status": 301, "headers": {"Location": "/elsewhere"}})
        assert sandbox.entity(identify("1")).status_code == 401
        answer = sandbox.call("GET", "/api/v1/accounts/region", allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (301, "/elsewhere")

    def test_pending_ones_can_be_seen_and_replaced(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 500, "times": 3}, {"delay": 0.5})
        sandbox.entity(identify("1"))
        assert [(one["status"], one["times"]) for one in sandbox.pending()] == [(500, 2), (None, 1)]
        sandbox.faults()
        assert sandbox.pending() == []

    def test_malformed_ones_change_nothing(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 500})
        answer = sandbox.faults({"status": "x"}, {"code": 1})
        assert answer.status_code == 400
        assert len(answer.json()["errors"]) == 2
        assert [one["status"] for one in sandbox.pending()] == [500]

    def test_taken_and_yet_failed(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 503, "apply": True})
        assert sandbox.entity(event("1", id=ULID)).status_code == 503
        assert sandbox.person()["activity_count"] == 1
        assert sandbox.entity(event("1", id=ULID)).status_code == 200
        assert sandbox.totals()["duplicates"] == 1

    def test_a_success_that_is_none(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 200})
        assert sandbox.entity(identify("1")).status_code == 200
        assert sandbox.people() == []

    def test_an_unreadable_success(self, sandbox: Sandbox) -> None:
        sandbox.faults({"body": "<html>"}, {"status": 502, "body": "<html>"})
        answer = sandbox.entity(identify("1"))
        assert (answer.status_code, answer.text) == (200, "<html>")
        assert len(sandbox.people()) == 1
        answer = sandbox.entity(identify("2"))
        assert (answer.status_code, answer.text) == (502, "<html>")
        assert len(sandbox.people()) == 1

    def test_errors_of_ones_own(self, sandbox: Sandbox) -> None:
        body = '{"errors": [{"batch_index": 0, "reason": "x", "field": "", "message": ""}]}'
        sandbox.faults({"status": 200, "body": body})
        assert sandbox.batch(identify("1")).json()["errors"][0]["batch_index"] == 0

    def test_it_answers_as_usual_after_a_delay_that_holds_up_nobody_else(
        self, sandbox: Sandbox
    ) -> None:
        delay = 3.0
        sandbox.faults({"delay": delay, "match": {"id": "slow"}})
        took: list[float] = []

        def wait() -> None:
            started = time.monotonic()
            requests.post(
                f"{sandbox.url}/api/v2/entity",
                json=identify("slow"),
                auth=("sandbox-site", "sandbox-key"),
                timeout=10,
            )
            took.append(time.monotonic() - started)

        slow = threading.Thread(target=wait)
        slow.start()
        # The fault is used up as soon as its request has been read.
        while sandbox.pending():
            pass
        assert sandbox.entity(identify("quick")).status_code == 200
        assert slow.is_alive()
        assert [one["status"] for one in sandbox.requests()] == [None, 200]
        slow.join()
        assert took[0] >= delay
        assert [one["status"] for one in sandbox.requests()] == [200, 200]

    def test_an_impatient_client_was_heard_all_the_same(self, sandbox: Sandbox) -> None:
        sandbox.faults({"delay": 30})
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                f"{sandbox.url}/api/v2/entity",
                json=identify("1"),
                auth=("sandbox-site", "sandbox-key"),
                timeout=0.1,
            )
        while sandbox.pending():
            pass
        assert sandbox.person()["id"] == "1"

    def test_an_answer_that_trickles(self, sandbox: Sandbox) -> None:
        seconds = 3.0
        sandbox.faults({"drip": seconds})
        started = time.monotonic()
        answer = sandbox.call("POST", "/api/v2/entity", json=identify("1"), stream=True)
        # The headers are there long before the body is.
        assert time.monotonic() - started < seconds - 0.1
        assert sandbox.person()["id"] == "1"
        pieces = list(answer.iter_content(1))
        assert time.monotonic() - started >= seconds
        assert len(pieces) == int(answer.headers["Content-Length"]) == 10 * int(seconds)
        assert b"".join(pieces).strip() == b"{}"

    def test_a_trickle_of_an_error_with_its_own_body(self, sandbox: Sandbox) -> None:
        sandbox.faults({"status": 500, "drip": 0.05, "body": "oh no"})
        answer = sandbox.entity(identify("1"))
        assert (answer.status_code, answer.text) == (500, "oh no")
        assert len(sandbox.people()) == 1

    @pytest.mark.parametrize(("apply", "people"), [(False, 0), (True, 1)])
    def test_a_connection_that_is_cut(self, sandbox: Sandbox, apply: bool, people: int) -> None:
        sandbox.faults({"close": True, "apply": apply})
        with pytest.raises(requests.ConnectionError):
            sandbox.entity(identify("1"))
        assert len(sandbox.people()) == people
        assert [(one["status"], one["applied"]) for one in sandbox.requests()] == [(None, apply)]
        assert sandbox.entity(identify("1")).status_code == 200

    def test_an_effect_that_comes_when_the_client_is_gone(
        self, sandbox: Sandbox, clock: Clock
    ) -> None:
        sandbox.faults({"delay": 3.0, "late": True})
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                f"{sandbox.url}/api/v2/entity",
                json=event("1", id=ULID),
                auth=("sandbox-site", "sandbox-key"),
                timeout=0.1,
            )
        while sandbox.pending():
            pass
        clock.now += 7
        assert sandbox.requests()[0]["applied"] is False
        assert sandbox.entity(event("1", id=ULID)).status_code == 200
        deadline = time.monotonic() + 30
        while not sandbox.requests()[0]["applied"]:
            assert time.monotonic() < deadline
        late, again = sandbox.requests()
        assert (late["applied_at"], late["fault"]) == (NOW + 7, {"delay": 3.0, "late": True})
        assert again["fault"] is None
        assert sandbox.totals()["duplicates"] == 1
        assert sandbox.person()["activity_count"] == 1

    def test_items_that_are_refused_among_others(self, sandbox: Sandbox) -> None:
        refusal = {"refuse": True, "times": -1, "match": {"id": "42", "name": "bad"}}
        sandbox.faults(refusal)
        answer = sandbox.batch(event("1"), event("42", "bad"), event("42", "good"), {"type": "?"})
        assert answer.status_code == 207
        places = {error["batch_index"] for error in answer.json()["errors"]}
        assert places == {1, 3}
        (request,) = sandbox.requests()
        assert (request["status"], request["refused"]) == (207, [1, 3])
        activity = sandbox.person(id="42")["activity"]
        assert [one["name"] for one in activity if one["type"] == "event"] == ["good"]
        assert sandbox.entity(event("42", "bad")).status_code == 400
        assert sandbox.batch(event("42", "good")).status_code == 200

    def test_one_that_waits_for_its_item(self, sandbox: Sandbox) -> None:
        sandbox.faults(
            {"status": 500, "times": -1, "match": {"name": "order_completed", "id": "42"}}
        )
        assert sandbox.batch(event("42", "other"), event("1")).status_code == 200
        assert sandbox.batch(event("1"), event("42")).status_code == 500
        v1 = sandbox.call(
            "POST", "/api/v1/customers/42/events", json={"name": "order_completed", "data": {}}
        )
        assert v1.status_code == 500
        assert sandbox.batch(identify("42")).status_code == 200
