"""Dead and parked: grouped, planned, replayed until the outbox holds them again, dropped."""

from __future__ import annotations

import json
import logging

import pytest
from backroom import PREFIX, Backroom
from redis import Redis

from tests.console.conftest import Page, Visitor
from tests.console.test_pages import place_of


@pytest.fixture
def letters(room: Backroom) -> None:
    """Three dead of a kind, and two parked of another."""
    room.refuse(name="order_completed")
    for number in range(3):
        room.order(f"d{number}", id=2000 + number)
    room.flush()
    room.heal()
    for number in range(2):
        room.take(f"p{number}", "orders/exploded", {"id": number})


def group(operator: Visitor, place: str) -> str:
    page = operator.page("/letters")
    (found,) = {link for link in page.links() if link.startswith(f"/letters/{place}/group/")}
    return found


def ids(redis: Redis, place: str) -> list[str]:
    return [id_.decode() for id_, _ in redis.xrange(PREFIX + place)]


def fields(page: Page, form: str) -> dict[str, list[str]]:
    """What a form of a page holds, as a browser would send it."""
    found: dict[str, list[str]] = {}
    inside = False
    for tag, attrs in page.tags:
        if tag == "form":
            inside = attrs.get("id") == form
        if inside and tag == "input" and attrs.get("type") == "hidden":
            found.setdefault(attrs["name"] or "", []).append(attrs["value"] or "")
    assert found, f"no form {form}"
    return found


