"""What the API refuses, as pure rules over decoded JSON.

Every rule answers a list of problems `{"reason", "field", "message"}`, empty when all is well.
`reason` is one of "required", "invalid" and "parse_error"; messages never hold a value.
All limits are in bytes of UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

from .profile import MAX_ATTRIBUTES, Json

MAX_ITEM = 32 * 1024
MAX_BATCH = 500 * 1024
MAX_ID = 150
MAX_ATTRIBUTE_NAME = 150
MAX_ATTRIBUTE_VALUE = 1000
MAX_EVENT_NAME = 100
MAX_EVENT_DATA = 100_000

_EVENTS = ("event", "page", "screen")
_ACTIONS = {
    "person": {
        "identify",
        "event",
        "page",
        "screen",
        "delete",
        "merge",
        "suppress",
        "unsuppress",
        "add_device",
        "delete_device",
        "add_relationships",
        "delete_relationships",
    },
    "object": {"identify", "delete", "add_relationships", "delete_relationships"},
}
_PERSON_IDENTIFIERS = ("id", "email", "phone", "cio_id")
_MERGE_IDENTIFIERS = ("id", "email", "cio_id")
_UNLIMITED_VALUES = ("cio_relationships", "cio_subscription_preferences")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE | re.ASCII)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

Problem = dict[str, Json]
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_compact_ascii = json.JSONEncoder(separators=(",", ":")).encode


def problem(reason: str, field: str, message: str) -> Problem:
    """One thing that is wrong; `field` is a path such as `identifiers.id`, "" for the whole."""
    return {"reason": reason, "field": field, "message": message}


def decode(body: bytes) -> Json:
    """The JSON in `body`. Raises ValueError for anything else, NaN and broken UTF-8 included."""
    return json.loads(body.decode("utf-8"), parse_constant=refuse_constant)


def refuse_constant(name: str) -> NoReturn:
    """Raises ValueError: NaN and the infinities are Python's idea of JSON, nobody else's."""
    raise ValueError(f"{name} is not JSON")


def exceeds(value: Json, limit: int, *, ascii_only: bool = False) -> bool:
    """Whether `value` takes more than `limit` bytes as compact JSON.

    `ascii_only` counts `\\u00e9` as it would be sent rather than the two bytes of `é`.
    """
    if ascii_only:
        return len(_compact_ascii(value)) > limit
    return len(_compact(value).encode("utf-8", "surrogatepass")) > limit


def is_ulid(value: Json) -> bool:
    """Whether `value` is a ULID: 26 characters of Crockford's base 32 that fit in 128 bits."""
    return isinstance(value, str) and _ULID.fullmatch(value) is not None


def check(item: Json, *, version: int = 2) -> list[Problem]:
    """What is wrong with one item of the v2 shape.

    Version 1 also knows anonymous events, and names a payload `data` instead of `attributes`.
    """
    if not isinstance(item, dict):
        return [problem("invalid", "", "an item must be an object")]
    return list(_problems(item, version))


def _problems(item: Mapping[str, Json], version: int) -> Iterator[Problem]:
    kind, action = item.get("type"), item.get("action")
    actions = _ACTIONS.get(kind) if isinstance(kind, str) else None
    if actions is None:
        yield problem("invalid" if kind else "required", "type", "must be person or object")
        return
    if not isinstance(action, str) or action not in actions:
        yield problem(
            "invalid" if action else "required", "action", f"not an action of type {kind}"
        )
        return
    attributes = item.get("attributes")
    payload = "data" if version == 1 and action in _EVENTS else "attributes"
    if attributes is not None and not isinstance(attributes, dict):
        yield problem("invalid", payload, "must be an object")
        return
    if kind == "object":
        yield from _object_identifiers(item.get("identifiers"))
        return
    if action == "merge":
        if "identifiers" in item:
            yield problem("invalid", "identifiers", "a merge has primary and secondary instead")
        for side in ("primary", "secondary"):
            yield from _identifiers(item.get(side), side, _MERGE_IDENTIFIERS)
        return
    anonymous = version == 1 and action in _EVENTS
    if anonymous and ("identifiers" not in item or "anonymous_id" in item["identifiers"]):
        yield from _anonymous(item.get("identifiers"))
    else:
        yield from _identifiers(item.get("identifiers"), "identifiers", _PERSON_IDENTIFIERS)
    if action == "identify":
        yield from _attributes(attributes or {})
    elif action in _EVENTS:
        yield from _event(item, attributes, payload)
    elif action.endswith("_device"):
        device = item.get("device")
        if not isinstance(device, dict) or not isinstance(device.get("token"), str):
            yield problem("required", "device.token", "a device needs its token")
        elif action == "add_device" and device.get("platform") not in ("ios", "android"):
            yield problem("invalid", "device.platform", "must be ios or android")
    elif action.endswith("_relationships") and not isinstance(item.get("cio_relationships"), list):
        yield problem("required", "cio_relationships", "must be a list")


