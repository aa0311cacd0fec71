"""The playground: what an edit would change, its faults with their places; nothing is saved."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from backroom import Backroom
from flask import Flask
from redis import Redis

from adapter.settings import shipped
from adapter.web.console.deadline import TooLongError, within
from adapter.web.console.masks import HIDDEN
from adapter.web.console.playground import _value
from tests.console.conftest import MakeApp, Page, Visitor
from tests.console.test_pages import EMAIL, place_of, with_email

FORM = {
    "topic": "shopify orders/create",
    "sample": "fixture:orders_create.json",
    "file": "shopify/orders.yml",
}
SUBTOTAL = "events:\n  order_completed:\n    properties:\n      revenue: subtotal_price\n"


def tried(visitor: Visitor, overlay: str, **form: str) -> tuple[dict[str, Any], Page]:
    answer = visitor.post("/playground/try", {**FORM, **form, "overlay": overlay})
    assert answer.status_code == 200, answer.text
    told = answer.get_json()

    class Part:
        text = told["html"]

    return told, Page(Part, part=True)  # type: ignore[arg-type]


def test_nothing_changes_nothing(operator: Visitor) -> None:
    for text in ("", "# only a comment\n"):
        told, page = tried(operator, text)
        assert told["sound"]
        assert "No differences" in page.words("faults")
        assert "order_completed" in page.words("after")


def test_what_an_edit_changes(operator: Visitor) -> None:
    told, page = tried(operator, SUBTOTAL)
    assert told == {"sound": True, "faults": [], "html": told["html"]}
    assert "1 difference from what is live" in page.words("faults")
    assert "events[order_completed].properties.revenue" in page.words("difference")
    assert "- " not in page.words("faults")


def test_a_whole_event_less(operator: Visitor) -> None:
    told, page = tried(operator, "events:\n  order_completed: off\n")
    assert told["sound"]
    assert "events[order_completed]" in page.words("difference")


@pytest.mark.parametrize(
    ("overlay", "line", "column", "said"),
    [
        (SUBTOTAL.replace("revenue", "revenu"), 4, 7, "did you mean 'revenue'?"),
        (SUBTOTAL.rstrip() + " |\n", 4, 32, "expected the name of a filter"),
        ("events: [\n", 2, 1, "not YAML"),
        ("\tevents:\n", 1, 1, "a tab"),
        ("evnts: {}\n", 1, 1, "did you mean 'events'?"),
        ("a: &a [1]\nb: *b\n", 2, 4, ""),
        ("events: !!python/object:os.system {}\n", 1, 9, "tags are not allowed"),
    ],
)
def test_faults_have_their_place(
    operator: Visitor, overlay: str, line: int, column: int, said: str
) -> None:
    told, page = tried(operator, overlay)
    assert not told["sound"]
    assert (line, column) in [(each["line"], each["column"]) for each in told["faults"]]
    assert said in " ".join(each["message"] for each in told["faults"])
    assert f"custom/shopify/orders.yml:{line}:{column}" in page.words("faults")
    assert f'data-line="{line}"' in page.text
    assert "What it becomes live" in page.words("after-title"), "beside what is live"


@pytest.mark.parametrize(
    ("file", "overlay", "path"),
    [
        ("names.yml", "preset: title_case\n", "requests"),
        ("rules.yml", "vip_tier: off\n", ""),
        ("shopify/topics.yml", "", ""),
        ("schema.yml", "events:\n  order_completed:\n    extra: text?\n", ""),
    ],
)
def test_other_files(operator: Visitor, file: str, overlay: str, path: str) -> None:
    told, page = tried(operator, overlay, file=file)
    assert told["sound"], page.words("faults")
    assert path in page.words("difference")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"file": "../../etc/passwd"}, "no such file"),
        ({"file": "shopify/../../x.yml"}, "no such file"),
        ({"file": "/etc/passwd"}, "no such file"),
        ({"file": "shopify/none.yml"}, "no such file"),
        ({"file": "nowhere/orders.yml"}, "no such file"),
        ({"sample": "fixture:../../README.md"}, "no such fixture"),
        ({"sample": "fixture:/etc/passwd"}, "no such fixture"),
        ({"sample": "fixture:..%2f..%2fpyproject.json"}, "no such fixture"),
        ({"sample": "fixture:none.json"}, "no such fixture"),
        ({"sample": "file:/etc/passwd"}, "choose a fixture"),
        ({"sample": "delivery:1-1"}, "kept no more"),
        ({"sample": "delivery:*"}, "choose a fixture"),
        ({"sample": ""}, "choose a fixture"),
        ({"overlay": "#" * 70_000}, "longer than"),
    ],
    ids=str,
)
def test_what_it_does_not_take(operator: Visitor, form: dict[str, str], said: str) -> None:
    told, page = tried(operator, **{"overlay": "", **form})
    assert not told["sound"]
    assert said in page.words("faults")


def test_tests_inside_are_read_and_not_run(operator: Visitor, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"secret": "words"}')
    overlay = f"tests:\n  - {{name: x, fixture: '{secret}', expect: {{events: []}}}}\n"
    told, _ = tried(operator, overlay)
    assert told["sound"]
    assert "words" not in told["html"]


def test_a_bomb_is_not_built(operator: Visitor) -> None:
    """Nine levels of aliases would come to more than there is memory for."""
    lines = ["a0: &a0 [x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    told, page = tried(operator, "\n".join(lines))
    assert not told["sound"]
    assert "aliases" in page.words("faults")
    told, _ = tried(operator, "a: " + "[" * 3_000)
    assert not told["sound"]


def test_filters_make_no_bomb(operator: Visitor) -> None:
    """A kilobyte of them would come to gigabytes."""
    more = f'replace("#", "{"#" * 300}")'
    joined = f'split("#") | join("{"#" * 300}")'
    for filters in (f"{more} | {more} | {more}", f"{more} | {joined} | {joined}"):
        overlay = f"""events:
  order_completed:
    properties:
      order_name: '"a#b" | {filters}'
