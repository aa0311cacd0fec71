"""`adapter explain`: one JSON object that keeps the contract, and a story for people."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from edge.lab import FIXTURES
from jsonschema import Draft202012Validator

from adapter.cli import main
from adapter.explain import Change, changes
from adapter.mapping import load
from adapter.settings import shipped

from .conftest import Adapter, broken_mappings

ROOT = Path(__file__).parents[2]
PAYLOADS = ROOT.parent / "shared" / "payloads"
KEYS = ["outcome", "reason", "delivery", "person", "events", "requests"]
MORE = {"left_out", "catalog", "action"}
SELDOM = {"changes", "gaps", "times", "platform_id"}


def explain(adapter: Adapter, topic: str, fixture: str, *more: str) -> dict[str, Any]:
    file = FIXTURES / f"{fixture}.json"
    done = adapter("explain", "shopify", topic, file, "--json", *more)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check_shape(found, topic)
    return found


def check_shape(found: dict[str, Any], topic: str) -> None:
    assert list(found)[: len(KEYS)] == KEYS
    assert set(found) <= {*KEYS, *MORE}
    assert all(found[name] for name in set(found) & MORE), "only when there is something in them"
    assert list(found["delivery"]) == ["platform", "topic", "id", "shop"]
    assert all(type(value) is str for value in found["delivery"].values())
    assert (found["delivery"]["platform"], found["delivery"]["topic"]) == ("shopify", topic)


def check_person(person: dict[str, Any]) -> None:
    names = ["id", "email", "phone", "anonymous_id", "as_of", "tokens", "attributes"]
    assert [name for name in person if name not in SELDOM] == names
    for name in names[:4]:
        assert person[name] is None or type(person[name]) is str
    assert type(person["as_of"]) is int
    assert type(person["attributes"]) is dict
    assert all(type(value) is str for value in person["tokens"].values())


def check_event(event: dict[str, Any]) -> None:
    assert list(event) == ["name", "key", "id", "timestamp", "properties"]
    assert [type(value) for value in event.values()] == [str, str, str, int, dict]
    assert len(event["id"]) == 26


# --- --json -------------------------------------------------------------------------------------


def test_an_order(adapter: Adapter) -> None:
    found = explain(adapter, "orders/paid", "orders_paid", "--shop", "Lovelace.myshopify.com")
    assert list(found) == KEYS, "nothing else is to be said of it"
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


def test_a_draft_order_of_nobody(adapter: Adapter) -> None:
    found = explain(adapter, "orders/create", "orders_create.draft")
    assert (found["outcome"], found["reason"]) == ("ignored", "no_person")
    assert (found["person"], found["events"], found["requests"]) == (None, [], [])


def test_a_refund(adapter: Adapter) -> None:
    """Its person is whoever owns the order, which an empty memory does not know."""
    found = explain(adapter, "refunds/create", "refunds_create")
    assert found["outcome"] == "mapped"
    assert found["reason"] == "waits until order 9058172640193827465 says whose it is"
    check_person(found["person"])
    assert [found["person"][name] for name in ("id", "email", "phone")] == [None, None, None]
    (event,) = found["events"]
    check_event(event)
    assert event["properties"]["refund_amount"] == 29.83
    assert found["requests"] == [], "nothing can be sent for nobody"


def test_a_cart_waits_for_its_person(adapter: Adapter) -> None:
    found = explain(adapter, "carts/create", "carts_create")
    assert (found["outcome"], found["requests"]) == ("mapped", [])
    assert found["reason"] == "waits until a checkout or an order names its person"
    assert found["person"]["tokens"].keys() == {"cart"}
    (event,) = found["events"]
    check_event(event)
    # What memory fills in, where it knows nothing.
    assert event["properties"]["first_in_cart"] is True
    assert event["properties"]["added_items"] == event["properties"]["items"]


def test_an_emptied_cart_added_nothing(adapter: Adapter) -> None:
    found = explain(adapter, "carts/update", "carts_update.empty")
    assert (found["outcome"], found["events"]) == ("mapped", [])


def test_a_product(adapter: Adapter) -> None:
    found = explain(adapter, "products/update", "products_update")
    assert list(found) == [*KEYS, "catalog"]
    assert (found["outcome"], found["reason"]) == ("mapped", None)
    assert (found["person"], found["events"], found["requests"]) == (None, [], [])
    assert found["catalog"]["id"] == "8840127463715"
    assert len(found["catalog"]["variants"]) == 2


def test_an_action(adapter: Adapter) -> None:
    found = explain(adapter, "customers/merge", "customers_merge")
    assert list(found) == [*KEYS, "action"]
    assert (found["outcome"], found["requests"]) == ("mapped", [])
    assert found["reason"].startswith("remembered; nothing to merge at Customer.io")
    assert found["action"]["kind"] == "merge_people"
    assert found["action"]["values"].keys() == {"kept", "gone"}


def test_an_erasure(adapter: Adapter) -> None:
    found = explain(adapter, "customers/redact", "customers_redact")
    assert (found["outcome"], found["reason"]) == ("mapped", None)
    actions = [[each["action"] for each in one["json"]["batch"]] for one in found["requests"]]
    assert actions == [["suppress", "suppress"], ["delete", "delete"]]


@pytest.mark.parametrize(
    ("topic", "hint"),
    [("orders/crate", ", did you mean 'orders/create'?"), ("xyzzy", "")],
)
def test_an_unknown_topic(adapter: Adapter, topic: str, hint: str) -> None:
    found = explain(adapter, topic, "orders_paid")
    assert (found["outcome"], found["reason"]) == ("parked", f"unknown topic: {topic}{hint}")
    assert (found["person"], found["events"], found["requests"]) == (None, [], [])


def spoilt(**wrong: Any) -> str:
    body = json.loads((FIXTURES / "orders_paid.json").read_text())
    body["line_items"][1]["price"] = wrong.pop("price", body["line_items"][1]["price"])
    return json.dumps({**body, **wrong})


def test_a_bad_required_field(adapter: Adapter) -> None:
    body = spoilt(price="free")
    done = adapter("explain", "shopify", "orders/paid", "-", "--json", stdin=body)
    found = json.loads(done.stdout)
    assert found["outcome"] == "parked"
    assert found["reason"].startswith("order_completed.items[1].price: expected money")


def test_a_bad_optional_field(adapter: Adapter) -> None:
    body = spoilt(order_status_url="nope")
    done = adapter("explain", "shopify", "orders/paid", "-", "--json", stdin=body)
    found = json.loads(done.stdout)
    assert found["outcome"] == "mapped"
    assert found["left_out"] == [
        {"path": "order_completed.order_status_url", "problem": "expected url, got text"}
    ]


def test_what_is_left_out_is_named_once(adapter: Adapter) -> None:
    """Both alternatives of the phone are no good, and in the same way."""
    body = json.loads(spoilt(phone="718 555"))
    body["customer"]["phone"] = "718 556"
    done = adapter("explain", "shopify", "orders/paid", "-", "--json", stdin=json.dumps(body))
    assert [each["path"] for each in json.loads(done.stdout)["left_out"]] == ["person.phone"]


def test_an_order_of_nobody_waits_for_no_order(adapter: Adapter) -> None:
    body = json.loads((FIXTURES / "orders_paid.json").read_text())
    body |= {"customer": None, "email": None, "contact_email": None, "phone": None}
    done = adapter("explain", "shopify", "orders/paid", "-", "--json", stdin=json.dumps(body))
    assert json.loads(done.stdout)["reason"] == (
        "waits until a checkout, or a later body of this order, names its person"
    )


def test_names_on_the_way_out_are_in_requests_alone(adapter: Adapter, tmp_path: Path) -> None:
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "names.yml").write_text("events: {order_completed: Purchase}\n")
    found = explain(adapter, "orders/paid", "orders_paid")
    assert [event["name"] for event in found["events"]] == ["order_completed"]
    (request,) = found["requests"]
    assert [each.get("name") for each in request["json"]["batch"]] == [None, "Purchase"]


# --- every body that there is -------------------------------------------------------------------


@cache
def contract() -> dict[str, Any]:
    done = CliRunner().invoke(main, ["schema", "--json"])
    assert done.exit_code == 0
    return json.loads(done.stdout)


def faults(definition: str, value: Any) -> list[str]:
    schema = {"$ref": f"#/$defs/{definition}", "$defs": contract()["$defs"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@cache
def known_topics() -> frozenset[str]:
    mappings = load(shipped("mappings"))
    return frozenset(mappings.topics("shopify")) | mappings.register("shopify").topics()


def topic_of(stem: str) -> str:
    """Files are called by their topic, `/` as `_`; a topic may hold a `_` or a dot of its own."""
    known = {topic.replace("/", "_"): topic for topic in known_topics()}
    fits = [name for name in known if stem == name or stem.startswith(f"{name}.")]
    return known[max(fits, key=len)] if fits else stem.partition(".")[0].replace("_", "/", 1)


def explained(file: Path) -> tuple[dict[str, Any], str]:
    topic = topic_of(file.stem)
    arguments = ["explain", "shopify", topic, str(file)]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    check_shape(found, topic)
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 0, told.output
    return found, told.stdout


def check_body(file: Path) -> dict[str, Any]:
    """A sensible outcome, events that keep the contract, and a story that fits a page."""
    found, story = explained(file)
    outcome, reason = found["outcome"], found["reason"]
    assert outcome in ("mapped", "ignored", "parked")
    assert (outcome == "mapped") or reason
    if outcome == "mapped" and not found.get("catalog"):
        # Something is sent, or it is said why not.
        assert found["requests"] or reason
    assert outcome != "parked", f"a body that cannot be mapped: {reason}"
    for event in found["events"]:
        check_event(event)
        assert faults(event["name"], event["properties"]) == []
    person = found["person"]
    if person is not None:
        check_person(person)
        contacts = {name: person[name] for name in ("email", "phone") if person[name] is not None}
        assert faults("person", {**person["attributes"], **contacts}) == []
    assert story.startswith(f"{outcome}  shopify {found['delivery']['topic']} of ")
    assert [line for line in story.splitlines() if len(line) > 80] == []
    assert "\x1b" not in story
    for event in found["events"]:
        assert f"Event {event['name']}  fired" in story
    return found


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.json")), ids=lambda file: file.stem)
def test_a_fixture(file: Path) -> None:
    assert topic_of(file.stem) in known_topics(), "a fixture is called by its topic"
    assert check_body(file).get("left_out") is None, "a fixture of ours is right in every field"


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no foreign payloads here")
@pytest.mark.parametrize("file", sorted(PAYLOADS.glob("*.json")), ids=lambda file: file.stem)
def test_a_foreign_body(file: Path) -> None:
    topic = topic_of(file.stem)
    if topic not in known_topics():
        assert explained(file)[0]["reason"].startswith(f"unknown topic: {topic}")
    else:
        check_body(file)


def test_the_contract_can_be_broken() -> None:
    """So that a schema which lets everything pass would be noticed."""
    assert faults("order_completed", {}) != []


# --- for people ---------------------------------------------------------------------------------


def story(adapter: Adapter, topic: str, file: str | Path, stdin: str = "", **env: str) -> str:
    place = file if isinstance(file, Path) or file == "-" else FIXTURES / f"{file}.json"
    done = adapter("explain", "shopify", topic, place, stdin=stdin, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_order(text: str, *pieces: str) -> None:
    """Each piece stands behind the one before it; any white space counts as one blank."""
    text, at = " ".join(text.split()), 0
    for piece in pieces:
        found = text.find(piece, at)
        assert found >= 0, f"{piece!r} is not behind {text[max(0, at - 80) : at]!r}"
        at = found + len(piece)


def test_the_story_of_an_order(adapter: Adapter) -> None:
    in_order(
        story(adapter, "orders/paid", "orders_paid"),
        "mapped shopify orders/paid of example.myshopify.com",
        "orders.yml",
        "Who",
        "Customer.io knows them by id 8274950138263: the first that is there of id, email, phone.",
        "email ada@example.com customer.email",
        "as of 2026-09-14 14:05:36 UTC updated_at",
        "Remembered as theirs:",
        'cart hWN1kT3nq8LcVdJ0aYbR4fZ2-mX cart_token | before("?")',
        "Attributes",
        "accepts_marketing true buyer_accepts_marketing | only(true)",
        "since 2026-09-14 14:05:32 UTC, created_at",
        "not in this body: tags, sms_opt_in,",
        "Event order_completed fired",
        "because cancelled_at | absent cancelled_at is absent",
        "key 9058172640193827465 id one order_completed per shop and key",
        "time 2026-09-14 14:05:30 UTC processed_at",
        "revenue 202.29 total_price subtotal 187.65",
        'source web source_name | lookup("web=web", ...)',
        "items 5 lines line_items by fragment order_line, fragments.yml:",
        "name Analytical Engine Espresso title",
        "not in the first: is_subscription, selling_plan",
        "filled in by the adapter: item_count,",
        "Event order_canceled did not fire",
        "because not cancelled_at | present cancelled_at is absent",
        "Requests",
        "POST /api/v2/batch 2 in one request",
        "identify id 8274950138263",
        "event order_completed, id 8274950138263",
    )


def test_the_story_with_all_paths(adapter: Adapter) -> None:
    told = adapter(
        "explain", "shopify", "orders/paid", FIXTURES / "orders_paid.json", "--verbose"
    ).stdout
    in_order(
        told,
        "accepts_marketing true buyer_accepts_marketing | only(true)",
        "nothing at customer.email_marketing_consent.state",
        "not in this body: tags: customer.tags",
        "revenue 202.29 total_price text '202.29' -> 202.29, USD has 2 decimals",
        'source_name | lookup("web=web", "pos=pos",',
        "not in the first:",
        "selling_plan: selling_plan_allocation.selling_plan.name",
    )


def test_the_story_says_no_more_than_it_must(adapter: Adapter) -> None:
    told = story(adapter, "refunds/create", "refunds_create")
    assert "because" not in told, "it has no condition"
    told = story(adapter, "carts/update", "carts_update.empty")
    assert "the first:" not in told, "there is none"
    in_order(told, "items 0 lines filled in by the adapter")


def test_the_story_of_a_bad_phone_tells_it_once(adapter: Adapter) -> None:
    body = json.loads(spoilt(phone="718 555"))
    body["customer"]["phone"] = "718 556"
    told = story(adapter, "orders/paid", "-", json.dumps(body))
    in_order(
        told, "phone left out expected phone", "customer.phone is '718 556', phone is '718 555'"
    )
    assert told.count("expected phone") == 1
    assert "Left out" not in told


def test_the_story_of_what_fills_a_gap(adapter: Adapter) -> None:
    body = json.loads(spoilt())
    body["customer"].pop("first_name")
    told = story(adapter, "orders/paid", "-", json.dumps(body))
    in_order(told, "Only where nothing is known", "first_name Ada", "billing_address.first_name")


def test_the_story_names_the_files_that_are_laid_over(adapter: Adapter, tmp_path: Path) -> None:
    folder = tmp_path / "custom" / "shopify"
    shop = folder / "EU.example.com"
    shop.mkdir(parents=True)
    (folder / "orders.yml").write_text("events: {order_fulfilled: off}\n")
    (shop / "orders.yml").write_text("person: {attributes: {city: off}}\n")
    file = FIXTURES / "orders_paid.json"
    told = adapter("explain", "shopify", "orders/paid", file, "--shop", "eu.example.com").stdout
    in_order(
        told,
        "orders.yml, with custom/shopify/orders.yml and",
        "custom/shopify/EU.example.com/orders.yml over it",
    )
    in_order(story(adapter, "orders/paid", file), "with custom/shopify/orders.yml over it Who")


def test_the_story_of_whom_email_identifies(adapter: Adapter) -> None:
    text = story(adapter, "orders/paid", "orders_paid", IDENTIFY_BY="email")
    in_order(text, "by email ada@example.com: the first that is there of email, id, phone.")


def test_the_story_of_what_is_left_out(adapter: Adapter) -> None:
    text = story(adapter, "orders/paid", "-", spoilt(order_status_url="nope"))
    in_order(
        text,
        "order_status_url left out expected url, got text order_status_url is 'nope'",
    )
    body = json.loads(spoilt())
    body["line_items"][2]["properties"] = "nonsense"
    body["line_items"][3]["product_id"] = {"a": 1}
    text = story(adapter, "orders/paid", "-", json.dumps(body))
    in_order(text, "Left out", "order_completed.items[3].product_id", "expected id, got an object")


def test_the_story_of_what_is_shortened(adapter: Adapter) -> None:
    body = json.loads(spoilt())
    line = body["line_items"][0]
    body["line_items"] = [{**line, "id": number, "title": "x" * 90} for number in range(300)]
    text = story(adapter, "orders/paid", "-", json.dumps(body))
    in_order(text, "items 300 lines", "Shortened", "order_completed: items[].presentment_price")


@pytest.mark.parametrize(
    ("topic", "fixture", "pieces"),
    [
        (
            "refunds/create",
            "refunds_create",
            [
                "waits until order 9058172640193827465",
                "This body names nobody: it waits until the order",
                "Requests none, until then",
            ],
        ),
        (
            "refunds/create",
            "refunds_create.pending",
            [
                "ignored",
                "no money moved yet",
                "Why ignore_when no money moved yet not transactions",
            ],
        ),
        (
            "orders/create",
            "orders_create.draft",
            ["no_person", "Nobody:", "email: customer.email, email, contact_email"],
        ),
        ("orders/crate", "orders_create", ["parked", "did you mean 'orders/create'?"]),
        (
            "orders/cancelled",
            "orders_cancelled",
            ["Event order_completed did not fire", "cancelled_at is '2026-"],
        ),
        (
            "carts/create",
            "carts_create",
            ["Nobody is named yet, only tokens.", "added_to_cart fired", "Requests none"],
        ),
        (
            "products/update",
            "products_update",
            [
                "Catalog product 8840127463715",
                "name Note G Stoneware Mug title",
                "variants 2 lines",
            ],
        ),
        (
            "customers/merge",
            "customers_merge",
            [
                "remembered; nothing to merge",
                "status is 'completed'",
                "Action merge_people",
                "gone",
            ],
        ),
        (
            "customers/redact",
            "customers_redact",
            [
                "Action redact_person id 8274950203799 customer.id",
                "not in this body: phone",
                "suppress id 8274950203799",
            ],
        ),
        (
            "customer.tags_added",
            "customer.tags_added",
            ["cut to its last part", "Changes of lists", "tags.add VIP, newsletter tags"],
        ),
    ],
)
def test_other_stories(adapter: Adapter, topic: str, fixture: str, pieces: list[str]) -> None:
    in_order(story(adapter, topic, fixture), *pieces)


def test_the_story_of_a_parked_body_names_the_expression(adapter: Adapter) -> None:
    text = story(adapter, "orders/paid", "-", spoilt(price="free"))
    in_order(text, "parked", "expected money, got 'free'", "Why", "price ??", "price is 'free'")


def test_what_rules_derive_is_told(adapter: Adapter) -> None:
    text = story(adapter, "customers/update", "customers_update.legacy")
    in_order(
        text, "Attributes", "first_time_buyer false", "by a rule, of orders_count", "rules.yml:"
    )


def test_a_fact_that_a_condition_hangs_on_is_told(adapter: Adapter) -> None:
    text = story(adapter, "customers/update", "customers_update.legacy")
    in_order(text, "Event customer_created did not fire", "$topic is 'customers/update'")


# --- --diff -------------------------------------------------------------------------------------


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    file = tmp_path / "edited" / "shopify" / "orders.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "person:\n  attributes: {language: null}\n"
        "events:\n  order_completed:\n    properties: {revenue: subtotal_price, locale: name}\n"
    )
    return file.parent.parent


def difference(adapter: Adapter, directory: Path, *more: str) -> str:
    file = FIXTURES / "orders_paid.json"
    done = adapter("explain", "shopify", "orders/paid", file, "--diff", directory, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_diff_shows_what_an_edit_changes(adapter: Adapter, overlay: Path) -> None:
    text = difference(adapter, overlay)
    in_order(
        text,
        "person attributes.language - en-US",
        "events [order_completed].properties.revenue - 202.29 + 187.65",
        "[order_completed].properties.locale - en-US + #1042",
        "3 differences",
    )
    assert "requests" not in text, "they only repeat it"


def test_diff_as_json(adapter: Adapter, overlay: Path) -> None:
    found = json.loads(difference(adapter, overlay, "--json"))
    assert list(found) == ["before", "after", "changes"]
    for name in ("before", "after"):
        check_shape(found[name], "orders/paid")
    revenue = [found[name]["events"][0]["properties"]["revenue"] for name in ("before", "after")]
    assert revenue == [202.29, 187.65]
    assert found["changes"][1] == {
        "path": "events[order_completed].properties.revenue",
        "before": 202.29,
        "after": 187.65,
    }
    assert len(found["changes"]) == 6, "three, and the same in the request"


def test_diff_of_names_is_in_the_requests(adapter: Adapter, tmp_path: Path) -> None:
    names = tmp_path / "edited" / "names.yml"
    names.parent.mkdir()
    names.write_text("events: {order_completed: Purchase}\n")
    text = difference(adapter, names.parent)
    in_order(text, "requests", "[order_completed].name - order_completed + Purchase")
    assert text.endswith("\n1 difference\n")


def test_diff_of_an_event_that_is_switched_off(adapter: Adapter, tmp_path: Path) -> None:
    file = tmp_path / "edited" / "shopify" / "orders.yml"
    file.parent.mkdir(parents=True)
    file.write_text("events: {order_completed: off}\n")
    text = difference(adapter, tmp_path / "edited")
    in_order(text, "events [order_completed] - order_completed with order_id, ", "differences")


def test_diff_with_a_whole_directory_that_says_the_same(adapter: Adapter) -> None:
    assert difference(adapter, shipped("mappings")) == "no difference\n"


def test_diff_of_what_is_live_is_what_it_changes(adapter: Adapter, overlay: Path) -> None:
    file, live = FIXTURES / "orders_paid.json", f"{shipped('mappings')}:{overlay}"
    asked = ("explain", "shopify", "orders/paid", file, "--diff", overlay)
    done = adapter(*asked, MAPPINGS_DIR=live)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == difference(adapter, overlay)


def test_diff_with_broken_mappings(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    file = FIXTURES / "orders_paid.json"
    done = adapter("explain", "shopify", "orders/paid", file, "--diff", mappings)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"orders\.yml:\d+:7: .*did you mean 'revenue'", done.stderr)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, [("a.b", 1, None), ("a.c", None, 1)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a[1]", 2, 3)]),
        ({"a": [1]}, {"a": [1, 3]}, [("a", [1], [1, 3])]),
        ({"a": None}, {"a": {"b": 1}}, [("a", None, {"b": 1})]),
        (
            {"e": [{"name": "x", "key": "1", "id": "A"}]},
            {"e": [{"name": "y", "key": "2", "id": "B"}, {"name": "x", "key": "3", "id": "A"}]},
            [("e[x].key", "1", "3"), ("e[y]", None, {"name": "y", "key": "2", "id": "B"})],
        ),
    ],
)
def test_changes(before: Any, after: Any, found: list[tuple[str, Any, Any]]) -> None:
    assert changes(before, after) == [Change(*each) for each in found]


# --- in vain ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("explain", "shopify", "orders/paid", "nowhere.json"), 2, "nowhere.json"),
        (
            ("explain", "shopfiy", "orders/paid", "-"),
            2,
            "there is no 'shopfiy', did you mean 'shopify'?",
        ),
        (
            ("explain", "orders/paid", "shopify", "-"),
            2,
            "there is no platform 'orders/paid'; PLATFORM comes before TOPIC",
        ),
        (
            ("explain", "shopify", "orders/paid", "-"),
            1,
            "enclosed in double quotes at line 3, column 1",
        ),
        (("explain", "shopify"), 2, "Missing argument"),
        (("explain", "shopify", "orders/paid", "-", "--diff", "nowhere"), 2, "nowhere"),
    ],
)
def test_in_vain(adapter: Adapter, arguments: tuple[str, ...], status: int, says: str) -> None:
    done = adapter(*arguments, stdin='{\n  "id": 1,\n}')
    assert done.returncode == status
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""
