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

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
SERIOUS = ("serious", "critical")
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTSIDE = """() => [...document.querySelectorAll("main *, header *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.right > innerWidth + 1 && !one.closest(".scroll, pre, textarea, svg, .hidden")
    && box.width > 1 && box.height > 1;
}).map((one) => one.outerHTML.slice(0, 120))"""


def findings(visit: Visit) -> list[str]:
    """What axe-core calls serious."""
    found: Any = visit.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_blocked_and_it_fits_a_phone(name: str, visit: Visit, story: Story) -> None:
    PAGES[name](visit, story)
    assert visit.page.evaluate(WIDE) == 0
    visit.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert visit.page.evaluate(OUTSIDE) == []
    assert visit.page.evaluate(WIDE) == 0


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(
    name: str, visitors: Visitors, state: Any, story: Story
) -> None:
    # The page's own policy would not let axe in.
    visit = visitors(state=state, bypass_csp=True)
    PAGES[name](visit, story)
    visit.page.add_script_tag(path=AXE)
    grounds = set()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        grounds.add(visit.page.evaluate("getComputedStyle(document.documentElement).background"))
        assert findings(visit) == [], scheme
    assert len(grounds) == 2, "there are two palettes"


def test_axe_and_complaints_would_be_heard(visitors: Visitors, state: Any) -> None:
    """So that the tests above can fail."""
    plain, open_ = visitors(state=state).go(), visitors(state=state, bypass_csp=True).go()
    inline = "document.body.append(Object.assign(document.createElement('script'), {text: 'x'}))"
    plain.page.evaluate(inline)
    with plain.page.expect_response("**/static/nothing"):
        plain.page.evaluate("setTimeout(() => nowhere()); fetch('/console/static/nothing')")
    heard = "\n".join(plain.complaints)
    assert "Content Security Policy" in heard
    assert "nowhere" in heard
    assert "404" in heard
    plain.complaints.clear()
    open_.page.add_script_tag(path=AXE)
    open_.page.evaluate("document.querySelector('h1').style.color = '#eee'")
    open_.page.evaluate("document.body.append(document.createElement('input'))")
    assert {each.split(":")[0] for each in findings(open_)} == {"color-contrast", "label"}
