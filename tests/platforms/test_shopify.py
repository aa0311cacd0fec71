"""Shopify's wire profile, held against the contract and against values written down here."""

from __future__ import annotations

import pytest

from adapter.errors import SignatureError
from adapter.model import Delivery

from .contract import PLATFORMS, PlatformContract


class TestShopify(PlatformContract):
    name = "shopify"
    secret = "shpss_a-secret-of-an-app"
    sample = Delivery(
        platform="shopify",
        topic="orders/paid",
        id="9a1c6a52-7e0b-4c7e-9d40-5e8a5b1d7f20",
        shop="lovelace-coffee.myshopify.com",
        received_at=1789394737,
        triggered_at=1789394736.5,
        api_version="2026-07",
        test=True,
    )

    def test_the_names_on_the_wire(self) -> None:
        assert self.platform.headers_for(self.sample) == {
            "X-Shopify-Topic": "orders/paid",
            "X-Shopify-Webhook-Id": "9a1c6a52-7e0b-4c7e-9d40-5e8a5b1d7f20",
            "X-Shopify-Shop-Domain": "lovelace-coffee.myshopify.com",
            "X-Shopify-Triggered-At": "2026-09-14T14:05:36.500000Z",
            "X-Shopify-API-Version": "2026-07",
            "X-Shopify-Test": "true",
        }

    def test_a_signature_made_elsewhere(self) -> None:
        # printf '{"id":1}' | openssl dgst -sha256 -hmac secret -binary | base64
        headers = {"X-Shopify-Hmac-Sha256": "A971iWIMgT8Zj9A9eWfikrFj7wQ16/Qwcc4OlRl2PLc="}
        PLATFORMS["shopify"].verify(headers, b'{"id":1}', ["secret"])

    def test_the_refusal_says_where_to_look(self) -> None:
        with pytest.raises(SignatureError) as caught:
            self.platform.verify(self.headers(), b"{}", ["one", "two"])
        assert str(caught.value) == (
            "signature matches none of 2 secrets: admin secret or app secret?"
        )

    def test_a_topic_with_a_dot(self) -> None:
        headers = {**self.headers(), "x-shopify-topic": "customer.tags_added"}
        del headers["X-Shopify-Topic"]
        assert self.platform.deliver(headers, 0).topic == "customer.tags_added"

    def test_an_events_delivery_as_documented(self) -> None:
        headers = {
            "Shopify-Hmac-Sha256": "A971iWIMgT8Zj9A9eWfikrFj7wQ16/Qwcc4OlRl2PLc=",
            "Shopify-Topic": "Product",
            "Shopify-Action": "update",
            "Shopify-Handle": "price-changes",
            "Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            "Shopify-Shop-Domain": "lovelace-coffee.myshopify.com",
            "Shopify-API-Version": "unstable",
            "Shopify-Triggered-At": "2026-09-14T14:05:36.5Z",
        }
        self.platform.verify(headers, b'{"id":1}', ["secret"])
        assert self.platform.deliver(headers, 1789394737) == Delivery(
            platform="shopify",
            topic="Product/update",
            id="b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            shop="lovelace-coffee.myshopify.com",
            received_at=1789394737,
            triggered_at=1789394736.5,
            api_version="unstable",
        )
        assert "Shopify Events" in (self.platform.park(headers) or "")

    def test_the_refusal_of_no_signature_names_the_usual_header(self) -> None:
        with pytest.raises(SignatureError, match="no X-Shopify-Hmac-Sha256 header"):
            self.platform.verify({"Shopify-Topic": "Product"}, b"{}", ["secret"])
