"""What Redis says of itself, and what the counters of a workspace add up to."""

from __future__ import annotations

import time

import pytest
from builders import AT, delivery, event, mapped, person
from redis import Redis
from servers import configured

from adapter.errors import StoreError
from adapter.model import Mapped
from adapter.store.connection import connect
from adapter.store.health import Health, Status
from adapter.store.outbox import Outbox

PREFIX = "adapter:default:"


def test_what_a_server_says_of_itself(redis: Redis) -> None:
    Health(redis).ping()
    server = Health(redis).server()
    assert (server.policy, server.aof, server.aof_writes) == ("noeviction", True, True)
    assert server.version >= (7,)
    assert not server.is_replica
    assert 0 < server.used < server.limit
    assert server.evicted == 0
    assert 0 < server.seconds < 1
    assert abs(server.ahead) < 0.1, "one clock"
    with configured(redis, "maxmemory-policy", "allkeys-lru"):
        assert Health(redis).server().policy == "allkeys-lru"
    with configured(redis, "appendonly", "no"):
        assert not Health(redis).server().aof
    with configured(redis, "maxmemory", "0"):
        assert Health(redis).server().limit == 0


@pytest.mark.parametrize(("off", "said"), [(0.0, 0.0), (90.0, 90.0), (-90.0, -90.0)])
def test_a_clock_that_is_off_is_noticed(
    redis: Redis, off: float, said: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round trip is no difference."""

    def there() -> tuple[int, int]:
        now = time.time() + off
        return int(now), int(now % 1 * 1e6)

    monkeypatch.setattr(redis, "time", there)
    assert Health(redis).server().ahead == pytest.approx(said, abs=5)


def test_without_redis_nothing_is_said_to_be_well() -> None:
    client = connect("redis://127.0.0.1:1", "web")
    for ask in (Health(client).ping, Health(client).server, Status(client, "default").read):
        with pytest.raises(StoreError):
            ask()


def test_a_workspace_of_which_nothing_is_known(redis: Redis) -> None:
    assert Status(redis, "default").read() == {
        "accepted": 0,
        "duplicate": 0,
        "ignored": 0,
        "sent": 0,
        "parked": 0,
        "pending": 0,
        "waiting": 0,
        "dead": 0,
        "oldest_pending_seconds": None,
        "paused": False,
        "last_error": None,
        "last_parked": None,
        "dry_run": False,
        "catalog": {"asked": 0, "found": 0},
        "details": {},
    }


def test_what_came_in_is_counted_and_what_lies_there_too(outbox: Outbox, redis: Redis) -> None:
    for id in ("d1", "d2", "d2"):
        outbox.accept(mapped(id, person(), event(id)), b"{}")
    outbox.accept(Mapped("ignored", delivery("d3"), "test order"), b"{}")
    outbox.accept(Mapped("parked", delivery("d4"), "no price"), b"{}")
    told = Status(redis, "default").read()
    assert {name: told[name] for name in ("accepted", "duplicate", "ignored", "parked")} == {
        "accepted": 2,
        "duplicate": 1,
        "ignored": 1,
        "parked": 1,
    }
    assert (told["pending"], told["sent"], told["dead"]) == (2, 0, 0)
    assert 0 <= told["oldest_pending_seconds"] < 30
    assert told["details"] == {"ignored:test order": 1}
    assert told["last_parked"] == {
        "reason": "no price",
        "topic": "orders/create",
        "delivery": "d4",
    }
    redis.delete(PREFIX + "parked")
    assert Status(redis, "default").read()["parked"] == 0, "what lies there, not what ever came"


def test_the_age_of_the_oldest_is_its_own(redis: Redis) -> None:
    redis.xadd(PREFIX + "outbox", {"d": ""}, id=f"{int((time.time() - 90) * 1000)}-0")
    redis.xadd(PREFIX + "outbox", {"d": ""})
    assert 90 <= Status(redis, "default").read()["oldest_pending_seconds"] < 120


def test_a_pause_and_its_reason(redis: Redis) -> None:
    redis.hset(PREFIX + "trouble", mapping={"paused": "1", "failures": 3})
    redis.hset(PREFIX + "last_error", mapping={"reason": "answered 401", "at": AT})
    told = Status(redis, "default").read()
    assert told["paused"] is True
    assert told["last_error"] == {"reason": "answered 401", "at": AT}
