"""docs/journeys: every message renders, from what our fixtures give and from the barest event.

Customer.io's latest Liquid is LiquidJS with filters and tags of its own. Where python-liquid
differs an equivalent is registered here: `currency` and the second argument of `date` (Babel and
zoneinfo in the place of JavaScript's Intl) and the tag `unsubscribe_url`. What is absent may stand
in the condition of an `if` and before `default`, and fails the message anywhere else, `assign`
included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from babel.numbers import format_currency
from liquid import BoundTemplate, Environment, Node, RenderContext, Tag, TokenStream
from liquid.exceptions import UndefinedError
from liquid.undefined import FalsyStrictUndefined, is_undefined

from adapter import catalog
from adapter.destinations.shortening import fit_event
from adapter.mapping import load, parse_body
from adapter.mapping.suite import RECEIVED_AT, SHOP, TRIGGERED_AT
from adapter.model import CanonicalEvent, Delivery, Entry, Mapped
from adapter.reference.examples import read_bodies
from adapter.resolver import complete, resolve
from adapter.settings import shipped

JOURNEYS = Path(__file__).parent.parent / "docs" / "journeys"
PAGES = {page.stem: page.read_text("utf-8") for page in sorted(JOURNEYS.glob("*.md"))}
MAPPINGS = load(shipped("mappings"))
SCHEMA = MAPPINGS.schema

# Names of the pages that are no names of the contract: Customer.io's own, and attributes that the
# journeys write themselves.
THEIRS = {"event_timestamp", "cio_timezone"}
OWN = {"recovery_open", "replenish_remind_at"}


class Snippet(NamedTuple):
    """One Liquid block of a page, and the events in whose campaigns it is used."""

    page: str
    label: str
    events: tuple[str, ...]
    text: str

    @property
    def is_html(self) -> bool:
        return self.label.endswith("email")

    def __str__(self) -> str:
        return f"{self.page}-{self.label}"


_LABELLED = re.compile(r"^`([a-z-]+)`(?: on ([^\n]+))?\n\n```liquid\n(.*?)^```", re.M | re.S)
SNIPPETS = [
    Snippet(page, label, tuple(re.findall(r"`(\w+)`", events)), text.rstrip("\n"))
    for page, content in PAGES.items()
    for label, events, text in _LABELLED.findall(content)
]
MESSAGES = [each for each in SNIPPETS if each.events and each.label != "due-at"]


def snippet(page: str, label: str) -> str:
    (found,) = [each for each in SNIPPETS if (each.page, each.label) == (page, label)]
    return found.text


# Liquid as Customer.io has it


class Missing(FalsyStrictUndefined):
    """What is absent: false and nil where it is asked for; an error where it is used."""

    force_liquid_default = True


class _Context(RenderContext):
    def assign(self, key: str, val: Any) -> None:
        if is_undefined(val):
            raise UndefinedError(f"{key} is assigned what is absent", token=None)
        super().assign(key, val)


class _Template(BoundTemplate):
    context_class = _Context


class _UnsubscribeNode(Node):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write("https://unsubscribe.example/me")


class _UnsubscribeTag(Tag):
    name = "unsubscribe_url"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        return _UnsubscribeNode(stream.current)


def currency(amount: float, locale: str, code: str) -> str:
    """Both arguments are asked for, as without the second the language decides the currency."""
    assert not is_undefined(amount)
    assert isinstance(amount, int | float)
    assert not is_undefined(code)
    return format_currency(amount, code, locale=locale)


def date(value: int | str, pattern: str, zone: str = "UTC") -> str:
    return datetime.fromtimestamp(int(value), ZoneInfo(zone)).strftime(pattern)


class _Environment(Environment):
    template_class = _Template


def liquid() -> Environment:
    made = _Environment(undefined=Missing, strict_filters=True)
    made.add_filter("currency", currency)
    made.add_filter("date", date)
    made.add_tag(_UnsubscribeTag)
    return made


LIQUID = liquid()


def render(
    text: str,
    properties: Mapping[str, Any],
    customer: Mapping[str, Any] | None = None,
    at: int | None = 1789394730,
) -> str:
    scope: dict[str, Any] = {"event": dict(properties), "customer": dict(customer or {})}
    if at is not None:
        scope["event_timestamp"] = at
    return LIQUID.from_string(text).render(**scope)


def text_of(html: str) -> str:
    """What is read of a body, blanks made one and the sign of times plain."""
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    return text.replace("\N{MULTIPLICATION SIGN}", "x")


# What our fixtures give


def mapped(fixture: str, topic: str, at: int = RECEIVED_AT, **changes: Any) -> Mapped:
    body = parse_body((shipped("fixtures") / "shopify" / fixture).read_bytes())
    delivery = Delivery("shopify", topic, f"{topic} {at}", SHOP, at, triggered_at=at - 2)
    return MAPPINGS.apply(delivery, {**body, **changes})


def products() -> dict[tuple[str, ...], Any]:
    """The catalog, of what product webhooks say."""
    found = [
        mapped("products_update.replenish.json", "products/update").catalog,
        mapped("products_update.storefront.json", "products/update").catalog,
    ]
    return {("product", "shopify", SHOP, each.id): each for each in found if each is not None}


CATALOG = products()


def enriched(event: CanonicalEvent) -> CanonicalEvent:
    return catalog.enrich(event, CATALOG, flat=SCHEMA.flat, currency="USD").event


def told(fixture: str, topic: str, name: str, *, known: bool = True) -> CanonicalEvent:
    """One event of a fixture, with the catalog's pictures and pages or without."""
    events = complete(mapped(fixture, topic).events)
    (event,) = [each for each in events if each.name == name]
    return enriched(event) if known else event


