"""Every kind of page of the console, with something to see on it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from .story import ORDER, Story
from .visit import Visit

FAULT = "events:\n  order_completed:\n    properties:\n      revenu: subtotal_price\n"
BENCH = "playground?topic=shopify+orders/create&sample=fixture:orders_create.json"
EDIT = FAULT.replace("revenu:", "revenue:")

PAGES: dict[str, Callable[[Visit, Story], object]] = {}


def _page(function: Callable[[Visit, Story], object]) -> Callable[[Visit, Story], object]:
    PAGES[function.__name__.replace("_", " ")] = function
    return function


@_page
def log_in(visit: Visit, story: Story) -> None:
    visit.page.context.clear_cookies()
    visit.go("login")


@_page
def overview(visit: Visit, story: Story) -> None:
    visit.go()
    visit.see("#charts summary").first.click()


@_page
def deliveries(visit: Visit, story: Story) -> None:
    visit.go("deliveries")


@_page
def deliveries_of_which_there_are_none(visit: Visit, story: Story) -> None:
    visit.go("deliveries?order=1")
    expect(visit.see("#empty")).to_be_visible()


def a_delivery(visit: Visit, story: Story) -> None:
    visit.go(f"deliveries?order={story.buyer.order}&topic={ORDER}")
    visit.see("#rows a").click()
    expect(visit.see("#way")).to_contain_text("sent")


@_page
def a_delivery_unmasked(visit: Visit, story: Story) -> None:
    a_delivery(visit, story)
    visit.press("Show personal data")
    expect(visit.see("#body")).to_contain_text(story.buyer.email)


@_page
def a_parked_delivery(visit: Visit, story: Story) -> None:
    visit.go("deliveries?outcome=parked")
    visit.see("#rows a").last.click()
    expect(visit.see("#way")).to_contain_text("required, but absent")


@_page
def letters(visit: Visit, story: Story) -> None:
    visit.go("letters")
    expect(visit.see("#dead, #parked")).to_have_count(2)


@_page
def letters_of_a_kind(visit: Visit, story: Story) -> None:
    letters(visit, story)
    visit.see("#dead td:first-child a").first.click()


@_page
def a_letter(visit: Visit, story: Story) -> None:
    letters_of_a_kind(visit, story)
    visit.see("#letters a").first.click()


@_page
def a_plan_to_replay(visit: Visit, story: Story) -> None:
    letters(visit, story)
    visit.see("#dead").get_by_role("button", name="Replay all").first.click()
    visit.see("#plan summary").first.click()


@_page
def a_plan_to_drop(visit: Visit, story: Story) -> None:
    letters(visit, story)
    visit.see("#parked").get_by_role("button", name="Drop all").first.click()


@_page
def people(visit: Visit, story: Story) -> None:
    visit.go("people")


@_page
def somebody(visit: Visit, story: Story) -> None:
    visit.go(f"people?who={story.buyer.id}&event=order_completed&order={story.buyer.order}")
    expect(visit.see("#answers")).to_be_visible()


def playground(visit: Visit, story: Story) -> None:
    visit.go(BENCH)
    expect(visit.see("#faults")).to_contain_text("No differences")


@_page
def playground_with_an_edit(visit: Visit, story: Story) -> None:
    playground(visit, story)
    visit.see("#overlay").fill(EDIT)
    expect(visit.see("#difference .change")).to_have_count(1)


@_page
def playground_with_a_fault(visit: Visit, story: Story) -> None:
    playground(visit, story)
    visit.see("#overlay").fill(FAULT)
    expect(visit.see("#faults [data-line]")).to_have_count(1)


@_page
def contract(visit: Visit, story: Story) -> None:
    visit.go("contract")


@_page
def contract_of_an_event(visit: Visit, story: Story) -> None:
    visit.go("contract?event=order_completed")


@_page
def audit(visit: Visit, story: Story) -> None:
    visit.go("audit")
