"""When a property has drifted, how it is counted, and that counting never stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import AT, delivery, event, mapped, person
from redis import Redis

from adapter.drift import BEFORE_HOURS, ENOUGH, LEAST, RECENT_HOURS, Name, Share, drift, judge
from adapter.errors import StoreError
from adapter.mapping.schema import Schema, read_schema
from adapter.model import LeftOut, Mapped, Product
from adapter.store.connection import connect
from adapter.store.drift import CATALOG, KEEP_SECONDS, MOST_HOURS, PERSON, Drift, Tally, optional
from adapter.strictyaml import parse

PREFIX = "adapter:default:drift:"
HOUR = AT // 3600
TOPIC = "shopify orders/create"

# The rule


def share(events: int, present: float = 1.0, bad: float = 0.0) -> Share:
    return Share(events, round(events * present), round(events * bad))


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (share(200, 0.98), share(9000, 0.98), None),
        (share(200, 0.40), share(9000, 0.98), "present in 40 %, was 98 %"),
        (share(200, 0.78), share(9000, 0.98), "present in 78 %, was 98 %"),
        (share(200, 0.79), share(9000, 0.98), None),
        (share(2000, 0.09), share(9000, 0.20), "present in 9 %, was 20 %"),
        (share(2000, 0.11), share(9000, 0.20), None),
        (share(2000, 0.0), share(9000, 0.05), "present in 0 %, was 5 %"),
        (share(2000, 0.0), share(9000, 0.04), None),
        (share(200, 1.0), share(9000, 0.10), None),
        (share(200, 0.0), share(9000, 0.0), None),
        (share(30, 0.30), share(30, 0.50), None),
        (share(30, 0.40), share(9000, 0.98), "present in 40 %, was 98 %"),
        (share(200, 0.5, 0.5), share(9000, 1.0), "present in 50 %, was 100 %"),
        (share(200, 0.9, 0.1), share(9000, 1.0), "unreadable in 10 %, was 0 %"),
        (share(2000, 0.95, 0.05), share(9000, 1.0), None),
        (share(200, 0.93, 0.07), share(9000, 0.94, 0.06), None),
        (share(200, 0.8, 0.2), share(9000, 0.94, 0.06), "unreadable in 20 %, was 6 %"),
        (share(30, 0.9, 0.1), share(30, 1.0), None),
        (share(200, 0.95), share(9000, 0.5, 0.5), None),
    ],
    ids=[
        "as ever",
        "98 % to 40 %",
        "by 20 points",
        "by a little less",
        "to under half",
        "to a little over half",
        "a rare one is gone",
        "too rare to miss",
        "more often than before",
        "never there",
        "few and few: chance",
        "few, but far",
        "unreadable and so not present",
        "over 5 % unreadable",
        "5 % unreadable",
        "always was a little unreadable",
        "much more unreadable",
        "few unreadable: chance",
        "mended",
    ],
)
def test_the_rule(now: Share, before: Share, why: str | None) -> None:
    assert drift(now, before) == why


def test_of_items_fields_only_the_unreadable_ones_are_known() -> None:
    assert drift(Share(200, 0, 0), Share(9000, 0, 900), in_items=True) is None
    assert drift(Share(200, 0, 60), Share(9000, 0, 0), in_items=True) is not None
    assert drift(Share(200, 0, 900), Share(9000, 0, 0), in_items=True) == (
        "unreadable in 100 %, was 0 %"
    )


def hour(events: int, present: int, bad: int = 0, of: str = "locale") -> dict[Name, int]:
    return {
        Name("order_completed", TOPIC, "", "events"): events,
        Name("order_completed", TOPIC, of, "present"): present,
        Name("order_completed", TOPIC, of, "bad"): bad,
    }


def judged(recent: list[dict[Name, int]], older: dict[Name, int]) -> tuple[Share, Share]:
    (one,) = judge(recent, older)
    return one.now, one.before


QUIET: list[dict[Name, int]] = [{}] * (RECENT_HOURS - 1)


@pytest.mark.parametrize(
    ("recent", "now"),
    [
        ([hour(ENOUGH, 5), hour(300, 290), *QUIET[1:]], Share(ENOUGH, 5, 0)),
        ([hour(ENOUGH - 1, 5), hour(300, 290), *QUIET[1:]], Share(ENOUGH + 299, 295, 0)),
        ([{}, {}, hour(ENOUGH, 5), hour(300, 290), *QUIET[3:]], Share(ENOUGH, 5, 0)),
        ([*QUIET, hour(9, 3)], Share(9, 3, 0)),
        ([{}, *QUIET], Share(0, 0, 0)),
    ],
    ids=["one busy hour", "two hours", "nobody since", "a day of few", "nothing at all"],
)
def test_now_is_the_last_hours_that_hold_enough(recent: list[dict[Name, int]], now: Share) -> None:
    older = hour(1000, 980)
    everything = 1000 + sum(
        one.get(Name("order_completed", TOPIC, "", "events"), 0) for one in recent
    )
    found, before = judged(recent, older)
    assert found == now
    assert before.events == everything - now.events, "what is not now was before"


@pytest.mark.parametrize(
    ("now", "before", "can_tell"),
    [(LEAST, LEAST, True), (LEAST - 1, 900, False), (900, LEAST - 1, False)],
)
def test_too_few_events_tell_nothing(now: int, before: int, can_tell: bool) -> None:
    (one,) = judge([hour(now, 0)], hour(before, before))
    assert one.judged is can_tell
    assert one.drifting is can_tell


def test_topics_are_judged_apart() -> None:
    """orders/create never held it and becomes frequent: nothing has drifted."""
    paid = {name._replace(topic="shopify orders/paid"): n for name, n in hour(1000, 1000).items()}
    found = judge([{**hour(5000, 0), **paid}], {**hour(100, 0), **paid})
    assert [(one.topic, one.drifting) for one in found] == [("shopify orders/paid", False)]


def test_what_drifts_comes_first() -> None:
    def both(of: str, now: int) -> tuple[dict[Name, int], dict[Name, int]]:
        return hour(300, now, of=of), hour(900, 900, of=of)

    recent, older = {}, {}
    for of, now in (("cart_id", 300), ("utm_source", 10), ("locale", 300), ("landing_site", 20)):
        recent |= both(of, now)[0]
        older |= both(of, now)[1]
    found = judge([recent], older)
    assert [(one.name, one.drifting) for one in found] == [
        ("landing_site", True),
        ("utm_source", True),
        ("cart_id", False),
        ("locale", False),
    ]


# Counting

SCHEMA = """
version: 1
person: {email: email, phone: phone, city: text}
item: {name: text, url: "url?", sku: "text?"}
events:
  order_completed:
    order_id: id
    locale: "text?"
    codes: {type: "list of text?"}
    item_count: {type: "integer?", from: items}
    items: list of item
