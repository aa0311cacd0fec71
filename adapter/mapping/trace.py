"""Why a body became what it became: for each value the alternative that gave it, for each event the
conditions that it hung on. Pure.

The values themselves are the engine's own (`Mapped`); only where they came from is worked out here,
from the outline of the files, so that an explanation cannot say anything but what will be sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from adapter.mapping import syntax
from adapter.mapping.coercions import told
from adapter.mapping.compile_effects import VALUES
from adapter.mapping.expressions import compile_tree
from adapter.mapping.origins import EventOrigin, Hinge, ListOrigin, Origin, Trace, seen
from adapter.mapping.outline import Outline, Outlines, Written
from adapter.mapping.schema import Event, Field, Schema
from adapter.mapping.syntax import Fact, Path
from adapter.mapping.types import TYPES
from adapter.mapping.values import is_blank, is_true
from adapter.model import CanonicalEvent, Delivery, Json, Mapped

CONTACTS = (("id", "id"), ("email", "email"), ("phone", "phone"), ("anonymous_id", "id"))


def trace(mapped: Mapped, body: Json, files: Outlines, schema: Schema) -> Trace:
    """The reasons of what a body became; an empty Trace for a topic that no file is for."""
    outline = files.of(mapped.delivery.topic)
    if outline is None or not isinstance(body, dict):
        return Trace()
    return _Tracer(mapped, body, files, outline, schema).trace()


class _Tracer:
    """One body and the file that was for it."""

    def __init__(
        self,
        mapped: Mapped,
        body: dict[str, Json],
        files: Outlines,
        outline: Outline,
        schema: Schema,
    ) -> None:
        self.mapped = mapped
        self.delivery: Delivery = mapped.delivery
        self.body = body
        self.files = files
        self.outline = outline
        self.schema = schema
        self.problems = {each.path: each.problem for each in mapped.left_out}

    def trace(self) -> Trace:
        mapped, person = self.mapped, self.mapped.person
        known: Mapping[str, Json] = person.to_json() if person else {}
        tokens, attributes = known.get("tokens", {}), known.get("attributes", {})
        own = {each.name: each for each in self.schema.person}
        currency = attributes.get("currency")
        found = [
            self._origin(written, name, own.get(name), attributes.get(name), currency=currency)
            for name, written in self.outline.below("person", "attributes").items()
        ]
        return Trace(
            file=self._file(),
            ignored=self._ignored(),
            culprit=self._culprit(),
            identity=tuple(
                self._origin(written, name, Field(name, of), known.get(name), best=name != "id")
                for name, of in CONTACTS
                if (written := self.outline.get("person", name))
            ),
            tokens=tuple(
                self._origin(written, name, Field(name, "id"), tokens.get(name))
                for name, written in self.outline.below("person", "tokens").items()
            ),
            as_of=self._one("as_of", "time", person.as_of if person else None, "person", "as_of"),
            order=self._one("order", "id", mapped.order, "order"),
            attributes=tuple(each for each in found if each.value is not None or each.problem),
            absent=tuple(each for each in found if each.value is None and not each.problem),
            changes=self._changes(known),
            events=tuple(self._event(name) for name in self._event_names()),
            catalog=self._catalog(),
            variants=self._variants(),
            action=self._action(),
            hinges=self._hinges("action", "when"),
        )

    def _file(self) -> str:
        """The file that most of it stands in: overlays change but a little of one."""
        files = Counter(each.node.file for each in self.outline.written.values())
        return files.most_common(1)[0][0] if files else self.outline.root.file

    # --- what decides

    def _ignored(self) -> Hinge | None:
        """The condition of `ignore_when` that was the reason."""
        if self.mapped.outcome != "ignored":
            return None
        written = self.outline.get("ignore_when", self.mapped.reason or "")
        return None if written is None else self._hinge(written, self.mapped.reason or "")

    def _hinges(self, *role: str) -> tuple[Hinge, ...]:
        return tuple(self._hinge(each) for each in self.outline.below(*role).values())

    def _hinge(self, written: Written, name: str = "") -> Hinge:
        value = _first(written, self.body, self.delivery)
        read = (each for tree in written.trees for each in syntax.walk(tree))
        found = [
            (str(each), seen(compile_tree(each).evaluate(self.body, self.delivery)))
            for each in dict.fromkeys(each for each in read if isinstance(each, Path | Fact))
        ]
        holds = is_true(value) is not written.negated
        return Hinge(written.text, holds, tuple(found), _place(written), name)

    def _culprit(self) -> Origin | None:
        """The expression behind the path that a parked body's reason begins with."""
        reason = self.mapped.reason or ""
        if self.mapped.outcome != "parked" or ": " not in reason:
            return None
        path = reason.partition(": ")[0]
        event, _, rest = path.partition(".")
        name, _, inner = rest.partition("[")
        written = (
            self.outline.get("events", event, "properties", name)
            or self.outline.get("events", event, rest)
            or self.outline.get("events", event, rest, "0")
            or self.outline.get(*path.split("."))
            or self.outline.get(*path.split(".", 1))
        )
        if written is None:
            return None
        root: Json = self.body
        if written.uses and inner:
            number, _, item_field = inner.partition("].")
            elements = _first(written, self.body, self.delivery)
            fragment = self.files.fragments.get(written.uses, {})
            if not item_field or item_field not in fragment or not number.isdigit():
                return None
            written, root = fragment[item_field], elements[int(number)]
        asked = []
        for choice in written.choices:
            raw = _evaluated(choice.evaluate, root, self.delivery)
            asked.append(f"{choice.text} is {seen(raw)}")
        return Origin(path, path=written.text, passed=tuple(asked), place=_place(written))

    # --- events

    def _event_names(self) -> list[str]:
        roles = (role for role in self.outline.written if role[0] == "events" and len(role) > 2)
        return list(dict.fromkeys(role[1] for role in roles))

    def _event(self, name: str) -> EventOrigin:
        hinges = self._hinges("events", name, "when")
        event = next((each for each in self.mapped.events if each.name == name), None)
        contract = self.schema.events.get(name)
        if event is None or contract is None:
            return EventOrigin(name, hinges=hinges)
        given = self.outline.below("events", name, "properties")
        found, lists = [], []
        for each in contract.fields:
            written = given.get(each.name)
            if written is None:
                continue
            value = event.properties.get(each.name)
            currency = event.properties.get(_currency_of(each.name))
            origin = self._origin(written, f"{name}.{each.name}", each, value, currency=currency)
            if written.uses is None or value is None:
                found.append(origin)
            else:
                lists.append(self._list(origin, written, value, self.schema.item, event))
        keys = self.outline.below("events", name, "once")
        once = (
            self._origin(written, "once", Field("once", "id"), self._part(written))
            for written in keys.values()
        )
        return EventOrigin(
            name,
            event,
            hinges,
            once=tuple(once),
            at=self._one("at", "time", event.timestamp, "events", name, "at"),
            properties=tuple(each for each in found if each.value is not None or each.problem),
            lists=tuple(lists),
            absent=tuple(each for each in found if each.value is None and not each.problem),
            unmapped=_unmapped(contract, event, given),
            filled=tuple(each for each in event.properties if each not in given),
        )

    def _part(self, written: Written) -> Json:
        """One part of a business key, which is an id."""
        try:
            return TYPES["id"].coerce(_first(written, self.body, self.delivery))
        except ValueError:
            return None

    def _list(
        self,
        origin: Origin,
        written: Written,
        items: list[Json],
        fields: tuple[Field, ...],
        event: CanonicalEvent | None,
    ) -> ListOrigin:
        """The first item, field by field; the engine leaves out elements that are null."""
        elements = _first(written, self.body, self.delivery)
        root = next((each for each in elements or () if isinstance(each, dict)), {})
        fragment = self.files.fragments.get(written.uses or "", {})
        properties = event.properties if event else {}
        found = []
        for each in fields:
            if each.name in fragment and items:
                currency = properties.get(_currency_of(each.name))
                inner = self._origin(
                    fragment[each.name],
                    f"{origin.name}[0].{each.name}",
                    each,
                    items[0].get(each.name),
                    root=root,
                    currency=currency,
                )
                found.append(inner)
        places = [_place(each) for each in fragment.values()]
        return ListOrigin(
            origin,
            len(items),
            written.uses or "",
            places[0] if places else "",
            tuple(each for each in found if each.value is not None or each.problem),
            tuple(each for each in found if each.value is None and not each.problem),
        )

    # --- the other things that a body may be about

    def _changes(self, known: Mapping[str, Json]) -> tuple[Origin, ...]:
        changes = known.get("changes", {})
        own = {each.name: each for each in self.schema.person}
        roles = [role for role in self.outline.written if role[:2] == ("person", "changes")]
        found = []
        for role in roles:
            if len(role) == 4:
                attribute, change = role[2:]
                value = changes.get(attribute, {}).get(change)
                name = f"changes.{attribute}.{change}"
                origin = self._origin(self.outline.written[role], name, own.get(attribute), value)
                found.append(replace(origin, name=f"{attribute}.{change}"))
        return tuple(found)

    def _catalog(self) -> tuple[Origin, ...]:
        product = self.mapped.catalog
        if product is None:
            return ()
        found = [self._one("id", "id", product.id, "catalog", "id")]
        found.append(self._one("as_of", "time", product.as_of, "catalog", "as_of"))
        own = {each.name: each for each in self.schema.product}
        for name, written in self.outline.below("catalog", "product").items():
            found.append(self._origin(written, name, own.get(name), product.fields.get(name)))
        return tuple(each for each in found if each and each.value is not None)

    def _variants(self) -> ListOrigin | None:
        written = self.outline.get("catalog", "variants")
        if self.mapped.catalog is None or written is None or not self.mapped.catalog.variants:
            return None
        variants = [dict(each) for each in self.mapped.catalog.variants]
        of = Field("variants", "item", is_list=True)
        origin = self._origin(written, "variants", of, variants)
        return self._list(origin, written, variants, self.schema.variant, None)

    def _action(self) -> tuple[Origin, ...]:
        action = self.mapped.action
        if action is None:
            return ()
        types = VALUES.get(action.kind, {})
        return tuple(
            self._origin(
                written,
                name,
                Field(name, types.get(name, "text"), isinstance(action.values.get(name), list)),
                action.values.get(name),
            )
            for name, written in self.outline.below("action", "with").items()
        )

    # --- single values

    def _one(self, name: str, of: str, value: Json, *role: str) -> Origin | None:
        written = self.outline.get(*role)
        return None if written is None else self._origin(written, name, Field(name, of), value)

    def _origin(
        self,
        written: Written,
        name: str,
        of: Field | None,
        value: Json,
        *,
        root: dict[str, Json] | None = None,
        currency: Json = None,
        best: bool = False,
    ) -> Origin:
        """`best`: the first alternative that is good, not just there, was taken."""
        short = name.rpartition(".")[2]
        problem = self._problem(name)
        place = _place(written)
        type_name = of.type_name if of else ""
        passed = []
        for choice in written.choices:
            raw = _evaluated(choice.evaluate, self.body if root is None else root, self.delivery)
            if is_blank(raw):
                passed.append(choice.text)
                continue
            if value is None or (best and not _becomes(raw, of, value)):
                passed.append(f"{choice.text} is {seen(raw)}" if problem else choice.text)
                continue
            how = "" if of is None or of.has_items else told(of, raw, value, currency)
            if choice.is_literal:
                how = "a literal of the mapping"
            return Origin(short, value, choice.text, tuple(passed), how, problem, place, type_name)
        return Origin(short, value, "", tuple(passed), "", problem, place, type_name)

    def _problem(self, name: str) -> str:
        for path in (name, f"person.{name}", f"person.attributes.{name}", f"person.tokens.{name}"):
            if path in self.problems:
                return self.problems[path]
        return ""


def _first(written: Written, root: dict[str, Json], delivery: Delivery) -> Json:
    """What the whole expression is: its first alternative that is not blank."""
    value = None
    for choice in written.choices:
        value = _evaluated(choice.evaluate, root, delivery)
        if not is_blank(value):
            return value
    return value


def _evaluated(evaluate: object, root: Json, delivery: Delivery) -> Json:
    try:
        return evaluate(root, delivery)  # type: ignore[operator]
    except ValueError:
        return None


def _becomes(raw: Json, of: Field | None, value: Json) -> bool:
    try:
        return of is not None and bool(TYPES[of.of].coerce(raw) == value)
    except ValueError:
        return False


def _currency_of(name: str) -> str:
    return "presentment_currency" if name.startswith("presentment_") else "currency"


def _unmapped(contract: Event, event: CanonicalEvent, given: Iterable[str]) -> tuple[str, ...]:
    names = set(given) | set(event.properties)
    return tuple(each.name for each in contract.fields if each.name not in names)


def _place(written: Written) -> str:
    return f"{written.node.file}:{written.node.line}"
