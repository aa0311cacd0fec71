"""Rules: attributes that follow from others (rules.yml), so that journeys need not compute them.

    vip_tier:                                    # an attribute of the contract
      about: What they have spent so far puts them into a tier.
      from: lifetime_value
      steps: {bronze: 0, silver: 500}            # the highest threshold that is reached
      event: vip_tier_changed                    # optional: once per change, with `old` and `new`
    first_time_buyer: {when: orders_count | eq(1)}           # true or false
    stage: {cases: [{value: lapsed, when: ...}, {value: active}]}   # the first that holds

A rule reads the canonical attributes of one person and says nothing until it knows all that it
reads: never a value from half a picture. Once it does, there always is a value, so that nobody
keeps a tier that they fell out of. What a body itself says of an attribute wins over its rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapter.errors import Fault
from adapter.mapping.expressions import Condition, compile_condition
from adapter.mapping.hints import did_you_mean
from adapter.mapping.parser import ExpressionError, parse_condition
from adapter.mapping.schema import Event, Field, Schema
from adapter.mapping.syntax import Fact, paths, walk
from adapter.mapping.trees import entries
from adapter.mapping.types import TYPES
from adapter.mapping.values import exact
from adapter.model import Delivery, Json
from adapter.strictyaml import Node

OLD, NEW = "old", "new"
_PARTS = ("about", "from", "steps", "when", "cases", "event")
_FORMS = ("steps", "when", "cases")
_NUMBERS = ("money", "number", "integer")
_EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NO_DELIVERY = Delivery("", "", "", "", 0)  # rules read no facts, so nothing is asked of it

Picture = dict[str, Json]
Decide = Callable[[Picture], Json]


@dataclass(frozen=True, slots=True)
class Rule:
    """One derived attribute; `decide` is asked only when all that it `reads` is there."""

    name: str
    reads: frozenset[str]
    decide: Decide
    event: str | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, in an order in which none reads what a later one sets. `types` are the attributes
    of the contract, `version` is its own."""

    rules: tuple[Rule, ...] = ()
    types: Mapping[str, Field] = field(default_factory=dict)
    version: int = 1
    reads: frozenset[str] = field(init=False)
    """Every attribute on which a rule depends."""
    remembering: tuple[Rule, ...] = field(init=False)
    """The rules with an event: their last value must be remembered."""

    def __post_init__(self) -> None:
        reads = frozenset[str]().union(*(rule.reads for rule in self.rules))
        object.__setattr__(self, "reads", reads)
        remembering = tuple(rule for rule in self.rules if rule.event)
        object.__setattr__(self, "remembering", remembering)

    @classmethod
    def none(cls) -> Rules:
        return _NONE

    def __bool__(self) -> bool:
        return bool(self.rules)

    def events(self) -> tuple[Event, ...]:
        """The events that the rules add to the contract."""
        return tuple(_event(rule, self.types[rule.name]) for rule in self.remembering)

    def about(self) -> dict[str, str]:
        """What each of those events means, in a sentence."""
        return {
            rule.event or "": f"`{rule.name}` of a person changed." for rule in self.remembering
        }

    def derive(self, attributes: Mapping[str, Json]) -> dict[str, Json]:
        """The attributes that follow from those of one person.

        A rule may read what another one has set. One whose condition cannot be calculated says
        nothing, as if something that it reads were missing.
        """
        picture = dict(attributes)
        derived: dict[str, Json] = {}
        for rule in self.rules:
            if rule.name in picture or not rule.reads <= picture.keys():
                continue
            try:
                derived[rule.name] = picture[rule.name] = rule.decide(picture)
            except ValueError:
                continue
        return derived

    def following(self, gone: Collection[str]) -> list[str]:
        """The attributes that follow from any of `gone`, by one rule or several."""
        lost = set(gone)
        for rule in self.rules:
            if not rule.reads.isdisjoint(lost):
                lost.add(rule.name)
        return sorted(lost.difference(gone))


_NONE = Rules()


def _event(rule: Rule, own: Field) -> Event:
    return Event(
        rule.event or "",
        (
            Field(OLD, own.of, optional=True, about=f"`{rule.name}` until now."),
            Field(NEW, own.of, about=f"`{rule.name}` from now on."),
        ),
    )


def read_rules(root: Node | None, schema: Schema, faults: list[Fault]) -> Rules:
    """The rules of a tree; every mistake becomes a fault. `null` or `off` is no rule."""
    if root is None or root.value is None:
        return _NONE
    if not root.is_mapping:
        faults.append(root.fault("rules.yml: expected a mapping of attributes to rules"))
        return _NONE
    reader = _Reader(schema, faults)
    rules = [
        rule
        for name, key, node in entries(root)
        if not _off(node) and (rule := reader.rule(name, key, node))
    ]
    return Rules(
        _ordered(rules, root, faults), {each.name: each for each in schema.person}, schema.version
    )


