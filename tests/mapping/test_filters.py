"""Every filter is described, and its examples are true."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapter.mapping import filters
from adapter.mapping.expressions import compile_text
from adapter.mapping.filters import FILTERS, Example

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
    for remembered in (filters._remembered, filters._remembered_number):
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
