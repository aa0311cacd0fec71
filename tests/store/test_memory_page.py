"""docs/memory.md names every key that is kept, its figures add up, its lifetimes are those set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.store import catalog, drift, refs
from bench.memory import needs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "memory.md").read_text("utf-8")
KEYS = [line for line in (refs.__doc__ or "").splitlines() if line.startswith("| `")]
_UNITS = {"h": 3600, "days": 86400}


def rows(heading: str) -> list[str]:
    """The rows of the first table under a heading."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def lifetime(key: str) -> int:
    """Seconds that the row of a key says."""
    (row,) = (row for row in KEYS if row.startswith(f"| `{key}"))
    number, unit = row.split(" | ")[-1].removesuffix(" |").split()
    return int(number) * _UNITS[unit]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_on_the_page_with_its_owner(key: str) -> None:
    table = [row.replace("\\|", "|") for row in rows("Every kind of key")]
    (row,) = (row for row in table if row.startswith(key))
    owner = re.fullmatch(r" `(adapter/[\w/]+\.py)` \|", row.removeprefix(key))
    assert owner, row
    assert (ROOT / owner[1]).is_file()


def test_the_page_knows_no_keys_that_are_not_there() -> None:
    assert len(rows("Every kind of key")) == len(KEYS)


@pytest.mark.parametrize(
    ("key", "seconds"),
    [
        ("dedupe:", refs.DEDUPE_SECONDS),
        ("key:", refs.KEY_SECONDS),
        ("thing:", refs.seconds("order")),
        ("lines:", refs.seconds("cart_lines")),
        ("redacted:", refs.seconds("redacted")),
        ("waiting:order:", refs.wait_seconds("order")),
        ("waiting:<token's kind>:", refs.wait_seconds("cart")),
        ("product:", catalog.PRODUCT_SECONDS),
        ("drift:", drift.KEEP_SECONDS),
    ],
)
def test_a_key_lives_as_long_as_its_row_says(key: str, seconds: int) -> None:
    assert lifetime(key) == seconds


@pytest.mark.parametrize("kind", ["person", "since"])
def test_what_never_expires_says_so(kind: str) -> None:
    assert refs.seconds(kind) == refs.FOR_GOOD
    (row,) = (row for row in KEYS if row.startswith(f"| `{kind}:"))
    assert row.endswith("| for good |")


def test_what_a_store_needs_is_computed_from_the_figures() -> None:
    cells = [row.strip("| ").split(" | ") for row in rows("Bytes of each thing")]
    figures = {name: float(count.replace(",", "")) for name, count in cells}
    computed = {row[0]: [_bytes(cell) for cell in row[1:]] for row in needs(figures).rows}
    shown = [row.strip("| ").split(" | ") for row in rows("What a store needs")]
    assert [row[0] for row in shown] == list(computed)
    for name, *sizes in shown:
        assert [_bytes(size) for size in sizes] == pytest.approx(computed[name], rel=0.02), name


def _bytes(size: str) -> float:
    number, unit = size.split()
    return float(number.replace(",", "")) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
