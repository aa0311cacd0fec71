"""What the API refuses, rule by rule; each limit from both sides."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.sandbox.validation import check, decode, exceeds, is_ulid

ULID = "01J8ZQ4T7M0000000000000000"


def person(action: str, **rest: Any) -> dict[str, Any]:
    return {"type": "person", "action": action, "identifiers": {"id": "42"}, **rest}


def identify(**attributes: Any) -> dict[str, Any]:
    return person("identify", attributes=attributes)


def event(**rest: Any) -> dict[str, Any]:
    return person("event", **{"name": "order_completed", **rest})


def by(**identifiers: Any) -> dict[str, Any]:
    return {"type": "person", "action": "identify", "identifiers": identifiers}


def merge(**rest: Any) -> dict[str, Any]:
    return {"type": "person", "action": "merge", **rest}


def names(count: int) -> dict[str, int]:
    return {f"a{number}": number for number in range(count)}


ACCEPTED = {
    "an identify without attributes": person("identify"),
    "an identify with null attributes": person("identify", attributes=None),
    "by email": by(email="Ada@X.com"),
    "by phone": by(phone="+31612345678"),
    "by cio_id": by(cio_id="00000000000001"),
    "an id of 150 bytes": by(id="é" * 75),
    "an attribute name of 150 bytes": identify(**{"é" * 75: 1}),
    "an attribute value of 1000 bytes": identify(note="é" * 500),
    "a list of 1000 bytes": identify(tags=["x" * 996]),
    "300 attributes": identify(**names(300)),
    "long subscription preferences": identify(cio_subscription_preferences={"topics": "x" * 1500}),
    "any number, truth or null": identify(a=1, b=1.5, c=True, d=None),
    "an event": event(),
    "an event with a ULID": event(id=ULID),
    "an event with a lower-case ULID": event(id=ULID.lower()),
    "an event name of 100 bytes": event(name="é" * 50),
    "a page": person("page", name="https://shop/"),
    "a screen": person("screen", name="Home"),
    "a timestamp that is none: it is silently taken as now": event(timestamp="2026-01-01"),
    "a merge": merge(primary={"id": "42"}, secondary={"email": "a@x.com"}),
    "a merge by cio_id": merge(primary={"cio_id": "1"}, secondary={"cio_id": "2"}),
    "a delete": person("delete"),
    "a suppress": person("suppress"),
    "an unsuppress": person("unsuppress"),
    "a device": person("add_device", device={"token": "t", "platform": "ios"}),
    "a device that goes": person("delete_device", device={"token": "t"}),
    "relationships": person("add_relationships", cio_relationships=[]),
    "relationships that go": person("delete_relationships", cio_relationships=[]),
    "an object": {
        "type": "object",
        "action": "identify",
        "identifiers": {"object_type_id": "1", "object_id": "acme"},
    },
}

REFUSED = {
    "no object": ("text", "invalid", ""),
    "no type": ({"action": "identify"}, "required", "type"),
    "an unknown type": ({"type": "cart", "action": "identify"}, "invalid", "type"),
    "a type that is no text": ({"type": [], "action": "identify"}, "required", "type"),
    "no action": ({"type": "person"}, "required", "action"),
    "an unknown action": (person("buy"), "invalid", "action"),
    "an action that is no text": (person(["event"]), "invalid", "action"),  # type: ignore[arg-type]
    "an object's unknown action": ({"type": "object", "action": "event"}, "invalid", "action"),
    "no identifiers": (
        {"type": "person", "action": "identify"},
        "required",
        "identifiers",
    ),
    "identifiers that are a list": (
        person("identify") | {"identifiers": []},
        "invalid",
        "identifiers",
    ),
    "empty identifiers": (by(), "invalid", "identifiers"),
    "two identifiers": (by(id="42", email="a@x.com"), "invalid", "identifiers"),
    "an unknown identifier": (by(user="42"), "invalid", "identifiers"),
    "an anonymous id, which v2 does not document": (
        by(anonymous_id="c1"),
        "invalid",
        "identifiers",
    ),
    "an anonymous event in v2": (
        event() | {"identifiers": {"anonymous_id": "c1"}},
        "invalid",
        "identifiers",
    ),
    "an id that is a number": (by(id=42), "invalid", "identifiers.id"),
    "an id of null": (by(id=None), "invalid", "identifiers.id"),
    "a blank id": (by(id=" "), "required", "identifiers.id"),
    "an id of 151 bytes": (by(id="é" * 75 + "x"), "invalid", "identifiers.id"),
    "an email without @": (by(email="ada"), "invalid", "identifiers.email"),
    "an email with a blank": (by(email="ada @x.com"), "invalid", "identifiers.email"),
    "attributes that are a list": (person("identify", attributes=[]), "invalid", "attributes"),
    "an attribute without a name": (identify(**{"": 1}), "invalid", "attributes"),
    "an attribute name of 151 bytes": (identify(**{"é" * 75 + "x": 1}), "invalid", "attributes"),
    "an attribute value of 1001 bytes": (
        identify(note="é" * 500 + "x"),
        "invalid",
        "attributes.note",
    ),
    "a list of 1001 bytes": (identify(tags=["x" * 997]), "invalid", "attributes.tags"),
    "301 attributes": (identify(**names(301)), "invalid", "attributes"),
    "an event without a name": (person("event"), "required", "name"),
    "an event with a blank name": (event(name=""), "required", "name"),
    "an event name that is a number": (event(name=1), "invalid", "name"),
    "an event name of 101 bytes": (event(name="é" * 50 + "x"), "invalid", "name"),
    "an event with a malformed ULID": (event(id="order-1001"), "invalid", "id"),
    "an event with a blank ULID": (event(id=""), "invalid", "id"),
    "event attributes that are text": (event(attributes="x"), "invalid", "attributes"),
    "a page without a name": (person("page"), "required", "name"),
    "a merge with identifiers": (
        merge(primary={"id": "1"}, secondary={"id": "2"}, identifiers={"id": "1"}),
        "invalid",
        "identifiers",
    ),
    "a merge without a primary": (merge(secondary={"id": "2"}), "required", "primary"),
    "a merge without a secondary": (merge(primary={"id": "1"}), "required", "secondary"),
    "a merge by phone": (
        merge(primary={"phone": "+31612345678"}, secondary={"id": "2"}),
        "invalid",
        "primary",
    ),
    "a merge of two identifiers": (
        merge(primary={"id": "1", "email": "a@x.com"}, secondary={"id": "2"}),
        "invalid",
        "primary",
    ),
    "a device without a token": (person("add_device", device={}), "required", "device.token"),
    "a device of an unknown platform": (
        person("add_device", device={"token": "t", "platform": "fax"}),
        "invalid",
        "device.platform",
    ),
    "relationships that are none": (person("add_relationships"), "required", "cio_relationships"),
    "an object by id": (
        {"type": "object", "action": "identify", "identifiers": {"id": "1"}},
        "invalid",
        "identifiers",
    ),
    "an object without identifiers": (
        {"type": "object", "action": "identify"},
        "required",
        "identifiers",
    ),
}


@pytest.mark.parametrize("item", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(item: dict[str, Any]) -> None:
    assert check(item) == []


@pytest.mark.parametrize(("item", "reason", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(item: Any, reason: str, field: str) -> None:
    problems = check(item)
    assert [(one["reason"], one["field"]) for one in problems] == [(reason, field)]
    assert problems[0]["message"]


def test_every_problem_of_an_item_is_named() -> None:
    item = person("event", id="x", identifiers={})
    assert [one["field"] for one in check(item)] == ["identifiers", "name", "id"]


def test_messages_hold_no_value() -> None:
    assert "ada" not in check(by(email="ada"))[0]["message"]


VERSION_1 = {
    "an anonymous event": (event() | {"identifiers": {"anonymous_id": "c1"}}, []),
    "a blank anonymous id": (
        event() | {"identifiers": {"anonymous_id": " "}},
        [("invalid", "anonymous_id")],
    ),
    "an anonymous id of 151 bytes": (
        event() | {"identifiers": {"anonymous_id": "x" * 151}},
        [("invalid", "anonymous_id")],
    ),
    "an event of nobody": ({"type": "person", "action": "event", "name": "invite"}, []),
    "data of 100,000 bytes": (event(attributes={"x": "y" * 99_992}), []),
    "data of 100,001 bytes": (event(attributes={"x": "y" * 99_993}), [("invalid", "data")]),
    "data that are a list": (event(attributes=[]), [("invalid", "data")]),
}


@pytest.mark.parametrize(("item", "expected"), VERSION_1.values(), ids=VERSION_1.keys())
def test_version_1(item: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = [(one["reason"], one["field"]) for one in check(item, version=1)]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (ULID, True),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", True),
        ("0" * 26, True),
        ("8" + "0" * 25, False),  # more than 128 bits
        ("0" * 25, False),
        ("0" * 27, False),
        ("0" * 25 + "U", False),  # I, L, O and U are not in Crockford's alphabet
        ("0" * 25 + "I", False),
        ("0" * 25 + "L", False),
        ("0" * 25 + "O", False),
        ("0" * 25 + "\n", False),
        ("0" * 25 + "\u0661", False),  # a digit to Unicode only
        ("0" * 25 + "\u212a", False),  # the Kelvin sign, whose lower case is k
        (0, False),
        (None, False),
    ],
)
def test_ulids(text: Any, valid: bool) -> None:
    assert is_ulid(text) is valid


@pytest.mark.parametrize(
    ("value", "ascii_only", "size"),
    [
        ("é", False, 4),
        ("é", True, 8),
        ("😀", False, 6),
        ("😀", True, 14),
        ({"a": [1, 2]}, False, 11),
    ],
)
def test_sizes_are_bytes_of_compact_json(value: Any, ascii_only: bool, size: int) -> None:
    assert not exceeds(value, size, ascii_only=ascii_only)
    assert exceeds(value, size - 1, ascii_only=ascii_only)


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"a": Infinity}', b'"\xff"', b"{'a': 1}"])
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode(body)