def every_event() -> Iterator[CanonicalEvent]:
    """All that the fixtures and their changes in the embedded tests become, with and without what
    the catalog knows."""
    for body in read_bodies(MAPPINGS, [shipped("fixtures")]):
        delivery = Delivery(body.platform, body.topic, "x", SHOP, RECEIVED_AT, TRIGGERED_AT)
        for event in complete(MAPPINGS.apply(delivery, body.content).events):
            yield event
            yield enriched(event)


EVENTS: dict[str, list[CanonicalEvent]] = {}
for _event in every_event():
    EVENTS.setdefault(_event.name, []).append(_event)


def barest(name: str) -> dict[str, Any]:
    """What the contract promises and nothing else: no optional property, one line, none of its
    optional fields."""
    needed = {
        each.name for each in (*SCHEMA.event(name).fields, *SCHEMA.common) if not each.optional
    }
    of_line = {each.name for each in SCHEMA.item if not each.optional}
    given = max(
        (each.properties for each in EVENTS[name]), key=lambda found: len(needed & set(found))
    )
    assert needed <= set(given)
    bare = {key: value for key, value in given.items() if key in needed}
    if "items" in bare:
        line = {key: value for key, value in given["items"][0].items() if key in of_line}
        assert set(line) == of_line
        bare["items"] = [line]
    return bare


ATTRIBUTES = {each.name for each in SCHEMA.person}
ADA = {
    **mapped("orders_create.json", "orders/create").person.attributes,
    **mapped("customers_update.legacy.json", "customers/update").person.attributes,
    "timezone": "Europe/Berlin",  # no Shopify body holds one
    "discount_eligible": True,
    "vip_tier": "gold",
    "first_name": "Ada",
}
assert set(ADA) <= ATTRIBUTES


def as_text(value: Any) -> str:
    """An attribute as the App API gives it back."""
    return str(value).lower() if isinstance(value, bool) else str(value)


ADA_AS_TEXT = {name: as_text(value) for name, value in ADA.items() if not isinstance(value, list)}
BLANK = {"first_name": "", "timezone": "", "vip_tier": "", "discount_eligible": ""}


