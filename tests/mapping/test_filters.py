"""Every filter is described, and its examples are true."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapter.mapping.expressions import ExpressionError, compile_text
from adapter.mapping.filters import FILTERS, Example, numbers, texts

from .conftest import DELIVERY


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, id=f"{example.call} of {example.value}")
        for filter_ in FILTERS.values()
        for example in filter_.examples
    ],
)
def test_examples(example: Example) -> None:
    got = compile_text(f"a | {example.call}").evaluate({"a": example.value}, DELIVERY)
    assert got == example.result
    assert type(got) is type(example.result)


@pytest.mark.parametrize("name", FILTERS)
def test_each_is_described_and_shown(name: str) -> None:
    filter_ = FILTERS[name]
    assert filter_.about.endswith(".")
    assert filter_.examples
    assert filter_.signature.startswith(name)


@pytest.mark.parametrize("name", [n for n, f in FILTERS.items() if not f.takes_absent])
def test_absent_passes_through(name: str) -> None:
    call = FILTERS[name].examples[0].call
    assert compile_text(f"a | {call}").evaluate({}, DELIVERY) is None


def test_sums_are_exact_and_skip_blanks() -> None:
    body = {"a": [Decimal("0.1")] * 10 + [None, "", "0.2"]}
    assert compile_text("a | sum").evaluate(body, DELIVERY) == Decimal("1.2")


def test_a_sum_of_what_is_no_number_says_so() -> None:
    with pytest.raises(ValueError, match="expected number, got 'free'"):
        compile_text("a | sum").evaluate({"a": ["1.00", "free"]}, DELIVERY)


def test_signatures_are_readable() -> None:
    signatures = {name: FILTERS[name].signature for name in ("split", "sum", "only", "lower")}
    assert signatures == {
        "split": 'split(sep=",")',
        "sum": "sum([key])",
        "only": "only(x, more, ...)",
        "lower": "lower",
    }


@pytest.mark.parametrize("padding", ["", "x" * 5000], ids=["remembered", "too long for that"])
def test_a_parameter_is_the_first_of_its_name(padding: str) -> None:
    body = {"url": f"/{padding}?a=1&b=2&a=3&c=#d=4"}
    found = [compile_text(f'url | query("{n}")').evaluate(body, DELIVERY) for n in "abcd"]
    assert found == ["1", "2", None, None]


def test_remembered_texts_are_bounded() -> None:
    url, number = compile_text('a | query("a")'), compile_text("a | sum")
    for each in range(10_000):
        url.evaluate({"a": f"/?a={each}"}, DELIVERY)
        number.evaluate({"a": [str(each)]}, DELIVERY)
    for remembered in (texts._remembered, numbers._remembered_number):
        before = remembered.cache_info()
        assert before.currsize == before.maxsize
        url.evaluate({"a": "/?a=" + "x" * 2000}, DELIVERY)
        with pytest.raises(ValueError, match="expected number"):
            number.evaluate({"a": ["x" * 200]}, DELIVERY)
        assert remembered.cache_info() == before


def test_a_sum_of_one_is_normal_like_any_other() -> None:
    sum_ = compile_text("a | sum")
    assert str(sum_.evaluate({"a": ["-0.00"]}, DELIVERY)) == "0.00"
    assert str(sum_.evaluate({"a": [Decimal("1e5")]}, DELIVERY)) == "100000"


# What the small print of a filter says: the value, the call, what it gives.
DETAILS: list[tuple[Any, str, Any]] = [
    ([{"a": 1, "b": " "}, {"a": None, "b": 2}, "x", {"a": "c", "b": 0}], 'pairs("a", "b")', "c:0"),
    ([{"a": [1], "b": 2}], 'pairs("a", "b")', None),
    ([], 'pairs("a", "b")', None),
    ({"a": 1, "b": 2}, 'pairs("a", "b")', None),
    ("staff", 'has("staff")', True),
    ("VIP,STAFF ", 'has(" staff")', True),
    ("", 'has("staff")', False),
    (["1", 2], "has(2)", True),
    ([{"a": "staff"}, None, ["staff"]], 'has("staff")', False),
    ({"staff": True}, 'has("staff")', None),
    (["Subscription"], 'contains("sub")', None),
    (42, 'contains("2")', True),
    ("\u00c9cole", 'starts_with("\u00e9")', True),
    (["Subscription"], 'starts_with("sub")', None),
    ("Tier: gold , tier:, TIER:old", 'prefixed("tier:")', ["gold", "old"]),
    ([None, {"a": 1}, "tier:x"], 'prefixed("tier:")', ["x"]),
    ({"tier:x": 1}, 'prefixed("tier:")', None),
    ("aaa", 'replace("a", "b")', "bbb"),
    (["a"], 'replace("a", "b")', None),
]


@pytest.mark.parametrize(
    ("value", "call", "result"), DETAILS, ids=[f"{call} of {value}" for value, call, _ in DETAILS]
)
def test_small_print(value: Any, call: str, result: Any) -> None:
    got = compile_text(f"a | {call}").evaluate({"a": json.loads(json.dumps(value))}, DELIVERY)
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ('has(" ")', "has: the element is blank"),
        ('has("a, b")', "has: an element holds no comma; ask for each with a `has` of its own"),
        ('contains("")', "contains: the text is empty"),
        ('starts_with("")', "starts_with: the text is empty"),
        ('prefixed(" ")', "prefixed: the prefix is blank"),
        ('replace("", "x")', "the separator is empty"),
        ('pairs("a")', "pairs takes 2 arguments, got 1: pairs(key, value)"),
        ("contains(1)", "contains: argument 1 must be a text in double quotes"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_a_fault(call: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_text(f"a | {call}")
    assert caught.value.problem == problem
