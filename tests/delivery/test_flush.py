"""The story of delivery, with a real Valkey and a Customer.io that really listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from builders import AT, NAMELESS, PLATFORM, SHOP, event, mapped, person
from redis import Redis

from adapter.courier import FAILURES_BEFORE_HALVING
from adapter.destinations.track import Track
from adapter.errors import Fault, StoreError
from adapter.flush import Office, batch, drain, flush, reader
from adapter.flush import lease as keeping
from adapter.flush.drain import LONGEST_BACKOFF_SECONDS, PAUSE_SECONDS
from adapter.flush.settlement import learned
from adapter.mapping.names import Names
from adapter.mapping.rules import read_rules
from adapter.mapping.schema import read_schema
from adapter.model import CanonicalEvent
from adapter.people.memory import Lesson
from adapter.resolver import MOST_READS, Policy, Resolution
from adapter.sandbox.server import running
from adapter.store.health import Status
from adapter.store.outbox import CLAIMS_BEFORE_CAUTION, Outbox
from adapter.strictyaml import parse
from adapter.transport import Transport

PREFIX = "adapter:default:"
LEASE, TROUBLE = PREFIX + "lease", PREFIX + "trouble"
RQ_LIST = "rq:queue:adapter"
SLOWLY = {"Retry-After": "1"}


class CustomerIo:
    """The sandbox as its tests tell it to behave, and what it received."""

    def __init__(self, url: str, http: requests.Session) -> None:
        self.url, self._http = url, http

    def fault(self, status: int | None = None, times: int = 1, **more: Any) -> None:
        """The next `times` requests (-1: all) go wrong in one way."""
        self.faults({"status": status, "times": times, **more})

    def faults(self, *faults: dict[str, Any]) -> None:
        """Several ways to go wrong; a request takes the first that is about it."""
        answer = self._http.post(f"{self.url}/_sandbox/faults", json=list(faults), timeout=10)
        assert answer.status_code == 200, answer.text

    def heal(self) -> None:
        self.faults()

    def forget(self) -> None:
        self._http.delete(f"{self.url}/_sandbox", timeout=10)

    def requests(self) -> list[dict[str, Any]]:
        answer = self._http.get(f"{self.url}/_sandbox/requests", timeout=10)
        return answer.json()["requests"]

    def people(self) -> list[dict[str, Any]]:
        return self._http.get(f"{self.url}/_sandbox/people", timeout=10).json()["people"]

    def events(self) -> list[str]:
        """The order ids of all events that anybody has, each as often as it is there."""
        activity = [one for who in self.people() for one in who["activity"]]
        events = [one for one in activity if one["type"] == "event"]
        return sorted(one["attributes"]["order_id"] for one in events)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[CustomerIo]:
    with running() as url, requests.Session() as http:
        yield CustomerIo(url, http)


@pytest.fixture
def there(sandbox: CustomerIo) -> CustomerIo:
    sandbox.forget()
    return sandbox


@pytest.fixture
def office(outbox: Outbox, there: CustomerIo) -> Iterator[Office]:
    transport = Transport(there.url, "sandbox-site", "sandbox-key")
    yield Office("default", outbox, Track(), transport)
    transport.close()


def order(key: str, **properties: Any) -> CanonicalEvent:
    return event(key, at=int(time.time()) - 60, order_id=key, **properties)


def fill(office: Office, *keys: str, who: str = "42") -> None:
    """One delivery with one order each."""
    for key in keys:
        office.outbox.accept(mapped(f"d{key}", person(who), order(key), order=key), b"{}")


def turn(office: Office, redis: Redis) -> None:
    """What the worker does next: the backoff is over, it takes the job from RQ's list."""
    if (redis.get(LEASE) or b"").startswith(b"wait:"):
        redis.delete(LEASE)
    office.outbox.sweep()
    job_id = redis.lpop(RQ_LIST)
    assert job_id is not None, "nobody was woken"
    flush(office, job_id.decode())


def lease(redis: Redis) -> str | None:
    value = redis.get(LEASE)
    return value.decode() if value else None


def status(redis: Redis) -> dict[str, Any]:
    return Status(redis, "default").read()


def failures(redis: Redis) -> int:
    return int(redis.hget(TROUBLE, "failures") or 0)


def dead(redis: Redis) -> list[dict[str, Any]]:
    return [json.loads(fields[b"r"]) for _, fields in redis.xrange(PREFIX + "dead")]


