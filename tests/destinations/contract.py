"""What every destination must do. A new destination's tests inherit it:

class TestTrack(DestinationContract):
    destination = Track()
    max_item_bytes = 32 * 1024

    def decoded(self, item): ...
    def partial(self, errors): ...
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from builders import AT, happening, identify

from adapter.courier import pack
from adapter.destinations.base import Destination, Item, Response, Unsendable, Verdict
from adapter.errors import Misconfigured, Refused, RetryLater
from adapter.model import Operation
from adapter.ulid import is_ulid


@dataclass(frozen=True)
class Decoded:
    """An item as the destination's server would read it."""

    action: str
    identifiers: dict[str, str]
    timestamp: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    name: str | None = None
    secondary: dict[str, str] | None = None


def line(number: int, **more: Any) -> dict[str, Any]:
    """One line of an order as the mapping makes it, with every optional field."""
    return {
        "product_id": f"81{number:08}",
        "variant_id": f"44{number:08}",
        "sku": f"BEANS-{number:05}",
        "name": f"Etiópia Yirgacheffe Nr. {number}",
        "variant_name": "1 kg / ganze Bohne",
        "vendor": "Lovelace Coffee",
        "category": "Coffee",
        "quantity": 1 + number % 3,
        "price": 14.5,
        "compare_at_price": 16.0,
        "discount_amount": 0.5,
        "line_total": 14.0,
        "presentment_price": 13.2,
        "url": f"https://lovelace-coffee.example/products/yirgacheffe-{number}?variant={number}",
        "image_url": f"https://cdn.lovelace-coffee.example/files/yirgacheffe-{number}-large.jpg",
        "in_stock": True,
        "is_subscription": False,
        "selling_plan": "every 4 weeks",
        "replenishable": True,
        "days_to_replenish": 28,
        "replenish_at": AT + 28 * 86400,
        **more,
    }


def order(lines: int, **more: Any) -> Operation:
    """An order of so many lines; each flat list holds one text a line."""
    items = [line(number) for number in range(lines)]
    return happening(
        "1001",
        order_id="1001",
        revenue=round(14.0 * lines, 2),
        subtotal=round(14.5 * lines, 2),
        currency="EUR",
        items=items,
        item_count=sum(item["quantity"] for item in items),
        skus=[item["sku"] for item in items],
        product_ids=[item["product_id"] for item in items],
        **more,
    )


WHOLE = ("order_id", "revenue", "subtotal", "currency", "item_count")
"""What stays as it is, however much of an order must go."""

ATTRIBUTES = {
    "email": "ada@example.com",
    "first_name": "Adä \N{HOT BEVERAGE}",
    "last_order_at": AT,
    "lifetime_value": 149.85,
    "accepts_marketing": True,
    "tags": ["vip", "wholesale"],
}
OPERATIONS = {
    "identify": identify(**ATTRIBUTES),
    "identify by email": replace(
        identify(first_name="Ada"), identifiers={"email": "ada@example.com"}
    ),
    "identify by phone": replace(identify(), identifiers={"phone": "+4915112345678"}),
    "event": order(2),
    "event without properties": happening("1002"),
}

ENDS = {
    "merge": Operation("merge", {"id": "42"}, AT, {}, secondary={"id": "43"}),
    "merge of a guest": Operation(
        "merge", {"id": "42"}, AT, {}, secondary={"email": "ada@example.com"}
    ),
    "delete": Operation("delete", {"id": "42"}, AT, {}),
    "delete by email": Operation("delete", {"email": "ada@example.com"}, AT, {}),
    "suppress": Operation("suppress", {"id": "42"}, AT, {}),
    "suppress by phone": Operation("suppress", {"phone": "+4915112345678"}, AT, {}),
}
"""What is done to people as a whole."""


def answer(status: int, body: bytes | str = b"{}", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, body.encode() if isinstance(body, str) else body)


