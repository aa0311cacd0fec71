"""`adapter doctor`, with a real Valkey and a Customer.io that really listens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result
from doctor.test_findings import BY_THE_COMMAND
from redis import Redis
from servers import configured

from adapter.app import build_office, build_web
from adapter.cli import checkup, main
from adapter.cli.checkup import Checkup
from adapter.doctor import server
from adapter.sandbox.server import running
from adapter.settings import VARIABLES, Settings, shipped
from adapter.store.mode import Signs

from .conftest import broken_mappings

SECRET = "5f2d8a0c3b1e4f6795ad02c4e8b7d613"
WORKER = "rq:worker:one"

Doctor = Callable[..., Result]


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """How quick Redis is on a machine that has other work is not to be found out here; that a slow
    one is told of is shown in tests/doctor."""
    monkeypatch.setattr(server, "SLOW_SECONDS", 30.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running() as url:
        yield url


Check = Callable[[Sequence[Path]], Checkup]


@pytest.fixture(scope="module")
def check() -> Check:
    """Running all tests of the shipped mappings once is enough for this file."""
    once: list[Checkup] = []
    really = checkup.check

    def checked(layers: Sequence[Path]) -> Checkup:
        if tuple(layers) != (shipped("mappings"),):
            return really(layers)
        if not once:
            once.append(really(layers))
        return once[0]

    return checked


@pytest.fixture
def doctor(
    redis_url: str, sandbox: str, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    """`doctor(*arguments, VARIABLE=value)` in an installation that is well but has no worker; None
    takes a variable away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkup, "check", check)
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    well = {
        "REDIS_URL": redis_url,
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "CUSTOMERIO_SITE_ID": "sandbox-site",
        "CUSTOMERIO_API_KEY": "sandbox-key",
        "CUSTOMERIO_TRACK_URL": sandbox,
        "HASH_SECRET": "h" * 32,
        "CONSOLE_PASSWORD": "p" * 32,
        "ADAPTER_DATA_DIR": str(tmp_path / "data"),
    }

    def run(*arguments: str, **env: str | None) -> Result:
        done = CliRunner(env={**well, **env}).invoke(main, ["doctor", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert SECRET not in done.output
        assert "sandbox-key" not in done.output
        return done

    return run


@pytest.fixture
def working(redis: Redis) -> None:
    """As RQ and the sweeping thread would write it."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    redis.hset(WORKER, "last_heartbeat", at)
    redis.sadd("rq:workers:adapter", WORKER)
    Signs(redis, "default", dry_run=False).give()


def names(done: Result) -> dict[str, str]:
    """Level of each finding by name."""
    document = json.loads(done.stdout)
    assert list(document) == ["sound", "findings"]
    found = {each["name"]: each["level"] for each in document["findings"]}
    assert document["sound"] is ("broken" not in found.values())
    assert done.exit_code == (0 if document["sound"] else 1)
    return found


def test_an_installation_that_is_well(doctor: Doctor, working: None) -> None:
    found = names(doctor("--json"))
    assert found == {
        "settings-ok": "ok",
        "secrets-ok": "ok",
        "redis-ok": "ok",
        "mappings-ok": "ok",
        "api-other": "warning",
        "api-ok": "ok",
        "email-updates": "hint",
        "delivery-ok": "ok",
        "nothing-came": "hint",
        "drift-ok": "ok",
    }


def test_it_is_readable(doctor: Doctor, working: None) -> None:
    done = doctor("--offline")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line for line in lines if line and line[0].isalpha()] == [
        *("settings", "secrets", "Redis", "mappings", "Customer.io", "delivery", "drift")
    ]
    assert lines[1] == "  ok       every variable that is set can be read."
    at = next(number for number, line in enumerate(lines) if "--offline" in line)
    assert lines[at].startswith("  hint     credentials and region were not tried")
    assert lines[at + 1].startswith("           -> Run `adapter doctor` without --offline")
    assert lines[-1] == "0 broken, 0 warnings, 3 hints"


def test_nobody_works(doctor: Doctor) -> None:
    found = names(doctor("--json", "--offline"))
    assert found["worker-none"] == "broken"


def test_settings_that_are_wrong(doctor: Doctor, working: None) -> None:
    done = doctor("--json", PORT="x", LOG_LEVEL="loud")
    document = json.loads(done.stdout)
    assert [each["name"] for each in document["findings"]] == ["setting-wrong"] * 2
    assert done.exit_code == 1
    # What is merely missing leaves the rest to be looked at.
    found = names(
        doctor("--json", SHOPIFY_WEBHOOK_SECRET="", CUSTOMERIO_SITE_ID="", CUSTOMERIO_API_KEY="")
    )
    assert found["setting-wrong"] == "broken"
    assert found["redis-ok"] == "ok"
    assert found["no-probe"] == "hint"


def test_beside_a_run_that_made_up_its_own_variables(
    doctor: Doctor, working: None, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.embedded.find_running", lambda _: redis_url)
    own = ("REDIS_URL", "SHOPIFY_WEBHOOK_SECRET", "CUSTOMERIO_SITE_ID", "CUSTOMERIO_API_KEY")
    found = names(doctor("--json", **dict.fromkeys(own)))
    assert found["embedded"] == "hint"
    assert "setting-wrong" not in found
    assert names(doctor("--json", **dict.fromkeys(own), PORT="x"))["setting-wrong"] == "broken"


def test_credentials_that_are_refused(doctor: Doctor, working: None) -> None:
    assert names(doctor("--json", CUSTOMERIO_API_KEY="another-key"))["credentials"] == "broken"
    assert "credentials" not in names(doctor("--json", "--offline", CUSTOMERIO_API_KEY="another"))


def test_the_wrong_region(doctor: Doctor, working: None) -> None:
    done = doctor(CUSTOMERIO_REGION="eu")
    assert done.exit_code == 1
    assert "CUSTOMERIO_REGION is eu, but the account is in us" in done.stdout


def test_customerio_out_of_reach(doctor: Doctor, working: None) -> None:
    found = names(doctor("--json", CUSTOMERIO_TRACK_URL="http://127.0.0.1:1"))
    assert found["api-gone"] == "broken"


def test_a_dry_run_still_tries_the_credentials(doctor: Doctor, working: None) -> None:
    found = names(doctor("--json", DRY_RUN="1"))
    assert found["dry-run"] == "warning"
    assert found["api-ok"] == "ok"


def test_without_redis(doctor: Doctor) -> None:
    assert names(doctor("--json", "--offline", REDIS_URL=""))["redis-none"] == "broken"
    gone = names(doctor("--json", "--offline", REDIS_URL="redis://127.0.0.1:1"))
    assert gone["redis-gone"] == "broken"


@pytest.mark.parametrize(
    ("password", "base", "said"),
    [("hush", "0", "wrong password or user"), (None, "99", "it has no database of that number")],
)
def test_a_redis_that_is_there_and_refuses(
    doctor: Doctor, redis_url: str, password: str | None, base: str, said: str
) -> None:
    inner = urlsplit(redis_url)
    url = f"redis://:{password or inner.password}@127.0.0.1:{inner.port}/{base}"
    done = doctor("--json", "--offline", REDIS_URL=url)
    assert names(done)["redis-refuses"] == "broken"
    assert f"answers at 127.0.0.1:{inner.port}/{base}, but refuses ({said})" in done.stdout
    assert "hush" not in done.stdout


def test_a_server_that_would_evict(doctor: Doctor, working: None, redis: Redis) -> None:
    with configured(redis, "maxmemory-policy", "allkeys-lru"):
        assert names(doctor("--json", "--offline"))["redis-policy"] == "broken"


def test_mappings_that_are_broken(doctor: Doctor, working: None, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    done = doctor("--json", "--offline", MAPPINGS_DIR=str(mappings))
    assert names(done)["mapping-fault"] == "broken"
    assert "not a field of order_completed" in done.stdout


def test_a_test_of_mappings_that_fails(doctor: Doctor, working: None, tmp_path: Path) -> None:
    custom = tmp_path / "custom" / "shopify"
    custom.mkdir(parents=True)
    (custom / "orders.yml").write_text(
        "events:\n  order_completed:\n    properties:\n      revenue: subtotal_price\n"
        "tests:\n  - name: it is what it is not\n    fixture: shopify/orders_create.json\n"
        "    expect: {events: [{name: order_completed, properties: {revenue: 1}}]}\n"
    )
    found = names(doctor("--json", "--offline"))
    assert found["mapping-test"] == "broken"
    assert "mappings-ok" not in found


def test_warnings_about_mappings_are_counted(doctor: Doctor, working: None, tmp_path: Path) -> None:
    custom = tmp_path / "custom" / "shopify"
    custom.mkdir(parents=True)
    (custom / "orders.yml").write_text(
        "events:\n  order_completed:\n    properties:\n      note: there.is.no.such.path\n"
    )
    found = names(doctor("--json", "--offline"))
    assert found["mapping-warnings"] == "hint", found


def test_what_came_and_what_did_not(doctor: Doctor, working: None, redis: Redis) -> None:
    redis.hset("adapter:default:seen", "shopify s.example orders/create", int(time.time()))
    done = doctor("--json", "--offline")
    assert names(done)["topics-unseen"] == "hint"
    text = next(e["text"] for e in json.loads(done.stdout)["findings"] if e["subject"] == "topics")
    assert "orders/create" not in text
    assert "refunds/create" in text or "more" in text


def test_what_never_came_is_told_without_a_secret_as_well(
    doctor: Doctor, working: None, redis: Redis
) -> None:
    redis.hset("adapter:default:seen", "shopify s.example orders/create", int(time.time()))
    # With the worker's variables alone, or beside `adapter run`, which makes up a secret.
    found = names(doctor("--json", "--offline", SHOPIFY_WEBHOOK_SECRET=None))
    assert found["topics-unseen"] == "hint"
    assert "topics-ok" not in found


def test_it_changes_nothing(doctor: Doctor, working: None, redis: Redis) -> None:
    def everything() -> dict[bytes, Any]:
        return {key: redis.dump(key) for key in redis.keys("*")}

    before = everything()
    doctor()
    assert everything() == before


def test_its_cheap_part_runs_at_the_start(
    redis_url: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.from_env({"REDIS_URL": redis_url, "SHOPIFY_WEBHOOK_SECRET": "changeme"})
    with configured(redis, "maxmemory-policy", "allkeys-lru"):
        build_web(settings)
        build_office(settings)
    found = [one.__dict__["finding"] for one in caplog.records]
    assert found == ["secret-placeholder", "redis-policy"] * 2
    assert all(one.levelname == "WARNING" and one.__dict__["mend"] for one in caplog.records)


def test_a_redis_that_is_gone_is_said_at_the_start_and_not_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    build_office(Settings(redis_url="redis://127.0.0.1:1"))
    assert [one.__dict__["finding"] for one in caplog.records] == ["redis-gone"]


def test_what_only_the_command_finds_is_tested_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert all(f'"{name}"' in text for name in BY_THE_COMMAND)