# The pages


def test_every_journey_has_its_page() -> None:
    assert list(PAGES) == [
        "README",
        "cart-recovery",
        "post-purchase",
        "replenishment",
        "subscription-save",
        "win-back",
    ]
    for name in PAGES:
        assert name == "README" or f"]({name}.md)" in PAGES["README"]


def test_every_liquid_block_says_what_it_is_of() -> None:
    assert len(SNIPPETS) == sum(page.count("```liquid") for page in PAGES.values()) > 20
    assert [str(each) for each in SNIPPETS if not each.events] == ["README-layout"]
    assert {event for each in SNIPPETS for event in each.events} <= set(SCHEMA.events)
    for page in set(PAGES) - {"README"}:
        labels = {each.label for each in SNIPPETS if each.page == page}
        assert {kind for label in labels for kind in (label.rpartition("-")[2],)} >= {
            "subject",
            "email",
            "sms",
        }, page


def test_every_link_leads_somewhere() -> None:
    for name, page in PAGES.items():
        prose = _LABELLED.sub("", page)
        for target, _, place in re.findall(r"\]\(([^)#\s]*)(#([^)\s]+))?\)", prose):
            file = JOURNEYS / target if target else JOURNEYS / f"{name}.md"
            assert file.is_file(), f"{name}: {target}"
            if place:
                heads = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
                anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in heads}
                assert place in anchors, f"{name}: {target}#{place}"


def test_the_picture_can_be_read_and_names_what_the_contract_names() -> None:
    picture = ElementTree.parse(JOURNEYS / "journeys.svg")
    texts = [each.text or "" for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    told_of = {word for text in texts for word in re.findall(r"[a-z]+(?:_[a-z]+)+", text)}
    assert told_of <= known_names()
    described = picture.findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert {word for word in told_of if word in SCHEMA.events} <= set(re.findall(r"\w+", described))


def known_names() -> set[str]:
    return {
        *SCHEMA.events,
        *ATTRIBUTES,
        *SCHEMA.flat,
        *(each.name for each in (*SCHEMA.common, *SCHEMA.item)),
        *(each.name for event in SCHEMA.events.values() for each in event.fields),
    }


@pytest.mark.parametrize("page", PAGES)
def test_the_words_name_only_what_there_is(page: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.M | re.S)
    named = set()
    for code in re.findall(r"`([^`\n]+)`", prose):
        if re.fullmatch(r"(items\[\d*\]\.)?[a-z]+(_[a-z]+)+", code):
            named.add(code.rpartition(".")[2])
    assert named
    assert named <= known_names() | THEIRS | OWN


@pytest.mark.parametrize("each", SNIPPETS, ids=str)
def test_a_snippet_names_only_what_its_events_and_people_have(each: Snippet) -> None:
    attributes = set(re.findall(r"\bcustomer\.(\w+)", each.text))
    assert attributes <= ATTRIBUTES | THEIRS
    events = [SCHEMA.event(name) for name in each.events]
    there = {field.name for event in events for field in (*event.fields, *SCHEMA.filled_in(event))}
    assert set(re.findall(r"\bevent\.(\w+)", each.text)) <= there
    fields = set(re.findall(r"\bitem\.(\w+)|\bitems\[\d\]\.(\w+)", each.text))
    assert {first or second for first, second in fields} <= {field.name for field in SCHEMA.item}


def test_statuses_are_those_that_the_mappings_send() -> None:
    canceled = {each.properties["status"] for each in EVENTS["subscription_canceled"]}
    assert {"cancelled", "failed", "expired", "stale"} <= canceled
    assert {each.properties.get("source") for each in EVENTS["order_completed"]} >= {
        "pos",
        "subscription",
        "web",
    }


# The messages


class Checker(HTMLParser):
    """What is wrong with a body: tags left open, pictures and links that lead nowhere, nothing to
    read where something should be."""

    VOID = ("br", "img", "meta")
    SAYING = ("h1", "p", "li", "a", "strong", "title")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, int]] = []
        self.said = 0
        self.pictures: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            assert "alt" in found
            assert re.match(r"https://\S+$", found["src"] or "")
            self.pictures.append(found["src"] or "")
        if tag == "a":
            assert re.match(r"https://\S+$", found["href"] or ""), found
            self.links.append(found["href"] or "")
        if tag == "table":
            assert found["role"] == "presentation"
        if tag not in self.VOID:
            self.open.append((tag, self.said))

    def handle_endtag(self, tag: str) -> None:
        opened, said = self.open.pop()
        assert opened == tag
        assert tag not in self.SAYING or self.said > said, f"nothing in <{tag}>"

    def handle_data(self, data: str) -> None:
        self.said += len(data.strip())


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def assert_fit_to_send(each: Snippet, rendered: str) -> None:
    words = text_of(rendered) if each.is_html else rendered
    assert words.strip()
    for wrong in ("{{", "{%", "None", "Undefined", " ,", " .", "( )", "()", " !", "\\u"):
        assert wrong not in words, f"{wrong!r} in {words!r}"
    if each.is_html:
        checked(rendered)
    else:
        assert rendered.strip() == rendered
        assert "\n" not in rendered
        assert "  " not in rendered
        assert "&amp;" not in rendered


