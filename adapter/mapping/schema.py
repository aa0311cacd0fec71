"""The canonical contract, read from schema.yml: which events there are, what they hold, as what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.mapping.reserved import objection
from adapter.mapping.types import TYPES
from adapter.strictyaml import Node

ITEM = "item"
_LIST = "list of "
_SECTIONS = ("version", "person", "item", "events", "common", "flat", "product", "variant", "about")
REQUIRED = ("version", "person", "item", "events", "common", "flat")

Source = Literal["mapping", "items", "memory"]


@dataclass(frozen=True, slots=True)
class Field:
    """One property, item field or attribute. `source` says who fills it in."""

    name: str
    of: str
    is_list: bool = False
    optional: bool = False
    about: str = ""
    source: Source = "mapping"

    @property
    def type_name(self) -> str:
        return f"{_LIST}{self.of}" if self.is_list else self.of

    @property
    def has_items(self) -> bool:
        return self.is_list and self.of == ITEM

    def to_json_schema(self) -> dict[str, Any]:
        one = {"$ref": "#/$defs/item"} if self.of == ITEM else dict(TYPES[self.of].json_schema)
        schema = {"type": "array", "items": one} if self.is_list else one
        return {**schema, "description": self.about} if self.about else schema


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the contract and its own properties, in the order of the file."""

    name: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((each for each in self.fields if each.name == name), None)

    @property
    def has_items(self) -> bool:
        items = self.field("items")
        return items is not None and items.has_items


@dataclass(frozen=True, slots=True)
class Schema:
    """The whole contract. `product` and `variant` are what the catalog holds, `about` says of each
    event in a sentence what it means."""

    version: int
    person: tuple[Field, ...]
    item: tuple[Field, ...]
    events: Mapping[str, Event]
    common: tuple[Field, ...]
    flat: Mapping[str, str]
    product: tuple[Field, ...] = ()
    variant: tuple[Field, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)

    def event(self, name: str) -> Event:
        """One event; KeyError when the contract has none of that name."""
        return self.events[name]

    def filled_in(self, event: Event) -> tuple[Field, ...]:
        """What the engine adds to an event by itself: the flat lists and the common properties."""
        flat = tuple(
            Field(name, "text", is_list=True, optional=True, about=f"`{key}` of all items.")
            for name, key in self.flat.items()
            if event.has_items
        )
        return flat + self.common

    def to_json_schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 with a definition for each event's properties, person and item."""
        definitions = {
            event.name: _object((*event.fields, *self.filled_in(event)))
            for event in self.events.values()
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"Commerce events, version {self.version}",
            "type": "object",
            "$defs": {
                **definitions,
                "person": _object(self.person, closed=False),
                "item": _object(self.item),
            },
        }


def _object(fields: tuple[Field, ...], *, closed: bool = True) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {field.name: field.to_json_schema() for field in fields},
        "required": [field.name for field in fields if not field.optional],
        "additionalProperties": not closed,
    }


