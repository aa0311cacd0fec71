"""What a body tells of an order's money. It never parks a delivery: what is bad is left out."""

from __future__ import annotations

from collections.abc import Iterable

from adapter.errors import FieldError
from adapter.mapping.effects import as_of
from adapter.mapping.plans import Frame, LedgerPlan, Setter, fill
from adapter.mapping.types import exponent_of, to_money
from adapter.model import Json, LeftOut, MoneyBack, OrderMoney


def order_money(plan: LedgerPlan, body: dict[str, Json], frame: Frame) -> OrderMoney | None:
    """The facts of a body; None where it names no order, or tells nothing of its money."""
    try:
        order = plan.order.get(body, frame)
        refund = fill(plan.refund, body, frame) if plan.refund else None
    except FieldError as error:
        frame.left_out.append(LeftOut(error.path, error.problem))
        return None
    currency = _currency(plan.currency, body, frame)
    seen = _currency(plan.presentment_currency, body, frame)
    if seen == currency:
        seen = None
    frame.exponent, frame.presentment_exponent = exponent_of(currency), exponent_of(seen)
    found = fill(plan.fields, body, frame)
    if seen is not None:
        found.update(fill(plan.presentment, body, frame))
    told = _list(plan.refunds, body, frame) if refund is None else [refund]
    if told:
        found.update(fill(plan.refunded, body, frame))
    value = found.get("value")
    if order is None or (value is None and not told):
        return None
    cards = _list(plan.gift_cards, body, frame)
    tax_included = found.get("tax_included", False)
    return OrderMoney(
        order,
        as_of(plan.as_of, body, frame),
        frame.delivery.triggered_at,
        found.get("at"),
        currency,
        value,
        found.get("total"),
        _worth(cards, frame) if cards else 0,
        _shipping_off(found, told),
        found.get("cancelled", False),
        seen,
        found.get("presentment_total"),
        tuple([_refund(each, tax_included) for each in told]),
    )


def _currency(setter: Setter | None, body: dict[str, Json], frame: Frame) -> str | None:
    return None if setter is None else fill((setter,), body, frame).get(setter.name)


def _list(setter: Setter | None, body: dict[str, Json], frame: Frame) -> list[dict[str, Json]]:
    return [] if setter is None else fill((setter,), body, frame).get(setter.name) or []


def _shipping_off(found: dict[str, Json], refunds: Iterable[dict[str, Json]]) -> float:
    """The shipping that was paid back and is no longer in the price.

    Where some is gone that nobody was paid back, it was a discount, or the order was edited.
    """
    shipping = found.get("shipping", 0)
    gone: float = shipping - found.get("shipping_now", shipping)
    back: float = sum(abs(refund.get("shipping", 0)) for refund in refunds)
    return max(0, round(min(gone, back), 4))


def _refund(found: dict[str, Json], tax_included: bool) -> MoneyBack:
    lines, presentment_lines = found.get("lines", 0), found.get("presentment_lines", 0)
    if not tax_included:
        # Sums of amounts have few decimals, so rounding takes away what a float puts behind them.
        lines = round(lines + found.get("lines_tax", 0), 4)
        presentment_lines = round(presentment_lines + found.get("presentment_lines_tax", 0), 4)
    return MoneyBack(
        found["id"], found.get("amount", 0), found.get("currency"), lines, presentment_lines
    )


def _worth(cards: Iterable[dict[str, Json]], frame: Frame) -> float:
    """What is left of lines of gift cards; a line's discount is for all that were bought of it."""
    worth = 0.0
    for line in cards:
        left = line.get("quantity", 1)
        bought = line.get("bought", left)
        discount = line.get("discount", 0) * left / bought if bought else 0
        worth += line["price"] * left - discount
    try:
        # Amounts have few decimals, so a float's last digits cannot turn the rounding.
        return to_money(round(worth, 6), frame.exponent) or 0
    except ValueError as error:
        frame.left_out.append(LeftOut("ledger.gift_cards", str(error)))
        return 0
