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
OFF: Json = {"enum": [None, "off"]}


def document(title: str, root: Json, **definitions: Json) -> Json:
    """A whole document; what occurs often in it is one of its definitions."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        **root,
        "definitions": {
            **definitions,
            "expression": {
                "anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {**object_({"value": ANY}), "required": ["value"]},
                    {**object_({"text": {"type": "string"}}), "required": ["text"]},
                ]
            },
            "items": off_or(object_({"each": expression(), "use": TEXT})),
        },
    }


def object_(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def off_or(schema: Json, about: str = "") -> Json:
    return described({"anyOf": [schema, OFF]}, about)


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
    expression: Json = {"$ref": "#/definitions/expression"}
    return described({"anyOf": [expression, {"type": "array", "items": expression}]}, about)
