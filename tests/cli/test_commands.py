"""Every command: its help, its exit status, and what it says when something is missing."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from edge.lab import FIXTURES

from adapter import __version__
from adapter.cli import main
from adapter.settings import shipped

from .conftest import Adapter

COMMANDS = ("run", "up", "web", "worker", "check", "explain", "send", "sandbox", "schema", "status")
GOOD = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SHOPIFY_WEBHOOK_SECRET": "secret",
    "CUSTOMERIO_SITE_ID": "site",
    "CUSTOMERIO_API_KEY": "key",
}


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, flag: str) -> None:
    done = CliRunner().invoke(main, [command, flag])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {command} ")


def test_the_command_itself(adapter: Adapter) -> None:
    done = adapter("--help")
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert adapter("--version").stdout == f"adapter, version {__version__}\n"
    assert adapter().returncode == 2
    unknown = adapter("rnu")
    assert unknown.returncode == 2
    assert "rnu" in unknown.stderr


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "problems"),
    [
        ("web", ["REDIS_URL is not set.", "No webhook secret is set"]),
        (
            "worker",
            ["REDIS_URL is not set.", "CUSTOMERIO_SITE_ID is not", "CUSTOMERIO_API_KEY is not"],
        ),
        (
            "up",
            ["No webhook secret is set", "CUSTOMERIO_SITE_ID is not", "CUSTOMERIO_API_KEY is not"],
        ),
        ("status", ["REDIS_URL is not set, and no embedded server runs"]),
    ],
)
def test_missing_variables_are_named_all_at_once(
    adapter: Adapter, command: str, problems: list[str]
) -> None:
    done = adapter(command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == len(problems)
    assert all(problem in done.stderr for problem in problems)


@pytest.mark.parametrize("command", ["run", "up", "web", "worker", "status", "schema", "check"])
def test_malformed_variables_are_named_all_at_once(adapter: Adapter, command: str) -> None:
    bad = {
        **GOOD,
        "REDIS_URL": "http://:hunter2@example.com",
        "CUSTOMERIO_REGION": "mars",
        "CUSTOMERIO_API_KEY": "hunter2:",
        "SHOPIFY_WEBHOOK_SECRET": "hunter2,,hunter2",
        "MAX_BODY_BYTES": "1e6",
        "PORT": "0",
        "LOG_LEVEL": "LOUD",
        "MAPPINGS_DIR": "/nowhere",
    }
    done = adapter(command, **bad)
    assert done.returncode == 2
    for name in bad.keys() - {"CUSTOMERIO_SITE_ID"}:
        assert done.stderr.count(name) == 1, (name, done.stderr)
    assert "hunter2" not in done.stderr, "a secret"


@pytest.mark.parametrize("command", ["web", "up"])
def test_port_0_is_none_to_give_to_a_store(adapter: Adapter, command: str) -> None:
    done = adapter(command, "--port", "0", **GOOD)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_secrets_of_unknown_platforms_only_are_a_fault(adapter: Adapter) -> None:
    done = adapter("web", **{**GOOD, "SHOPIFY_WEBHOOK_SECRET": "", "SHOPFIY_WEBHOOK_SECRET": "x"})
    assert done.returncode == 2
    assert "shopify" in done.stderr


def test_web_does_not_start_on_broken_mappings(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    done = adapter("web", **{**GOOD, "MAPPINGS_DIR": str(mappings)})
    assert done.returncode == 1
    assert "orders.yml:" in done.stderr


@pytest.mark.parametrize("command", ["run", "sandbox"])
def test_a_taken_port_is_said(adapter: Adapter, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = adapter(command, "--port", port)
    assert done.returncode == (2 if command == "run" else 1)
    assert str(port) in done.stderr


# --- check --------------------------------------------------------------------------------------


def broken_mappings(home: Path) -> Path:
    mappings = home / "mappings"
    shutil.copytree(shipped("mappings"), mappings)
    orders = mappings / "shopify" / "orders.yml"
    text = orders.read_text("utf-8")
    orders.write_text(
        text.replace("      revenue: total_price\n", "      revenu: total_price\n", 1)
    )
    return mappings


def test_the_shipped_mappings_are_sound(adapter: Adapter) -> None:
    done = adapter("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 failed, 0 faults, 0 warnings" in done.stdout


def test_a_fault_has_file_line_and_column(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    done = adapter("check", mappings)
    assert done.returncode == 1
    text = (mappings / "shopify" / "orders.yml").read_text("utf-8").splitlines()
    line = next(n for n, each in enumerate(text, 1) if each.startswith("      revenu:"))
    assert f"{mappings}/shopify/orders.yml:{line}:7: " in done.stderr
    assert "did you mean 'revenue'?" in done.stderr
    # By MAPPINGS_DIR it is the same.
    assert adapter("check", MAPPINGS_DIR=str(mappings)).stderr == done.stderr


def test_all_faults_of_all_files_are_told(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    profile = mappings / "shopify" / "platform.yml"
    profile.write_text(profile.read_text().replace("hmac-sha256", "hmac-sha255"))
    refunds = mappings / "shopify" / "refunds.yml"
    refunds.write_text(refunds.read_text() + "topics: [x]\n")
    done = adapter("check", mappings)
    assert done.returncode == 1
    for file in ("orders.yml:", "platform.yml:", "refunds.yml:"):
        assert file in done.stderr


def test_a_test_that_fails_has_its_place_too(adapter: Adapter, tmp_path: Path) -> None:
    mappings = tmp_path / "mappings"
    shutil.copytree(shipped("mappings"), mappings)
    refunds = mappings / "shopify" / "refunds.yml"
    text = refunds.read_text()
    refunds.write_text(text.replace("refund_amount: 29.83", "refund_amount: 29.84", 1))
    done = adapter("check", mappings)
    assert done.returncode == 1
    assert f"{refunds}:" in done.stderr
    assert "29.84" in done.stderr
    assert "1 failed" in done.stdout


def test_check_of_nothing(adapter: Adapter, tmp_path: Path) -> None:
    assert adapter("check", tmp_path / "nowhere").returncode == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    done = adapter("check", empty)
    assert done.returncode == 1
    assert f"{empty}:1:1: no mapping files" in done.stderr


# --- explain ------------------------------------------------------------------------------------


def explain(adapter: Adapter, topic: str, fixture: str, *more: str) -> dict[str, Any]:
    file = FIXTURES / f"{fixture}.json"
    done = adapter("explain", "shopify", topic, file, "--json", *more)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["outcome", "reason", "delivery", "person", "events", "requests"]
    assert list(found["delivery"]) == ["platform", "topic", "id", "shop"]
    assert all(type(value) is str for value in found["delivery"].values())
    assert (found["delivery"]["platform"], found["delivery"]["topic"]) == ("shopify", topic)
    return found


def check_person(person: dict[str, Any]) -> None:
    names = ["id", "email", "phone", "anonymous_id", "as_of", "tokens", "attributes"]
    assert list(person) == names
    for name in names[:4]:
        assert person[name] is None or type(person[name]) is str
    assert type(person["as_of"]) is int
    assert type(person["attributes"]) is dict
    assert all(type(value) is str for value in person["tokens"].values())


def check_event(event: dict[str, Any]) -> None:
    assert list(event) == ["name", "key", "id", "timestamp", "properties"]
    assert [type(value) for value in event.values()] == [str, str, str, int, dict]
    assert len(event["id"]) == 26


def test_explain_an_order(adapter: Adapter) -> None:
    found = explain(adapter, "orders/paid", "orders_paid", "--shop", "Lovelace.myshopify.com")
    assert (found["outcome"], found["reason"]) == ("mapped", None)
    assert found["delivery"]["shop"] == "lovelace.myshopify.com"
    check_person(found["person"])
    assert found["person"]["id"] == "8274950138263"
    assert found["person"]["tokens"].keys() == {"cart", "checkout"}
    (event,) = found["events"]
    check_event(event)
    assert (event["name"], event["key"]) == ("order_completed", "9058172640193827465")
    assert event["properties"]["revenue"] == 202.29
    (request,) = found["requests"]
    assert list(request) == ["method", "path", "json"]
    assert (request["method"], request["path"]) == ("POST", "/api/v2/batch")
    identify, sent = request["json"]["batch"]
    assert (identify["action"], sent["action"]) == ("identify", "event")
    assert sent["identifiers"] == identify["identifiers"] == {"id": "8274950138263"}
    assert sent["id"] == event["id"]
    assert sent["timestamp"] == event["timestamp"]


def test_explain_a_draft_order_of_nobody(adapter: Adapter) -> None:
    found = explain(adapter, "orders/create", "orders_create.draft")
    assert (found["outcome"], found["reason"]) == ("ignored", "no_person")
    assert (found["person"], found["events"], found["requests"]) == (None, [], [])


def test_explain_a_refund(adapter: Adapter) -> None:
    """Its person is whoever owns the order, which an empty memory does not know."""
    found = explain(adapter, "refunds/create", "refunds_create")
    assert found["outcome"] == "mapped"
    assert found["reason"] == "waits until order 9058172640193827465 says whose it is"
    if found["person"] is not None:
        check_person(found["person"])
        assert [found["person"][name] for name in ("id", "email", "phone")] == [None, None, None]
    (event,) = found["events"]
    check_event(event)
    assert event["properties"]["refund_amount"] == 29.83
    assert found["requests"] == [], "nothing can be sent for nobody"


def test_explain_an_unknown_topic(adapter: Adapter) -> None:
    found = explain(adapter, "orders/exploded", "orders_paid")
    assert (found["outcome"], found["reason"]) == ("parked", "unknown topic: orders/exploded")
    assert (found["person"], found["events"], found["requests"]) == (None, [], [])


def test_explain_a_bad_field(adapter: Adapter, tmp_path: Path) -> None:
    body = json.loads((FIXTURES / "orders_paid.json").read_text())
    body["line_items"][1]["price"] = "free"
    done = adapter("explain", "shopify", "orders/paid", "-", "--json", stdin=json.dumps(body))
    found = json.loads(done.stdout)
    assert found["outcome"] == "parked"
    assert found["reason"].startswith("order_completed.items[1].price: expected money")


def test_explain_for_people(adapter: Adapter) -> None:
    done = adapter("explain", "shopify", "orders/paid", FIXTURES / "orders_paid.json")
    assert done.returncode == 0
    assert done.stdout.startswith("mapped\nperson\n")
    assert "order_completed 9058172640193827465" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("explain", "shopify", "orders/paid", "nowhere.json"), 2, "nowhere.json"),
        (("explain", "shopfiy", "orders/paid", "-"), 2, "there is shopify"),
        (("explain", "shopify", "orders/paid", "-"), 1, "not JSON"),
        (("explain", "shopify"), 2, "Missing argument"),
    ],
)
def test_explain_in_vain(
    adapter: Adapter, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = adapter(*arguments, stdin="{")
    assert done.returncode == status
    assert says in done.stderr
    assert done.stdout == ""
