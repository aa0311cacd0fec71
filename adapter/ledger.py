"""The ledger of one person's orders: what is known of them, and what they come to. Pure.

A body tells facts (`OrderMoney`), `apply` keeps what counts of them, `figures` adds up. The state
is a join: it holds the newest body of each order and every refund that anybody told of, so the same
facts end in the same state in any sequence, however often each of them comes.

**What an order is worth**, in minor units of the shop's currency:

    price   what its newest body says that it costs now (current_total_price)
    once    the larger of what it cost when it was bought (total_price) and `price` with all that
            its refunds took off it: their lines with tax, and shipping that `price` lacks
    back    all the money that went back, each refund once, whoever told of it
    gifts   what of `price` is gift cards: what is bought with them will be the sale

    worth = min(price, once - back) - gifts, never below 0; of a cancelled order nothing

`price` already lacks the returned lines, so their money is not taken off twice: `once - back` is
lower only by what went back beyond them, or after that body.

| case, of an order of 100 | price | once | back | worth |
|-|-|-|-|-|
| a line of 30 comes back, its money too | 70 | 100 | 30 | 70 |
| the same, but no body since | 100 | 100 | 30 | 70 |
| 10 of goodwill, without a line | 100 | 100 | 10 | 90 |
| shipping of 5 paid back, whether `price` lacks it or not | 95, 100 | 100 | 5 | 95 |
| all three | 65 or 70 | 100 | 45 | 55 |
| a line of 30 comes back, 25 are paid (a fee) | 70 | 100 | 25 | 70 |
| a line of 30 comes back, the bank still has to move it | 70 | 100 | 0 | 70 |
| edited: 20 more | 120 | 120 | 0 | 120 |
| edited: 20 less, before it was paid | 80 | 100 | 0 | 80 |
| edited: 20 less, then the 20 paid back without a line | 80 | 100 | 20 | 80 |
| edited: 50 more, then a line of 30 comes back | 120 | 150 | 30 | 120 |
| cancelled, refunded before or after or not at all | any | any | any | 0 |

So money that makes up for lines taken off earlier is not goodwill, and money kept as a fee makes up
for later goodwill. One thing no body tells: in an exchange (a line off, another on, the difference
back) goodwill up to the price of the new line is taken for a part of the difference.

**Currencies.** What went back in the buyer's currency becomes the shop's in two parts: the returned
lines as the body has them in both currencies, the rest by the order's own ratio (total_price in one
and in the other), summed before it is rounded. Once as much as the buyer paid went back, all of it
did. A last minor unit is rounding and no goodwill. A refund without a currency is in the buyer's;
one in a third currency is not counted. A person whose orders are in several shop currencies: there
is no sum across them; the amounts are of the currency that most orders are in (of the earliest
order's, where two lead), number and times are of all orders.

An order that is cancelled is no order: it does not count, and no time is its. A fully refunded one
counts. A refund of an order that no body told of waits under it and counts for nothing, so test
orders, whose bodies are ignored, leave nothing behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from adapter.mapping.types import exponent_of
from adapter.model import Json, MoneyBack, OrderMoney

Record = list[Json]
"""One order: `[body, refunds]`, the second only where there are some.