common: {event_id: text}
flat: {skus: sku}
product: {name: "text?", handle: "text?"}
"""


@pytest.fixture(scope="module")
def schema() -> Schema:
    faults: list = []
    root = parse(SCHEMA, "schema.yml", faults)
    assert root is not None
    found = read_schema(root, faults)
    assert found is not None, faults
    return found


@pytest.fixture
def store(redis_url: str) -> Iterator[Drift]:
    client = connect(redis_url, "worker")
    yield Drift(client, "default")
    client.connection_pool.disconnect()


@pytest.fixture
def tally(store: Drift, schema: Schema) -> Tally:
    return Tally(store, schema, every=3600)


def counted(redis: Redis, hour: int = HOUR) -> dict[str, int]:
    found = redis.hgetall(f"{PREFIX}{hour}")
    return {name.decode(): int(count) for name, count in found.items()}


def order(**properties: object) -> Mapped:
    return mapped("d1", person(), event(order_id="1", **properties))


def test_what_may_be_there_or_not(schema: Schema) -> None:
    assert optional(schema) == {
        "order_completed": {"locale", "codes", "skus"},
        PERSON: {"email", "phone", "city"},
        CATALOG: {"name", "handle"},
    }


def test_events_and_their_optional_properties_are_counted(tally: Tally, redis: Redis) -> None:
    nameless = person(None)
    for properties in ({"locale": "de"}, {"locale": "en", "skus": ["A"]}, {}):
        tally.note(mapped("d1", nameless, event(order_id="1", **properties)))
    assert tally.flush(AT)
    assert counted(redis) == {
        f"order_completed|{TOPIC}||events": 3,
        f"order_completed|{TOPIC}|locale|present": 2,
        f"order_completed|{TOPIC}|skus|present": 1,
    }


def test_a_person_is_counted_where_the_body_names_one(tally: Tally, redis: Redis) -> None:
    tally.note(mapped("d1", person("42", email="a@x.com", attributes={"city": "Graz"})))
    tally.note(mapped("d2", person("42")))
    tally.note(mapped("d3", person(None, tokens={"cart": "c1"})))
    tally.note(Mapped("mapped", delivery("d4")))
    tally.flush(AT)
    assert counted(redis) == {
        f"person|{TOPIC}||events": 2,
        f"person|{TOPIC}|email|present": 1,
        f"person|{TOPIC}|city|present": 1,
    }


def test_products_are_counted_but_not_their_removal(tally: Tally, redis: Redis) -> None:
    for product in (
        Product("7", AT, fields={"name": "Tea"}),
        Product("7", AT, fields={"name": "Tea", "handle": "tea"}),
        Product("7", AT, removed=True),
    ):
        tally.note(Mapped("mapped", delivery("d1"), catalog=product))
    tally.flush(AT)
    assert counted(redis) == {
        f"catalog|{TOPIC}||events": 2,
        f"catalog|{TOPIC}|name|present": 2,
        f"catalog|{TOPIC}|handle|present": 1,
    }


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["order_completed.locale"], ["order_completed", "locale"]),
        (["order_completed.codes[0]", "order_completed.codes[7]"], ["order_completed", "codes"]),
        (
            ["order_completed.items[0].url", "order_completed.items[3].url"],
            ["order_completed", "items[].url"],
        ),
        (["person.phone"], ["person", "phone"]),
        (["person.attributes.city"], ["person", "city"]),
        (["catalog.product.name"], ["catalog", "name"]),
        (["catalog.variants[3].sku"], ["catalog", "variants[].sku"]),
    ],
    ids=[
        "a property",
        "elements of a list",
        "a field of items",
        "a contact",
        "an attribute",
        "a product",
        "a variant",
    ],
)
def test_what_was_left_out_is_bad_once_a_delivery(
    tally: Tally, redis: Redis, paths: list[str], names: list[str]
) -> None:
    for _ in range(2):
        left_out = tuple(LeftOut(path, "x") for path in paths)
        tally.note(replace(Mapped("mapped", delivery("d1")), left_out=left_out))
    tally.flush(AT)
    event_name, of = names
    assert counted(redis) == {f"{event_name}|{TOPIC}|{of}|bad": 2}


def test_counts_are_added_up_hour_by_hour_and_end_by_themselves(
    store: Drift, schema: Schema, redis: Redis
) -> None:
    for _ in range(2):
        process = Tally(store, schema, every=3600)
        process.note(order(locale="de"))
        process.flush(AT)
    process.note(order())
    process.flush(AT + 3600)
    assert counted(redis)[f"order_completed|{TOPIC}||events"] == 2
    assert counted(redis, HOUR + 1)[f"order_completed|{TOPIC}||events"] == 1
    assert 0 <= KEEP_SECONDS - redis.ttl(f"{PREFIX}{HOUR}") < 60
    assert KEEP_SECONDS > (RECENT_HOURS + BEFORE_HOURS) * 3600


def test_nothing_is_written_of_nothing(tally: Tally, redis: Redis) -> None:
    tally.note(order())
    assert tally.flush(AT)
    before = counted(redis)
    assert tally.flush(AT)
    assert counted(redis) == before


class Broken(Drift):
    """A Redis that comes and goes."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "default")
        self.gone = True
        self.asked = 0

    def add(self, hours: object) -> None:
        self.asked += 1
        if self.gone:
            raise StoreError("Redis: gone")
        super().add(hours)  # type: ignore[arg-type]