def _ordered(rules: list[Rule], root: Node, faults: list[Fault]) -> tuple[Rule, ...]:
    """The rules so that each stands behind those whose attributes it reads."""
    ordered: list[Rule] = []
    left = rules
    while left:
        names = {rule.name for rule in left}
        ready = [rule for rule in left if rule.reads.isdisjoint(names)]
        if not ready:
            circle = ", ".join(rule.name for rule in left)
            key = (root.keys or {})[left[0].name]
            faults.append(key.fault(f"{left[0].name}: rules read each other in a circle: {circle}"))
            break
        ordered += ready
        left = [rule for rule in left if rule not in ready]
    return tuple(ordered)


def _off(node: Node) -> bool:
    return node.value is None or node.value == "off"


class _Reader:
    """Reads rules one after the other; what is wrong is gathered in `faults`."""

    def __init__(self, schema: Schema, faults: list[Fault]) -> None:
        self.schema = schema
        self.faults = faults
        self.known = {each.name: each for each in schema.person}
        self.events: dict[str, str] = {}

    def rule(self, name: str, key: Node, node: Node) -> Rule | None:
        before = len(self.faults)
        field = self.known.get(name)
        if field is None:
            self.fault(key, f"{name}: not an attribute of person{did_you_mean(name, self.known)}")
        elif field.is_list:
            self.fault(key, f"{name}: is a list, which no rule can set")
        if not node.is_mapping:
            self.fault(node, f"{name}: expected one of {', '.join(_FORMS)}")
            return None
        for part, part_key, _ in entries(node):
            if part not in _PARTS:
                hint = did_you_mean(part, _PARTS)
                self.fault(part_key, f"{name}.{part}: not a part of a rule{hint}")
        forms = [form for form in _FORMS if node.get(form)]
        if len(forms) != 1:
            self.fault(key, f"{name}: exactly one of {', '.join(_FORMS)} must be there")
        source = node.get("from")
        if source and forms != ["steps"]:
            self.fault(source, f"{name}.from: belongs to steps; a condition names what it reads")
        event = self._event(name, node.get("event"), forms)
        read = None
        if field and len(forms) == 1:
            read = getattr(self, f"_{forms[0]}")(field, key, node)
        if field is None or read is None or len(self.faults) > before:
            return None
        reads, decide = read
        about = node.get("about")
        return Rule(name, frozenset(reads), decide, event, str(about.value) if about else "")

    def _event(self, name: str, node: Node | None, forms: list[str]) -> str | None:
        if node is None or _off(node):
            return None
        event = node.value
        if not isinstance(event, str) or not _EVENT_NAME.fullmatch(event):
            self.fault(node, f"{name}.event: expected a name such as {name}_changed")
            return None
        if not set(forms) & {"steps", "cases"}:
            self.fault(node, f"{name}.event: an event needs steps or cases")
        elif event in self.schema.events:
            self.fault(node, f"{name}.event: {event} is an event of the contract already")
        elif event in self.events:
            self.fault(node, f"{name}.event: {event} is the event of {self.events[event]} already")
        else:
            self.events[event] = name
        return event

    # --- the three forms: what a rule reads, and how it decides

    def _steps(self, field: Field, key: Node, node: Node) -> tuple[set[str], Decide] | None:
        name, steps_node, source = field.name, node.value["steps"], node.get("from")
        steps = self._thresholds(field, steps_node)
        if source is None:
            self.fault(key, f"{name}.from: is missing: which attribute are the steps about?")
            return None
        read = str(source.value)
        known = self._attribute(name, read, source, f"{name}.from")
        if known and (known.is_list or known.of not in _NUMBERS):
            self.fault(source, f"{name}.from: {read} is {known.type_name}, steps need a number")
        if not known or not steps:
            return None

        def decide(picture: Picture) -> Json:
            number = exact(picture[read])
            if number is None:
                raise ValueError(f"{read} is no number")
            reached = steps[0][1]  # below the lowest step it is the lowest that counts
            for threshold, value in steps:
                if number < threshold:
                    break
                reached = value
            return reached

        return {read}, decide

    def _thresholds(self, field: Field, node: Node) -> list[tuple[Decimal, Json]]:
        """(threshold, value) from the lowest up. An overlay may add steps anywhere in between, but
        within one file they stand in their order: what is not is a mistake."""
        name = field.name
        if not node.is_mapping or not node.value:
            self.fault(node, f"{name}.steps: expected values and from where on they hold")
            return []
        steps: list[tuple[Decimal, Json]] = []
        last: dict[str, tuple[str, Decimal]] = {}
        places: dict[Decimal, str] = {}
        for step, key, threshold_node in entries(node):
            value = self._value(field, step, key, f"{name}.steps.{step}")
            number = threshold_node.value
            if isinstance(number, bool) or not isinstance(number, int | float):
                self.fault(threshold_node, f"{name}.steps.{step}: expected a number")
                continue
            threshold = Decimal(repr(number))
            before = last.get(threshold_node.file)
            if threshold in places:
                self.fault(
                    threshold_node, f"{name}.steps.{step}: begins where {places[threshold]} does"
                )
            elif before and threshold < before[1]:
                self.fault(
                    threshold_node,
                    f"{name}.steps.{step}: is below {before[0]}; steps ascend from the lowest",
                )
            last[threshold_node.file] = (step, threshold)
            places[threshold] = step
            steps.append((threshold, value))
        steps.sort(key=lambda each: each[0])
        if steps and steps[0][0] > 0:
            lowest = places[steps[0][0]]
            self.fault(
                node,
                f"{name}.steps: {lowest} is the lowest and must begin at 0, or who falls below it "
                "would keep it; what are those below to be called?",
            )
        return steps

    def _when(self, field: Field, _key: Node, node: Node) -> tuple[set[str], Decide] | None:
        if field.of != "boolean":
            self.fault(
                node.value["when"],
                f"{field.name}.when: is true or false, but {field.name} is {field.type_name}; "
                "use cases",
            )
        found = self._conditions(field.name, node.value["when"])
        if found is None:
            return None
        reads, conditions = found
        return reads, lambda picture: all(_holds(each, picture) for each in conditions)

    def _cases(self, field: Field, _key: Node, node: Node) -> tuple[set[str], Decide] | None:
        name, cases_node = field.name, node.value["cases"]
        if not cases_node.is_sequence or not cases_node.value:
            self.fault(cases_node, f"{name}.cases: expected a list of {{value, when}}")
            return None
        reads: set[str] = set()
        cases: list[tuple[Json, list[Condition]]] = []
        last = cases_node.value[-1]
        for case in cases_node.value:
            if not case.is_mapping or not {"value"} <= case.value.keys() <= {"value", "when"}:
                self.fault(case, f"{name}.cases: a case is {{value, when}}")
                continue
            value = case.value["value"]
            typed = self._value(field, value.plain(), value, f"{name}.cases")
            when = case.get("when")
            if (when is None) != (case is last):
                self.fault(
                    case,
                    f"{name}.cases: the last case, and only that, stands without 'when': "
                    "it is what everybody else is",
                )
            found = self._conditions(name, when) if when else (set(), [])
            if found:
                reads |= found[0]
                cases.append((typed, found[1]))

        def decide(picture: Picture) -> Json:
            return next(
                value for value, when in cases if all(_holds(each, picture) for each in when)
            )

        if cases and not reads:
            self.fault(cases_node, f"{name}.cases: no case reads anything")
        return reads, decide

    # --- what they are made of

    def _conditions(self, name: str, node: Node) -> tuple[set[str], list[Condition]] | None:
        """What a condition, or a list of which all must hold, reads and is; None with a fault."""
        before = len(self.faults)
        reads: set[str] = set()
        conditions = []
        for each in node.value if node.is_sequence else (node,):
            if not each.is_text:
                self.fault(each, f"{name}.when: expected a condition")
                continue
            try:
                _, tree = parse_condition(each.value)
                conditions.append(compile_condition(each.value))
            except ExpressionError as error:
                offset = error.offset + each.quoted
                self.faults.append(each.fault(f"{name}.when: {error.problem}", offset=offset))
                continue
            for part in walk(tree):
                if isinstance(part, Fact):
                    self.fault(each, f"{name}.when: ${part.name}: a rule reads attributes only")
            for path in paths(tree):
                if self._attribute(name, path.names[0], each, f"{name}.when"):
                    reads.add(path.names[0])
        if not conditions and len(self.faults) == before:
            self.fault(node, f"{name}.when: expected a condition")
        if not reads and len(self.faults) == before:
            self.fault(node, f"{name}.when: reads no attribute")
        return None if len(self.faults) > before else (reads, conditions)

    def _attribute(self, name: str, read: str, node: Node, what: str) -> Field | None:
        """The field of an attribute that a rule may read."""
        field = self.known.get(read)
        if field is None:
            hint = did_you_mean(read, self.known)
            self.fault(node, f"{what}: '{read}' is not an attribute of person{hint}")
        elif read == name:
            self.fault(node, f"{what}: a rule cannot read what it sets itself")
        return field

    def _value(self, field: Field, value: Any, node: Node, what: str) -> Json:
        try:
            typed = TYPES[field.of].coerce(value)
        except ValueError as error:
            self.fault(node, f"{what}: {error}")
            return None
        if typed is None:
            self.fault(node, f"{what}: expected {field.of}, got nothing")
        return typed

    def fault(self, node: Node, message: str) -> None:
        self.faults.append(node.fault(message))


def _holds(condition: Condition, picture: Picture) -> bool:
    return condition(picture, _NO_DELIVERY)
