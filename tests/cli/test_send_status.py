"""`adapter send` and `adapter status`, against a web process that really listens."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from edge.lab import FIXTURES, SECRET, Lab, Valkey, Web, Workspace, until
from redis import Redis

from adapter.cli import main
from adapter.cli import status as status_module
from adapter.store.mode import Signs

from .conftest import Adapter

FILE = FIXTURES / "orders_create.small.json"
ORDER = ("--platform", "shopify", "--topic", "orders/create")
STATUS = [
    *("accepted", "duplicate", "ignored", "parked", "sent", "pending", "dead"),
    *("oldest_pending_seconds", "paused", "last_error"),
]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def web(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    env = {"REDIS_URL": valkey.url(), "WEB_CONCURRENCY": "1"}
    with Lab(tmp_path_factory.mktemp("web"), **env) as lab:
        web = lab.web()
        yield web
        web.process.assert_calm()


@pytest.fixture
def workspace(valkey: Valkey) -> Iterator[Workspace]:
    with valkey.client() as redis:
        redis.flushall()
        yield Workspace(redis)


def answers(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[line.index("{") :]) for line in text.splitlines()]


@pytest.mark.parametrize("path", ["", "/", "/webhooks/shopify", "/webhooks/shopify/"])
def test_send_signs_and_counts(adapter: Adapter, web: Web, workspace: Workspace, path: str) -> None:
    done = adapter("send", FILE, *ORDER, "--to", web.url + path, "--secret", SECRET, "--count", 3)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(line.startswith(f"200 {FILE} ") for line in done.stdout.splitlines())
    found = answers(done.stdout)
    assert [answer["outcome"] for answer in found] == ["accepted"] * 3
    assert len({answer["delivery"] for answer in found}) == 3
    # Three deliveries of one order: it was completed once.
    assert workspace.counts()["accepted"] == 3
    assert workspace.counts()["repeated"] == 2


def test_send_takes_the_secret_of_the_environment(
    adapter: Adapter, web: Web, workspace: Workspace
) -> None:
    done = adapter(
        "send", FILE, FILE, *ORDER, "--to", web.url, SHOPIFY_WEBHOOK_SECRET=f"{SECRET},another"
    )
    assert [answer["outcome"] for answer in answers(done.stdout)] == ["accepted"] * 2


def test_send_one_delivery_over_and_over(adapter: Adapter, web: Web, workspace: Workspace) -> None:
    options = ("--to", web.url, "--secret", SECRET, "--id", "one", "--count", 2)
    done = adapter("send", FILE, *ORDER, *options, "--shop", "Other.example.com")
    assert done.returncode == 0
    assert answers(done.stdout) == [
        {"outcome": "accepted", "delivery": "one", "reason": None},
        {"outcome": "duplicate", "delivery": "one", "reason": None},
    ]
    assert workspace.redis.exists("adapter:default:dedupe:shopify:other.example.com:one")


def test_send_with_a_wrong_secret(adapter: Adapter, web: Web) -> None:
    done = adapter("send", FILE, *ORDER, "--to", web.url, "--secret", "wrong")
    assert done.returncode == 1
    assert done.stdout.startswith("401 ")
    assert "admin secret or app secret?" in done.stdout


def test_send_says_what_a_misspelt_topic_may_have_meant(
    adapter: Adapter, web: Web, workspace: Workspace
) -> None:
    options = ("--platform", "shopify", "--to", web.url, "--secret", SECRET)
    done = adapter("send", FILE, "--topic", "order/create", *options, "--count", "2")
    assert done.returncode == 1
    assert done.stdout.count('"outcome":"parked"') + done.stdout.count('"outcome": "parked"') == 2
    assert done.stderr.count("'order/create' is unknown, did you mean 'orders/create'?") == 1


def test_send_in_vain(adapter: Adapter, web: Web) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = adapter("send", FILE, *ORDER, "--to", url, "--secret", SECRET)
    assert done.returncode == 1
    assert "nobody answers there (ConnectionError): does `adapter web` run" in done.stderr
    for to in ("127.0.0.1:8000", "ftp://127.0.0.1", "nonsense"):
        done = adapter("send", FILE, *ORDER, "--to", to, "--secret", SECRET)
        assert done.returncode == 2
        assert "--to: expected an address such as http://127.0.0.1:8000" in done.stderr
    done = adapter("send", FILE, *ORDER, "--to", web.url, "--secret", SECRET, "--shop", "a\nb")
    assert done.returncode == 1
    assert "no header may hold that" in done.stderr
    done = adapter("send", FILE, *ORDER, "--to", web.url, "--secret", "")
    assert done.returncode == 2
    assert "No secret to sign with" in done.stderr
    done = adapter("send", FILE, *ORDER, "--to", web.url)
    assert done.returncode == 2
    assert "SHOPIFY_WEBHOOK_SECRET" in done.stderr
    done = adapter("send", FILE, "--platform", "x", "--topic", "y", "--to", web.url)
    assert done.returncode == 2
    assert "there is shopify" in done.stderr
    done = adapter("send", FILE, "--platform", "shopfiy", "--topic", "y", "--to", web.url)
    assert "there is no 'shopfiy', did you mean 'shopify'?" in done.stderr
    done = adapter("send", "nowhere.json", *ORDER, "--to", web.url)
    assert done.returncode == 2


def test_status(adapter: Adapter, web: Web, valkey: Valkey, workspace: Workspace) -> None:
    options = ("--platform", "shopify", "--to", web.url, "--secret", SECRET)
    for topic, fixture, count in (
        ("orders/create", "orders_create.small", 2),
        ("orders/create", "orders_create.draft", 1),
        ("orders/exploded", "orders_create.small", 3),
    ):
        file = FIXTURES / f"{fixture}.json"
        done = adapter("send", file, "--topic", topic, *options, "--count", count)
        assert done.returncode == (topic == "orders/exploded"), done.stdout
    assert adapter("send", FILE, *ORDER, *options[2:], "--id", "x").returncode == 0
    assert adapter("send", FILE, *ORDER, *options[2:], "--id", "x").returncode == 0

    done = adapter("status", "--json", REDIS_URL=valkey.url())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["default"]
    status = found["default"]
    assert set(STATUS) <= set(status)
    counted = {name: status[name] for name in STATUS[:7]}
    assert counted == {
        "accepted": 3,
        "duplicate": 1,
        "ignored": 1,
        "parked": 3,
        "sent": 0,
        "pending": 3,
        "dead": 0,
    }
    assert type(status["oldest_pending_seconds"]) is float
    assert 0 <= status["oldest_pending_seconds"] < 60
    assert status["paused"] is False
    assert status["last_error"] is None

    done = adapter("status", REDIS_URL=valkey.url())
    assert done.returncode == 0
    assert done.stdout.startswith("workspace default\n")


def test_status_of_an_empty_redis(adapter: Adapter, valkey: Valkey, workspace: Workspace) -> None:
    status = json.loads(adapter("status", "--json", REDIS_URL=valkey.url()).stdout)["default"]
    assert [status[name] for name in STATUS[:7]] == [0] * 7
    assert status["oldest_pending_seconds"] is None


def test_status_without_redis(adapter: Adapter) -> None:
    done = adapter("status", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")
    assert done.stdout == ""


# --- in this process, by ticks of a clock that does not wait --------------------------------------


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`ticks(number, redis, *arguments, between=...)`: Ctrl-C comes after so many of them."""

    def run(
        number: int, url: str, *arguments: str, between: Callable[[], object] = lambda: None
    ) -> Result:
        left = [number]

        def sleep(seconds: float) -> None:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            between()

        monkeypatch.setattr(status_module, "sleep", sleep)
        return CliRunner(env={"REDIS_URL": url}).invoke(main, ["status", *arguments])

    return run


