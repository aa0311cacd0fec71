"""Single values and conditions of one body, each with the alternative that gave it.

The values themselves are the engine's own; only where they came from is worked out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapter.mapping import syntax
from adapter.mapping.coercions import told
from adapter.mapping.expressions import compile_tree
from adapter.mapping.origins import Hinge, ListOrigin, Origin, seen
from adapter.mapping.outline import Choice, Outline, Outlines, Written
from adapter.mapping.schema import Field, Schema
from adapter.mapping.syntax import Fact, Path
from adapter.mapping.types import TYPES
from adapter.mapping.values import is_blank, is_true
from adapter.model import Delivery, Json, Mapped


@dataclass(frozen=True, slots=True)
class Lookups:
    """One body, what became of it, and the file that was for it."""

    mapped: Mapped
    body: dict[str, Json]
    files: Outlines
    outline: Outline
    schema: Schema
    problems: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        problems = {each.path: each.problem for each in self.mapped.left_out}
        object.__setattr__(self, "problems", problems)

    @property
    def delivery(self) -> Delivery:
        return self.mapped.delivery

    def below(
        self, values: Mapping[str, Json], fields: Mapping[str, Field], *role: str
    ) -> tuple[Origin, ...]:
        """The values of a part of the file, such as ("person", "gaps")."""
        currency = values.get("currency")
        return tuple(
            self.origin(
                written, ".".join((*role, name)), fields.get(name), values.get(name), currency
            )
            for name, written in self.outline.below(*role).items()
        )

    def one(self, name: str, of: str, value: Json, *role: str) -> Origin | None:
        """The value of an expression that has a part of the file to itself."""
        written = self.outline.get(*role)
        if written is None:
            return None
        key = ".".join(role).removeprefix("events.")
        return self.origin(written, key, Field(name, of), value)

    def origin(
        self,
        written: Written,
        key: str,
        of: Field | None,
        value: Json,
        currency: Json = None,
        root: dict[str, Json] | None = None,
    ) -> Origin:
        """Where a value came from; of an email or a phone the first good alternative was taken, of
        all else the first that is there."""
        problem = self.problems.get(key, "")
        best = key in _CONTACTS
        found = Origin(
            key.rpartition(".")[2],
            value,
            problem=problem,
            place=place_of(written),
            of=of.type_name if of else "",
            key=key,
        )
        passed: list[str] = []
        for choice in written.choices:
            raw = value_of(choice, self.body if root is None else root, self.delivery)
            if is_blank(raw):
                passed.append(choice.text)
                continue
            if value is None or (best and not _becomes(raw, of, value)):
                passed.append(f"{choice.text} is {seen(raw)}" if problem else choice.text)
                continue
            how = "" if of is None or of.has_items else told(of, raw, value, currency)
            how = "a literal of the mapping" if choice.is_literal else how
            return replace(found, path=choice.text, passed=tuple(passed), how=how)
        return replace(found, passed=tuple(dict.fromkeys(passed)))

    def items(
        self,
        origin: Origin,
        written: Written,
        items: list[Json],
        fields: tuple[Field, ...],
        currencies: Mapping[str, Json],
    ) -> ListOrigin:
        """A list by its first item, field by field; the engine leaves out elements that are null.

        `currencies` has what the amounts are in, as the event says it.
        """
        elements = self.first(written)
        root = next((each for each in elements or () if isinstance(each, dict)), {})
        fragment = self.files.fragments.get(written.uses or "", {})
        found = [
            self.origin(
                fragment[each.name],
                f"{origin.key}[0].{each.name}",
                each,
                items[0].get(each.name),
                currencies.get(currency_of(each.name)),
                root,
            )
            for each in fields
            if each.name in fragment and items
        ]
        places = [place_of(each) for each in fragment.values()]
        return ListOrigin(
            origin,
            len(items),
            written.uses or "",
            places[0] if places else "",
            tuple(each for each in found if not each.is_gone),
            tuple(each for each in found if each.is_gone),
        )

    def hinges(self, *role: str) -> tuple[Hinge, ...]:
        """The conditions of a part of the file."""
        return tuple(self.hinge(each) for each in self.outline.below(*role).values())

    def hinge(self, written: Written, name: str = "") -> Hinge:
        """A condition, and what the body has where it looks."""
        read = (each for tree in written.trees for each in syntax.walk(tree))
        found = [
            (str(each), seen(compile_tree(each).evaluate(self.body, self.delivery)))
            for each in dict.fromkeys(each for each in read if isinstance(each, Path | Fact))
        ]
        holds = is_true(self.first(written)) is not written.negated
        return Hinge(written.text, holds, tuple(found), place_of(written), name)

    def first(self, written: Written) -> Json:
        """What a whole expression is: its first alternative that is not blank."""
        value = None
        for choice in written.choices:
            value = value_of(choice, self.body, self.delivery)
            if not is_blank(value):
                return value
        return value


_CONTACTS = ("person.email", "person.phone", "person.anonymous_id")


def value_of(choice: Choice, root: dict[str, Json], delivery: Delivery) -> Json:
    """What one alternative finds; what cannot be calculated is nothing."""
    try:
        return choice.evaluate(root, delivery)
    except ValueError:
        return None


def place_of(written: Written) -> str:
    """File and line."""
    return f"{written.node.file}:{written.node.line}"


def currency_of(name: str) -> str:
    """The property that says what an amount is in."""
    return "presentment_currency" if name.startswith("presentment_") else "currency"


def _becomes(raw: Json, of: Field | None, value: Json) -> bool:
    try:
        return of is not None and bool(TYPES[of.of].coerce(raw) == value)
    except ValueError:
        return False
