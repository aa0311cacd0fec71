"""`adapter delivery`: the way of one webhook, from the door to Customer.io's answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backroom import AT, PREFIX, SHOP, Backroom, order
from builders import NAMELESS, event, mapped
from click.testing import Result

from adapter.rehearsal import Rehearsal
from adapter.ulid import event_ulid

from .conftest import Ask

ORDER = str(order()["id"])
ULID = event_ulid("shopify", SHOP, "order_completed", ORDER)
UUID, OTHER = "0b1c2d3e-0001-4000-8000-000000000001", "0b1c2d3e-0002-4000-8000-000000000002"


def read(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_from_the_door_to_the_answer(room: Backroom, ask: Ask) -> None:
    room.order("d1")
    waits = read(ask("delivery", "d1", "--json"))
    assert (waits["outcome"], waits["body"], waits["batches"]) == ("accepted", "kept", [])
    assert [one["before"] for one in waits["pending"]] == [0]
    room.flush()
    found = read(ask("delivery", "d1", "--json"))
    assert found["delivery"] == {
        "id": "d1",
        "platform": "shopify",
        "shop": SHOP,
        "topic": "orders/create",
        "received_at": int(AT) + 1,
    }
    assert found["order"] == ORDER
    assert (found["pending"], found["dead"], found["parked"]) == ([], [], [])
    (batch,) = found["batches"]
    assert batch["events"] == [{"name": "order_completed", "id": ULID, "why": None}]
    assert batch["did"] == [{"action": "identify", "why": None}]
    ((status, items),) = [(one["status"], one["items"]) for one in batch["answers"]]
    assert (status, items) == (200, 2)
    text = ask("delivery", "d1").stdout
    for part in (
        f"received   2026-09-14 14:05:35 UTC from shopify {SHOP}, orders/create",
        "outcome    accepted",
        f"{''}order_completed {ULID}: sent",
        "identify: sent",
        "its body   is kept",
    ):
        assert part in text
    assert "ada@example.com" not in text + json.dumps(found)
    assert "ada@example.com" in ask("delivery", "d1", "--body").stdout


def test_how_many_stand_before_it(room: Backroom, ask: Ask) -> None:
    for number in range(4):
        room.order(f"d{number}", id=1000 + number)
    assert "pending    since" in ask("delivery", "d3").stdout
    assert "3 before it" in ask("delivery", "d3").stdout
    assert "the next to go" in ask("delivery", "d0").stdout


def test_what_another_delivery_told(room: Backroom, ask: Ask) -> None:
    room.order("d1")
    room.order("d2", "orders/paid")
    found = read(ask("delivery", "d2", "--json"))
    assert found["told"] == [{"event": "order_completed", "key": ORDER, "id": ULID, "by": "d1"}]
    assert f"{ULID}: by delivery d1 before" in ask("delivery", "d2").stdout


def test_ignored(room: Backroom, ask: Ask) -> None:
    room.order("d1", test=True)
    assert "outcome    ignored: test order" in ask("delivery", "d1").stdout


def test_parked(room: Backroom, ask: Ask) -> None:
    room.order("d1", "orders/exploded")
    (parked,) = room.letters.parked()
    found = read(ask("delivery", "d1", "--json"))
    assert (found["outcome"], found["body"]) == ("parked", "parked")
    assert [one["id"] for one in found["parked"]] == [parked.id]
    assert f"adapter dead show {parked.id}" in ask("delivery", "d1").stdout
    assert "ada@example.com" in ask("delivery", "d1", "--body").stdout


def test_dead_and_sent_again(room: Backroom, ask: Ask) -> None:
    room.refuse(name="order_completed")
    room.order("d1")
    room.flush()
    room.heal()
    (letter,) = room.letters.dead()
    found = read(ask("delivery", "d1", "--json"))
    assert [(one["id"], one["what"], one["event_id"]) for one in found["dead"]] == [
        (letter.id, "order_completed", ULID)
    ]
    (batch,) = found["batches"]
    assert batch["events"][0]["why"].startswith("dead: ")
    assert f"adapter dead replay {letter.id}" in ask("delivery", "d1").stdout
    assert ask("dead", "replay", letter.id).exit_code == 0
    room.flush()
    found = read(ask("delivery", "d1", "--json"))
    assert found["dead"] == []
    assert [batch["events"][0]["why"] for batch in found["batches"]][1:] == [None]


def test_waiting_for_its_person(room: Backroom, ask: Ask) -> None:
    one = mapped("d1", NAMELESS, event("7", "order_refunded", order_id="1001"), order="1001")
    room.office.outbox.accept(one, b"{}")
    room.flush()
    found = read(ask("delivery", "d1", "--json"))
    assert [(one["kind"], one["value"]) for one in found["waiting"]] == [("order", "1001")]
    assert "waits      until order 1001 says whose it is" in ask("delivery", "d1").stdout


def test_a_rehearsal_says_so(room: Backroom, ask: Ask) -> None:
    room.office.transport, sends = Rehearsal(), room.office.transport
    room.office.rehearsal = True
    room.order("d1")
    room.flush()
    room.office.transport, room.office.rehearsal = sends, False
    assert "rehearsed, not sent" in ask("delivery", "d1").stdout


@pytest.mark.parametrize("start", ["0b1c2d3e-0001", UUID, UUID[:-1]])
def test_the_beginning_of_an_id_may_do(room: Backroom, ask: Ask, start: str) -> None:
    room.order(UUID)
    room.order(OTHER, "orders/paid")
    assert read(ask("delivery", start, "--json"))["id"] == UUID
    # Also of one whose id is remembered no more.
    for name in room.redis.scan_iter(PREFIX + "dedupe:*"):
        room.redis.delete(name)
    assert read(ask("delivery", start, "--json"))["id"] == UUID


def test_the_beginning_of_several(room: Backroom, ask: Ask) -> None:
    room.order(UUID)
    room.order(OTHER, "orders/paid")
    result = ask("delivery", "0b1c2d3e")
    assert result.exit_code == 2
    assert f"2 deliveries begin so: {UUID}, {OTHER}." in " ".join(result.stderr.split())


@pytest.mark.parametrize("id_", ["nobody", "*", "d[12]", "d\udcff"])
def test_nothing_is_known(room: Backroom, ask: Ask, id_: str) -> None:
    room.order("d1")
    result = ask("delivery", id_)
    assert result.exit_code == 1
    assert "it never came here" in result.stderr
    assert "72 hours" in result.stderr


def test_what_gave_way_is_still_known_to_have_come(room: Backroom, ask: Ask) -> None:
    room.order("d1")
    room.flush()
    room.redis.delete(PREFIX + "kept", PREFIX + "journal")
    text = ask("delivery", "d1").stdout
    assert "what it was is kept no more" in text
    assert "its body   is given up" in text


def test_without_redis(ask: Ask) -> None:
    result = ask("delivery", "d1", REDIS_URL="redis://127.0.0.1:1/0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")