def read_schema(root: Node, faults: list[Fault], lower: Schema | None = None) -> Schema | None:
    """The contract that a tree holds; None, and faults, when one of its parts is missing.

    In place of what is faulty stands what the contract below it says, or an optional text: mapping
    files can then be read, so that their own faults are told at once with these.
    """
    if not root.is_mapping:
        faults.append(root.fault(f"a schema is a mapping of {', '.join(_SECTIONS)}"))
        return None
    for key, _ in root.items():
        if key.value not in _SECTIONS:
            hint = did_you_mean(str(key.value), _SECTIONS)
            faults.append(key.fault(f"{key.value}: not a part of a schema{hint}"))
    sections = {}
    for name in _SECTIONS:
        section = root.get(name)
        if section is None:
            if name in REQUIRED:
                faults.append(root.fault(f"'{name}' is missing"))
        elif name != "version" and not section.is_mapping:
            faults.append(section.fault(f"{name}: expected a mapping"))
        else:
            sections[name] = section
    if not all(name in sections for name in REQUIRED):
        return None
    version = sections["version"]
    if type(version.value) is not int or version.value < 1:
        faults.append(version.fault("version: expected a whole number from 1"))

    def flat_fields(name: str) -> tuple[Field, ...]:
        below = () if lower is None else getattr(lower, name)
        if name not in sections:
            return ()
        _well_named(name, sections[name], faults)
        return _fields(sections[name], faults, below, nested=False)

    item = flat_fields("item")
    for each in item:
        if each.is_list:
            faults.append(sections["item"].fault(f"item.{each.name}: an item holds no lists"))
    events = {}
    _well_named("events", sections["events"], faults)
    for key, node in sections["events"].items():
        name = str(key.value)
        if node.is_mapping:
            _well_named("event", node, faults)
        below = None if lower is None else lower.events.get(name)
        if node.is_mapping:
            events[name] = Event(name, _fields(node, faults, below.fields if below else ()))
        else:
            faults.append(node.fault(f"{name}: expected a mapping of properties"))
            events[name] = below or Event(name, ())
    flat = {}
    for key, node in sections["flat"].items():
        flat[str(key.value)] = str(node.value)
        names = [field.name for field in item]
        if node.value not in names:
            hint = did_you_mean(str(node.value), names)
            faults.append(node.fault(f"flat.{key.value}: not a field of item{hint}"))
    return Schema(
        version=version.value if type(version.value) is int else 1,
        person=tuple(replace(field, optional=True) for field in flat_fields("person")),
        item=item,
        events=events,
        common=flat_fields("common"),
        flat=flat,
        product=flat_fields("product"),
        variant=flat_fields("variant"),
        about=_about(sections.get("about"), events, faults, lower.events if lower else {}),
    )


def _well_named(section: str, node: Node, faults: list[Fault]) -> None:
    for key, _ in node.items():
        problem = objection(section, str(key.value))
        if problem:
            faults.append(key.fault(f"{key.value}: {problem}"))


def _about(
    section: Node | None,
    events: Mapping[str, Event],
    faults: list[Fault],
    lower: Mapping[str, Event],
) -> dict[str, str]:
    """What is said of events. One that an overlay took away is still an event of the lower one."""
    about = {}
    for key, node in section.items() if section else ():
        if key.value in events:
            about[str(key.value)] = str(node.value)
        elif key.value not in lower:
            hint = did_you_mean(str(key.value), events)
            faults.append(key.fault(f"about.{key.value}: not an event of the contract{hint}"))
    return about


def _fields(
    section: Node, faults: list[Fault], lower: tuple[Field, ...], *, nested: bool = True
) -> tuple[Field, ...]:
    below = {each.name: each for each in lower}
    fields = []
    for key, node in section.items():
        name = str(key.value)
        field = _field(key, node, faults, nested=nested)
        fields.append(field or below.get(name) or Field(name, "text", optional=True))
    return tuple(fields)


def _field(key: Node, node: Node, faults: list[Fault], *, nested: bool) -> Field | None:
    name = str(key.value)
    type_node: Node | None = node
    about, source = "", "mapping"
    if node.is_mapping:
        for inner, value in node.items():
            if inner.value not in ("type", "about", "from"):
                faults.append(inner.fault(f"{name}: a field has type, about and from"))
            elif inner.value == "about":
                about = str(value.value)
            elif inner.value == "from":
                source = str(value.value)
        type_node = node.get("type")
    if type_node is None or not type_node.is_text:
        faults.append(node.fault(f"{name}: expected a type"))
        return None
    if source not in ("mapping", "items", "memory"):
        faults.append(node.fault(f"{name}: from is items or memory"))
        return None
    text = type_node.value.removesuffix("?")
    of = text.removeprefix(_LIST)
    known = [*TYPES, ITEM] if nested else list(TYPES)
    if of not in known or (of == ITEM and of == text):
        hint = did_you_mean(of, TYPES)
        if not hint and of != ITEM:
            hint = f"; there are {', '.join(TYPES)}"
        faults.append(type_node.fault(f"{name}: no type '{text}'{hint}"))
        return None
    return Field(name, of, of != text, text != type_node.value, about, source)  # type: ignore[arg-type]
