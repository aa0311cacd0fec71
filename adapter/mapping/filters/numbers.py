"""Filters that calculate or compare; what is no number raises ValueError."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, partial, reduce

from adapter.mapping.filters.registry import Apply, named
from adapter.mapping.types import bad
from adapter.mapping.values import EXACT, exact, is_blank
from adapter.model import Json

_LONGEST_NUMBER = 100  # characters; longer texts are not remembered
_ZERO = Decimal(0)

_named = partial(named, "Numbers")


def _number(value: Json) -> Decimal | None:
    """The number that a value is, None for a blank one; raises ValueError for what is no number."""
    if type(value) is str and len(value) <= _LONGEST_NUMBER:
        return _remembered_number(value)
    return _any_number(value)


def _any_number(value: Json) -> Decimal | None:
    if is_blank(value):
        return None
    number = exact(value)
    if number is None:
        raise bad("number", value)
    return number


_remembered_number = lru_cache(maxsize=4096)(_any_number)


def _of_number(make: Callable[[Decimal], Json]) -> Apply:
    def apply(value: Json) -> Json:
        number = _number(value)
        return None if number is None else make(number)

    return apply


@_named(
    "sum",
    "The exact sum of a list of numbers, or of one key of its elements; absent for an empty list.",
    (["0.10", "0.20"], "sum", Decimal("0.30")),
    ([{"amount": "85.00"}, {"amount": 5}], 'sum("amount")', Decimal("90.00")),
    ([], "sum", None),
)
def _sum(key: str | None = None) -> Apply:
    def apply(value: Json) -> Json:
        if not isinstance(value, list):
            return None
        if key is not None:
            value = [each.get(key) for each in value if isinstance(each, dict)]
        numbers = [number for each in value if (number := _number(each)) is not None]
        return reduce(EXACT.add, numbers, _ZERO) if numbers else None

    return apply


@_named(
    "cents",
    "An amount given in hundredths, as an amount: 1999 is 19.99.",
    (1999, "cents", Decimal("19.99")),
    ("500", "cents", Decimal("5.00")),
)
def _cents() -> Apply:
    return _of_number(lambda number: number.scaleb(-2, EXACT))


@_named(
    "gt",
    "Whether the number is greater than n.",
    ("0.01", "gt(0)", True),
    (0, "gt(0)", False),
)
def _gt(n: int | Decimal) -> Apply:
    return _of_number(lambda number: number > n)


@_named(
    "lt",
    "Whether the number is less than n.",
    ("-1.50", "lt(0)", True),
    (0, "lt(0)", False),
)
def _lt(n: int | Decimal) -> Apply:
    return _of_number(lambda number: number < n)
