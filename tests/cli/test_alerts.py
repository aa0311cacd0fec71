"""`adapter alerts`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alerts.conftest import Channel
from redis import Redis

from adapter.alerts import State
from adapter.store.alerts import States

from .conftest import Adapter


@pytest.fixture
def channel() -> Iterator[Channel]:
    from alerts import conftest

    yield from conftest.channel.__wrapped__()  # type: ignore[attr-defined]


def test_a_test_message(adapter: Adapter, channel: Channel) -> None:
    done = adapter("alerts", "test", ALERT_WEBHOOK_URL=channel.url)
    assert (done.returncode, done.stdout) == (0, "delivered: answered 200\n")
    (said,) = channel.said
    assert said.startswith("commerce adapter: this is a test")
    channel.answer = 404
    done = adapter("alerts", "test", ALERT_WEBHOOK_URL=channel.url)
    assert (done.returncode, done.stderr) == (1, "Error: not delivered: answered 404\n")
    assert "s3cret" not in done.stdout + done.stderr


def test_nobody_to_tell(adapter: Adapter) -> None:
    done = adapter("alerts", "test")
    assert (done.returncode, done.stderr) == (2, "ALERT_WEBHOOK_URL is not set.\n")
    done = adapter("alerts", "test", ALERT_WEBHOOK_URL="hooks.example/s3cret")
    assert done.returncode == 2
    assert done.stderr == "ALERT_WEBHOOK_URL must be an http:// or https:// address.\n"


def test_every_rule_and_its_state(adapter: Adapter, redis: Redis, redis_url: str) -> None:
    redis.hset("adapter:default:trouble", "paused", "1")
    redis.hset("adapter:default:last_error", mapping={"reason": "answered 401", "at": 1})
    now = time.time()
    States(redis, "default").write(
        {}, {("delivery_paused", ""): State(now, now, "m", "error", fired=now, told=now)}
    )
    before = redis.dbsize()
    done = adapter("alerts", "list", REDIS_URL=redis_url)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "workspace default: 10 rules, 1 firing; told to the log"
    (paused,) = (line for line in lines if "delivery_paused" in line)
    assert paused.startswith("FIRING")
    assert paused.endswith("answered 401; 0 wait")
    (silent,) = (line for line in lines if "topic_silent" in line)
    assert silent.split() == ["unknown", "topic_silent", "nothing", "to", "watch", "yet"]
    found = json.loads(adapter("alerts", "list", "--json", REDIS_URL=redis_url).stdout)["default"]
    stands = {one["rule"]: one["state"] for one in found}
    assert stands["delivery_paused"] == "FIRING"
    assert stands["orders_dropped"] == "unknown"
    assert stands["redis_fills"] == "ok"
    assert redis.dbsize() == before, "it only looks"


def test_check_tells_of_faults(adapter: Adapter, tmp_path: Path) -> None:
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "alerts.yml").write_text("orders_dropped: {below: 5}\n")
    done = adapter("check")
    assert done.returncode == 1
    assert "alerts.yml:1:25: orders_dropped.below: expected a share above 0" in done.stderr
    done = adapter("alerts", "list", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "alerts.yml:1:25" in done.stderr
