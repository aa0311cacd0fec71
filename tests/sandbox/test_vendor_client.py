"""The vendor's own client, PyPI customerio, against the sandbox.

What it sends is accepted and does what it says; what must not be sent is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from customerio import CustomerIO, CustomerIOException
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from .conftest import NOW, Sandbox

ULID = "01J8ZQ4T7M0000000000000000"


class WithoutTls(HTTPAdapter):
    """The client knows https only; this one thing is taken from its requests, nothing else."""

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        assert request.url
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **options)


def connect(url: str, **options: Any) -> CustomerIO:
    host, _, port = url.removeprefix("http://").partition(":")
    credentials = {"site_id": "sandbox-site", "api_key": "sandbox-key"}
    client = CustomerIO(host=host, port=int(port), **{**credentials, **options})
    retries = client.http.get_adapter("https://x").max_retries  # type: ignore[attr-defined]
    client.http.mount("https://", WithoutTls(max_retries=retries))
    return client


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[CustomerIO]:
    with connect(sandbox.url) as connected:
        yield connected


def events(person: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in person["activity"] if one["type"] in ("event", "page")]


class TestAccepted:
    def test_identify(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.identify(id="42", email="ada@x.com", created_at=datetime.fromtimestamp(NOW, UTC))
        client.identify(id="42", city="Utrecht", _timestamp=NOW - 10)
        client.identify(id="42", city="Delft", _timestamp=NOW - 20)
        person = sandbox.person(id="42")
        assert person["email"] == "ada@x.com"
        assert person["attributes"] == {"created_at": NOW, "city": "Utrecht"}
        assert "skipped_update" in [one["type"] for one in person["activity"]]

    @pytest.mark.parametrize("who", ["a/b c", "é+?#%2F", "..a"])
    def test_awkward_ids(self, client: CustomerIO, sandbox: Sandbox, who: str) -> None:
        client.identify(id=who, city="Delft")
        client.track(who, "seen")
        assert len(events(sandbox.person(id=who))) == 1

    def test_by_email_and_by_cio_id(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.identify(id="ada+news@x.com", city="Delft")
        cio_id = sandbox.person(email="ada+news@x.com")["cio_id"]
        client.identify(id=f"cio_{cio_id}", id_="x", country="NL")
        attributes = sandbox.person(email="ADA+news@x.com")["attributes"]
        assert attributes == {"city": "Delft", "country": "NL", "id_": "x"}

    def test_track(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.track("42", "order_completed", {"revenue": 59.9}, id=ULID, timestamp=NOW - 60)
        client.track("42", "order_completed", {"revenue": 59.9}, id=ULID, timestamp=NOW - 60)
        (event,) = events(sandbox.person(id="42"))
        assert (event["name"], event["id"], event["timestamp"], event["attributes"]) == (
            "order_completed",
            ULID,
            NOW - 60,
            {"revenue": 59.9},
        )
        assert sandbox.totals()["duplicates"] == 1

    def test_an_iso_timestamp_is_dropped_by_the_client_itself(
        self, client: CustomerIO, sandbox: Sandbox
    ) -> None:
        client.track("42", "seen", timestamp="2025-12-01T00:00:00Z")
        (event,) = events(sandbox.person(id="42"))
        assert event["timestamp"] == NOW
        assert "bad_timestamp" not in event

    def test_pageview_and_backfill(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.pageview("42", "https://shop/", referrer="mail")
        client.backfill("42", "order_completed", NOW - 90 * 24 * 3600, revenue=1)
        page, old = events(sandbox.person(id="42"))
        assert (page["type"], page["name"], page["attributes"]) == (
            "page",
            "https://shop/",
            {"referrer": "mail"},
        )
        assert (old["timestamp"], old["triggers"]) == (NOW - 90 * 24 * 3600, False)

    def test_anonymous_events_are_attached_on_identify(
        self, client: CustomerIO, sandbox: Sandbox
    ) -> None:
        client.track_anonymous("c1", "added_to_cart", {"cart_id": "c1"}, timestamp=NOW - 60)
        client.track_anonymous(None, "invited", {"recipient": "eve@x.com"})
        assert sandbox.people() == []
        client.identify(id="42", anonymous_id="c1")
        client.track_anonymous("c1", "checkout_started")
        attached = events(sandbox.person(id="42"))
        assert [one["name"] for one in attached] == ["added_to_cart", "checkout_started"]
        (left,) = sandbox.state()["anonymous"]
        assert left["events"][0]["envelope_override"] == ["recipient"]

    def test_delete(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.identify(id="42")
        client.delete("42")
        assert sandbox.people() == []

    def test_suppress_and_unsuppress(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.identify(id="42", email="ada@x.com")
        client.suppress("42")
        client.identify(id="42")
        client.track("ada@x.com", "seen")
        assert sandbox.people() == []
        assert [one["type"] for one in sandbox.state()["refused"]] == [
            "failed_attribute_change",
            "failed_event",
        ]
        client.unsuppress("42")
        client.identify(id="42")
        assert sandbox.person()["id"] == "42"

    def test_merge(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.identify(id="42", city="Delft")
        client.identify(id="guest@x.com", country="NL")
        client.merge_customers("id", "42", "email", "guest@x.com")
        person = sandbox.person()
        assert (person["id"], person["email"]) == ("42", "guest@x.com")
        assert person["attributes"] == {"city": "Delft", "country": "NL"}

    def test_a_merge_without_a_primary_silently_does_nothing(
        self, client: CustomerIO, sandbox: Sandbox
    ) -> None:
        client.identify(id="guest@x.com")
        assert client.merge_customers("id", "42", "email", "guest@x.com").status_code == 200
        assert sandbox.person()["email"] == "guest@x.com"
        assert sandbox.state()["refused"][0]["reason"] == "the primary does not exist"

    def test_devices(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.add_device("42", "t/1", "ios", last_used=NOW)
        device = {"token": "t/1", "platform": "ios", "last_used": NOW}
        assert sandbox.person(id="42")["devices"] == [device]
        client.delete_device("42", "t/1")
        assert sandbox.person(id="42")["devices"] == []

    def test_a_guest_becomes_a_customer(self, client: CustomerIO, sandbox: Sandbox) -> None:
        client.track("guest@x.com", "order_completed")
        client.identify(id="42", email="Guest@x.com")
        person = sandbox.person()
        assert (person["id"], len(events(person))) == ("42", 1)

    def test_an_email_of_another_id_is_refused_behind_a_200(
        self, client: CustomerIO, sandbox: Sandbox
    ) -> None:
        client.identify(id="1", email="ada@x.com")
        assert client.identify(id="2", email="ada@x.com").status_code == 200
        second = sandbox.person(id="2")
        assert second["email"] is None
        assert [one["type"] for one in second["activity"]] == ["failed_attribute_change"]

    def test_batch(self, client: CustomerIO, sandbox: Sandbox) -> None:
        who = {"type": "person", "identifiers": {"id": "42"}}
        answer = client.batch(
            [
                {**who, "action": "identify", "attributes": {"email": "a@x.com"}, "timestamp": NOW},
                {**who, "action": "event", "name": "seen", "attributes": {"x": 1}, "id": ULID},
                {**who, "action": "page", "name": "https://shop/"},
                {**who, "action": "add_device", "device": {"token": "t", "platform": "android"}},
            ]
        )
        assert (answer.status_code, answer.json()) == (200, {})
        person = sandbox.person(email="a@x.com")
        assert [one["name"] for one in events(person)] == ["seen", "https://shop/"]
        assert person["devices"] == [{"token": "t", "platform": "android"}]


LONG = "x" * 151
WHO = {"type": "person", "identifiers": {"id": "42"}}
EVENT = {**WHO, "action": "event", "name": "seen"}

REFUSED: dict[str, Any] = {
    "a malformed ULID": lambda client: client.track("42", "seen", id="order-1001"),
    "an id of 151 bytes": lambda client: client.identify(id=LONG),
    "an event name of 101 bytes": lambda client: client.track("42", "x" * 101),
    "an event without a name": lambda client: client.track("42", ""),
    "an attribute name of 151 bytes": lambda client: client.identify(id="42", **{LONG: 1}),
    "an attribute value of 1001 bytes": lambda client: client.identify(id="42", note="x" * 1001),
    "301 attributes": lambda client: client.identify(
        id="42", **{f"a{number}": 1 for number in range(301)}
    ),
    "event data of more than 100,000 bytes": lambda client: client.track(
        "42", "seen", {"note": "x" * 100_001}
    ),
    "a merge by a number": lambda client: client.merge_customers("id", 1, "id", 2),
    "an anonymous id of 151 bytes": lambda client: client.track_anonymous(LONG, "seen"),
    "a device of an unknown platform": lambda client: client.add_device("42", "t", "fax"),
    "a batch of 500 KB": lambda client: client.batch(
        [{**EVENT, "attributes": {"note": "x" * 31_000}}] * 17
    ),
}

REFUSED_IN_BATCH: dict[str, tuple[Any, str]] = {
    "two identifiers": ({**EVENT, "identifiers": {"id": "1", "email": "a@x.com"}}, "identifiers"),
    "an anonymous id": ({**EVENT, "identifiers": {"anonymous_id": "c1"}}, "identifiers"),
    "a malformed ULID": ({**EVENT, "id": "1001"}, "id"),
    "no name": ({**WHO, "action": "event"}, "name"),
    "over 32 KB": ({**EVENT, "attributes": {"note": "x" * 32_768}}, ""),
    "a merge with identifiers": (
        {**WHO, "action": "merge", "primary": {"id": "1"}, "secondary": {"id": "2"}},
        "identifiers",
    ),
    "an unknown action": ({**WHO, "action": "buy"}, "action"),
}


class TestRefused:
    @pytest.mark.parametrize("send", REFUSED.values(), ids=REFUSED.keys())
    def test_alone(self, client: CustomerIO, sandbox: Sandbox, send: Any) -> None:
        with pytest.raises(CustomerIOException, match=r"^4(00|13): "):
            send(client)
        assert sandbox.people() == []
        assert sandbox.totals()["items"] == 0

    @pytest.mark.parametrize(
        ("item", "field"), REFUSED_IN_BATCH.values(), ids=REFUSED_IN_BATCH.keys()
    )
    def test_in_a_batch_whose_other_items_are_taken(
        self, client: CustomerIO, sandbox: Sandbox, item: Any, field: str
    ) -> None:
        good = {"type": "person", "action": "identify", "identifiers": {"id": "good"}}
        answer = client.batch([good, item])
        assert answer.status_code == 207
        (error,) = answer.json()["errors"]
        assert (error["batch_index"], error["field"]) == (1, field)
        assert [one["id"] for one in sandbox.people()] == ["good"]

    @pytest.mark.parametrize("options", [{"api_key": "no"}, {"site_id": "no"}])
    def test_wrong_credentials(self, sandbox: Sandbox, options: dict[str, str]) -> None:
        with (
            connect(sandbox.url, **options) as client,
            pytest.raises(CustomerIOException, match=r"^401: "),
        ):
            client.identify(id="42")
        assert sandbox.people() == []


def test_the_client_retries_a_503_and_the_event_counts_once(
    client: CustomerIO, sandbox: Sandbox
) -> None:
    sandbox.faults({"status": 503, "apply": True, "times": 2})
    client.track("42", "order_completed", id=ULID)
    assert len(events(sandbox.person(id="42"))) == 1
    assert [one["status"] for one in sandbox.requests()] == [503, 503, 200]
    assert sandbox.totals()["duplicates"] == 2
