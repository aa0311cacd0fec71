"""What every platform must do. A new platform's tests inherit it:

class TestShopify(PlatformContract):
    name = "shopify"
    secret = "..."
    sample = Delivery(...)
"""

from __future__ import annotations

from collections import UserDict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import DeliveryError, MalformedError, SignatureError
from adapter.model import Delivery
from adapter.platforms import Platform, load_platforms

MAPPINGS = Path(__file__).parents[2] / "mappings"
PLATFORMS = load_platforms(MAPPINGS)
BODY = '{"id": 9058172640193827465, "name": "Ada \N{HOT BEVERAGE}"}'.encode()

# What arrives from the wire as a header value: latin-1, now and then worse.
header_texts = st.text(st.characters(max_codepoint=255), max_size=300) | st.text(max_size=50)


class AnyCase(UserDict[str, str]):
    """As the headers object of a web framework: it iterates names in a case of its own."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.title())


class PlatformContract:
    name: str
    secret: str
    sample: Delivery
    body: bytes = BODY

    @property
    def platform(self) -> Platform:
        return PLATFORMS[self.name]

    @property
    def signature_header(self) -> str:
        return self.platform.profile.signature.header

    def headers(self, body: bytes | None = None) -> dict[str, str]:
        """The headers of a genuine delivery, among those that a proxy adds."""
        return {
            "Host": "hooks.example.com",
            "Content-Type": "application/json",
            **self.platform.headers_for(self.sample),
            **self.platform.sign(self.body if body is None else body, self.secret),
        }

    def header_of(self, fact: str) -> str:
        header = self.platform.profile.delivery.get(fact)
        if header is None:
            pytest.skip(f"{self.name} sends no {fact}")
        return header

    # signature

    def test_a_genuine_delivery_verifies(self) -> None:
        self.platform.verify(self.headers(), self.body, [self.secret])

    @pytest.mark.parametrize("case", [str.lower, str.upper, str.title, str.swapcase])
    def test_header_names_count_in_any_case(self, case) -> None:
        headers = {case(name): value for name, value in self.headers().items()}
        self.platform.verify(headers, self.body, [self.secret])
        assert self.platform.deliver(headers, self.sample.received_at) == self.sample

    def test_the_headers_object_of_a_web_framework_will_do(self) -> None:
        headers = AnyCase({name.title(): value for name, value in self.headers().items()})
        self.platform.verify(headers, self.body, [self.secret])
        assert self.platform.deliver(headers, self.sample.received_at) == self.sample

    def test_the_headers_of_flask_will_do(self) -> None:
        from werkzeug.datastructures import EnvironHeaders
        from werkzeug.test import EnvironBuilder

        headers = EnvironHeaders(EnvironBuilder(headers=self.headers()).get_environ())
        self.platform.verify(headers, self.body, [self.secret])
        assert self.platform.deliver(headers, self.sample.received_at) == self.sample

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_any_of_several_secrets_will_do(self, place: int) -> None:
        secrets = ["first-other", "second-other"]
        secrets.insert(place, self.secret)
        self.platform.verify(self.headers(), self.body, secrets)

    def test_one_wrong_secret(self) -> None:
        with pytest.raises(SignatureError, match="signature does not match the secret"):
            self.platform.verify(self.headers(), self.body, [self.secret + "x"])

    def test_several_wrong_secrets(self) -> None:
        with pytest.raises(SignatureError, match="signature matches none of 2 secrets"):
            self.platform.verify(self.headers(), self.body, ["this", "that"])

    def test_no_secret_at_all(self) -> None:
        with pytest.raises(SignatureError, match="signature matches none of 0 secrets"):
            self.platform.verify(self.headers(), self.body, [])

    def test_no_signature(self) -> None:
        headers = self.headers()
        del headers[self.signature_header]
        with pytest.raises(SignatureError, match=f"no {self.signature_header} header"):
            self.platform.verify(headers, self.body, [self.secret])

    @pytest.mark.parametrize("blank", ["", " ", "\t"])
    def test_a_blank_signature_is_none(self, blank: str) -> None:
        with pytest.raises(SignatureError, match=f"no {self.signature_header} header"):
            self.platform.verify(
                {**self.headers(), self.signature_header: blank}, self.body, [self.secret]
            )

    @pytest.mark.parametrize(
        "change",
        [
            lambda good: good[:-1],
            lambda good: good + "=",
            lambda good: good + good,
            lambda good: f"{good},{good}",
            lambda good: f"{good}, {good}",
            lambda good: good.swapcase(),
            lambda good: f"sha256={good}",
            lambda _: "%%%",
            lambda _: "=",
            lambda _: "é" * 44,
            lambda _: "\udcff\x00",
            lambda _: "A" * 1_000_000,
        ],
        ids=[
            "cut",
            "padded",
            "twice",
            "comma-joined",
            "comma-and-space",
            "other case",
            "prefixed",
            "not base64",
            "padding only",
            "not ASCII",
            "surrogate and null",
            "huge",
        ],
    )
    def test_a_malformed_signature_is_just_wrong(self, change) -> None:
        headers = self.headers()
        headers[self.signature_header] = change(headers[self.signature_header])
        with pytest.raises(SignatureError):
            self.platform.verify(headers, self.body, [self.secret])

    def test_a_signature_sent_twice_is_wrong(self) -> None:
        headers = self.headers()
        headers[self.signature_header.swapcase()] = headers[self.signature_header]
        with pytest.raises(SignatureError):
            self.platform.verify(headers, self.body, [self.secret])

    @pytest.mark.parametrize("body", [b"", b" ", b"{" * 5_000_000], ids=["none", "blank", "huge"])
    def test_the_body_is_only_bytes(self, body: bytes) -> None:
        self.platform.verify(self.headers(body), body, [self.secret])
        with pytest.raises(SignatureError):
            self.platform.verify(self.headers(body), body + b"\n", [self.secret])

    def test_a_refusal_tells_nothing_secret(self) -> None:
        headers = self.headers()
        good = headers[self.signature_header]
        with pytest.raises(SignatureError) as caught:
            self.platform.verify(headers, b"another body", [self.secret])
        assert self.secret not in str(caught.value)
        assert good not in str(caught.value)

    @given(body=st.binary(), secret=st.text(st.characters(codec="utf-8"), min_size=1))
    def test_what_is_signed_verifies(self, body: bytes, secret: str) -> None:
        headers = self.platform.sign(body, secret)
        self.platform.verify(headers, body, ["other", secret])

    @given(data=st.data())
    def test_one_changed_bit_of_the_body_never_verifies(self, data) -> None:
        place = data.draw(st.integers(0, len(self.body) * 8 - 1))
        changed = bytearray(self.body)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(SignatureError):
            self.platform.verify(self.headers(), bytes(changed), [self.secret])

    @given(data=st.data())
    def test_one_changed_bit_of_the_signature_never_verifies(self, data) -> None:
        headers = self.headers()
        good = headers[self.signature_header]
        place = data.draw(st.integers(0, len(good) * 7 - 1))
        changed = list(good)
        changed[place // 7] = chr(ord(good[place // 7]) ^ (1 << place % 7))
        headers[self.signature_header] = "".join(changed)
        with pytest.raises(SignatureError):
            self.platform.verify(headers, self.body, [self.secret])

    @given(body=st.binary(max_size=200), value=header_texts)
    def test_any_signature_text_is_refused_and_never_a_crash(self, body: bytes, value: str) -> None:
        headers = {**self.headers(), self.signature_header: value}
        with pytest.raises(SignatureError):
            self.platform.verify(headers, body, [self.secret, "other"])

    # delivery

    def test_the_delivery_is_what_the_headers_say(self) -> None:
        assert self.platform.deliver(self.headers(), self.sample.received_at) == self.sample

    @pytest.mark.parametrize("fact", ["topic", "id", "shop"])
    @pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
    def test_a_required_header(self, fact: str, value: str | None) -> None:
        headers = self.headers()
        header = self.header_of(fact)
        del headers[header]
        if value is not None:
            headers[header] = value
        with pytest.raises(MalformedError) as caught:
            self.platform.deliver(headers, 0)
        assert str(caught.value) == f"{header}: missing"

    @pytest.mark.parametrize("fact", ["triggered_at", "api_version", "test"])
    @pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
    def test_an_optional_header(self, fact: str, value: str | None) -> None:
        headers = {name: text for name, text in self.headers().items() if name}
        headers.pop(self.header_of(fact), None)
        if value is not None:
            headers[self.header_of(fact)] = value
        expected = replace(self.sample, **{fact: False if fact == "test" else None})
        assert self.platform.deliver(headers, self.sample.received_at) == expected

    @pytest.mark.parametrize(
        ("fact", "value", "problem"),
        [
            ("topic", "x" * 101, "longer than 100 characters"),
            ("topic", "orders/créate", "not printable ASCII"),
            ("id", "x" * 201, "longer than 200 characters"),
            ("id", "a\x00b", "not printable ASCII"),
            ("id", "a\nb", "not printable ASCII"),
            ("shop", f"{'a.' * 127}abc", "longer than 255 characters"),
            ("shop", "https://shop.example", "not a host name"),
            ("shop", "shop.example/path", "not a host name"),
            ("shop", "shop..example", "not a host name"),
            ("shop", "-shop.example", "not a host name"),
            ("shop", "shop_one.example", "not a host name"),
            ("shop", f"{'a' * 64}.example", "not a host name"),
            ("shop", "one.example,two.example", "not a host name"),
            ("triggered_at", "yesterday", "not an ISO-8601 time with an offset"),
            ("triggered_at", "2026-09-14", "not an ISO-8601 time with an offset"),
            ("triggered_at", "2026-09-14T14:05:36", "not an ISO-8601 time with an offset"),
            ("triggered_at", "2026-02-30T14:05:36Z", "not an ISO-8601 time with an offset"),
            ("triggered_at", "2026-09-14T14:05:36+99:00", "not an ISO-8601 time with an offset"),
            ("triggered_at", "1789394736", "not an ISO-8601 time with an offset"),
            ("triggered_at", "1969-12-31T23:59:59Z", "a time before 1970"),
            ("triggered_at", "0001-01-01T00:00:00+14:00", "a time before 1970"),
            ("triggered_at", "2" * 41, "longer than 40 characters"),
            ("api_version", "2026-07\x7f", "not printable ASCII"),
            ("api_version", "2" * 41, "longer than 40 characters"),
            ("test", "maybe", "neither true nor false"),
        ],
    )
    def test_a_malformed_header(self, fact: str, value: str, problem: str) -> None:
        header = self.header_of(fact)
        with pytest.raises(MalformedError) as caught:
            self.platform.deliver({**self.headers(), header: value}, 0)
        assert str(caught.value) == f"{header}: {problem}"

    def test_every_bad_header_is_named_at_once(self) -> None:
        topic, id_, shop = map(self.header_of, ("topic", "id", "shop"))
        headers = {**self.headers(), topic: "é", shop: "a b"}
        del headers[id_]
        with pytest.raises(MalformedError) as caught:
            self.platform.deliver(headers, 0)
        assert sorted(str(caught.value).split("; ")) == sorted(
            [f"{topic}: not printable ASCII", f"{id_}: missing", f"{shop}: not a host name"]
        )

    def test_a_shop_is_one_shop_in_any_case(self) -> None:
        headers = {**self.headers(), self.header_of("shop"): " Shop.EXAMPLE "}
        assert self.platform.deliver(headers, 0).shop == "shop.example"

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("2026-09-14T14:05:36Z", 1789394736),
            ("2026-09-14T10:05:36-04:00", 1789394736),
            ("2026-09-14T14:05:36.25Z", 1789394736.25),
            ("2026-09-14T14:05:36.123456789Z", 1789394736.123456),
        ],
    )
    def test_the_time_keeps_its_fraction(self, value: str, seconds: float) -> None:
        headers = {**self.headers(), self.header_of("triggered_at"): value}
        assert self.platform.deliver(headers, 0).triggered_at == seconds

    @pytest.mark.parametrize(("value", "test"), [("true", True), ("True", True), ("false", False)])
    def test_the_flag_of_a_test(self, value: str, test: bool) -> None:
        headers = {**self.headers(), self.header_of("test"): value}
        assert self.platform.deliver(headers, 0).test is test

    @given(data=st.data())
    def test_any_header_text_is_a_delivery_or_a_refusal(self, data) -> None:
        headers = self.headers()
        for header in self.platform.profile.delivery.values():
            if (text := data.draw(st.none() | header_texts)) is not None:
                headers[header] = text
        try:
            delivery = self.platform.deliver(headers, 1)
        except DeliveryError as refusal:
            said = str(refusal)
        else:
            assert Delivery.from_json(delivery.to_json()) == delivery
            said = delivery.topic + delivery.id + delivery.shop
        assert said.isprintable()
        assert said.isascii()

    @given(
        topic=st.from_regex(r"[!-~]{1,100}", fullmatch=True),
        id=st.from_regex(r"[!-~]{1,200}", fullmatch=True),
        millis=st.none() | st.integers(0, 4_000_000_000_000),
    )
    def test_headers_for_is_the_reverse_of_deliver(
        self, topic: str, id: str, millis: int | None
    ) -> None:
        delivery = replace(
            self.sample,
            topic=topic,
            id=id,
            triggered_at=None if millis is None else millis / 1000,
        )
        again = self.platform.deliver(self.platform.headers_for(delivery), delivery.received_at)
        assert again == delivery

    # further forms, where the platform has any: they are kept with a reason, never mapped

    def test_the_usual_form_is_mapped(self) -> None:
        assert self.platform.park(self.headers()) is None
        assert self.platform.park({}) is None

    @given(data=st.data())
    def test_any_header_text_of_a_further_form_is_a_delivery_or_a_refusal(self, data) -> None:
        for form in self.platform.profile.forms[1:]:
            headers = form.signature.sign(self.body, self.secret)
            for header in (name for names in form.delivery.values() for name in names):
                if (text := data.draw(st.none() | header_texts)) is not None:
                    headers[header] = text
            self.platform.verify(headers, self.body, [self.secret])
            assert self.platform.park(headers)
            try:
                delivery = self.platform.deliver(headers, 1)
            except DeliveryError as refusal:
                said = str(refusal)
            else:
                assert Delivery.from_json(delivery.to_json()) == delivery
                said = delivery.topic + delivery.id + delivery.shop
            assert said.isprintable()
            assert said.isascii()

    @given(body=st.binary(max_size=200), value=header_texts)
    def test_any_signature_of_a_further_form_is_refused(self, body: bytes, value: str) -> None:
        for form in self.platform.profile.forms[1:]:
            headers = {**self.headers(), form.signature.header: value}
            del headers[self.signature_header]
            with pytest.raises(SignatureError):
                self.platform.verify(headers, body, [self.secret, "other"])

    def test_a_further_form_cannot_vouch_for_the_usual_one(self) -> None:
        """A signature of the usual form is there and wrong: a good one elsewhere does not help."""
        for form in self.platform.profile.forms[1:]:
            good = form.signature.sign(self.body, self.secret)
            headers = {**self.headers(), **good, self.signature_header: "wrong"}
            with pytest.raises(SignatureError):
                self.platform.verify(headers, self.body, [self.secret])
