"""The filters: small named functions behind `|`, each described and shown by examples.

A filter is a factory: it gets the arguments once, when the file is loaded, and returns what is
applied to every value. Its signature is its arity; its examples run as tests. None (absent) passes
through all filters but those registered with `absent=True`; each sees to that itself. What does not
fit is None, as with paths; only arithmetic on what is no number raises ValueError, which then is
the field's problem.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from adapter.mapping.hints import did_you_mean
from adapter.mapping.types import bad
from adapter.mapping.values import EXACT, as_text, exact, is_blank
from adapter.model import Json

Apply = Callable[[Json], Json]
Argument = str | bool | int | Decimal

_LONGEST_NUMBER, _LONGEST_URL = 100, 2000  # characters; longer texts are not remembered
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Example:
    """`value | call` gives `result`."""

    value: Json
    call: str
    result: Json


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; `least` and `most` count its arguments, `most` None means any number."""

    name: str
    about: str
    examples: tuple[Example, ...]
    make: Callable[..., Apply]
    least: int
    most: int | None
    kinds: tuple[Any, ...]
    takes_absent: bool

    @property
    def signature(self) -> str:
        """How it is written, for the docs: `split(sep=",")`."""
        parts = []
        for parameter in inspect.signature(self.make).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                parts.append(f"{parameter.name}, ...")
            elif parameter.default is parameter.empty:
                parts.append(parameter.name)
            elif parameter.default is None:
                parts.append(f"[{parameter.name}]")
            else:
                parts.append(f'{parameter.name}="{parameter.default}"')
        return f"{self.name}({', '.join(parts)})" if parts else self.name


FILTERS: dict[str, Filter] = {}


def _named(
    name: str, about: str, *examples: tuple[Json, str, Json], absent: bool = False
) -> Callable[[Callable[..., Apply]], Callable[..., Apply]]:
    def register(make: Callable[..., Apply]) -> Callable[..., Apply]:
        parameters = list(inspect.signature(make, eval_str=True).parameters.values())
        rest = [each for each in parameters if each.kind is each.VAR_POSITIONAL]
        least = sum(each.default is each.empty for each in parameters) - len(rest)
        FILTERS[name] = Filter(
            name=name,
            about=about,
            examples=tuple(Example(*each) for each in examples),
            make=make,
            least=least,
            most=None if rest else len(parameters),
            kinds=tuple(each.annotation for each in parameters),
            takes_absent=absent,
        )
        return make

    return register


def build(name: str, arguments: tuple[Argument, ...]) -> Apply:
    """The filter `name` with its arguments bound; raises ValueError with what is wrong."""
    filter_ = FILTERS.get(name)
    if filter_ is None:
        raise ValueError(f"no filter '{name}'{did_you_mean(name, FILTERS)}")
    count = len(arguments)
    if count < filter_.least or (filter_.most is not None and count > filter_.most):
        raise ValueError(f"{name} takes {_arity(filter_)}, got {count}")
    for number, argument in enumerate(arguments):
        expected = filter_.kinds[min(number, len(filter_.kinds) - 1)]
        if not isinstance(argument, expected) or (
            isinstance(argument, bool) and expected is not Argument
        ):
            wanted = "a text in double quotes" if expected in (str, str | None) else "a number"
            raise ValueError(f"{name}: argument {number + 1} must be {wanted}")
    return filter_.make(*arguments)


def _arity(filter_: Filter) -> str:
    least, most = filter_.least, filter_.most
    if most == 0:
        return "no arguments"
    if most is None:
        text = f"at least {least}"
    else:
        text = str(most) if least == most else f"{least} to {most}"
    return f"{text} argument{'' if (most or least) == 1 else 's'}"


def _number(value: Json) -> Decimal:
    if type(value) is str and len(value) <= _LONGEST_NUMBER:
        return _remembered_number(value)
    return _any_number(value)


def _any_number(value: Json) -> Decimal:
    number = exact(value)
    if number is None:
        raise bad("number", value)
    return number


_remembered_number = lru_cache(maxsize=4096)(_any_number)


def _on_text(change: Callable[[str], Json]) -> Apply:
    def apply(value: Json) -> Json:
        text = value if type(value) is str else as_text(value)
        return None if text is None else change(text)

    return apply


