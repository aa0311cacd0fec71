"""What all parts of mapping files are made of: typed values, conditions, fragments, items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapter.errors import Fault
from adapter.mapping.expressions import Condition
from adapter.mapping.hints import did_you_mean
from adapter.mapping.plans import Setter
from adapter.mapping.reader import TreeReader
from adapter.mapping.schema import Field, Schema
from adapter.mapping.setters import LINE_TOTAL, items_setter, setter
from adapter.mapping.trees import entries
from adapter.mapping.typecheck import mismatch
from adapter.strictyaml import Node

Fields = tuple[Field, ...]
Conditions = tuple[tuple[str, Condition], ...]


class Parts(TreeReader):
    """Reads the values of one platform's files, which share their fragments."""

    def __init__(
        self,
        schema: Schema,
        texts: Mapping[str, str],
        faults: list[Fault],
        warnings: list[Fault],
    ) -> None:
        super().__init__(texts, faults, warnings)
        self._sound = len(faults)
        self.schema = schema
        self._fragments: dict[str, tuple[Node, Node]] = {}
        self._compiled: dict[tuple[str, str], tuple[Setter, ...]] = {}

    def setter(self, field: Field, node: Node, what: str, path: str) -> Setter | None:
        """`what` names the field in faults of the file, `path` in problems of a body."""
        expression = self.expression(node, what)
        if expression is None:
            return None
        problem = mismatch(field, expression)
        if problem:
            self.fault(node, f"{what}: {problem}")
            return None
        return setter(field, expression, path)

    def optional(self, name: str, of: str, node: Node | None, path: str) -> Setter | None:
        if node is None:
            return None
        return self.setter(Field(name, of, optional=True), node, path, path)

    def conditions(self, node: Node | None, path: str) -> Conditions:
        """`when`: one condition, or a list of which all must hold."""
        if node is None:
            return ()
        nodes = node.value if node.is_sequence else (node,)
        found = (self.condition(each, "when") for each in nodes)
        return tuple((path, condition) for condition in found if condition)

    # --- fragments

    def fragments(self, roots: Iterable[Node]) -> None:
        """Learn the fragments of all files before anything uses them."""
        for root in roots:
            for name, key, node in self.section(root, "fragments"):
                if name in self._fragments:
                    self.fault(key, f"fragments.{name}: {already(self._fragments[name][0])}")
                else:
                    self._fragments[name] = key, node

    def unused_fragments(self) -> None:
        """Warn of what nothing uses, unless what would use it may be what holds the faults; its
        own faults are told all the same."""
        used = {name for name, _ in self._compiled}
        is_sound = len(self.faults) == self._sound
        for name, (key, _) in self._fragments.items():
            if name not in used:
                before = len(self.faults)
                self._fragment(name, "item", self.schema.item)
                if is_sound and len(self.faults) == before:
                    self.warnings.append(key.fault(f"fragments.{name}: nothing uses it"))

    def _fragment(self, name: str, kind: str, fields: Fields) -> tuple[Setter, ...]:
        """A fragment as the fields of what it is used for: an item, or a variant."""
        known = self._compiled.get((name, kind))
        if known is None:
            _, root = self._fragments[name]
            known = self._compiled[name, kind] = self.fields(
                root, f"fragments.{name}", kind, fields, prefix=""
            )
        return known

    def fields(
        self, root: Node, what: str, kind: str, fields: Fields, *, prefix: str
    ) -> tuple[Setter, ...]:
        """A mapping of fields to expressions; every required field must be among them."""
        if not self.is_mapping(root, what):
            return ()
        own = {field.name: field for field in fields}
        found = []
        for name, key, node in entries(root):
            if name not in own:
                self.fault(key, f"{what}.{name}: not a field of {kind}{did_you_mean(name, own)}")
            else:
                found.append(self.setter(own[name], node, f"{what}.{name}", f"{prefix}.{name}"))
        for field in fields:
            if not field.optional and field.name not in root.value:
                article = "an" if kind[0] in "aeiou" else "a"
                self.fault(root, f"{what}.{field.name}: is missing, {article} {kind} requires it")
        return present(found)

    def items(
        self,
        field: Field,
        node: Node,
        what: str,
        path: str,
        *,
        kind: str = "item",
        fields: Fields | None = None,
    ) -> Setter | None:
        """`{each: list, use: fragment}`."""
        if not node.is_mapping or set(node.value) != {"each", "use"}:
            self.fault(node, f"{what}: expected {{each: list, use: fragment}}")
            return None
        each, use = node.value["each"], node.value["use"]
        expression = self.expression(each, f"{what}.each")
        if not use.is_text or use.value not in self._fragments:
            hint = did_you_mean(str(use.value), self._fragments)
            self.fault(use, f"{what}: no fragment '{use.value}'{hint}")
            return None
        fragment = self._fragment(use.value, kind, self.schema.item if fields is None else fields)
        if expression is None:
            return None
        problem = mismatch(field, expression)
        if problem:
            self.fault(each, f"{what}.each: {problem}")
            return None
        totals = any(
            each.name == LINE_TOTAL and each.source == "items" for each in self.schema.item
        )
        return items_setter(field, expression, fragment, path, totals=totals and kind == "item")


def present(setters: Iterable[Setter | None]) -> tuple[Setter, ...]:
    return tuple(each for each in setters if each)


def already(first: Node) -> str:
    return f"is there already, {first.file}:{first.line}:{first.column}"
