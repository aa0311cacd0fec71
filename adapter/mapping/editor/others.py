"""The JSON Schemas of the files beside the mapping files."""

from __future__ import annotations

from adapter.mapping.editor.shapes import (
    TEXT,
    Json,
    described,
    document,
    object_,
    off_or,
    one_of,
    referring,
    several,
)
from adapter.mapping.presets import PRESETS
from adapter.mapping.schema import Schema
from adapter.mapping.types import TYPES


def contract_document(_: Schema) -> Json:
    """For `schema.yml`, the contract or what a shop adds to it."""
    names = [*TYPES, *(f"list of {name}" for name in TYPES), "list of item"]
    types = [each for name in names for each in (name, f"{name}?")]
    about = "; ".join(f"{each.name}: {each.about}" for each in TYPES.values())
    known = {
        "type": {"description": about, "enum": types},
        "about": {**TEXT, "description": "One sentence that says what it is."},
        "from": {"enum": ["items", "memory"]},
    }
    field = {
        "description": about,
        **object_(known),
        "type": ["string", "object", "null"],
        "if": {"type": "string"},
        "then": {"enum": [*types, "off"]},
    }
    fields = off_or({"type": "object", "additionalProperties": referring("field")})
    texts = off_or({"type": "object", "additionalProperties": off_or(TEXT)})
    said = {
        "person": "Attributes of a person.",
        "item": "Fields of an item.",
        "common": "Properties that every event has.",
        "product": "What the catalog holds of a product.",
        "variant": "What the catalog holds of a variant.",
    }
    parts = {
        "version": {"type": "integer", "minimum": 1},
        **{name: {**fields, "description": what} for name, what in said.items()},
        "events": off_or({"type": "object", "additionalProperties": fields}, "All events."),
        "flat": {**texts, "description": "List: the field of all items that it is filled from."},
        "about": {**texts, "description": "What each event means, in a sentence."},
    }
    return document("Contract", object_(parts), field=field)


def topics_document(_: Schema) -> Json:
    """For `<platform>/topics.yml`."""
    texts = off_or({"type": "object", "additionalProperties": off_or(TEXT)})
    parts = {
        "admin": off_or(
            {"type": "array", "items": TEXT, "uniqueItems": True},
            "Topics that the store admin offers; others only an app can subscribe to.",
        ),
        "ignored": {**texts, "description": "Topic: why it is known and without effect."},
        "notes": {**texts, "description": "Topic: what `adapter topics` says of it."},
    }
    return document("Register of topics", object_(parts))


def names_document(schema: Schema) -> Json:
    """For `names.yml`, the names on the way out."""
    fields = (
        field
        for event in schema.events.values()
        for field in (*event.fields, *schema.filled_in(event))
    )
    properties = object_({field.name: off_or(TEXT, field.about) for field in fields})
    events = {
        event.name: described(referring("event"), schema.about.get(event.name, ""))
        for event in schema.events.values()
    }
    event = {
        **object_({"name": TEXT, "properties": referring("properties")}),
        "type": ["string", "object", "null"],
        "minLength": 1,
    }
    several = {**TEXT, "type": ["string", "array", "null"], "items": TEXT, "minItems": 1}
    parts = {
        "preset": one_of(*PRESETS),
        "events": off_or(object_(events)),
        "properties": referring("properties"),
        "items": off_or(object_({each.name: off_or(TEXT) for each in schema.item})),
        "attributes": off_or(object_({each.name: several for each in schema.person})),
    }
    return document(
        "Names on the way out", object_(parts), event=event, properties=off_or(properties)
    )


def rules_document(schema: Schema) -> Json:
    """For `rules.yml`, the derived attributes."""
    case = object_({"value": {"type": ["string", "number", "boolean"]}, "when": several()})
    rule = object_(
        {
            "about": {**TEXT, "description": "Why, in a sentence."},
            "from": {"enum": [each.name for each in schema.person if not each.is_list]},
            "steps": {
                "type": "object",
                "additionalProperties": off_or({"type": "number"}),
                "description": "Value: from how much on. The highest that is reached counts.",
            },
            "when": several(
                "True or false, by the person's other attributes; of a list all must hold."
            ),
            "cases": {
                "type": "array",
                "items": case,
                "description": "The first whose condition holds; one without holds always.",
            },
            "event": off_or(TEXT, "An event once per change, with `old` and `new`."),
        }
    )
    rules = {
        each.name: described(referring("rule"), each.about)
        for each in schema.person
        if not each.is_list
    }
    return document("Rules", object_(rules), rule=off_or(rule))
