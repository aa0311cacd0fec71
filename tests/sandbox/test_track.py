"""Requests and answers of the API, without a server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from adapter.sandbox.people import Workspace
from adapter.sandbox.track import Answer, Track, read

from .conftest import Clock

ULID = "01J8ZQ4T7M0000000000000000"
BATCH, ENTITY = "/api/v2/batch", "/api/v2/entity"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


GOOD = basic("site:key")


def identify(who: str, **attributes: Any) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": who},
        "attributes": attributes,
    }


def filled(size: int, who: str = "42") -> dict[str, Any]:
    """An event of exactly `size` bytes."""
    item = {
        "type": "person",
        "action": "event",
        "identifiers": {"id": who},
        "name": "e",
        "attributes": {"note": ""},
    }
    item["attributes"]["note"] = "x" * (size - len(compact(item)))  # type: ignore[index]
    return item


def compact(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


@pytest.fixture
def track(clock: Clock) -> Track:
    return Track(Workspace(clock=clock), "site", "key", "us")


def send(track: Track, path: str, body: Any, method: str = "POST", auth: str = GOOD) -> Answer:
    raw = body if isinstance(body, bytes) else compact(body)
    return track.answer(read(method, path, raw), auth)


def ids(track: Track) -> list[str | None]:
    return [profile.id for profile in track.workspace.directory.people.values()]


class TestBatch:
    def test_all_good(self, track: Track) -> None:
        assert send(track, BATCH, {"batch": [identify("1"), identify("2")]}) == Answer(200, {})
        assert ids(track) == ["1", "2"]
        assert track.counts == {"items": 2, "errors": 0}

    def test_bad_items_are_named_by_their_place_and_the_others_applied(self, track: Track) -> None:
        bad = {"type": "person", "action": "event", "identifiers": {"id": "1"}, "id": "no"}
        answer = send(track, BATCH, {"batch": [identify("1"), bad, "text", identify("2")]})
        assert answer.status == 207
        found = [(one["batch_index"], one["reason"], one["field"]) for one in answer.json["errors"]]
        assert found == [(1, "required", "name"), (1, "invalid", "id"), (2, "invalid", "")]
        assert all(one["message"] for one in answer.json["errors"])
        assert ids(track) == ["1", "2"]
        assert track.counts == {"items": 2, "errors": 2}

    def test_nothing_good_is_still_a_207(self, track: Track) -> None:
        answer = send(track, BATCH, {"batch": ["text"]})
        assert (answer.status, answer.json["errors"][0]["batch_index"]) == (207, 0)

    def test_a_refused_event_has_not_used_its_ulid(self, track: Track) -> None:
        event = filled(200) | {"id": ULID}
        send(track, BATCH, {"batch": [event | {"identifiers": {}}]})
        send(track, BATCH, {"batch": [event]})
        assert track.workspace.counts["events"] == 1

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"null", b"[]", b"{}", {"batch": {}}, {"batch": []}, {"batch": None}],
        ids=str,
    )
    def test_a_malformed_whole_is_a_400_without_places(self, track: Track, body: Any) -> None:
        answer = send(track, BATCH, body)
        assert answer.status == 400
        (error,) = answer.json["errors"]
        assert set(error) == {"reason", "field", "message"}

    def test_items_up_to_32_kb(self, track: Track) -> None:
        answer = send(track, BATCH, {"batch": [filled(32_768, "1"), filled(32_769, "2")]})
        assert answer.status == 207
        assert [one["batch_index"] for one in answer.json["errors"]] == [1]
        assert ids(track) == ["1"]

    @pytest.mark.parametrize(("size", "status"), [(511_999, 200), (512_000, 413)])
    def test_a_batch_stays_under_500_kb(self, track: Track, size: int, status: int) -> None:
        items = [filled(32_000) for _ in range(15)]
        rest = size - len(compact({"batch": [*items, ""]})) + len('""')
        body = compact({"batch": [*items, filled(rest)]})
        assert len(body) == size
        answer = send(track, BATCH, body)
        assert answer.status == status
        assert track.counts["items"] == (16 if status == 200 else 0)
        assert len(ids(track)) == (1 if status == 200 else 0)

    def test_a_merge_that_leans_on_its_own_batch_does_nothing(self, track: Track) -> None:
        send(track, BATCH, {"batch": [identify("2")]})
        merge = {
            "type": "person",
            "action": "merge",
            "primary": {"id": "1"},
            "secondary": {"id": "2"},
        }
        assert send(track, BATCH, {"batch": [identify("1"), merge]}).status == 200
        assert sorted(map(str, ids(track))) == ["1", "2"]
        assert send(track, BATCH, {"batch": [merge]}).status == 200
        assert ids(track) == ["1"]


class TestEntity:
    def test_good(self, track: Track) -> None:
        assert send(track, ENTITY, identify("1")) == Answer(200, {})
        assert ids(track) == ["1"]

    def test_bad_is_a_400_without_places(self, track: Track) -> None:
        answer = send(track, ENTITY, identify("1") | {"identifiers": {"anonymous_id": "c1"}})
        assert answer.status == 400
        (error,) = answer.json["errors"]
        assert error["field"] == "identifiers"
        assert "batch_index" not in error

    @pytest.mark.parametrize(("size", "status"), [(32_768, 200), (32_769, 400)])
    def test_up_to_32_kb(self, track: Track, size: int, status: int) -> None:
        assert send(track, ENTITY, filled(size)).status == status
        assert len(ids(track)) == (1 if status == 200 else 0)

    def test_not_json(self, track: Track) -> None:
        answer = send(track, ENTITY, b"{")
        assert (answer.status, answer.json["errors"][0]["reason"]) == (400, "parse_error")


class TestAuthentication:
    @pytest.mark.parametrize(
        "auth",
        [
            "",
            "Basic",
            "Basic !",
            "Basic é",
            "Bearer key",
            basic("site:no"),
            basic("no:key"),
            basic("site"),
        ],
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", BATCH), ("POST", ENTITY), ("GET", "/api/v1/accounts/region")],
    )
    def test_wrong_credentials_change_nothing(
        self, track: Track, auth: str, method: str, path: str
    ) -> None:
        answer = send(track, path, {"batch": [identify("1")]}, method, auth)
        assert answer.status == 401
        assert answer.json
        assert ids(track) == []

    def test_the_region(self, track: Track) -> None:
        answer = send(track, "/api/v1/accounts/region", b"", "GET")
        assert answer == Answer(
            200, {"url": "track.customer.io", "region": "us", "environment_id": 1}
        )

    def test_another_region(self, clock: Clock) -> None:
        eu = Track(Workspace(clock=clock), "site", "key", "eu")
        answer = send(eu, "/api/v1/accounts/region", b"", "GET")
        assert (answer.json["region"], answer.json["url"]) == ("eu", "track-eu.customer.io")


class TestVersion1:
    @pytest.mark.parametrize(
        ("segment", "identifiers"),
        [
            ("42", {"id": "42"}),
            ("a%2Fb%2F%2Fc", {"id": "a/b//c"}),
            ("a%252Fb", {"id": "a%2Fb"}),
            ("ada%2Bnews%40x.com", {"email": "ada+news@x.com"}),
            ("%C3%A9", {"id": "é"}),
            ("cio_", {"id": "cio_"}),
        ],
    )
    def test_identifiers_in_the_path(
        self, track: Track, segment: str, identifiers: dict[str, str]
    ) -> None:
        path = f"/api/v1/customers/{segment}"
        assert send(track, path, {"city": "Delft"}, "PUT") == Answer(200, {})
        (profile,) = track.workspace.directory.people.values()
        assert track.workspace.directory.find(identifiers) is profile
        assert profile.attributes == {"city": "Delft"}

    def test_cio_id(self, track: Track) -> None:
        send(track, "/api/v1/customers/42", {}, "PUT")
        (profile,) = track.workspace.directory.people.values()
        send(track, f"/api/v1/customers/cio_{profile.cio_id}", {"id": "43"}, "PUT")
        assert ids(track) == ["43"]

    def test_errors(self, track: Track) -> None:
        path = "/api/v1/customers/42/events"
        answer = send(track, path, {"name": "e", "data": {}, "id": "no"})
        assert answer == Answer(
            400, {"meta": {"error": "id: not a ULID", "errors": ["id: not a ULID"]}}
        )
        assert ids(track) == []

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
    def test_malformed_bodies(self, track: Track, body: bytes) -> None:
        assert send(track, "/api/v1/customers/42", body, "PUT").status == 400
        assert ids(track) == []

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/v1/customers/42", 405),
            ("PUT", "/api/v1/customers/42/events", 405),
            ("POST", "/api/v1/accounts/region", 405),
            ("GET", BATCH, 405),
            ("POST", "/api/v1/customers", 404),
            ("POST", "/api/v1/customers/42/mail", 404),
            ("POST", "/api/v2/people", 404),
            ("POST", "/api/v3/batch", 404),
        ],
    )
    def test_other_routes(self, track: Track, method: str, path: str, status: int) -> None:
        assert send(track, path, b"{}", method).status == status


class TestWhatACallHolds:
    CALL = read("POST", BATCH, compact({"batch": [identify("1"), filled(200, "2"), "text"]}))

    @pytest.mark.parametrize(
        ("wanted", "held"),
        [
            ({"id": "1"}, True),
            ({"id": "3"}, False),
            ({"name": "e"}, True),
            ({"name": "other"}, False),
            ({"name": "e", "id": "2"}, True),
            ({"name": "e", "id": "1"}, False),
            ({"email": "a@x.com"}, False),
        ],
    )
    def test_one_item_must_have_all(self, wanted: dict[str, str], held: bool) -> None:
        assert self.CALL.holds(wanted) is held