def _unless_absent(test: Callable[[Json], bool]) -> Apply:
    return lambda value: None if value is None else test(value)


def _same(wanted: tuple[Argument, ...]) -> Callable[[Json], bool]:
    """Equality of JSON texts; with a number as argument also of values, so 0 equals "0.00"."""
    texts = {as_text(each) for each in wanted}
    numbers = {exact(each) for each in wanted if not isinstance(each, str | bool)}

    def test(value: Json) -> bool:
        text = as_text(value)
        if text is None:
            return False
        return text in texts or (bool(numbers) and exact(value) in numbers)

    return test


@_named(
    "before",
    "The text before the first separator; the whole text without one.",
    ("c1-abc?key=9f", 'before("?")', "c1-abc"),
    ("c1-abc", 'before("?")', "c1-abc"),
)
def _before(sep: str) -> Apply:
    _not_empty(sep)
    return _on_text(lambda text: text.partition(sep)[0])


@_named(
    "after",
    "The text after the first separator; absent without one.",
    ("UTC+2", 'after("+")', "2"),
    ("UTC", 'after("+")', None),
)
def _after(sep: str) -> Apply:
    _not_empty(sep)
    return _on_text(lambda text: text.partition(sep)[2] if sep in text else None)


@_named(
    "split",
    "A text cut into a list at every separator, parts trimmed, blank ones left out.",
    ("red, , blue", "split", ["red", "blue"]),
    ("a/b", 'split("/")', ["a", "b"]),
)
def _split(sep: str = ",") -> Apply:
    _not_empty(sep)
    return _on_text(lambda text: [part.strip() for part in text.split(sep) if part.strip()])


@_named(
    "join",
    "The texts of a list in one, blank ones left out.",
    (["Ada", None, "Lovelace"], 'join(" ")', "Ada Lovelace"),
)
def _join(sep: str) -> Apply:
    def apply(value: Json) -> Json:
        if not isinstance(value, list):
            return as_text(value)
        texts = map(as_text, value)
        return sep.join([text for text in texts if text and not text.isspace()])

    return apply


@_named("lower", "The text in lower case.", ("GB", "lower", "gb"))
def _lower() -> Apply:
    return _on_text(str.lower)


@_named("upper", "The text in upper case.", ("gb", "upper", "GB"))
def _upper() -> Apply:
    return _on_text(str.upper)


@_named("trim", "The text without white space around it.", ("  a b ", "trim", "a b"))
def _trim() -> Apply:
    return _on_text(str.strip)


@_named(
    "absent",
    "Whether there is nothing: absent, null, blank text or an empty list.",
    (None, "absent", True),
    (" ", "absent", True),
    (False, "absent", False),
    absent=True,
)
def _absent() -> Apply:
    return is_blank


@_named(
    "present",
    "Whether there is anything: the opposite of absent.",
    ("2026-01-01T00:00:00Z", "present", True),
    ([], "present", False),
    absent=True,
)
def _present() -> Apply:
    return lambda value: value is not None and not is_blank(value)


@_named(
    "eq",
    "Whether the value has that text; a number compares as a number.",
    ("pos", 'eq("pos")', True),
    ("0.00", "eq(0)", True),
    (42, 'eq("42")', True),
)
def _eq(x: Argument) -> Apply:
    return _unless_absent(_same((x,)))


@_named(
    "one_of",
    "Whether the value is one of these.",
    ("paid", 'one_of("paid", "partially_paid")', True),
    ("voided", 'one_of("paid", "partially_paid")', False),
)
def _one_of(x: Argument, *more: Argument) -> Apply:
    return _unless_absent(_same((x, *more)))


@_named(
    "only",
    "The value if it is one of these, else absent.",
    ("web", 'only("web", "pos")', "web"),
    ("1830279", 'only("web", "pos")', None),
)
def _only(x: Argument, *more: Argument) -> Apply:
    test = _same((x, *more))
    return lambda value: value if value is not None and test(value) else None


@_named(
    "gt",
    "Whether the number is greater than n.",
    ("0.01", "gt(0)", True),
    (0, "gt(0)", False),
)
def _gt(n: int | Decimal) -> Apply:
    return lambda value: None if is_blank(value) else _number(value) > n