class DestinationContract:
    destination: Destination
    max_item_bytes: int

    def decoded(self, item: Item) -> Decoded:
        """Read an item's bytes as the server would, and raise where it would not take them."""
        raise NotImplementedError

    def partial(self, errors: list[dict[str, Any]]) -> bytes:
        """The body of an answer that takes all but some items: {"index", "reason", "field"};
        `index` is left out where the server does not say which."""
        raise NotImplementedError

    def encoded(self, operation: Operation) -> Item:
        item = self.destination.encode(operation)
        assert isinstance(item, Item), item
        return item

    # one operation

    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    def test_an_operation_arrives_as_it_is(self, operation: Operation) -> None:
        item = self.encoded(operation)
        read = self.decoded(item)
        assert read == Decoded(
            operation.action,
            dict(operation.identifiers),
            operation.timestamp,
            dict(operation.attributes),
            operation.id,
            operation.name,
        )
        assert item.operation is operation
        assert item.shortened == ()

    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    def test_an_item_is_json_about_one_person_at_a_whole_second(self, operation: Operation) -> None:
        item = self.encoded(operation)
        assert isinstance(json.loads(item.data), dict)
        read = self.decoded(item)
        assert len(read.identifiers) == 1
        assert type(read.timestamp) is int

    @pytest.mark.parametrize("operation", ENDS.values(), ids=ENDS)
    def test_what_is_done_to_people_names_them_and_nothing_else(self, operation: Operation) -> None:
        item = self.encoded(operation)
        assert self.decoded(item) == Decoded(
            operation.action,
            dict(operation.identifiers),
            secondary=None if operation.secondary is None else dict(operation.secondary),
        )
        assert item.operation is operation
        assert item.shortened == ()

    @pytest.mark.parametrize(
        ("operation", "side"),
        [*((one, "identifiers") for one in ENDS.values()), (ENDS["merge"], "secondary")],
    )
    def test_a_name_that_is_too_long_is_nobodys(self, operation: Operation, side: str) -> None:
        operation = replace(operation, **{side: {"id": "4" * self.max_item_bytes}})
        unsendable = self.destination.encode(operation)
        assert isinstance(unsendable, Unsendable)
        assert "4444" not in unsendable.reason

    def test_an_event_keeps_its_ulid(self) -> None:
        operation = order(2)
        assert operation.id is not None
        assert is_ulid(operation.id)
        assert self.decoded(self.encoded(operation)).id == operation.id

    @pytest.mark.parametrize("operation", [*OPERATIONS.values(), *ENDS.values(), order(500)])
    def test_the_same_operation_is_the_same_bytes(self, operation: Operation) -> None:
        again = Operation.from_json(json.loads(json.dumps(operation.to_json())))
        assert self.encoded(again).data == self.encoded(operation).data

    def test_an_operation_is_left_as_it_was(self) -> None:
        operation = order(500)
        before = json.dumps(operation.to_json())
        self.encoded(operation)
        assert json.dumps(operation.to_json()) == before

    # what is too large

    @pytest.mark.parametrize("lines", [1, 20, 60, 500])
    def test_an_order_of_any_length_fits_and_keeps_its_totals(self, lines: int) -> None:
        operation = order(lines)
        item = self.encoded(operation)
        assert len(item.data) <= self.max_item_bytes
        read = self.decoded(item)
        assert {name: read.attributes[name] for name in WHOLE} == {
            name: operation.attributes[name] for name in WHOLE
        }
        assert read.attributes["items"]

    @pytest.mark.parametrize(("lines", "cut"), [(1, False), (20, False), (60, True), (500, True)])
    def test_what_was_cut_says_so(self, lines: int, cut: bool) -> None:
        item = self.encoded(order(lines))
        assert self.decoded(item).attributes.get("items_truncated", False) is cut
        assert bool(item.shortened) is cut

    def test_a_person_of_any_size_fits(self) -> None:
        short = {f"a{number}": number for number in range(100)}
        long = {f"b{number}": "x" * 999 for number in range(50)}
        item = self.encoded(identify(**{**long, **short}))
        assert len(item.data) <= self.max_item_bytes
        kept = self.decoded(item).attributes
        assert short.items() <= kept.items()
        assert set(item.shortened) == long.keys() - kept.keys()
        assert len(kept) > 100

    def test_what_cannot_be_cut_is_not_sent(self) -> None:
        operation = happening("1001", note="x" * self.max_item_bytes)
        unsendable = self.destination.encode(operation)
        assert isinstance(unsendable, Unsendable)
        assert unsendable.operation is operation
        assert "larger than" in unsendable.reason

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), "\ud83d", {"a": ["\udc00"]}, {"\udfff": 1}]
    )
    def test_what_is_no_json_is_not_sent(self, value: Any) -> None:
        assert isinstance(self.destination.encode(happening("1", note=value)), Unsendable)
        assert isinstance(self.destination.encode(identify(note=value)), Unsendable)

    # requests

    @pytest.mark.parametrize("count", [1, 2, 7, 400])
    def test_size_is_the_length_of_the_body(self, count: int) -> None:
        items = [self.encoded(order(number % 5)) for number in range(count)]
        body = self.destination.request(items).body
        assert self.destination.size(count, sum(len(item.data) for item in items)) == len(body)

    def test_requests_stay_below_the_limit_and_waste_nothing(self) -> None:
        items = [self.encoded(order(number % 90)) for number in range(200)]
        parts = list(pack(self.destination, items))
        assert [item for part in parts for item in part] == items
        bodies = [self.destination.request(part).body for part in parts]
        assert max(map(len, bodies)) <= self.destination.max_request_bytes
        for part, following in pairwise(parts):
            more = sum(len(item.data) for item in (*part, following[0]))
            limit = self.destination.max_request_bytes
            assert self.destination.size(len(part) + 1, more) > limit

    def test_a_request_is_json_and_names_no_host(self) -> None:
        request = self.destination.request([self.encoded(one) for one in OPERATIONS.values()])
        json.loads(request.body)
        assert request.method == "POST"
        assert request.path.startswith("/")

    def test_the_probe_holds_nothing(self) -> None:
        probe = self.destination.probe()
        if probe is None:
            pytest.skip("this destination has none")
        assert probe.body == b""
        assert probe.method == "GET"

    # answers

    @pytest.mark.parametrize(
        "taken",
        [
            answer(200),
            answer(200, b""),
            answer(200, b" \r\n"),
            answer(200, b'{"errors": []}'),
            answer(200, b'{"errors": null}'),
            answer(201),
            answer(202),
            answer(204, b""),
        ],
        ids=["200", "empty", "blank", "no errors", "null errors", "201", "202", "204"],
    )
    def test_all_taken(self, taken: Response) -> None:
        assert self.destination.verdict(taken, 3) == Verdict()

    @pytest.mark.parametrize("status", [200, 207])
    def test_some_refused(self, status: int) -> None:
        body = self.partial(
            [
                {"index": 0, "reason": "invalid", "field": "timestamp"},
                {"index": 2, "reason": "required"},
            ]
        )
        refused = self.destination.verdict(answer(status, body), 3).refused
        assert set(refused) == {0, 2}
        assert "invalid" in refused[0]
        assert "timestamp" in refused[0]
        assert "required" in refused[2]

    def test_a_reason_never_repeats_the_servers_sentence(self) -> None:
        body = self.partial(
            [{"index": 0, "reason": "invalid", "message": "ada@example.com is bad"}]
        )
        assert "ada@" not in self.destination.verdict(answer(207, body), 1).refused[0]

    @pytest.mark.parametrize("status", [200, 207])
    @pytest.mark.parametrize("index", [3, -1, "0", 1.0, True, None])
    def test_an_error_of_no_item_proves_nothing(self, status: int, index: Any) -> None:
        body = self.partial([{"index": index, "reason": "invalid"}])
        with pytest.raises(RetryLater):
            self.destination.verdict(answer(status, body), 3)

    @pytest.mark.parametrize("status", [200, 207])
    def test_an_error_without_an_index(self, status: int) -> None:
        body = self.partial([{"reason": "invalid"}])
        with pytest.raises(RetryLater):
            self.destination.verdict(answer(status, body), 3)
        # A request of one item leaves no doubt whom it means.
        assert set(self.destination.verdict(answer(status, body), 1).refused) == {0}

    def test_a_207_that_names_nothing(self) -> None:
        for body in (b"", b"{}", self.partial([])):
            with pytest.raises(RetryLater):
                self.destination.verdict(answer(207, body), 3)

    @pytest.mark.parametrize(
        "body",
        [
            *(b"<html>", b"{", b"[]", b"null", b'"ok"', b"1", b"\xff\xfe", b"[" * 100_000),
            *(b'{"errors": {}}', b'{"errors": "none"}', b'{"errors": [1]}', b'{"errors": [null]}'),
        ],
        ids=lambda body: body[:20].decode("latin-1"),
    )
    @pytest.mark.parametrize("status", [200, 207])
    def test_a_success_that_cannot_be_read_is_none(self, status: int, body: bytes) -> None:
        with pytest.raises(RetryLater):
            self.destination.verdict(answer(status, body), 3)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            *((status, Misconfigured) for status in (300, 301, 302, 303, 304, 307, 308, 401)),
            *((status, RetryLater) for status in (100, 408, 425, 429)),
            *((status, RetryLater) for status in (500, 501, 502, 503, 504, 522, 524, 599)),
            *((status, Refused) for status in (400, 404, 405, 409, 410, 413, 415, 422)),
            # A wrong key or a refused batch: the courier asks the probe which.
            (403, (Refused, Misconfigured)),
        ],
    )
    @pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"errors": [1]}', b'{"errors": 1}'])
    def test_a_status(self, status: int, error: Any, body: bytes) -> None:
        with pytest.raises(error) as caught:
            self.destination.verdict(answer(status, body), 3)
        assert caught.value.status == status

    def test_a_refusal_says_why(self) -> None:
        body = self.partial([{"reason": "parse_error", "field": "batch", "message": "ada@x.com"}])
        with pytest.raises(Refused, match=r"400.*parse_error.*batch") as caught:
            self.destination.verdict(answer(400, body), 3)
        assert "ada@" not in str(caught.value)

    @pytest.mark.parametrize("status", [408, 429, 503])
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 120 ", 120.0),
            ("301", 300.0),
            ("9" * 4000, 300.0),
            ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
            ("Thu, 01 Jan 2026 09:00:00 GMT", 300.0),
            ("Wed, 31 Dec 2025 23:59:59 GMT", 0.0),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("٣", None),
            ("Thu, 32 Jan 2026 00:00:30 GMT", None),
            ("Thu, 01 Jan 2026 00:00:30 -0000", None),
        ],
    )
    def test_how_long_to_wait(self, status: int, value: str, seconds: float | None) -> None:
        given = answer(status, retry_after=value, date="Thu, 01 Jan 2026 00:00:00 GMT")
        with pytest.raises(RetryLater) as caught:
            self.destination.verdict(given, 3)
        assert caught.value.retry_after == seconds

    def test_a_date_needs_the_servers_own(self) -> None:
        given = answer(503, retry_after="Thu, 01 Jan 2026 00:00:30 GMT")
        with pytest.raises(RetryLater) as caught:
            self.destination.verdict(given, 3)
        assert caught.value.retry_after is None