@pytest.mark.usefixtures("letters")
class TestLetters:
    def test_they_are_grouped_by_reason(self, operator: Visitor) -> None:
        page = operator.page("/letters")
        assert page.words("dead").count("order_completed") == 1
        assert " 3 order_completed " in f" {page.words('dead')} "
        assert " 2 orders/exploded unknown topic" in f" {page.words('parked')} "

    def test_one_is_replayed_until_it_is_delivered(
        self, operator: Visitor, room: Backroom, redis: Redis
    ) -> None:
        """First a plan, which writes nothing; then it waits in the outbox, and goes out."""
        first = ids(redis, "dead")[0]
        before = room.dump()
        form = {"place": "dead", "id": first, "action": "replay"}
        plan = operator.post("/letters/plan", form)
        assert plan.status_code == 200
        page = Page(plan)
        assert "order_completed" in page.words("plan-events")
        changed = {name for name, value in room.dump().items() if before.get(name) != value}
        assert changed == set(), "a plan writes nothing"
        assert redis.xlen(PREFIX + "outbox") == 0

        done = operator.follow("/letters/do", fields(page, "do"))
        assert "Replayed 1 of 1 (1 revived); 1 events go out." in done.words("messages")
        assert redis.xlen(PREFIX + "outbox") == 1
        assert first not in ids(redis, "dead")
        room.flush()
        assert room.events() == [("order_completed", "2000")]
        assert redis.xlen(PREFIX + "outbox") == 0
        rows = operator.get("/deliveries?part=rows&order=2000").text
        assert "sent" in rows
        assert "dead" not in rows, "it is no more"
        assert "dead" in operator.get("/deliveries?part=rows&order=2001").text

    def test_a_group_is_replayed(self, operator: Visitor, room: Backroom, redis: Redis) -> None:
        key = group(operator, "dead").rpartition("/")[2]
        form = {"place": "dead", "group": key, "action": "replay"}
        page = Page(operator.post("/letters/plan", form))
        assert "3" in page.words("plan")
        done = operator.follow("/letters/do", fields(page, "do"))
        assert "Replayed 3 of 3" in done.words("messages")
        assert ids(redis, "dead") == []
        room.flush()
        assert [id_ for _, id_ in room.events()] == ["2000", "2001", "2002"]

    def test_a_selection_is_replayed_by_todays_mappings(
        self, operator: Visitor, room: Backroom, redis: Redis
    ) -> None:
        chosen = ids(redis, "dead")[:2]
        page = operator.page(group(operator, "dead"))
        assert all(f'value="{each}"' in page.text for each in chosen)
        form = {"place": "dead", "id": chosen, "action": "replay", "remap": "1"}
        plan = Page(operator.post("/letters/plan", form))
        found = fields(plan, "do")
        assert found["remap"] == ["1"]
        assert found["id"] == chosen
        done = operator.follow("/letters/do", found)
        assert "Replayed 2 of 2 (2 accepted)" in done.words("messages")
        assert len(ids(redis, "dead")) == 1
        assert redis.xlen(PREFIX + "outbox") == 2

    def test_what_is_still_unknown_stays_parked(self, operator: Visitor, redis: Redis) -> None:
        form = {"place": "parked", "id": ids(redis, "parked"), "action": "replay"}
        page = Page(operator.post("/letters/plan", form))
        assert "unknown topic" in page.words("plan")
        done = operator.follow("/letters/do", fields(page, "do"))
        assert "Replayed 0 of 2 (2 parked); 0 events" in done.words("messages")
        assert len(ids(redis, "parked")) == 2

    @pytest.mark.parametrize(("place", "count"), [("dead", 3), ("parked", 2)])
    def test_a_group_is_dropped(
        self, operator: Visitor, redis: Redis, place: str, count: int
    ) -> None:
        key = group(operator, place).rpartition("/")[2]
        form = {"place": place, "group": key, "action": "drop"}
        page = Page(operator.post("/letters/plan", form))
        assert "given up for good" in page.words("plan")
        assert len(ids(redis, place)) == count
        done = operator.follow("/letters/do", fields(page, "do"))
        assert f"Dropped {count} for good." in done.words("messages")
        assert ids(redis, place) == []
        assert f"{place}-empty" in done.ids

    @pytest.mark.parametrize("action", ["replay", "drop"])
    def test_only_what_was_shown(self, operator: Visitor, redis: Redis, action: str) -> None:
        """A group may have grown since its plan."""
        key = group(operator, "dead").rpartition("/")[2]
        before = ids(redis, "dead")
        form = {"place": "dead", "group": key, "action": action}
        assert operator.post("/letters/do", form).status_code == 400
        assert ids(redis, "dead") == before

    def test_two_who_do_it_at_once(self, operator: Visitor, redis: Redis) -> None:
        """What is gone meanwhile is neither replayed twice nor an error."""
        all_ids = ids(redis, "dead")
        redis.xdel(PREFIX + "dead", all_ids[0])
        form = {"place": "dead", "id": all_ids, "action": "replay"}
        page = operator.follow("/letters/do", form)
        assert "Replayed 2 of 2" in page.words("messages")
        assert "1 of the chosen are there no more" in page.words("messages")
        page = operator.follow("/letters/do", form)
        assert "Nothing was done" in page.words("messages")

    def test_it_is_written_down_before(
        self, operator: Visitor, redis: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = ids(redis, "dead")[0]
        with caplog.at_level(logging.INFO, "adapter"):
            operator.post("/letters/do", {"place": "dead", "id": first, "action": "replay"})
            operator.post("/letters/do", {"place": "parked", "action": "drop",
                                          "id": ids(redis, "parked")})  # fmt: skip
        told = [vars(each) for each in caplog.records if each.msg == "console"]
        assert [(each["act"], each["place"], each["count"]) for each in told] == [
            ("replay", "dead", 1),
            ("drop", "parked", 2),
        ]
        assert told[0]["ids"] == [first]
        assert told[0]["deliveries"] == ["d0"]
        acts = redis.xrange(PREFIX + "audit")
        assert [fields_[b"w"] for _, fields_ in acts] == [b"log-in", b"replay", b"drop"]
        page = operator.page("/audit").words("audit")
        assert f"ids {first}" in page

    def test_a_kept_delivery_is_replayed(
        self, operator: Visitor, room: Backroom, redis: Redis
    ) -> None:
        room.order("d-sent", id=3000)
        room.flush()
        place = place_of(redis, "d-sent")
        form = fields(operator.page(f"/deliveries/{place}"), "replay")
        page = Page(operator.post("/letters/plan", {**form, "action": "replay"}))
        assert "sent before" in page.text.lower()
        done = operator.follow("/letters/do", fields(page, "do"))
        assert "Replayed 1 of 1 (1 accepted)" in done.words("messages")
        assert redis.xlen(PREFIX + "outbox") == 1

    @pytest.mark.parametrize("gone", [0, 1, 2])
    def test_bodies_that_gave_way_since_the_plan_are_told(
        self, operator: Visitor, room: Backroom, redis: Redis, gone: int
    ) -> None:
        for number in range(2):
            room.order(f"k{number}", id=3000 + number)
        room.flush()
        places = [place_of(redis, f"k{number}") for number in range(2)]
        for place in places[:gone]:
            redis.xdel(PREFIX + "kept", place)
        form = {"place": "kept", "id": places, "action": "replay"}
        said = operator.follow("/letters/do", form).words("messages")
        assert (f"{gone} of the chosen are there no more" in said) == bool(gone)
        assert (f"Replayed {2 - gone} of {2 - gone}" in said) == (gone < 2)

    @pytest.mark.parametrize(
        "form",
        [
            {},
            {"place": "dead"},
            {"place": "dead", "action": "burn"},
            {"place": "kept", "action": "drop", "id": "1-1"},
            {"place": "outbox", "action": "drop", "id": "1-1"},
            {"place": "dead", "action": "drop", "id": "x"},
            {"place": "dead", "action": "drop", "id": ["1-1"] * 501},
        ],
        ids=lambda form: json.dumps(form)[:40],
    )
    def test_a_form_that_nobody_sent(
        self, operator: Visitor, redis: Redis, form: dict[str, object]
    ) -> None:
        for path in ("/letters/plan", "/letters/do"):
            assert operator.post(path, form).status_code == 400
        assert len(ids(redis, "dead")) == 3

    def test_nothing_chosen(self, operator: Visitor) -> None:
        page = operator.follow("/letters/plan", {"place": "dead", "action": "drop"})
        assert "Nothing was chosen" in page.words("messages")

    def test_personal_data_of_a_letter(self, operator: Visitor, redis: Redis) -> None:
        path = f"/letters/dead/{ids(redis, 'dead')[0]}"
        page = operator.page(path)
        (body,) = [name for name in page.ids if name == "operation"]
        assert "order_completed" in page.words(body)
        before = page.text
        after = operator.post(path, {"unmask": "1"}).text
        assert before.count("•••") > after.count("•••") == 0
