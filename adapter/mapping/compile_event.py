"""One event of a mapping file -> EventPlan."""

from __future__ import annotations

from adapter.mapping.hints import did_you_mean
from adapter.mapping.parts import Parts, present
from adapter.mapping.plans import EventPlan, Flat, Setter
from adapter.mapping.schema import Event, Field
from adapter.mapping.setters import setter
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

PARTS = ("when", "once", "at", "properties")
_CHANGES = "updated_at"


def event_plan(parts: Parts, name: str, key: Node, root: Node) -> EventPlan | None:
    """When it fires, what makes it happen only once, when it happened and what it holds."""
    schema = parts.schema
    event = schema.events.get(name)
    if event is None:
        hint = did_you_mean(name, schema.events)
        parts.fault(key, f"events.{name}: not an event of the contract{hint}")
    if not parts.is_mapping(root, f"events.{name}") or event is None:
        return None
    own = [each.name for each in event.fields]
    parts.known(root, f"{name}.", PARTS, "a part of an event", ("properties", own))
    once_node, at_node = root.get("once"), root.get("at")
    if once_node is None:
        parts.fault(key, f"{name}: 'once' is missing: what makes it happen only once?")
    if at_node is None:
        parts.fault(key, f"{name}: 'at' is missing: when did it happen?")
    once, reads = _once(parts, name, once_node) if once_node else ((), set())
    at = at_node and _at(parts, name, at_node, reads)
    setters = _properties(parts, event, key, root.get("properties"))
    when = parts.conditions(root.get("when"), f"{name}.when")
    if not at or not once:
        return None
    given = {each.name: each for each in setters}
    return EventPlan(
        name=name,
        when=when,
        once=once,
        at=at,
        setters=setters,
        currency=given.get("currency"),
        presentment_currency=given.get("presentment_currency"),
        flat=tuple(Flat(*each) for each in schema.flat.items()) if "items" in given else (),
        counts_items=event.field("item_count") is not None,
    )


def _once(parts: Parts, event: str, node: Node) -> tuple[tuple[Setter, ...], set[str]]:
    """The parts of the business key, and every name that their paths read."""
    setters: list[Setter] = []
    reads: set[str] = set()
    change: list[bool] = []
    for each in node.value if node.is_sequence else (node,):
        expression = parts.expression(each, "once")
        if expression:
            change.append(any(path.names[-1] == _CHANGES for path in expression.paths))
            setters.append(setter(Field("once", "id"), expression, f"{event}.once"))
            reads.update(name for path in expression.paths for name in path.names)
    if node.is_sequence and not node.value:
        parts.fault(node, "once: expected an expression or a list of them")
    if change and all(change):
        said = f"once: {_CHANGES} changes, and {event} would come again each time"
        parts.warnings.append(node.fault(f"{said}; expected the id of what it is about"))
    return tuple(setters), reads


def _at(parts: Parts, event: str, node: Node, reads: set[str]) -> Setter | None:
    found = parts.setter(Field("at", "time"), node, "at", f"{event}.at")
    if found is None or found.expression is None:
        return None
    changes = any(path.names[-1] == _CHANGES for path in found.expression.paths)
    if changes and _CHANGES not in reads:
        parts.fault(node, "at: updated_at changes; the time of a once-event must not")
    return found


def _properties(parts: Parts, event: Event, key: Node, root: Node | None) -> tuple[Setter, ...]:
    if root is not None and root.blank:
        return ()
    place = key
    setters = []
    given: set[str] = set()
    if root is not None and parts.is_mapping(root, f"{event.name}.properties"):
        place = root
        for name, name_key, node in entries(root):
            given.add(name)
            field = _property(parts, event, name, name_key)
            if field is None:
                continue
            what, path = f"properties.{name}", f"{event.name}.{name}"
            read = parts.items if field.has_items else parts.setter
            setters.append(read(field, node, what, path))
    for field in event.fields:
        if not field.optional and field.source == "mapping" and field.name not in given:
            parts.fault(place, f"properties.{field.name}: is missing, {event.name} requires it")
    order = {field.name: number for number, field in enumerate(event.fields)}
    return tuple(sorted(present(setters), key=lambda each: order[each.name]))


def _property(parts: Parts, event: Event, name: str, key: Node) -> Field | None:
    field = event.field(name)
    if field is None:
        if any(each.name == name for each in parts.schema.filled_in(event)):
            parts.fault(key, f"properties.{name}: the engine fills it in")
        else:
            hint = did_you_mean(name, (each.name for each in event.fields))
            parts.fault(key, f"properties.{name}: not a field of {event.name}{hint}")
    elif field.source == "memory":
        parts.fault(key, f"properties.{name}: is filled in from memory")
    else:
        return field
    return None
