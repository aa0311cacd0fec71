"""`adapter compare`: what was told from here, beside an export of events."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from backroom import Backroom
from click.testing import Result

from adapter.cli.eventfiles import FileProblem, Row, read, unix
from adapter.rehearsal import Rehearsal

from .conftest import Ask

NOW = int(time.time())


def soon() -> int:
    """Within the period of a journal that has just begun."""
    return int(time.time()) + 60


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return {one["event"]: one for one in json.loads(result.stdout)["events"]}


@pytest.fixture
def three(room: Backroom) -> Backroom:
    """Three orders were told; the one of d4 once more by a replay."""
    for number in (1001, 1002, 1003):
        room.order(f"d{number}", id=number)
    room.flush()
    list(room.replayer().run(room.kept.between(None, None)))
    room.flush()
    return room


def write(home: Path, text: str, name: str = "events.csv") -> str:
    (home / name).write_text(text, "utf-8")
    return str(home / name)


def test_one_by_one(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "Event Name,Timestamp,Order ID\n"
        f"Order Completed,{soon()},1001\n"
        f"Order Completed,{soon()},1002\n"
        f"Order Completed,{soon()},1002\n"
        f"Order Completed,{soon()},4711\n"
        f"Something Else,{soon()},4711\n"
        "Order Completed,never,1003\n"
        f"Order Completed,{NOW - 90 * 86400},999\n",
    )
    found = told(ask("compare", file, "--json"))
    one = found["order_completed"]
    assert [one[name] for name in ("ours", "theirs", "keyed", "matched", "doubled")] == [
        3, 4, 4, 2, 1,
    ]  # fmt: skip
    assert [each["delivery"] for each in one["only_ours"]] == ["d1003"]
    assert [each["keys"] for each in one["only_theirs"]] == [["4711"]]
    days = one["days"].values()
    assert [sum(day[whose] for day in days) for whose in ("ours", "theirs")] == [3, 4]
    assert (found["Something Else"]["ours"], found["Something Else"]["theirs"]) == (0, 1)
    text = ask("compare", file).stdout
    for part in (
        "order_completed  3     4       2        1          1",
        "order_completed: 1 is there more than once in theirs",
        "row 5: 4711",
        "of delivery d1003",
        "1 row could not be read:",
        "row 7: its time cannot be read: 'never'",
    ):
        assert part in text, text


def test_rehearsed_batches_count(room: Backroom, ask: Ask, tmp_path: Path) -> None:
    room.office.transport, sends = Rehearsal(), room.office.transport
    room.office.rehearsal = True
    room.order("d1", id=1001)
    room.flush()
    room.office.transport, room.office.rehearsal = sends, False
    file = write(tmp_path, f"name,time,order_id\norder_completed,{NOW},1001\n")
    one = told(ask("compare", file, "--json"))["order_completed"]
    assert (one["rehearsed"], one["matched"]) == (1, 1)
    assert "1 rehearsed" in ask("compare", file).stdout


def test_what_is_dead_was_not_told(room: Backroom, ask: Ask, tmp_path: Path) -> None:
    room.refuse(name="order_completed")
    room.order("d1", id=1001)
    room.flush()
    room.heal()
    file = write(tmp_path, f"name,time,order_id\norder_completed,{soon()},1001\n")
    one = told(ask("compare", file, "--json"))["order_completed"]
    assert (one["ours"], len(one["only_theirs"])) == (0, 1)


def test_without_keys_they_are_only_counted(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    rows = "".join(f"Placed Order,{soon()}\n" for _ in range(2))
    file = write(tmp_path, f"metric,time\n{rows}")
    options = ("--event", "Placed Order=order_completed")
    one = told(ask("compare", file, *options, "--json"))["order_completed"]
    assert (one["ours"], one["theirs"], one["keyed"], one["only_ours"]) == (3, 2, 0, [])
    assert "no key" in ask("compare", file, *options).stdout


def test_our_own_ids_are_the_surest(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    (_, first), *_ = three.journal.of("d1001")
    own = first.events[0].id
    items = [
        {"name": "order_completed", "timestamp": NOW, "data": {"event_id": own}},
        {"name": "order_completed", "timestamp": soon(), "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    ]
    file = write(tmp_path, json.dumps(items), "events.json")
    one = told(ask("compare", file, "--json"))["order_completed"]
    assert (one["matched"], one["keyed"], one["theirs"], len(one["only_theirs"])) == (1, 1, 2, 0)


def test_names_on_the_way_out(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "names.yml").write_text("events: {order_completed: Purchase}\n")
    file = write(tmp_path, f"event,time,order_id\nPurchase,{soon()},1001\n")
    assert told(ask("compare", file, "--json"))["order_completed"]["matched"] == 1


def test_a_period(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    file = write(tmp_path, f"event,time,order_id\norder_completed,{NOW - 7200},8\n")
    one = told(ask("compare", file, "--since", "3h", "--json"))["order_completed"]
    assert (one["ours"], one["theirs"], len(one["only_theirs"])) == (3, 1, 1)
    one = told(ask("compare", file, "--since", "3h", "--until", "1h", "--json"))["order_completed"]
    assert (one["ours"], one["theirs"]) == (0, 1)


def test_rows_outside_the_period_are_said(three: Backroom, ask: Ask, tmp_path: Path) -> None:
    file = write(tmp_path, f"event,time,order_id\norder_completed,{NOW - 7200},8\n")
    text = ask("compare", file).stdout
    assert f"{file.rpartition('/')[2]}: 1 event, compared from" in text
    assert "1 of 1 is outside the period: --since and --until say another" in text
    assert json.loads(ask("compare", file, "--json").stdout)["outside"] == 1
    assert "outside" not in ask("compare", file, "--since", "3h").stdout


def test_nothing_on_either_side(room: Backroom, ask: Ask, tmp_path: Path) -> None:
    file = write(tmp_path, "event,time\n")
    assert "no events on either side" in ask("compare", file).stdout


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        ("a,b\n1,2\n", (), 1, "no column looks like the name of an event; it has a, b"),
        ("event,b\nx,2\n", (), 1, "no column looks like the time of an event"),
        ("event,time\nx,2\n", ("--map", "time=when"), 1, "has no column when"),
        ("event,time\n", ("--map", "place=when"), 2, "no part 'place'"),
        ("event,time\n", ("--map", "time"), 2, "expected two names around a ="),
        ("event,time\n", ("--event", "x=order_complete"), 2, "did you mean 'order_completed'?"),
        ("[{]", (), 1, "is no JSON"),
        ("{]\n{]", (), 1, "neither JSON nor a JSON object a line"),
    ],
)
def test_what_is_refused(
    room: Backroom, ask: Ask, tmp_path: Path, text: str, options: tuple[str, ...], code: int,
    said: str,
) -> None:  # fmt: skip
    result = ask("compare", write(tmp_path, text), *options)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())


def test_without_redis(ask: Ask, tmp_path: Path) -> None:
    file = write(tmp_path, "event,time\n")
    result = ask("compare", file, REDIS_URL="redis://127.0.0.1:1/0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")


# files


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffEvent,Occurred At,order_id\nx,2026-01-01T00:00:00Z,7\n",
        '"name","time","orderId"\r\n"x","2026-01-01 00:00:00 UTC","7.0"\r\n',
        '[{"event_name": "x", "created_at": 1767225600, "order_id": 7}]',
        '{"event": "x", "timestamp": 1767225600000, "properties": {"order_id": "7"}}\n',
        '{"events": [{"name": "x", "time": "1767225600", "order_id": "gid://shopify/Order/7"}]}',
        'name,time,properties\nx,1767225600,"{""order_id"": 7}"\n',
    ],
    ids=["iso", "quoted", "array", "lines, ms", "wrapped", "properties in a column"],
)
def test_kinds_of_files(text: str) -> None:
    rows, bad = read("f", text.encode(), {})
    assert bad == []
    ((_, name, at, keys),) = [(one.where, one.name, one.at, one.keys) for one in rows]
    assert (name, at, keys) == ("x", 1767225600.0, {"order": "7"})


def test_rows_that_cannot_be_read() -> None:
    text = 'event,time\nx,\n,5\nx,1,2,3\nx,99999999999999999\nx,"1767225600"\n'
    rows, bad = read("f", text.encode(), {})
    assert [one.where for one in rows] == ["row 6"]
    assert sorted(bad) == [
        ("row 2", "it tells no time"),
        ("row 3", "it names no event"),
        ("row 4", "it has more columns than the head"),
        ("row 5", "its time cannot be read: '99999999999999999'"),
    ]
    lines = '{"event": "x", "time": 5}\n{oops\n[1]\n'
    rows, bad = read("f", lines.encode(), {})
    assert (len(rows), [one.where for one in bad]) == (1, ["line 2", "line 3"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f is neither CSV with columns nor JSON"),
        ("null", "f is neither CSV with columns nor JSON"),
        ("5\n", "f is neither CSV with columns nor JSON"),
        ('event,time\nx,5\nx,"5"6\n', "f, line 3: no CSV"),
        ("[1", "f is no JSON"),
    ],
)
def test_what_is_no_export(text: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said):
        read("f", text.encode(), {})


def test_columns_by_name() -> None:
    text = "what,when,no\nx,5,7\n"
    rows, _ = read("f", text.encode(), {"name": "What", "time": "when", "key": "no"})
    assert rows == [Row("row 2", "x", 5.0, (), {"key": "7"})]
    with pytest.raises(FileProblem, match="is not UTF-8: byte 1"):
        read("f", b"\xff", {})


@pytest.mark.parametrize(
    ("value", "at"),
    [(5, 5.0), ("1767225600", 1767225600.0), (1767225600500, 1767225600.5),
     ("2026-01-01", 1767225600.0), ("2026-01-01T01:00:00+01:00", 1767225600.0)],
)  # fmt: skip
def test_times(value: Any, at: float) -> None:
    assert unix(value) == at


@pytest.mark.parametrize("value", ["", "soon", -1, "nan", "inf", 10**20])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError):
        unix(value)