"""
        told, _ = tried(operator, overlay)
        assert told["sound"], told["faults"]
        assert len(told["html"]) < 2_000_000


def test_what_takes_too_long_is_ended() -> None:
    def forever() -> None:
        while True:
            pass

    with pytest.raises(TooLongError), within(0.05):
        forever()
    with within(5):
        pass


def test_nothing_is_saved(operator: Visitor, redis: Redis, make: MakeApp) -> None:
    before = sorted(redis.keys())
    files = {path: path.read_bytes() for path in shipped("mappings").rglob("*.yml")}
    tried(operator, SUBTOTAL)
    told, page = tried(operator, "")
    assert told["sound"]
    assert "No differences" in page.words("faults"), "one try leaves nothing for the next"
    assert sorted(redis.keys()) == before
    assert {path: path.read_bytes() for path in shipped("mappings").rglob("*.yml")} == files
    assert not (Path.cwd() / "custom" / "shopify").exists()


def test_an_overlay_that_there_is_already(make: MakeApp, tmp_path: Path) -> None:
    """It is what the text begins with, and what an edit stands in place of."""
    folder = tmp_path / "ours"
    (folder / "shopify").mkdir(parents=True)
    (folder / "shopify" / "orders.yml").write_text(SUBTOTAL)
    (folder / "names.yml").write_text("preset: title_case\n")
    visitor = Visitor(make(mappings_dirs=(shipped("mappings"), folder)))
    assert visitor.log_in().status_code == 303
    page = visitor.page("/playground?file=shopify/orders.yml")
    assert "revenue: subtotal_price" in page.words("overlay")
    assert page.words("place").endswith("ours/shopify/orders.yml")
    told, page = tried(visitor, SUBTOTAL)
    assert told["sound"]
    assert "No differences" in page.words("faults")
    told, page = tried(visitor, "")
    assert "properties.revenue" in page.words("difference")
    assert "Order Completed" in page.words("after"), "the rest of the overlay holds"


def test_without_scripts(operator: Visitor) -> None:
    page = operator.page("/playground?topic=shopify+refunds/create")
    assert 'value="fixture:refunds_create.json" selected' in page.text
    assert "custom/shopify/refunds.yml" in page.words("place")
    answer = operator.post("/playground", {**FORM, "overlay": SUBTOTAL})
    page = Page(answer)
    assert "properties.revenue" in page.words("difference")
    assert "revenue: subtotal_price" in page.words("overlay")


def test_a_recent_delivery(operator: Visitor, room: Backroom, redis: Redis) -> None:
    """Its personal data is hidden until asked."""
    room.order("d1", **with_email())
    place = place_of(redis, "d1")
    page = operator.page("/playground?topic=shopify+orders/create")
    assert f'value="delivery:{place}"' in page.text
    told, page = tried(operator, SUBTOTAL, sample=f"delivery:{place}")
    assert told["sound"]
    assert "properties.revenue" in page.words("difference")
    assert EMAIL not in told["html"]
    attributes = "person:\n  attributes:\n    first_name: customer.last_name\n"
    told, _ = tried(operator, attributes, sample=f"delivery:{place}")
    names = room_names()
    assert not [name for name in names if name in told["html"]]
    for _ in range(3):
        told, _ = tried(operator, attributes, sample=f"delivery:{place}", unmask="1")
    assert EMAIL in told["html"]
    assert all(name in told["html"] for name in names)
    acts = [fields[b"w"] for _, fields in redis.xrange("adapter:default:audit")]
    assert acts == [b"log-in", b"unmask"], "once, not with every key that is struck"


def room_names() -> list[str]:
    customer = with_email()["customer"]
    return [customer["first_name"], customer["last_name"]]


def test_why_it_would_be_parked_is_told_without_the_value() -> None:
    why = "customer.id: expected a number, got 'Ada King'"
    assert "Ada" not in (_value("reason", why, veiled=True) or "")
    assert "Ada" in (_value("reason", why, veiled=False) or "")


def test_what_an_event_is_called_is_nobodys() -> None:
    event = {
        "name": "order_completed",
        "key": "7",
        "id": "01",
        "timestamp": 1,
        "properties": {"name": "Ada", "revenue": 5},
    }
    shown = json.loads(_value("events[order_completed]", event, veiled=True) or "")
    assert shown == {**event, "properties": {"name": HIDDEN, "revenue": 5}}
    operation = {
        "action": "event",
        "name": "order_completed",
        "identifiers": {"email": "ada@example.com"},
        "attributes": {"note": "for Ada"},
    }
    path = "requests[0].json.batch[order_completed]"
    shown = json.loads(_value(path, operation, veiled=True) or "")
    assert shown["name"] == "order_completed"
    assert "da" not in json.dumps([shown["identifiers"], shown["attributes"]])
    assert _value(f"{path}.name", "Order Completed", veiled=True) == '"Order Completed"'
    for at in ("events[order_completed].properties.name", f"{path}.attributes.name"):
        assert "Ada" not in (_value(at, "Ada", veiled=True) or "")


def test_a_parked_delivery_can_be_mended(operator: Visitor, room: Backroom, redis: Redis) -> None:
    """That is what it is for: try the mapping on what could not be mapped."""
    assert room.order("d1", total_price="twelve") == "parked"
    sample = f"delivery:{place_of(redis, 'd1')}"
    told, page = tried(operator, "", sample=sample)
    assert "parked" in page.words("after")
    told, page = tried(operator, SUBTOTAL, sample=sample)
    assert told["sound"]
    assert "mapped" in page.words("after")


def test_it_is_quick(operator: Visitor) -> None:
    """As one types: it compiles everything, many times in the time that a person notices."""
    tried(operator, "")
    began = time.process_time()
    for number in range(20):
        tried(operator, SUBTOTAL + f"# {number}\n")
    assert time.process_time() - began < 6, "0.3 s each; some 0.03 s were measured"


def test_json_is_what_it_answers(app: Flask, operator: Visitor) -> None:
    answer = operator.post("/playground/try", {**FORM, "overlay": ""})
    assert answer.content_type == "application/json"
    assert set(json.loads(answer.text)) == {"html", "sound", "faults"}
