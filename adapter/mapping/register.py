"""The register of a platform's topics, `mappings/<platform>/topics.yml`.

admin: [orders/create, ...]     # topics that the store admin offers; others only an app can have
ignored: {topic: why}           # known, and deliberately without effect
notes: {topic: what to know}    # shown by `adapter topics`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapter.errors import Fault
from adapter.mapping.hints import closest, did_you_mean
from adapter.mapping.sources import TOPICS_FILE, Sources
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

_PARTS = ("admin", "ignored", "notes")
_ALL_BUT = 0.9
"""As much alike are `orders/paids` and `orders/paid`; a platform has topics that are less so."""


@dataclass(frozen=True, slots=True)
class Register:
    """What is known of topics beyond what they become."""

    admin: frozenset[str] = frozenset()
    ignored: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def topics(self) -> frozenset[str]:
        """Every topic that it names."""
        return self.admin.union(self.ignored, self.notes)


def read_register(
    sources: Sources,
    platform: str,
    mapped: Mapping[str, Node],
    faults: list[Fault],
    warnings: list[Fault],
) -> Register:
    """The register of a platform that has one; `mapped` are the topics of its mapping files, by
    their place."""
    root = sources.registers[platform]
    if not root.is_mapping:
        faults.append(root.fault(f"a register of topics is a mapping of {', '.join(_PARTS)}"))
        return Register()
    for name, key, _ in entries(root):
        if name not in _PARTS:
            faults.append(
                key.fault(f"{name}: not a part of a register{did_you_mean(name, _PARTS)}")
            )
    ignored = _texts(root, "ignored", faults)
    for topic, key, _ in entries(root.value["ignored"]) if ignored else ():
        if topic in mapped:
            faults.append(_mapped_and_ignored(sources, topic, mapped[topic], key))
    notes = _texts(root, "notes", faults)
    admin = _admin(root.get("admin"), faults)
    known = {*mapped, *ignored}
    for part, topic, place in _named(root, admin, notes):
        if topic not in known:
            hint = did_you_mean(topic, known)
            warnings.append(
                place.fault(f"{part}: {topic} is neither mapped nor ignored anywhere{hint}")
            )
    warnings += _slips(sources, platform, root, {*mapped, *admin}) if ignored else ()
    return Register(admin, ignored, notes)


def _mapped_and_ignored(sources: Sources, topic: str, place: Node, key: Node) -> Fault:
    """Told in the higher of two directories: nobody can mend the shipped one."""
    if sources.layer(place.file) <= sources.layer(key.file):
        return key.fault(f"ignored.{topic}: is mapped in {_written(place)}")
    own = Path(place.file).parent / TOPICS_FILE
    return place.fault(
        f"topics: {topic}: is ignored in {_written(key)}; "
        f"write `ignored: {{{topic}: off}}` in {own}"
    )


def _written(node: Node) -> str:
    return f"{node.file}:{node.line}:{node.column}"


def _slips(sources: Sources, platform: str, root: Node, known: set[str]) -> Iterator[Fault]:
    """Topics that an overlay ignores anew, and that are all but those that there are."""
    below = sources.base.registers.get(platform) if sources.base else None
    if below is None:
        return
    ignored = below.get("ignored")
    if ignored is not None and ignored.is_mapping:
        known |= set(ignored.value)
    for topic, key, _ in entries(root.value["ignored"]):
        if topic not in known and (close := closest(topic, known, _ALL_BUT)):
            problem = f"ignored: {topic} is no topic that is known, did you mean '{close}'?"
            yield key.fault(problem)


def _named(
    root: Node, admin: frozenset[str], notes: Mapping[str, str]
) -> Iterator[tuple[str, str, Node]]:
    """(part, topic, place) of what is told of topics, beside what they become."""
    for node in root.value["admin"].value if admin else ():
        yield "admin", node.value, node
    for topic, key, _ in entries(root.value["notes"]) if notes else ():
        yield "notes", topic, key


def _admin(node: Node | None, faults: list[Fault]) -> frozenset[str]:
    if node is None:
        return frozenset()
    if not node.is_sequence or not all(each.is_text for each in node.value):
        faults.append(node.fault("admin: expected a list of topics"))
        return frozenset()
    return frozenset(each.value for each in node.value)


def _texts(root: Node, name: str, faults: list[Fault]) -> dict[str, str]:
    section = root.get(name)
    if section is None:
        return {}
    if not section.is_mapping:
        faults.append(section.fault(f"{name}: expected a mapping of topics to texts"))
        return {}
    found = {}
    for topic, _, node in entries(section):
        if node.is_text and node.value.strip():
            found[topic] = " ".join(node.value.split())
        else:
            faults.append(node.fault(f"{name}.{topic}: expected a text"))
    return found
