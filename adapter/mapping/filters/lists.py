"""Filters that take a list, or one of its elements."""

from __future__ import annotations

from functools import partial

from adapter.mapping.filters.questions import same
from adapter.mapping.filters.registry import MOST_GROWN, Apply, Argument, named
from adapter.mapping.values import as_text
from adapter.model import Json

_named = partial(named, "Lists")


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
        found = [text for text in texts if text and not text.isspace()]
        return sep.join(found) if len(sep) * len(found) <= MOST_GROWN else None

    return apply


@_named(
    "pairs",
    "Two keys of every element as `a:b,c:d`, as in a cart's permalink; "
    "elements that lack either are left out.",
    (
        [{"variant_id": 11, "quantity": 2}, {"quantity": 1}, {"variant_id": 12, "quantity": 1}],
        'pairs("variant_id", "quantity")',
        "11:2,12:1",
    ),
    ([{"quantity": 1}], 'pairs("variant_id", "quantity")', None),
)
def _pairs(key: str, value: str) -> Apply:
    def apply(elements: Json) -> Json:
        if not isinstance(elements, list):
            return None
        found = [
            (as_text(each.get(key)), as_text(each.get(value)))
            for each in elements
            if isinstance(each, dict)
        ]
        written = [f"{one}:{other}" for one, other in found if _says(one) and _says(other)]
        return ",".join(written) or None

    return apply


def _says(text: str | None) -> bool:
    return text is not None and bool(text.strip())


@_named(
    "prefixed",
    "What follows the prefix in the elements that begin with it, of a list or a text with commas.",
    ("VIP, tier:gold", 'prefixed("tier:")', ["gold"]),
    (["Tier: gold", "tier:old", "VIP"], 'prefixed("tier:")', ["gold", "old"]),
    ("VIP", 'prefixed("tier:")', []),
)
def _prefixed(prefix: str) -> Apply:
    wanted, size = prefix.casefold(), len(prefix)
    if not wanted.strip():
        raise ValueError("prefixed: the prefix is blank")

    def apply(value: Json) -> Json:
        if value is None or isinstance(value, dict):
            return None
        elements = value if isinstance(value, list) else (as_text(value) or "").split(",")
        texts = [text.strip() for each in elements if (text := as_text(each))]
        found = [text[size:] for text in texts if text[:size].casefold() == wanted]
        return [rest.strip() for rest in found if rest.strip()]

    return apply


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
    test = same((value,))

    def apply(elements: Json) -> Json:
        if not isinstance(elements, list):
            return None
        return [
            each
            for each in elements
            if isinstance(each, dict) and (found := each.get(key)) is not None and test(found)
        ]

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
