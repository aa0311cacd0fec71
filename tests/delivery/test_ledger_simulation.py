"""Thousands of customers of three shops, their bodies shuffled and doubled, against the truth.

The simulator keeps books of its own: which pieces are still sold, whether the shipping is still
charged, what was given on top. From these it writes bodies as Shopify does, and from these alone it
says what an order is worth. It knows neither the mapping nor the ledger's rule.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from adapter import ledger
from adapter.mapping import Mappings, load
from adapter.model import Delivery
from adapter.settings import shipped

Json = dict[str, Any]
Person = tuple[str, str]

CUSTOMERS = 2_100
START = 1767225600
EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0}
SHOPS = {"usd.example": "USD", "eur.example": "EUR", "jpy.example": "JPY"}
RATES = {  # a shop's currency, the buyer's: minor units of the second for one of the first
    ("USD", "EUR"): Fraction(9173, 10000),
    ("USD", "JPY"): Fraction(14791, 10000),
    ("EUR", "USD"): Fraction(10901, 10000),
    ("JPY", "USD"): Fraction(6761, 10000),
}
TAXES = (Fraction(0), Fraction(8, 100), Fraction(19, 100))


def rounded(amount: Fraction) -> int:
    return int(amount + Fraction(1, 2))


def text(minor: int, currency: str) -> str:
    exponent = EXPONENTS[currency]
    if exponent == 0:
        return f"{minor}.00" if minor % 2 else str(minor)
    return f"{minor // 10**exponent}.{minor % 10**exponent:0{exponent}d}"


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


@dataclass
class Line:
    """One line of an order; `left` of its pieces are still sold. Amounts are of one piece."""

    id: int
    list_price: int
    discount: int
    tax: int
    bought: int
    left: int
    gift_card: bool = False

    @property
    def price(self) -> int:
        return self.list_price - self.discount


@dataclass
class Order:
    """One order, its books, and the bodies that it has sent so far."""

    simulator: Simulator
    shop: str
    customer: int
    id: int
    at: int
    currency: str
    seen: str
    tax_included: bool
    shows_shipping: bool
    test: bool
    shipping: int
    shipping_off: int
    """What a code took off the shipping: some bodies name it as it was before that."""
    lines: list[Line]
    charges_shipping: bool = True
    cancelled: bool = False
    exchanged: bool = False
    given: int = 0
    """Goodwill in minor units of the buyer's currency."""
    kept: int = 0
    """Money for returned pieces that the shop still has, likewise: fees, and what is on its way."""
    refunds: list[Json] = field(default_factory=list)
    second: int = 0
    sent: int = 0
    total: int = 0
    seen_total: int = 0

    def __post_init__(self) -> None:
        self.second = self.at + 2
        self.total, self.seen_total = self.price(), self.price(seen=True)

    def in_seen(self, minor: int) -> int:
        rate = RATES.get((self.currency, self.seen), Fraction(1))
        return rounded(minor * rate)

    def piece(self, line: Line, seen: bool = False) -> int:
        parts = (line.price,) if self.tax_included else (line.price, line.tax)
        return sum(self.in_seen(part) if seen else part for part in parts)

    def price(self, seen: bool = False) -> int:
        """What the buyer is charged for, gift cards included."""
        shipping = self.in_seen(self.shipping) if seen else self.shipping
        pieces = sum(self.piece(line, seen) * line.left for line in self.lines)
        return pieces + (shipping if self.charges_shipping else 0)

    def truth(self) -> Fraction:
        """What is left of the order for the shop, in minor units of its currency."""
        if self.cancelled:
            return Fraction(0)
        sold = sum(self.piece(line) * line.left for line in self.lines if not line.gift_card)
        given = self.given
        if self.charges_shipping:
            sold += self.shipping
        elif not self.shows_shipping:  # then what went back for it is one more gift
            sold += self.shipping
            given += self.in_seen(self.shipping)
        given = max(0, given - self.kept)
        if self.seen_total and given:
            return max(Fraction(0), sold - Fraction(given * self.total, self.seen_total))
        return Fraction(sold)

    @property
    def tolerance(self) -> Fraction:
        """How far conversion may be from the books: one minor unit of the coarser currency where
        money other than for pieces went back in the buyer's, else nothing."""
        loose = self.given > 0 or not self.charges_shipping
        if self.seen == self.currency or not loose:
            return Fraction(0)
        return max(Fraction(1), Fraction(self.total, self.seen_total))

    # --- what happens to it

    def send(self, topic: str, body: Json | None = None) -> None:
        self.sent += 1
        triggered = self.second + self.sent / 100  # later bodies are triggered later
        self.simulator.send(self.shop, topic, body or self.body(), triggered)

    def pass_time(self) -> None:
        self.second += self.simulator.random.choice([0, 0, 1, 40, 86_400])

    def refund(
        self,
        pieces: list[Line],
        money: int,
        status: str = "success",
        *,
        shipping: int = 0,
        told: bool = True,
    ) -> Json:
        """Note a refund and tell of it; `pieces` are off the order, `money` moves. `shipping` of it
        is told in one of the two ways that there are."""
        new = self.simulator.number()
        self.refunds.append(
            {
                "id": new,
                "order_id": self.id,
                "created_at": iso(self.second),
                "processed_at": iso(self.second),
                "transactions": [self.transaction(money, status)] if money else [],
                "refund_line_items": [self.returned(line) for line in pieces],
                **self.shipping_back(shipping),
            }
        )
        if told:
            self.send("refunds/create", copied(self.refunds[-1]))
        return self.refunds[-1]

    def shipping_back(self, shipping: int) -> Json:
        if not shipping:
            return {"refund_shipping_lines": [], "order_adjustments": []}
        if self.simulator.random.random() < 0.5:
            lines = [{"subtotal_amount_set": self.money(shipping)}]
            return {"refund_shipping_lines": lines, "order_adjustments": []}
        amount = "-" + text(shipping, self.currency)
        return {"order_adjustments": [{"kind": "shipping_refund", "amount": amount}]}

    def transaction(self, money: int, status: str) -> Json:
        return {
            "kind": "refund",
            "status": status,
            "test": self.test,
            "amount": text(money, self.seen),
            "currency": self.seen,
        }

    def returned(self, line: Line) -> Json:
        return {
            "quantity": 1,
            "line_item": {"title": "A thing", "price": text(line.list_price, self.currency)},
            "subtotal": float(text(line.price, self.currency)),
            "total_tax": float(text(line.tax, self.currency)),
            "subtotal_set": self.money(line.price),
            "total_tax_set": self.money(line.tax),
        }

    def money(self, minor: int) -> Json:
        return {
            "shop_money": {"amount": text(minor, self.currency), "currency_code": self.currency},
            "presentment_money": {
                "amount": text(self.in_seen(minor), self.seen),
                "currency_code": self.seen,
            },
        }

    def body(self) -> Json:
        price = self.price()
        seen = {"amount": text(self.seen_total, self.seen), "currency_code": self.seen}
        shop = {"amount": text(self.total, self.currency), "currency_code": self.currency}
        gone = not self.charges_shipping
        # Some bodies still hold shipping that was paid back in their current_total_price.
        if gone and not self.shows_shipping:
            price += self.shipping
        body = {
            "id": self.id,
            "email": f"c{self.customer}@example.com",
            "created_at": iso(self.at + 1),
            "processed_at": iso(self.at),
            "updated_at": iso(self.second),
            "cancelled_at": iso(self.second) if self.cancelled else None,
            "test": self.test,
            "currency": self.currency,
            "presentment_currency": self.seen,
            "taxes_included": self.tax_included,
            "total_price": text(self.total, self.currency),
            "total_price_set": {"shop_money": shop, "presentment_money": seen},
            "current_total_price": text(price, self.currency),
            "total_shipping_price_set": self.money(self.shipping + self.shipping_off),
            "shipping_lines": [{"discounted_price_set": self.money(self.shipping)}],
            "customer": {"id": self.customer, "email": f"c{self.customer}@example.com"},
            "line_items": [
                {
                    "id": line.id,
                    "name": "A thing",
                    "title": "A thing",
                    "price": text(line.list_price, self.currency),
                    "quantity": line.bought,
                    "current_quantity": line.left,
                    "gift_card": line.gift_card,
                    "discount_allocations": [
                        {"amount": text(line.discount * line.bought, self.currency)}
                    ],
                }
                for line in self.lines
            ],
            "refunds": copied(self.refunds),
        }
        if self.shows_shipping:
            body["current_shipping_price_set"] = self.money(0 if gone else self.shipping)
        return body


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


