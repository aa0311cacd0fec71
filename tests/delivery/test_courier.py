"""Packing, halving, and telling a bad item from a bad day."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from builders import happening, identify

from adapter.courier import CONFIRMATIONS, FAILURES_BEFORE_HALVING, Courier, Report, encode, pack
from adapter.destinations.base import Item, Request, Response
from adapter.destinations.track import ITEM_BYTES, REQUEST_BYTES, Track
from adapter.errors import Misconfigured, RetryLater, SendError
from adapter.mapping.names import Names
from adapter.model import Operation

TRACK = Track()
Answer = Response | SendError
Rule = Callable[[Sequence[str]], Answer]


def answer(status: int, body: str = "{}", **headers: str) -> Response:
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body.encode())


OK = answer(200)


@dataclass
class CustomerIo:
    """Stands for Customer.io: `rule` answers the keys of a batch, `probe` the region check."""

    rule: Rule
    probe: Answer = OK
    batches: list[list[str]] = field(default_factory=list)
    probes: int = 0

    def send(self, request: Request) -> Response:
        if request.method == "GET":
            self.probes += 1
            given = self.probe
        else:
            items = json.loads(request.body)["batch"]
            keys = [item["attributes"]["order_id"] for item in items]
            self.batches.append(keys)
            given = self.rule(keys)
        if isinstance(given, SendError):
            raise given
        return given

    @property
    def requests(self) -> int:
        return len(self.batches) + self.probes


def operations(count: int, size: int = 10) -> list[Operation]:
    """Events with the keys "0", "1", ... of about so many bytes."""
    return [happening(str(n), order_id=str(n), note="x" * size) for n in range(count)]


def deliver(
    there: CustomerIo, count: int, *, failures: int = 0, size: int = 10, **more: Any
) -> Report:
    courier = Courier(TRACK, there, **more)
    return courier.deliver(courier.encode(operations(count, size)), failures=failures)


def keys(operations: Sequence[Operation]) -> list[str]:
    return [operation.attributes["order_id"] for operation in operations]


def dead(report: Report) -> dict[str, str]:
    return {operation.attributes["order_id"]: reason for operation, reason in report.dead}


def but(bad: Collection[str], given: Answer) -> Rule:
    """Any batch that holds one of these keys gets this answer, all others are taken."""
    return lambda keys: given if set(bad) & set(keys) else OK


def always(given: Answer) -> Rule:
    return lambda _: given


def accounted(report: Report, count: int) -> bool:
    """Every operation is in at most one list, and in one of them if there was no trouble."""
    told = [*keys(report.taken), *dead(report)]
    whole = report.trouble is not None or len(told) == count
    return len(set(told)) == len(report.taken) + len(report.dead) == len(told) and whole


# Packing


def test_what_fits_goes_in_one_request() -> None:
    there = CustomerIo(always(OK))
    report = deliver(there, 500)
    assert there.batches == [[str(n) for n in range(500)]]
    assert keys(report.taken) == [str(n) for n in range(500)]
    assert (report.dead, report.trouble) == ([], None)


def test_what_does_not_fit_goes_in_the_fewest_in_order() -> None:
    there = CustomerIo(always(OK))
    report = deliver(there, 100, size=20_000)
    assert [len(batch) for batch in there.batches] == [24, 24, 24, 24, 4]
    assert keys(report.taken) == [str(n) for n in range(100)]


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_to_the_byte(over: int) -> None:
    items = [TRACK.encode(one) for one in operations(17, 28_000)]
    room = REQUEST_BYTES - TRACK.size(17, sum(len(item.data) for item in items))
    while room > 30_000:
        items.append(TRACK.encode(happening("y", order_id="y", note="y" * 28_000)))
        room = REQUEST_BYTES - TRACK.size(len(items), sum(len(item.data) for item in items))
    bare = len(TRACK.encode(happening("z", order_id="z", note="")).data)
    items.append(TRACK.encode(happening("z", order_id="z", note="z" * (room - bare - 1 + over))))
    parts = list(pack(TRACK, items))
    assert len(parts) == 1 + over
    if not over:
        assert len(TRACK.request(parts[0]).body) == REQUEST_BYTES


def test_nothing_to_deliver_is_no_request() -> None:
    there = CustomerIo(always(OK))
    assert deliver(there, 0) == Report()
    assert there.requests == 0


def test_what_no_request_may_hold_is_dead_without_one() -> None:
    there = CustomerIo(always(OK))
    report = deliver(there, 1, size=40_000)
    assert dead(report) == {"0": "larger than 32768 bytes"}
    assert there.requests == 0


def test_what_was_shortened_is_counted() -> None:
    there = CustomerIo(always(OK))
    some = [
        identify(order_id="a", note="x" * 1001),
        identify(order_id="b"),
        happening("c", order_id="c"),
    ]
    courier = Courier(TRACK, there)
    report = courier.deliver(courier.encode(some))
    assert (len(report.taken), report.shortened) == (3, 1)


# Names on the way out

NAMES = Names(
    events={"order_completed": "Purchase"},
    properties={"order_completed": {"items": "products", "items_truncated": "cut", "note": "memo"}},
    items={"product_id": "ProductIdentifier", "name": "ProductName"},
    item_lists={"order_completed": ("items",)},
    attributes={"city": ("city", "town")},
)


def lines(count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"Tea {n}", "quantity": 1, "price": 2.5, "product_id": str(n), "vendor": "x" * 30}
        for n in range(count)
    ]


def sent(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(item.data)
    return found


def test_outgoing_names_are_in_the_bytes_and_nowhere_else() -> None:
    some = [identify(city="Graz"), happening("1", note="x", items=lines(1))]
    parcel = encode(TRACK, some, NAMES)
    assert [item.operation for item in parcel.items] == some
    assert all(item.operation is one for item, one in zip(parcel.items, some, strict=True))
    assert sent(parcel.items[0])["attributes"] == {"city": "Graz", "town": "Graz"}
    purchase = sent(parcel.items[1])
    assert (purchase["name"], purchase["id"]) == ("Purchase", some[1].id)
    assert set(purchase["attributes"]) == {"memo", "products"}
    assert purchase["attributes"]["products"][0]["ProductName"] == "Tea 0"


def test_the_dead_keep_their_canonical_names() -> None:
    one = happening("1", note="x" * 40_000)
    parcel = encode(TRACK, [one], NAMES)
    assert parcel.dead == [(one, "larger than 32768 bytes")]
    assert parcel.dead[0][0] is one


@pytest.mark.parametrize(
    ("count", "fields", "whole"),
    [
        (60, {"name", "quantity", "price", "product_id", "vendor"}, True),
        (560, {"name", "quantity", "price"}, True),
        (2000, {"name", "quantity", "price"}, False),
    ],
    ids=["fits", "without optional fields", "without its tail"],
)
@pytest.mark.parametrize("names", [Names(), NAMES], ids=["canonical", "outgoing"])
def test_too_large_an_event_is_cut_alike_under_any_name(
    names: Names, count: int, fields: set[str], whole: bool
) -> None:
    one = happening("1", revenue=1250.0, item_count=count, items=lines(count))
    (item,) = encode(TRACK, [one], names).items
    kept = sent(item)["attributes"]
    products = kept[names.property("order_completed", "items")]
    assert (kept["revenue"], kept["item_count"]) == (1250.0, count)
    assert products == [
        {names.item(field): value for field, value in line.items() if field in fields}
        for line in lines(len(products))
    ]
    assert (len(products) == count) is whole
    assert ("items" in item.shortened) is not whole
    assert kept.get(names.property("order_completed", "items_truncated"), False) is (count > 60)
    assert whole or ITEM_BYTES - 100 < len(item.data) <= ITEM_BYTES, "as many as fit"
    assert item.operation is one


def test_what_customerio_may_not_be_sent_is_left_out_under_outgoing_names_too() -> None:
    one = happening("1", note="x", recipient="b@x.com")
    (item,) = encode(TRACK, [one], NAMES).items
    assert sent(item)["attributes"] == {"memo": "x"}
    assert item.shortened == ("recipient",)


# Refused for what it holds


def test_a_207_names_its_dead() -> None:
    body = '{"errors":[{"batch_index":1,"reason":"invalid","field":"timestamp"}]}'
    there = CustomerIo(always(answer(207, body)))
    report = deliver(there, 3)
    assert keys(report.taken) == ["0", "2"]
    assert dead(report) == {"1": "invalid (timestamp)"}
    assert there.requests == 1


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(
    "culprits", [{"0"}, {"7"}, {"99"}, {"41", "42"}, {"0", "50", "99"}, {str(n) for n in range(8)}]
)
def test_a_refused_request_is_halved_until_the_culprit_stands_alone(
    status: int, culprits: set[str]
) -> None:
    there = CustomerIo(but(culprits, answer(status)))
    report = deliver(there, 100)
    assert set(dead(report)) == culprits
    assert set(dead(report).values()) == {f"answered {status}"}
    assert keys(report.taken) == [str(n) for n in range(100) if str(n) not in culprits]
    assert accounted(report, 100)
    assert there.probes == 0
    assert there.requests <= 1 + 2 * 7 * len(culprits)


def test_a_request_that_is_too_large_for_them_alone_goes_in_halves() -> None:
    there = CustomerIo(lambda keys: answer(413) if len(keys) > 10 else OK)
    report = deliver(there, 100)
    assert (len(report.taken), report.dead, report.trouble) == (100, [], None)


def test_the_reason_of_the_dead_is_the_servers() -> None:
    refusal = answer(400, '{"errors":[{"reason":"invalid","field":"id","message":"ada@x.com"}]}')
    report = deliver(CustomerIo(always(refusal)), 1)
    assert dead(report) == {"0": "answered 400: invalid (id)"}


@pytest.mark.parametrize("status", [402, 403, 404, 405, 410])
def test_another_4xx_is_about_the_host_or_key_when_the_probe_fails(status: int) -> None:
    for probe in (answer(status), answer(401), answer(500), answer(302), RetryLater("silence")):
        there = CustomerIo(always(answer(status)), probe)
        report = deliver(there, 10)
        assert isinstance(report.trouble, Misconfigured)
        assert report.trouble.status == status
        assert (report.taken, report.dead, there.requests) == ([], [], 2)


@pytest.mark.parametrize("status", [402, 403, 404, 405, 410])
def test_another_4xx_is_about_the_item_when_the_probe_is_well(status: int) -> None:
    there = CustomerIo(but({"3"}, answer(status)))
    report = deliver(there, 10)
    assert dead(report) == {"3": f"answered {status}"}
    assert len(report.taken) == 9
    assert there.probes > 0


# Trouble


TROUBLE: dict[str, tuple[Answer, type[SendError]]] = {
    "401": (answer(401), Misconfigured),
    "302": (answer(302), Misconfigured),
    "408": (answer(408), RetryLater),
    "429": (answer(429), RetryLater),
    "500": (answer(500), RetryLater),
    "503": (answer(503, retry_after="7"), RetryLater),
    "unreadable": (answer(200, "<html>"), RetryLater),
    "no answer": (RetryLater("no answer: ReadTimeout"), RetryLater),
}


@pytest.mark.parametrize(("given", "kind"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_stops_it_and_nothing_moves(given: Answer, kind: type[SendError]) -> None:
    there = CustomerIo(always(given))
    report = deliver(there, 100, size=20_000)
    assert type(report.trouble) is kind
    assert (report.taken, report.dead, there.requests) == ([], [], 1)


@pytest.mark.parametrize(("given", "kind"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_in_the_middle_keeps_what_was_reached(given: Answer, kind: type[SendError]) -> None:
    there = CustomerIo(but({"50"}, given))
    report = deliver(there, 100, size=20_000)
    assert type(report.trouble) is kind
    assert keys(report.taken) == [str(n) for n in range(48)]
    assert report.dead == []
    assert there.requests == 3


def test_trouble_while_halving_keeps_what_was_reached() -> None:
    def rule(keys: Sequence[str]) -> Answer:
        if len(keys) > 4:
            return answer(400)
        return answer(500) if "6" in keys else but({"1"}, answer(400))(keys)

    report = deliver(CustomerIo(rule), 8)
    assert dead(report) == {"1": "answered 400"}
    assert keys(report.taken) == ["0", "2", "3"]
    assert isinstance(report.trouble, RetryLater)


@pytest.mark.parametrize("failures", range(FAILURES_BEFORE_HALVING))
def test_nobody_is_suspected_too_early(failures: int) -> None:
    there = CustomerIo(but({"3"}, answer(500)))
    report = deliver(there, 10, failures=failures)
    assert (report.taken, report.dead, there.requests) == ([], [], 1)


# After five in a row: looking for the item on which they break


POISON = {
    "the only bad one": {"37"},
    "the first": {"0"},
    "the last": {"99"},
    "two adjacent": {"41", "42"},
    "the first two": {"0", "1"},
    "the last two": {"98", "99"},
    "far apart": {"0", "50", "99"},
}


@pytest.mark.parametrize("given", [answer(500), answer(200, "<html>"), RetryLater("no answer")])
@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_an_item_that_fails_alone_while_others_pass_is_dead(
    poison: set[str], given: Answer
) -> None:
    there = CustomerIo(but(poison, given))
    report = deliver(there, 100, failures=5)
    assert report.trouble is None
    assert set(dead(report)) == poison
    assert all(reason.startswith("fails alone: ") for reason in dead(report).values())
    assert keys(report.taken) == [str(n) for n in range(100) if str(n) not in poison]
    assert accounted(report, 100)
    assert there.requests <= 2 * 7 * len(poison) + 1 + 2 * CONFIRMATIONS * len(poison)


def test_a_poison_item_in_each_of_several_requests() -> None:
    there = CustomerIo(but({"3", "60"}, answer(500)))
    report = deliver(there, 100, size=20_000, failures=5)
    assert set(dead(report)) == {"3", "60"}
    assert len(report.taken) == 98


def test_a_refused_item_beside_a_poison_one() -> None:
    def rule(keys: Sequence[str]) -> Answer:
        return but({"3"}, answer(400))(keys) if "7" not in keys else answer(500)

    report = deliver(CustomerIo(rule), 10, failures=5)
    assert dead(report) == {"3": "answered 400", "7": "fails alone: answered 500"}
    assert len(report.taken) == 8


def test_what_was_answered_before_the_search_goes_on_is_not_sent_again() -> None:
    """The whole is refused for one item; of its halves one passes and the other fails."""

    def rule(keys: Sequence[str]) -> Answer:
        return answer(400) if "3" in keys else but({"7"}, answer(500))(keys)

    there = CustomerIo(rule)
    report = deliver(there, 10, failures=5)
    assert dead(report) == {"3": "answered 400", "7": "fails alone: answered 500"}
    assert accounted(report, 10)
    assert ["3"] in there.batches
    assert there.batches.count(["3"]) == 1


@pytest.mark.parametrize("probe", [OK, answer(500)])
@pytest.mark.parametrize("given", [answer(500), answer(408), RetryLater("no answer")])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_in_an_outage_nobody_dies_and_few_are_asked(
    count: int, given: Answer, probe: Answer
) -> None:
    there = CustomerIo(always(given), probe)
    report = deliver(there, count, failures=99)
    assert isinstance(report.trouble, RetryLater)
    assert (report.taken, report.dead) == ([], [])
    assert there.requests <= 2 * count.bit_length() + 4


@pytest.mark.parametrize("well", range(1, 8))
def test_an_outage_in_the_middle_of_the_search_kills_nobody(well: int) -> None:
    """One item is bad, and after a few answers the destination goes down altogether."""

    def rule(keys: Sequence[str]) -> Answer:
        return but({"0"}, answer(500))(keys) if len(there.batches) <= 10 + well else answer(500)

    there = CustomerIo(rule, probe=answer(500))
    report = deliver(there, 1000, failures=5)
    assert report.dead == []
    assert report.taken
    assert isinstance(report.trouble, RetryLater)
    assert there.requests <= 10 + well + 2 * (1000).bit_length() + 4


def test_many_bad_ones_side_by_side_die_while_the_destination_is_well() -> None:
    poison = {str(n) for n in range(100, 160)}
    report = deliver(CustomerIo(but(poison, answer(500))), 200, failures=5)
    assert set(dead(report)) == poison
    assert len(report.taken) == 140


def test_a_suspect_that_passes_after_all_is_taken() -> None:
    alone = 0

    def rule(keys: Sequence[str]) -> Answer:
        nonlocal alone
        if "3" not in keys:
            return OK
        alone += len(keys) == 1
        return OK if alone > 1 else answer(500)

    report = deliver(CustomerIo(rule), 10, failures=5)
    assert sorted(keys(report.taken), key=int) == [str(n) for n in range(10)]
    assert (report.dead, report.trouble) == ([], None)


def test_a_suspect_lives_while_the_probe_fails() -> None:
    report = deliver(CustomerIo(but({"3"}, answer(500)), answer(500)), 10, failures=5)
    assert report.dead == []
    assert len(report.taken) == 9
    assert isinstance(report.trouble, RetryLater)


def test_alone_in_the_outbox_there_is_nobody_to_compare_with() -> None:
    report = deliver(CustomerIo(but({"0"}, answer(500))), 1, failures=5)
    assert report.dead == []
    assert isinstance(report.trouble, RetryLater)


@pytest.mark.parametrize(
    "given",
    [answer(429), answer(429, retry_after="9"), answer(503, retry_after="9")],
    ids=["429", "429 with Retry-After", "503 with Retry-After"],
)
@pytest.mark.parametrize("failures", [0, 5, 99])
def test_being_told_to_slow_down_never_kills(given: Answer, failures: int) -> None:
    there = CustomerIo(but({"3"}, given))
    report = deliver(there, 10, failures=failures)
    assert report.dead == []
    assert report.trouble is not None
    assert there.requests == 1


def test_a_throttle_after_the_search_never_kills_a_suspect() -> None:
    alone = 0

    def rule(keys: Sequence[str]) -> Answer:
        nonlocal alone
        if "3" not in keys:
            return OK
        alone += len(keys) == 1
        return answer(429) if alone > 1 else answer(500)

    report = deliver(CustomerIo(rule), 10, failures=5)
    assert report.dead == []
    assert report.trouble is not None
    assert report.trouble.status == 429


# Asked to stop


@pytest.mark.parametrize("failures", [0, 5])
def test_asked_to_stop_before_it_begins(failures: int) -> None:
    there = CustomerIo(always(OK))
    report = deliver(there, 10, failures=failures, stopped=lambda: True)
    assert isinstance(report.trouble, RetryLater)
    assert (report.taken, report.dead, there.requests) == ([], [], 0)


def test_asked_to_stop_between_two_requests() -> None:
    there = CustomerIo(always(OK))
    report = deliver(there, 100, size=20_000, stopped=lambda: len(there.batches) == 2)
    assert keys(report.taken) == [str(n) for n in range(48)]
    assert isinstance(report.trouble, RetryLater)


@pytest.mark.parametrize("after", range(1, 12))
def test_asked_to_stop_at_any_point_of_the_search_kills_nobody(after: int) -> None:
    def rule(keys: Sequence[str]) -> Answer:
        # A request that is cut because of the stop looks like any other that fails.
        stopped = len(there.batches) >= after
        return RetryLater("no answer: cut by us") if stopped else but({"3"}, answer(500))(keys)

    there = CustomerIo(rule)
    report = deliver(there, 10, failures=5, stopped=lambda: len(there.batches) >= after)
    if report.trouble is not None:
        assert report.dead == []
    assert set(dead(report)) <= {"3"}
    assert there.requests <= after + 1


@pytest.mark.parametrize("fails", range(1, CONFIRMATIONS + 1))
def test_an_item_that_passes_in_the_end_lives(fails: int) -> None:
    """The host fails at random: this item alone, again and again, and then it does not."""
    left = [fails + 1]

    def rule(batch: Sequence[str]) -> Answer:
        if batch != ["3"]:
            return answer(500) if "3" in batch else OK
        left[0] -= 1
        return answer(500) if left[0] else OK

    report = deliver(CustomerIo(rule), 8, failures=5)
    assert (report.trouble, report.dead) == (None, [])
    assert sorted(keys(report.taken)) == [str(n) for n in range(8)]
