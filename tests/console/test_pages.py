"""Every page, with nothing to show and with something, as whoever looks at it finds it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from backroom import SHOP, Backroom, order
from redis import Redis

from adapter.alerts import State
from adapter.drift import Name
from adapter.mapping import parse_body
from adapter.settings import shipped
from adapter.store.alerts import States
from adapter.store.drift import Drift
from adapter.store.recent import Recent
from tests.console.conftest import Page, Visitor

EMAIL = "grace@example.com"
PAGES = ("/", "/deliveries", "/letters", "/people", "/playground", "/contract", "/audit")


def with_email(email: str = EMAIL, **changes: Any) -> dict[str, Any]:
    customer = {**order()["customer"], "email": email}
    return {"email": email, "contact_email": email, "customer": customer, **changes}


def fill(room: Backroom) -> None:
    """Deliveries of every kind: sent, dead, parked, ignored, pending."""
    assert room.order("d-sent", id=1001, **with_email()) == "accepted"
    room.flush()
    room.refuse(name="order_completed")
    assert room.order("d-dead", id=1002) == "accepted"
    room.flush()
    room.heal()
    room.take("d-unknown", "orders/exploded", {"id": 1})
    assert room.order("d-parked", id=1003, total_price="twelve", currency="EUR") == "parked"
    room.order("d-test", id=1004, test=True)
    room.order("d-pending", id=1005)


def place_of(redis: Redis, delivery: str) -> str:
    for id_, fields in redis.xrange("adapter:default:kept"):
        if json.loads(fields[b"d"])["id"] == delivery:
            return id_.decode()
    raise AssertionError(f"{delivery} is not kept")


def test_a_browser_that_was_given_the_host_alone_is_shown_the_way(visitor: Visitor) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = visitor.client.get("/", headers=browser)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert 'href="/console/"' in answer.text
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert visitor.client.get("/", headers=headers).get_json() == {"error": "Not Found"}
    assert visitor.client.get("/no", headers=browser).get_json() == {"error": "Not Found"}


@pytest.mark.parametrize("path", PAGES)
def test_every_page_with_nothing_to_show(operator: Visitor, path: str) -> None:
    page = operator.page(path)
    assert 'aria-current="page"' in page.text


def test_every_page_with_something_and_all_that_they_lead_to(
    operator: Visitor, room: Backroom
) -> None:
    fill(room)
    todo, seen = list(PAGES), set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        todo += operator.page(path).links()
    assert len(seen) > 40
    kinds = ("/deliveries/", "/letters/dead/group/", "/letters/parked/", "/people?", "/contract?")
    for start in kinds:
        assert [path for path in seen if path.startswith(start)], start


@pytest.mark.parametrize(
    "path",
    ["/no", "/deliveries/x", "/deliveries/1-1", "/deliveries/1-1-1", "/letters/dead/1-1",
     "/letters/kept/1-1", "/letters/dead/group/" + "0" * 16, "/letters/dead/group/x",
     "/contract?event=no", "/audit?before=x", "/deliveries?before=x", "/static/../site.py",
     "/static/no.css"],
)  # fmt: skip
def test_what_is_not_there(operator: Visitor, path: str) -> None:
    answer = operator.get(path)
    assert answer.status_code == 404
    Page(answer)


def test_a_redis_that_is_gone(operator: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Gone

    def gone(*_: Any, **__: Any) -> Any:
        raise Gone

    monkeypatch.setattr("redis.client.Redis.execute_command", gone)
    answer = operator.get("/deliveries")
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.text


class TestOverview:
    def test_nothing_came_yet(self, operator: Visitor) -> None:
        page = operator.page("/")
        assert page.words("figure-accepted") == "Accepted 0"
        assert "no worker listens" in page.words("banners")

    def test_figures_charts_and_what_needs_somebody(
        self, operator: Visitor, room: Backroom
    ) -> None:
        fill(room)
        page = operator.page("/")
        assert page.words("figure-accepted") == "Accepted 3"
        assert page.words("figure-parked") == "Parked 2"
        assert page.words("figure-dead") == "Dead 1"
        assert page.words("figure-ignored") == "Ignored 1"
        assert page.words("figure-pending").startswith("Pending 1")
        assert page.words("figure-latency") != "From door to settled -"
        banners = page.words("banners")
        assert "1 dead" in banners
        assert "2 parked" in banners
        assert banners.count("Look at it here") == 2
        sent = page.words("chart-sent-minute")
        assert "order_completed" in sent
        # In one minute, or in the two that it began and ended in.
        accepted = re.findall(r"accepted (\d+)", page.words("chart-per-minute"))
        assert sum(map(int, accepted)) == 3
        assert "orders/create" not in page.words("unseen").split()
        assert "checkouts/create" in page.words("unseen")
        assert "200" in page.words("health")

    def test_the_part_that_is_looked_at_again(self, operator: Visitor, room: Backroom) -> None:
        before = Page(operator.get("/?part=live"), part=True)
        assert before.words("figure-accepted") == "Accepted 0"
        room.order("d1")
        again = Page(operator.get("/?part=live"), part=True)
        assert again.words("figure-accepted") == "Accepted 1"
        assert "<html" not in again.text
        assert "accepted 1" in again.words("chart-per-minute")

    def test_a_pause_says_what_to_do(self, operator: Visitor, redis: Redis) -> None:
        redis.hset("adapter:default:trouble", "paused", "1")
        redis.hset("adapter:default:last_error", mapping={"reason": "401", "at": int(time.time())})
        page = operator.page("/")
        assert "delivery is paused: 401" in page.words("banners")
        assert "credentials" in page.words("banners")
        assert "delivery is paused" in page.words("health")

    def test_what_is_broken_stands_first(self, operator: Visitor, room: Backroom) -> None:
        fill(room)
        text = operator.page("/").text
        levels = re.findall(r'<div class="banner (broken|warning)" data-finding', text)
        assert levels == sorted(levels)
        assert set(levels) == {"broken", "warning"}

    def test_health_stands_above_the_charts(self, operator: Visitor) -> None:
        text = operator.page("/").text
        assert text.index('id="health"') < text.index('id="charts"')

    def test_alerts_that_are_on(self, operator: Visitor, redis: Redis) -> None:
        on = State(since=1767225600, seen=1767225600, measure="12, expected 80", fired=1767225700)
        over = replace(on, measure="it is over", over=1767225800)
        silent = replace(on, measure="nobody knows", fired=None)
        States(redis, "default").write(
            {}, {("volume", "order_completed"): on, ("dead", ""): over, ("silent", "x"): silent}
        )
        banners = operator.page("/").words("banners")
        assert "volume (order_completed): 12, expected 80" in banners
        assert "it is over" not in banners
        assert "nobody knows" not in banners

    def test_events_by_the_hour(self, operator: Visitor, redis: Redis) -> None:
        hour = int(time.time()) // 3600
        topic = "shopify orders/create"
        drift = Drift(redis, "default")
        drift.add({hour - 3: {Name("order_completed", topic, "", "events"): 17}})
        text = operator.page("/").words("chart-per-hour")
        assert "order_completed" in text
        assert "17" in text

    def test_webhooks_by_the_hour(self, operator: Visitor, redis: Redis) -> None:
        assert "chart-webhooks-hour" not in operator.page("/").ids
        hour = int(time.time()) // 3600
        counts = {"topic shopify s orders/create": 40, "topic shopify s carts/update": 2}
        redis.hset(f"adapter:default:volume:{hour - 1}", mapping={**counts, "event x": 7})
        assert "42" in operator.page("/").words("chart-webhooks-hour")

    def test_more_than_one_look_reads(
        self, redis: Redis, room: Backroom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The newest are counted; the chart begins where they do, and does not guess."""
        monkeypatch.setattr("adapter.store.recent.MOST_KEPT", 3)
        recent = Recent(redis, "default")
        before = recent.now()
        assert sum(sum(parts.values()) for _, parts in before.webhooks) == 0
        for number in range(2):
            room.order(f"a{number}", id=number + 1)
        assert sum(sum(parts.values()) for _, parts in recent.now().webhooks) == 2
        for number in range(5):
            room.order(f"b{number}", id=number + 10)
        now = recent.now()
        assert sum(sum(parts.values()) for _, parts in now.webhooks) <= 3
        assert now.since > before.since
        assert len(now.webhooks) <= 2 < len(before.webhooks)


