"""The JSON Schema of `alerts.yml`, what is watched."""

from __future__ import annotations

from adapter.mapping.editor.shapes import TEXT, Json, document, object_, off_or, referring
from adapter.mapping.schema import Schema
from adapter.mapping.watched import KINDS, LEVELS

_SHAPES: dict[str, Json] = {
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "number": {"type": "number", "minimum": 0},
    "names": {"type": "array", "items": TEXT},
    "days": {"type": "array", "items": {"type": "string", "pattern": "^[01][0-9]-[0-3][0-9]$"}},
}
_MEANINGS = {
    "event": "volume: the event, by its canonical name.",
    "below": "volume: the share of what was to be expected below which it is told.",
    "calm_days": "volume: days of the year (12-24) on which half is expected.",
    "except": "silence: topics, presence: properties, that are not watched.",
    "more_than": "dead, parked: how many in this hour and the one before are still well.",
    "above_minutes": "pending: how old the oldest may be.",
    "events": "presence: of these events only.",
    "above": "memory: the share of maxmemory above which it is told.",
}


def alerts_document(schema: Schema) -> Json:
    """For `alerts.yml`: any name for a rule, and what its kind may take."""
    shapes = {**_SHAPES, "event": {"enum": list(schema.events)}}
    parts: dict[str, Json] = {
        "kind": {
            "enum": list(KINDS),
            "description": "; ".join(f"{name}: {kind.says}" for name, kind in KINDS.items()),
        },
        "level": {"enum": list(LEVELS)},
        "after_minutes": {
            **_SHAPES["number"],
            "description": "How long it must be so before somebody is told.",
        },
        "remind_hours": {
            **_SHAPES["number"],
            "description": "How often they are told again while it lasts; 0: never.",
        },
        "about": {**TEXT, "description": "Why, in a sentence."},
    }
    for kind in KINDS.values():
        for name, want in kind.wants.items():
            parts[name] = {**shapes[want.of], "description": _MEANINGS[name]}
    rules = {"type": "object", "additionalProperties": referring("rule")}
    return document("Alerts", rules, rule=off_or(object_(parts)))
