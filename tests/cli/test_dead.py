"""`adapter dead`: what was refused or parked is listed, shown, replayed and dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backroom import PREFIX, SHOP, Backroom, order
from click.testing import Result

from adapter.cli import shelf

from .conftest import Ask

ORDER, ADA = str(order()["id"]), "ada@example.com"
GONE = {"REDIS_URL": "redis://127.0.0.1:1/0"}


def read(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def full(room: Backroom) -> Backroom:
    """Two dead events and a dead identify; two parked deliveries."""
    room.refuse(name="order_completed")
    room.order("d1", id=1001)
    room.order("d2", id=1002)
    room.flush()
    room.refuse(id="8274950138263")
    room.take(
        "d3", "customers/update", {**order()["customer"], "updated_at": "2026-10-22T08:00:05-04:00"}
    )
    room.flush()
    room.heal()
    room.order("d4", "orders/exploded")
    room.order("d5", "orders/exploded")
    return room


def ids(room: Backroom, event: str | None = "order_completed") -> list[str]:
    return [one.id for one in room.letters.dead() if one.operation.name == event]


def test_nothing_is_dead(room: Backroom, ask: Ask) -> None:
    lines = ask("dead", "list").stdout.splitlines()
    assert [line.split(":")[0:2] for line in lines] == [
        ["dead", " 0 operations that Customer.io refused"],
        ["parked", " 0 deliveries that could not be mapped, or waited too long"],
    ]
    assert read(ask("dead", "list", "--json"))["dead"] == {"count": 0, "groups": [], "items": []}


def test_a_list_by_reason(full: Backroom, ask: Ask) -> None:
    document = read(ask("dead", "list", "--json"))
    groups = [(one["what"], one["count"]) for one in document["dead"]["groups"]]
    assert groups[0] == ("order_completed", 2)
    assert ("identify", 1) in groups
    ((parked),) = document["parked"]["groups"]
    assert (parked["what"], parked["count"]) == ("orders/exploded", 2)
    text = ask("dead", "list").stdout
    assert f"{ids(full)[0]}  order_completed" in text
    assert ADA not in text + json.dumps(document)


@pytest.mark.parametrize(
    ("options", "dead", "parked"),
    [
        ((), 3, 2),
        (("--event", "order_completed"), 2, 0),
        (("--event", "identify"), 1, 0),
        (("--topic", "customers/update"), 1, 0),
        (("--topic", "orders/exploded"), 0, 2),
        (("--topic", "orders/paid"), 0, 0),
        (("--event", "merge"), 0, 0),
        (("--since", "1h"), 3, 2),
        (("--until", "1h"), 0, 0),
        (("--reason", "UNKNOWN TOPIC"), 0, 2),
    ],
)
def test_a_selection(
    full: Backroom, ask: Ask, options: tuple[str, ...], dead: int, parked: int
) -> None:
    document = read(ask("dead", "list", "--json", *options))
    assert (document["dead"]["count"], document["parked"]["count"]) == (dead, parked)


def test_a_line_for_each(full: Backroom, ask: Ask) -> None:
    lines = ask("dead", "list", "--ids", "--limit", "2").stdout.splitlines()
    assert lines[2].startswith(ids(full)[0])
    assert lines[4] == "and 1 more: --limit shows them"
    assert "dead" not in read(ask("dead", "list", "--parked", "--json"))


def test_one_is_shown_without_what_is_personal(full: Backroom, ask: Ask) -> None:
    (identify,), (event, _) = ids(full, None), ids(full)
    for one in (identify, event):
        assert ADA not in ask("dead", "show", one).stdout
        assert ADA not in ask("dead", "show", one, "--json").stdout
    told = read(ask("dead", "show", event, "--json"))
    assert told["operation"]["attributes"]["order_id"] == "1001"
    assert told["operation"]["attributes"]["revenue"] == 23.0
    assert told["bodies"] == ["here"]
    assert read(ask("dead", "show", identify, "--json"))["operation"]["attributes"]["email"] == (
        shelf.HIDDEN
    )
    assert ADA in ask("dead", "show", identify, "--unmask").stdout
    assert ADA in ask("dead", "show", event, "--body").stdout
    (body,) = read(ask("dead", "show", event, "--body", "--json"))["body"]
    assert json.loads(body)["id"] == 1001


def test_a_parked_one_is_shown(full: Backroom, ask: Ask) -> None:
    parked, _ = full.letters.parked()
    told = read(ask("dead", "show", parked.id, "--json"))
    assert (told["place"], told["body_is"]) == ("parked", "here")
    assert "its body is here" in ask("dead", "show", parked.id).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "1-0"), 1, "nothing dead or parked under 1-0"),
        (("show", "d1"), 2, "'d1' is no id"),
        (("show", f"{2**64}-0"), 2, "is no id"),
        (("show", "1-"), 2, "is no id"),
        (("show", "\N{FULLWIDTH DIGIT ONE}-0"), 2, "is no id"),
        (("replay", "1-0"), 1, "no dead letter under 1-0"),
        (("replay", "--parked", "1-0"), 1, "nothing parked under 1-0"),
        (("drop", "1-0"), 1, "no dead letter under 1-0"),
        (("replay",), 2, "say which"),
        (("drop",), 2, "say which"),
        (("replay", "--all", "--event", "x"), 2, "contradict"),
        (("replay", "--all"), 2, "3 would be replayed. Say --yes"),
        (("drop", "--all"), 2, "3 would be dropped for good. Say --yes"),
        (("list", "--since", "yesterday"), 2, "'yesterday' is no time"),
        (
            ("list", "--event", "order_complete"),
            2,
            "there is no event 'order_complete', did you mean 'order_completed'?",
        ),
        (("replay", "--event", "x"), 2, "there is no event 'x': `adapter schema` lists them"),
        (
            ("drop", "--parked", "--topic", "orders/creat"),
            2,
            "no topic 'orders/creat' is known, did you mean 'orders/create'?",
        ),
        (
            ("list", "--shop", "other.example"),
            2,
            f"nothing ever came from 'other.example'; there is {SHOP}",
        ),
    ],
)
def test_what_is_refused(
    full: Backroom, ask: Ask, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = full.dump()
    result = ask("dead", *arguments)
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
    assert full.dump() == before


@pytest.mark.parametrize("arguments", [("list",), ("show", "1-0"), ("drop", "1-0")])
def test_without_redis(ask: Ask, arguments: tuple[str, ...]) -> None:
    result = ask("dead", *arguments, **GONE)
    assert result.exit_code == 1
    assert result.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")


def test_all_of_one_event_go_out_again(full: Backroom, ask: Ask) -> None:
    dry = read(ask("dead", "replay", "--event", "order_completed", "--dry-run", "--json"))
    assert dry["events"] == [
        {"topic": "orders/create", "event": "order_completed",
         "new": 2, "again": 0, "told": 0, "dropped": 0}
    ]  # fmt: skip
    result = ask("dead", "replay", "--event", "order_completed", "--yes", "--json")
    assert (result.exit_code, read(result)["replayed"]) == (0, {"revived": 2})
    full.flush()
    assert full.events() == [("order_completed", "1001"), ("order_completed", "1002")]
    assert ids(full) == []
    again = ask("dead", "replay", "--event", "order_completed", "--yes")
    assert (again.exit_code, again.stdout) == (0, "nothing of that is there\n")


def test_a_remap(full: Backroom, ask: Ask) -> None:
    one, _ = ids(full)
    result = ask("dead", "replay", one, "--remap", "--json")
    assert read(result)["results"][0]["outcome"] == "accepted"
    assert one not in ids(full)
    again = ask("dead", "replay", one, "--remap")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "it was replayed or dropped" in again.stderr


def test_one_that_another_told_stays(full: Backroom, ask: Ask) -> None:
    full.order("d9", "orders/paid", id=1001)
    one, _ = ids(full)
    result = ask("dead", "replay", one)
    assert result.exit_code == 1
    assert f"{one}  delivery d1  told: another delivery has told this event" in result.stderr
    assert one in ids(full)


@pytest.mark.parametrize(("said", "left"), [("y\n", 0), ("n\n", 2)])
def test_on_a_terminal_it_asks(
    full: Backroom, ask: Ask, monkeypatch: pytest.MonkeyPatch, said: str, left: int
) -> None:
    monkeypatch.setattr(shelf, "is_terminal", lambda: True)
    ask("dead", "drop", "--all", "--parked", said=said)
    assert len(list(full.letters.parked())) == left


def test_what_is_dropped_is_gone(full: Backroom, ask: Ask) -> None:
    one, other = ids(full)
    assert ask("dead", "drop", one).stdout == "dropped 1\n"
    assert read(ask("dead", "drop", "--parked", "--all", "--yes", "--json")) == {"dropped": 2}
    assert ids(full) == [other]
    assert list(full.letters.parked()) == []
    assert ask("dead", "drop", one).exit_code == 1


def test_a_body_that_was_given_up(room: Backroom, ask: Ask) -> None:
    room.refuse(name="order_completed")
    room.order("d1")
    room.redis.delete(PREFIX + "kept")
    room.flush()
    (one,) = ids(room)
    assert "its body is given up" in ask("dead", "show", one).stdout
    result = ask("dead", "replay", one, "--remap")
    assert result.exit_code == 1
    assert "its body was given up (delivery d1): it can go out only as it is" in result.stderr
    assert ids(room) == [one]


def test_what_lies_on_the_other_side_is_said(full: Backroom, ask: Ask) -> None:
    """`dead list` shows both, so the id of the one is easily given for the other."""
    found = read(ask("dead", "list", "--json"))
    aside, letter = found["parked"]["items"][0]["id"], found["dead"]["items"][0]["id"]
    for verb in ("replay", "drop"):
        done = ask("dead", verb, aside)
        assert (done.exit_code, done.stderr) == (
            1,
            f"Error: {aside} is parked: say it with --parked.\n",
        )
        done = ask("dead", verb, "--parked", letter)
        assert (done.exit_code, done.stderr) == (
            1,
            f"Error: {letter} is dead: say it without --parked.\n",
        )


def test_a_dead_letter_that_was_parked_on_its_second_way(full: Backroom, ask: Ask) -> None:
    (identify,) = (one for one in full.letters.dead() if one.operation.action == "identify")
    full.letters.revive([identify])
    parked = full.condemn()
    listed = read(ask("dead", "list", "--parked", "--event", "identify", "--json"))["parked"]
    assert [one["id"] for one in listed["items"]] == [parked.id]
    assert read(ask("dead", "show", parked.id, "--json"))["operation"]["attributes"]["email"] == (
        shelf.HIDDEN
    )
    assert ADA in ask("dead", "show", parked.id, "--unmask").stdout
    replayed = read(ask("dead", "replay", "--parked", parked.id, "--json"))["replayed"]
    assert replayed == {"requeued": 1}
