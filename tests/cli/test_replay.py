"""`adapter replay`: what is kept or parked goes in once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backroom import PREFIX, Backroom, order, without_revenue
from click.testing import Result

from adapter.cli import moments, shelf
from adapter.errors import StoreError
from adapter.store.outbox import FULL, Outbox

from .conftest import Ask

ORDER = str(order()["id"])


def read(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def told(room: Backroom) -> Backroom:
    """Two orders that were sent, a test order that was ignored, one parked delivery."""
    room.order("d1", id=1001)
    room.order("d2", id=1002)
    room.order("d3", "orders/paid", id=1003, test=True)
    room.order("d4", "orders/exploded", id=1004)
    room.flush()
    assert len(room.events()) == 2
    return room


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--since", "1h"), ["d1", "d2", "d3", "d4"]),
        (("--until", "1h"), []),
        (("--topic", "orders/create"), ["d1", "d2"]),
        (("--topic", "orders/exploded"), ["d4"]),
        (("--topic", "refunds/create"), []),
        (("--id", "d2", "--id", "d4"), ["d2", "d4"]),
        (("--id", "d2", "--topic", "orders/paid"), []),
        (("--parked",), ["d4"]),
        (("--outcome", "ignored"), ["d3"]),
        (("--outcome", "accepted", "--since", "1d"), ["d1", "d2"]),
    ],
)
def test_what_is_meant(
    told: Backroom, ask: Ask, options: tuple[str, ...], named: list[str]
) -> None:
    before = told.dump()
    document = read(ask("replay", *options, "--dry-run", "--json"))
    found = [one["deliveries"][0]["id"] for one in document["plans"]]
    assert sorted(found) == named
    assert told.dump() == before


def test_a_dry_run_says_what_customerio_will_ignore(told: Backroom, ask: Ask) -> None:
    document = read(ask("replay", "--since", "1h", "--dry-run", "--json"))
    assert document["events"] == [
        {"topic": "orders/create", "event": "order_completed",
         "new": 0, "again": 2, "told": 0, "dropped": 0}
    ]  # fmt: skip
    assert [(one["before"], one["now"], one["count"]) for one in document["outcomes"]] == [
        ("accepted", "accepted", 2), ("ignored", "ignored", 1), ("parked", "parked", 1),
    ]  # fmt: skip
    text = ask("replay", "--since", "1h", "--dry-run").stdout
    assert text.startswith("dry run: 4 would be replayed; nothing was written\n")
    assert "order_completed 1001: sent before: Customer.io ignores it" in text
    everything = text + json.dumps(document)
    assert "ada@example.com" not in everything
    with_all = ask("replay", "--since", "1h", "--dry-run", "--requests", "--json").stdout
    assert "ada@example.com" in with_all


def test_a_replay_and_the_same_once_more(told: Backroom, ask: Ask) -> None:
    for _ in range(2):
        result = ask("replay", "--outcome", "accepted", "--since", "1h", "--yes", "--json")
        assert (result.exit_code, read(result)["replayed"]) == (0, {"accepted": 2})
        told.flush()
    assert told.events() == [("order_completed", "1001"), ("order_completed", "1002")]


def test_what_is_parked_again_stays(told: Backroom, ask: Ask) -> None:
    result = ask("replay", "--parked")
    assert result.exit_code == 1
    assert "would be parked again" in result.stdout
    assert "delivery d4  parked: " in result.stderr
    assert len(list(told.letters.parked())) == 1


def test_what_was_parked_goes_through_once_it_is_mapped(
    told: Backroom, ask: Ask, tmp_path: Path
) -> None:
    custom = tmp_path / "custom" / "shopify"
    custom.mkdir(parents=True)
    (custom / "orders.yml").write_text("topics: [orders/create, orders/exploded]\n")
    dry = read(ask("replay", "--parked", "--dry-run", "--json"))
    assert dry["plans"][0]["now"]["outcome"] == "accepted"
    assert dry["plans"][0]["events"][0]["state"] == "new"
    result = ask("replay", "--parked")
    assert (result.exit_code, result.stdout.split()) == (0, ["1", "accepted"])
    told.flush()
    assert ("order_completed", "1004") in told.events()
    assert ask("replay", "--parked").stdout == "nothing of that is kept\n"
    # It is kept as what it became.
    assert read(ask("replay", "--id", "d4", "--dry-run", "--json"))["plans"][0]["place"] == "kept"


def test_todays_mappings_may_park_what_was_taken(told: Backroom, ask: Ask, tmp_path: Path) -> None:
    without_revenue(tmp_path)
    result = ask("replay", "--id", "d1", MAPPINGS_DIR=str(tmp_path / "mappings"))
    assert result.exit_code == 1
    assert "delivery d1  parked: " in result.stderr
    assert list(told.office.outbox.read("", 10)) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "say which"),
        (("--since", "2h", "--until", "3h"), 2, "--until: it is not after --since"),
        (("--until", "3h", "--since", "2h"), 2, "--until: it is not after --since"),
        (("--id", "\udcff"), 1, "No body of a delivery ? is kept"),
        (("--parked", "--outcome", "ignored"), 2, "contradict each other"),
        (("--id", "nobody"), 1, "No body of a delivery nobody is kept"),
        (("--since", "1h"), 2, "4 deliveries would be replayed. Say --yes"),
        (("--since", "soon"), 2, "'soon' is no time"),
        (("--parked", "--requests"), 2, "--requests goes with"),
        (("--outcome", "lost"), 2, "lost"),
        (("--topic", "orders/creat"), 2, "'orders/creat' is known, did you mean 'orders/create'?"),
        (("--shop", "other.example"), 2, "nothing ever came from 'other.example'"),
    ],
)
def test_what_is_refused(
    told: Backroom, ask: Ask, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = told.dump()
    result = ask("replay", *arguments)
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
    assert told.dump() == before


def test_without_redis(ask: Ask) -> None:
    result = ask("replay", "--since", "1h", REDIS_URL="redis://127.0.0.1:1/0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")


def test_a_redis_that_fills_says_how_far_it_came(
    told: Backroom, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, calls = Outbox.accept, []

    def fills(self: Outbox, *args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise StoreError(FULL)
        return accept(self, *args, **more)

    monkeypatch.setattr(Outbox, "accept", fills)
    result = ask("replay", "--topic", "orders/create", "--yes")
    assert result.exit_code == 1
    assert f"{FULL}\nStopped after 1 of 2. Run it again" in result.stderr


def test_bodies_that_gave_way(told: Backroom, ask: Ask) -> None:
    told.redis.delete(PREFIX + "kept")
    document = read(ask("replay", "--since", "1h", "--dry-run", "--json"))
    assert [one["deliveries"][0]["id"] for one in document["plans"]] == ["d4"]
    assert ask("replay", "--id", "d1").exit_code == 1


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("gone", [0, 1, 3])
def test_bodies_that_give_way_while_it_is_replayed_are_told(
    told: Backroom, ask: Ask, monkeypatch: pytest.MonkeyPatch, gone: int, as_json: bool
) -> None:
    """Between the count and the walk, as where somebody takes long to say yes."""
    oldest = [place for place, _ in told.redis.xrange(PREFIX + "kept", count=gone)] if gone else []

    def gives_way(*_: object, **__: object) -> None:
        if oldest:
            told.redis.xdel(PREFIX + "kept", *oldest)

    told.redis.delete(PREFIX + "parked")
    monkeypatch.setattr(shelf, "agreed", gives_way)
    result = ask("replay", "--since", "1h", *["--json"] * as_json)
    assert result.exit_code == (1 if gone else 0)
    said = f"{gone} of 3 are not there any more: their bodies gave way"
    assert (said in " ".join(result.stderr.split())) == bool(gone)
    if as_json:
        assert read(result)["missing"] == gone
        assert len(read(result)["results"]) == 3 - gone


@pytest.mark.parametrize(
    ("text", "end", "at"),
    [
        ("2026-01-01", False, 1767225600),
        ("2026-01-01", True, 1767312000),
        ("2026-01-01T01:00", False, 1767229200),
        ("2026-01-01T01:00Z", True, 1767229200),
        ("2026-01-01T01:00:00+01:00", False, 1767225600),
    ],
)
def test_moments(text: str, end: bool, at: float) -> None:
    assert moments.moment(text, end=end) == at


@pytest.mark.parametrize("text", ["1969-12-31", "0001-01-01", "999999999w", "20000d"])
def test_moments_before_all_time(told: Backroom, ask: Ask, text: str) -> None:
    for option in ("--since", "--until"):
        for command in (("replay", "--dry-run"), ("dead", "list")):
            result = ask(*command, option, text)
            assert result.exit_code in (0, 2), result.output
            assert result.exit_code == 0 or "before 1970" in result.output


@pytest.mark.parametrize(("text", "ago"), [("2h", 7200), ("3d", 259200), ("90 min", 5400)])
def test_moments_before_now(monkeypatch: pytest.MonkeyPatch, text: str, ago: int) -> None:
    monkeypatch.setattr(moments.time, "time", lambda: 1767225600.0)
    assert moments.moment(text) == 1767225600 - ago