class TestDeliveries:
    @pytest.fixture(autouse=True)
    def filled(self, room: Backroom) -> None:
        fill(room)

    def test_what_became_of_each(self, operator: Visitor) -> None:
        text = operator.page("/deliveries").words("rows")
        for said in ("sent order_completed", "dead order_completed", "parked unknown topic",
                     "pending waits to be sent", "ignored"):  # fmt: skip
            assert said in text, said
        assert text.index("d-pending") < text.index("d-dead") < text.index("d-sent")
        assert "twelve" not in text

    @pytest.mark.parametrize(
        ("form", "found"),
        [
            ({"topic": "orders/exploded"}, ["d-unknown"]),
            ({"outcome": "ignored"}, ["d-test"]),
            ({"outcome": "parked"}, ["d-parked", "d-unknown"]),
            ({"order": "1002"}, ["d-dead"]),
            ({"shop": SHOP, "order": "1001"}, ["d-sent"]),
            ({"shop": "no.example"}, []),
            ({"who": EMAIL}, ["d-sent"]),
            ({"who": EMAIL.upper()}, ["d-sent"]),
            ({"who": "1005"}, ["d-pending"]),
            ({"who": "100"}, []),
            ({"id": "d-p", "outcome": "accepted"}, ["d-pending"]),
        ],
        ids=str,
    )
    def test_filters(self, operator: Visitor, form: dict[str, str], found: list[str]) -> None:
        page = operator.follow("/deliveries/find", form)
        names = ("d-sent", "d-dead", "d-unknown", "d-parked", "d-test", "d-pending")
        text = page.words("rows")
        assert sorted(name for name in names if name in text) == found
        assert ("empty" in page.ids) == (not found)

    def test_what_was_typed_stands_in_no_address(self, operator: Visitor) -> None:
        answer = operator.post("/deliveries/find", {"who": EMAIL})
        assert "grace" not in answer.location
        page = operator.page(answer.location.removeprefix("/console"))
        assert f'value="{EMAIL}"' in page.text
        assert "grace" not in "".join(page.links())

    def test_a_delivery_id_leads_to_it(self, operator: Visitor, redis: Redis) -> None:
        answer = operator.post("/deliveries/find", {"id": "d-sent"})
        assert answer.location == f"/console/deliveries/{place_of(redis, 'd-sent')}"

    def test_a_delivery_id_in_the_address_leads_to_it(
        self, operator: Visitor, redis: Redis
    ) -> None:
        answer = operator.get("/deliveries/d-sent")
        assert answer.status_code == 303
        assert answer.location == f"/console/deliveries/{place_of(redis, 'd-sent')}"

    def test_one_that_nobody_knows_of(self, operator: Visitor) -> None:
        answer = operator.get("/deliveries/7f1b4c2e")
        assert answer.status_code == 404
        page = Page(answer)
        assert "Nothing is kept at or under 7f1b4c2e" in page.words("failure")
        assert "URL" not in page.text

    def test_of_a_long_id_the_first_block_is_shown(self, operator: Visitor, room: Backroom) -> None:
        id_ = "5f2d8a0c-3b1e-4f67-95ad-02c4e8b7d613"
        room.order(id_, id=77)
        page = operator.page("/deliveries")
        assert "5f2d8a0c..." in page.words("rows")
        assert id_ not in page.words("rows")
        assert f'title="{id_}"' in page.text

    def test_a_search_that_is_too_long_ago(self, operator: Visitor) -> None:
        assert "too long ago" in operator.page("/deliveries?who=~gone").text

    def test_the_rows_alone(self, operator: Visitor) -> None:
        page = Page(operator.get("/deliveries?part=rows&topic=orders/exploded"), part=True)
        assert "d-unknown" in page.text
        assert "d-sent" not in page.text
        assert "<table" not in page.text

    def test_one_that_was_sent(self, operator: Visitor, redis: Redis) -> None:
        page = operator.page(f"/deliveries/{place_of(redis, 'd-sent')}")
        way = page.words("way")
        assert way.index("received") < way.index("mapped") < way.index("sent")
        assert "order_completed" in page.words("events")
        assert "200 after" in page.words("answers")
        assert "POST /api/v2/batch" in page.words("requests")
        assert "to the door" in page.words("facts")

    def test_one_that_died(self, operator: Visitor, redis: Redis) -> None:
        page = operator.page(f"/deliveries/{place_of(redis, 'd-dead')}")
        assert "dead" in page.words("way")
        (link,) = [each for each in page.links() if each.startswith("/letters/dead/1")]
        assert "order_completed" in operator.page(link).words("operation")

    def test_one_that_was_parked(self, operator: Visitor, redis: Redis) -> None:
        page = operator.page(f"/deliveries/{place_of(redis, 'd-parked')}")
        assert "parked" in page.words("way")
        assert "order_completed.revenue: expected money" in page.words("way")
        assert "twelve" not in page.words("way") + page.words("facts")
        (link,) = [each for each in page.links() if each.startswith("/letters/parked/1")]
        letter = operator.page(link)
        assert "twelve" not in letter.words("reason")
        assert "twelve" in Page(operator.post(link, {"unmask": "1"})).words("reason")

    def test_one_that_waits(self, operator: Visitor, redis: Redis, room: Backroom) -> None:
        page = operator.page(f"/deliveries/{place_of(redis, 'd-pending')}")
        assert "waits in the outbox" in page.words("way")
        fixture = shipped("fixtures") / "shopify" / "refunds_create.json"
        refund = {**parse_body(fixture.read_bytes()), "order_id": 777}
        assert room.take("d-refund", "refunds/create", refund) == "accepted"
        room.flush()
        page = operator.page(f"/deliveries/{place_of(redis, 'd-refund')}")
        assert "order 777 says whose it is" in page.words("way")

    def test_personal_data_is_hidden_until_asked(self, operator: Visitor, redis: Redis) -> None:
        body = order()
        path = f"/deliveries/{place_of(redis, 'd-sent')}"
        page = operator.page(path)
        secrets = [EMAIL, body["customer"]["first_name"], body["customer"]["last_name"]]
        for each in secrets:
            assert each not in page.text, each
        assert "•••" in page.words("body")
        assert "1001" in page.words("body")
        answer = operator.post(path, {"unmask": "1"})
        assert answer.status_code == 200
        shown = Page(answer)
        for each in secrets:
            assert each in shown.text, each
        assert EMAIL in shown.words("requests")
        audit = operator.page("/audit").words("audit")
        assert "unmask" in audit
        assert "d-sent" in audit
        assert EMAIL not in audit
        assert operator.page(path).text.count(EMAIL) == 0


