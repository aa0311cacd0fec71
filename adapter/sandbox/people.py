"""The workspace: what is done for its people, and what is silently not done.

Pure: it takes items that passed `validation`, and its only view of time is the clock it is given.
Nothing here answers an error, because the vendor answers none: a change that it refuses shows up
in an activity log only. Activity of a known person hangs on the person, the rest is in `refused`.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from .anonymous import Anonymous
from .directory import Directory
from .events import activity_of
from .profile import IDENTIFIERS, Activity, Json, Outcome, Profile
from .times import malformed_times, moment

RESERVED = ("_update", "_timestamp", "cio_relationships", "cio_subscription_preferences")
"""Attributes that are orders to the API rather than facts about a person."""

_SPECIAL = frozenset({*IDENTIFIERS, "_update", "_timestamp", "cio_relationships"})
_KEEP_REFUSED = 10_000

Identifiers = Mapping[str, str]


class Workspace:
    """One Customer.io workspace.

    `email_updates_by_id` is the workspace setting "Allow updates to email using ID"; `clock` gives
    Unix seconds. `counts` holds `events` (kept), `duplicates` (ULIDs seen before) and `refused`
    (changes and events that were dropped or failed behind a 2xx).
    """

    def __init__(
        self, *, email_updates_by_id: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self.clock = clock
        self._email_updates_by_id = email_updates_by_id
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.directory = Directory(email_updates_by_id=self._email_updates_by_id)
        self.anonymous = Anonymous()
        self.refused: deque[Activity] = deque(maxlen=_KEEP_REFUSED)
        self.objects: dict[tuple[str, ...], dict[str, Json]] = {}
        self.counts: Counter[str] = Counter(events=0, duplicates=0, refused=0)
        self._ulids: set[str] = set()

    def find(self, **identifiers: str) -> Profile | None:
        """The person with exactly this one identifier: `find(email="A@x.com")`."""
        return self.directory.find(identifiers)

    def apply(self, item: Mapping[str, Json]) -> None:
        """Does what one valid item asks for, as far as the vendor would."""
        action = item["action"]
        if item["type"] == "object":
            self._object(item)
        elif action == "identify":
            self.identify(item["identifiers"], item.get("attributes") or {}, item.get("timestamp"))
        elif action in ("event", "page", "screen"):
            self.event(item)
        elif action == "merge":
            self.merge(item["primary"], item["secondary"])
        elif action == "suppress":
            self.directory.suppress(item["identifiers"])
        elif action == "unsuppress":
            self.directory.unsuppress(item["identifiers"])
        elif action == "delete":
            self.delete(item["identifiers"])
        else:
            self._attach(item)

    def identify(
        self, identifiers: Identifiers, attributes: Mapping[str, Json], timestamp: Json = None
    ) -> None:
        """Creates or updates a person; an attribute gives way only to a newer write of it."""
        now = self.clock()
        at, malformed = moment(
            timestamp if timestamp is not None else attributes.get("_timestamp"), now
        )
        update_only = attributes.get("_update") is True
        profile = self._person(
            identifiers, "failed_attribute_change", attributes.get("email"), update_only=update_only
        )
        if profile is None:
            return
        (by,) = identifiers
        written: dict[Outcome, dict[str, Json]] = {"changed": {}, "stale": {}, "failed": {}}
        reasons: dict[str, str] = {}
        for name, value in attributes.items():
            if name not in _SPECIAL:
                outcome, reason = profile.write(name, value, at), "the person has 300 attributes"
            elif name in IDENTIFIERS:
                outcome, reason = self.directory.rename(profile, by, name, value, at)
            else:
                if name == "cio_relationships":
                    profile.relate(value)
                continue
            if outcome != "same":
                written[outcome][name] = value
            if outcome == "failed":
                reasons[name] = reason

        flags: dict[str, Json] = {}
        if malformed:
            flags["bad_timestamp"] = True
        if bad_times := malformed_times(attributes):
            flags["bad_times"] = bad_times
        if reserved := [name for name in RESERVED if name in attributes]:
            flags["reserved"] = reserved
        if token := attributes.get("anonymous_id"):
            self._claim(profile, str(token), flags)

        if written["changed"] or flags:
            self._log(profile, "attribute_change", at, attributes=written["changed"], **flags)
        if written["stale"]:
            self._log(profile, "skipped_update", at, attributes=written["stale"])
        if written["failed"]:
            self.counts["refused"] += 1
            self._log(
                profile,
                "failed_attribute_change",
                at,
                attributes=written["failed"],
                reasons=reasons,
            )

    def event(self, item: Mapping[str, Json]) -> None:
        """Takes an event, a page or a screen; one whose ULID was here before is ignored."""
        now = self.clock()
        event = activity_of(item, now)
        ulid = event["id"]
        if ulid in self._ulids:
            self.counts["duplicates"] += 1
            return
        if ulid:
            self._ulids.add(ulid)
        identifiers = item.get("identifiers") or {"anonymous_id": ""}
        if "anonymous_id" in identifiers:
            token = event["anonymous_id"] = identifiers["anonymous_id"]
            profile = self.directory.people.get(self.anonymous.owner_of(token, now) or "")
            if profile is None:
                self.anonymous.keep(token, event)
                return
        else:
            profile = self._person(identifiers, "failed_event", name=item["name"], id=ulid)
            if profile is None:
                return
        self.counts["events"] += 1
        profile.activity.append(event)

    def merge(self, primary: Identifiers, secondary: Identifiers) -> None:
        """Moves the secondary person into the primary; without a primary nothing happens."""
        into, gone = self.directory.find(primary), self.directory.find(secondary)
        if into is None or gone is None or into is gone:
            if into is None:
                reason = "the primary does not exist"
            elif gone is None:
                reason = "the secondary does not exist"
            else:
                reason = "both are the same person"
            self._refuse("failed_merge", reason, primary, secondary=dict(secondary))
            return
        self.directory.remove(gone)
        into.absorb(gone)
        for kind in ("id", "email", "phone"):
            value = getattr(gone, kind)
            if value is not None and getattr(into, kind) is None:
                self.directory.claim(into, kind, value)
        self._log(into, "merge", int(self.clock()), secondary=dict(secondary))

    def delete(self, identifiers: Identifiers) -> None:
        """Forgets a person; the same identifiers may come back as somebody new."""
        profile = self.directory.find(identifiers)
        if profile:
            self.directory.remove(profile)

    def _person(
        self,
        identifiers: Identifiers,
        failure: str,
        email: Json = None,
        *,
        update_only: bool = False,
        **about: Json,
    ) -> Profile | None:
        """The person, found, adopted or made; None, and recorded as `failure`, if none may be."""
        profile = None
        if self.directory.is_suppressed(identifiers):
            reason = "suppressed"
        elif profile := self.directory.find(identifiers):
            return profile
        elif update_only:
            reason = "nobody to update"
        elif profile := self.directory.adopt(identifiers, email):
            now = int(self.clock())
            self._log(profile, "attribute_change", now, attributes=dict(identifiers))
        elif not (profile := self.directory.create(identifiers)):
            reason = "unknown cio_id"
        if profile is None:
            self._refuse(failure, reason, identifiers, **about)
        return profile

    def _claim(self, profile: Profile, token: str, flags: dict[str, Json]) -> None:
        events = self.anonymous.claim(token, profile.cio_id, self.clock())
        self.counts["events"] += len(events)
        profile.activity.extend(events)
        if self.anonymous.owners[token] != profile.cio_id:
            flags["shared_anonymous_id"] = True

    def _attach(self, item: Mapping[str, Json]) -> None:
        """Devices and relationships of a person."""
        profile = self._person(item["identifiers"], "failed_attribute_change")
        if profile is None:
            return
        action = item["action"]
        if action.endswith("_device"):
            device = item["device"]
            if action == "add_device":
                profile.devices[device["token"]] = device
            else:
                profile.devices.pop(device["token"], None)
        else:
            relationships = item["cio_relationships"]
            profile.relate({"action": action, "relationships": relationships})
        self._log(profile, action, int(self.clock()))

    def _object(self, item: Mapping[str, Json]) -> None:
        """Objects are kept for completeness only; the adapter sends none."""
        key = tuple(str(value) for value in item["identifiers"].values())
        if item["action"] == "delete":
            self.objects.pop(key, None)
        else:
            self.objects.setdefault(key, {}).update(item.get("attributes") or {})

    def _log(self, profile: Profile, kind: str, at: int, **about: Json) -> None:
        profile.activity.append(
            {"type": kind, "timestamp": at, "received_at": self.clock(), **about}
        )

    def _refuse(self, kind: str, reason: str, identifiers: Identifiers, **about: Json) -> None:
        now = self.clock()
        self.counts["refused"] += 1
        self.refused.append(
            {
                "type": kind,
                "reason": reason,
                "identifiers": dict(identifiers),
                "timestamp": int(now),
                "received_at": now,
                **about,
            }
        )