@pytest.mark.parametrize("each", MESSAGES, ids=str)
@pytest.mark.parametrize(
    "customer", [{}, BLANK, ADA, ADA_AS_TEXT], ids=["nobody", "blank", "ada", "text"]
)
def test_a_message_renders_of_all_that_the_fixtures_give(
    each: Snippet, customer: Mapping[str, Any]
) -> None:
    for name in each.events:
        assert EVENTS[name]
        for event in EVENTS[name]:
            assert_fit_to_send(each, render(each.text, event.properties, customer, event.timestamp))


@pytest.mark.parametrize("each", MESSAGES, ids=str)
def test_a_message_renders_of_the_barest_event(each: Snippet) -> None:
    for name in each.events:
        assert_fit_to_send(each, render(each.text, barest(name), at=None))
        lineless = {**barest(name), "items": []} if "items" in barest(name) else barest(name)
        assert_fit_to_send(each, render(each.text, lineless, at=None)) if not each.is_html else None


@pytest.mark.parametrize("each", MESSAGES, ids=str)
def test_attributes_that_come_as_text_say_the_same(each: Snippet) -> None:
    refused = {"discount_eligible": False, "accepts_marketing": False}
    for name in each.events:
        event = EVENTS[name][0]
        for known in (ADA, {**ADA, **refused}):
            text = {
                key: as_text(value) for key, value in known.items() if not isinstance(value, list)
            }
            assert render(each.text, event.properties, known) == render(
                each.text, event.properties, text
            )


def test_what_is_absent_and_not_asked_for_fails() -> None:
    """The judge can find something: else the tests above would show nothing."""
    for text in (
        "{{ event.nope }}",
        "{{ event.nope | escape }}",
        "{% assign x = event.nope %}",
        "{% for x in event.nope %}{% endfor %}",
        "{{ event.nope | currency: 'en', 'USD' }}",
        "{{ 3 | currency: 'en', event.nope }}",
    ):
        with pytest.raises((UndefinedError, AssertionError)):
            render(text, {"shop": "x"})
    assert render("{% if event.nope and event.nope != '' %}a{% else %}b{% endif %}", {}) == "b"
    assert render("{{ event.nope | default: 'c' }}", {}) == "c"


