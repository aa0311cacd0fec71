"""What an overlay does to the contract: changes that break what is built on it, names unused.

All of it may be meant, so all of it is a warning. What an overlay adds breaks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapter.errors import Fault
from adapter.mapping.blame import in_contract
from adapter.mapping.hints import did_you_mean
from adapter.mapping.schema import Field, Schema
from adapter.mapping.sources import RULES_FILE, Sources
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

Role = tuple[str, ...]
Fields = tuple[Field, ...]

_CALLED = {"person": "attribute ", "item": "item field "}


def warnings(sources: Sources, lower: Schema, schema: Schema) -> list[Fault]:
    """What is to be said of the files that are laid over a contract, `lower`."""
    return [*_changed(sources, lower, schema), *_unused(sources, lower, schema)]


def _changed(sources: Sources, lower: Schema, schema: Schema) -> Iterator[Fault]:
    now = {role: fields for role, _, fields in _parts(schema)}
    for role, called, fields in _parts(lower):
        if role not in now:
            if node := in_contract(sources, role):
                lost = "journeys that are built on the shipped contract lose it"
                yield node.fault(f"{role[-1]}: is no event any more: {lost}")
            continue
        own = {each.name: each for each in now[role]}
        for field in fields:
            said = _difference(field, own.get(field.name), is_person=role == ("person",))
            node = in_contract(sources, (*role, field.name)) if said else None
            if node is not None:
                yield node.fault(f"{called}{field.name}: {said}")


def _difference(was: Field, now: Field | None, *, is_person: bool) -> str | None:
    breaks = "what is built on the shipped contract breaks"
    if now is None:
        return f"is taken out of the contract: {breaks}"
    if now.type_name != was.type_name:
        return f"is {was.type_name} in the shipped contract and {now.type_name} here: {breaks}"
    if is_person or was.optional == now.optional:
        return None
    if was.optional:
        return "may be absent in the shipped contract and not here: a body without it is parked"
    return f"is always there in the shipped contract and may be absent here: {breaks}"


def _unused(sources: Sources, lower: Schema, schema: Schema) -> Iterator[Fault]:
    """What is declared, and filled in by no mapping and no rule."""
    fed, attributes = _fed(sources)
    for event in schema.events.values():
        node = in_contract(sources, ("events", event.name))
        if node is None:
            continue
        if event.name not in lower.events and event.name not in fed:
            hint = did_you_mean(event.name, lower.events)
            yield node.fault(f"{event.name}: is declared, but no mapping feeds it{hint}")
            continue
        known = lower.events.get(event.name)
        for field in event.fields:
            is_own = known is None or known.field(field.name) is None
            # Without a required one the mapping is at fault, and told so.
            may_lack = field.optional and field.source == "mapping"
            if is_own and may_lack and field.name not in fed.get(event.name, ()):
                yield from _unfilled(sources, "events", event.name, field.name)
    attributes |= {each.name for each in lower.person}
    for field in schema.person:
        if field.name not in attributes:
            yield from _unfilled(sources, "person", field.name)


def _unfilled(sources: Sources, *role: str) -> Iterator[Fault]:
    node = in_contract(sources, role)
    if node is not None:
        what = ".".join(role[1:])
        yield node.fault(f"{what}: is declared, but no mapping fills it")


def _fed(sources: Sources) -> tuple[dict[str, set[str]], set[str]]:
    """The properties that mapping files set, by their event, and the attributes that they or rules
    set."""
    fed: dict[str, set[str]] = {}
    attributes = {name for name, _ in _named(sources.top.get(RULES_FILE))}
    for _, rule in _named(sources.top.get(RULES_FILE)):
        event = rule.get("event") if rule.is_mapping else None
        if event is not None and event.is_text:
            fed[event.value] = {"old", "new"}
    for trees in (*sources.platforms.values(), *sources.shops.values()):
        for tree in trees.values():
            for name, event in _named(_get(tree, "events")):
                fed.setdefault(name, set()).update(dict(_named(_get(event, "properties"))))
            person = _get(tree, "person")
            for part in ("attributes", "changes"):
                attributes.update(dict(_named(_get(person, part))))
    return fed, attributes


def _parts(schema: Schema) -> Iterator[tuple[Role, str, Fields]]:
    """(role, what its fields are called by, fields) of every part of a contract."""
    for event in schema.events.values():
        yield ("events", event.name), f"{event.name}.", event.fields
    sections: Mapping[str, Fields] = {
        "person": schema.person,
        "item": schema.item,
        "common": schema.common,
        "product": schema.product,
        "variant": schema.variant,
    }
    for name, fields in sections.items():
        yield (name,), _CALLED.get(name, f"{name}."), fields


def _get(node: Node | None, name: str) -> Node | None:
    return node.get(name) if node is not None and node.is_mapping else None


def _named(node: Node | None) -> list[tuple[str, Node]]:
    if node is None or not node.is_mapping:
        return []
    return [(name, value) for name, _, value in entries(node)]