@_named(
    "lt",
    "Whether the number is less than n.",
    ("-1.50", "lt(0)", True),
    (0, "lt(0)", False),
)
def _lt(n: int | Decimal) -> Apply:
    return lambda value: None if is_blank(value) else _number(value) < n


@_named(
    "lookup",
    'Another text for each text, "from=to"; "*=else" for all others, which else are absent.',
    ("shopify_draft_order", 'lookup("web=web", "shopify_draft_order=draft")', "draft"),
    ("1830279", 'lookup("web=web", "*=app")', "app"),
    ("1830279", 'lookup("web=web")', None),
)
def _lookup(pair: str, *more: str) -> Apply:
    table = {}
    for each in (pair, *more):
        source, equals, target = each.partition("=")
        if not equals:
            raise ValueError(f"lookup: '{each}' is not written from=to")
        if source in table:
            raise ValueError(f"lookup: '{source}' stands there twice")
        table[source] = target
    other = table.pop("*", None)
    return _on_text(lambda text: table.get(text, other))


@_named(
    "where",
    "The elements of a list whose key has that text.",
    (
        [{"kind": "refund", "id": 1}, {"kind": "sale", "id": 2}],
        'where("kind", "refund")',
        [{"kind": "refund", "id": 1}],
    ),
    ("text", 'where("kind", "refund")', None),
)
def _where(key: str, value: Argument) -> Apply:
    test = _same((value,))

    def apply(elements: Json) -> Json:
        if not isinstance(elements, list):
            return None
        return [each for each in elements if isinstance(each, dict) and test(each.get(key))]

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
        numbers = [_number(each) for each in value if not is_blank(each)]
        if not numbers:
            return None
        total = _ZERO
        for number in numbers:
            total = EXACT.add(total, number)
        return total

    return apply


@_named(
    "first",
    "The first element of a list, or what it has under a key.",
    ([1, 2, 3], "first", 1),
    ([], "first", None),
    ([{"currency": "EUR"}, {"currency": "USD"}], 'first("currency")', "EUR"),
)
def _first(key: str | None = None) -> Apply:
    return _element(0, key)


@_named(
    "last",
    "The last element of a list, or what it has under a key.",
    ([1, 2, 3], "last", 3),
    ([], "last", None),
    ([{"at": 1}, {"at": 2}], 'last("at")', 2),
)
def _last(key: str | None = None) -> Apply:
    return _element(-1, key)


def _element(index: int, key: str | None) -> Apply:
    def apply(value: Json) -> Json:
        found = value[index] if isinstance(value, list) and value else None
        if key is None:
            return found
        return found.get(key) if isinstance(found, dict) else None

    return apply


@_named(
    "count",
    "How many elements a list has; 0 for what is no list.",
    ([1, 2, 3], "count", 3),
    (None, "count", 0),
    absent=True,
)
def _count() -> Apply:
    return lambda value: len(value) if isinstance(value, list) else 0


@_named(
    "query",
    "One parameter of a URL or a relative path, decoded.",
    (
        "/products/tea?utm_source=news&utm_campaign=spring%20sale",
        'query("utm_campaign")',
        "spring sale",
    ),
    ("https://shop.example/", 'query("utm_source")', None),
)
def _query(name: str) -> Apply:
    def find(text: str) -> str | None:
        parameters = _remembered if len(text) <= _LONGEST_URL else _parameters
        return parameters(text).get(name)

    return _on_text(find)


def _parameters(text: str) -> dict[str, str]:
    query = text.partition("?")[2].partition("#")[0]
    return dict(reversed(parse_qsl(query)))  # of two with one name the first counts


_remembered = lru_cache(maxsize=64)(_parameters)  # mappings ask one URL for several parameters


@_named(
    "cents",
    "An amount given in hundredths, as an amount: 1999 is 19.99.",
    (1999, "cents", Decimal("19.99")),
    ("500", "cents", Decimal("5.00")),
)
def _cents() -> Apply:
    return lambda value: None if is_blank(value) else _number(value).scaleb(-2, EXACT)


def _not_empty(sep: str) -> None:
    if not sep:
        raise ValueError("the separator is empty")
