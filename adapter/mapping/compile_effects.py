"""`catalog:` and `action:` of a mapping file -> their plans."""

from __future__ import annotations

from adapter.mapping.hints import did_you_mean
from adapter.mapping.parts import Parts, present
from adapter.mapping.plans import ActionPlan, CatalogPlan
from adapter.mapping.schema import ITEM, Field
from adapter.mapping.setters import setter
from adapter.mapping.trees import entries
from adapter.model import ACTIONS
from adapter.strictyaml import Node

CATALOG = ("id", "as_of", "removed", "product", "variants")
ACTION = ("kind", "when", "with")
VALUES = {
    "merge_people": {"kept": "id", "gone": "id"},
    "delete_person": {"id": "id"},
    "redact_person": {"id": "id", "email": "email", "phone": "phone", "orders": "id"},
    "redact_shop": {"shop": "text"},
    "report_person": {"id": "id", "email": "email", "phone": "phone", "orders": "id"},
}
"""What each action is told, and as which type; `orders` are several."""

_LISTS = ("orders",)
_VARIANTS = Field("variants", ITEM, is_list=True, optional=True)


def catalog_plan(parts: Parts, root: Node | None) -> CatalogPlan | None:
    """The product that a body is about."""
    if root is None or not parts.is_mapping(root, "catalog"):
        return None
    parts.known(root, "catalog.", CATALOG, "a part of catalog")
    id_node, removed, variants = root.get("id"), root.get("removed"), root.get("variants")
    if id_node is None:
        parts.fault(root, "catalog: 'id' is missing: which product is it?")
        return None
    expression = parts.expression(id_node, "catalog.id")
    product = root.get("product")
    schema = parts.schema
    plan = CatalogPlan(
        id=setter(Field("id", "id"), expression, "catalog.id") if expression else None,  # type: ignore[arg-type]
        as_of=parts.optional("as_of", "time", root.get("as_of"), "catalog.as_of"),
        removed=parts.condition(removed, "catalog.removed") if removed else None,
        fields=parts.fields(
            product, "catalog.product", "product", schema.product, prefix="catalog.product"
        )
        if product
        else (),
        variants=parts.items(
            _VARIANTS,
            variants,
            "catalog.variants",
            "catalog.variants",
            kind="variant",
            fields=schema.variant,
        )
        if variants
        else None,
    )
    return plan if expression else None


def action_plan(parts: Parts, root: Node | None) -> ActionPlan | None:
    """What a body asks for."""
    if root is None or not parts.is_mapping(root, "action"):
        return None
    parts.known(root, "action.", ACTION, "a part of action")
    kind = root.get("kind")
    if kind is None or kind.value not in ACTIONS:
        place, said = (root, "is missing") if kind is None else (kind, f"no '{kind.value}'")
        hint = "" if kind is None else did_you_mean(str(kind.value), ACTIONS)
        parts.fault(place, f"action.kind: {said}; there is {', '.join(ACTIONS)}{hint}")
        return None
    known = VALUES[kind.value]
    found = []
    with_ = root.get("with")
    for name, key, node in (
        entries(with_) if with_ and parts.is_mapping(with_, "action.with") else ()
    ):
        if name not in known:
            hint = did_you_mean(name, known)
            parts.fault(key, f"action.with.{name}: not asked for by {kind.value}{hint}")
            continue
        path = f"action.with.{name}"
        field = Field(name, known[name], is_list=name in _LISTS, optional=True)
        found.append(parts.setter(field, node, path, path))
    when = parts.conditions(root.get("when"), "action.when")
    return ActionPlan(kind.value, when, present(found))
