"""What the workspace does with valid items, and what it silently does not do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.sandbox.people import Workspace
from adapter.sandbox.profile import Profile

from .conftest import NOW, Clock

DAY = 24 * 3600
ULID = "01J8ZQ4T7M0000000000000000"


def event(name: str = "order_completed", **rest: Any) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "event",
        "name": name,
        "identifiers": {"id": "42"},
        **rest,
    }


def anonymous(token: str, name: str = "added_to_cart", **rest: Any) -> dict[str, Any]:
    return event(name, identifiers={"anonymous_id": token}, **rest)


def only(workspace: Workspace) -> Profile:
    (profile,) = workspace.directory.people.values()
    return profile


def kinds(profile: Profile) -> list[str]:
    return [activity["type"] for activity in profile.activity]


class TestAttributeOrder:
    def test_an_older_write_loses_and_is_recorded(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht"}, NOW - 10)
        workspace.identify({"id": "42"}, {"city": "Delft", "country": "NL"}, NOW - 20)
        assert only(workspace).attributes == {"city": "Utrecht", "country": "NL"}
        assert kinds(only(workspace)) == ["attribute_change", "attribute_change", "skipped_update"]
        assert only(workspace).activity[-1]["attributes"] == {"city": "Delft"}

    def test_of_two_writes_of_one_second_the_later_arrival_wins(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht"}, NOW)
        workspace.identify({"id": "42"}, {"city": "Delft"}, NOW)
        assert only(workspace).attributes == {"city": "Delft"}

    def test_a_write_of_the_same_value_still_moves_the_time(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht"}, NOW - 30)
        workspace.identify({"id": "42"}, {"city": "Utrecht"}, NOW - 10)
        workspace.identify({"id": "42"}, {"city": "Delft"}, NOW - 20)
        assert only(workspace).attributes == {"city": "Utrecht"}

    def test_no_timestamp_is_now(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht"})
        workspace.identify({"id": "42"}, {"city": "Delft"}, NOW - 1)
        assert only(workspace).attributes == {"city": "Utrecht"}

    def test_version_1_orders_by_the_reserved_attribute(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht", "_timestamp": NOW - 10})
        workspace.identify({"id": "42"}, {"city": "Delft", "_timestamp": NOW - 20})
        assert only(workspace).attributes == {"city": "Utrecht"}

    @pytest.mark.parametrize("blank", [None, ""])
    def test_blank_removes_and_an_older_value_does_not_come_back(
        self, workspace: Workspace, blank: Any
    ) -> None:
        workspace.identify({"id": "42"}, {"city": "Utrecht"}, NOW - 30)
        workspace.identify({"id": "42"}, {"city": blank}, NOW - 10)
        workspace.identify({"id": "42"}, {"city": "Delft"}, NOW - 20)
        assert only(workspace).attributes == {}

    def test_true_and_1_are_two_values(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"vip": 1}, NOW - 1)
        workspace.identify({"id": "42"}, {"vip": True}, NOW)
        assert only(workspace).attributes["vip"] is True

    def test_the_email_is_ordered_as_well(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"email": "new@x.com"}, NOW - 10)
        workspace.identify({"id": "42"}, {"email": "old@x.com"}, NOW - 20)
        assert only(workspace).email == "new@x.com"
        assert workspace.find(email="old@x.com") is None

    @given(st.data())
    def test_any_order_of_arrival_ends_in_the_same_profile(self, data: st.DataObject) -> None:
        text = st.sampled_from(["a", "b", "", None])
        email = st.sampled_from(["a@x.com", "B@x.com", "c@x.com", "", None])
        write = st.fixed_dictionaries(
            {}, optional={"city": text, "country": text, "vip": st.booleans(), "email": email}
        )
        writes = list(enumerate(data.draw(st.lists(write, min_size=1, max_size=6)), start=NOW - 99))
        newest = {name: value for _, values in writes for name, value in values.items()}
        expected_email = newest.pop("email", None) or None

        workspace = Workspace(clock=Clock())
        for at, values in data.draw(st.permutations(writes)):
            workspace.identify({"id": "42"}, values, at)

        profile = only(workspace)
        assert profile.attributes == {
            name: value for name, value in newest.items() if value not in ("", None)
        }
        assert profile.email == expected_email
        addresses = ("a@x.com", "b@x.com", "c@x.com")
        found = {address for address in addresses if workspace.find(email=address)}
        assert found == ({expected_email.lower()} if expected_email else set())


class TestIdentifiers:
    def test_emails_compare_without_case_and_ids_with(self, workspace: Workspace) -> None:
        workspace.identify({"email": "Ada@X.com"}, {})
        workspace.identify({"email": "ada@x.COM"}, {"city": "Utrecht"})
        workspace.identify({"id": "a1"}, {})
        workspace.identify({"id": "A1"}, {})
        assert len(workspace.directory.people) == 3

    def test_a_new_id_is_adopted_by_the_profile_of_a_guest(self, workspace: Workspace) -> None:
        workspace.identify({"email": "ada@x.com"}, {"city": "Utrecht"})
        workspace.identify({"id": "42"}, {"email": "Ada@x.com", "country": "NL"})
        profile = only(workspace)
        assert (profile.id, profile.attributes) == ("42", {"city": "Utrecht", "country": "NL"})
        assert workspace.find(id="42") is workspace.find(email="ada@x.com") is profile
        assert {"id": "42"} in [activity.get("attributes") for activity in profile.activity]

    def test_the_email_of_another_id_is_refused_and_the_rest_is_written(
        self, workspace: Workspace
    ) -> None:
        workspace.identify({"id": "1"}, {"email": "ada@x.com"})
        workspace.identify({"id": "2"}, {"email": "ADA@x.com", "city": "Delft"})
        second = workspace.find(id="2")
        assert second is not None
        assert (second.email, second.attributes) == (None, {"city": "Delft"})
        failed = second.activity[-1]
        assert failed["type"] == "failed_attribute_change"
        assert failed["attributes"] == {"email": "ADA@x.com"}
        assert failed["reasons"] == {"email": "held by another person"}
        assert workspace.counts["refused"] == 1

    def test_a_known_id_cannot_take_a_guests_email(self, workspace: Workspace) -> None:
        workspace.identify({"id": "1"}, {})
        workspace.identify({"email": "ada@x.com"}, {})
        workspace.identify({"id": "1"}, {"email": "ada@x.com"})
        first = workspace.find(id="1")
        assert first is not None
        assert (first.email, kinds(first)) == (None, ["failed_attribute_change"])

    def test_an_email_changes_by_id(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"email": "old@x.com"}, NOW - 1)
        workspace.identify({"id": "42"}, {"email": "new@x.com"}, NOW)
        assert workspace.find(email="new@x.com") is only(workspace)
        assert workspace.find(email="old@x.com") is None

    def test_unless_the_workspace_does_not_allow_it(self, clock: Clock) -> None:
        workspace = Workspace(email_updates_by_id=False, clock=clock)
        workspace.identify({"id": "42"}, {"email": "old@x.com"}, NOW - 1)
        workspace.identify({"id": "42"}, {"email": "new@x.com"}, NOW)
        assert only(workspace).email == "old@x.com"
        assert "failed_attribute_change" in kinds(only(workspace))
        workspace.identify({"cio_id": only(workspace).cio_id}, {"email": "new@x.com"}, NOW)
        assert only(workspace).email == "new@x.com"

    @pytest.mark.parametrize(
        ("identifiers", "attributes", "reason"),
        [
            ({"id": "42"}, {"id": "43"}, "the person has another id"),
            ({"id": "42"}, {"email": "no address"}, "not an email address"),
            ({"id": "42"}, {"email": 42}, "an identifier must be text"),
            ({"id": "42"}, {"cio_id": "1"}, "cio_id is given by the vendor"),
            ({"id": "42"}, {"id": ""}, None),
            ({"email": "a@x.com"}, {"email": "b@x.com"}, "an email cannot be changed by email"),
            ({"email": "guest@x.com"}, {"id": "42"}, "held by another person"),
            ({"email": "guest@x.com"}, {"email": ""}, "the only identifier cannot be removed"),
            ({"phone": "+31600000000"}, {"phone": ""}, "the only identifier cannot be removed"),
        ],
    )
    def test_identifiers_as_attributes(
        self,
        workspace: Workspace,
        identifiers: dict[str, str],
        attributes: dict[str, Any],
        reason: str | None,
    ) -> None:
        workspace.identify({"id": "42"}, {"email": "a@x.com"}, NOW - 5)
        workspace.identify(identifiers, attributes, NOW)
        profile = workspace.directory.find(identifiers)
        if reason is None:
            assert profile is None
            assert only(workspace).id is None
            return
        assert profile is not None
        assert list(profile.activity[-1]["reasons"].values()) == [reason]

    def test_a_phone_may_be_shared_and_names_the_first(self, workspace: Workspace) -> None:
        workspace.identify({"id": "1"}, {"phone": "+31612345678"})
        workspace.identify({"id": "2"}, {"phone": "+31612345678"})
        assert workspace.find(phone="+31612345678") is workspace.find(id="1")
        second = workspace.find(id="2")
        assert second is not None
        assert second.phone == "+31612345678"
        workspace.identify({"id": "2"}, {"phone": "+31687654321"}, NOW + 1)
        assert workspace.find(phone="+31612345678") is workspace.find(id="1")
        assert workspace.find(phone="+31687654321") is second

    def test_an_unknown_cio_id_makes_nobody(self, workspace: Workspace) -> None:
        workspace.identify({"cio_id": "ffff"}, {"city": "Delft"})
        workspace.apply(event(identifiers={"cio_id": "ffff"}))
        assert workspace.directory.people == {}
        assert [(one["type"], one["reason"]) for one in workspace.refused] == [
            ("failed_attribute_change", "unknown cio_id"),
            ("failed_event", "unknown cio_id"),
        ]


class TestReservedAttributes:
    def test_update_makes_nobody(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"_update": True, "city": "Delft"})
        assert workspace.directory.people == {}
        assert workspace.refused[0]["reason"] == "nobody to update"
        workspace.identify({"id": "42"}, {})
        workspace.identify({"id": "42"}, {"_update": True, "city": "Delft"})
        assert only(workspace).attributes == {"city": "Delft"}

    def test_they_are_flagged_and_orders_are_not_kept(self, workspace: Workspace) -> None:
        workspace.identify(
            {"id": "42"}, {"_timestamp": NOW, "_update": False, "cio_relationships": "x", "a": 1}
        )
        assert only(workspace).attributes == {"a": 1}
        assert only(workspace).activity[0]["reserved"] == [
            "_update",
            "_timestamp",
            "cio_relationships",
        ]

    @pytest.mark.parametrize(
        ("value", "off"),
        [
            (True, True),
            ("true", True),
            (1, True),
            ("1", True),
            (False, False),
            ("yes", False),
            (0, False),
            ("True", False),
            (None, False),
        ],
    )
    def test_unsubscribed(self, workspace: Workspace, value: Any, off: bool) -> None:
        workspace.identify({"id": "42"}, {"unsubscribed": value})
        assert only(workspace).unsubscribed is off

    def test_relationships(self, workspace: Workspace) -> None:
        one = {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
        order = {"action": "add_relationships", "relationships": [one, one]}
        workspace.identify({"id": "42"}, {"cio_relationships": order})
        assert only(workspace).relationships == [one]
        workspace.apply(event() | {"action": "delete_relationships", "cio_relationships": [one]})
        assert only(workspace).relationships == []


class TestTimes:
    @pytest.mark.parametrize(
        "malformed",
        [NOW * 1000, float(NOW), "2026-01-01T00:00:00Z", str(NOW), True, -1, [NOW]],
        ids=["milliseconds", "float", "ISO", "text", "truth", "negative", "list"],
    )
    def test_what_is_not_unix_seconds_is_taken_as_now(
        self, workspace: Workspace, malformed: Any
    ) -> None:
        workspace.apply(event(timestamp=malformed))
        workspace.identify({"id": "42"}, {"city": "Delft"}, malformed)
        for activity in only(workspace).activity:
            assert (activity["timestamp"], activity["bad_timestamp"]) == (NOW, True)

    def test_unix_seconds_are_kept_and_not_flagged(self, workspace: Workspace) -> None:
        workspace.apply(event(timestamp=NOW - 5))
        workspace.identify({"id": "42"}, {"created_at": NOW - 9}, NOW - 5)
        for activity in only(workspace).activity:
            assert activity["timestamp"] == NOW - 5
            assert "bad_timestamp" not in activity
            assert "bad_times" not in activity

    @pytest.mark.parametrize("malformed", [NOW * 1000, float(NOW), "2026-01-01T00:00:00Z"])
    def test_malformed_times_among_attributes_are_flagged(
        self, workspace: Workspace, malformed: Any
    ) -> None:
        attributes = {"created_at": malformed, "last_order_at": malformed, "note": malformed}
        workspace.identify({"id": "42"}, attributes)
        workspace.apply(event(attributes={"shipped_at": malformed}))
        assert [activity["bad_times"] for activity in only(workspace).activity] == [
            ["created_at", "last_order_at"],
            ["shipped_at"],
        ]

    @pytest.mark.parametrize(
        ("age", "triggers"), [(0, True), (3 * DAY, True), (3 * DAY + 1, False), (-60, True)]
    )
    def test_events_older_than_72_hours_are_kept_but_trigger_nothing(
        self, workspace: Workspace, age: int, triggers: bool
    ) -> None:
        workspace.apply(event(timestamp=NOW - age))
        assert only(workspace).activity[0]["triggers"] is triggers


class TestEvents:
    @pytest.mark.parametrize(
        "identifiers", [{"id": "42"}, {"email": "a@x.com"}, {"phone": "+31612345678"}]
    )
    def test_an_event_makes_its_person(
        self, workspace: Workspace, identifiers: dict[str, str]
    ) -> None:
        workspace.apply(event(identifiers=identifiers, attributes={"order_id": "1001"}))
        profile = only(workspace)
        assert profile is workspace.directory.find(identifiers)
        assert profile.activity == [
            {
                "type": "event",
                "name": "order_completed",
                "id": None,
                "timestamp": NOW,
                "received_at": NOW,
                "triggers": True,
                "attributes": {"order_id": "1001"},
            }
        ]

    def test_a_ulid_counts_once_whoever_it_is_for(self, workspace: Workspace) -> None:
        workspace.apply(event(id=ULID))
        workspace.apply(event(id=ULID.lower(), identifiers={"id": "43"}, name="other"))
        assert only(workspace).activity[0]["id"] == ULID
        assert workspace.counts == {"events": 1, "duplicates": 1, "refused": 0}

    def test_events_without_a_ulid_all_count(self, workspace: Workspace) -> None:
        workspace.apply(event())
        workspace.apply(event())
        assert workspace.counts["events"] == 2

    def test_overriding_the_envelope_is_flagged(self, workspace: Workspace) -> None:
        workspace.apply(event(attributes={"recipient": "eve@x.com", "reply_to": "", "total": 1}))
        workspace.apply(event(attributes={"total": 1}))
        first, second = only(workspace).activity
        assert first["envelope_override"] == ["recipient", "reply_to"]
        assert "envelope_override" not in second

    def test_a_payload_under_its_v1_name_is_lost_in_v2(self, workspace: Workspace) -> None:
        workspace.apply(event(data={"order_id": "1001"}))
        assert only(workspace).activity[0]["attributes"] == {}


class TestAnonymousEvents:
    def test_they_wait_and_are_attached_on_identify(self, workspace: Workspace) -> None:
        workspace.apply(anonymous("c1", id=ULID))
        assert workspace.directory.people == {}
        workspace.identify({"id": "42"}, {"anonymous_id": "c1"})
        attached = only(workspace).activity[0]
        assert (attached["name"], attached["id"], attached["anonymous_id"]) == (
            "added_to_cart",
            ULID,
            "c1",
        )
        assert workspace.anonymous.waiting == {}
        assert workspace.counts["events"] == 1

    @pytest.mark.parametrize(("days", "attached"), [(30, 1), (30.001, 0)])
    def test_they_wait_30_days(
        self, workspace: Workspace, clock: Clock, days: float, attached: int
    ) -> None:
        workspace.apply(anonymous("c1"))
        clock.now += days * DAY
        workspace.identify({"id": "42"}, {"anonymous_id": "c1"})
        assert kinds(only(workspace)).count("event") == attached

    def test_attached_after_72_hours_they_trigger_nothing(
        self, workspace: Workspace, clock: Clock
    ) -> None:
        workspace.apply(anonymous("c1"))
        clock.now += 3 * DAY + 1
        workspace.identify({"id": "42"}, {"anonymous_id": "c1"})
        assert only(workspace).activity[0]["triggers"] is False

    @pytest.mark.parametrize(("seconds", "events"), [(300, 1), (301, 0)])
    def test_for_five_minutes_late_ones_go_straight_to_the_person(
        self, workspace: Workspace, clock: Clock, seconds: int, events: int
    ) -> None:
        workspace.identify({"id": "42"}, {"anonymous_id": "c1"})
        clock.now += seconds
        workspace.apply(anonymous("c1"))
        assert kinds(only(workspace)).count("event") == events
        assert len(workspace.anonymous.waiting.get("c1", [])) == 1 - events

    def test_one_anonymous_id_for_two_people_is_flagged(self, workspace: Workspace) -> None:
        workspace.identify({"id": "1"}, {"anonymous_id": "c1"})
        workspace.identify({"id": "2"}, {"anonymous_id": "c1"})
        first, second = workspace.directory.people.values()
        assert "shared_anonymous_id" not in first.activity[-1]
        assert second.activity[-1]["shared_anonymous_id"] is True

    def test_without_any_id_nobody_can_claim_them(self, workspace: Workspace) -> None:
        invitation = anonymous("")
        del invitation["identifiers"]
        workspace.apply(invitation)
        workspace.identify({"id": "42"}, {"anonymous_id": ""})
        assert kinds(only(workspace)) == []
        assert len(workspace.anonymous.waiting[""]) == 1


class TestMerge:
    PRIMARY, SECONDARY = {"id": "42"}, {"email": "guest@x.com"}

    def test_the_primary_takes_what_it_lacks(self, workspace: Workspace) -> None:
        workspace.identify(self.PRIMARY, {"city": "Utrecht"})
        workspace.identify(self.SECONDARY, {"city": "Delft", "country": "NL"})
        workspace.apply(event(identifiers=self.SECONDARY))
        workspace.merge(self.PRIMARY, self.SECONDARY)
        profile = only(workspace)
        assert profile.attributes == {"city": "Utrecht", "country": "NL"}
        assert workspace.find(email="guest@x.com") is profile
        assert (profile.id, profile.email) == ("42", "guest@x.com")
        assert kinds(profile).count("event") == 1
        assert kinds(profile)[-1] == "merge"

    @pytest.mark.parametrize(
        ("known", "primary", "secondary", "reason"),
        [
            ([{"email": "guest@x.com"}], PRIMARY, SECONDARY, "the primary does not exist"),
            ([{"id": "42"}], PRIMARY, SECONDARY, "the secondary does not exist"),
            ([{"id": "42"}], PRIMARY, PRIMARY, "both are the same person"),
        ],
    )
    def test_otherwise_nothing_happens_silently(
        self,
        workspace: Workspace,
        known: list[dict[str, str]],
        primary: dict[str, str],
        secondary: dict[str, str],
        reason: str,
    ) -> None:
        for identifiers in known:
            workspace.identify(identifiers, {})
        workspace.merge(primary, secondary)
        assert kinds(only(workspace)) == []
        (refused,) = workspace.refused
        assert (refused["type"], refused["reason"]) == ("failed_merge", reason)


class TestSuppression:
    def test_the_person_goes_and_every_identifier_is_blocked(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"email": "Ada@x.com"})
        workspace.apply(event() | {"action": "suppress"})
        workspace.identify({"id": "42"}, {"city": "Delft"})
        workspace.identify({"email": "ada@X.com"}, {"city": "Delft"})
        workspace.apply(event(id=ULID))
        assert workspace.directory.people == {}
        assert [(one["type"], one["reason"]) for one in workspace.refused] == [
            ("failed_attribute_change", "suppressed"),
            ("failed_attribute_change", "suppressed"),
            ("failed_event", "suppressed"),
        ]
        assert (workspace.refused[-1]["name"], workspace.refused[-1]["id"]) == (
            "order_completed",
            ULID,
        )

    def test_somebody_unknown_is_blocked_as_well(self, workspace: Workspace) -> None:
        workspace.apply(event() | {"action": "suppress"})
        workspace.apply(event())
        assert workspace.directory.people == {}

    def test_nobody_else_gets_a_blocked_email(self, workspace: Workspace) -> None:
        workspace.identify({"email": "ada@x.com"}, {})
        workspace.directory.suppress({"email": "ada@x.com"})
        workspace.identify({"id": "42"}, {"email": "ada@x.com"})
        assert only(workspace).email is None
        assert only(workspace).activity[-1]["reasons"] == {"email": "suppressed"}

    def test_unsuppress_frees_what_was_blocked_together(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"email": "ada@x.com"})
        workspace.directory.suppress({"id": "42"})
        workspace.apply(event() | {"action": "unsuppress"})
        workspace.identify({"email": "ada@x.com"}, {})
        assert only(workspace).email == "ada@x.com"


class TestTheRest:
    def test_a_deleted_person_may_come_back_as_somebody_new(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {"email": "ada@x.com", "city": "Delft"})
        before = only(workspace).cio_id
        workspace.delete({"id": "42"})
        assert workspace.directory.people == {}
        workspace.identify({"email": "ada@x.com"}, {})
        assert only(workspace).cio_id != before
        assert only(workspace).attributes == {}

    def test_a_person_has_300_attributes_at_most(self, workspace: Workspace) -> None:
        workspace.identify({"id": "42"}, {f"a{number}": number for number in range(299)})
        workspace.identify({"id": "42"}, {"b1": 1, "b2": 2, "a0": "changed"}, NOW + 1)
        profile = only(workspace)
        assert len(profile.attributes) == 300
        assert profile.attributes["a0"] == "changed"
        assert profile.activity[-1]["type"] == "failed_attribute_change"
        assert profile.activity[-1]["attributes"] == {"b2": 2}

    def test_devices_come_and_go(self, workspace: Workspace) -> None:
        device = {"token": "t", "platform": "ios"}
        workspace.apply(event() | {"action": "add_device", "device": device})
        assert only(workspace).to_json()["devices"] == [device]
        workspace.apply(event() | {"action": "delete_device", "device": {"token": "t"}})
        assert only(workspace).to_json()["devices"] == []

    def test_objects_come_and_go(self, workspace: Workspace) -> None:
        acme = {"type": "object", "identifiers": {"object_type_id": "1", "object_id": "acme"}}
        workspace.apply(acme | {"action": "identify", "attributes": {"plan": "gold"}})
        assert workspace.objects == {("1", "acme"): {"plan": "gold"}}
        workspace.apply(acme | {"action": "delete"})
        assert workspace.objects == {}