class TestPeople:
    def test_somebody_by_whatever_they_go_by(self, operator: Visitor, room: Backroom) -> None:
        body = order()
        room.order("d1", **with_email())
        room.flush()
        id_ = str(body["customer"]["id"])
        for who in (id_, EMAIL, str(body["id"]), body.get("cart_token") or id_):
            page = operator.follow("/people/find", {"who": who})
            assert id_ in page.words("person-known"), who
            assert "says so" in page.words("attributes")
            assert str(body["id"]) in page.words("orders")

    def test_nothing_personal_stands_in_the_address(self, operator: Visitor) -> None:
        answer = operator.post("/people/find", {"who": EMAIL})
        assert "grace" not in answer.location
        page = operator.page(answer.location.removeprefix("/console"))
        assert "Nothing is known of" in page.words("unknown")

    def test_what_is_only_a_part_of_an_address_stays_in_its_field(self, operator: Visitor) -> None:
        page = operator.follow("/people/find", {"who": "ada@"})
        assert "'ada@' is no whole email" in page.words("problem")
        assert 'value="ada@"' in page.text

    def test_a_cart_that_an_order_cleared_has_no_time(
        self, operator: Visitor, room: Backroom
    ) -> None:
        room.order("d1", **with_email())
        room.flush()
        page = operator.follow("/people/find", {"who": EMAIL})
        assert "cleared by an order" in page.words("attributes")
        assert "1970" not in page.text

    def test_what_was_not_typed_is_hidden(self, operator: Visitor, room: Backroom) -> None:
        room.order("d1", **with_email())
        room.flush()
        id_ = str(order()["customer"]["id"])
        assert EMAIL not in operator.page(f"/people?who={id_}").text
        shown = operator.post(f"/people?who={id_}", {"unmask": "1"})
        assert EMAIL in shown.text
        audit = operator.page("/audit").words("audit")
        assert f"id {id_}" in audit
        assert EMAIL not in audit

    def test_nor_is_told_whose_an_order_is(self, operator: Visitor, room: Backroom) -> None:
        """That of a guest belongs to an address or a number."""
        phone = "+4915112345678"
        room.order("d1", id=77001, **{**with_email(), "customer": None})
        room.order("d2", id=77002, email=None, contact_email=None, phone=phone, customer=None)
        room.flush()
        for order_id, secret in (("77001", EMAIL), ("77002", phone)):
            path = operator.post("/people/find", {"who": order_id}).location
            path = path.removeprefix("/console")
            page = operator.page(path)
            assert "owner" in page.words("named")
            assert secret not in page.text
            assert secret in operator.post(path, {"unmask": "1"}).text

    def test_why_an_event_went_out_or_not(self, operator: Visitor, room: Backroom) -> None:
        room.order("d1")
        room.flush()
        id_ = str(order()["customer"]["id"])
        form = {"who": id_, "event": "order_completed", "order": str(order()["id"])}
        page = operator.follow("/people/find", form)
        assert 'data-verdict="sent"' in page.text
        assert "went out" in page.words("answers")
        form = {"who": id_, "event": "order_completed", "order": "404"}
        assert 'data-verdict="unknown"' in operator.follow("/people/find", form).text
        page = operator.page(f"/people?who={id_}&event=order_complete")
        assert "did you mean 'order_completed'" in page.words("problem")

    @pytest.mark.parametrize("who", ["@", "+", "+12", "a@", "x" * 300])
    def test_what_nobody_is_called(self, operator: Visitor, who: str) -> None:
        page = operator.follow("/people/find", {"who": who})
        assert "problem" in page.ids or "unknown" in page.ids