def test_watch_tells_again_and_again_until_ctrl_c(
    ticks: Callable[..., Result], valkey: Valkey, quiet: Redis
) -> None:
    def work() -> None:
        quiet.hincrby("adapter:default:counts", "accepted", 5)

    done = ticks(3, valkey.url(1), "--watch", "0.5", between=work)
    assert done.exit_code == 0
    blocks = done.stdout.split("workspace default\n")
    assert len(blocks) == 4
    assert "Ctrl-C ends" in blocks[0]
    assert "/s" not in blocks[1], "there is nothing to compare with yet"
    assert re.search(r"accepted +5 +\+[0-9,.]+/s  webhooks taken in", blocks[2])
    assert re.search(r"accepted +10 +\+", blocks[3])
    assert re.search(r"sent +0 {13,}delivered", blocks[3]), "what stands still has no rate"


def test_watch_with_json_is_a_line_a_time(
    ticks: Callable[..., Result], valkey: Valkey, quiet: Redis
) -> None:
    done = ticks(3, valkey.url(1), "--json", "--watch")
    assert done.exit_code == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["default"]["pending"] for each in found] == [0, 0, 0]


def test_watch_outlives_redis(ticks: Callable[..., Result]) -> None:
    done = ticks(2, "redis://127.0.0.1:1/0", "--watch")
    assert done.exit_code == 0
    assert done.stdout == ""
    said = "Redis at 127.0.0.1:1/0: connection refused\n"
    assert done.stderr.startswith(said * 2)


def test_watch_is_not_for_drift(ticks: Callable[..., Result], valkey: Valkey) -> None:
    done = ticks(1, valkey.url(1), "--watch", "--drift")
    assert done.exit_code == 2
    assert ticks(1, valkey.url(1), "--watch", "0").exit_code == 2


