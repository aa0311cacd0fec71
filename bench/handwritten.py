"""Person, events and money of an order as the mapping makes them, written by hand for that alone.

As somebody would who knows the payload and wants it fast: no coercion beyond what the output needs,
and nothing is checked. It makes the same of every order among the fixtures (tests/test_bench.py),
and is what the engine's convenience is held against.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from adapter.ulid import event_ulid

Json = Any

_SOURCES: dict[Json, str] = {
    "web": "web",
    "pos": "pos",
    "iphone": "pos",
    "android": "pos",
    "shopify_draft_order": "draft",
    "subscription_contract": "subscription",
    "subscription_contract_checkout_one": "subscription",
}
_RENEWALS = ("subscription_contract", "subscription_contract_checkout_one")
_CONSENT: dict[Json, bool] = {"subscribed": True, "unsubscribed": False}
_FLAT = {
    "skus": "sku",
    "product_ids": "product_id",
    "variant_ids": "variant_id",
    "product_names": "name",
    "categories": "category",
    "vendors": "vendor",
}


def order(
    body: Json, platform: str, shop: str, version: int, triggered_at: float | None
) -> tuple[Json, list[Json], Json]:
    """The person, the events and the ledger's part, as plain JSON."""
    customer = body.get("customer") or {}
    billing = body.get("billing_address") or {}
    address = customer.get("default_address") or {}
    cart = body["cart_token"].partition("?")[0] if body.get("cart_token") else None
    checkout = body.get("checkout_token") or _text(body.get("checkout_id"))
    email = customer.get("email") or body.get("email") or body.get("contact_email")
    as_of = _time(body["updated_at"])
    person = {
        "id": _text(customer.get("id")),
        "email": email.lower() if email else None,
        "phone": customer.get("phone") or body.get("phone"),
        "anonymous_id": _note(body, "_cioanonid"),
        "as_of": as_of,
        "tokens": _present({"cart": cart, "checkout": checkout}),
        "attributes": _person_attributes(body, customer, billing, address),
        **_seldom(body, customer, billing, address),
    }
    order_id = str(body["id"])
    bought = _time(body.get("processed_at") or body["created_at"])
    money = _ledger(body, order_id, as_of, bought, triggered_at)

    def event(name: str, at: int, properties: Json) -> Json:
        ulid = event_ulid(platform, shop, name, order_id)
        properties["event_id"] = ulid
        properties["source_platform"] = platform
        properties["shop"] = shop
        properties["schema_version"] = version
        return {
            "name": name,
            "key": order_id,
            "id": ulid,
            "timestamp": at,
            "properties": _present(properties),
        }

    if body["cancelled_at"]:
        canceled = _canceled(body, order_id, cart)
        return person, [event("order_canceled", _time(body["cancelled_at"]), canceled)], money
    events = [event("order_completed", bought, _completed(body, order_id, cart, checkout))]
    if body.get("fulfillment_status") == "fulfilled":
        at = [each["created_at"] for each in body["fulfillments"] if each["status"] == "success"]
        when = _time(at[-1]) if at else _time(body["closed_at"]) if body["closed_at"] else bought
        sent = [
            line for line in body["line_items"] if line.get("fulfillment_status") == "fulfilled"
        ]
        fulfilled = {"order_id": order_id, **_items(sent or body["line_items"], count=False)}
        events.append(event("order_fulfilled", when, fulfilled))
    return person, events, money


def _completed(body: Json, order_id: str, cart: str | None, checkout: str | None) -> Json:
    codes = [code["code"] for code in body["discount_codes"] if code["code"]]
    landing = body.get("landing_site")
    campaign = dict(parse_qsl(landing.partition("?")[2])) if landing else {}
    return {
        "order_id": order_id,
        "order_name": body["name"],
        "cart_id": cart,
        "checkout_id": checkout,
        "revenue": _money(body["total_price"]),
        "subtotal": _money(body["subtotal_price"]),
        "shipping": _freight(body),
        "tax": _money(body["total_tax"]),
        "discount_amount": _money(body["total_discounts"]),
        "discount_code": codes[0] if codes else None,
        "discount_codes": codes or None,
        "currency": body["currency"],
        "presentment_currency": body["presentment_currency"],
        "presentment_value": _money(body["total_price_set"]["presentment_money"]["amount"]),
        **_items(body["line_items"]),
        "has_subscription": _is_subscription(body),
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
    }


def _canceled(body: Json, order_id: str, cart: str | None) -> Json:
    return {
        "order_id": order_id,
        "cart_id": cart,
        "cancel_reason": body["cancel_reason"],
        "revenue": _money(body["total_price"]),
        "currency": body["currency"],
        **_items(body["line_items"], count=False),
    }


def _items(lines: Json, *, count: bool = True) -> Json:
    """The items, how many they are, and the lists of what is in them."""
    items = [_item(line) for line in lines]
    found = {"items": items}
    if count:
        found["item_count"] = sum(item["quantity"] for item in items)
    for name, key in _FLAT.items():
        values = [item[key] for item in items if key in item]
        if values:
            found[name] = values
    return found


def _is_subscription(body: Json) -> bool | None:
    if body["source_name"] in _RENEWALS:
        return True
    return True if any(line.get("selling_plan_allocation") for line in body["line_items"]) else None


def _ledger(body: Json, order_id: str, as_of: int, bought: int, triggered_at: float | None) -> Json:
    money = {
        "order": order_id,
        "as_of": as_of,
        "triggered_at": triggered_at,
        "at": bought,
        "currency": body["currency"],
        "total": _money(body["total_price"]),
    }
    if cards := [line for line in body["line_items"] if line["gift_card"]]:
        money["gift_cards"] = round(sum(map(_worth, cards)), 2)
    if body["cancelled_at"]:
        money["cancelled"] = True
    if body["presentment_currency"] != body["currency"]:
        money["presentment_currency"] = body["presentment_currency"]
        money["presentment_total"] = _money(body["total_price_set"]["presentment_money"]["amount"])
    if refunds := body.get("refunds"):
        paid = _money(body["total_shipping_price_set"]["shop_money"]["amount"])
        left = _money(body["current_shipping_price_set"]["shop_money"]["amount"])
        off = min(paid - left, sum(map(_shipping, refunds)))
        if off > 0:
            money["shipping_off"] = round(off, 2)
        money["refunds"] = [_refund(refund, body["taxes_included"]) for refund in refunds]
    money["value"] = _money(body.get("current_total_price") or body["total_price"])
    return {name: value for name, value in money.items() if value or name == "value"}


def _freight(body: Json) -> float:
    if lines := body.get("shipping_lines"):
        return sum(_money(line["discounted_price_set"]["shop_money"]["amount"]) for line in lines)
    return _money(body["total_shipping_price_set"]["shop_money"]["amount"])


def _shipping(refund: Json) -> float:
    if lines := refund["refund_shipping_lines"]:
        return sum(_money(line["subtotal_amount_set"]["shop_money"]["amount"]) for line in lines)
    adjustments = refund["order_adjustments"]
    return sum(-_money(one["amount"]) for one in adjustments if one["kind"] == "shipping_refund")


def _worth(line: Json) -> float:
    left, bought = line.get("current_quantity", line["quantity"]), line["quantity"]
    discount = _discount(line) * left / bought if bought else 0
    return float(_money(line["price"]) * left - discount)


def _refund(refund: Json, taxes_included: bool) -> Json:
    moved = [
        each
        for each in refund["transactions"]
        if each["kind"] == "refund" and each["status"] == "success"
    ]
    lines = seen = 0.0
    for line in refund["refund_line_items"]:
        sets = (
            [line["subtotal_set"]]
            if taxes_included
            else [line["subtotal_set"], line["total_tax_set"]]
        )
        lines += sum(float(each["shop_money"]["amount"]) for each in sets)
        seen += sum(float(each["presentment_money"]["amount"]) for each in sets)
    found = {
        "id": str(refund["id"]),
        "amount": round(sum(float(each["amount"]) for each in moved), 2),
        "currency": moved[0]["currency"] if moved else None,
        "lines": round(lines, 2),
        "presentment_lines": round(seen, 2),
    }
    return {name: value for name, value in found.items() if value}


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
            "created_at": _maybe_time(customer.get("created_at")),
            "country": address.get("country_code") or billing.get("country_code"),
            "city": address.get("city") or billing.get("city"),
            "language": body["customer_locale"],
            "currency": body["currency"],
            "tags": tags or None,
            "accepts_marketing": agreed,
            "sms_opt_in": _CONSENT.get(sms.get("state")),
            "email_consent_state": email.get("state"),
            "sms_consent_state": sms.get("state"),
            "email_consent_at": _maybe_time(email.get("consent_updated_at")),
            "sms_consent_at": _maybe_time(sms.get("consent_updated_at")),
            "orders_count": customer.get("orders_count"),
            "lifetime_value": _money(spent) if (spent := customer.get("total_spent")) else None,
            "last_order_id": _text(customer.get("last_order_id")),
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
    came = _maybe_time(customer.get("created_at"))
    email = (customer.get("email_marketing_consent") or {}).get("consent_updated_at")
    sms = (customer.get("sms_marketing_consent") or {}).get("consent_updated_at")
    at_email, at_sms = _maybe_time(email), _maybe_time(sms)
    times = {
        "language": _time(body.get("processed_at") or body["created_at"]),
        "accepts_marketing": at_email or made,
        "email_consent_state": at_email or came,
        "sms_opt_in": at_sms or made,
        "sms_consent_state": at_sms or came,
    }
    return _present({"gaps": tuple(gaps) or None, "times": _present(times)})


def _item(line: Json) -> Json:
    price, discount = _money(line["price"]), _discount(line)
    found = {
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
    if plan := line.get("selling_plan_allocation"):
        found["is_subscription"] = True
        found["selling_plan"] = plan["selling_plan"]["name"]
    return _present(found)


def _discount(line: Json) -> float:
    """A line's share of every discount; of a manual one alone where there are no shares."""
    shares = line["discount_allocations"]
    return (
        round(sum(float(each["amount"]) for each in shares), 2)
        if shares
        else _money(line["total_discount"])
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


def _maybe_time(value: str | None) -> int | None:
    return _time(value) if value else None
