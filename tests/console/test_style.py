"""Colours that everybody can read, in light and dark; and nothing that the policy would block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.web.console import site

HERE = Path(site.__file__).parent
CSS = (HERE / "static" / "console.css").read_text("utf-8")
JS = (HERE / "static" / "console.js").read_text("utf-8")
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\n(?:  )?\}", CSS, re.S)
)
TEXT = [
    (ink, ground)
    for ink in ("text", "quiet", "link")
    for ground in ("ground", "card", "waits-ground")
]
TEXT += [("text", f"{kind}-ground") for kind in ("good", "bad", "waits")]
TEXT += [(kind, f"{kind}-ground") for kind in ("good", "bad", "waits")]
TEXT += [("on-button", "button"), ("bad", "card"), ("bad", "ground")]
SHAPES = [(f"s{number}", "card") for number in range(8)]
SHAPES += [("focus", "card"), ("focus", "ground"), ("quiet", "card"), ("button", "card")]


def contrast(one: str, other: str) -> float:
    """As WCAG 2 reckons it."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_reckoned_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_everybody_can_read_it(palette: dict[str, str]) -> None:
    assert LIGHT.keys() == DARK.keys()
    for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0)):
        for ink, ground in pairs:
            found = contrast(palette[ink], palette[ground])
            assert found >= least, (ink, ground, round(found, 2))


def test_no_colour_stands_outside_the_palettes() -> None:
    rules = re.sub(r":root \{.*?\n(?:  )?\}", "", CSS, flags=re.S)
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?=[;\s])", rules)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_nothing_inline_and_nothing_from_elsewhere(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert "|safe" not in text.replace(" ", "")


def test_the_script_builds_no_code_and_asks_nobody_else() -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|https?://", JS)
    assert not re.search(r"@import|url\(", CSS)