body     None, or [as_of, tie, at, currency, now, once, buyer's currency, total, lines]. `tie` is
         triggered_at behind as_of, in ms. The amounts are minor units; `now` and `once` are without
         gift cards, `now` is None of a cancelled order; `total` and `lines` are each [the shop's,
         the buyer's]. What follows `now` is left away where it says nothing.
refunds  {refund id: [amount, currency]}
"""

Orders = dict[str, Record]

_NO_CURRENCY = ""
_UNKNOWN_EXPONENT = 4  # as many decimals as any currency has
_POWERS: tuple[int, ...] = tuple(10**exponent for exponent in range(_UNKNOWN_EXPONENT + 1))
_EXACT = 10**15
_PLATFORMS_OWN = ("orders_count", "lifetime_value", "currency", "last_order_id")
_DERIVED = ("average_order_value", "first_time_buyer")
FIGURES = (
    "orders_count",
    "lifetime_value",
    "average_order_value",
    "first_time_buyer",
    "first_order_at",
    "last_order_at",
    "last_order_id",
)
"""Attributes that stand and fall with somebody's orders."""


def apply(orders: Mapping[str, Record], fact: OrderMoney) -> Orders:
    """The ledger with one more fact; `orders` stays as it is."""
    return joined(orders, {fact.order: _record(fact)})


def joined(one: Mapping[str, Record], other: Mapping[str, Record]) -> Orders:
    """Two ledgers in one: of two people who turn out to be the same."""
    orders = dict(one)
    for id_, record in other.items():
        known = orders.get(id_)
        orders[id_] = record if known is None else _join(known, record)
    return orders


def worth(record: Record) -> tuple[int, str] | None:
    """What an order is worth now, in minor units, and its currency ("" where no body says it);
    None of one that does not count: it was cancelled, or only a refund of it is known."""
    body = record[0]
    if body is None or body[4] is None:
        return None
    currency, now = body[3], body[4]
    once = body[5] if len(body) > 5 else now
    excess = _back(body, record[1], once) - (once - now) if len(record) > 1 else 0
    return max(0, now - max(0, excess)), currency


def figures(orders: Mapping[str, Record], whole: bool) -> dict[str, Json]:
    """The attributes that the orders make; none when the history is not whole, or empty.

    When all orders were cancelled only those are there that are still true of nobody who ordered.
    """
    if not whole or not orders:
        return {}
    counted: list[tuple[int, str, int, str]] = []
    cancelled = None
    for id_, record in orders.items():
        found = worth(record)
        if found is not None:
            counted.append((record[0][2], id_, *found))
        elif record[0] is not None:
            cancelled = record[0][3]
    if not counted:
        return {} if cancelled is None else _nothing(cancelled)
    counted.sort(key=lambda order: (order[0], len(order[1]), order[1]))
    currency = _leading([each[3] for each in counted])
    amounts = [amount for _, _, amount, own in counted if own == currency]
    exponent = _exponent(currency)
    found_figures: dict[str, Json] = {
        "first_order_at": counted[0][0],
        "last_order_at": counted[-1][0],
        "last_order_id": counted[-1][1],
        "orders_count": len(counted),
        "lifetime_value": _major(sum(amounts), exponent),
        "average_order_value": _average(sum(amounts), len(amounts), exponent),
        "first_time_buyer": len(counted) == 1,
    }
    if currency:
        found_figures["currency"] = currency
    return found_figures


def latest(orders: Mapping[str, Record]) -> int:
    """When the newest of the known bodies was true, Unix seconds; 0 where none is known."""
    return max((record[0][0] for record in orders.values() if record[0]), default=0)


def whole(
    orders: Mapping[str, Record],
    *,
    created_at: int | None,
    since: int | None,
    backfilled: bool = False,
) -> bool:
    """Whether the ledger holds everything that a person ever ordered.

    `created_at` is when the platform says that the person came into being, `since` the begin of the
    first whole day on which the shop's webhooks came here. An order from before them (an import)
    shows that the history is older. Somebody of whom the platform keeps no record may have ordered
    before: only a load of the past (`backfilled`) makes their history whole.
    """
    if backfilled:
        return True
    if created_at is None or since is None or created_at < since:
        return False
    first = min((record[0][2] for record in orders.values() if record[0]), default=created_at)
    return bool(first >= since)


def merged(
    own: Mapping[str, Json], own_as_of: int, platform: Mapping[str, Json], platform_as_of: int
) -> dict[str, Json]:
    """Our figures and the platform's own: its win where they are there and newer than ours.

    What is made of other figures (the average, the first-time buyer) is made of the winners.
    """
    theirs = {name: platform[name] for name in _PLATFORMS_OWN if name in platform}
    if not theirs or (own and platform_as_of <= own_as_of):
        return dict(own)
    found = {**own, **theirs}
    for name in _DERIVED:
        found.pop(name, None)
    count, value = found.get("orders_count"), found.get("lifetime_value")
    if count is None:
        return found
    found["first_time_buyer"] = count == 1
    if count and value is not None:
        exponent = _exponent(found.get("currency") or _NO_CURRENCY)
        found["average_order_value"] = _average(_minor(value, exponent), count, exponent)
    return found


# --- facts to records, and their join


def _record(fact: OrderMoney) -> Record:
    currency = fact.currency or _NO_CURRENCY
    body = None if fact.value is None else _body(fact, fact.value, currency)
    if not fact.refunds:
        return [body]
    refunds = {
        refund.id: _refund(refund)
        for refund in fact.refunds
        if refund.amount > 0  # lines taken off without money are in the body already
    }
    return [body, refunds] if refunds else [body]


def _body(fact: OrderMoney, value: float, currency: str) -> list[Json]:
    at = fact.as_of if fact.at is None else fact.at
    tie = 0 if fact.triggered_at is None else round((fact.triggered_at - fact.as_of) * 1000)
    if fact.cancelled:
        return [fact.as_of, tie, at, currency, None]
    exponent = _exponent(currency)
    price, gifts = _minor(value, exponent), _minor(fact.gift_cards, exponent)
    total = price if fact.total is None else _minor(fact.total, exponent)
    lines = 0
    for refund in fact.refunds:
        lines += _minor(refund.lines, exponent)
    once = max(total, price + lines + _minor(fact.shipping_off, exponent))
    body: list[Json] = [fact.as_of, tie, at, currency, price - gifts]
    seen = fact.presentment_currency
    if seen is None or not fact.presentment_total:
        return [*body, once - gifts] if once != price else body
    of_buyer = _exponent(seen)
    body += [once - gifts, seen, [total, _minor(fact.presentment_total, of_buyer)]]
    seen_lines = sum(_minor(refund.presentment_lines, of_buyer) for refund in fact.refunds)
    return [*body, [lines, seen_lines]] if lines and seen_lines else body


def _refund(refund: MoneyBack) -> list[Json]:
    currency = refund.currency or _NO_CURRENCY
    return [_minor(refund.amount, _exponent(currency)), currency]


def _join(one: Record, other: Record) -> Record:
    ours, theirs = one[0], other[0]
    body = ours if theirs is None or (ours is not None and _rank(ours) >= _rank(theirs)) else theirs
    if len(one) == 1 and len(other) == 1:
        return [body]
    refunds = dict(one[1]) if len(one) > 1 else {}
    for id_, refund in (other[1] if len(other) > 1 else {}).items():
        known = refunds.get(id_)
        refunds[id_] = refund if known is None else max(known, refund, key=_knowledge)
    return [body, {id_: refunds[id_] for id_ in sorted(refunds)}] if refunds else [body]


def _knowledge(refund: list[Json]) -> tuple[Json, ...]:
    """Which of two accounts of one refund to go by: one with a currency; then the higher amount,
    since money waits before it moves."""
    return refund[1] != _NO_CURRENCY, refund


def _rank(body: list[Json]) -> tuple[Json, ...]:
    """Which of two bodies is newer. Of one moment a cancelled one, then the lower price: an order
    is worth less after most of what happens to it; the rest only makes it one sequence."""
    as_of, tie, at, currency, now, *more = body
    return as_of, tie, now is None, 0 if now is None else -now, at, currency, len(more), more


# --- money


def _back(body: list[Json], refunds: Mapping[str, list[Json]], once: int) -> int:
    """The money that went back, in minor units of the order's currency."""
    currency, now = body[3:5]
    seen, totals = body[6:8] if len(body) > 6 else (currency, (0, 0))
    back = foreign = 0
    for amount, own in (_named(refund, seen) for refund in refunds.values()):
        if own == currency:
            back += amount
        elif own == seen:
            foreign += amount
        elif currency == _NO_CURRENCY:
            back += _rescaled(amount, _exponent(own), _UNKNOWN_EXPONENT)
    if not foreign:
        return back
    (total, seen_total), (lines, seen_lines) = totals, body[8] if len(body) > 8 else (0, 0)
    back += lines + _divided((foreign - seen_lines) * total, seen_total)
    if foreign >= seen_total:
        return max(back, total)
    return back - 1 if back - (once - now) == 1 else back


def _named(refund: list[Json], seen: str) -> list[Json]:
    """A refund with its currency: one that does not say is in the buyer's, `seen`."""
    amount, currency = refund
    if currency != _NO_CURRENCY or seen == _NO_CURRENCY:
        return refund
    return [_rescaled(amount, _UNKNOWN_EXPONENT, _exponent(seen)), seen]


def _nothing(currency: str) -> dict[str, Json]:
    found: dict[str, Json] = {"orders_count": 0, "lifetime_value": 0, "first_time_buyer": False}
    return {**found, "currency": currency} if currency else found


def _leading(currencies: Sequence[str]) -> str:
    """The one that most orders are in; the earliest order's of those that lead."""
    first = currencies[0]
    if currencies.count(first) == len(currencies):
        return first
    return Counter(currencies).most_common(1)[0][0]


def _exponent(currency: str) -> int:
    exponent = exponent_of(currency)
    return _UNKNOWN_EXPONENT if exponent is None else exponent


def _minor(amount: float, exponent: int) -> int:
    """An amount as JSON holds it, as whole minor units. Halves go up, as in the contract."""
    if not amount:
        return 0
    whole = round(amount * _POWERS[exponent])
    # Up to 15 digits no two decimals are one float: where this holds it is the amount exactly.
    if abs(whole) < _EXACT and whole / _POWERS[exponent] == amount:
        return whole
    exact = Decimal(repr(amount)).scaleb(exponent)
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _major(minor: int, exponent: int) -> float:
    if exponent == 0:
        return minor
    if abs(minor) < _EXACT:
        return minor / _POWERS[exponent]
    return float(Decimal(minor).scaleb(-exponent))


def _average(total: int, count: int, exponent: int) -> float:
    return _major(_divided(total, count), exponent)


def _rescaled(amount: int, exponent: int, other: int) -> int:
    return _divided(amount * 10**other, 10**exponent)


def _divided(amount: int, by: int) -> int:
    """Rounded to a whole number, halves away from zero."""
    if amount < 0:
        return -_divided(-amount, by)
    return (2 * amount + by) // (2 * by)