@pytest.mark.parametrize(
    "html", ["<p></p>", '<img src="">', '<a href="">x</a>', "<p>x", "<h1> </h1>"]
)
def test_a_broken_body_is_found(html: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        checked(html)


# What they say

CHECKOUT = ("checkouts_update.json", "checkouts/update", "checkout_started")
ORDER = ("orders_create.json", "orders/create", "order_completed")


def test_a_reminder_shows_the_cart() -> None:
    event = told(*CHECKOUT)
    html = render(snippet("cart-recovery", "first-email"), event.properties, ADA)
    words = text_of(html)
    assert "Hello Ada, this is what you chose" in words
    assert "Analytical Engine Espresso 250 g / Whole bean 2 x $16.50" in words
    assert "$29.70" in words
    assert "2 x $16.50 (was $18.00)" in words  # what the catalog adds
    assert "Difference Engine Hand Grinder 1 x $89.00 (was $99.00) $80.10" in words
    assert "Discount included: $20.85" in words
    assert "Total: $202.29" in words
    found = checked(html)
    assert found.pictures[0] == event.properties["items"][0]["image_url"]
    assert found.pictures[0].startswith("https://cdn.example.com/")
    assert found.links[0].startswith("https://shop.example/products/analytical-engine-espresso")
    assert found.links[-1] == event.properties["checkout_url"]
    subject = render(snippet("cart-recovery", "first-subject"), event.properties, ADA)
    assert subject == "Ada, you left Analytical Engine Espresso and more in your cart"


def test_a_reminder_without_pictures_pages_and_a_name() -> None:
    event = told(*CHECKOUT, known=False)
    html = render(snippet("cart-recovery", "first-email"), event.properties)
    assert checked(html).pictures == []
    assert "Hello there, this is what you chose" in text_of(html)
    assert html.count('colspan="2"') == 5


def test_a_reminder_of_one_thing() -> None:
    event = told("checkouts_create.legacy.json", "checkouts/create", "checkout_started")
    (item,) = event.properties["items"]
    assert item["quantity"] == 1
    assert item.pop("line_total") == item["price"]  # a message can do without it
    words = text_of(render(snippet("cart-recovery", "first-email"), event.properties))
    assert f"1 x ${item['price']:.2f} ${item['price']:.2f} Total: $96.12" in words
    assert "more" not in words
    subject = render(snippet("cart-recovery", "first-subject"), event.properties)
    assert subject == f"You left {item['name']} in your cart"


def test_a_reminder_leads_to_the_checkout_else_to_the_cart_else_to_the_shop() -> None:
    properties = told(*CHECKOUT).properties
    cart = told("carts_create.json", "carts/create", "added_to_cart").properties
    for label in ("first-email", "last-email"):
        text = snippet("cart-recovery", label)
        assert checked(render(text, properties)).links[-1] == properties["checkout_url"]
        assert checked(render(text, cart)).links[-1] == cart["cart_url"]
        bare = barest("checkout_started")
        assert checked(render(text, bare)).links == ["https://shop.example/cart"]
    sms = render(snippet("cart-recovery", "sms"), cart, ADA)
    assert sms == (
        "Lovelace Coffee: Ada, your cart is still here. "
        "https://shop.example/cart/46120983300387:2 Reply STOP to opt out"
    )


@pytest.mark.parametrize("eligible", [True, "true"])
def test_an_offer_only_to_who_is_eligible_and_has_none(eligible: object) -> None:
    text = snippet("cart-recovery", "last-email")
    with_code = told(*CHECKOUT).properties
    assert with_code["discount_codes"] == ["FIRSTBREW"]
    without = {key: value for key, value in with_code.items() if key != "discount_codes"}
    assert "BREW10" in render(text, without, {"discount_eligible": eligible})
    assert "BREW10" not in render(text, with_code, {"discount_eligible": eligible})
    assert "Your code FIRSTBREW is in it already" in text_of(render(text, with_code))
    for refused in (False, "false", "", None):
        assert "BREW10" not in render(text, without, {"discount_eligible": refused})
    assert "BREW10" not in render(text, without)


def test_a_hundred_lines_are_five_and_a_count() -> None:
    event = told(*ORDER)
    lines = [{**event.properties["items"][0], "name": f"Blend {n}"} for n in range(100)]
    whole = {**event.properties, "items": lines, "item_count": 200}
    cut, _ = fit_event(whole, 5_000)
    assert cut["items_truncated"] is True
    assert "line_total" not in cut["items"][0]
    assert len(cut["items"]) < 100
    for properties in (whole, cut):
        words = text_of(render(snippet("post-purchase", "thanks-email"), properties))
        assert "Blend 4" in words
        assert "Blend 5" not in words
        assert "and 190 more" in words
        assert "Total: $202.29" in words
    checkout = {**told(*CHECKOUT).properties, "items": cut["items"], "items_truncated": True}
    html = render(snippet("cart-recovery", "first-email"), {**checkout, "item_count": 200})
    assert "and 190 more" in text_of(html)
    assert "$33.00" not in html  # before discounts, and the line's own are lost
    shipped_html = render(
        snippet("post-purchase", "shipped-email"), {**barest("order_shipped"), **cut}
    )
    assert "and more" in text_of(shipped_html)
    sent = render(
        snippet("post-purchase", "shipped-email"), {**barest("order_shipped"), "items": lines}
    )
    assert "and 90 more" in text_of(sent)


def test_names_of_the_store_do_no_harm() -> None:
    properties = told(*ORDER).properties
    hostile = {**properties, "items": [{**properties["items"][0], "name": 'A&B <img src=x> "q"'}]}
    for each in MESSAGES:
        if each.is_html and "order_completed" in each.events:
            html = render(each.text, hostile, {"first_name": "<b>Ada"})
            assert "<img src=x>" not in html
            assert "<b>Ada" not in html
            checked(html)
    subject = render(snippet("post-purchase", "review-subject"), hostile)
    assert subject == 'How do you like A&B <img src=x> "q"?'


def test_thanks_name_order_sums_and_the_customers_time() -> None:
    event = told(*ORDER)
    text = snippet("post-purchase", "thanks-email")
    words = text_of(render(text, event.properties, ADA, event.timestamp))
    assert datetime.fromtimestamp(event.timestamp, UTC).strftime("%H:%M") == "14:05"
    assert "We have your order #1042 of 14 September 2026, 16:05." in words  # Berlin
    for customer, time in (({}, "10:05"), ({"cio_timezone": "Asia/Tokyo"}, "23:05")):
        assert time in text_of(render(text, event.properties, customer, event.timestamp))
    assert (
        "Discount included (FIRSTBREW): $20.85 Shipping: $6.50 Tax: $8.14 Total: $202.29" in words
    )
    assert "and 1 more" not in words
    assert checked(render(text, event.properties)).pictures
    subject = render(snippet("post-purchase", "thanks-subject"), event.properties, ADA)
    assert subject == "Thank you, Ada: your order #1042"
    pending = {**event.properties, "financial_status": "pending"}
    assert "as soon as your payment is here" in text_of(render(text, pending))


@pytest.mark.parametrize(
    ("fixture", "total", "not_there"),
    [("multicurrency", "€44.36", "$"), ("yen", "¥6,224", "$")],
)
def test_who_paid_in_another_currency_sees_that_one(
    fixture: str, total: str, not_there: str
) -> None:
    event = told(f"orders_create.{fixture}.json", "orders/create", "order_completed")
    words = text_of(render(snippet("post-purchase", "thanks-email"), event.properties))
    assert f"Total: {total}" in words
    assert not_there not in words
    price = event.properties["items"][0]["presentment_price"]
    assert currency(price, "en", event.properties["presentment_currency"]) in words


def test_a_guests_thanks_need_no_account() -> None:
    result = mapped("orders_create.guest.json", "orders/create")
    assert result.person is not None
    assert result.person.id is None
    (event,) = result.events
    nameless = {key: value for key, value in result.person.attributes.items() if "name" not in key}
    html = render(snippet("post-purchase", "thanks-email"), event.properties, nameless)
    assert text_of(html).startswith("Thank you We have your order")
    assert "Total: $21.00" in text_of(html)


def test_a_parcel_can_be_followed() -> None:
    event = told("fulfillments_create.json", "fulfillments/create", "order_shipped")
    html = render(snippet("post-purchase", "shipped-email"), event.properties, ADA, event.timestamp)
    words = text_of(html)
    assert "handed over to Canada Post on Wednesday, 16 September:" in words
    assert "2 x Analytical Engine Espresso, 250 g / Whole bean" in words
    assert checked(html).links == ["https://track.example.com/LC4008217755001"]
    sms = render(snippet("post-purchase", "shipped-sms"), event.properties)
    assert sms == (
        "Lovelace Coffee: your parcel is on its way with Canada Post. "
        "https://track.example.com/LC4008217755001 Reply STOP to opt out"
    )
    bare = render(snippet("post-purchase", "shipped-sms"), barest("order_shipped"))
    assert bare == "Lovelace Coffee: your parcel is on its way. Reply STOP to opt out"


def test_what_runs_out_is_offered_before_it_does() -> None:
    event = told(*ORDER)
    line = event.properties["items"][0]
    assert line["replenish_at"] == event.timestamp + line["days_to_replenish"] * 86400
    due = render(snippet("replenishment", "due-at"), event.properties)
    assert int(due) == line["replenish_at"] - 5 * 86400
    html = render(snippet("replenishment", "email"), event.properties, ADA, event.timestamp)
    day = datetime.fromtimestamp(line["replenish_at"], ZoneInfo("Europe/Berlin"))
    assert f"Lasts until about {day:%-d %B}" in text_of(html)
    assert checked(html).pictures == [line["image_url"]]  # the filters and the mug last
    subject = render(snippet("replenishment", "subject"), event.properties)
    assert subject == "Running low on Analytical Engine Espresso?"
    sms = render(snippet("replenishment", "sms"), event.properties)
    assert line["url"] in sms


def test_what_runs_out_first_counts_and_what_comes_by_itself_does_not() -> None:
    lines = told(*ORDER).properties["items"]
    at = lines[0]["replenish_at"]
    sooner = {**lines[0], "replenish_at": at - 86400}
    by_itself = {**lines[0], "replenish_at": at - 10 * 86400, "is_subscription": True}
    due = snippet("replenishment", "due-at")
    assert int(render(due, {"items": [lines[0], sooner, by_itself]})) == at - 6 * 86400
    assert render(due, {"items": [by_itself]}) == ""
    assert render(due, told(*ORDER, known=False).properties) == ""
    nothing = {**told(*ORDER).properties, "items": [by_itself]}
    assert render(snippet("replenishment", "subject"), nothing) == "Time for more?"
    assert "Your last order #1042" in text_of(render(snippet("replenishment", "email"), nothing))


def test_who_stayed_away_is_asked_back() -> None:
    event = told(*ORDER)
    words = text_of(render(snippet("win-back", "email"), event.properties, ADA, event.timestamp))
    assert "Hello Ada, on 14 September 2026 you chose: Analytical Engine Espresso" in words
    assert "As a gold member you see it first" in words
    assert "member" not in render(snippet("win-back", "email"), event.properties, BLANK)
    offer = snippet("win-back", "last-email")
    assert "BREW10" in render(offer, event.properties, ADA)
    assert "BREW10" not in render(offer, event.properties)
    refused = render(snippet("win-back", "sms"), event.properties, {"discount_eligible": "false"})
    assert refused == (
        "Lovelace Coffee: It has been a while. https://shop.example Reply STOP to opt out"
    )


def test_a_failed_payment_says_what_is_known() -> None:
    text = snippet("subscription-save", "failed-email")
    known = told("order_transactions_create.json", "order_transactions/create", "payment_failed")
    words = text_of(render(text, known.properties, ADA, known.timestamp))
    assert "we could not charge $48.00. Your bank says: Your card was declined." in words
    billing = told(
        "subscription_billing_attempts_failure.json",
        "subscription_billing_attempts/failure",
        "payment_failed",
    )
    assert "amount" not in billing.properties
    words = text_of(render(text, billing.properties))
    assert "we could not charge your subscription. Your bank says: The card has expired." in words
    sms = render(snippet("subscription-save", "failed-sms"), known.properties)
    assert sms.startswith("Lovelace Coffee: your payment of $48.00 did not go through.")


def test_an_ended_subscription_by_how_it_ended() -> None:
    text = snippet("subscription-save", "canceled-email")
    event = told(
        "subscription_contracts_update.json",
        "subscription_contracts/update",
        "subscription_canceled",
    )
    words = text_of(render(text, event.properties, ADA))
    assert "your subscription has ended as you asked. It came every 4 weeks." in words
    assert "every week." in text_of(render(text, {**event.properties, "interval": "1 week"}))
    failed = text_of(render(text, {**event.properties, "status": "failed"}))
    assert "we could not charge your card" in failed
    # What Shopify's body lacks and another platform's may hold.
    line = told(*ORDER).properties["items"][0]
    full = {**event.properties, "items": [line], "next_billing_at": event.timestamp}
    words = text_of(render(text, full, {"timezone": "America/Los_Angeles"}))
    assert "You will not be charged on 31 December 2025." in words
    assert "2 x Analytical Engine Espresso, 250 g / Whole bean" in words


def test_the_layout_holds_a_body_and_a_way_out() -> None:
    body = render(snippet("cart-recovery", "first-email"), told(*CHECKOUT).properties)
    html = LIQUID.from_string(snippet("README", "layout")).render(content=body)
    found = checked(html.removeprefix("<!doctype html>"))
    assert found.links[-1] == "https://unsubscribe.example/me"
    assert '<html lang="en">' in html
    assert body in html


# Ending by cart id


def customer_after(*entries: Mapped) -> dict[str, Any]:
    """The attributes that the batch sends of its one person."""
    waiting = [
        Entry(f"{n}-0", each.delivery, each.person, each.events, each.order)
        for n, each in enumerate(entries, 1)
        if each.person is not None
    ]
    found = resolve(waiting, {}, now=RECEIVED_AT).operations
    (identify,) = [each for each in found if each.action == "identify"]
    return dict(identify.attributes)


def test_the_order_of_a_cart_closes_it_and_another_cart_replaces_it() -> None:
    cart = mapped("carts_update.json", "carts/update")
    checkout = mapped("checkouts_update.json", "checkouts/update")
    order = mapped("orders_create.json", "orders/create")
    text = snippet("README", "still-open")
    started = checkout.events[0].properties
    assert started["cart_id"] == order.events[0].properties["cart_id"]

    open_ = customer_after(cart, checkout)
    assert open_["current_cart_id"] == started["cart_id"]
    assert render(text, started, open_) == "true"
    ordered = customer_after(cart, checkout, order)
    assert ordered["current_cart_id"] == ""
    assert render(text, started, ordered) == "false"
    without = {key: value for key, value in ordered.items() if value != ""}
    assert render(text, started, without) == "false"  # should Customer.io drop what is blank
    assert render(text, started, {**open_, "current_cart_id": "another"}) == "false"
    assert render(text, started) == "true"
    assert render(text, barest("checkout_started"), ordered) == "true"


def test_carts_checkouts_and_orders_of_one_purchase_share_their_cart_id() -> None:
    shared = {
        told("carts_create.json", "carts/create", "added_to_cart").properties["cart_id"],
        told(*CHECKOUT).properties["cart_id"],
        told(*ORDER).properties["cart_id"],
    }
    assert len(shared) == 1
    canceled = replace(told("orders_cancelled.json", "orders/cancelled", "order_canceled"))
    assert canceled.properties["cart_id"]
