"""YAML trees -> compiled plans. Every mistake becomes a fault at its place; nothing raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapter.errors import Fault
from adapter.mapping.compile_effects import action_plan, catalog_plan
from adapter.mapping.compile_event import event_plan
from adapter.mapping.compile_ledger import ledger_plan
from adapter.mapping.compile_person import person_plan
from adapter.mapping.parts import Parts, already
from adapter.mapping.plans import Plan
from adapter.mapping.samples import Sample, read_sample
from adapter.mapping.schema import Schema
from adapter.strictyaml import Node

PARTS = (
    "topics", "ignore_when", "order", "person", "events", "ledger", "catalog", "action",
    "fragments", "tests",
)  # fmt: skip
_EFFECTS = ("catalog", "action")


class PlatformCompiler(Parts):
    """Compiles the files of one platform, or of one shop of it."""

    def __init__(
        self,
        platform: str,
        schema: Schema,
        texts: Mapping[str, str],
        faults: list[Fault],
        warnings: list[Fault],
    ) -> None:
        super().__init__(schema, texts, faults, warnings)
        self.platform = platform
        self.topics: dict[str, Node] = {}

    def compile(self, trees: Iterable[Node]) -> tuple[Plan, ...]:
        """The plans of all files."""
        roots = [root for root in trees if self.is_mapping(root, "a mapping file")]
        self.fragments(roots)
        plans = tuple(self._plan(root) for root in roots)
        self.unused_fragments()
        return plans

    def samples(self, root: Node, topics: tuple[str, ...], shop: str | None) -> list[Sample]:
        """The tests of a file; `topics` are those that it is for."""
        node = root.get("tests") if root.is_mapping else None
        if node is None:
            return []
        if not node.is_sequence:
            self.fault(node, "tests: expected a list")
            return []
        found = (read_sample(each, self.platform, topics, self.faults, shop) for each in node.value)
        return [sample for sample in found if sample]

    def _plan(self, root: Node) -> Plan:
        self.known(root, "", PARTS, "a part of a mapping file")
        for name in _EFFECTS:
            for other in ("person", "events", "ledger", *_EFFECTS):
                if other != name and root.get(name) and root.get(other):
                    place = (root.keys or {})[name]
                    self.fault(place, f"{name}: a file with {other} has none, and the reverse")
        order = self.optional("order", "id", root.get("order"), "order")
        return Plan(
            file=root.file,
            topics=self._topics(root),
            ignore=tuple(
                (name, condition)
                for name, _, node in self.section(root, "ignore_when")
                if (condition := self.condition(node, f"ignore_when.{name}"))
            ),
            order=order,
            person=person_plan(self, root.get("person")),
            events=tuple(
                event
                for name, key, node in self.section(root, "events")
                if (event := event_plan(self, name, key, node))
            ),
            catalog=catalog_plan(self, root.get("catalog")),
            action=action_plan(self, root.get("action")),
            ledger=ledger_plan(self, root.get("ledger"), order),
        )

    def _topics(self, root: Node) -> tuple[str, ...]:
        node = root.get("topics")
        if node is None:
            if set(root.value) - {"tests"} != {"fragments"}:
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
                self.fault(each, f"topics: {each.value}: {already(self.topics[each.value])}")
            else:
                self.topics[each.value] = each
                topics.append(each.value)
        return tuple(topics)
