"""Names on the way out (names.yml): what Customer.io calls events, properties and attributes.

    preset: none                                   # none, title_case, segment or klaviyo
    events:
      order_completed: Purchase                    # canonical: outgoing; wins over the preset
      order_refunded: {name: Refund, properties: {refund_amount: amount}}
    properties: {cart_value: value}                # of all events that have it
    items: {product_id: ProductID}
    attributes: {lifetime_value: [lifetime_value, ltv]}      # under several names while migrating

Nothing but the wire sees these names: mappings, rules, keys, ULIDs, memory and dead letters hold
the canonical ones, so a name can be changed at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.mapping.presets import PRESETS, Preset
from adapter.mapping.reserved import ENVELOPE, RESERVED
from adapter.mapping.schema import Event, Schema
from adapter.mapping.trees import entries
from adapter.model import Json, Operation
from adapter.strictyaml import Node

EVENT_BYTES, NAME_BYTES = 100, 150
"""How long the name of an event and of an attribute or property may be at Customer.io."""

_ADDRESSES = ("email", "phone")
_PARTS = ("preset", "events", "properties", "items", "attributes")
_EVENT_PARTS = ("name", "properties")

Renamed = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that has another name outside; what is not in here keeps its own."""

    events: Renamed = field(default_factory=dict)
    properties: Mapping[str, Renamed] = field(default_factory=dict)
    """Event -> canonical property -> outgoing one."""
    items: Renamed = field(default_factory=dict)
    item_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event -> the properties that hold items, for the events that have some."""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def none(cls) -> Names:
        return _NONE

    def __bool__(self) -> bool:
        return bool(self.events or self.properties or self.items or self.attributes)

    def event(self, name: str) -> str:
        return self.events.get(name, name)

    def property(self, event: str, name: str) -> str:
        return self.properties.get(event, {}).get(name, name)

    def item(self, name: str) -> str:
        return self.items.get(name, name)

    def attribute(self, name: str) -> tuple[str, ...]:
        return self.attributes.get(name, (name,))

    def outgoing(self, operation: Operation) -> Operation:
        """The operation as Customer.io is to see it; itself where nothing has another name."""
        if operation.action == "event":
            return self._event(operation)
        names = self.attributes
        if names.keys().isdisjoint(operation.attributes):
            return operation
        attributes = {
            outgoing: value
            for name, value in operation.attributes.items()
            for outgoing in names.get(name, (name,))
        }
        return replace(operation, attributes=attributes)

    def _event(self, operation: Operation) -> Operation:
        name = operation.name or ""
        properties = self.properties.get(name)
        lists = self.item_lists.get(name, ()) if self.items else ()
        if name not in self.events and not properties and not lists:
            return operation
        attributes = dict(operation.attributes)
        for each in lists:
            if type(attributes.get(each)) is list:
                attributes[each] = [self._item(item) for item in attributes[each]]
        if properties:
            attributes = {properties.get(key, key): value for key, value in attributes.items()}
        return replace(operation, name=self.event(name), attributes=attributes)

    def _item(self, item: Json) -> Json:
        if not isinstance(item, dict):
            return item
        names = self.items
        return {names.get(key, key): value for key, value in item.items()}


_NONE = Names()


def read_names(root: Node | None, schema: Schema, faults: list[Fault]) -> Names:
    """The names of a tree, held against the contract; every mistake becomes a fault."""
    if root is None or root.value is None:
        return _NONE
    if not root.is_mapping:
        faults.append(root.fault(f"names.yml: expected a mapping of {', '.join(_PARTS)}"))
        return _NONE
    return _Reader(root, schema, faults).names()


@dataclass(frozen=True, slots=True)
class _Given:
    """One outgoing name that a file gives, and where."""

    name: str
    node: Node


class _Reader:
    """Reads the parts of names.yml; what is wrong is gathered in `faults`."""

    def __init__(self, root: Node, schema: Schema, faults: list[Fault]) -> None:
        self.root = root
        self.schema = schema
        self.faults = faults
        self.place = root
        """Where names stand that a preset gives."""

    def names(self) -> Names:
        self._known(self.root, "", _PARTS, "a part of names.yml")
        preset = self._preset()
        own, of_event = self._events()
        everywhere = self._scope("properties", self._all_properties(), "a property of any event")
        items = self._scope("items", {each.name for each in self.schema.item}, "a field of item")
        attributes = self._attributes()

        events = {each: preset.event(each) for each in self.schema.events}
        events |= {each: given.name for each, given in own.items()}
        self._collisions("events", events, own)
        properties = {}
        for name, event in self.schema.events.items():
            given = {**everywhere, **of_event.get(name, {})}
            fields = self._fields(event)
            outgoing = {each: preset.properties.get(each, each) for each in fields}
            outgoing |= {each: given[each].name for each in fields if each in given}
            self._collisions(f"properties of {name}", outgoing, given)
            if renamed := _renamed(outgoing):
                properties[name] = renamed
        item_names = {
            each.name: preset.items.get(each.name, each.name) for each in self.schema.item
        }
        item_names |= {each: given.name for each, given in items.items()}
        self._collisions("items", item_names, items)
        return Names(
            events=_renamed(events),
            properties=properties,
            items=_renamed(item_names),
            item_lists={
                event.name: lists
                for event in self.schema.events.values()
                if (lists := tuple(each.name for each in event.fields if each.has_items))
            },
            attributes=attributes,
        )

    # --- the parts

    def _preset(self) -> Preset:
        node = self.root.get("preset")
        if node is None or node.value is None:
            return PRESETS["none"]
        self.place = node
        there_are = f"there are {', '.join(map(repr, PRESETS))}"
        if not node.is_text:
            self._fault(node, f"preset: expected the name of one; {there_are}")
            return PRESETS["none"]
        preset = PRESETS.get(node.value)
        if preset is None:
            hint = did_you_mean(node.value, PRESETS) or f"; {there_are}"
            self._fault(node, f"preset: no preset '{node.value}'{hint}")
        return preset or PRESETS["none"]

    def _events(self) -> tuple[dict[str, _Given], dict[str, dict[str, _Given]]]:
        """The events' own names, and what single ones call their properties."""
        names: dict[str, _Given] = {}
        properties: dict[str, dict[str, _Given]] = {}
        for name, key, node in self._section(self.root, "events"):
            event = self.schema.events.get(name)
            if event is None:
                hint = did_you_mean(name, self.schema.events)
                self._fault(key, f"events.{name}: not an event of the contract{hint}")
                continue
            name_node: Node | None = node
            if node.is_mapping:
                self._known(node, f"events.{name}.", _EVENT_PARTS, "a part of an event's names")
                name_node = node.get("name")
                properties[name] = {
                    each: given
                    for each, each_key, each_node in self._section(node, "properties")
                    if self._is_known(
                        each, each_key, f"events.{name}.", self._fields(event), f"of {name}"
                    )
                    and (given := self._property(each, each_node))
                }
            if name_node and (given := self._given(name_node, f"events.{name}", EVENT_BYTES)):
                names[name] = given
        return names, properties

    def _scope(self, part: str, known: Iterable[str], what: str) -> dict[str, _Given]:
        known = set(known)
        found = {}
        for name, key, node in self._section(self.root, part):
            if name not in known:
                hint = did_you_mean(name, known)
                self._fault(key, f"{part}.{name}: not {what}{hint}")
            elif part == "properties":
                if given := self._property(name, node):
                    found[name] = given
            elif given := self._given(node, f"{part}.{name}", NAME_BYTES):
                found[name] = given
        return found

    def _property(self, name: str, node: Node) -> _Given | None:
        given = self._given(node, f"properties.{name}", NAME_BYTES)
        if given and given.name in ENVELOPE:
            self._fault(
                node, f"properties.{name}: '{given.name}' would redirect the message itself"
            )
            return None
        return given

    def _attributes(self) -> dict[str, tuple[str, ...]]:
        own = {each.name for each in self.schema.person}
        names: dict[str, list[_Given]] = {}
        for name, key, node in self._section(self.root, "attributes"):
            if name not in own:
                hint = did_you_mean(name, own)
                self._fault(key, f"attributes.{name}: not an attribute of person{hint}")
                continue
            nodes = node.value if node.is_sequence else (node,)
            given = [g for n in nodes if (g := self._attribute(name, n))]
            if name in _ADDRESSES and given and name not in {each.name for each in given}:
                self._fault(
                    node,
                    f"attributes.{name}: Customer.io sends to it under this name; "
                    f"keep it beside the other: [{name}, {given[0].name}]",
                )
            elif given:
                names[name] = given
            elif node.is_sequence and not node.value:
                self._fault(node, f"attributes.{name}: expected a name or a list of them")
        taken: dict[str, str] = {each: each for each in own if each not in names}
        for name, givens in names.items():
            for each in givens:
                if each.name in taken:
                    self._fault(each.node, _collision("attributes", name, each.name, taken))
                taken[each.name] = name
        outgoing = {name: tuple(each.name for each in given) for name, given in names.items()}
        return {name: all_ for name, all_ in outgoing.items() if all_ != (name,)}

    def _attribute(self, name: str, node: Node) -> _Given | None:
        given = self._given(node, f"attributes.{name}", NAME_BYTES)
        if given is None or given.name == name:
            return given
        if given.name in RESERVED or given.name.startswith("cio_"):
            self._fault(
                node, f"attributes.{name}: '{given.name}' means something else to Customer.io"
            )
            return None
        return given

    # --- what they are made of

    def _given(self, node: Node, what: str, most: int) -> _Given | None:
        text = node.value
        if not isinstance(text, str) or not text.strip():
            self._fault(node, f"{what}: expected a name")
        elif text != text.strip() or not text.isprintable():
            self._fault(node, f"{what}: a name has no white space around it and no line breaks")
        elif len(text.encode()) > most:
            self._fault(node, f"{what}: is longer than the {most} bytes that Customer.io takes")
        else:
            return _Given(text, node)
        return None

    def _collisions(
        self, scope: str, outgoing: Mapping[str, str], given: Mapping[str, _Given]
    ) -> None:
        """No two canonical names of one scope may go out as one: the second would be lost."""
        taken: dict[str, str] = {}
        # What nobody renamed comes first, so that the fault stands at the name that was given.
        for name in sorted(outgoing, key=lambda each: (each in given, outgoing[each] != each)):
            target = outgoing[name]
            if target in taken:
                place = given[name].node if name in given else self.place
                self._fault(place, _collision(scope, name, target, taken))
            taken.setdefault(target, name)

    def _fields(self, event: Event) -> list[str]:
        return [each.name for each in (*event.fields, *self.schema.filled_in(event))]

    def _all_properties(self) -> set[str]:
        return {each for event in self.schema.events.values() for each in self._fields(event)}

    def _section(self, root: Node, name: str) -> list[tuple[str, Node, Node]]:
        node = root.get(name)
        if node is None or node.value is None:
            return []
        if not node.is_mapping:
            self._fault(node, f"{name}: expected a mapping of canonical names to outgoing ones")
            return []
        return list(entries(node))

    def _is_known(self, name: str, key: Node, prefix: str, known: Iterable[str], what: str) -> bool:
        if name in known:
            return True
        self._fault(key, f"{prefix}{name}: not a property {what}{did_you_mean(name, known)}")
        return False

    def _known(self, node: Node, prefix: str, names: Iterable[str], what: str) -> None:
        for name, key, _ in entries(node):
            if name not in names:
                self._fault(key, f"{prefix}{name}: not {what}{did_you_mean(name, names)}")

    def _fault(self, node: Node, message: str) -> None:
        self.faults.append(node.fault(message))


def _collision(scope: str, name: str, target: str, taken: Mapping[str, str]) -> str:
    return f"{scope}: {name} and {taken[target]} would both go out as '{target}'"


def _renamed(outgoing: Mapping[str, str]) -> dict[str, str]:
    return {name: target for name, target in outgoing.items() if target != name}
