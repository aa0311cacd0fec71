"""One person as Customer.io keeps them: identifiers, attributes ordered by time, activity.

Pure: times come in as whole Unix seconds, nothing is read from a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
Activity = dict[str, Json]
Outcome = Literal["changed", "same", "stale", "failed"]

MAX_ATTRIBUTES = 300
IDENTIFIERS = ("id", "email", "phone", "cio_id")


@dataclass(slots=True)
class Profile:
    """A person. `written` holds, per attribute, the time of the write that counts now."""

    cio_id: str
    id: str | None = None
    email: str | None = None
    phone: str | None = None
    attributes: dict[str, Json] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    devices: dict[str, Json] = field(default_factory=dict)
    relationships: list[Json] = field(default_factory=list)

    @property
    def unsubscribed(self) -> bool:
        """Whether marketing is off: true, "true", 1 and "1" say so, anything else does not."""
        return self.attributes.get("unsubscribed") in (True, "true", "1")

    def write(self, name: str, value: Json, at: int) -> Outcome:
        """Writes one attribute unless a newer write has been here; null and "" remove it.

        "failed": the person holds as many attributes as a person can.
        """
        if at < self.written.get(name, at):
            return "stale"
        held = self.attributes.get(name)
        if value is None or value == "":
            self.written[name] = at
            self.attributes.pop(name, None)
            return "same" if held is None else "changed"
        # True == 1 in Python, but not to a segment.
        if held == value and type(held) is type(value):
            self.written[name] = at
            return "same"
        if held is None and len(self.attributes) >= MAX_ATTRIBUTES:
            return "failed"
        self.written[name] = at
        self.attributes[name] = value
        return "changed"

    def relate(self, order: Json) -> None:
        """Follows `{"action": "add_relationships", "relationships": []}`; all else is lost."""
        if not isinstance(order, dict) or not isinstance(order.get("relationships"), list):
            return
        for one in order["relationships"]:
            if order.get("action") == "delete_relationships":
                self.relationships = [kept for kept in self.relationships if kept != one]
            elif one not in self.relationships:
                self.relationships.append(one)

    def absorb(self, other: Profile) -> None:
        """Takes what `other` has and this person lacks, and all of their activity."""
        for name, value in other.attributes.items():
            if name not in self.attributes and len(self.attributes) < MAX_ATTRIBUTES:
                self.attributes[name] = value
                self.written[name] = other.written[name]
        self.activity = sorted(
            self.activity + other.activity, key=lambda activity: activity["received_at"]
        )
        self.devices = {**other.devices, **self.devices}
        self.relationships += [one for one in other.relationships if one not in self.relationships]

    def to_json(self, *, with_activity: bool = True) -> dict[str, Json]:
        """`email`, `phone` and `id` stand at the top only, never among `attributes`."""
        data: dict[str, Json] = {
            "cio_id": self.cio_id,
            "id": self.id,
            "email": self.email,
            "phone": self.phone,
            "unsubscribed": self.unsubscribed,
            "attributes": self.attributes,
            "devices": list(self.devices.values()),
            "relationships": self.relationships,
            "activity_count": len(self.activity),
        }
        if with_activity:
            data["activity"] = self.activity
        return data
