"""What is hidden of bodies, people and requests, and what is not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from adapter.mapping import parse_body
from adapter.settings import shipped
from adapter.web.console import masks
from adapter.web.console.deliveries import needle

FIXTURES = sorted((shipped("fixtures") / "shopify").glob("*.json"))
PERSONAL = re.compile(
    r"^(first_name|last_name|email|contact_email|phone|address1|address2|city|zip|company|latitude"
    r"|longitude|browser_ip|user_agent|note|order_status_url|token|cart_token|checkout_token"
    r"|customer_locale|landing_site|referring_site|province|country)$"
)


def personal(value: Any, name: str = "") -> list[str]:
    """Texts of a body that are about somebody."""
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in personal(inner, key)]
    if isinstance(value, list):
        return [each for inner in value for each in personal(inner, name)]
    wanted = value is not None and PERSONAL.match(name) and not isinstance(value, bool)
    return [str(value)] if wanted and len(str(value)) > 3 else []


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.name)
def test_nothing_personal_of_a_body_is_shown(file: Any) -> None:
    body = parse_body(file.read_bytes())
    shown = json.dumps(masks.body(body), default=str, ensure_ascii=False)
    values = {json.loads(each) for each in re.findall(r'"(?:[^"\\]|\\.)*"', shown)}
    # The id of a cart is its token, by which carts are told apart everywhere.
    assert not (set(personal(body)) - {body.get("id")}) & values
    assert "?key=" not in shown
    assert "@" not in shown


def test_what_it_is_about_is_shown() -> None:
    body = {
        "id": 1, "order_id": "2", "admin_graphql_api_id": "gid://shopify/Order/1",
        "created_at": "2026-01-01T00:00:00Z", "financial_status": "paid", "total_price": "12.00",
        "currency": "EUR", "test": False, "cancelled_at": None,
        "line_items": [{"title": "Beans", "sku": "B-1", "quantity": 2, "vendor": "Us",
                        "properties": [{"name": "Engraving", "value": "For Ada"}]}],
        "note_attributes": [{"name": "gift", "value": "for Ada"}],
        "customer": {"id": 7, "title": "Dr", "name": "Ada"}, "phone": 4915112345678,
    }  # fmt: skip
    shown = masks.body(body)
    assert shown == {
        **body,
        "line_items": [{**body["line_items"][0],
                        "properties": [{"name": "Engraving", "value": masks.HIDDEN}]}],
        "note_attributes": [{"name": "gift", "value": masks.HIDDEN}],
        "customer": {"id": 7, "title": masks.HIDDEN, "name": masks.HIDDEN},
        "phone": masks.HIDDEN,
    }  # fmt: skip


def test_an_id_that_is_an_address() -> None:
    assert masks.body({"id": "ada@example.com", "status": "ada@example.com"}) == {
        "id": masks.HIDDEN, "status": masks.HIDDEN,
    }  # fmt: skip


def test_requests() -> None:
    request = {
        "method": "POST",
        "path": "/api/v2/batch",
        "json": {
            "batch": [
                {"type": "person", "action": "identify", "identifiers": {"email": "a@b.example"},
                 "attributes": {"first_name": "Ada", "orders_count": 3}},
                {"type": "person", "action": "event", "identifiers": {"id": "7"}, "name": "x",
                 "attributes": {"order_id": "1", "note": "for Ada", "revenue": 12.5}},
                {"type": "person", "action": "merge", "primary": {"id": "7"},
                 "secondary": {"email": "a@b.example"}},
            ]
        },
    }  # fmt: skip
    identify, event, merge = masks.request(request)["json"]["batch"]
    assert identify["identifiers"] == {"email": masks.HIDDEN}
    assert identify["attributes"] == {"first_name": masks.HIDDEN, "orders_count": masks.HIDDEN}
    assert event["identifiers"] == {"id": "7"}
    assert event["attributes"] == {"order_id": "1", "note": masks.HIDDEN, "revenue": 12.5}
    assert merge["secondary"] == {"email": masks.HIDDEN}


def test_reasons() -> None:
    said = "person.email: expected an address, got 'ada at example'"
    assert masks.reason(said) == f"person.email: expected an address, got {masks.HIDDEN}"
    assert masks.reason("refused ada@example.com here") == f"refused {masks.HIDDEN} here"
    assert masks.reason(None) == ""


@pytest.mark.parametrize(
    ("typed", "body", "found"),
    [
        ("Ada@Example.com", b'{"email":"ada@example.com"}', True),
        ("a@example.com", b'{"email":"ada@example.com"}', False),
        ("42", b'{"id":42}', True),
        ("42", b'{"id":421}', False),
        ("+49 151 1234", b'{"phone":"+49 (151) 12-34"}', True),
        ("+491511234", b'{"phone":"491511234"}', True),
        ("+491511234", b'{"phone":"4915112345"}', False),
        (".*", b'{"id":42}', False),
    ],
)
def test_needles(typed: str, body: bytes, found: bool) -> None:
    wanted = needle(typed)
    assert wanted
    assert wanted.is_in(body) is found
    assert needle("  ") is None


def test_the_name_of_a_place_is_of_who_lives_there() -> None:
    line = {"title": "Beans", "destination_location": {"id": 1, "name": "Ada King", "zip": "1"}}
    shown = masks.body({"line_items": [line]})["line_items"][0]
    assert shown["title"] == "Beans"
    assert shown["destination_location"] == {"id": 1, "name": masks.HIDDEN, "zip": masks.HIDDEN}


def test_a_number_within_a_text() -> None:
    shown = masks.reason("it belongs to phone +49 151 12345678, as of 2026-01-01T00:00:00+02:00")
    assert shown == f"it belongs to phone {masks.HIDDEN}, as of 2026-01-01T00:00:00+02:00"
