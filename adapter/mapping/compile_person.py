"""`person:` of a mapping file -> PersonPlan."""

from __future__ import annotations

from adapter.mapping.hints import did_you_mean
from adapter.mapping.parts import Parts, present
from adapter.mapping.plans import PersonPlan, Setter
from adapter.mapping.schema import Field
from adapter.mapping.setters import contact_setter
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

PARTS = (
    "id", "email", "phone", "anonymous_id", "tokens", "as_of", "attributes", "changes", "gaps",
    "times", "platform_id",
)  # fmt: skip
CHANGES = ("add", "remove")
_CONTACTS = {"email": "email", "phone": "phone", "anonymous_id": "id"}


def person_plan(parts: Parts, root: Node | None) -> PersonPlan:
    """Whom a body is about; a file without `person` looks for nobody."""
    if root is None or not parts.is_mapping(root, "person"):
        return PersonPlan()
    known = [each.name for each in parts.schema.person]
    parts.known(root, "person.", PARTS, "a part of person", ("attributes", known))
    attributes = _attributes(parts, root, "attributes")
    return PersonPlan(
        id=parts.optional("id", "id", root.get("id"), "person.id"),
        contacts=present(
            _contact(parts, name, of, root.get(name)) for name, of in _CONTACTS.items()
        ),
        as_of=parts.optional("as_of", "time", root.get("as_of"), "person.as_of"),
        tokens=present(
            parts.optional(name, "id", node, f"person.tokens.{name}")
            for name, _, node in parts.section(root, "tokens", "person.")
        ),
        attributes=present(attributes.values()),
        changes=_changes(parts, root),
        gaps=present(_attributes(parts, root, "gaps").values()),
        times=_times(parts, root),
        platform_id=parts.optional(
            "platform_id", "id", root.get("platform_id"), "person.platform_id"
        ),
        names=any(root.get(name) is not None for name in ("id", "email", "phone")),
        currency=attributes.get("currency"),
    )


def _contact(parts: Parts, name: str, of: str, node: Node | None) -> Setter | None:
    path = f"person.{name}"
    found = parts.optional(name, of, node, path)
    if found is None or found.expression is None:
        return found
    return contact_setter(Field(name, of, optional=True), found.expression, path)


def _times(parts: Parts, root: Node) -> tuple[Setter, ...]:
    own = {each.name for each in parts.schema.person}
    found = []
    for name, key, node in parts.section(root, "times", "person."):
        what = f"times.{name}"
        if name in own:
            field = Field(name, "time", optional=True)
            found.append(parts.setter(field, node, what, f"person.{what}"))
        else:
            hint = did_you_mean(name, own)
            parts.fault(key, f"{what}: not an attribute of person{hint}")
    return present(found)


def _attributes(parts: Parts, root: Node, section: str) -> dict[str, Setter | None]:
    own = {each.name: each for each in parts.schema.person}
    found: dict[str, Setter | None] = {}
    for name, key, node in parts.section(root, section, "person."):
        if name in ("email", "phone"):
            parts.fault(key, f"{section}.{name}: is set by person.{name}")
        elif name not in own:
            hint = did_you_mean(name, own)
            parts.fault(key, f"{section}.{name}: not an attribute of person{hint}")
        else:
            what = f"{section}.{name}"
            found[name] = parts.setter(own[name], node, what, f"person.{what}")
    return found


def _changes(parts: Parts, root: Node) -> tuple[tuple[str, tuple[Setter, ...]], ...]:
    lists = {each.name: each for each in parts.schema.person if each.is_list}
    found = []
    for name, key, node in parts.section(root, "changes", "person."):
        what = f"changes.{name}"
        if name not in lists:
            hint = did_you_mean(name, lists)
            parts.fault(key, f"{what}: not a list attribute of person{hint}")
        elif parts.is_mapping(node, what):
            parts.known(node, f"{what}.", CHANGES, "a change: add or remove")
            of = lists[name].of
            setters = present(
                parts.setter(
                    Field(change, of, is_list=True, optional=True),
                    value,
                    f"{what}.{change}",
                    f"person.{what}.{change}",
                )
                for change, _, value in entries(node)
                if change in CHANGES
            )
            found.append((name, setters))
    return tuple(found)