def test_without_redis_counts_are_kept_and_written_later(redis: Redis, schema: Schema) -> None:
    store = Broken(redis)
    tally = Tally(store, schema, every=3600)
    for late in range(3):
        tally.note(order(locale="de"))
        assert not tally.flush(AT + late * 3600)
    assert list(redis.scan_iter(PREFIX + "*")) == []
    store.gone = False
    assert tally.flush(AT + 3 * 3600)
    assert [
        counted(redis, HOUR + late)[f"order_completed|{TOPIC}||events"] for late in range(3)
    ] == [
        1,
        1,
        1,
    ]
    assert tally.flush(AT)
    assert store.asked == 4, "they were written once"


def test_without_redis_for_long_the_oldest_hours_are_given_up(redis: Redis, schema: Schema) -> None:
    store = Broken(redis)
    tally = Tally(store, schema, every=3600)
    for late in range(MOST_HOURS + 2):
        tally.note(order())
        tally.flush(AT + late * 3600)
    store.gone = False
    tally.flush(AT + (MOST_HOURS + 1) * 3600)
    hours = sorted(int(name.rpartition(b":")[2]) - HOUR for name in redis.scan_iter(PREFIX + "*"))
    assert hours == list(range(2, MOST_HOURS + 2))


def test_a_redis_that_is_not_there_is_no_error(schema: Schema) -> None:
    store = Drift(connect("redis://127.0.0.1:1", "web"), "default")
    tally = Tally(store, schema, every=3600)
    tally.note(order())
    assert tally.flush() is False
    with pytest.raises(StoreError):
        store.findings()
    tally._kept.clear()  # nothing is left to be written when the tests end


