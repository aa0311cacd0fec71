"""What the catalog adds to an event's lines, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from builders import AT, PLATFORM, SHOP, event

from adapter import carts
from adapter.app import load_mappings
from adapter.catalog import Enriched, enrich, references
from adapter.mapping import parse_body
from adapter.model import CanonicalEvent, Delivery, Product, Ref
from adapter.settings import shipped

FLAT = {"product_names": "name", "categories": "category", "vendors": "vendor"}
PAGE = "https://shop.example/products/mug"
RED = {
    "variant_id": "71",
    "name": "Oxblood",
    "url_query": "variant=71",
    "in_stock": True,
    "compare_at_price": 30.0,
}
BLUE = {
    "variant_id": "72",
    "name": "Slate",
    "image_url": "https://cdn.example/slate.jpg",
    "in_stock": False,
    "days_to_replenish": 90,
}
MUG = {
    "name": "Mug",
    "url": PAGE,
    "image_url": "https://cdn.example/mug.jpg",
    "category": "Drinkware",
    "vendor": "Menabrea",
    "published": True,
    "replenishable": True,
    "days_to_replenish": 30,
}


def product(*variants: dict[str, Any], removed: bool = False, **fields: Any) -> Product:
    return Product("7", AT, removed, {} if removed else {**MUG, **fields}, variants)


def line(**facts: Any) -> dict[str, Any]:
    given = {
        "product_id": "7",
        "variant_id": "71",
        "name": "Mug",
        "quantity": 1,
        "price": 24.0,
        **facts,
    }
    return {name: value for name, value in given.items() if value is not None}


def happened(*items: dict[str, Any], name: str = "order_completed", **facts: Any) -> CanonicalEvent:
    told = {
        "items": list(items),
        "item_count": len(items),
        "source_platform": PLATFORM,
        "shop": SHOP,
    }
    return event(name=name, currency="USD", **told, **facts)


def ref(id_: str = "7") -> Ref:
    return "product", PLATFORM, SHOP, id_


def known(one: Product | None = None) -> dict[Ref, Product]:
    return {ref(): one or product(RED, BLUE)}


def enriched(item: dict[str, Any], one: Product | None = None, **options: Any) -> dict[str, Any]:
    """What the line of an order gained."""
    given = {"flat": FLAT, "currency": "USD", **options}
    (found,) = enrich(happened(item), known(one), **given).event.properties["items"]
    return {name: value for name, value in found.items() if item.get(name) != value}


ALL = {
    "url": f"{PAGE}?variant=71",
    "image_url": "https://cdn.example/mug.jpg",
    "category": "Drinkware",
    "vendor": "Menabrea",
    "compare_at_price": 30.0,
    "in_stock": True,
    "replenishable": True,
    "days_to_replenish": 30,
    "replenish_at": AT + 30 * 86400,
}


def test_a_line_gains_what_it_lacks() -> None:
    assert enriched(line()) == ALL


def test_what_a_body_says_itself_is_never_replaced() -> None:
    own = dict.fromkeys(ALL, "own") | {
        "days_to_replenish": 1,
        "in_stock": False,
        "compare_at_price": 99.0,
    }
    assert enriched(line(**own)) == {}


def test_what_a_variant_says_goes_before_what_the_product_says() -> None:
    gained = enriched(line(variant_id="72"))
    assert gained == {
        **{name: value for name, value in ALL.items() if name != "compare_at_price"},
        "url": PAGE,
        "image_url": "https://cdn.example/slate.jpg",
        "in_stock": False,
        "days_to_replenish": 90,
        "replenish_at": AT + 90 * 86400,
    }


OF_PRODUCT = {name: ALL[name] for name in ALL if name not in ("in_stock", "compare_at_price")} | {
    "url": PAGE
}


@pytest.mark.parametrize(
    ("item", "variants", "gained"),
    [
        (line(variant_id="99"), (RED, BLUE), OF_PRODUCT),
        (line(variant_id=None), (RED, BLUE), OF_PRODUCT),
        (line(variant_id=None), (RED,), ALL),
        (line(variant_id=None), (), OF_PRODUCT),
    ],
    ids=[
        "a variant that is not known",
        "no variant of two",
        "the only variant",
        "no variant at all",
    ],
)
def test_a_line_whose_variant_is_not_known(
    item: dict[str, Any], variants: tuple[dict[str, Any], ...], gained: dict[str, Any]
) -> None:
    assert enriched(item, product(*variants)) == gained


@pytest.mark.parametrize(
    ("one", "item"),
    [
        (product(removed=True), line()),
        (product(RED), line(product_id="8")),
        (product(RED), line(product_id=None)),
        (Product("7", AT), line()),
    ],
    ids=["removed", "unknown", "not named", "known by its id alone"],
)
def test_where_nothing_is_known_the_event_is_the_same_object(
    one: Product, item: dict[str, Any]
) -> None:
    given = happened(item)
    assert enrich(given, {ref(): one}, flat=FLAT, currency="USD").event is given


def test_an_event_that_lacks_nothing_is_the_same_object() -> None:
    once = enrich(happened(line()), known(), flat=FLAT, currency="USD").event
    again = enrich(once, known(), flat=FLAT, currency="USD")
    assert again == Enriched(once, 1, 1)
    assert again.event is once


def test_an_event_without_lines_asks_for_nothing() -> None:
    given = event(name="customer_created", source_platform=PLATFORM, shop=SHOP)
    assert references(given) == set()
    assert enrich(given, known(), flat=FLAT) == Enriched(given, 0, 0)


def test_what_makes_an_event_what_it_is_stays() -> None:
    given = happened(line(quantity=3), revenue=72.0)
    given.properties["item_count"] = 3
    got = enrich(given, known(), flat=FLAT).event
    assert (got.name, got.key, got.id, got.timestamp) == (given.name, given.key, given.id, AT)
    assert {name: got.properties[name] for name in given.properties if name != "items"} == {
        name: value for name, value in given.properties.items() if name != "items"
    }
    assert "url" not in given.properties["items"][0]


def test_hits_and_misses_are_of_lines_that_name_a_product() -> None:
    items = (line(), line(variant_id="72"), line(product_id="8"), line(product_id=None))
    got = enrich(happened(*items, added_items=[line()], name=carts.EVENT), known(), flat=FLAT)
    assert (got.asked, got.found) == (3, 2)
    gone = enrich(happened(*items), known(product(removed=True)), flat=FLAT)
    assert (gone.asked, gone.found) == (3, 0)


def test_every_product_of_an_event_is_asked_for_once() -> None:
    given = happened(
        line(),
        line(product_id="8"),
        line(),
        line(product_id=None),
        added_items=[line(product_id="9")],
    )
    assert references(given) == {ref("7"), ref("8"), ref("9")}


def test_flat_lists_are_made_again() -> None:
    given = happened(
        line(name="Mug - Oxblood"),
        line(product_id="8", name="Tea"),
        product_names=["Mug - Oxblood", "Tea"],
    )
    got = enrich(given, known(), flat=FLAT).event.properties
    assert got["product_names"] == ["Mug", "Tea"]
    assert got["categories"] == ["Drinkware"]
    assert got["vendors"] == ["Menabrea"]


def test_what_was_added_to_a_cart_is_enriched_and_feeds_no_flat_list() -> None:
    given = happened(added_items=[line()], name=carts.EVENT)
    got = enrich(given, known(), flat=FLAT).event.properties
    assert got["added_items"][0]["category"] == "Drinkware"
    assert "categories" not in got


# Prices


@pytest.mark.parametrize(
    ("price", "options", "added"),
    [
        (24.0, {"currency": "USD"}, 30.0),
        (24.0, {"currency": "EUR"}, None),
        (24.0, {"currency": None}, None),
        (30.0, {"currency": "USD"}, None),
        (31.0, {"currency": "USD"}, None),
        (24, {"currency": "USD"}, 30),
    ],
    ids=[
        "reduced",
        "an event in another currency",
        "currency not known",
        "as before",
        "dearer",
        "no decimals",
    ],
)
def test_the_price_before(price: float, options: dict[str, Any], added: float | None) -> None:
    found = enriched(line(price=price), **options).get("compare_at_price")
    assert (found, type(found)) == (added, type(added))


def test_an_event_without_a_currency_has_no_price_before() -> None:
    given = happened(line(), name="order_shipped")
    del given.properties["currency"]
    (item,) = enrich(given, known(), flat=FLAT, currency="USD").event.properties["items"]
    assert "compare_at_price" not in item
    assert "url" in item


# When it is used up


@pytest.mark.parametrize(
    "name", ["added_to_cart", "checkout_started", "order_canceled", "order_shipped"]
)
def test_only_what_was_bought_is_used_up(name: str) -> None:
    (item,) = enrich(happened(line(), name=name), known(), flat=FLAT).event.properties["items"]
    assert "replenish_at" not in item
    assert item["days_to_replenish"] == 30


@pytest.mark.parametrize(
    ("days", "at"),
    [(1, AT + 86400), (0, None), (-5, None), (4000, None), (None, None)],
)
def test_when_it_is_used_up(days: int | None, at: int | None) -> None:
    fields = {"days_to_replenish": days} if days is not None else {}
    one = Product("7", AT, fields={"category": "Coffee", **fields})
    assert enriched(line(), one).get("replenish_at") == at


def test_a_body_that_knows_the_days_itself_has_its_moment() -> None:
    assert enriched(line(days_to_replenish=10))["replenish_at"] == AT + 10 * 86400


# Pages


@pytest.mark.parametrize(
    ("url", "query", "page"),
    [
        ("https://a.example/p/mug", "variant=71", "https://a.example/p/mug?variant=71"),
        ("https://a.example/?p=7", "attribute_size=L", "https://a.example/?p=7&attribute_size=L"),
        ("https://a.example/p/mug#top", "variant=71", "https://a.example/p/mug?variant=71#top"),
        ("https://a.example/p/mug", None, "https://a.example/p/mug"),
        (None, "variant=71", None),
    ],
)
def test_the_page_of_a_variant(url: str | None, query: str | None, page: str | None) -> None:
    variant = {name: value for name, value in (("variant_id", "71"), ("url_query", query)) if value}
    fields = {"url": url} if url else {}
    assert enriched(line(), Product("7", AT, fields=fields, variants=(variant,))).get("url") == page


def test_what_the_shop_does_not_show_has_no_page_and_cannot_be_bought() -> None:
    gained = enriched(line(), product(RED, published=False))
    assert "url" not in gained
    assert gained["in_stock"] is False
    assert gained["image_url"] == ALL["image_url"]


# Names


@pytest.mark.parametrize(
    ("name", "variant_name", "whole", "variant", "expected"),
    [
        ("Mug - Oxblood", None, "Mug", "Oxblood", ("Mug", "Oxblood")),
        ("Mug - Red - Oxblood", None, "Mug - Red", "Oxblood", ("Mug - Red", "Oxblood")),
        ("Old Mug - Oxblood", None, "Mug", "Oxblood", ("Old Mug", "Oxblood")),
        ("Mug - Red", None, "Mug", "Oxblood", ("Mug", "Red")),
        ("Old Mug - Red", None, "Mug", "Oxblood", ("Old Mug - Red", None)),
        ("Mug - Oxblood", None, "Mug - Oxblood", "Oxblood", ("Mug - Oxblood", None)),
        ("Mug - Oxblood", None, "Mug", None, ("Mug - Oxblood", None)),
        ("Mug - Oxblood", "Oxblood", "Mug", "Oxblood", ("Mug - Oxblood", "Oxblood")),
        ("Mug", None, "Mug", "Oxblood", ("Mug", None)),
        ("Mug-Oxblood", None, "Mug", "Oxblood", ("Mug-Oxblood", None)),
        (" - Oxblood", None, "Mug", "Oxblood", (" - Oxblood", None)),
        ("Mug - Oxblood", None, None, "Oxblood", ("Mug", "Oxblood")),
        ("Mug - Red", None, None, "Oxblood", ("Mug - Red", None)),
    ],
    ids=[
        "both halves are known",
        "the product's own name holds a dash",
        "the product was renamed since",
        "the variant was renamed since",
        "both were renamed",
        "the product is called that",
        "the only variant has no name",
        "the body knows the variant's name",
        "the product's name alone",
        "no seam",
        "nothing before the seam",
        "a product without a name",
        "neither is known",
    ],
)
def test_a_name_that_holds_the_variants(
    name: str,
    variant_name: str | None,
    whole: str | None,
    variant: str | None,
    expected: tuple[str, str | None],
) -> None:
    of_variant = {"variant_id": "71", **({"name": variant} if variant else {})}
    one = Product("7", AT, fields={"name": whole} if whole else {}, variants=(of_variant,))
    given = line(name=name, variant_name=variant_name)
    (got,) = enrich(happened(given), known(one), flat=FLAT).event.properties["items"]
    assert (got["name"], got.get("variant_name")) == expected


# The shipped mappings: from a product's body and a cart's or an order's to the event

MAPPINGS = load_mappings((shipped("mappings"),))


def body(name: str) -> Any:
    return parse_body((shipped("fixtures") / "shopify" / name).read_bytes())


def mapped(topic: str, name: str) -> Any:
    facts = Delivery(PLATFORM, topic, "d1", SHOP, received_at=AT)
    found = MAPPINGS.apply(facts, body(name))
    assert found.outcome == "mapped", found.reason
    return found


def shipped_products() -> dict[Ref, Product]:
    names = ("products_update.json", "products_update.replenish.json")
    found = [mapped("products/update", name).catalog for name in names]
    return {ref(each.id): each for each in found}


def test_a_shopify_cart_is_named_and_pictured_by_the_catalog() -> None:
    (given,) = mapped("carts/update", "carts_update.json").events
    given = carts.complete(given, None)
    products = shipped_products()
    assert products.keys() < references(given)
    got = enrich(given, products, flat=MAPPINGS.schema.flat, currency="USD")
    assert (got.asked, got.found) == (5, 2)
    espresso, _, _, mug, _ = got.event.properties["items"]
    assert espresso["name"] == "Analytical Engine Espresso"
    assert espresso["variant_name"] == "250 g / Whole bean"
    assert espresso["compare_at_price"] == 18.0
    assert espresso["days_to_replenish"] == 28
    assert (
        espresso["url"]
        == f"https://{SHOP}/products/analytical-engine-espresso?variant=46120983300387"
    )
    assert mug["image_url"].endswith("/mug-oxblood.jpg")
    assert got.event.properties["added_items"][0] == espresso
    assert got.event.properties["categories"] == ["Coffee", "Drinkware"]
    assert got.event.properties["product_names"][0] == "Analytical Engine Espresso"
    assert got.event.properties["item_count"] == given.properties["item_count"]


def test_every_value_has_the_contracts_type() -> None:
    (given,) = mapped("carts/update", "carts_update.json").events
    given = carts.complete(given, None)
    got = enrich(given, shipped_products(), flat=MAPPINGS.schema.flat, currency="USD").event
    fields = {each.name: each for each in MAPPINGS.schema.item}
    for item in got.properties["items"]:
        for name, value in item.items():
            assert {"integer": int, "boolean": bool, "time": int, "money": float}.get(
                fields[name].of, str
            ) is type(value), name


def test_a_variants_picture_goes_before_the_products() -> None:
    (small, large) = shipped_products()[ref("8840127365411")].variants
    assert "image_url" not in small
    assert large["image_url"].endswith("/espresso-1kg.jpg")


def test_platform_and_shop_of_a_product_are_those_of_its_event() -> None:
    other = happened(line())
    other.properties["shop"] = "other.example.com"
    assert enrich(other, known(), flat=FLAT).event is other
    assert references(other) == {("product", PLATFORM, "other.example.com", "7")}
