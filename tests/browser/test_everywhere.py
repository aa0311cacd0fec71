"""What holds on every page: nothing is blocked, it fits a phone, and everybody can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from .conftest import Visitors
from .pages import PAGES
from .story import Story
from .visit import PHONE, Visit

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
COLOURS = ("color-contrast", "link-in-text-block")
"""All that can differ between light and dark."""

WIDTHS = (1000, 800, PHONE["width"], 320)
SERIOUS = ("serious", "critical")
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GROUND = "getComputedStyle(document.documentElement).backgroundColor"
OUTSIDE = """() => [...document.querySelectorAll("main *, header *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.right > innerWidth + 1 && !one.closest(".scroll, pre, textarea, svg, .hidden")
    && box.width > 1 && box.height > 1;
}).map((one) => one.outerHTML.slice(0, 120))"""


def findings(visit: Visit, *only: str) -> list[str]:
    """What axe-core calls serious; of all its rules, or of some."""
    if not visit.page.evaluate("'axe' in window"):
        visit.page.evaluate(AXE)
    # Of whatever is in order one example each is told: that is quicker by far.
    options = {"preload": False, "resultTypes": ["violations"], "elementRef": False}
    options |= {"runOnly": only} if only else {}
    found: Any = visit.page.evaluate("options => axe.run(options)", options)
    assert found["passes"], "it has looked"
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, visit: Visit, story: Story) -> None:
    """By its fixture: nothing on it is blocked, fails or asks anybody else."""
    PAGES[name](visit, story)
    assert visit.page.evaluate(WIDE) == 0
    assert findings(visit) == []
    ground = visit.page.evaluate(GROUND)
    visit.page.emulate_media(color_scheme="dark")
    assert visit.page.evaluate(GROUND) != ground, "there are two palettes"
    assert findings(visit, *COLOURS) == []
    for width in WIDTHS:
        visit.page.set_viewport_size({"width": width, "height": PHONE["height"]})
        assert visit.page.evaluate(OUTSIDE) == [], width
        assert visit.page.evaluate(WIDE) == 0, width


def test_whatever_is_wrong_is_found(visitors: Visitors, state: Any) -> None:
    """So that the test above can fail."""
    visit = visitors(state=state).go("audit")
    page = visit.page
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert {each.split(":")[0] for each in findings(visit)} == {"color-contrast", "label"}
    assert {each.split(":")[0] for each in findings(visit, *COLOURS)} == {"color-contrast"}
    page.evaluate("document.querySelector('h1').style.width = '2000px'")
    assert page.evaluate(WIDE) > 0
    assert page.evaluate(OUTSIDE) != []
    script = "Object.assign(document.createElement('script'), { text: 'x' })"
    page.evaluate(f"document.body.append({script})")
    with page.expect_response("**/static/nothing"), page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => nowhere()); fetch('/console/static/nothing')")
    heard = "\n".join(visit.complaints)
    assert "Content Security Policy" in heard
    assert "nowhere" in heard
    assert "404" in heard
    visit.complaints.clear()
