"""Every test that docs/guarantees.md calls as a witness exists, and every storm is called."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from .storm import STORMS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/guarantees.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([^\]]+)\])?`", PAGE)))


@lru_cache
def source(file: str) -> str:
    return (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize(("file", "name", "case"), NAMED)
def test_it_exists(file: str, name: str, case: str) -> None:
    assert re.search(rf"^ *def {name}\(", source(file), re.MULTILINE), "there is no such test"
    if case:
        assert (file, name) == ("tests/faults/test_storms.py", "test_storm")
        assert case in STORMS


def test_all_that_is_named_is_understood() -> None:
    assert len(NAMED) > 20
    for text in re.findall(r"`(tests/[^`]+)`", PAGE):
        assert text == "tests/faults/test_storms.py" or re.fullmatch(
            r"tests/[\w/]+\.py::\w+(\[\w+\])?", text
        )


def test_every_promise_has_a_witness() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if row.count("|") == 3 and "shown by" not in row]
    assert len(promises) > 15
    assert [row for row in promises if "::test_" not in row] == []


def test_every_storm_is_called() -> None:
    assert {case for _, _, case in NAMED if case} == set(STORMS)
