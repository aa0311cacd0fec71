"""The same person and event as the mapping makes of an order, written by hand for this one purpose.

As somebody would who knows the payload and wants it fast: no coercion beyond what the output needs,
nothing is checked, nothing is left out knowingly. It is what the engine's convenience is held
against.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from adapter.ulid import event_ulid

Json = Any

_SOURCES = {
    "web": "web",
    "pos": "pos",
    "iphone": "pos",
    "android": "pos",
    "shopify_draft_order": "draft",
    "subscription_contract": "subscription",
    "subscription_contract_checkout_one": "subscription",
}
_CONSENT = {"subscribed": True, "unsubscribed": False}
_FLAT = {
    "skus": "sku",
    "product_ids": "product_id",
    "variant_ids": "variant_id",
    "product_names": "name",
    "categories": "category",
    "vendors": "vendor",
}


def order(body: Json, platform: str, shop: str, version: int) -> tuple[Json, Json]:
    """The person and the event order_completed, as plain JSON."""
    customer = body.get("customer") or {}
    billing = body.get("billing_address") or {}
    address = customer.get("default_address") or {}
    cart = body["cart_token"].partition("?")[0] if body.get("cart_token") else None
    checkout = body.get("checkout_token") or _text(body.get("checkout_id"))
    person = {
        "id": _text(customer.get("id")),
        "email": (customer.get("email") or body.get("email") or body["contact_email"]).lower(),
        "phone": customer.get("phone") or body.get("phone"),
        "anonymous_id": _note(body, "_cioanonid"),
        "as_of": _time(body["updated_at"]),
        "tokens": _present({"cart": cart, "checkout": checkout}),
        "attributes": _person_attributes(body, customer, billing, address),
        **_seldom(body, customer, billing, address),
    }
    order_id = str(body["id"])
    ulid = event_ulid(platform, shop, "order_completed", order_id)
    items = [_item(line) for line in body["line_items"]]
    codes = [code["code"] for code in body["discount_codes"] if code["code"]]
    landing = body.get("landing_site")
    campaign = dict(parse_qsl(landing.partition("?")[2])) if landing else {}
    properties = _present(
        {
            "order_id": order_id,
            "order_name": body["name"],
            "cart_id": cart,
            "checkout_id": checkout,
            "revenue": _money(body["total_price"]),
            "subtotal": _money(body["subtotal_price"]),
            "shipping": _money(body["total_shipping_price_set"]["shop_money"]["amount"]),
            "tax": _money(body["total_tax"]),
            "discount_amount": _money(body["total_discounts"]),
            "discount_code": codes[0] if codes else None,
            "discount_codes": codes or None,
            "currency": body["currency"],
            "presentment_currency": body["presentment_currency"],
            "presentment_value": _money(body["total_price_set"]["presentment_money"]["amount"]),
            "items": items,
            "item_count": sum(item["quantity"] for item in items),
            "financial_status": body["financial_status"],
            "payment_gateway": ", ".join(body["payment_gateway_names"]),
            "source": _SOURCES.get(body["source_name"], "app"),
            "shipping_country": (body.get("shipping_address") or {}).get("country_code"),
            "locale": body["customer_locale"],
            "landing_site": landing,
            "referring_site": body["referring_site"],
            "utm_source": campaign.get("utm_source"),
            "utm_medium": campaign.get("utm_medium"),
            "utm_campaign": campaign.get("utm_campaign"),
            "order_status_url": body["order_status_url"],
            "event_id": ulid,
            "source_platform": platform,
            "shop": shop,
            "schema_version": version,
        }
    )
    for name, key in _FLAT.items():
        values = [item[key] for item in items if key in item]
        if values:
            properties[name] = values
    event = {
        "name": "order_completed",
        "key": order_id,
        "id": ulid,
        "timestamp": _time(body["processed_at"]),
        "properties": properties,
    }
    return person, event


def _person_attributes(body: Json, customer: Json, billing: Json, address: Json) -> Json:
    email = customer.get("email_marketing_consent") or {}
    sms = customer.get("sms_marketing_consent") or {}
    agreed = _CONSENT.get(email.get("state"))
    if agreed is None and (customer.get("accepts_marketing") or body["buyer_accepts_marketing"]):
        agreed = True
    tags = [tag.strip() for tag in (customer.get("tags") or "").split(",") if tag.strip()]
    return _present(
        {
            "first_name": customer.get("first_name") or billing.get("first_name"),
            "last_name": customer.get("last_name") or billing.get("last_name"),
            "created_at": _time(customer["created_at"]) if customer else None,
            "country": address.get("country_code") or billing.get("country_code"),
            "city": address.get("city") or billing.get("city"),
            "language": body["customer_locale"],
            "currency": body["currency"],
            "tags": tags or None,
            "accepts_marketing": agreed,
            "sms_opt_in": _CONSENT.get(sms.get("state")),
            "email_consent_state": email.get("state"),
            "sms_consent_state": sms.get("state"),
        }
    )


def _seldom(body: Json, customer: Json, billing: Json, address: Json) -> Json:
    """What only fills gaps, and when consent was given."""
    gaps = [
        name
        for name, own, typed in (
            ("first_name", customer.get("first_name"), billing.get("first_name")),
            ("last_name", customer.get("last_name"), billing.get("last_name")),
            ("country", address.get("country_code"), billing.get("country_code")),
            ("city", address.get("city"), billing.get("city")),
        )
        if typed and not own
    ]
    made = _time(body["created_at"])
    came = _time(customer["created_at"]) if customer.get("created_at") else None
    email = (customer.get("email_marketing_consent") or {}).get("consent_updated_at")
    sms = (customer.get("sms_marketing_consent") or {}).get("consent_updated_at")
    at_email, at_sms = (_time(each) if each else None for each in (email, sms))
    times = {
        "accepts_marketing": at_email or made,
        "email_consent_state": at_email or came,
        "sms_opt_in": at_sms or made,
        "sms_consent_state": at_sms or came,
    }
    return _present({"gaps": tuple(gaps) or None, "times": _present(times)})


def _item(line: Json) -> Json:
    discounts = line["discount_allocations"]
    amount = sum(float(each["amount"]) for each in discounts) if discounts else None
    price = _money(line["price"])
    discount = _money(line["total_discount"] if amount is None else amount)
    return _present(
        {
            "product_id": _text(line["product_id"]),
            "variant_id": _text(line["variant_id"]),
            "sku": line["sku"],
            "name": line["title"],
            "variant_name": line["variant_title"],
            "vendor": line["vendor"],
            "quantity": line["quantity"],
            "price": price,
            "discount_amount": discount,
            "line_total": round(price * line["quantity"] - discount, 2),
            "presentment_price": _money(line["price_set"]["presentment_money"]["amount"]),
        }
    )


def _note(body: Json, name: str) -> str | None:
    return next((each["value"] for each in body["note_attributes"] if each["name"] == name), None)


def _present(values: Json) -> Json:
    return {name: value for name, value in values.items() if value is not None and value != ""}


def _text(value: Json) -> str | None:
    return None if value is None else str(value)


def _money(value: Json) -> float:
    return round(float(value), 2)


def _time(value: str) -> int:
    return int(datetime.fromisoformat(value).timestamp())
