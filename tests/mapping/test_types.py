"""What each type of the contract makes of a value, as a table: typed, blank or a problem."""

from __future__ import annotations

import importlib.resources
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mapping.iso import COUNTRIES, CURRENCIES
from adapter.mapping.types import TYPES, to_money, to_time

from .strategies import ANY_JSON

TYPED: dict[str, list[tuple[Any, Any]]] = {
    "id": [
        (115310627314723954, "115310627314723954"),
        (2**53 + 1, "9007199254740993"),
        (" c1-abc ", "c1-abc"),
        ("gid://shopify/Customer/115310627314723954", "115310627314723954"),
        ("gid://shopify/Cart/c1-abc?key=9f", "c1-abc"),
        ("gid://shopify/InventoryLevel/1/2?inventory_item_id=3", "2"),
        (0, "0"),
        (" ", None),
    ],
    "text": [(" Tea ", "Tea"), (5, "5"), (Decimal("1.50"), "1.50"), ("", None), ("\n\t", None)],
    "email": [
        (" Ada@Example.COM ", "ada@example.com"),
        ("ada+tea@mail.example.co.uk", "ada+tea@mail.example.co.uk"),
        ("ada@münchen.example", "ada@münchen.example"),
        ("", None),
    ],
    "phone": [
        ("+1 (555) 010-9999", "+15550109999"),
        ("+49.30/1234567", "+49301234567"),
        ("  ", None),
    ],
    "money": [
        ("149.85", 149.85),
        (Decimal("149.85"), 149.85),
        (20, 20.0),
        ("-1.50", -1.5),
        ("-0.00", 0.0),
        ("", None),
    ],
    "number": [("1.5", 1.5), (Decimal("0.10"), 0.1), (3, 3), ("-0", 0.0), (" ", None)],
    "integer": [(3, 3), ("12", 12), (Decimal("2.0"), 2), (2**53, 2**53), (" -4 ", -4), ("", None)],
    "boolean": [(True, True), (False, False), ("true", True), ("false", False), ("", None)],
    "time": [
        ("2021-12-31T19:00:00-05:00", 1640995200),
        ("2022-01-01T00:00:00Z", 1640995200),
        ("2022-01-01T00:00:00.999Z", 1640995200),
        ("2022-01-01T05:45:00+05:45", 1640995200),
        ("1969-12-31T23:59:59.5Z", -1),
        (1640995200, 1640995200),
        (" ", None),
    ],
    "currency": [("EUR", "EUR"), (" usd", "USD"), ("", None)],
    "country": [("DE", "DE"), ("gb", "GB"), ("", None)],
    "timezone": [("Europe/Berlin", "Europe/Berlin"), ("", None)],
    "url": [
        ("https://acme.example/a?b=c#d", "https://acme.example/a?b=c#d"),
        (" HTTP://acme.example ", "HTTP://acme.example"),
        ("https://user@acme.example:8080", "https://user@acme.example:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("", None),
    ],
}

BAD: dict[str, list[tuple[Any, str]]] = {
    "id": [
        (True, "expected id, got a boolean"),
        (Decimal("1.0"), "expected id, got a number"),
        ([1], "expected id, got a list"),
        ({"id": 1}, "expected id, got an object"),
        ("gid://shopify/", "expected id, got text"),
    ],
    "text": [(True, "expected text, got a boolean"), (["a"], "expected text, got a list")],
    "email": [
        ("ada", "expected email, got text"),
        ("ada@", "expected email, got text"),
        ("ada@localhost", "expected email, got text"),
        ("a@b@example.com", "expected email, got text"),
        ("ada@example..com", "expected email, got text"),
        ("ada lovelace@example.com", "expected email, got text"),
        ("ada\x00@example.com", "expected email, got text"),
        ("a" * 250 + "@example.com", "expected email, got text"),
        (["ada@example.com"], "expected email, got a list"),
    ],
    "phone": [
        ("555-010-9999", "expected phone, got text"),
        ("+0123456789", "expected phone, got text"),
        ("+123456", "expected phone, got text"),
        ("+1234567890123456", "expected phone, got text"),
        ("+44 (0)20 7946 0958", "expected phone, got text"),
        ("+44 7700 900123/4", "expected phone, got text"),
        ("+1 555 010 9999 x2", "expected phone, got text"),
        ("-", "expected phone, got text"),
        (15550109999, "expected phone, got a number"),
    ],
    "money": [
        ("free", "expected money, got 'free'"),
        ("1e5", "expected money, got '1e5'"),
        ("NaN", "expected money, got 'NaN'"),
        ("1,234.00", "expected money, got '1,234.00'"),
        ("١٢", "expected money, got '١٢'"),
        (".5", "expected money, got '.5'"),
        ("ada@example.com", "expected money, got text"),
        ("x" * 25, "expected money, got text"),
        (True, "expected money, got true"),
        ({"amount": "1.00"}, "expected money, got an object"),
        (Decimal("1E+999999"), "expected money, got 1E+999999"),
        ("9" * 16, "expected money, got '9999999999999999'"),
    ],
    "number": [
        ("many", "expected number, got 'many'"),
        (2**54, "expected number, got 18014398509481984"),
    ],
    "integer": [
        ("1.5", "expected integer, got '1.5'"),
        (Decimal("1.5"), "expected integer, got 1.5"),
        (2**53 + 1, "expected integer, got 9007199254740993"),
        (True, "expected integer, got true"),
        (None, "expected integer, got nothing"),
    ],
    "boolean": [(1, "expected boolean, got 1"), ("yes", "expected boolean, got 'yes'")],
    "time": [
        ("2022-01-01", "expected time, got '2022-01-01', which has no offset"),
        ("2022-01-01T00:00:00", "expected time, got '2022-01-01T00:00:00', which has no offset"),
        ("yesterday", "expected time, got 'yesterday'"),
        (1640995200000, "expected time, got 1640995200000, which looks like milliseconds"),
        (-1, "expected time, got -1"),
        (Decimal("1640995200.5"), "expected time, got 1640995200.5"),
        (True, "expected time, got true"),
    ],
    "currency": [
        ("EURO", "expected currency, got 'EURO'"),
        ("XXX", "expected currency, got 'XXX'"),
        ("XTS", "expected currency, got 'XTS'"),
        (978, "expected currency, got 978"),
    ],
    "country": [("UK", "expected country, got 'UK'"), (["DE"], "expected country, got a list")],
    "timezone": [
        ("(GMT+01:00) Berlin", "expected timezone, got text"),
        (1, "expected timezone, got a number"),
    ],
    "url": [
        ("/products/tea", "expected url, got text"),
        ("ftp://acme.example", "expected url, got text"),
        ("https://", "expected url, got text"),
        ("https://acme.example/a b", "expected url, got text"),
        ("javascript:alert(1)", "expected url, got text"),
        ("http://[", "expected url, got text"),
    ],
}


@pytest.mark.parametrize(
    ("name", "value", "typed"), [(n, *row) for n, rows in TYPED.items() for row in rows]
)
def test_typed(name: str, value: Any, typed: Any) -> None:
    got = TYPES[name].coerce(value)
    assert got == typed
    assert type(got) is type(typed)


@pytest.mark.parametrize(
    ("name", "value", "problem"), [(n, *row) for n, rows in BAD.items() for row in rows]
)
def test_bad(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ValueError) as error:
        TYPES[name].coerce(value)
    assert str(error.value) == problem


@pytest.mark.parametrize("name", sorted(set(TYPES)))
def test_a_number_with_more_digits_than_python_writes(name: str) -> None:
    with pytest.raises(ValueError, match=f"^expected {name}, got a number"):
        TYPES[name].coerce(10**5000)


def test_every_type_has_rows() -> None:
    assert set(TYPED) == set(BAD) == set(TYPES)


@pytest.mark.parametrize(
    ("text", "currency", "number"),
    [
        ("10.005", "USD", 10.01),
        ("-10.005", "USD", -10.01),
        ("1499.5", "JPY", 1500),
        ("1.2345", "KWD", 1.235),
        ("1.23456", "CLF", 1.2346),
        ("0.12", None, 0.12),
        ("0.1234", None, 0.1234),
    ],
)
def test_money_is_rounded_to_its_currency(text: str, currency: str | None, number: float) -> None:
    got = to_money(text, CURRENCIES[currency] if currency else None)
    assert got == number
    assert isinstance(got, int) == (currency == "JPY")


@given(st.integers(-(10**14), 10**14), st.sampled_from([0, 2, 3]))
def test_money_is_exact(units: int, exponent: int) -> None:
    """What is written is what is sent: the digits of an amount come out as they went in."""
    units = units % 10 ** (15 - exponent)
    text = format(Decimal(units).scaleb(-exponent), "f")
    assert Decimal(repr(to_money(text, exponent))) == Decimal(text)
    assert Decimal(json.dumps(to_money(Decimal(text), exponent))) == Decimal(text)


@given(st.datetimes(), st.integers(-24 * 60 + 1, 24 * 60 - 1))
def test_any_time_with_any_offset_is_the_same_second(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    seconds, rest = divmod(aware - datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1))
    assert rest < timedelta(seconds=1)
    assert to_time(aware.isoformat()) == seconds


@given(st.integers())
def test_ids_of_any_size_are_unharmed(number: int) -> None:
    assert TYPES["id"].coerce(number) == str(number)
    assert TYPES["id"].coerce(f"gid://shopify/Order/{number}") == str(number)


@given(st.sampled_from(sorted(TYPES)), ANY_JSON)
def test_whatever_comes_out_comes_out_again(name: str, value: Any) -> None:
    """No value breaks a type, and a typed value is typed already."""
    coerce = TYPES[name].coerce
    try:
        typed = coerce(value)
    except ValueError:
        return
    if typed is not None and name != "time":
        assert coerce(typed) == typed


def test_the_countries_are_those_of_the_time_zone_database() -> None:
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text("utf-8")
    assert {line[:2] for line in table.splitlines() if not line.startswith("#")} == COUNTRIES
