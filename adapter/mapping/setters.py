"""Field and expression -> the Setter that evaluates, coerces and notes what was left out."""

from __future__ import annotations

from collections.abc import Callable

from adapter.errors import FieldError
from adapter.mapping.expressions import Expression, compile_tree
from adapter.mapping.plans import Frame, Setter, fill
from adapter.mapping.schema import Field
from adapter.mapping.syntax import Either
from adapter.mapping.types import TYPES, Coerce, to_money, unfit
from adapter.mapping.values import is_blank, kind
from adapter.model import Delivery, Json, LeftOut

LINE_TOTAL = "line_total"

_SURE = 1e9
"""Below it a float holds six decimals for sure."""

_DUST = 4e-7
"""What is nearer than that is the same in six decimals."""

Framed = Callable[[Json, Frame], Json]


def setter(field: Field, expression: Expression, path: str) -> Setter:
    """The setter of a field that holds no items."""
    coerce: Coerce | Framed = TYPES[field.of].coerce
    framed = False
    if field.is_list:
        coerce, framed = _list(field, TYPES[field.of].coerce, path), True
    elif field.of == "money":
        coerce, framed = _presentment if field.name.startswith("presentment_") else _money, True
    required = not field.optional and field.source == "mapping"
    key, evaluate = expression.key, expression.evaluate
    return Setter(
        field.name, path, key, evaluate, coerce, framed, required, field.is_list, expression
    )


def contact_setter(field: Field, expression: Expression, path: str) -> Setter:
    """The setter of a contact: of alternatives (`a ?? b`) the first that is good, not just there.

    A phone without its country must not hide the good one behind it.
    """
    if not isinstance(expression.tree, Either):
        return setter(field, expression, path)
    coerce = TYPES[field.of].coerce
    choices = [compile_tree(tree).evaluate for tree in expression.tree.choices]

    def evaluate(root: dict[str, Json], delivery: Delivery) -> Json:
        return [choice(root, delivery) for choice in choices]

    def first(values: Json, frame: Frame) -> Json:
        for value in values:
            if is_blank(value):
                continue
            try:
                typed = coerce(value)
            except ValueError as error:
                frame.left_out.append(LeftOut(path, str(error)))
                continue
            if typed is not None:
                return typed
        return None

    return Setter(field.name, path, None, evaluate, first, True, False, False, expression)


def items_setter(
    field: Field,
    each: Expression,
    fragment: tuple[Setter, ...],
    path: str,
    *,
    totals: bool = False,
) -> Setter:
    """The setter of a list of items: every element of `each`, as the fragment says.

    With `totals` an item of which price, quantity and discount are known is given its line_total.
    """
    items, required = _items(field, fragment, path, totals=totals), not field.optional
    return Setter(field.name, path, each.key, each.evaluate, items, True, required, True, each)


def _money(value: Json, frame: Frame) -> Json:
    return to_money(value, frame.exponent)


def _presentment(value: Json, frame: Frame) -> Json:
    return to_money(value, frame.presentment_exponent)


def _rounded(amount: float, exponent: int | None) -> Json:
    """A calculated amount as money. Amounts have few decimals, so a float's last digits cannot turn
    the rounding."""
    if exponent and abs(amount) < _SURE:
        near = round(amount, exponent)
        if abs(near - amount) < _DUST:
            return near + 0.0  # it has no more decimals than its currency; + 0.0: no negative zero
    return to_money(round(amount, 6), exponent)


def _list(field: Field, one: Coerce, path: str) -> Framed:
    """A list, or a text with commas. Bad elements are left out, each with its own path."""

    def coerce(value: Json, frame: Frame) -> Json:
        if isinstance(value, str):
            value = value.split(",")
        elif not isinstance(value, list):
            raise unfit(field.type_name, value)
        found = []
        for number, element in enumerate(value):
            if element is None:
                continue
            try:
                typed = one(element)
            except ValueError as error:
                frame.left_out.append(LeftOut(f"{path}[{number}]", str(error)))
                continue
            if typed is not None:
                found.append(typed)
        return found or None

    return coerce


def _items(field: Field, fragment: tuple[Setter, ...], path: str, *, totals: bool) -> Framed:
    """A bad item loses the list if the event can do without it, else the event."""
    totals = totals and all(each.name != LINE_TOTAL for each in fragment)

    def coerce(value: Json, frame: Frame) -> Json:
        if not isinstance(value, list):
            if is_blank(value):
                return None
            raise unfit(field.type_name, value)
        found = []
        try:
            for number, element in enumerate(value):
                if element is None:
                    continue
                where = f"{path}[{number}]"
                if type(element) is not dict:
                    raise FieldError(where, f"expected item, got {kind(element)}")
                item = fill(fragment, element, frame, where)
                if totals and "discount_amount" in item and "price" in item:
                    total = item["price"] * item["quantity"] - item["discount_amount"]
                    item[LINE_TOTAL] = _rounded(total, frame.exponent)
                found.append(item)
        except FieldError as error:
            if not field.optional:
                raise
            frame.left_out.append(LeftOut(error.path, error.problem))
            return None
        return found or None

    return coerce