def key_held(redis: Redis, key: str) -> bool:
    return bool(redis.exists(f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:{key}"))


# The way of a good day


def test_what_waits_is_sent_in_one_request_and_gone(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1", "2", "3")
    turn(office, redis)
    assert there.events() == ["1", "2", "3"]
    (request,) = there.requests()
    assert (request["path"], request["status"], request["items"]) == ("/api/v2/batch", 200, 4)
    assert lease(redis) is None
    told = status(redis)
    assert (told["accepted"], told["sent"], told["pending"], told["dead"]) == (3, 3, 0, 0)
    assert (told["paused"], told["last_error"], told["details"]["events"]) == (False, None, 3)


def test_more_than_a_request_holds_goes_in_several(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    for number in range(60):
        one = mapped(f"d{number}", person(), order(f"{number:02}", note="x" * 20_000))
        office.outbox.accept(one, b"{}")
    turn(office, redis)
    assert there.events() == [f"{number:02}" for number in range(60)]
    sizes = [request["bytes"] for request in there.requests()]
    assert len(sizes) == 3
    assert max(sizes) <= 500_000
    assert (status(redis)["pending"], lease(redis)) == (0, None)


def test_what_comes_in_meanwhile_is_sent_too(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(office, "1")
    with answer_held_back(office, monkeypatch):
        flusher = threading.Thread(target=turn, args=(office, redis))
        flusher.start()
        await_request(there, answered=True)
        fill(office, "2")
    flusher.join()
    assert there.events() == ["1", "2"]
    assert (status(redis)["pending"], redis.llen(RQ_LIST)) == (0, 0)


def test_a_job_that_is_not_named_by_the_lease_does_nothing(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    flush(office, "flush-default-99")
    assert there.requests() == []
    assert status(redis)["pending"] == 1


def test_who_has_worked_long_enough_hands_over(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "TURN_SECONDS", -1.0)
    for number in range(30):
        one = mapped(f"d{number}", person(), order(f"{number:02}", note="x" * 20_000))
        office.outbox.accept(one, b"{}")
    turn(office, redis)
    assert len(there.requests()) == 1
    assert 0 < status(redis)["pending"] < 30
    assert lease(redis) == f"job:{redis.lindex(RQ_LIST, 0).decode()}"
    turn(office, redis)
    assert there.events() == [f"{number:02}" for number in range(30)]


# The table of answers (DESIGN, section 1)


@pytest.mark.parametrize(
    ("fault", "reason", "seconds"),
    [
        ({"status": 500}, "answered 500", (0.5, 1)),
        ({"status": 408}, "answered 408", (0.5, 1)),
        ({"status": 429}, "answered 429", (0.5, 1)),
        ({"status": 429, "headers": {"Retry-After": "17"}}, "answered 429", (16, 17)),
        ({"status": 503, "headers": {"Retry-After": "40"}}, "answered 503", (39, 40)),
        (
            {
                "status": 503,
                "headers": {
                    "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
                    "Retry-After": "Thu, 01 Jan 2026 00:00:25 GMT",
                },
            },
            "answered 503",
            (24, 25),
        ),
        ({"status": 503, "headers": {"Retry-After": "86400"}}, "answered 503", (299, 300)),
        ({"close": True}, "no answer: ConnectionError", (0.5, 1)),
        ({"close": True, "apply": True}, "no answer: ConnectionError", (0.5, 1)),
        ({"body": "<html>"}, "an answer that is no JSON", (0.5, 1)),
        ({"status": 500, "apply": True}, "answered 500", (0.5, 1)),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_trouble_is_a_backoff_and_nothing_is_lost(
    office: Office,
    redis: Redis,
    there: CustomerIo,
    fault: dict[str, Any],
    reason: str,
    seconds: tuple[float, float],
) -> None:
    fill(office, "1", "2")
    there.fault(**fault)
    turn(office, redis)
    assert lease(redis) == f"wait:{reason}"
    shortest, longest = seconds
    assert shortest - 0.5 <= redis.pttl(LEASE) / 1000 <= longest
    told = status(redis)
    assert (told["pending"], told["sent"], told["dead"], told["paused"]) == (2, 0, 0, False)
    assert told["last_error"]["reason"] == reason
    turn(office, redis)
    assert there.events() == ["1", "2"], "each of them once"
    assert status(redis)["sent"] == 2
    assert failures(redis) == 0


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 403, "times": 2}, {"status": 302}])
def test_wrong_credentials_pause_it_and_it_resumes_by_itself(
    office: Office, redis: Redis, there: CustomerIo, fault: dict[str, Any]
) -> None:
    fill(office, "1")
    there.fault(**fault)
    turn(office, redis)
    assert (lease(redis) or "").startswith("wait:")
    assert PAUSE_SECONDS - 1 <= redis.pttl(LEASE) / 1000 <= PAUSE_SECONDS
    told = status(redis)
    assert (told["pending"], told["paused"], told["dead"]) == (1, True, 0)
    turn(office, redis)
    told = status(redis)
    assert (told["pending"], told["paused"], told["sent"]) == (0, False, 1)
    assert there.events() == ["1"]


def test_however_often_the_credentials_fail_nobody_dies(
    outbox: Outbox, redis: Redis, there: CustomerIo
) -> None:
    transport = Transport(there.url, "sandbox-site", "an-old-key")
    office = Office("default", outbox, Track(), transport)
    fill(office, "1", "2")
    for _ in range(8):
        turn(office, redis)
        assert redis.pttl(LEASE) > (PAUSE_SECONDS - 1) * 1000
    transport.close()
    assert (status(redis)["pending"], dead(redis)) == (2, [])


def test_a_403_is_about_the_item_when_the_region_check_is_well(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    there.fault(403, times=-1, match={"name": "order_completed"})
    turn(office, redis)
    assert [record["reason"] for record in dead(redis)] == ["answered 403"]
    assert status(redis)["pending"] == 0


@pytest.mark.parametrize("status_code", [400, 413, 422])
def test_a_whole_that_is_refused_is_halved(
    office: Office, redis: Redis, there: CustomerIo, status_code: int
) -> None:
    fill(office, *"12345")
    office.outbox.accept(mapped("d6", person("7"), order("6"), order="6"), b"{}")
    there.fault(status_code, times=-1, match={"id": "7", "name": "order_completed"})
    # One item matches both, so only requests that hold it are refused.
    turn(office, redis)
    assert there.events() == ["1", "2", "3", "4", "5"]
    (record,) = dead(redis)
    assert record["operation"]["identifiers"] == {"id": "7"}
    assert record["deliveries"][0]["id"] == "d6"
    told = status(redis)
    assert (told["pending"], told["dead"], lease(redis)) == (0, 1, None)
    assert (key_held(redis, "6"), key_held(redis, "1")) == (False, True)


def test_a_207_kills_the_bad_item_only_and_frees_its_key(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1", "2")
    bad = CanonicalEvent("order_completed", "3", "no-ulid", AT, {"order_id": "3"})
    office.outbox.accept(mapped("d3", person(), bad), b"{}")
    turn(office, redis)
    assert there.events() == ["1", "2"]
    (record,) = dead(redis)
    assert record["reason"] == "invalid (id)"
    assert record["operation"]["id"] == "no-ulid"
    assert [key_held(redis, key) for key in "123"] == [True, True, False]
    assert len(there.requests()) == 1
    office.outbox.accept(mapped("d3-mended", person(), order("3")), b"{}")
    turn(office, redis)
    assert there.events() == ["1", "2", "3"]


def test_an_item_too_large_to_cut_is_dead_and_the_rest_goes(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(mapped("d0", person(), order("0", note="x" * 40_000)), b"{}")
    fill(office, "1")
    turn(office, redis)
    assert there.events() == ["1"]
    assert [record["reason"] for record in dead(redis)] == ["larger than 32768 bytes"]


# One after another


def test_failures_add_up_and_backoffs_grow_until_something_moves(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    there.fault(500, times=-1)
    for number in range(12):
        turn(office, redis)
        assert failures(redis) == number + 1
        longest = min(2.0**number, LONGEST_BACKOFF_SECONDS)
        assert longest / 2 - 0.5 <= redis.pttl(LEASE) / 1000 <= longest
    there.heal()
    turn(office, redis)
    assert (failures(redis), there.events()) == (0, ["1"])


def test_progress_before_the_trouble_is_kept_and_the_count_begins_anew(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "first", who="7")
    there.fault(500, times=-1, match={"id": "7"})
    for _ in range(3):
        turn(office, redis)
    assert failures(redis) == 3
    redis.delete(PREFIX + "outbox")
    for number in range(40):
        one = mapped(f"d{number}", person(), order(f"{number:02}", note="x" * 20_000))
        office.outbox.accept(one, b"{}")
    fill(office, "99", who="7")
    turn(office, redis)
    sent = there.events()
    assert 0 < len(sent) < 40
    assert (failures(redis), status(redis)["pending"]) == (1, 41 - len(sent))
    there.heal()
    turn(office, redis)
    assert there.events() == [*(f"{number:02}" for number in range(40)), "99"]


def test_a_poison_item_dies_after_five_rounds_while_others_pass(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1", "2")
    office.outbox.accept(mapped("d3", person("7"), order("3"), order="3"), b"{}")
    fill(office, "4", "5")
    there.fault(500, times=-1, match={"id": "7", "name": "order_completed"})
    for number in range(5):
        turn(office, redis)
        told = status(redis)
        assert (failures(redis), told["pending"], told["dead"]) == (number + 1, 5, 0)
    turn(office, redis)
    assert there.events() == ["1", "2", "4", "5"]
    (record,) = dead(redis)
    assert record["reason"] == "fails alone: answered 500"
    assert record["deliveries"][0]["id"] == "d3"
    told = status(redis)
    assert (told["pending"], told["dead"], lease(redis), failures(redis)) == (0, 1, None, 0)
    assert not key_held(redis, "3")


@pytest.mark.parametrize(
    "fault",
    [{"status": 401}, {"status": 302}, {"status": 429}, {"status": 503, "headers": SLOWLY}],
    ids=lambda fault: f"{fault['status']}{' slowly' if 'headers' in fault else ''}",
)
def test_pauses_and_throttles_lay_the_blame_on_nobody(
    office: Office, redis: Redis, there: CustomerIo, fault: dict[str, Any]
) -> None:
    """Whoever fails after them has the five rounds that everybody has."""
    fill(office, "1", "2")
    office.outbox.accept(mapped("d3", person("7"), order("3"), order="3"), b"{}")
    there.fault(**fault, times=-1)
    for _ in range(7):
        turn(office, redis)
    assert (failures(redis), there.events()) == (0, [])
    there.fault(503, times=-1, match={"id": "7"})
    for number in range(FAILURES_BEFORE_HALVING):
        turn(office, redis)
        assert (failures(redis), dead(redis)) == (number + 1, [])
    there.heal()
    turn(office, redis)
    assert (there.events(), dead(redis)) == (["1", "2", "3"], [])


def test_backoffs_grow_through_failures_and_throttles_alike(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    for number, status_code in enumerate([503, 429, 401, 429, 503, 429]):
        there.heal()
        there.fault(status_code, times=-1)
        turn(office, redis)
        longest = PAUSE_SECONDS if status_code == 401 else 2.0 ** (number - (number > 2))
        assert longest / 2 - 0.5 <= redis.pttl(LEASE) / 1000 <= longest
    assert failures(redis) == 2
    there.heal()
    turn(office, redis)
    assert not redis.exists(TROUBLE)


def test_a_poison_item_that_was_sent_alone_first_shows_itself_among_others(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """What comes again ends where it ended, so it would never be beside any that pass."""
    office.outbox.accept(mapped("d1", person("7"), order("1"), order="1"), b"{}")
    there.fault(500, times=-1, match={"id": "7"})
    turn(office, redis)
    fill(office, "2", "3")
    for _ in range(5):
        turn(office, redis)
    assert there.events() == ["2", "3"]
    told = status(redis)
    assert (told["pending"], told["dead"], lease(redis)) == (0, 2, None)


@pytest.mark.parametrize("tries", [1, 8])
def test_after_an_outage_what_comes_again_ends_where_it_ended(
    office: Office, redis: Redis, there: CustomerIo, tries: int
) -> None:
    fill(office, "1")
    there.fault(500, times=-1)
    turn(office, redis)
    fill(office, "2", "3")
    for _ in range(1, tries):
        turn(office, redis)
    before = len(there.requests())
    there.heal()
    turn(office, redis)
    first, others = there.requests()[before:]
    assert first["json"] == there.requests()[0]["json"]
    assert others["items"] == 2
    assert there.events() == ["1", "2", "3"]


def test_what_came_in_during_a_long_outage_goes_out_in_few_requests(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """And not in as many as there were tries; some entries were made ready beside one of these."""
    fill(office, "1")
    there.fault(500, times=-1)
    for number in range(10, 25):
        turn(office, redis)
        fill(office, str(number))
    before = len(there.requests())
    there.heal()
    turn(office, redis)
    items = [request["items"] for request in there.requests()[before:]]
    assert sum(items) == 17
    assert len(items) <= 3


def test_what_comes_again_is_as_large_as_it_was(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though by then less would be thought to fit, and more requests it may take."""
    fill(office, *(f"{number:02}" for number in range(20)))
    there.fault(500)
    turn(office, redis)
    fill(office, "99")
    monkeypatch.setattr(reader, "FILL", 0.001)
    turn(office, redis)
    first, again, last = there.requests()
    assert first["json"] == again["json"]
    assert last["items"] == 1


def test_what_was_made_ready_anew_comes_again_as_it_was_sent(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then more would be thought to fit, while it is written down where it was to end."""

    class Small(Track):
        max_request_bytes = 9_000

    office.destination = Small()
    newest = person("42", as_of=AT + 9, attributes={"city": "York"})
    office.outbox.accept(mapped("p", newest), b"{}")
    turn(office, redis)
    large = mapped("d1", person("42"), order("1", note="n" * 8_300), order="1")
    office.outbox.accept(large, b"{}")
    refund = event("9", "order_refunded", order_id="1")
    office.outbox.accept(mapped("d9", NAMELESS, refund, order="1"), b"{}")
    for number in range(10, 30):
        # Of what is outdated nothing is sent: entries come to less than they seem to.
        office.outbox.accept(
            mapped(f"o{number}", person("42", attributes={"city": "x" * 600})), b"{}"
        )
        fill(office, str(number))
    before = len(there.requests())
    there.fault(refuse=True, match={"name": "order_completed"})
    settle, calls = office.outbox.settle, list[Any]()

    def lost(*args: Any, **more: Any) -> int | None:
        calls.append(args)
        if len(calls) == 2:
            redis.set(LEASE, "run:another", px=9_000)
        return settle(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(office.outbox, "settle", lost)
        turn(office, redis)
    sent = there.requests()[before:]
    redis.delete(LEASE)
    turn(office, redis)
    again = there.requests()[before + len(sent)]
    assert again["json"] in [request["json"] for request in sent]


def test_in_a_long_outage_nobody_dies(office: Office, redis: Redis, there: CustomerIo) -> None:
    fill(office, *"123456")
    there.fault(500, times=-1)
    for _ in range(9):
        turn(office, redis)
    assert (status(redis)["pending"], dead(redis)) == (6, [])
    assert len(there.requests()) < 5 + 4 * 20
    there.heal()
    turn(office, redis)
    assert there.events() == list("123456")


def test_a_delivery_of_which_one_half_dies_and_the_other_fails_is_no_progress(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """Its person is refused, its event breaks the server: each is dead once, and in the end."""
    fill(office, "1", who="7")

    def faults() -> None:
        there.faults(
            {"status": 400},  # the whole, which is then halved
            {"status": 500, "times": -1, "match": {"name": "order_completed"}},
            {"status": 400, "times": -1, "match": {"id": "7"}},
        )

    for number in range(5):
        faults()
        turn(office, redis)
        assert (failures(redis), dead(redis), status(redis)["pending"]) == (number + 1, [], 1)
    faults()
    turn(office, redis)
    assert sorted(record["operation"]["action"] for record in dead(redis)) == ["event", "identify"]
    assert all(record["deliveries"][0]["id"] == "d1" for record in dead(redis))
    told = status(redis)
    assert (told["pending"], told["dead"], told["sent"], lease(redis)) == (0, 2, 0, None)
    assert not key_held(redis, "1")


# Losing the lease


def await_request(there: CustomerIo, *, answered: bool = False) -> None:
    """Until the sandbox works on a request that it has not answered, or has answered one."""
    until = time.monotonic() + 30
    while not any((request["status"] is not None) is answered for request in there.requests()):
        assert time.monotonic() < until
        threading.Event().wait(0.01)


@contextmanager
def answer_held_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The next request takes effect, and its answer is not there before the block is left."""
    send, over = office.transport.send, threading.Event()

    def late(*args: Any, **more: Any) -> Any:
        answer = send(*args, **more)
        assert over.wait(60)
        return answer

    monkeypatch.setattr(office.transport, "send", late)
    try:
        yield
    finally:
        over.set()


def test_who_lost_the_lease_settles_nothing(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(office, "1", "2")
    with answer_held_back(office, monkeypatch):
        flusher = threading.Thread(target=turn, args=(office, redis))
        flusher.start()
        await_request(there, answered=True)
        redis.set(LEASE, "run:another", px=60_000)
        before = {name: redis.dump(name) for name in redis.scan_iter()}
    flusher.join()
    assert {name: redis.dump(name) for name in redis.scan_iter()} == before
    assert status(redis)["pending"] == 2
    redis.delete(LEASE)
    turn(office, redis)
    assert there.events() == ["1", "2"], "sent twice, received once"
    assert len(there.requests()) == 2


def test_who_lost_the_lease_hangs_up(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LEASE_MS", 300)
    fill(office, "1")
    there.fault(delay=40)
    flusher = threading.Thread(target=turn, args=(office, redis))
    flusher.start()
    await_request(there)
    redis.set(LEASE, "run:another", px=60_000)
    flusher.join(20)
    assert not flusher.is_alive()
    assert lease(redis) == "run:another"
    assert status(redis)["pending"] == 1


def test_a_lease_is_renewed_while_a_request_is_slow(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LEASE_MS", 300)
    fill(office, "1")
    with answer_held_back(office, monkeypatch):
        flusher = threading.Thread(target=turn, args=(office, redis))
        flusher.start()
        await_request(there, answered=True)
        redis.pexpire(LEASE, 8000)
        until = time.monotonic() + 30
        while redis.pttl(LEASE) <= 8000:
            assert time.monotonic() < until, "not renewed"
            threading.Event().wait(0.01)
    flusher.join()
    assert (status(redis)["pending"], status(redis)["sent"]) == (0, 1)


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sent its batch, and died before it could settle."""
    fill(office, "1", "2")
    monkeypatch.setattr(office.outbox, "settle", _killed)
    monkeypatch.setattr(office.outbox, "back_off", _killed)
    with pytest.raises(_Killed):
        turn(office, redis)
    monkeypatch.undo()
    assert status(redis)["pending"] == 2
    redis.delete(LEASE)  # ten seconds later
    turn(office, redis)
    assert len(there.requests()) == 2
    assert there.events() == ["1", "2"]
    assert there.requests()[0]["json"] == there.requests()[1]["json"]


class _Killed(BaseException):
    pass


def _killed(*_: Any, **__: Any) -> Any:
    raise _Killed


# Asked to stop


def test_asked_to_stop_it_gives_the_lease_back(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    office.stop.set()
    turn(office, redis)
    assert (lease(redis), there.requests(), failures(redis)) == (None, [], 0)
    office.stop.clear()
    turn(office, redis)
    assert there.events() == ["1"]


def test_a_request_under_way_gets_a_little_time(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "STOP_GRACE_SECONDS", 0.3)
    fill(office, "1")
    there.fault(delay=40)
    flusher = threading.Thread(target=turn, args=(office, redis))
    flusher.start()
    await_request(there)
    office.stop.set()
    flusher.join(20)
    assert not flusher.is_alive()
    assert (lease(redis), status(redis)["pending"], failures(redis)) == (None, 1, 0)
    assert status(redis)["last_error"] is None


# Who waits for whom


def refund(order_id: str) -> Any:
    one = event("9", "order_refunded", at=int(time.time()), order_id=order_id, refund_id="9")
    return mapped("d-refund", NAMELESS, one, order=order_id)


def test_a_refund_waits_and_its_order_releases_it(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(refund("1"), b"{}")
    turn(office, redis)
    told = status(redis)
    assert (told["pending"], told["waiting"], there.requests()) == (0, 1, [])
    fill(office, "1")
    turn(office, redis)
    told = status(redis)
    assert (told["pending"], told["waiting"], told["sent"]) == (0, 0, 2)
    (ada,) = there.people()
    events = [one["name"] for one in ada["activity"] if one["type"] == "event"]
    assert sorted(events) == ["order_completed", "order_refunded"]
    assert ada["id"] == "42"


def test_a_refund_after_its_order_finds_the_owner(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1")
    turn(office, redis)
    office.outbox.accept(refund("1"), b"{}")
    turn(office, redis)
    assert there.events() == ["1", "1"]
    assert status(redis)["waiting"] == 0


def test_a_sale_waits_for_its_person_and_its_refund_too(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    sale = mapped("d1", person(None, tokens={"cart": "c1"}), order("1"), order="1")
    office.outbox.accept(sale, b"{}")
    office.outbox.accept(refund("1"), b"{}")
    turn(office, redis)
    told = status(redis)
    assert (told["ignored"], told["pending"], told["waiting"], told["sent"]) == (0, 0, 2, 0)
    assert there.requests() == []
    office.outbox.accept(mapped("d2", person(tokens={"cart": "c1"})), b"{}")
    turn(office, redis)
    assert there.events() == ["1", "1"]
    assert status(redis)["waiting"] == 0


def test_who_is_named_later_gets_the_event_that_nobody_got(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """The first body of an order names nobody, the second one does: its event is still to come."""
    cart = {"cart": "c1"}
    office.outbox.accept(mapped("d1", person(None, tokens=cart), order("1"), order="1"), b"{}")
    turn(office, redis)
    assert there.requests() == []
    assert key_held(redis, "1")
    office.outbox.accept(mapped("d2", person(tokens=cart), order("1"), order="1"), b"{}")
    turn(office, redis)
    assert there.events() == ["1"]


def test_a_key_that_somebody_else_holds_by_now_is_not_given_back(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(mapped("d1", NAMELESS, order("1")), b"{}")
    key = f"{PREFIX}key:{PLATFORM}:{SHOP}:order_completed:1"
    redis.set(key, "d2")
    turn(office, redis)
    assert redis.get(key) == b"d2"


def test_late_events_are_sent_and_counted(office: Office, redis: Redis, there: CustomerIo) -> None:
    old = event("1", at=AT - 400 * 86400, order_id="1")
    office.outbox.accept(mapped("d1", person(), old), b"{}")
    turn(office, redis)
    assert there.events() == ["1"]
    assert status(redis)["details"]["late"] == 1


# What is remembered of carts and people


def cart(number: int, content: str, who: str | None = "42") -> Any:
    """A body of the cart c1; `content` as in `tea:2 mug:1`."""
    pairs = [part.split(":") for part in content.split()]
    items = [{"variant_id": name, "name": name, "quantity": int(n)} for name, n in pairs]
    at = int(time.time()) - 100 + number
    one = event(f"c1:{at}", "added_to_cart", at, order_id=content, cart_id="c1", items=items)
    facts = {"tokens": {"cart": "c1"}, "attributes": {"current_cart_value": number}, "as_of": at}
    return mapped(f"cart{number}", person(who, **facts), one)


def spent(number: int, amount: float) -> Any:
    """A body that says what somebody has spent so far."""
    at = int(time.time()) - 100 + number
    return mapped(f"spent{number}", person(as_of=at, attributes={"lifetime_value": amount}))


def activity(there: CustomerIo, name: str) -> list[dict[str, Any]]:
    found = [one for who in there.people() for one in who["activity"]]
    return [one for one in found if one.get("name") == name]


def added(there: CustomerIo) -> list[tuple[list[str], bool]]:
    return [
        ([item["name"] for item in one["attributes"]["added_items"]], first)
        for one in activity(there, "added_to_cart")
        if (first := one["attributes"]["first_in_cart"]) in (True, False)
    ]


def test_only_what_was_added_to_a_cart_is_told(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    for number, content in enumerate(["tea:1", "tea:1 mug:1", "tea:1", "tea:2"]):
        office.outbox.accept(cart(number, content), b"{}")
        turn(office, redis)
    assert added(there) == [(["tea"], True), (["mug"], False), (["tea"], False)]
    assert there.people()[0]["attributes"]["current_cart_value"] == 3
    told = status(redis)
    assert (told["sent"], told["ignored"], told["pending"]) == (4, 0, 0)
    assert told["details"]["dropped:added_to_cart: nothing was added"] == 1
    name = f"{PREFIX}lines:{PLATFORM}:{SHOP}:c1"
    assert json.loads(redis.get(name))["lines"] == {"variant_id:tea": 2}
    assert 89 * 86400 < redis.ttl(name) <= 90 * 86400


def test_what_was_added_is_the_same_in_one_batch_or_in_several(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    for number, content in enumerate(["tea:1", "tea:1 mug:1", "tea:1", "tea:2"]):
        office.outbox.accept(cart(number, content), b"{}")
    turn(office, redis)
    assert len(there.requests()) == 1
    assert added(there) == [(["tea"], True), (["mug"], False), (["tea"], False)]


def test_an_event_that_was_dropped_gives_its_key_back(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    bodies = [cart(0, "tea:1"), cart(1, "tea:1")]
    for one in bodies:
        office.outbox.accept(one, b"{}")
    keys = [f"{PREFIX}key:{PLATFORM}:{SHOP}:added_to_cart:{one.events[0].key}" for one in bodies]
    assert redis.exists(*keys) == 2
    turn(office, redis)
    assert [redis.exists(key) for key in keys] == [1, 0]


def test_a_cart_of_nobody_is_told_whole_once_it_is_somebodys(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(cart(0, "tea:1", None), b"{}")
    turn(office, redis)
    office.outbox.accept(cart(1, "tea:1 mug:1"), b"{}")
    turn(office, redis)
    assert added(there) == [(["tea", "mug"], True)]


@pytest.fixture
def ruled(office: Office) -> Office:
    faults: list[Fault] = []
    contract = parse(
        "{version: 1, person: {lifetime_value: money, vip_tier: text}, item: {name: text}, "
        "events: {}, common: {}, flat: {}}",
        "schema.yml",
        faults,
    )
    file = parse(
        "vip_tier: {from: lifetime_value, steps: {bronze: 0, gold: 1000}, event: tier_changed}",
        "rules.yml",
        faults,
    )
    assert contract is not None
    schema = read_schema(contract, faults)
    assert schema is not None
    office.policy = Policy(rules=read_rules(file, schema, faults))
    assert faults == []
    return office


def tiers(there: CustomerIo) -> list[tuple[str, str]]:
    return [
        (one["attributes"]["old"], one["attributes"]["new"])
        for one in activity(there, "tier_changed")
    ]


def test_a_rule_is_told_once_per_change(ruled: Office, redis: Redis, there: CustomerIo) -> None:
    for number, amount in enumerate([10, 20, 1500, 1600, 10]):
        ruled.outbox.accept(spent(number, amount), b"{}")
        turn(ruled, redis)
    assert tiers(there) == [("bronze", "gold"), ("gold", "bronze")]
    assert there.people()[0]["attributes"]["vip_tier"] == "bronze"


def test_a_flush_that_died_sends_the_same_again(
    ruled: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what it was about to remember is in memory: carts, rules and lists."""
    for one in (cart(0, "tea:1"), spent(1, 10)):
        ruled.outbox.accept(one, b"{}")
    turn(ruled, redis)
    tagged = person(as_of=int(time.time()), changes={"tags": {"add": ["vip"]}})
    for one in (cart(2, "tea:1 mug:1"), spent(3, 1500), mapped("tags", tagged)):
        ruled.outbox.accept(one, b"{}")
    monkeypatch.setattr(ruled.outbox, "settle", _killed)
    monkeypatch.setattr(ruled.outbox, "back_off", _killed)
    with pytest.raises(_Killed):
        turn(ruled, redis)
    monkeypatch.undo()
    redis.delete(LEASE)  # ten seconds later
    ruled.outbox.accept(cart(4, "tea:1 mug:1 cup:1"), b"{}")
    turn(ruled, redis)
    assert added(there) == [(["tea"], True), (["mug"], False), (["cup"], False)]
    assert tiers(there) == [("bronze", "gold")]
    assert there.people()[0]["attributes"]["tags"] == ["vip"]
    died, again, since = (request["json"]["batch"] for request in there.requests()[1:])
    assert died == again, "and what came since goes behind it"
    assert [item["action"] for item in since] == ["identify", "event"]


def test_what_was_not_sent_is_not_remembered(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.outbox.accept(cart(0, "tea:1"), b"{}")
    for number in range(40):
        one = mapped(f"d{number}", person("7"), order(f"{number:02}", note="x" * 20_000))
        office.outbox.accept(one, b"{}")
    office.outbox.accept(cart(1, "tea:1 mug:1"), b"{}")
    there.faults({"delay": 0.01}, {"status": 500})
    turn(office, redis)
    assert 0 < status(redis)["pending"] < 42
    turn(office, redis)
    assert added(there) == [(["tea"], True), (["mug"], False)]


@pytest.mark.parametrize(
    ("finished", "remembered"),
    [
        ("abc", {"cart": 3, "tags": 9}),
        ("ab", {"cart": 2, "tags": 9}),
        ("ac", {"cart": 1}),
        ("bc", {"tags": 9}),
        ("", {}),
    ],
)
def test_only_what_finished_entries_taught_is_remembered(
    finished: str, remembered: dict[str, int]
) -> None:
    """And of one thing no more than up to the first of them that comes again."""
    lessons = (("a", "cart", 1), ("b", "cart", 2), ("c", "cart", 3), ("b", "tags", 9))
    told = tuple(Lesson(source, (kind, "", "", ""), value) for source, kind, value in lessons)
    found = learned(Resolution((), lessons=told), finished)
    assert {ref[0]: value for ref, value in found.items()} == remembered


def test_a_refused_event_of_a_rule_is_dead_and_frees_no_key(
    ruled: Office, redis: Redis, there: CustomerIo
) -> None:
    ruled.outbox.accept(spent(0, 10), b"{}")
    turn(ruled, redis)
    there.fault(400, times=-1, match={"name": "tier_changed"})
    ruled.outbox.accept(spent(1, 1500), b"{}")
    turn(ruled, redis)
    (record,) = dead(redis)
    assert record["operation"]["name"] == "tier_changed"
    assert record["deliveries"][0]["id"] == "spent1"
    assert status(redis)["pending"] == 0


def test_what_is_remembered_of_people_is_found_under_no_address(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    who = person(None, email="ada@example.com", attributes={"tags": ["a"]})
    office.outbox.accept(mapped("d1", who), b"{}")
    turn(office, redis)
    (name,) = redis.keys(f"{PREFIX}person:*")
    assert b"@" not in name


def test_names_on_the_way_out_are_the_wires_alone(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.names = Names(
        events={"order_completed": "Purchase"},
        properties={"order_completed": {"total": "value"}},
        attributes={"city": ("city", "town")},
    )
    bad = CanonicalEvent("order_completed", "2", "no-ulid", AT, {"order_id": "2", "total": 5})
    who = person(attributes={"city": "Graz"})
    office.outbox.accept(mapped("d1", who, order("1", total=9), order="1"), b"{}")
    office.outbox.accept(mapped("d2", person(), bad), b"{}")
    turn(office, redis)
    (purchase,) = activity(there, "Purchase")
    assert purchase["attributes"] == {"order_id": "1", "value": 9}
    ada = there.people()[0]["attributes"]
    assert (ada["city"], ada["town"]) == ("Graz", "Graz")
    (record,) = dead(redis)
    assert (record["operation"]["name"], record["operation"]["key"]) == ("order_completed", "2")
    assert record["operation"]["attributes"] == {"order_id": "2", "total": 5}
    assert (key_held(redis, "1"), key_held(redis, "2")) == (True, False)


def test_an_opt_out_unsubscribes_where_that_is_wanted(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    office.policy = Policy(unsubscribe_on_opt_out=True)
    for number, said in enumerate([False, True]):
        one = person(as_of=AT + number, attributes={"accepts_marketing": said})
        office.outbox.accept(mapped(f"d{number}", one), b"{}")
        turn(office, redis)
    sent = [request["json"]["batch"][0]["attributes"] for request in there.requests()]
    assert sent == [
        {"accepts_marketing": False, "unsubscribed": True},
        {"accepts_marketing": True},
    ]


def test_memory_costs_no_round_trips_of_its_own(
    ruled: Office, redis: Redis, there: CustomerIo
) -> None:
    """A constant number of questions per batch and one answer, whatever is remembered."""

    def questions(*bodies: Any) -> int:
        for one in bodies:
            ruled.outbox.accept(one, b"{}")
        redis.config_resetstat()
        turn(ruled, redis)
        return int(redis.info("commandstats")["cmdstat_mget"]["calls"])

    assert questions(cart(0, "tea:1"), spent(1, 10)) <= MOST_READS
    tagged = person(as_of=AT, changes={"tags": {"add": ["vip"]}})
    more = [mapped("tags", tagged), refund("9"), cart(2, "mug:1", None), spent(3, 10)]
    assert questions(*more) <= MOST_READS
    many = [mapped(f"m{n}", person(str(n), email=f"{n}@x.com"), order(str(n))) for n in range(50)]
    assert questions(*many) <= MOST_READS


# Faults of our own


def test_a_fault_of_ours_is_counted_and_the_entry_finally_parked(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(office, "1", "2", "3")
    resolve = batch.resolve

    def trips_over_2(entries: Any, *args: Any, **more: Any) -> Any:
        if any(entry.delivery.id == "d2" for entry in entries):
            raise KeyError("ada@example.com")
        return resolve(entries, *args, **more)

    monkeypatch.setattr(batch, "resolve", trips_over_2)
    for _ in range(CLAIMS_BEFORE_CAUTION):
        with pytest.raises(KeyError):
            turn(office, redis)
        assert lease(redis) == "wait:adapter fault: KeyError"
        assert (status(redis)["pending"], failures(redis)) == (3, 0)
    for _ in range(CLAIMS_BEFORE_CAUTION):  # now one by one: what came before it passes
        with pytest.raises(KeyError):
            turn(office, redis)
        assert (there.events(), status(redis)["pending"]) == (["1"], 2)
    extra = 0
    while status(redis)["parked"] == 0:
        extra += 1
        assert extra <= 2
        try:
            turn(office, redis)
        except KeyError:
            continue
    told = status(redis)
    assert (told["pending"], told["parked"], told["sent"], told["dead"]) == (0, 1, 2, 0)
    ((_, fields),) = redis.xrange(PREFIX + "parked")
    assert fields[b"r"] == b"the worker died 3 times on it"
    assert json.loads(fields[b"d"])["id"] == "d2"
    assert there.events() == ["1", "3"]
    assert "ada@" not in json.dumps(told)


def test_after_three_deaths_entries_go_one_by_one(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    fill(office, "1", "2", "3", "4")
    for number in range(CLAIMS_BEFORE_CAUTION):
        office.outbox.sweep()
        job_id = redis.lpop(RQ_LIST)
        assert office.outbox.claim(job_id.decode(), f"t{number}") is not None
        redis.delete(LEASE)  # the worker was killed
    turn(office, redis)
    assert [request["items"] for request in there.requests()] == [2, 1, 1, 1]
    assert (there.events(), lease(redis)) == (["1", "2", "3", "4"], None)


def test_caution_does_not_keep_a_poison_item_alive(
    office: Office, redis: Redis, there: CustomerIo
) -> None:
    """Alone it would never be beside others that pass, and hold them all up for ever."""
    office.outbox.accept(mapped("d1", person("7"), order("1"), order="1"), b"{}")
    fill(office, "2", "3")
    redis.hset(PREFIX + "attempts", mapping={"claims": 0, "caution": 1000})
    there.fault(500, times=-1, match={"id": "7"})
    for _ in range(6):
        turn(office, redis)
    assert there.events() == ["2", "3"]
    told = status(redis)
    assert (told["pending"], told["dead"]) == (0, 2)


def test_a_redis_that_fails_in_the_middle_was_no_death_of_the_worker(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(office, "1")

    def fail(*_: Any) -> Any:
        raise StoreError("Redis: ConnectionError")

    with monkeypatch.context() as patched:
        patched.setattr(office.outbox, "read", fail)
        for _ in range(3 * CLAIMS_BEFORE_CAUTION):
            with pytest.raises(StoreError):
                turn(office, redis)
    turn(office, redis)
    assert there.events() == ["1"]
    assert status(redis)["parked"] == 0


def test_no_request_begins_once_a_batch_has_had_its_time(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken by then is settled; the rest is nobody's fault and waits."""
    monkeypatch.setattr(keeping, "BATCH_SECONDS", -1.0)
    fill(office, "1", "2")
    turn(office, redis)
    assert there.requests() == []
    assert (status(redis)["pending"], status(redis)["dead"]) == (2, 0)
    monkeypatch.undo()
    turn(office, redis)
    assert there.events() == ["1", "2"]


def test_parking_the_last_entry_ends_the_flush(
    office: Office, redis: Redis, there: CustomerIo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left: what comes in from here on wakes a job of its own."""
    fill(office, "1")
    monkeypatch.setattr(batch, "resolve", lambda *_, **__: 1 / 0)
    for _ in range(2 * CLAIMS_BEFORE_CAUTION):
        with pytest.raises(ZeroDivisionError):
            turn(office, redis)
    turn(office, redis)
    assert (status(redis)["parked"], status(redis)["pending"], lease(redis)) == (1, 0, None)


def test_no_thread_is_left_behind(office: Office, redis: Redis, there: CustomerIo) -> None:
    fill(office, "1")
    turn(office, redis)
    assert [thread for thread in threading.enumerate() if thread.name == "lease"] == []
