"""A directory of mappings for a test, and bodies as the adapter parses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.errors import MappingFileError
from adapter.mapping import Mappings, load
from adapter.model import Delivery, Mapped

SCHEMA = """
version: 3
person:
  email: email
  phone: phone
  first_name: text
  created_at: time
  timezone: timezone
  tags: list of text
  currency: currency
  lifetime_value: money
item:
  product_id: id?
  sku: text?
  name: text
  quantity: integer
  price: money
  compare_at_price: money?
  presentment_price: money?
events:
  added_to_cart:
    cart_id: id
    cart_value: money
    currency: currency?
    items: list of item
    item_count: {type: integer, from: items}
    first_in_cart: {type: boolean, from: memory}
  order_completed:
    order_id: id
    revenue: money
    subtotal: money?
    discount_codes: list of text?
    currency: currency
    presentment_currency: currency?
    presentment_value: money?
    items: list of item
    item_count: {type: integer, from: items}
    shipping_country: country?
    gift: boolean?
  order_canceled:
    order_id: id
    cancel_reason: text?
  order_refunded:
    order_id: id
    items: list of item?
  customer_created: {}
common: {event_id: id, source_platform: text, shop: text, schema_version: integer}
flat: {skus: sku, product_ids: product_id, product_names: name}
"""
DELIVERY = Delivery(
    platform="acme",
    topic="orders/paid",
    id="d1",
    shop="acme.example",
    received_at=1767225609,
    triggered_at=1767225600.75,
    api_version="2026-07",
)


class Workshop:
    """Writes mapping files under a directory with a small contract, and loads them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "schema.yml").write_text(SCHEMA, "utf-8")

    def write(self, text: str, name: str = "acme/orders.yml") -> None:
        file = self.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), "utf-8")

    def load(self, text: str | None = None) -> Mappings:
        if text is not None:
            self.write(text)
        return load(self.directory)

    def faults(self, text: str | None = None) -> list[str]:
        """The lines of the error, with files relative to the directory."""
        with pytest.raises(MappingFileError) as error:
            self.load(text)
        return str(error.value).replace(f"{self.directory}/", "").splitlines()

    def warnings(self, text: str) -> list[str]:
        return [str(each).replace(f"{self.directory}/", "") for each in self.load(text).warnings]


Apply = Callable[[str, dict[str, Any]], Mapped]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def apply(workshop: Workshop) -> Apply:
    """What a mapping file makes of a body."""

    def apply(text: str, body: dict[str, Any]) -> Mapped:
        return workshop.load(text).apply(DELIVERY, body)

    return apply