def _identifiers(found: Json, field: str, kinds: tuple[str, ...]) -> Iterator[Problem]:
    if found is None:
        yield problem("required", field, f"must hold exactly one of {', '.join(kinds)}")
        return
    if not isinstance(found, dict) or len(found) != 1 or next(iter(found)) not in kinds:
        yield problem("invalid", field, f"must hold exactly one of {', '.join(kinds)}")
        return
    ((kind, value),) = found.items()
    if not isinstance(value, str):
        yield problem("invalid", f"{field}.{kind}", "must be text")
    elif not value.strip():
        yield problem("required", f"{field}.{kind}", "must not be blank")
    elif _longer(value, MAX_ID):
        yield problem("invalid", f"{field}.{kind}", f"longer than {MAX_ID} bytes")
    elif kind == "email" and not _EMAIL.fullmatch(value):
        yield problem("invalid", f"{field}.{kind}", "not an email address")


def _anonymous(found: Json) -> Iterator[Problem]:
    # Absent altogether is an event that nobody can claim, which v1 allows (invitations).
    if found is None:
        return
    value = found["anonymous_id"]
    if not isinstance(value, str) or not value.strip():
        yield problem("invalid", "anonymous_id", "must be text and not blank")
    elif _longer(value, MAX_ID):
        yield problem("invalid", "anonymous_id", f"longer than {MAX_ID} bytes")


def _object_identifiers(found: Json) -> Iterator[Problem]:
    kinds = ({"object_type_id", "object_id"}, {"cio_object_id"})
    if not isinstance(found, dict) or set(found) not in kinds:
        yield problem(
            "invalid" if found else "required",
            "identifiers",
            "must hold object_type_id and object_id, or cio_object_id",
        )


def _attributes(attributes: Mapping[str, Json]) -> Iterator[Problem]:
    if len(attributes) > MAX_ATTRIBUTES:
        yield problem("invalid", "attributes", f"more than {MAX_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        if not name:
            yield problem("invalid", "attributes", "an attribute has no name")
        elif len(name) > MAX_ATTRIBUTE_NAME // 4 and _longer(name, MAX_ATTRIBUTE_NAME):
            yield problem(
                "invalid", "attributes", f"a name is longer than {MAX_ATTRIBUTE_NAME} bytes"
            )
        elif isinstance(value, str):
            if len(value) > MAX_ATTRIBUTE_VALUE // 4 and _longer(value, MAX_ATTRIBUTE_VALUE):
                yield _value_too_long(name)
        elif (
            isinstance(value, (dict, list))
            and name not in _UNLIMITED_VALUES
            and exceeds(value, MAX_ATTRIBUTE_VALUE)
        ):
            yield _value_too_long(name)


def _event(item: Mapping[str, Json], attributes: Json, payload: str) -> Iterator[Problem]:
    name, ulid = item.get("name"), item.get("id")
    if name is None or name == "":
        yield problem("required", "name", "an event needs a name")
    elif not isinstance(name, str):
        yield problem("invalid", "name", "must be text")
    elif _longer(name, MAX_EVENT_NAME):
        yield problem("invalid", "name", f"longer than {MAX_EVENT_NAME} bytes")
    if ulid is not None and not is_ulid(ulid):
        yield problem("invalid", "id", "not a ULID")
    # Whoever sends more in v2 has broken the limit of an item long before.
    if payload == "data" and attributes and exceeds(attributes, MAX_EVENT_DATA):
        yield problem("invalid", payload, f"longer than {MAX_EVENT_DATA} bytes")


def _value_too_long(name: str) -> Problem:
    return problem("invalid", f"attributes.{name}", f"longer than {MAX_ATTRIBUTE_VALUE} bytes")


def _longer(text: str, limit: int) -> bool:
    # A character takes 1 to 4 bytes: a text of a quarter of the limit needs no look at all.
    return len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit
