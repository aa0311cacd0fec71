"""Personal data out of sight: what a page shows of bodies, people and requests until it is asked.

A value is shown only where its name says that it is nobody's own: ids, times, money, states, what a
shop calls its goods. All other texts are hidden; numbers are shown unless their name is personal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "•••"

_PLAIN = frozenset(
    """
    id ids sku skus vendor vendors topic event action type kind status state currency source
    source_platform platform shop shop_domain myshopify_domain gateway reason cancel_reason price
    total subtotal amount quantity weight_unit test as_of key timestamp schema_version method path
    admin_graphql_api_id source_name api_version product_type interval carrier tracking_company
    country_code currency_code
    """.split()  # noqa: SIM905 - a list of words
)
_PLAIN_END = re.compile(
    r"_(id|ids|at|on|status|state|price|prices|amount|total|currency|code|type|skus?|count|gateway"
    r"|policy|method|level|reason|version|date|interval)$"
)
_GOODS = frozenset(["line_items", "items", "variants", "products", "product", "selling_plans"])
_GOODS_TEXTS = frozenset(
    ["title", "name", "variant_title", "variant_name", "vendor", "category", "product_names",
     "categories", "handle", "option1", "option2", "option3", "selling_plan"]
)  # fmt: skip
_FLAT = frozenset(["product_names", "categories", "vendors"])
_PERSONAL = re.compile(
    r"(^|_)(phone|zip|postal|latitude|longitude|lat|lng|ip|email|birth|age|province_code|address"
    r"|discount_code|code)"
)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_NUMBER = re.compile(r"\+[0-9][0-9 ().\-]{4,}[0-9]")
_GOT = re.compile(r", got .*", re.S)


def body(value: Any) -> Any:
    """A webhook's body, or an event's properties."""
    return _masked(value, "", goods=False)


def person(data: Mapping[str, Any]) -> dict[str, Any]:
    """A person as JSON: ids and times are shown, of attributes and tokens only the names: who has
    the token of a checkout can open it."""
    shown = dict(data)
    for name in ("email", "phone", "anonymous_id"):
        if shown.get(name) is not None:
            shown[name] = HIDDEN
    for name in ("attributes", "changes", "tokens"):
        if shown.get(name):
            shown[name] = dict.fromkeys(shown[name], HIDDEN)
    return shown


def event(data: Mapping[str, Any]) -> dict[str, Any]:
    """A canonical event as JSON."""
    return {**data, "properties": body(data.get("properties", {}))}


def request(data: Mapping[str, Any]) -> dict[str, Any]:
    """A request to Customer.io."""
    content = data.get("json")
    if isinstance(content, Mapping) and isinstance(content.get("batch"), list):
        content = {**content, "batch": [operation(one) for one in content["batch"]]}
    else:
        content = body(content)
    return {**data, "json": content}


def operation(data: Mapping[str, Any]) -> dict[str, Any]:
    """One operation, ours or as Customer.io has it."""
    shown = dict(data)
    for name in ("identifiers", "secondary", "primary"):
        if isinstance(shown.get(name), Mapping):
            shown[name] = {
                kind: value if kind == "id" else HIDDEN for kind, value in shown[name].items()
            }
    attributes = shown.get("attributes")
    if isinstance(attributes, Mapping):
        about_event = shown.get("action") == "event"
        shown["attributes"] = body(attributes) if about_event else dict.fromkeys(attributes, HIDDEN)
    return shown


def reason(text: str | None) -> str:
    """Why something was parked or refused, without the value that did not fit."""
    said = _ADDRESS.sub(HIDDEN, _GOT.sub(f", got {HIDDEN}", text or ""))
    return _NUMBER.sub(HIDDEN, said)


def _masked(value: Any, name: str, *, goods: bool) -> Any:
    if isinstance(value, Mapping):
        inside = goods or name in _GOODS
        # What a shopper had engraved stands among the goods.
        inside = inside and name not in ("properties", "note_attributes")
        # So do places; the name of one is that of who lives there.
        inside = inside and not name.endswith(("location", "address"))
        if {"name", "value"} <= value.keys() and not inside:
            return {each: HIDDEN if each == "value" else inner for each, inner in value.items()}
        return {each: _masked(inner, str(each), goods=inside) for each, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, name, goods=goods or name in _GOODS) for each in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    low = name.lower()
    if isinstance(value, str):
        return value if _is_plain(low, value, goods=goods) else HIDDEN
    return HIDDEN if _PERSONAL.search(low) else value


def _is_plain(name: str, value: str, *, goods: bool) -> bool:
    # What stands behind a question mark may open something.
    if "@" in value or "?" in value:
        return False
    if (goods and name in _GOODS_TEXTS) or name in _FLAT:
        return True
    if name in _PLAIN or (_PLAIN_END.search(name) and not _PERSONAL.search(name)):
        return len(value) <= 200
    return False
