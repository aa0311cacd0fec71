"""What the catalog adds to the lines of events: page, picture, category, whether it is there. Pure.

Bodies of carts and orders hold little of a product. What the shop said of it elsewhere is kept as a
`Product`, and an event's lines gain what they lack from it. What a body itself says is never
replaced, but for one thing: the name of a line that holds the variant's as well (see `_names`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from adapter.model import CanonicalEvent, Json, Product, Ref

Products = Mapping[Ref, Product]
Item = Mapping[str, Json]

KIND = "product"
LISTS = ("items", "added_items")
"""The properties whose lines are enriched; the flat lists are of the first alone."""

BOUGHT = "order_completed"
"""The event from whose time on something bought is used up."""

MOST_DAYS = 10 * 366
_OF_BOTH = ("category", "vendor", "image_url", "in_stock", "replenishable", "days_to_replenish")
_SEAM = " - "
_DAY = 86400


class Enriched(NamedTuple):
    """`event` is the very one that was given where nothing was added to it. `asked` counts the
    lines of its `items` that name a product, `found` those of them that the catalog knows."""

    event: CanonicalEvent
    asked: int
    found: int


def references(event: CanonicalEvent) -> set[Ref]:
    """The products that an event's lines name."""
    facts = event.properties
    lines = [item for name in LISTS for item in facts.get(name) or ()]
    ids = {item["product_id"] for item in lines if "product_id" in item} if lines else ()
    platform, shop = facts.get("source_platform", ""), facts.get("shop", "")
    return {(KIND, platform, shop, id_) for id_ in ids}


def enrich(
    event: CanonicalEvent,
    products: Products,
    *,
    flat: Mapping[str, str],
    currency: str | None = None,
) -> Enriched:
    """The event with what the catalog knows of its lines.

    `flat` are the contract's flat lists, which are made again from the enriched lines. `currency`
    is the shop's own, in which catalogs are priced: without it, and on events in another one, no
    `compare_at_price` is added.
    """
    properties = event.properties
    if not products:
        lines = properties.get(LISTS[0]) or ()
        return Enriched(event, sum([bool(item.get("product_id")) for item in lines]), 0)
    asked = found = 0
    changed: dict[str, list[Item]] = {}
    done: dict[int, Item] = {}  # what was added to a cart are lines of it, often the very same
    priced = currency is not None and properties.get("currency") == currency
    for name in LISTS:
        lines = properties.get(name)
        if not lines:
            continue
        enriched = []
        same = True
        for item in lines:
            line = done.get(id(item))
            if line is None:
                line = item
                product_id = item.get("product_id")
                if product_id:
                    product = products.get(_ref(event, product_id))
                    known = product is not None and not product.removed
                    if product is not None and known:
                        line = _line(item, product, event, priced=priced)
                    if name == LISTS[0]:
                        asked += 1
                        found += known
                done[id(item)] = line
            same = same and line is item
            enriched.append(line)
        if not same:
            changed[name] = enriched
    if not changed:
        return Enriched(event, asked, found)
    lists = _flat(changed[LISTS[0]], flat) if LISTS[0] in changed else {}
    return Enriched(
        replace(event, properties={**properties, **changed, **lists}),
        asked,
        found,
    )


def _ref(event: CanonicalEvent, id_: str) -> Ref:
    facts = event.properties
    return KIND, facts.get("source_platform", ""), facts.get("shop", ""), id_


def _line(item: Item, product: Product, event: CanonicalEvent, *, priced: bool) -> Item:
    """The line with what it lacks; itself, when it lacks nothing that is known."""
    fields, variant = product.fields, _variant(item, product)
    added: dict[str, Json] = {}
    for name in _OF_BOTH:
        if name not in item:
            value = variant.get(name)
            if value is None:
                value = fields.get(name)
            if value is not None:
                added[name] = value
    # What the shop does not show has no page, and cannot be bought however much there is of it.
    shown = fields.get("published", True)
    if shown and "url" not in item and "url" in fields:
        added["url"] = _page(fields["url"], variant)
    if not shown and "in_stock" not in item:
        added["in_stock"] = False
    if priced and "compare_at_price" not in item:
        before = _reduced_from(variant.get("compare_at_price"), item["price"])
        if before is not None:
            added["compare_at_price"] = before
    if event.name == BOUGHT and "replenish_at" not in item:
        days = item.get("days_to_replenish") or added.get("days_to_replenish")
        if days and 0 < days <= MOST_DAYS:
            added["replenish_at"] = event.timestamp + days * _DAY
    if "variant_name" not in item and "name" in variant:
        added.update(_names(item, product, variant["name"]))
    return {**item, **added} if added else item


def _variant(item: Item, product: Product) -> Item:
    """What is known of a line's variant; a line that names none is of the only one, if it is."""
    id_ = item.get("variant_id")
    if id_ is None:
        return product.variants[0] if len(product.variants) == 1 else {}
    return next((each for each in product.variants if each["variant_id"] == id_), {})


def _names(item: Item, product: Product, own: str) -> dict[str, Json]:
    """Name and variant's name of a line that holds both in one, as "Mug - Oxblood".

    A line without its variant's name, though the variant has one (`own`), does so when one half of
    its name is that very name or the product's: that half says where the seam is, the other stays
    as it was called when the line was written. Where both were renamed since, nothing is touched.
    """
    name, whole = item["name"], product.fields.get("name")
    if _SEAM not in name or name == whole:
        return {}
    before = name.removesuffix(_SEAM + own)
    if before and before != name:
        return {"name": before, "variant_name": own}
    after = name.removeprefix(whole + _SEAM) if whole else name
    if after and after != name:
        return {"name": whole, "variant_name": after}
    return {}


def _page(url: str, variant: Item) -> str:
    """The page of the product on which the variant is chosen."""
    query = variant.get("url_query")
    if not query:
        return url
    page, hash_, place = url.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{query}{hash_}{place}"


def _reduced_from(price: Json, now: Json) -> Json:
    """A price that is higher than what is paid now; others say of no reduction."""
    if price is None or price <= now:
        return None
    # A currency without decimals has whole amounts; the catalog's was typed without knowing it.
    return int(price) if type(now) is int and price == int(price) else price


def _flat(items: list[Item], flat: Mapping[str, str]) -> dict[str, Json]:
    lists = {
        name: [item[source] for item in items if source in item] for name, source in flat.items()
    }
    return {name: values for name, values in lists.items() if values}