class TestContract:
    def test_all_events_and_one_of_them(self, operator: Visitor) -> None:
        page = operator.page("/contract")
        assert "order_completed" in page.words("contract")
        assert "Bodies today" in page.words("contract")
        page = operator.page("/contract?event=order_completed")
        assert "revenue" in page.words("properties")
        assert operator.page("/contract?event=person")
        assert operator.page("/contract?event=catalog")

    def test_what_changed_abruptly_is_marked(self, operator: Visitor, redis: Redis) -> None:
        hour = int(time.time()) // 3600
        topic = "shopify orders/create"
        events = Name("order_completed", topic, "", "events")
        there = Name("order_completed", topic, "discount_codes", "present")
        drift = Drift(redis, "default")
        drift.add({hour - each: {events: 300, there: 291} for each in range(30, 60)})
        drift.add({hour - each: {events: 300, there: 3} for each in range(3)})
        page = operator.page("/contract?event=order_completed")
        row = page.words("p-discount_codes")
        assert "present in 1 %, was 91 %" in row
        assert "changed" in row
        assert "changed" not in page.words("p-cart_id")
        assert "discount_codes" in operator.page("/contract").words("drifts")
        assert "discount_codes of order_completed" in operator.page("/").words("banners")


def test_the_audit_page_by_page(operator: Visitor, redis: Redis) -> None:
    for number in range(150):
        facts = json.dumps({"count": number})
        redis.xadd("adapter:default:audit", {"w": "drop", "s": "abc", "f": facts})
    page = operator.page("/audit")
    assert "count 149" in page.words("audit")
    assert "count 10;" not in page.words("audit")
    (older,) = [each for each in page.links() if "before=" in each]
    assert "log-in" in operator.page(older).words("audit")
