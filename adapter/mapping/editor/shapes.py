"""What the JSON Schemas of the YAML files are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.mapping.schema import Field

Json = dict[str, Any]

TEXT: Json = {"type": "string", "minLength": 1}
ANY: Json = {}
RELEASE: Json = {
    "type": ["string", "number"],
    "description": "The release of the shipped mappings that this overlay was written for.",
}
EXPRESSION = (
    "A path into the body such as `customer.email`, with filters: `tags | split | first`. "
    '`{value: x}` is a literal, `{text: "a {path} b"}` a text with paths in braces.'
)
OFF = (None, "off")
"""What stands in an overlay to take something away."""


def document(title: str, root: Json, **definitions: Json) -> Json:
    """A whole document; what occurs often in it is one of its definitions."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        **root,
        "definitions": {
            **definitions,
            "expression": {
                **object_({"value": ANY, "text": {"type": "string"}}),
                "type": ["string", "number", "boolean", "object", "null"],
                "minProperties": 1,
                "maxProperties": 1,
            },
            "items": off_or(object_({"each": expression(), "use": TEXT})),
        },
    }


def object_(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def off_or(schema: Json, about: str = "") -> Json:
    """The same, and `null` and `off` as well.

    One schema and no choice of several: of a choice editors only say that nothing fits, and not
    which name in it is misspelt.
    """
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    loose = {**schema, "type": [*kinds, *({"string", "null"} - set(kinds))]}
    loose["type"].sort()
    if "string" not in kinds:
        loose |= {"if": {"type": "string"}, "then": {"enum": ["off"]}}
    return described(loose, about)


def one_of(*values: str) -> Json:
    """One of some words, or nothing at all."""
    return {"enum": [*values, *OFF]}


def described(schema: Json, about: str) -> Json:
    return {"description": about, **schema} if about else schema


def referring(name: str, about: str = "") -> Json:
    # Beside a bare $ref draft 7 ignores everything else, a description included.
    return described({"allOf": [{"$ref": f"#/definitions/{name}"}]}, about)


def expression(about: str = EXPRESSION) -> Json:
    return referring("expression", about)


def field_(field: Field) -> Json:
    optional = ", optional" if field.optional else ""
    return expression(f"{field.about} ({field.type_name}{optional})".strip())


def items(about: str) -> Json:
    return referring("items", about)


def condition(about: str = "A condition; `not` in front of it negates.") -> Json:
    return expression(about)


def several(about: str = "A condition, or a list of which all must hold.") -> Json:
    one: Json = {"$ref": "#/definitions/expression"}
    every: Json = {"items": one}
    return described({"if": {"type": "array"}, "then": every, "else": one}, about)
