"""Unix seconds: what counts as one, and what the vendor makes of anything else."""

from __future__ import annotations

from collections.abc import Mapping

from .profile import Json

TRIGGER_WINDOW = 72 * 3600
_MILLISECONDS_START = 10**11
"""As seconds this is the year 5138, as milliseconds 1973: whoever sends more means milliseconds."""


def is_unix_seconds(value: Json) -> bool:
    """Whether `value` is whole Unix seconds: no float, no text, no milliseconds, no boolean."""
    return type(value) is int and 0 <= value < _MILLISECONDS_START


def moment(value: Json, now: float) -> tuple[int, bool]:
    """The time that the vendor takes `value` for, and whether it was malformed.

    Absent and malformed times are both "now"; the vendor tells nobody about the latter.
    """
    if value is None:
        return int(now), False
    if is_unix_seconds(value):
        return value, False
    return int(now), True


def malformed_times(attributes: Mapping[str, Json]) -> list[str]:
    """The attributes that are named as times (`created_at`, `last_order_at`) and hold none."""
    return [
        name
        for name in attributes
        if name[-3:] == "_at"
        and attributes[name] not in (None, "")
        and not is_unix_seconds(attributes[name])
    ]


def triggers(at: int, now: float) -> bool:
    """Whether an event dated `at` can still start a campaign."""
    return at >= now - TRIGGER_WINDOW
