"""What an operator does at the console, from the log-in to a dead letter that arrives after all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.edge.lab import Shopper, until

from .conftest import Visitors
from .pages import BENCH, EDIT, FAULT, a_delivery
from .story import ORDER, PAID, REFUSED, Story
from .visit import PHONE, Visit

CANCELLED = "orders/cancelled"
HAS_OUTLINE = "one => getComputedStyle(one).outlineStyle + getComputedStyle(one).outlineWidth"
ON_SCREEN = """one => { const box = one.getBoundingClientRect();
  return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight; }"""


def test_a_wrong_password_and_the_right_one(visitors: Visitors) -> None:
    visit = visitors()
    visit.go("deliveries?outcome=parked")
    expect(visit.see("h1")).to_have_text("Log in")
    expect(visit.page.get_by_label("Password")).to_be_focused()
    visit.log_in("not it")
    expect(visit.page.get_by_role("alert")).to_have_text("That is not the password.")
    assert all("401" in each for each in visit.complaints), "the browser tells of the answer"
    visit.complaints.clear()
    visit.log_in()
    expect(visit.see("h1")).to_have_text("Deliveries")
    expect(visit.see("#outcome")).to_have_value("parked")
    visit.press("Log out")
    expect(visit.see("h1")).to_have_text("Log in")
    visit.go()
    expect(visit.see("h1")).to_have_text("Log in")


def test_the_overview(visit: Visit, story: Story) -> None:
    visit.go()
    counts = story.floor.workspace.counts()
    for name, figure in (("accepted", "accepted"), ("duplicate", "duplicate"), ("sent", "sent")):
        expect(visit.see(f"#figure-{name} dd")).to_have_text(f"{counts[figure]}")
    for subject in ("dead", "parked"):
        expect(visit.see(f".banner[data-finding={subject}]")).to_be_visible()
    expect(visit.see("#chart-per-minute svg rect.s0").first).to_be_visible()
    expect(visit.see("#health")).to_contain_text("1 listen")
    expect(visit.see("#unseen")).to_contain_text("fulfillments/create")
    visit.see(".banner[data-finding=dead] a").click()
    expect(visit.see("#dead")).to_contain_text(REFUSED)


def test_the_overview_looks_again(visit: Visit, story: Story) -> None:
    visit.page.clock.install()
    visit.go()
    figure = visit.see("#figure-accepted dd")
    before = int(figure.inner_text())
    story.take(Shopper().webhook("customers/create"))
    visit.page.clock.run_for(10_500)
    expect(figure).to_have_text(str(before + 1))


def test_filtering(visit: Visit, story: Story) -> None:
    visit.go("deliveries")
    rows = visit.see("#rows tr")
    visit.page.get_by_label("Topic").select_option(PAID)
    visit.press("Filter")
    expect(visit.page).to_have_url(f"{story.console}deliveries?topic=orders/paid")
    expect(rows.filter(has_text=ORDER)).to_have_count(0)
    expect(rows.filter(has_text=PAID).first).to_be_visible()
    visit.page.get_by_label("Order id").fill(story.buyer.order)
    visit.page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    visit.page.get_by_role("link", name="Clear").click()
    visit.page.get_by_label("Outcome").select_option("parked")
    visit.press("Filter")
    expect(rows.first).to_contain_text("order_completed.revenue: required, but absent")
    expect(rows.filter(has_not_text="parked")).to_have_count(0)


def test_filtering_by_person_leaves_no_trace_in_the_address(visit: Visit, story: Story) -> None:
    visit.go("deliveries")
    visit.page.get_by_label("Person").fill(story.buyer.email)
    visit.press("Filter")
    expect(visit.see("#rows tr").filter(has_text=story.buyer.order)).not_to_have_count(0)
    expect(visit.page.get_by_label("Person")).to_have_value(story.buyer.email)
    assert "@" not in visit.page.url
    assert story.buyer.email.split("@")[0] not in visit.page.url


def test_new_deliveries_appear_unless_paused(visit: Visit, story: Story) -> None:
    visit.page.clock.install()
    visit.go("deliveries")
    one, two = Shopper(), Shopper()
    story.take(one.webhook(ORDER))
    visit.page.clock.run_for(4_500)
    expect(visit.see("#rows tr").first).to_contain_text(one.order)
    expect(visit.see("#updated")).to_contain_text("1 new")
    visit.press("Pause")
    expect(visit.see("#pause")).to_have_attribute("aria-pressed", "true")
    story.take(two.webhook(ORDER))
    visit.page.clock.run_for(20_000)
    expect(visit.see("#rows tr").first).to_contain_text(one.order)
    visit.press("Go on")
    expect(visit.see("#rows tr").first).to_contain_text(two.order)


def test_a_delivery_and_what_is_personal_in_it(visit: Visit, story: Story) -> None:
    a_delivery(visit, story)
    expect(visit.see("#way li").first).to_contain_text("received")
    expect(visit.see("#answers")).to_contain_text("order_completed")
    expect(visit.see("#answers")).to_contain_text("200")
    expect(visit.see("#body")).not_to_contain_text(story.buyer.email)
    visit.press("Show personal data")
    expect(visit.see("#body")).to_contain_text(story.buyer.email)
    expect(visit.see("#requests")).to_contain_text(story.buyer.id)
    visit.page.get_by_role("link", name="Hide it").click()
    expect(visit.see("#body")).not_to_contain_text(story.buyer.email)
    visit.page.get_by_role("link", name="Audit").click()
    expect(visit.see("#audit tr").nth(1)).to_contain_text("unmask")


def test_dead_letters_are_replayed_until_they_are_delivered(visit: Visit, story: Story) -> None:
    buyers = (Shopper(), Shopper())
    story.refuse(*buyers)
    sandbox = story.floor.sandbox
    assert not any("order_completed" in sandbox.names(one) for one in buyers)
    visit.go("letters")
    visit.press("Replay all 2 of order_completed")
    expect(visit.see("h1")).to_contain_text("Replay 2")
    expect(visit.see("#plan-events")).to_contain_text("order_completed")
    assert not any("order_completed" in sandbox.names(one) for one in buyers), "it was a dry run"
    visit.press("Replay 2 now")
    expect(visit.see("#messages")).to_contain_text("Replayed 2 of 2")
    expect(visit.see("#dead").get_by_text("order_completed")).to_have_count(0)
    for one in buyers:
        until(lambda one=one: sandbox.names(one) == ["order_completed"], "it has arrived")
    visit.go(f"deliveries?order={buyers[0].order}")
    expect(visit.see("#rows tr")).to_contain_text("sent")
    visit.go("audit")
    expect(visit.see("#audit")).to_contain_text("replay")


def test_a_selection_is_dropped(visit: Visit, story: Story) -> None:
    buyers = (Shopper(), Shopper())
    for one in buyers:
        outcome = one.tells(CANCELLED, total_price=None).outcome(story.floor.web)
        assert outcome == "parked"
    visit.go("letters")
    visit.see("#parked tr").filter(has_text=CANCELLED).get_by_role("link").first.click()
    visit.press("Choose all")
    expect(visit.page.get_by_role("checkbox", checked=True)).to_have_count(2)
    visit.see("#letters input").first.uncheck()
    visit.press("Drop chosen...")
    visit.press("Drop 1 for good")
    expect(visit.see("#messages")).to_contain_text("1")
    row = visit.see("#parked tr").filter(has_text=CANCELLED)
    expect(row.get_by_role("link", name=f"1 of {CANCELLED}")).to_be_visible()


def test_the_playground_answers_while_one_types(visit: Visit) -> None:
    visit.go(BENCH)
    overlay, faults = visit.page.get_by_label("custom/shopify/orders.yml"), visit.see("#faults")
    expect(faults).to_contain_text("No differences")
    overlay.fill("")
    overlay.press_sequentially(FAULT)
    expect(faults).to_contain_text("did you mean 'revenue'?")
    expect(overlay).to_have_attribute("aria-invalid", "true")
    faults.get_by_role("link", name="orders.yml:4:7").click()
    expect(overlay).to_be_focused()
    chosen = "one => one.value.slice(one.selectionStart, one.selectionEnd)"
    assert overlay.evaluate(chosen) == "revenu: subtotal_price"
    visit.page.keyboard.insert_text("revenue: subtotal_price")
    expect(faults).to_contain_text("1 difference from what is live")
    expect(overlay).to_have_attribute("aria-invalid", "false")
    change = visit.see("#difference .change")
    expect(change).to_contain_text("events[order_completed].properties.revenue")
    expect(change.locator(".before")).to_contain_text("202.29")
    expect(change.locator(".after")).to_be_visible()
    assert overlay.input_value() == EDIT


def test_an_edit_is_taken_away_and_outlives_another_topic(
    visitors: Visitors, state: Any, tmp_path: Path
) -> None:
    visit = visitors(state=state, permissions=["clipboard-read", "clipboard-write"])
    visit.go(BENCH)
    overlay = visit.see("#overlay")
    begun = overlay.input_value()
    overlay.fill(EDIT)
    visit.press("Copy")
    expect(visit.see("#trying")).to_have_text("Copied.")
    assert visit.page.evaluate("navigator.clipboard.readText()") == EDIT
    with visit.page.expect_download() as download:
        visit.press("Download")
    assert download.value.suggested_filename == "orders.yml"
    download.value.save_as(tmp_path / "orders.yml")
    assert (tmp_path / "orders.yml").read_text("utf-8") == EDIT
    visit.see("#topic").select_option("shopify orders/paid")
    expect(visit.see("#sample")).to_contain_text("orders_paid.json")
    expect(overlay).to_have_value(EDIT)
    expect(visit.see("#faults")).to_contain_text("1 difference")
    visit.press("Start over")
    expect(overlay).to_have_value(begun)


def test_without_scripts_it_works_by_forms(visitors: Visitors, state: Any, story: Story) -> None:
    visit = visitors(state=state, java_script_enabled=False)
    visit.go(BENCH).see("#overlay").fill(EDIT)
    expect(visit.see("#copy")).to_be_hidden()
    visit.press("Try it")
    expect(visit.see("#difference .change")).to_have_count(1)
    visit.go("letters")
    expect(visit.see("#dead")).to_contain_text(REFUSED)
    visit.go("deliveries")
    expect(visit.see("#pause")).to_be_hidden()


def test_looking_somebody_up(visit: Visit, story: Story) -> None:
    visit.go("people")
    visit.page.get_by_label("Somebody").fill(story.buyer.email)
    visit.press("Look up")
    expect(visit.see("#person-known")).to_contain_text(story.buyer.id)
    expect(visit.see("#orders")).to_contain_text(story.buyer.order)
    assert "@" not in visit.page.url
    visit.page.get_by_label("Event", exact=True).select_option("order_completed")
    visit.page.get_by_label("Order", exact=True).fill(story.buyer.order)
    visit.press("Say why")
    expect(visit.see("#answers [data-verdict=sent]")).to_have_count(1)
    visit.page.get_by_label("Event", exact=True).select_option(REFUSED)
    visit.press("Say why")
    expect(visit.see("#answers [data-verdict=refused]")).to_have_count(1)


def test_by_keyboard_alone(visit: Visit) -> None:
    visit.go("deliveries")
    page = visit.page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    assert skip.evaluate(ON_SCREEN)
    page.keyboard.press("Enter")
    expect(visit.see("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(visit.see("#pause")).to_be_focused()
    reached = []
    for _ in range(12):
        focused = page.locator(":focus")
        assert focused.evaluate(HAS_OUTLINE) == "solid3px"
        assert focused.evaluate(ON_SCREEN)
        reached.append(focused.evaluate("one => one.id || one.textContent.trim()"))
        page.keyboard.press("Tab")
    wanted = ["pause", "shop", "topic", "outcome", "order", "id", "who", "Filter", "Clear"]
    assert reached[:9] == wanted


def test_on_a_phone(visitors: Visitors, state: Any, story: Story) -> None:
    visit = visitors(state=state, viewport=PHONE, has_touch=True, is_mobile=True)
    visit.go()
    nav = visit.page.get_by_role("navigation", name="Console")
    for link in nav.get_by_role("link").all():
        box = link.bounding_box()
        assert box is not None
        assert box["height"] >= 40
        assert link.evaluate(ON_SCREEN)
    nav.get_by_role("link", name="Deliveries").tap()
    expect(nav.locator("[aria-current=page]")).to_have_text("Deliveries")
    first = visit.see("#rows tr").first
    expect(first.locator("td").nth(1)).to_be_visible()
    cells = [cell.bounding_box() for cell in first.locator("td:not(:empty)").all()]
    assert len(cells) > 4
    assert all(one and two and one["y"] < two["y"] for one, two in pairwise(cells)), "a card"
    first.get_by_role("link").tap()
    expect(visit.see("#way")).to_be_visible()
