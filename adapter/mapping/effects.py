"""What a body may be about besides people: a product of the catalog, or an action to be taken."""

from __future__ import annotations

from adapter.mapping.plans import ActionPlan, CatalogPlan, Frame, Setter, fill
from adapter.model import Json, Product


def catalog(plan: CatalogPlan, body: dict[str, Json], frame: Frame) -> Product:
    """The product that a body tells of; a bad or missing id raises FieldError."""
    id_ = plan.id.need(body, frame)
    when = as_of(plan.as_of, body, frame)
    if plan.removed is not None and plan.removed(body, frame.delivery):
        return Product(id_, when, removed=True)
    variants: list[Json] = []
    if plan.variants is not None:
        variants = fill((plan.variants,), body, frame).get(plan.variants.name) or []
    fields = fill(plan.fields, body, frame)
    _join_pictures(fields, variants)
    return Product(id_, when, fields=fields, variants=tuple(variants))


def _join_pictures(fields: dict[str, Json], variants: list[Json]) -> None:
    """Give variants that name their picture by id its address. Both lists have served then.

    A picture without an id or an address would shift one of them, so of unequal ones none counts.
    """
    ids, urls = fields.pop("picture_ids", []), fields.pop("picture_urls", [])
    known = dict(zip(ids, urls, strict=True)) if len(ids) == len(urls) else {}
    for variant in variants:
        url = known.get(variant.pop("picture_id", None))
        if url is not None:
            variant.setdefault("image_url", url)


def values_of(plan: ActionPlan, body: dict[str, Json], frame: Frame) -> dict[str, Json]:
    """Whom or what an action is about; a bad value is left out and noted."""
    return fill(plan.values, body, frame)


def as_of(setter: Setter | None, body: dict[str, Json], frame: Frame) -> int:
    """When a body's values were true, Unix seconds: what the mapping says, else the delivery."""
    found = None if setter is None else fill((setter,), body, frame).get(setter.name)
    if found is not None:
        return int(found)
    triggered = frame.delivery.triggered_at
    return frame.delivery.received_at if triggered is None else int(triggered // 1)