# From counts to findings


def test_ninety_eight_to_forty_percent_is_found(redis: Redis, store: Drift, schema: Schema) -> None:
    tally = Tally(store, schema, every=3600)

    def day(back_hours: int, present: int, absent: int) -> None:
        for _ in range(present):
            tally.note(order(locale="de", codes=["A"]))
        for _ in range(absent):
            tally.note(order(codes=["A"]))
        assert tally.flush(AT - back_hours * 3600)

    for back in range(30, RECENT_HOURS + BEFORE_HOURS, 24):
        day(back, 98, 2)
    day(RECENT_HOURS + BEFORE_HOURS, 0, 5000)  # too old to count
    day(0, 80, 120)
    found = {one.name: one for one in store.findings(AT) if one.event == "order_completed"}
    assert found["locale"].why == "present in 40 %, was 98 %"
    assert found["locale"].now == Share(200, 80, 0)
    assert found["locale"].before == Share(700, 686, 0)
    assert found["codes"].why is None


def test_what_a_process_knows_of_before_is_read_anew_every_hour(
    redis: Redis, store: Drift, schema: Schema
) -> None:
    tally = Tally(store, schema, every=3600)
    assert store.findings(AT) == []
    for hours in (0, -30):
        tally.note(order(locale="de"))
        tally.flush(AT + hours * 3600)
    (now,) = [one for one in store.findings(AT) if one.event == "order_completed"]
    assert (now.now.events, now.before.events) == (1, 0)
    (later,) = [one for one in store.findings(AT + 3600) if one.event == "order_completed"]
    assert (later.now.events, later.before.events) == (1, 1)
