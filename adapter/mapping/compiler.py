"""YAML trees -> compiled plans. Every mistake becomes a fault at its place; nothing raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from adapter.errors import Fault
from adapter.mapping.compile_effects import action_plan, catalog_plan
from adapter.mapping.compile_event import event_plan
from adapter.mapping.compile_ledger import ledger_plan
from adapter.mapping.compile_person import person_plan
from adapter.mapping.overlays import without
from adapter.mapping.parts import Parts, already
from adapter.mapping.plans import Plan
from adapter.mapping.samples import Sample, read_sample
from adapter.mapping.schema import Schema
from adapter.mapping.sources import FRAGMENTS_FILE
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

PARTS = (
    "topics", "ignore_when", "order", "person", "events", "ledger", "catalog", "action",
    "fragments", "tests",
)  # fmt: skip
_OF_TOPICS = frozenset(PARTS) - {"fragments", "tests"}
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
        self._known_parts(root)
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

    def _known_parts(self, root: Node) -> None:
        """A fault for every key that is no part of a file, or that belongs into one."""
        stray = []
        for name, key, _ in entries(root):
            if name not in PARTS and (part := self._belongs(root, name)):
                self.fault(key, f"`{name}` belongs under `{part}:`")
                stray.append(name)
        self.known(without(root, *stray), "", PARTS, "a part of a mapping file")

    def _belongs(self, root: Node, name: str) -> str | None:
        """The part of a file that a name at its margin belongs into, where that is known."""
        if name in self.schema.events:
            return "events"
        is_fragment = name in self._fragments or _holds_fragments(root)
        return "fragments" if is_fragment else None

    def _topics(self, root: Node) -> tuple[str, ...]:
        node = root.get("topics")
        if node is None:
            if not _holds_fragments(root) and set(root.value) - {"tests"} != {"fragments"}:
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


def _holds_fragments(root: Node) -> bool:
    """Whether a file is there for fragments alone, going by its name and by what is in it."""
    return Path(root.file).name == FRAGMENTS_FILE and set(root.value).isdisjoint(_OF_TOPICS)