class Simulator:
    """Three shops and all that happens in them. The same seed tells the same story."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.deliveries: list[tuple[Delivery, Json]] = []
        self.orders: dict[Person, list[Order]] = {}
        self.happened: Counter[str] = Counter()
        self._number = 6_000_000_000_000
        for customer in range(CUSTOMERS):
            self._customer(self.number(), list(SHOPS)[customer % len(SHOPS)])

    def number(self) -> int:
        self._number += self.random.randint(1, 9)
        return self._number

    def send(self, shop: str, topic: str, body: Json, triggered: float) -> None:
        id_ = f"d{len(self.deliveries)}"
        delivery = Delivery("shopify", topic, id_, shop, int(triggered) + 5, triggered)
        self.deliveries.append((delivery, body))

    def _customer(self, customer: int, shop: str) -> None:
        at = START + self.random.randint(0, 10**6)
        for _ in range(self.random.choice([1, 1, 2, 3, 5])):
            at += self.random.randint(3_600, 40 * 86_400)
            order = self._order(customer, shop, at)
            if not order.test:
                self.orders.setdefault((shop, str(customer)), []).append(order)
            order.send("orders/create")
            if self.random.random() < 0.9:
                order.send("orders/paid")
            for _ in range(self.random.choice([0, 1, 1, 2, 3])):
                order.pass_time()
                self._happen(order)

    def _order(self, customer: int, shop: str, at: int) -> Order:
        chance, currency = self.random.random, SHOPS[shop]
        seen = currency
        if chance() < 0.25:
            seen = self.random.choice([other for own, other in RATES if own == currency])
        lines = [self._line(chance() < 0.06) for _ in range(self.random.randint(1, 4))]
        return Order(
            self,
            shop,
            customer,
            self.number(),
            at,
            currency,
            seen,
            tax_included=shop == "eur.example",
            shows_shipping=chance() < 0.5,
            test=chance() < 0.03,
            shipping=self.random.choice([0, 490, 650, 1299]),
            shipping_off=self.random.choice([0, 0, 300, 999]),
            lines=lines,
        )

    def _line(self, gift_card: bool = False) -> Line:
        price, bought = self.random.randint(150, 20_000), self.random.randint(1, 3)
        if gift_card:
            return Line(self.number(), 5_000, 0, 0, bought, bought, gift_card=True)
        discount = self.random.choice([0, 0, price // 10])
        tax = rounded((price - discount) * self.random.choice(TAXES))
        return Line(self.number(), price, discount, tax, bought, bought)

    def _happen(self, order: Order) -> None:
        if order.cancelled:
            return
        pieces = [line for line in order.lines if line.left and not line.gift_card]
        names = ["goodwill", "more", "shipping", "cancel", "nothing"]
        if pieces:
            names += ["returned", "returned", "mixed", "fee", "pending", "less", "exchange", "lost"]
        name = self.random.choice(names)
        if order.exchanged and name in ("goodwill", "mixed", "shipping"):
            return  # the one thing that no body tells; see the ledger
        if name == "shipping" and not (order.charges_shipping and order.shipping):
            return
        if name == "exchange" and (order.given or order.kept or not order.charges_shipping):
            return
        self.happened[name] += 1
        line = self.random.choice(pieces) if pieces else order.lines[0]
        getattr(self, f"_{name}")(order, line)
        if name not in ("lost", "cancel"):
            order.send("orders/updated")

    def _nothing(self, order: Order, line: Line) -> None:
        """A tag, a note: the body comes again."""

    def _returned(self, order: Order, line: Line) -> None:
        line.left -= 1
        order.refund([line], order.piece(line, seen=True))

    def _lost(self, order: Order, line: Line) -> None:
        """The body that should follow a refund never comes."""
        if order.kept or order.seen != order.currency or len(order.refunds) > 1:
            order.send("orders/updated")
            return
        self._returned(order, line)

    def _goodwill(self, order: Order, line: Line) -> None:
        money = self.random.randint(1, 1_500)
        order.given += money
        order.refund([], money)

    def _shipping(self, order: Order, line: Line) -> None:
        order.charges_shipping = False
        order.refund([], order.in_seen(order.shipping), shipping=order.shipping)

    def _mixed(self, order: Order, line: Line) -> None:
        extra, shipping = self.random.randint(1, 900), 0
        if order.charges_shipping and order.shipping:
            order.charges_shipping, shipping = False, order.shipping
        line.left -= 1
        order.given += extra
        money = order.piece(line, seen=True) + order.in_seen(shipping) + extra
        order.refund([line], money, shipping=shipping)

    def _fee(self, order: Order, line: Line) -> None:
        fee = order.piece(line, seen=True) // 5
        line.left -= 1
        order.kept += fee
        order.refund([line], order.piece(line, seen=True) - fee)

    def _pending(self, order: Order, line: Line) -> None:
        """A bank takes its time, and the order's next body says that the money has moved."""
        line.left -= 1
        money = order.piece(line, seen=True)
        refund = order.refund([line], money, "pending")
        order.send("orders/updated")
        order.pass_time()
        if self.random.random() < 0.7:
            refund["transactions"] = [order.transaction(money, "success")]
        else:
            order.kept += money

    def _more(self, order: Order, line: Line) -> None:
        order.lines.append(self._line())
        self._edited(order)

    def _less(self, order: Order, line: Line) -> None:
        """An edit takes a piece off; the money follows in a refund of its own, without a line."""
        line.left -= 1
        order.refund([line], 0, told=self.random.random() < 0.5)
        self._edited(order)
        order.send("orders/updated")
        order.pass_time()
        order.refund([], order.piece(line, seen=True))

    def _exchange(self, order: Order, line: Line) -> None:
        """A piece for a cheaper one: only the difference goes back."""
        line.left -= 1
        order.exchanged = True
        order.refund([line], 0, told=False)
        cheaper = self._line()
        cheaper.list_price, cheaper.discount, cheaper.tax = line.price // 2, 0, line.tax // 2
        cheaper.bought = cheaper.left = 1
        order.lines.append(cheaper)
        self._edited(order)
        difference = order.piece(line, seen=True) - order.piece(cheaper, seen=True)
        order.refund([], difference)

    def _edited(self, order: Order) -> None:
        edit = {"order_id": order.id, "id": self.number(), "created_at": iso(order.second)}
        order.send("orders/edited", {"order_edit": edit})

    def _cancel(self, order: Order, line: Line) -> None:
        order.cancelled = True
        if self.random.random() < 0.6:
            order.refund([], max(1, order.price(seen=True) // self.random.choice([1, 2])))
        order.send("orders/cancelled")
        if self.random.random() < 0.5:
            order.pass_time()
            order.send("orders/updated")


@dataclass
class Outcome:
    """What the adapter made of it all."""

    orders: dict[Person, ledger.Orders]
    outcomes: Counter[str]
    left_out: int
    seconds: float


def played(mappings: Mappings, deliveries: list[tuple[Delivery, Json]]) -> Outcome:
    """Every delivery mapped, and its facts applied to the ledger of the order's owner."""
    started = time.perf_counter()
    outcomes: Counter[str] = Counter()
    left_out = 0
    facts = []
    owners: dict[tuple[str, str], str] = {}
    for delivery, body in deliveries:
        mapped = mappings.apply(delivery, body)
        outcomes[mapped.reason or mapped.outcome] += 1
        left_out += len(mapped.left_out)
        if mapped.ledger is not None:
            facts.append((delivery.shop, mapped.ledger))
            if mapped.person is not None and mapped.person.id:
                owners[delivery.shop, mapped.ledger.order] = mapped.person.id
    people: dict[Person, ledger.Orders] = {}
    for shop, fact in facts:
        person = shop, owners[shop, fact.order]
        people[person] = ledger.apply(people.get(person, {}), fact)
    return Outcome(people, outcomes, left_out, time.perf_counter() - started)


@pytest.fixture(scope="module")
def mappings() -> Mappings:
    return load(Path(shipped("mappings")))


def disordered(simulator: Simulator, seed: int) -> list[tuple[Delivery, Json]]:
    """Everything in another sequence, a quarter of it more than once."""
    chance = random.Random(seed)
    deliveries = list(simulator.deliveries)
    deliveries += chance.choices(deliveries, k=len(deliveries) // 4)
    chance.shuffle(deliveries)
    return deliveries


@pytest.mark.parametrize("seed", [4])
def test_the_figures_are_the_simulators_truth(mappings: Mappings, seed: int) -> None:
    simulator = Simulator(seed)
    deliveries = disordered(simulator, seed + 1)
    assert len(simulator.orders) >= 2_000
    assert len(deliveries) >= 20_000
    assert min(simulator.happened.values()) >= 50, simulator.happened
    outcome = played(mappings, deliveries)
    assert outcome.left_out == 0
    assert not any(reason.startswith("unknown topic") for reason in outcome.outcomes)
    assert outcome.orders.keys() == simulator.orders.keys()
    exact = 0
    for person, orders in simulator.orders.items():
        expected, tolerance = truth_of(orders)
        found = ledger.figures(outcome.orders[person], True)
        value, average = found.pop("lifetime_value"), found.pop("average_order_value", None)
        assert (found, person) == (expected["plain"], person)
        exponent = EXPONENTS[SHOPS[person[0]]]
        unit = Fraction(1, 10**exponent)
        apart = abs(Fraction(str(value)) - expected["value"] * unit)
        assert apart <= tolerance * unit, (person, value, expected)
        exact += tolerance == 0
        if average is not None:
            mean = Fraction(str(value)) / expected["plain"]["orders_count"]
            assert abs(Fraction(str(average)) - mean) <= unit / 2
    assert exact > 0.8 * len(simulator.orders)


def truth_of(orders: list[Order]) -> tuple[dict[str, Any], Fraction]:
    """The figures by the books, and by how many minor units conversion may be apart from them."""
    alive = sorted((order for order in orders if not order.cancelled), key=lambda each: each.at)
    plain: dict[str, Any] = {
        "orders_count": len(alive),
        "first_time_buyer": len(alive) == 1,
        "currency": orders[0].currency,
    }
    if alive:
        plain["first_order_at"], plain["last_order_at"] = alive[0].at, alive[-1].at
        plain["last_order_id"] = str(alive[-1].id)
    value = sum((order.truth() for order in alive), Fraction(0))
    return {"plain": plain, "value": value}, sum((each.tolerance for each in alive), Fraction(0))


def test_another_sequence_ends_in_the_same_state(mappings: Mappings) -> None:
    simulator = Simulator(7)
    some = [each for each in simulator.deliveries if each[1].get("id", 1) % 5 == 0]
    people = played(mappings, [*simulator.deliveries[:3_000]]).orders
    shuffled = simulator.deliveries[:3_000]
    random.Random(8).shuffle(shuffled)
    again = [*shuffled, *(each for each in some if each in shuffled[:200])]
    assert played(mappings, again).orders == people
