"""Why a body became what it became: for each value the alternative that gave it, for each event the
conditions that it hung on. Pure.

The values themselves are the engine's own (`Mapped`); only where they came from is worked out here,
from the outline of the files, so that an explanation cannot say anything but what will be sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from adapter.mapping import trace_events
from adapter.mapping.compile_effects import VALUES
from adapter.mapping.lookups import Lookups, place_of, value_of
from adapter.mapping.origins import Hinge, ListOrigin, Origin, Trace, seen
from adapter.mapping.outline import Outline, Outlines
from adapter.mapping.rules import Rules
from adapter.mapping.schema import Field, Schema
from adapter.model import Json, Mapped
from adapter.strictyaml import Node

_IDENTITY = (("id", "id"), ("email", "email"), ("phone", "phone"), ("anonymous_id", "id"))


def trace(mapped: Mapped, body: Json, files: Outlines, schema: Schema) -> Trace:
    """The reasons of what a body became; an empty Trace for a topic that no file is for."""
    outline = files.of(mapped.delivery.topic)
    if outline is None or not isinstance(body, dict):
        return Trace()
    look = Lookups(mapped, body, files, outline, schema)
    return replace(
        _person(look),
        file=_file(outline),
        ignored=_ignored(look),
        culprit=_culprit(look),
        order=look.one("order", "id", mapped.order, "order"),
        events=trace_events.events(look),
        catalog=_catalog(look),
        variants=_variants(look),
        action=_action(look),
        hinges=look.hinges("action", "when"),
    )


def derived(
    values: Mapping[str, Json], rules: Rules, root: Node | None, schema: Schema
) -> tuple[Origin, ...]:
    """Attributes that no body holds: what a rule reads for one, and where the rule stands."""
    keys = (root.keys or {}) if root is not None else {}
    by_name = {rule.name: rule for rule in rules.rules}
    types = {each.name: each.type_name for each in schema.person}
    found = []
    for name, value in values.items():
        origin = Origin(name, value, "by the adapter", of=types.get(name, ""), key=name)
        if name in by_name:
            read = ", ".join(sorted(by_name[name].reads))
            place = f"{keys[name].file}:{keys[name].line}" if name in keys else ""
            origin = replace(origin, path=f"by a rule, of {read}", place=place)
        found.append(origin)
    return tuple(found)


def _file(outline: Outline) -> str:
    """The file that most of it stands in: overlays change but a little of one."""
    files = Counter(each.node.file for each in outline.written.values())
    return files.most_common(1)[0][0] if files else outline.root.file


# --- what decides


def _ignored(look: Lookups) -> Hinge | None:
    """The condition of `ignore_when` that was the reason."""
    if look.mapped.outcome != "ignored":
        return None
    reason = look.mapped.reason or ""
    written = look.outline.get("ignore_when", reason)
    return None if written is None else look.hinge(written, reason)


def _culprit(look: Lookups) -> Origin | None:
    """The expression behind the path that a parked body's reason begins with."""
    reason = look.mapped.reason or ""
    if look.mapped.outcome != "parked" or ": " not in reason:
        return None
    path = reason.partition(": ")[0]
    event, _, rest = path.partition(".")
    name, _, inner = rest.partition("[")
    outline = look.outline
    written = (
        outline.get("events", event, "properties", name)
        or outline.get("events", event, rest)
        or outline.get("events", event, rest, "0")
        or outline.get(*path.split("."))
        or outline.get(*path.split(".", 1))
    )
    if written is None:
        return None
    root: dict[str, Json] = look.body
    if written.uses and inner:
        number, _, item_field = inner.partition("].")
        elements = look.first(written)
        fragment = look.files.fragments.get(written.uses, {})
        if not item_field or item_field not in fragment or not number.isdigit():
            return None
        written, root = fragment[item_field], elements[int(number)]
    asked = [
        f"{choice.text} is {seen(value_of(choice, root, look.delivery))}"
        for choice in written.choices
    ]
    return Origin(path, path=written.text, passed=tuple(asked), place=place_of(written))


# --- what it is about


def _person(look: Lookups) -> Trace:
    person = look.mapped.person
    known = person.to_json() if person else {}
    own = {each.name: each for each in look.schema.person}
    values, gaps = known.get("attributes", {}), known.get("gaps", ())
    strong = {name: value for name, value in values.items() if name not in gaps}
    weak = {name: values[name] for name in gaps}
    # Amounts are in the person's currency, which is no gap.
    found = look.below(strong, own, "person", "attributes")
    times = {name: Field(name, "time") for name in own}
    identity = (look.one(name, of, known.get(name), "person", name) for name, of in _IDENTITY)
    tokens = look.outline.below("person", "tokens")
    return Trace(
        identity=tuple(each for each in identity if each),
        tokens=look.below(
            known.get("tokens", {}),
            {name: Field(name, "id") for name in tokens},
            "person",
            "tokens",
        ),
        as_of=look.one("as_of", "time", person.as_of if person else None, "person", "as_of"),
        attributes=tuple(each for each in found if not each.is_gone),
        absent=tuple(each for each in found if each.is_gone and each.name not in weak),
        gaps=tuple(each for each in look.below(weak, own, "person", "gaps") if not each.is_gone),
        times=tuple(
            each
            for each in look.below(known.get("times", {}), times, "person", "times")
            if each.problem or (each.name in values and not each.is_gone)
        ),
        changes=_changes(look, known.get("changes", {}), own),
    )


def _changes(
    look: Lookups, changes: Mapping[str, Json], own: Mapping[str, Field]
) -> tuple[Origin, ...]:
    found = []
    for role, written in look.outline.written.items():
        if role[:2] == ("person", "changes") and len(role) == 4:
            attribute, change = role[2:]
            value = changes.get(attribute, {}).get(change)
            origin = look.origin(written, ".".join(role), own.get(attribute), value)
            found.append(replace(origin, name=f"{attribute}.{change}"))
    return tuple(found)


def _catalog(look: Lookups) -> tuple[Origin, ...]:
    product = look.mapped.catalog
    if product is None:
        return ()
    own = {each.name: each for each in look.schema.product}
    found = (
        look.one("id", "id", product.id, "catalog", "id"),
        look.one("as_of", "time", product.as_of, "catalog", "as_of"),
        *look.below(product.fields, own, "catalog", "product"),
    )
    return tuple(each for each in found if each and not each.is_gone)


def _variants(look: Lookups) -> ListOrigin | None:
    product, written = look.mapped.catalog, look.outline.get("catalog", "variants")
    if product is None or written is None or not product.variants:
        return None
    variants = [dict(each) for each in product.variants]
    of = Field("variants", "item", is_list=True)
    origin = look.origin(written, "catalog.variants", of, variants)
    return look.items(origin, written, variants, look.schema.variant, {})


def _action(look: Lookups) -> tuple[Origin, ...]:
    action = look.mapped.action
    if action is None:
        return ()
    types, values = VALUES.get(action.kind, {}), action.values
    fields = {
        name: Field(name, of, isinstance(values.get(name), list)) for name, of in types.items()
    }
    return look.below(values, fields, "action", "with")