def test_a_real_ctrl_c_ends_a_watch(valkey: Valkey, tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        process = lab.adapter("status", "--watch", "0.1", REDIS_URL=valkey.url(1))
        until(lambda: process.said.count("workspace default") > 1, "it was told twice")
        process.signal(signal.SIGINT)
        assert process.wait() == 0
        process.assert_calm()


def test_a_dry_run_is_said(valkey: Valkey, quiet: Redis) -> None:
    quiet.hset("adapter:default:mode", "dry", int(time.time() * 1000))
    invoke = CliRunner(env={"REDIS_URL": valkey.url(1)}).invoke
    assert "DRY RUN: nothing is sent" in invoke(main, ["status"]).stdout
    assert json.loads(invoke(main, ["status", "--json"]).stdout)["default"]["dry_run"] is True


def test_a_missing_worker_is_said(
    ticks: Callable[..., Result], valkey: Valkey, quiet: Redis
) -> None:
    said = "no worker listens, so nothing is delivered: start `adapter worker`"
    invoke = CliRunner(env={"REDIS_URL": valkey.url(1)}).invoke
    assert said in invoke(main, ["status"]).stdout
    assert ticks(2, valkey.url(1), "--watch").stdout.count(said) == 2
    Signs(quiet, "default", dry_run=False).give()
    assert said not in invoke(main, ["status"]).stdout


def test_how_much_the_catalog_knows(valkey: Valkey, quiet: Redis) -> None:
    invoke = CliRunner(env={"REDIS_URL": valkey.url(1)}).invoke
    assert "catalog" not in invoke(main, ["status"]).stdout, "nobody asked it yet"
    quiet.hset("adapter:default:counts", mapping={"catalog_asked": 30, "catalog_found": 28})
    assert "\n  catalog: 93 % of items known\n" in invoke(main, ["status"]).stdout
    found = json.loads(invoke(main, ["status", "--json"]).stdout)["default"]
    assert found["catalog"] == {"asked": 30, "found": 28}


@pytest.fixture
def quiet(valkey: Valkey) -> Iterator[Redis]:
    """A database that no process writes to."""
    with valkey.client(1) as redis:
        redis.flushdb()
        yield redis


def test_drift_of_an_empty_redis(adapter: Adapter, valkey: Valkey, quiet: Redis) -> None:
    done = adapter("status", "--drift", REDIS_URL=valkey.url(1))
    assert done.returncode == 0, done.stderr
    first, second, _, rule = done.stdout.splitlines()
    assert first == "workspace default: 0 of 0 properties drift"
    assert second == "nothing was counted yet"
    assert "fell by 20 points or to under half" in rule
    told = adapter("status", "--drift", "--json", REDIS_URL=valkey.url(1)).stdout
    found = json.loads(told)["default"]
    assert found["drift"] == {"rule": rule, "properties": []}
    assert found["accepted"] == 0


def test_drift_of_few_events_is_counted_and_not_judged(
    adapter: Adapter, valkey: Valkey, quiet: Redis
) -> None:
    name = "order_completed|shopify orders/paid|"
    hour = int(time.time()) // 3600
    counts = {f"{name}|events": 4, f"{name}locale|present": 3, f"{name}items[].url|bad": 1}
    quiet.hset(f"adapter:default:drift:{hour}", mapping=counts)
    rows = adapter("status", "--drift", REDIS_URL=valkey.url(1)).stdout.splitlines()
    assert rows[:3] == [
        "workspace default: 0 of 2 properties drift",
        "2 have too few events yet: --all lists them",
        "",
    ]
    rows = adapter("status", "--drift", "--all", REDIS_URL=valkey.url(1)).stdout.splitlines()[2:5]
    assert [" ".join(row.split()) for row in rows] == [
        "order_completed items[].url shopify orders/paid 4 - - 25 % too few events to tell",
        "order_completed locale shopify orders/paid 4 75 % - - too few events to tell",
        "",
    ]
    told = adapter("status", "--drift", "--json", REDIS_URL=valkey.url(1)).stdout
    first, _ = json.loads(told)["default"]["drift"]["properties"]
    assert first["now"] == {"events": 4, "present": None, "absent": None, "bad": 1}
    assert (first["judged"], first["drifting"]) == (False, False)


def test_drift_that_can_be_judged_is_listed(adapter: Adapter, valkey: Valkey, quiet: Redis) -> None:
    name = "order_completed|shopify orders/paid|"
    hour = int(time.time()) // 3600
    before = {f"{name}|events": 400, f"{name}locale|present": 400, f"{name}note|present": 400}
    now = {f"{name}|events": 400, f"{name}locale|present": 9, f"{name}note|present": 400}
    rare = {"order_refunded|shopify refunds/create||events": 1}
    rare |= {"order_refunded|shopify refunds/create|note|present": 1}
    quiet.hset(f"adapter:default:drift:{hour - 30}", mapping=before)
    quiet.hset(f"adapter:default:drift:{hour}", mapping=now | rare)
    rows = adapter("status", "--drift", REDIS_URL=valkey.url(1)).stdout.splitlines()
    assert rows[0] == "workspace default: 1 of 3 properties drift"
    assert rows[2].startswith("DRIFT  order_completed  locale")
    assert rows[3].split()[:2] == ["order_completed", "note"]
    assert rows[4] == "1 has too few events yet: --all lists them"


def test_drift_without_redis(adapter: Adapter) -> None:
    done = adapter("status", "--drift", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stderr.startswith("Redis at 127.0.0.1:1/0: connection refused\n")
