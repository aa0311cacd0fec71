"""Customer.io's Track API: the contract of destinations, and what is Track's own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from builders import AT, happening, identify
from hypothesis import given
from hypothesis import strategies as st

from adapter.deeds import stages
from adapter.destinations.base import Item, Unsendable, Verdict
from adapter.destinations.shortening import (
    ATTRIBUTES,
    ITEM_FIELDS_IN_ORDER_OF_LOSS,
    NAME_BYTES,
    VALUE_BYTES,
)
from adapter.destinations.track import ITEM_BYTES, REQUEST_BYTES, Track
from adapter.errors import Misconfigured, Refused, RetryLater, SendError
from adapter.model import Operation
from adapter.sandbox.people import Workspace
from adapter.sandbox.track import Track as Server
from adapter.sandbox.track import read
from adapter.sandbox.validation import MAX_BATCH, check

from .contract import WHOLE, Decoded, DestinationContract, answer, line, order

TRACK = Track()


class TestTrack(DestinationContract):
    destination = TRACK
    max_item_bytes = 32 * 1024

    def decoded(self, item: Item) -> Decoded:
        data = json.loads(item.data)
        assert check(data) == [], "the stand-in for Customer.io would refuse it"
        assert data.pop("type") == "person"
        if data["action"] == "merge":
            data["identifiers"] = data.pop("primary")
        return Decoded(**data)

    def partial(self, errors: list[dict[str, Any]]) -> bytes:
        named = [
            {"batch_index" if name == "index" else name: value for name, value in error.items()}
            for error in errors
        ]
        return json.dumps({"errors": named}).encode()


def attributes_of(item: Item | Unsendable) -> dict[str, Any]:
    assert isinstance(item, Item), item
    return json.loads(item.data)["attributes"]


# The table of DESIGN, section 1: what an answer means for a request of three items.

TAKEN = Verdict()


@pytest.mark.parametrize(
    ("status", "body", "effect"),
    [
        (200, "{}", TAKEN),
        (200, '{"errors":[{"batch_index":1,"reason":"invalid"}]}', Verdict({1: "invalid"})),
        (207, '{"errors":[{"batch_index":1,"reason":"invalid"}]}', Verdict({1: "invalid"})),
        (400, '{"errors":[{"reason":"invalid"}]}', Refused),
        (404, "", Refused),
        (413, "", Refused),
        (422, "", Refused),
        (418, "", Refused),
        (401, "", Misconfigured),
        (403, "", Refused),  # Misconfigured when the region check fails too: the courier's to find
        (302, "", Misconfigured),
        (408, "", RetryLater),
        (429, "", RetryLater),
        (500, "", RetryLater),
        (503, "", RetryLater),
        (200, "<html>", RetryLater),
    ],
)
def test_the_table_of_answers(status: int, body: str, effect: Verdict | type[SendError]) -> None:
    if isinstance(effect, Verdict):
        assert TRACK.verdict(answer(status, body), 3) == effect
    else:
        with pytest.raises(effect):
            TRACK.verdict(answer(status, body), 3)


def test_two_errors_of_one_item_are_one_refusal() -> None:
    body = (
        '{"errors":[{"batch_index":1,"reason":"invalid","field":"a"},'
        '{"batch_index":1,"reason":"required","field":"b"}]}'
    )
    assert set(TRACK.verdict(answer(207, body), 3).refused) == {1}


def test_a_reason_is_no_longer_than_it_need_be() -> None:
    body = json.dumps({"errors": [{"batch_index": 0, "reason": "r" * 9999, "field": "f" * 9999}]})
    assert len(TRACK.verdict(answer(207, body), 1).refused[0]) < 250


# Requests


def test_an_item_on_the_wire() -> None:
    items = [identify(email="a@x.com"), happening("1001", revenue=59.9)]
    request = TRACK.request([TRACK.encode(one) for one in items])
    assert (request.method, request.path) == ("POST", "/api/v2/batch")
    assert json.loads(request.body) == {
        "batch": [
            {
                "type": "person",
                "action": "identify",
                "identifiers": {"id": "42"},
                "timestamp": AT,
                "attributes": {"email": "a@x.com"},
            },
            {
                "type": "person",
                "action": "event",
                "identifiers": {"id": "42"},
                "timestamp": AT,
                "id": items[1].id,
                "name": "order_completed",
                "attributes": {"revenue": 59.9},
            },
        ]
    }


def test_the_probe_is_the_region_check() -> None:
    assert TRACK.probe().path == "/api/v1/accounts/region"


def test_the_limit_is_below_the_vendors() -> None:
    assert REQUEST_BYTES < MAX_BATCH


@pytest.mark.parametrize("name", ["recipient", "from_address", "reply_to"])
def test_an_event_never_moves_the_envelope(name: str) -> None:
    item = TRACK.encode(happening("1", **{name: "eve@example.com", "order_id": "1"}))
    assert attributes_of(item) == {"order_id": "1"}
    assert item.shortened == (name,)


def test_a_person_may_have_an_attribute_of_that_name() -> None:
    assert attributes_of(TRACK.encode(identify(recipient="Ada"))) == {"recipient": "Ada"}


@pytest.mark.parametrize(
    ("identifier", "fits"),
    [("x" * 150, True), ("x" * 151, False), ("é" * 75, True), ("é" * 76, False)],
    ids=["150", "151", "150 in two-byte letters", "152 in two-byte letters"],
)
def test_an_identifier_has_150_bytes(identifier: str, fits: bool) -> None:
    encoded = TRACK.encode(replace(identify(), identifiers={"id": identifier}))
    assert isinstance(encoded, Item) is fits
    if not fits:
        assert encoded.reason == "id is longer than 150 bytes"


@pytest.mark.parametrize(("name", "fits"), [("x" * 100, True), ("é" * 51, False)])
def test_an_events_name_has_100_bytes(name: str, fits: bool) -> None:
    encoded = TRACK.encode(replace(happening("1"), name=name))
    assert isinstance(encoded, Item) is fits


# A person's attributes


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("x" * 1000, "x" * 1000),
        ("x" * 1001, "x" * 1000),
        ("é" * 500, "é" * 500),
        ("é" * 501, "é" * 500),
        ("x" + "é" * 500, "x" + "é" * 499),
        ("\N{HOT BEVERAGE}" * 334, "\N{HOT BEVERAGE}" * 333),
        (
            "xx" + "\N{BANKNOTE WITH DOLLAR SIGN}" * 250,
            "xx" + "\N{BANKNOTE WITH DOLLAR SIGN}" * 249,
        ),
        (["x" * 300] * 3, ["x" * 300] * 3),
        (["x" * 300] * 4, ["x" * 300] * 3),
        (["x" * 2000], []),
        (149.85, 149.85),
        (None, None),
    ],
    ids=lambda value: f"{str(value)[:3]}({len(str(value))})",
)
def test_a_value_has_1000_bytes(value: Any, sent: Any) -> None:
    item = TRACK.encode(identify(note=value))
    assert attributes_of(item) == {"note": sent}
    assert item.shortened == (() if sent == value else ("note",))


@pytest.mark.parametrize("value", [{"a": "x" * 1000}, 10**1000], ids=["object", "number"])
def test_a_value_that_cannot_be_cut_is_left_out(value: Any) -> None:
    item = TRACK.encode(identify(note=value, city="Graz"))
    assert attributes_of(item) == {"city": "Graz"}
    assert item.shortened == ("note",)


@pytest.mark.parametrize(("name", "fits"), [("é" * 75, True), ("é" * 76, False), ("", False)])
def test_a_name_has_1_to_150_bytes(name: str, fits: bool) -> None:
    item = TRACK.encode(identify(**{name: 1, "city": "Graz"}))
    assert (name in attributes_of(item)) is fits
    assert attributes_of(item)["city"] == "Graz"
    assert item.shortened == (() if fits else (name,))


def test_a_person_has_300_attributes() -> None:
    item = TRACK.encode(identify(**{f"a{number}": number for number in range(302)}))
    assert list(attributes_of(item)) == [f"a{number}" for number in range(300)]
    assert item.shortened == ("a300", "a301")


# Shortening an event


def test_60_lines_lose_optional_fields_and_no_line() -> None:
    whole = order(60)
    item = TRACK.encode(whole)
    sent = attributes_of(item)
    lost = {name.removeprefix("items[].") for name in item.shortened}
    assert lost == set(ITEM_FIELDS_IN_ORDER_OF_LOSS[: len(lost)])
    assert sent["items"] == [
        {name: value for name, value in one.items() if name not in lost}
        for one in whole.attributes["items"]
    ]
    kept = {name: value for name, value in sent.items() if name not in {"items", "items_truncated"}}
    assert kept == {name: value for name, value in whole.attributes.items() if name != "items"}


def test_no_field_goes_without_need() -> None:
    """Had the last field to go been kept, the item would have been too large."""
    whole = order(60)
    item = TRACK.encode(whole)
    lost = [name.removeprefix("items[].") for name in item.shortened][:-1]
    one_more = [
        {name: value for name, value in one.items() if name not in lost}
        for one in whole.attributes["items"]
    ]
    roomier = {**attributes_of(item), "items": one_more}
    data = {**json.loads(item.data), "attributes": roomier}
    assert len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()) > ITEM_BYTES


def test_500_lines_lose_their_tail() -> None:
    whole = order(500)
    item = TRACK.encode(whole)
    sent = attributes_of(item)
    count = len(sent["items"])
    assert 100 < count < 500
    assert sent["items"] == [
        {name: one[name] for name in ("name", "quantity", "price")}
        for one in whole.attributes["items"][:count]
    ]
    assert item.shortened == (
        *(f"items[].{name}" for name in ITEM_FIELDS_IN_ORDER_OF_LOSS),
        "items",
    )
    assert sent["skus"] == whole.attributes["skus"]
    longer = [
        {name: one[name] for name in ("name", "quantity", "price")}
        for one in whole.attributes["items"][: count + 1]
    ]
    data = {**json.loads(item.data), "attributes": {**sent, "items": longer}}
    assert len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()) > ITEM_BYTES


def test_lists_beside_the_items_go_last_of_all() -> None:
    whole = order(3000)
    item = TRACK.encode(whole)
    sent = attributes_of(item)
    count = len(sent["items"])
    assert count > 100
    assert sent["skus"] == whole.attributes["skus"][:count]
    assert sent["product_ids"] == whole.attributes["product_ids"][:count]
    assert item.shortened[-3:] == ("skus", "product_ids", "items")
    assert {name: sent[name] for name in WHOLE} == {name: whole.attributes[name] for name in WHOLE}


def test_when_the_last_field_is_enough_no_line_is_said_to_be_lost() -> None:
    items = [{"name": "n", "quantity": 1, "price": 1.0, "product_id": "p" * 200}] * 200
    item = TRACK.encode(happening("1", items=items, item_count=200))
    assert len(attributes_of(item)["items"]) == 200
    assert item.shortened == ("items[].product_id",)


@pytest.mark.parametrize(
    "items",
    ["x" * 40_000, [1, 2] * 20_000, {"a": "x" * 40_000}, [[]] * 20_000, [{}, 1], 10**4000, None],
    ids=["text", "numbers", "object", "lists", "mixed", "number", "null"],
)
def test_items_of_another_shape_cannot_be_cut(items: Any) -> None:
    encoded = TRACK.encode(happening("1", items=items, note="x" * 32_700))
    assert isinstance(encoded, Unsendable)


texts = st.text(st.characters(), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
many = st.integers(0, 2000)
lists = st.builds(lambda some, times: some * times, st.lists(values, max_size=3), many)
properties = st.dictionaries(texts, values, max_size=6) | st.fixed_dictionaries(
    {
        "items": values
        | lists
        | st.builds(
            lambda extra, n: [line(1, **extra)] * (n // 4),
            st.dictionaries(texts, values, max_size=3),
            many,
        ),
        "skus": lists,
        "item_count": st.integers(),
        "note": st.builds(lambda text, n: text * n, texts, many),
    }
)


@given(properties)
def test_any_properties_are_an_item_or_unsendable(properties: dict[str, Any]) -> None:
    encoded = TRACK.encode(replace(happening("1"), attributes=properties))
    if isinstance(encoded, Unsendable):
        assert re.match(r"larger than|no JSON", encoded.reason)
        return
    assert len(encoded.data) <= ITEM_BYTES
    assert check(json.loads(encoded.data)) == []
    sent = attributes_of(encoded)
    told = {"items_truncated": True} if encoded.shortened else {}
    given_or_told = {**properties, **told}
    assert all(
        value == given_or_told[name] for name, value in sent.items() if not isinstance(value, list)
    )


@given(st.dictionaries(texts, values | st.builds(lambda t, n: t * n, texts, many), max_size=8))
def test_any_attributes_are_an_item_or_unsendable(attributes: dict[str, Any]) -> None:
    encoded = TRACK.encode(replace(identify(), attributes=attributes))
    if isinstance(encoded, Unsendable):
        assert re.match(r"larger than|no JSON", encoded.reason)
        return
    assert len(encoded.data) <= ITEM_BYTES
    assert check(json.loads(encoded.data)) == []
    sent = attributes_of(encoded)
    assert len(sent) <= ATTRIBUTES
    assert all(len(name.encode()) <= NAME_BYTES for name in sent)
    assert all(len(str(v).encode()) <= VALUE_BYTES for v in sent.values() if isinstance(v, str))


@pytest.mark.parametrize("side", ["identifiers", "secondary"])
def test_nobody_is_merged_by_phone(side: str) -> None:
    people = {"identifiers": {"id": "42"}, "secondary": {"id": "43"}}
    people[side] = {"phone": "+4915112345678"}
    operation = Operation("merge", timestamp=AT, attributes={}, **people)
    unsendable = TRACK.encode(operation)
    assert isinstance(unsendable, Unsendable)
    assert unsendable.reason == "nobody can be merged by phone"


def test_a_merge_that_leans_on_its_own_request_does_nothing_and_in_the_next_it_does() -> None:
    """Why `stages` parts them: told by the stand-in, which does merges first."""
    operations = [
        replace(identify(), identifiers={"id": who}, attributes={"email": f"{who}@x.com"})
        for who in ("42", "43")
    ]
    merge = Operation("merge", {"id": "42"}, AT, {}, secondary={"id": "43"})

    def people(*requests: list[Operation]) -> list[str | None]:
        server = Server(Workspace(), "site", "key", "us")
        for request in requests:
            items = [item for one in request if isinstance(item := TRACK.encode(one), Item)]
            made = TRACK.request(items)
            call = read(made.method, made.path, made.body)
            assert server.answer(call, "Basic c2l0ZTprZXk=").status == 200
        return sorted(str(one.id) for one in server.workspace.directory.people.values())

    assert people([*operations, merge]) == ["42", "43"]
    assert people(*stages([*operations, merge])) == ["42"]


# Addresses


def test_half_an_address_is_none() -> None:
    """A cart's permalink that was cut would lead to other things, as would the one before."""
    url = "https://shop.example/cart/" + ",".join(["46120983300387:2"] * 80)
    item = Track().encode(identify(current_cart_url=url, city="Graz" * 500))
    assert isinstance(item, Item)
    attributes = json.loads(item.data)["attributes"]
    assert attributes["current_cart_url"] == ""
    assert len(attributes["city"]) == 1000
    assert set(item.shortened) == {"current_cart_url", "city"}


def test_a_monstrous_address_costs_itself_and_not_the_event() -> None:
    item = Track().encode(
        happening(
            "1", landing_site="/?" + "x" * 40_000, order_id="1", items=[{"name": "Tea", "sku": "T"}]
        )
    )
    assert isinstance(item, Item)
    attributes = json.loads(item.data)["attributes"]
    assert attributes == {"order_id": "1", "items": [{"name": "Tea", "sku": "T"}]}
    assert item.shortened == ("landing_site",)
