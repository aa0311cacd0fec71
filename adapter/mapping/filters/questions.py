"""Filters that ask something of a value: what `when` and `ignore_when` are made of.

`eq`, `one_of` and `only` compare exactly; `has`, `contains` and `starts_with` look for words that
people typed (a tag, a note, a code) and so do not mind letter case.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from adapter.mapping.filters.registry import Apply, Argument, named
from adapter.mapping.values import as_text, exact, is_blank
from adapter.model import Json

_named = partial(named, "Questions")


def _unless_absent(test: Callable[[Json], bool]) -> Apply:
    return lambda value: None if value is None else test(value)


def same(wanted: tuple[Argument, ...]) -> Callable[[Json], bool]:
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
    return _unless_absent(same((x,)))


@_named(
    "one_of",
    "Whether the value is one of these.",
    ("paid", 'one_of("paid", "partially_paid")', True),
    ("voided", 'one_of("paid", "partially_paid")', False),
)
def _one_of(x: Argument, *more: Argument) -> Apply:
    return _unless_absent(same((x, *more)))


@_named(
    "only",
    "The value if it is one of these, else absent.",
    ("web", 'only("web", "pos")', "web"),
    ("1830279", 'only("web", "pos")', None),
)
def _only(x: Argument, *more: Argument) -> Apply:
    test = same((x, *more))
    return lambda value: value if value is not None and test(value) else None


@_named(
    "has",
    "Whether a list, or a text with commas such as tags, has that element, in any letter case.",
    ("VIP, Staff", 'has("staff")', True),
    ("Staffordshire, VIP", 'has("staff")', False),
    (["VIP", "subscriber"], 'has("Subscriber")', True),
    ([], 'has("staff")', False),
)
def _has(x: Argument) -> Apply:
    wanted = (as_text(x) or "").strip().casefold()
    if not wanted:
        raise ValueError("has: the element is blank")
    if "," in wanted:
        raise ValueError("has: an element holds no comma; ask for each with a `has` of its own")

    def apply(value: Json) -> Json:
        if value is None or isinstance(value, dict):
            return None
        elements = value if isinstance(value, list) else (as_text(value) or "").split(",")
        texts = (as_text(each) for each in elements)
        return any(text is not None and text.strip().casefold() == wanted for text in texts)

    return apply


@_named(
    "contains",
    "Whether the text has that text anywhere in it, in any letter case.",
    ("Subscription First Order", 'contains("subscription")', True),
    ("One time", 'contains("subscription")', False),
)
def _contains(text: str) -> Apply:
    return _in_text("contains", text, lambda value, wanted: wanted in value)


@_named(
    "starts_with",
    "Whether the text begins with that text, in any letter case.",
    ("REF-ADA-10", 'starts_with("ref-")', True),
    ("SPRING-REF", 'starts_with("ref-")', False),
)
def _starts_with(text: str) -> Apply:
    return _in_text("starts_with", text, str.startswith)


def _in_text(name: str, wanted: str, test: Callable[[str, str], bool]) -> Apply:
    if not wanted:
        raise ValueError(f"{name}: the text is empty")
    folded = wanted.casefold()

    def apply(value: Json) -> Json:
        text = as_text(value)
        return None if text is None else test(text.casefold(), folded)

    return apply
