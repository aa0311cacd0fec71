"""The benchmarks work, and compare what is the same. Their figures are nobody's business here."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from adapter.mapping import Mappings, load, parse_body
from bench import chart, growth, mapping, page, stages
from bench.bodies import FIXTURES, LARGE, MAPPINGS, SMALL, Orders
from bench.filling import items
from bench.tables import Figure, Goal, Result, Table, ms

FILES = sorted(path.name for path in FIXTURES.glob("orders_*.json"))


@pytest.fixture(scope="module")
def mappings() -> Mappings:
    return load(MAPPINGS)


@pytest.mark.parametrize("file", FILES)
def test_what_is_written_by_hand_makes_the_same_of_every_order(
    mappings: Mappings, file: str
) -> None:
    delivery = replace(Orders(LARGE).delivery(), topic="orders/updated")
    raw = (FIXTURES / file).read_bytes()
    if mappings.apply(delivery, parse_body(raw)).outcome == "ignored":
        pytest.skip("an anonymous sale: there is nothing to make of it")
    mapping.same_output(mappings, delivery, raw)


def test_a_difference_to_what_is_written_by_hand_is_told(mappings: Mappings) -> None:
    body = json.loads((FIXTURES / SMALL).read_text("utf-8"))
    body["currency"] = " usd "
    with pytest.raises(RuntimeError, match="different"):
        mapping.same_output(mappings, Orders(SMALL).delivery(), json.dumps(body).encode())


@pytest.mark.parametrize("fixture", [SMALL, LARGE])
def test_no_two_orders_share_an_id_a_time_or_a_total(fixture: str) -> None:
    orders = Orders(fixture)
    one, other = (json.loads(orders.body(number)) for number in (1, 2))
    for name in ("id", "created_at", "updated_at", "total_price", "checkout_token", "email"):
        assert one[name] != other[name]
    assert len({json.loads(orders.body(n))["total_price"] for n in range(500)}) == 500


def test_mapping_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "FRESH", 20)
    monkeypatch.setattr(mapping, "CHUNK", 10)
    monkeypatch.setattr(mapping, "EVALUATIONS", 10)
    result = mapping.run(quick=True)
    assert [goal.what for goal in result.goals][1:] == [
        "parsed and mapped, beside by hand",
        "mapped alone, beside by hand",
    ]


def test_stages_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "QUICK", (1, 5))
    result = stages.run(quick=True)
    found = {
        name.removeprefix("3 kB order: "): figure.median
        for name, figure in result.figures.items()
        if name.startswith("3 kB order: ")
    }
    whole = found.pop("all of it")
    del found["all of it, not watched"]
    assert min(found.values()) > 0
    assert sum(found.values()) == pytest.approx(whole)


def test_growth_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SEND_SECONDS", 5.0)
    result = growth.run(quick=True, pending=(20, 40), teams=((2, 1),), sample=10)
    assert len(result.figures["pending 20, 40: take one in"].values) == 2
    assert result.figures["2 workspaces, 1 workers: operations a second"].median > 0


def test_a_chart_shows_what_there_is_and_leaves_out_the_rest(tmp_path: Path) -> None:
    result = Result("of a test")
    result.figures["3 kB orders: adapter: webhooks a second"] = Figure.of([900, 1000, 1100])
    result.figures["3 kB orders: naive <one>: webhooks a second"] = Figure.of([500])
    result.figures["pending 1,000, 10,000: take one in"] = Figure.of([1e-4, 2e-4])
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"results": [result.to_json()]}))
    drawn = chart.svg(chart.read([file]))
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(drawn).iter()]
    for text in ("adapter", "1,000/s", "naive <one>", "10,000", "200 us", "take one in"):
        assert text in texts
    assert "13 kB" not in drawn
    bars = [float(width) for width in re.findall(r'<rect [^>]*width="([0-9.]+)"', drawn)]
    assert bars[0] == pytest.approx(2 * bars[1], rel=0.01)


def test_a_chart_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert chart.main([]) == 2
    assert "FIGURES.json" in capsys.readouterr().err


def test_the_items_of_a_request_are_what_was_put_in() -> None:
    made = [b'{"type":"person","name":"caf\xc3\xa9"}', b'{"n":[1,2]}']
    assert items(b'{"batch":[' + b",".join(made) + b"]}") == made


def test_a_goal_is_missed_where_its_figure_is_beyond_its_bound() -> None:
    goal = Goal("an answer", Figure.of([0.04, 0.06, 0.07]), 0.05, True, ms)
    assert goal.line().startswith("missed   an answer: 60.0 ms")
    assert replace(goal, at_most=False).line().startswith("reached")


def test_the_page_shows_every_table(tmp_path: Path) -> None:
    table = Table("some title", ("what", "how | much"), [("this  one", "5 us")], ["a note"])
    document = {"header": "today | here\nmore", "results": [Result("a thing", [table]).to_json()]}
    assert list(page.page([document, document]))[:13] == [
        *("", "## A thing", "", "Measured today | here."),
        *("", "**some title**", "", "| what | how \\| much |", "|-|-:|", "| this one | 5 us |"),
        *("", "- a note", ""),
    ]
