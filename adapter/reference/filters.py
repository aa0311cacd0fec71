"""docs/filters.md: every filter with its examples, which the tests run."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection
from decimal import Decimal

from adapter.mapping.filters import FILTERS, Filter
from adapter.mapping.filters import Example as FilterExample
from adapter.model import Json
from adapter.reference.markdown import code, table

GROUPS = ("Texts", "Lists", "Numbers", "Questions")
"""The headings, in the order of the page."""

TOGETHER: tuple[tuple[str, FilterExample], ...] = (
    (
        "the last part of a gid",
        FilterExample("gid://shopify/Product/42", 'split("/") | last', "42"),
    ),
    (
        "a value kept in a tag",
        FilterExample("VIP, tier:gold", 'prefixed("tier:") | first', "gold"),
    ),
    (
        "yes or no, as a customer typed it",
        FilterExample("Yes", 'lower | lookup("yes=true", "no=false")', "true"),
    ),
    (
        "a metafield by namespace and key",
        FilterExample(
            [
                {"namespace": "care", "key": "size", "value": "S"},
                {"namespace": "fit", "key": "size", "value": "slim"},
            ],
            'where("namespace", "fit") | where("key", "size") | first("value")',
            "slim",
        ),
    ),
    (
        "a domain of an email address",
        FilterExample("Ada@Example.com", 'after("@") | lower', "example.com"),
    ),
    ("a language without its country", FilterExample("pt-BR", 'before("-")', "pt")),
)
"""Filters that are often wanted one after the other."""

_INTRO = """\
# Filters

<!-- Written by `make docs`; edit adapter/mapping/filters instead. -->

A filter stands behind a path and changes or asks something of what the path found:
`tags | split | first`. Several work from left to right. `|` binds tighter than `??`. Where they
may stand is told in [the mapping language](mapping.md); `adapter filters` prints this page on a
terminal.

- What is absent stays absent through a filter, but for those that ask whether there is something
  (`absent`, `present`, `count`). What does not fit, such as a list where a text is wanted, is
  absent as well. Only what calculates or compares numbers refuses what is no number: a problem of
  that field, which is then left out, or parks the delivery where it is required.
- Arguments stand in parentheses: a text in double quotes, or a number.
- `eq`, `one_of`, `only` and `lookup` compare exactly. `has`, `contains`, `starts_with` and
  `prefixed` look for what people typed, such as tags and notes, and do not mind letter case.
- A default needs no filter: `x ?? "none"`.
- There are no regular expressions. A mistake in one is hard to see, and a hostile body can keep
  one busy for hours; a list of plain filters can be read aloud."""


def filters_page() -> str:
    """The whole page, ending in a line break."""
    parts = [_INTRO]
    for group in GROUPS:
        parts.append(f"## {group}")
        parts += [_section(each) for each in FILTERS.values() if each.group == group]
    parts.append("## Together")
    rows = [(what, *_shown(example)) for what, example in TOGETHER]
    parts.append(table(("wanted", "of", "by", "gives"), rows))
    return "\n\n".join(parts) + "\n"


def filters_table(width: int = 100, names: Collection[str] = ()) -> str:
    """The filters for a terminal, in lines of `width`; all of them where none is named."""
    lines: list[str] = []
    wanted = [each for each in FILTERS.values() if not names or each.name in names]
    for group in (each for each in GROUPS if any(one.group == each for one in wanted)):
        lines.append(group)
        for each in (each for each in wanted if each.group == group):
            lines.append(f"  {each.signature}")
            indent = " " * 6
            lines += textwrap.wrap(
                each.about, width, initial_indent=indent, subsequent_indent=indent
            )
            for example in each.examples:
                value, call, result = _texts(example)
                lines.append(f"{indent}{value} | {call}  gives  {result}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _section(filter_: Filter) -> str:
    rows = [_shown(example) for example in filter_.examples]
    return (
        f"### {filter_.name}\n\n`{filter_.signature}`: {filter_.about}\n\n"
        f"{table(('of', 'by', 'gives'), rows)}"
    )


def _shown(example: FilterExample) -> tuple[str, str, str]:
    value, call, result = _texts(example)
    return (
        code(value) if example.value is not None else value,
        code(call),
        code(result) if example.result is not None else result,
    )


def _texts(example: FilterExample) -> tuple[str, str, str]:
    return _written(example.value), example.call, _written(example.result)


def _written(value: Json) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=_number)


def _number(value: object) -> float | int:
    assert isinstance(value, Decimal)  # noqa: S101 - the only one of our values that JSON lacks
    return float(value)
