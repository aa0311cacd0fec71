"""Filters that make a text, or something else, of a text."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import parse_qsl

from adapter.mapping.filters.registry import MOST_GROWN, Apply, named
from adapter.mapping.values import as_text
from adapter.model import Json

_LONGEST_URL = 2000  # characters; the parameters of longer ones are not remembered

_named = partial(named, "Texts")


def _on_text(change: Callable[[str], Json]) -> Apply:
    def apply(value: Json) -> Json:
        text = value if type(value) is str else as_text(value)
        return None if text is None else change(text)

    return apply


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
    "replace",
    "The text with every `old` in it replaced by `new`, which may be empty.",
    ("pt_BR", 'replace("_", "-")', "pt-BR"),
    ("#1042", 'replace("#", "")', "1042"),
)
def _replace(old: str, new: str) -> Apply:
    _not_empty(old)
    more = len(new) - len(old)

    def replaced(text: str) -> str | None:
        if more > 0 and len(text) + more * text.count(old) > MOST_GROWN:
            return None
        return text.replace(old, new)

    return _on_text(replaced)


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
    "split",
    "A text cut into a list at every separator, parts trimmed, blank ones left out.",
    ("red, , blue", "split", ["red", "blue"]),
    ("a/b", 'split("/")', ["a", "b"]),
)
def _split(sep: str = ",") -> Apply:
    _not_empty(sep)
    return _on_text(lambda text: [part.strip() for part in text.split(sep) if part.strip()])


def _not_empty(sep: str) -> None:
    if not sep:
        raise ValueError("the separator is empty")
