"""What can be watched: the words of alerts.yml, for `adapter.alerts` and for editors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

LEVELS: Final = ("warning", "error")
COMMON: Final = ("kind", "level", "after_minutes", "remind_hours", "about")
"""What every rule may say."""


@dataclass(frozen=True, slots=True)
class Want:
    """A value that a kind of rule takes.

    `of` is `share` (above 0, up to 1), `number` (0 or more), `event` (a name of the contract),
    `names` (a list of text) or `days` (of the year: 12-24). `default` None: it must be given.
    """

    of: str
    default: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of rule says, for the docs, and what it takes."""

    says: str
    wants: Mapping[str, Want] = field(default_factory=dict)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "volume": Kind(
            "fewer of an event were sent than in the same hours of past weeks",
            {
                "event": Want("event"),
                "below": Want("share", 0.67),
                "calm_days": Want("days", ("12-24", "12-25", "12-26", "12-31", "01-01")),
            },
        ),
        "silence": Kind(
            "a topic that used to come does not any more", {"except": Want("names", ())}
        ),
        "dead": Kind(
            "dead letters grow by more than `more_than` within the last hour or two",
            {"more_than": Want("number", 10)},
        ),
        "parked": Kind(
            "parked deliveries grow by more than `more_than` within the last hour or two",
            {"more_than": Want("number", 10)},
        ),
        "pending": Kind(
            "the oldest delivery that waits is older than `above_minutes`",
            {"above_minutes": Want("number", 15)},
        ),
        "paused": Kind("Customer.io refuses credentials, region or host"),
        "presence": Kind(
            "an optional property is present less, or unreadable more, than it used to be",
            {"events": Want("names", ()), "except": Want("names", ())},
        ),
        "memory": Kind(
            "Redis uses more than a share of its memory", {"above": Want("share", 0.75)}
        ),
        "mixed": Kind("workers with and without DRY_RUN share one Redis"),
    }
)
