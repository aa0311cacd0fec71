"""What an edit would change, without a page around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.app import policy_of
from adapter.destinations import DESTINATIONS
from adapter.mapping import load, parse_body
from adapter.model import Delivery
from adapter.settings import Settings, shipped
from adapter.trial import Trial, Workbench

MAPPINGS = shipped("mappings")
CONTRACT = MAPPINGS / "schema.yml"
LIVE = load(MAPPINGS)
DELIVERY = Delivery("shopify", "orders/create", "d1", "lovelace.myshopify.com", 1789394734)
BODY = parse_body((shipped("fixtures") / "shopify" / "orders_create.json").read_bytes())


@pytest.fixture
def bench() -> Workbench:
    return Workbench.of([MAPPINGS], CONTRACT, LIVE)


def tried(bench: Workbench, name: str, text: str) -> Trial:
    return bench.trial(
        name,
        text,
        DELIVERY,
        BODY,
        destination=DESTINATIONS["track"],
        policy_of=lambda mappings: policy_of(Settings(), mappings),
    )


def test_every_shipped_file_laid_over_itself_changes_nothing(bench: Workbench) -> None:
    """The workbench reads and compiles as the real thing does."""
    for name in bench.files("shopify"):
        text = bench.below(name)
        if name == "alerts.yml" or not text:
            continue
        found = tried(bench, name, text)
        assert found.faults == (), name
        assert found.changes == (), name


def test_a_shops_own_file_stays(tmp_path: Path) -> None:
    folder = tmp_path / "shopify" / "lovelace.myshopify.com"
    folder.mkdir(parents=True)
    own = "events:\n  order_completed:\n    properties:\n      revenue: subtotal_price\n"
    (folder / "orders.yml").write_text(own)
    bench = Workbench.of([MAPPINGS, tmp_path], CONTRACT, load(MAPPINGS, tmp_path))
    assert tried(bench, "shopify/orders.yml", "").changes == ()
    found = tried(bench, "shopify/orders.yml", own.replace("subtotal_price", "total_tax"))
    assert found.changes == (), "what is the shop's own wins over it"


def test_an_edit_leaves_no_trace(bench: Workbench) -> None:
    edits = ("events: {}\n", "evnts: {}\n", "events:\n  order_completed: off\n", "")
    for _ in range(2):
        found = [tried(bench, "shopify/orders.yml", text) for text in edits]
        assert [len(each.faults) for each in found] == [0, 1, 0, 0]
        assert [len(each.changes) for each in found] == [0, 0, 1, 0]


def test_a_half_written_key_takes_nothing_away(bench: Workbench) -> None:
    found = tried(bench, "shopify/orders.yml", "events:\n  order_completed:\n")
    (fault,) = found.faults
    assert (fault.line, fault.column) == (2, 3)
    assert fault.message.startswith("order_completed is empty: write `off` to take it away")


@pytest.mark.parametrize("name", ["", "x.yml", "shopify/x.yml", "../schema.yml", "a/b/orders.yml"])
def test_a_file_that_there_is_not(bench: Workbench, name: str) -> None:
    with pytest.raises(ValueError, match="no such file"):
        tried(bench, name, "")


def test_the_file_of_a_topic(bench: Workbench) -> None:
    assert bench.file_of("shopify", "orders/create") == "shopify/orders.yml"
    assert bench.file_of("shopify", "no/such") == "shopify/topics.yml"
    assert "topics:" in bench.below("shopify/orders.yml")
    assert bench.text("shopify/orders.yml") == ""
