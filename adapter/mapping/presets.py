"""Names that other tools are used to, for names on the way out (names.yml, `preset`).

Sources: Segment's "Spec: V2 Ecommerce Events" (segment.com/docs/connections/spec/ecommerce/v2) and
Klaviyo's "Integrate an ecommerce platform without a pre-built integration"
(developers.klaviyo.com). Events that they have no name for are spelled in their style.

Both give the names of single things, not their shape: `Product Added` here still is one event for
all lines that were added. An order's revenue is with taxes and shipping, which Segment calls total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Preset:
    """Canonical name -> outgoing name; `properties` are those of all events."""

    events: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    spells_events: bool = False
    """Whether an event without a name of its own is spelled Like This."""

    def event(self, name: str) -> str:
        if name in self.events or not self.spells_events:
            return self.events.get(name, name)
        return " ".join(word.capitalize() for word in name.split("_"))


_SEGMENT = Preset(
    events={"added_to_cart": "Product Added", "order_canceled": "Order Cancelled"},
    properties={
        "revenue": "total",
        "cart_value": "value",
        "discount_amount": "discount",
        "discount_code": "coupon",
        "items": "products",
    },
    items={"variant_name": "variant", "vendor": "brand", "discount_amount": "discount"},
    spells_events=True,
)

_KLAVIYO = Preset(
    events={
        "product_viewed": "Viewed Product",
        "added_to_cart": "Added to Cart",
        "checkout_started": "Started Checkout",
        "order_completed": "Placed Order",
        "order_fulfilled": "Fulfilled Order",
        "order_canceled": "Cancelled Order",
        "order_refunded": "Refunded Order",
    },
    properties={
        "order_id": "OrderId",
        "revenue": "value",
        "cart_value": "value",
        "refund_amount": "value",
        "discount_code": "DiscountCode",
        "discount_amount": "DiscountValue",
        "cancel_reason": "Reason",
        "checkout_url": "CheckoutURL",
        "cart_url": "CheckoutURL",
        "items": "Items",
        "added_items": "AddedItems",
        "product_names": "ItemNames",
        "categories": "Categories",
        "vendors": "Brands",
        "product_id": "ProductID",
        "variant_id": "VariantID",
        "sku": "SKU",
        "name": "ProductName",
        "category": "Category",
        "price": "Price",
        "url": "URL",
        "image_url": "ImageURL",
    },
    items={
        "product_id": "ProductID",
        "variant_id": "VariantID",
        "sku": "SKU",
        "name": "ProductName",
        "variant_name": "VariantName",
        "vendor": "Brand",
        "category": "Category",
        "quantity": "Quantity",
        "price": "ItemPrice",
        "line_total": "RowTotal",
        "url": "ProductURL",
        "image_url": "ImageURL",
    },
    spells_events=True,
)

PRESETS: Mapping[str, Preset] = {
    "none": Preset(),
    "title_case": Preset(spells_events=True),
    "segment": _SEGMENT,
    "klaviyo": _KLAVIYO,
}
