"""YAML trees -> compiled plans. Every mistake becomes a fault at its place; nothing raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapter.errors import Fault
from adapter.mapping.hints import did_you_mean
from adapter.mapping.mapper import EventPlan, Flat, PersonPlan, Plan, Setter
from adapter.mapping.reader import TreeReader
from adapter.mapping.samples import Sample, read_sample
from adapter.mapping.schema import Event, Field, Schema
from adapter.mapping.setters import items_setter, setter
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

_FILE = ("topics", "ignore_when", "order", "person", "events", "fragments", "tests")
_PERSON = ("id", "email", "phone", "anonymous_id", "tokens", "as_of", "attributes")
_EVENT = ("when", "once", "at", "properties")
_CONTACTS = {"email": "email", "phone": "phone", "anonymous_id": "id"}
_CHANGES = "updated_at"


class PlatformCompiler(TreeReader):
    """Compiles the files of one platform, which share their fragments."""

    def __init__(
        self,
        platform: str,
        schema: Schema,
        texts: Mapping[str, str],
        faults: list[Fault],
        warnings: list[Fault],
    ) -> None:
        super().__init__(texts, faults, warnings)
        self.platform = platform
        self.schema = schema
        self.fragments: dict[str, tuple[Setter, ...]] = {}
        self.used: set[str] = set()
        self.topics: dict[str, Node] = {}

    def compile(self, trees: Iterable[Node]) -> tuple[tuple[Plan, ...], tuple[Sample, ...]]:
        roots = [root for root in trees if self.is_mapping(root, "a mapping file")]
        places: dict[str, Node] = {}
        for root in roots:
            for name, key, node in self.section(root, "fragments"):
                if name in places:
                    self.fault(key, f"fragments.{name}: {_already(places[name])}")
                else:
                    places[name] = key
                    self.fragments[name] = self._fragment(name, node)
        plans = tuple(self._plan(root) for root in roots)
        samples = tuple(
            sample
            for root, plan in zip(roots, plans, strict=True)
            for sample in self._samples(root, plan.topics)
        )
        for name, key in places.items():
            if name not in self.used:
                self.warnings.append(key.fault(f"fragments.{name}: nothing uses it"))
        return plans, samples

    # --- the parts of a file

    def _plan(self, root: Node) -> Plan:
        self.known(root, "", _FILE, "a part of a mapping file")
        person = root.get("person")
        return Plan(
            file=root.file,
            topics=self._topics(root),
            ignore=tuple(
                (name, condition)
                for name, _, node in self.section(root, "ignore_when")
                if (condition := self.condition(node, f"ignore_when.{name}"))
            ),
            order=self._optional("order", "id", root.get("order"), "order"),
            person=self._person(person) if person else PersonPlan(),
            events=tuple(
                event
                for name, key, node in self.section(root, "events")
                if (event := self._event(name, key, node))
            ),
        )

    def _topics(self, root: Node) -> tuple[str, ...]:
        node = root.get("topics")
        if node is None:
            if set(root.value) != {"fragments"}:
                self.fault(root, "'topics' is missing")
            return ()
        if not node.is_sequence or not node.value:
            self.fault(node, "topics: expected a list of topics")
            return ()
        topics = []
        for each in node.value:
            if not each.is_text or not each.value.strip():
                self.fault(each, "topics: expected the name of a topic")
            elif each.value in self.topics:
                self.fault(each, f"topics: {each.value}: {_already(self.topics[each.value])}")
            else:
                self.topics[each.value] = each
                topics.append(each.value)
        return tuple(topics)

    def _samples(self, root: Node, topics: tuple[str, ...]) -> list[Sample]:
        node = root.get("tests")
        if node is None:
            return []
        if not node.is_sequence:
            self.fault(node, "tests: expected a list")
            return []
        found = (read_sample(each, self.platform, topics, self.faults) for each in node.value)
        return [sample for sample in found if sample]

    def _person(self, root: Node) -> PersonPlan:
        if not self.is_mapping(root, "person"):
            return PersonPlan()
        self.known(root, "person.", _PERSON, "a part of person")
        own = {each.name: each for each in self.schema.person}
        attributes: dict[str, Setter | None] = {}
        for name, key, node in self.section(root, "attributes", "person."):
            if name in ("email", "phone"):
                self.fault(key, f"attributes.{name}: is set by person.{name}")
            elif name not in own:
                self.fault(
                    key, f"attributes.{name}: not an attribute of person{did_you_mean(name, own)}"
                )
            else:
                what = f"attributes.{name}"
                attributes[name] = self._setter(own[name], node, what, f"person.{what}")
        return PersonPlan(
            id=self._optional("id", "id", root.get("id"), "person.id"),
            contacts=_present(
                self._optional(name, of, root.get(name), f"person.{name}")
                for name, of in _CONTACTS.items()
            ),
            as_of=self._optional("as_of", "time", root.get("as_of"), "person.as_of"),
            tokens=_present(
                self._optional(name, "id", node, f"person.tokens.{name}")
                for name, _, node in self.section(root, "tokens", "person.")
            ),
            attributes=_present(attributes.values()),
            names=any(root.get(name) is not None for name in ("id", "email", "phone")),
            currency=attributes.get("currency"),
        )

    def _event(self, name: str, key: Node, root: Node) -> EventPlan | None:
        event = self.schema.events.get(name)
        if event is None:
            hint = did_you_mean(name, self.schema.events)
            self.fault(key, f"events.{name}: not an event of the contract{hint}")
        if not self.is_mapping(root, f"events.{name}") or event is None:
            return None
        self.known(root, f"{name}.", _EVENT, "a part of an event")
        once_node, at_node, when_node = root.get("once"), root.get("at"), root.get("when")
        if once_node is None:
            self.fault(key, f"{name}: 'once' is missing: what makes it happen only once?")
        if at_node is None:
            self.fault(key, f"{name}: 'at' is missing: when did it happen?")
        once, reads = self._once(name, once_node) if once_node else ((), set())
        at = at_node and self._at(name, at_node, reads)
        setters = self._properties(event, key, root.get("properties"))
        when = []
        if when_node:
            for each in when_node.value if when_node.is_sequence else (when_node,):
                if condition := self.condition(each, "when"):
                    when.append((f"{name}.when", condition))
        if not at or not once:
            return None
        own = {each.name: each for each in setters}
        return EventPlan(
            name=name,
            when=tuple(when),
            once=once,
            at=at,
            setters=setters,
            currency=own.get("currency"),
            presentment_currency=own.get("presentment_currency"),
            flat=tuple(Flat(*each) for each in self.schema.flat.items()) if "items" in own else (),
            counts_items=event.field("item_count") is not None,
        )

    def _once(self, event: str, node: Node) -> tuple[tuple[Setter, ...], set[str]]:
        """The parts of the business key, and every name that their paths read."""
        setters: list[Setter] = []
        reads: set[str] = set()
        for each in node.value if node.is_sequence else (node,):
            expression = self.expression(each, "once")
            if expression:
                path = f"{event}.once"
                setters.append(setter(Field("once", "id"), expression, path))
                reads.update(name for path_ in expression.paths for name in path_.names)
        if node.is_sequence and not node.value:
            self.fault(node, "once: expected an expression or a list of them")
        return tuple(setters), reads

    def _at(self, event: str, node: Node, reads: set[str]) -> Setter | None:
        expression = self.expression(node, "at")
        if expression is None:
            return None
        changes = any(path.names[-1] == _CHANGES for path in expression.paths)
        if changes and _CHANGES not in reads:
            self.fault(node, "at: updated_at changes; the time of a once-event must not")
        return setter(Field("at", "time"), expression, f"{event}.at")

    def _properties(self, event: Event, key: Node, root: Node | None) -> tuple[Setter, ...]:
        place = key
        setters = []
        given: set[str] = set()
        if root is not None and self.is_mapping(root, f"{event.name}.properties"):
            place = root
            for name, name_key, node in entries(root):
                given.add(name)
                field = self._property(event, name, name_key)
                if field is None:
                    continue
                what, path = f"properties.{name}", f"{event.name}.{name}"
                if field.has_items:
                    setters.append(self._items(field, node, what, path))
                else:
                    setters.append(self._setter(field, node, what, path))
        for field in event.fields:
            if not field.optional and field.source == "mapping" and field.name not in given:
                self.fault(place, f"properties.{field.name}: is missing, {event.name} requires it")
        order = {field.name: number for number, field in enumerate(event.fields)}
        return tuple(sorted(_present(setters), key=lambda each: order[each.name]))

    def _property(self, event: Event, name: str, key: Node) -> Field | None:
        field = event.field(name)
        if field is None:
            if any(each.name == name for each in self.schema.filled_in(event)):
                self.fault(key, f"properties.{name}: the engine fills it in")
            else:
                hint = did_you_mean(name, (each.name for each in event.fields))
                self.fault(key, f"properties.{name}: not a field of {event.name}{hint}")
        elif field.source == "memory":
            self.fault(key, f"properties.{name}: is filled in from memory")
        else:
            return field
        return None

    def _items(self, field: Field, node: Node, what: str, path: str) -> Setter | None:
        if not node.is_mapping or set(node.value) != {"each", "use"}:
            self.fault(node, f"{what}: expected {{each: list, use: fragment}}")
            return None
        each, use = node.value["each"], node.value["use"]
        expression = self.expression(each, f"{what}.each")
        if not use.is_text or use.value not in self.fragments:
            hint = did_you_mean(str(use.value), self.fragments)
            self.fault(use, f"{what}: no fragment '{use.value}'{hint}")
            return None
        self.used.add(use.value)
        if expression is None:
            return None
        return items_setter(field, expression, self.fragments[use.value], path)

    def _fragment(self, name: str, root: Node) -> tuple[Setter, ...]:
        what = f"fragments.{name}"
        if not self.is_mapping(root, what):
            return ()
        own = {field.name: field for field in self.schema.item}
        setters = []
        for field_name, key, node in entries(root):
            if field_name not in own:
                hint = did_you_mean(field_name, own)
                self.fault(key, f"{what}.{field_name}: not a field of item{hint}")
            else:
                path = f".{field_name}"
                setters.append(self._setter(own[field_name], node, f"{what}{path}", path))
        for field in self.schema.item:
            if not field.optional and field.name not in root.value:
                self.fault(root, f"{what}.{field.name}: is missing, an item requires it")
        return _present(setters)

    # --- values

    def _setter(self, field: Field, node: Node, what: str, path: str) -> Setter | None:
        """`what` names the field in faults of the file, `path` in problems of a body."""
        expression = self.expression(node, what)
        return setter(field, expression, path) if expression else None

    def _optional(self, name: str, of: str, node: Node | None, path: str) -> Setter | None:
        if node is None:
            return None
        return self._setter(Field(name, of, optional=True), node, path, path)


def _present(setters: Iterable[Setter | None]) -> tuple[Setter, ...]:
    return tuple(each for each in setters if each)


def _already(first: Node) -> str:
    return f"is there already, {first.file}:{first.line}:{first.column}"
