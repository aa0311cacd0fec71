"""`ledger:` of a mapping file -> its plan."""

from __future__ import annotations

from adapter.mapping.parts import Parts, present
from adapter.mapping.plans import LedgerPlan, Setter
from adapter.mapping.schema import ITEM, Field
from adapter.strictyaml import Node


def _optional(name: str, of: str, about: str) -> Field:
    return Field(name, of, optional=True, about=about)


ORDER = (
    _optional("at", "time", "When it was bought."),
    _optional("value", "money", "What the order costs now, after edits and returned lines."),
    _optional("total", "money", "What it cost when it was bought."),
    _optional("cancelled", "boolean", "Whether it was cancelled."),
)
CURRENCIES = (
    _optional("currency", "currency", "The shop's currency, which all plain amounts are in."),
    _optional("presentment_currency", "currency", "The currency that the buyer saw."),
)
PRESENTMENT = (_optional("presentment_total", "money", "`total` as the buyer saw it."),)
REFUNDED = (
    _optional("shipping", "money", "The shipping in `total`."),
    _optional("shipping_now", "money", "The shipping in `value`."),
    _optional("tax_included", "boolean", "Whether prices of lines hold their tax."),
)
WHOLE = (*CURRENCIES, *ORDER, *PRESENTMENT, *REFUNDED)
"""What a body of a whole order tells of it. All may be absent: then less is known."""

REFUND = (
    Field("id", "id", about="The platform's id of the refund."),
    _optional("amount", "number", "The money that went back."),
    _optional("currency", "currency", "The currency in which it went back."),
    _optional("lines", "number", "What the price of the order fell by, in the shop's currency."),
    _optional("lines_tax", "number", "The tax on `lines`."),
    _optional("presentment_lines", "number", "`lines` in the currency that the buyer saw."),
    _optional("presentment_lines_tax", "number", "The tax on `presentment_lines`."),
    _optional("shipping", "number", "The shipping that was paid back, whatever its sign."),
)
"""What tells of one refund: an element of the order's body, or a body of its own."""

GIFT_CARD = (
    Field("price", "money", about="The price of one, in the shop's currency."),
    _optional("quantity", "integer", "How many are still in the order."),
    _optional("bought", "integer", "How many were bought: what `discount` is for."),
    _optional("discount", "money", "The discount on the line."),
)
"""One line of gift cards."""

LISTS = {"refunds": ("refund", REFUND), "gift_cards": ("gift card", GIFT_CARD)}
"""Lists of a body: what an element is called, and what it tells."""

PARTS = ("order", "as_of", *(field.name for field in WHOLE), *LISTS, "refund")


def ledger_plan(parts: Parts, root: Node | None, order: Setter | None) -> LedgerPlan | None:
    """The money of the order that a body is about; `order` is the file's own id of it."""
    if root is None or not parts.is_mapping(root, "ledger"):
        return None
    parts.known(root, "ledger.", PARTS, "a part of ledger")
    own = parts.optional("order", "id", root.get("order"), "ledger.order") or order
    if own is None:
        parts.fault(root, "ledger: 'order' is missing: which order is it?")
        return None

    def own_fields(fields: tuple[Field, ...]) -> tuple[Setter, ...]:
        return present(
            parts.setter(field, node, f"ledger.{field.name}", f"ledger.{field.name}")
            for field in fields
            if (node := root.get(field.name)) is not None
        )

    if root.get("value") is None and root.get("refund") is None:
        parts.fault(root, "ledger: 'value' is missing, or 'refund' where the body is about one")
    return LedgerPlan(
        order=own,
        as_of=parts.optional("as_of", "time", root.get("as_of"), "ledger.as_of"),
        currency=parts.optional("currency", "currency", root.get("currency"), "ledger.currency"),
        presentment_currency=parts.optional(
            "presentment_currency",
            "currency",
            root.get("presentment_currency"),
            "ledger.presentment_currency",
        ),
        fields=own_fields(ORDER),
        presentment=own_fields(PRESENTMENT),
        refunded=own_fields(REFUNDED),
        refunds=_list(parts, root, "refunds"),
        gift_cards=_list(parts, root, "gift_cards"),
        refund=_refund(parts, root.get("refund")),
    )


def _list(parts: Parts, root: Node, name: str) -> Setter | None:
    node = root.get(name)
    if node is None:
        return None
    kind, fields = LISTS[name]
    field = Field(name, ITEM, is_list=True, optional=True)
    what = f"ledger.{name}"
    return parts.items(field, node, what, what, kind=kind, fields=fields)


def _refund(parts: Parts, node: Node | None) -> tuple[Setter, ...]:
    if node is None:
        return ()
    return parts.fields(node, "ledger.refund", "refund", REFUND, prefix="ledger.refund")
