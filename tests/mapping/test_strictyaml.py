"""YAML as it is read here: what is not meant, what is refused, and in which words."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter import strictyaml
from adapter.errors import Fault
from adapter.settings import shipped
from adapter.strictyaml import parse

MISTAKES: list[tuple[str, str]] = [
    # tabs
    ("a:\n\tb: c\n", "2:1: a tab: YAML is indented with blanks"),
    ("a: b\n\tc: d\n", "2:1: a tab: YAML is indented with blanks"),
    ("a:\n  b:\n  \tc: d\n", "3:3: a tab: YAML is indented with blanks"),
    # blanks of web pages
    ("a:\n\u00a0\u00a0b: c\n", "2:1: a blank that is none (U+00A0, as web pages have it): type it anew"),
    ("a:\n  \u200bb: c\n", "2:3: a blank that is none (U+200B, as web pages have it): type it anew"),
    # indentation
    ("a:\n    b: c\n  d: e\n", "3:3: the indentation of this line is that of no line above"),
    ("a:\n  - b\n c: d\n", "3:2: the indentation of this line is that of no line above"),
    ("a:\n  b: c\n   d: e\n", "3:4: this line is indented deeper, but the one above has a value already"),
    ("a: b\n  c: d\n", "2:3: this line is indented deeper, but the one above has a value already"),
    # colons
    ("about: Note: this\n", "1:12: a text that holds ': ' stands in quotes"),
    ("- name: a sale: all of it\n", "1:15: a text that holds ': ' stands in quotes"),
    ("id:customer.id\nb: c\n", "1:4: a blank must follow the ':' of a key"),
    ("a: b\nid:customer.id\nc: d\n", "2:1: a key is followed by ':' and a blank"),
    # documents
    ("a: b\n---\nc: d\n", "2:1: a second document begins here: a file holds one, take the '---' out"),
    # comments and brackets
    ("a: {b: c # d}\ne: f\n", "1:10: ' #' begins a comment: a text that holds it stands in quotes"),
    ("a: {b: c\nd: e\n", "1:4: this bracket is never closed"),
    ("a: [b, c\nd: e\n", "1:4: this bracket is never closed"),
    # quotes
    ('a: "b" ?? c\nd: e\n', "1:8: more follows a quoted text: put quotes around the whole, such as '\"a\" ?? b'"),
    ("a: 'b\nc: d\n", "1:4: this quoted text is never closed"),
    ("a: @b\n", "1:4: a text that begins with '@' stands in quotes"),
    ("a: %b\n", "1:4: a text that begins with '%' stands in quotes"),
    # what is seldom keeps the scanner's words
    ('a: "b\\d"\n', "1:6: not YAML: found unknown escape character"),
    # what YAML allows and we do not
    ("a: 1\nb: 2\na: 3\n", "3:1: duplicate key 'a', first on line 1"),
    ("a: !tag b\n", "1:4: tags are not allowed"),
    ("a: &b [*b]\n", "1:4: an anchor that holds itself"),
    ("[a]: b\n", "1:1: a key must be text"),
]  # fmt: skip


def faults(text: str) -> list[str]:
    found: list[Fault] = []
    parse(text, "x.yml", found)
    return [str(each).removeprefix("x.yml:") for each in found]


@pytest.mark.parametrize(("text", "fault"), MISTAKES)
def test_mistakes(text: str, fault: str) -> None:
    assert faults(text) == [fault]


@pytest.mark.parametrize(
    ("text", "fault"), [each for each in MISTAKES if "not YAML" not in each[1]]
)
def test_mistakes_have_the_same_words_without_libyaml(
    text: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strictyaml, "_Loader", yaml.SafeLoader)
    (found,) = faults(text)
    assert found.partition(":")[0] == fault.partition(":")[0]
    assert found.partition(": ")[2] == fault.partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("~", None),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ('"5"', "5"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
    ],
)
def test_values_are_what_they_look_like(text: str, value: Any) -> None:
    found: list[Fault] = []
    node = parse(text, "x.yml", found)
    assert node is not None
    assert (node.plain(), found) == (value, [])


@pytest.mark.parametrize(
    ("text", "blank"),
    [("a:", True), ("a: # b", True), ("{a: , b: c}", True), ("{a}", True), ("a: null", False),
     ("a: ~", False), ('a: ""', False), ("a: {}", False), ("a: off", False)],
)  # fmt: skip
@pytest.mark.parametrize("loader", [strictyaml._Loader, yaml.SafeLoader])
def test_nothing_written_is_not_the_null_that_is(
    text: str, blank: bool, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strictyaml, "_Loader", loader)
    strictyaml._read.cache_clear()
    node = parse(text, "x.yml", [])
    assert node is not None
    assert node.value["a"].blank is blank


FILES = sorted(shipped("mappings").rglob("*.yml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_ships_is_yaml_to_every_editor(file: Path) -> None:
    """libyaml takes `{a: b ?? c}`, most other readers do not: there it stands in quotes."""
    assert yaml.compose(file.read_text("utf-8"), Loader=yaml.SafeLoader) is not None
