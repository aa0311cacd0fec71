"""`adapter catalog`: files of products into Redis, and what is known of one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge.lab import Lab
from redis import Redis

from adapter.cli.exports import Found, bodies
from adapter.settings import shipped

from .conftest import Adapter

FIXTURES = shipped("fixtures") / "shopify"
WEBHOOK = FIXTURES / "products_update.json"
STOREFRONT = FIXTURES / "products_update.storefront.json"
SHOP = "lovelace-coffee.myshopify.com"
MUG = "8840127463715"
KEY = f"adapter:default:product:shopify:{SHOP}:"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def load(adapter: Adapter, redis_url: str) -> Run:
    """`adapter catalog load FILE... --shop SHOP --json`"""

    def run(*files: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        arguments = ("catalog", "load", *files, "--shop", SHOP, "--json")
        return adapter(*arguments, stdin=stdin, REDIS_URL=redis_url)

    return run


def counts(done: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    found = json.loads(done.stdout)
    return found["stored"], found["older"], len(found["unreadable"])


def body(id_: int, at: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": id_, "title": f"Tea {id_}", "updated_at": at, **more}


def compact(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values) + "\n"


FORMS = {
    "a list": json.dumps([body(1), body(2)], indent=1),
    "a list on one line": json.dumps([body(1), body(2)]),
    "products": json.dumps({"products": [body(1), body(2)]}),
    "products, nicely": json.dumps({"products": [body(1), body(2)]}, indent=2),
    "one a line": compact(body(1), body(2)),
    "one a line, blank lines between": f"\n{compact(body(1))}\n\r\n{compact(body(2))}\n",
    "one a line, each wrapped": compact({"product": body(1)}, {"product": body(2)}),
    "pages, one a line": compact({"products": [body(1)]}, {"products": [body(2)]}),
    "a list of one a line": f"[\n{json.dumps(body(1))},\n{json.dumps(body(2))}\n]",
    "with a byte order mark": "\ufeff" + json.dumps([body(1), body(2)]),
}
ONE = {
    "one": json.dumps(body(1)),
    "one, nicely": json.dumps(body(1), indent=1),
    "one, wrapped": json.dumps({"product": body(1)}),
    "a list of one": f"[\n{json.dumps(body(1))}\n]",
    "one that has products of its own": json.dumps(body(1, products=[])),
}


@pytest.mark.parametrize(
    ("text", "ids"),
    [*((text, [1, 2]) for text in FORMS.values()), *((text, [1]) for text in ONE.values())],
    ids=[*FORMS, *ONE],
)
def test_the_forms_of_a_file(text: str, ids: list[int]) -> None:
    found = bodies("x.json", text.encode(), "product")
    assert [each.problem for each in found] == [""] * len(ids)
    assert [each.body["id"] for each in found] == ids
    assert len({each.where for each in found}) == len(ids)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \n ", []),
        ("[]", []),
        ('{"products": []}', []),
        ("no json", ["x.json: the file is not JSON: Expecting value at line 1, column 1"]),
        (
            '[\n {"id": 1},\n]',
            ["x.json: the file is not JSON: "],
        ),
        (
            compact({"id": 1}, {"id": 2}) + "oops\n",
            ["", "", "x.json, line 3: the line is not JSON: Expecting value at column 1"],
        ),
        (
            "oops\n" + compact({"id": 1}),
            ["x.json, line 1: the line is not JSON: Expecting value at column 1", ""],
        ),
    ],
    ids=[
        "nothing",
        "blanks",
        "an empty list",
        "no products",
        "no JSON",
        "a comma too many",
        "the last line is broken",
        "the first line is broken",
    ],
)
def test_what_cannot_be_read_says_where(text: str, found: list[str]) -> None:
    said = [
        f"{each.where}: {each.problem}" if each.problem else ""
        for each in bodies("x.json", text.encode(), "product")
    ]
    assert len(said) == len(found)
    assert all(one.startswith(other) for one, other in zip(said, found, strict=True))


def test_bytes_that_are_no_text_are_said_to_be() -> None:
    (found,) = bodies("x.json", b'{"id": "\xff"}', "product")
    assert found == Found("x.json", problem="the file is not UTF-8: byte 9")


def test_a_webhooks_body_and_a_storefronts_come_to_the_same(
    adapter: Adapter, load: Run, redis_url: str
) -> None:
    records = []
    for file in (WEBHOOK, STOREFRONT):
        with Redis.from_url(redis_url) as redis:
            redis.flushall()
        done = load(file)
        assert done.returncode == 0, done.stderr
        assert counts(done) == (1, 0, 0)
        with Redis.from_url(redis_url) as redis:
            records.append(json.loads(redis.get(KEY + MUG) or "null"))
    assert records[0] == records[1]
    assert records[0]["fields"]["url"] == f"https://{SHOP}/products/note-g-stoneware-mug"


def test_the_newest_stays(load: Run, tmp_path: Path, redis: Redis) -> None:
    new, old = tmp_path / "new.jsonl", tmp_path / "old.json"
    new.write_text(compact(body(1, "2026-02-01T00:00:00Z"), body(2, "2026-02-01T00:00:00Z")))
    old.write_text(json.dumps([body(1), body(3)]))
    assert counts(load(new)) == (2, 0, 0)
    assert counts(load(old)) == (1, 1, 0)
    assert counts(load(old, new)) == (3, 1, 0)
    assert json.loads(redis.get(KEY + "1") or "null")["as_of"] == 1769904000


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(
    load: Run, tmp_path: Path, redis: Redis
) -> None:
    file = tmp_path / "products.json"
    variants = [{"id": 11, "price": "cheap"}, {"price": "1.00"}]
    file.write_text(json.dumps([body(1), {"title": "x"}, 7, body(2, variants=variants)]))
    done = load(file)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "stored": 2,
        "older": 0,
        "unreadable": [
            {"where": f"{file}, product 2", "reason": "catalog.id: required, but absent"},
            {"where": f"{file}, product 3", "reason": "the body is no object"},
        ],
        "left_out": {
            "catalog.variants[0].price: expected money, got 'cheap'": 1,
            "catalog.variants[1].variant_id: required, but absent": 1,
        },
    }
    assert redis.exists(KEY + "1", KEY + "2") == 2


def test_what_is_no_product_is_not_taken_for_one(load: Run) -> None:
    order = FIXTURES / "orders_create.json"
    done = load(order)
    assert (done.returncode, counts(done)) == (1, (0, 0, 1))
    assert "no name and no variants" in done.stdout


@pytest.mark.parametrize("text", ["", "[]", "oops", '[{"title": "x"}]'])
def test_exit_1_when_no_product_could_be_read(load: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    done = load(file)
    assert done.returncode == 1
    assert counts(done)[:2] == (0, 0)


def test_standard_input_is_a_file_too(load: Run) -> None:
    assert counts(load("-", stdin=compact(body(1), body(2)))) == (2, 0, 0)


def test_what_a_person_reads(adapter: Adapter, tmp_path: Path, redis_url: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps([body(1), *({"title": "x"} for _ in range(25))]))
    done = adapter("catalog", "load", file, "--shop", SHOP.upper(), REDIS_URL=redis_url)
    lines = done.stdout.splitlines()
    assert lines[0] == f"catalog of {SHOP}"
    assert lines[1].split() == ["stored", "1"]
    assert lines[3].split() == ["unreadable", "25"]
    assert lines[4].strip() == f"{file}, product 2: catalog.id: required, but absent"
    assert lines[-1].strip() == "and 5 more; --json names all of them"
    assert len(lines) == 25
    assert done.stderr == ""


def test_a_terminal_sees_how_far_it_is(tmp_path: Path, redis_url: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps([body(number) for number in range(500)]))
    ours, theirs = pty.openpty()
    with Lab(tmp_path, REDIS_URL=redis_url) as lab:
        done = subprocess.run(
            [sys.executable, "-m", "adapter", "catalog", "load", file.name, "--shop", SHOP],
            env=lab.environ(TERM="xterm", COLUMNS="120"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=120,
            check=True,
        )
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)
    assert b"100%" in shown
    assert b"stored         500" in done.stdout


def test_a_shop_that_sends_no_webhooks_is_perhaps_another(
    adapter: Adapter, tmp_path: Path, redis: Redis, redis_url: str
) -> None:
    redis.hset("adapter:default:seen", f"shopify {SHOP} orders/create", "1767225600")
    load = ("catalog", "load", WEBHOOK, "--shop")
    assert adapter(*load, SHOP, REDIS_URL=redis_url).stderr == ""
    said = adapter(*load, "www.lovelace.example", REDIS_URL=redis_url).stderr
    assert said == (
        f"note: no webhook came from www.lovelace.example yet; those that came are from {SHOP}\n"
    )


def test_show(adapter: Adapter, load: Run, redis_url: str) -> None:
    load(WEBHOOK)
    show = ("catalog", "show", f"gid://shopify/Product/{MUG}", "--shop", SHOP)
    done = adapter(*show, REDIS_URL=redis_url)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines[:2] == [["product", MUG], ["as", "of 2026-09-10 13:30:00 UTC"]]
    assert ["tags", "gift, handmade"] in lines
    assert ["variant", "46120983431459"] in lines
    assert ["compare_at_price", "24.0"] in lines
    record = json.loads(adapter(*show, "--json", REDIS_URL=redis_url).stdout)
    assert (record["id"], record["removed"], len(record["variants"])) == (MUG, False, 2)


def test_show_a_product_that_is_gone(adapter: Adapter, redis: Redis, redis_url: str) -> None:
    record = {"id": "7", "as_of": 1767225600, "removed": True, "fields": {}, "variants": []}
    redis.set(KEY + "7", json.dumps(record))
    done = adapter("catalog", "show", "7", "--shop", SHOP, REDIS_URL=redis_url)
    assert done.stdout.splitlines()[-1].strip() == (
        "removed from the shop: nothing is enriched with it"
    )


def test_show_what_is_not_known(adapter: Adapter, redis_url: str) -> None:
    done = adapter("catalog", "show", "7", "--shop", SHOP, REDIS_URL=redis_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: Nothing is known of a product 7 of {SHOP}.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shop", "https://a.example"), "not a host name; expected a domain"),
        (("--shop", SHOP, "--platform", "shopfy"), "no mapping of 'shopfy' feeds the catalog"),
        ((), "Missing option '--shop'"),
    ],
)
def test_exit_2_where_the_command_is_wrong(
    adapter: Adapter, redis_url: str, arguments: tuple[str, ...], said: str
) -> None:
    done = adapter("catalog", "load", WEBHOOK, *arguments, REDIS_URL=redis_url)
    assert done.returncode == 2
    assert said in done.stderr


def test_exit_2_where_no_server_is_known(adapter: Adapter) -> None:
    done = adapter("catalog", "show", "7", "--shop", SHOP)
    assert done.returncode == 2
    assert done.stderr.startswith("REDIS_URL is not set, and no embedded server runs in ")


def test_exit_1_where_the_server_is_gone(adapter: Adapter) -> None:
    done = adapter("catalog", "load", WEBHOOK, "--shop", SHOP, REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Redis at 127.0.0.1:1/0: connection refused\n`adapter doctor` says "
    )
