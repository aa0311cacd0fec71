"""Cutting what is too large for Customer.io, knowingly: what gives way first, and what never does.

Limits (bytes): attribute name 150, attribute value 1000, 300 attributes per person, item 32 KB.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter.compact import size as size_of
from adapter.model import Json

NAME_BYTES = 150
VALUE_BYTES = 1000
ATTRIBUTES = 300

# What segments and messages miss least goes first; name, quantity and price stay to the last.
ITEM_FIELDS_IN_ORDER_OF_LOSS = (
    "presentment_price", "compare_at_price", "selling_plan", "days_to_replenish", "replenish_at",
    "replenishable", "in_stock", "is_subscription", "line_total", "discount_amount", "vendor",
    "category", "variant_name", "image_url", "url", "sku", "variant_id", "product_id",
)  # fmt: skip
TRUNCATED = "items_truncated"
_MANY = 1 << 63
LEAST_ITEMS = 50
"""Lines of an order that the other lists never crowd out."""


def fit_person(attributes: Mapping[str, Json]) -> tuple[Mapping[str, Json], tuple[str, ...]]:
    """A person's attributes within the limits, and the names of those that were cut or dropped.

    Half an address leads somewhere else, and so does the one that was there before: an address that
    is too long is taken away.
    """
    if len(attributes) <= ATTRIBUTES and _surely_fit(attributes):
        return attributes, ()
    fitting: dict[str, Json] = {}
    shortened: list[str] = []
    for name, value in attributes.items():
        short = _fit_value(value)
        if short != value and _is_address(value):
            short = ""
        fits = _is_short(short) and 0 < len(name.encode()) <= NAME_BYTES
        if fits and len(fitting) < ATTRIBUTES:
            fitting[name] = short
        if name not in fitting or short != value:
            shortened.append(name)
    return fitting, tuple(shortened)


def lose_longest(
    attributes: Mapping[str, Json], room: int
) -> tuple[dict[str, Json], tuple[str, ...]]:
    """A person's attributes in at most `room` bytes of JSON: the longest values go first."""
    kept = dict(attributes)
    lost: list[str] = []
    size = size_of(kept)
    for name in sorted(kept, key=lambda name: size_of(kept[name]), reverse=True):
        if size <= room:
            break
        size -= size_of({name: kept.pop(name)}) - 1  # its braces, less the comma before it
        lost.append(name)
    return kept, tuple(lost)


def fit_event(properties: Mapping[str, Json], room: int) -> tuple[dict[str, Json], tuple[str, ...]]:
    """An event's properties in at most `room` bytes of JSON, if they can give that much.

    First the longest addresses of more than VALUE_BYTES go, which nobody follows; then optional
    fields of every item, then trailing items; `items_truncated` says so.
    Counts, totals and all else stay whole, so `item_count` stays true; only where the other lists
    (skus, product_ids, ...) would leave room for fewer than LEAST_ITEMS, they are cut as well, to
    as many elements as there are items.
    """
    fitted = dict(properties)
    cut = _lose_long_addresses(fitted, room)
    found = fitted.get("items")
    if not found or not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return fitted, tuple(cut)
    items = [dict(item) for item in found]
    if cut and size_of(fitted) <= room:
        return fitted, tuple(cut)
    fitted["items"] = items
    fitted[TRUNCATED] = True
    size = size_of(fitted)
    for name in ITEM_FIELDS_IN_ORDER_OF_LOSS:
        if size <= room:
            return fitted, tuple(cut)
        lost = 0
        for item in items:
            if name in item:
                value = item.pop(name)
                size -= size_of({name: value}) - len("{}") + bool(item)  # with the comma beside it
                lost += value is not None
        if lost:
            cut.append(f"items[].{name}")
    if size <= room:
        return fitted, tuple(cut)
    kept = _most_items(fitted, items, room, lists={})
    if size_of(kept) > room or len(kept["items"]) < min(LEAST_ITEMS, len(items)):
        lists = {name: value for name, value in properties.items() if _is_list(name, value)}
        kept = _most_items(fitted, items, room, lists)
        cut += lists
    if len(kept["items"]) < len(items):
        cut.append("items")
    return kept, tuple(cut)


def _most_items(
    fitted: Mapping[str, Json], items: list[Json], room: int, lists: Mapping[str, list[Json]]
) -> dict[str, Json]:
    """As many leading items as fit; `lists` are cut to the same length."""

    empty = {**fitted, "items": [], **{name: [] for name in lists}}
    size = size_of(empty)
    count = 0
    for count, item in enumerate(items):
        size += size_of(item) + sum(
            size_of(value[count]) + bool(count) for value in lists.values() if count < len(value)
        )
        if size + bool(count) > room:
            break
        size += bool(count)
    else:
        count = len(items)
    shorter = {name: value[:count] for name, value in lists.items()}
    return {**fitted, "items": items[:count], **shorter}


def _lose_long_addresses(properties: dict[str, Json], room: int) -> list[str]:
    long = {
        name: size
        for name, value in properties.items()
        if _is_address(value) and (size := size_of(value)) > VALUE_BYTES
    }
    size = size_of(properties) if long else 0
    cut = []
    for name in sorted(long, key=long.__getitem__, reverse=True):
        if size <= room:
            break
        size -= size_of({name: properties.pop(name)}) - 1
        cut.append(name)
    return cut


def _surely_fit(attributes: Mapping[str, Json]) -> bool:
    """True for nearly all there is, without counting bytes: a letter takes four at the most."""
    for name, value in attributes.items():
        if not 0 < len(name) <= NAME_BYTES // 4:
            return False
        kind = type(value)
        if kind is str:
            if len(value) > VALUE_BYTES // 4:
                return False
        elif kind is not bool and kind is not float and (kind is not int or abs(value) >= _MANY):
            return False
    return True


def _is_address(value: Json) -> bool:
    """A URL, or the path of one."""
    return isinstance(value, str) and value[:8].lower().startswith(("http://", "https://", "/"))


def _is_list(name: str, value: Json) -> bool:
    return isinstance(value, list) and name != "items"


def _fit_value(value: Json) -> Json:
    if isinstance(value, str):
        encoded = value.encode()
        return (
            value if len(encoded) <= VALUE_BYTES else encoded[:VALUE_BYTES].decode(errors="ignore")
        )
    if isinstance(value, list):
        kept: list[Json] = []
        room = VALUE_BYTES - len("[]")
        for each in value:
            room -= size_of(each) + bool(kept)
            if room < 0:
                break
            kept.append(each)
        return kept
    return value


def _is_short(value: Json) -> bool:
    """False for what cannot be cut: a long object, a number of a thousand digits."""
    return isinstance(value, str | list | float) or size_of(value) <= VALUE_BYTES
