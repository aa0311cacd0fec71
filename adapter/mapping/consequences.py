"""What an overlay does to whole bodies: every fixture is mapped with it and without it.

An expression that always finds the wrong thing (`revenue: customer.first_name`) holds no mistake
that could be seen in it. That no order is mapped any more can be seen, and so can an optional value
that is left out of every one, or an event that none of them brings any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from adapter.errors import Fault
from adapter.mapping.blame import in_contract
from adapter.mapping.compile_event import PARTS as EVENT_PARTS
from adapter.mapping.coverage import Fixtures, changed
from adapter.mapping.mapper import Mappings
from adapter.mapping.outline import Outline, outlines
from adapter.mapping.sources import Sources
from adapter.mapping.suite import RECEIVED_AT, SHOP, TRIGGERED_AT
from adapter.mapping.words import counted
from adapter.model import Delivery, Mapped
from adapter.strictyaml import Node

_ELEMENT = re.compile(r"\[[0-9]+\]")


@dataclass(slots=True)
class _Effect:
    """One thing that happens to fixtures of a file with an overlay, and not without it."""

    reason: str
    topics: set[str] = field(default_factory=set)
    count: int = 0


def warnings(
    sources: Sources, mappings: Mappings, base: Mappings, fixtures: Fixtures
) -> list[Fault]:
    """Bodies that are parked, or most of a file's that are ignored, and were not without overlays;
    optional values that never are what the contract asks for; and events that come of no fixture
    any more, nor of a test, though nobody switched them off.

    Each is told at the value of the overlay that does it. `base` is what is overlaid.
    """
    found: list[Fault] = []
    for platform in base.platforms():
        for shop in ("", *(shop for name, shop in sources.shops if name == platform)):
            found += _of_shop(sources, mappings, base, fixtures, platform, shop)
    return list(dict.fromkeys(found))


def _of_shop(
    sources: Sources,
    mappings: Mappings,
    base: Mappings,
    fixtures: Fixtures,
    platform: str,
    shop: str,
) -> Iterator[Fault]:
    totals: dict[str, int] = {}
    effects: dict[str, dict[tuple[str, str], _Effect]] = {}
    unfit: dict[str, dict[str, _Effect]] = {}
    fit: set[tuple[str, str]] = set()
    before: dict[str, dict[str, _Effect]] = {}
    after: set[tuple[str, str]] = set()
    for topic in base.topics(platform):
        plan = base.plan(platform, topic)
        if plan is None or topic not in mappings.topics(platform):
            continue
        for body in fixtures.of_topic(platform, topic):
            delivery = _delivery(platform, topic, shop)
            without = base.apply(delivery, body)
            if without.outcome != "mapped":
                continue
            totals[plan.file] = totals.get(plan.file, 0) + 1
            mapped = mappings.apply(delivery, body)
            if mapped.outcome == "mapped":
                for event in without.events:
                    came = before.setdefault(plan.file, {}).setdefault(event.name, _Effect(""))
                    came.topics.add(topic)
                    came.count += 1
                after.update((plan.file, event.name) for event in mapped.events)
                fit.update((plan.file, path) for path in _values(mapped))
                for each in mapped.left_out:
                    alone = unfit.setdefault(plan.file, {})
                    alone.setdefault(each.path, _Effect(each.problem)).topics.add(topic)
                continue
            reason = mapped.reason or ""
            of_file = effects.setdefault(plan.file, {})
            effect = of_file.setdefault((mapped.outcome, _path(mapped)), _Effect(reason))
            effect.topics.add(topic)
            effect.count += 1
    files = outlines(sources, platform, shop)
    for file, found in effects.items():
        for (outcome, path), effect in found.items():
            if outcome == "ignored" and effect.count * 2 <= totals[file]:
                continue  # to leave some out is what `ignore_when` is for
            outline = files.of(min(effect.topics))
            place = _place(sources, outline, path) if outline else None
            if place is not None:
                of_all = f"{effect.count} of {counted(totals[file], 'fixture')}"
                become = "becomes" if effect.count == 1 else "become"
                yield place.fault(f"with this, {of_all} {become} {outcome}: {effect.reason}")
    for file, alone in unfit.items():
        for path, effect in alone.items():
            outline = files.of(min(effect.topics))
            place = _value(sources, outline, path) if outline else None
            if place is not None and (file, path) not in fit:
                said = f"{path}: is left out of every fixture that has a value here"
                yield place.fault(f"{said}: {effect.reason}")
    for file, events in before.items():
        for name, effect in events.items():
            outline = files.of(min(effect.topics))
            if (file, name) in after or outline is None:
                continue
            place = _asked(sources, outline, name)
            if place is not None and not _tested(mappings, fixtures, platform, shop, outline, name):
                said = f"{name}: comes of no fixture any more with this, and of no test"
                without_it = counted(effect.count, "fixture")
                yield place.fault(f"{said}; without it, it came of {without_it}")


def _asked(sources: Sources, outline: Outline, event: str) -> Node | None:
    """What an overlay says of when an event comes; None where it says nothing, or `off`."""
    for part in ("when", "once", "at"):
        node = _get(outline.root, ("events", event, part))
        if node is not None and (own := next(_own(sources, node), None)):
            return own
    return None


def _tested(
    mappings: Mappings,
    fixtures: Fixtures,
    platform: str,
    shop: str,
    outline: Outline,
    event: str,
) -> bool:
    """Whether a test of a file shows a body that an event comes of: that no fixture as it is does
    will be meant then."""
    topics = {node.value for node in outline.topics}
    for sample in mappings.samples:
        of_file = (sample.platform, sample.shop or "") == (platform, shop)
        body = changed(sample, fixtures) if of_file and sample.topic in topics else None
        if body is None:
            continue
        delivery = _delivery(platform, sample.topic, shop)
        if any(each.name == event for each in mappings.apply(delivery, body).events):
            return True
    return False


def _delivery(platform: str, topic: str, shop: str) -> Delivery:
    return Delivery(platform, topic, "check", shop or SHOP, RECEIVED_AT, TRIGGERED_AT)


def _values(mapped: Mapped) -> Iterator[str]:
    """The paths of what came through."""
    for event in mapped.events:
        yield from (f"{event.name}.{name}" for name in event.properties)
    if mapped.person is not None:
        yield from (f"person.attributes.{name}" for name in mapped.person.attributes)


def _value(sources: Sources, outline: Outline, path: str) -> Node | None:
    """The value of an overlay that is a property or an attribute, else where one declares it."""
    first, _, name = path.partition(".")
    role: tuple[str, ...]
    declared: tuple[str, ...]
    if first == "person":
        _, _, name = name.partition("attributes.")
        role, declared = ("person", "attributes", name), ("person", name)
    else:
        role, declared = ("events", first, "properties", name), ("events", first, name)
    node = _get(outline.root, role)
    if node is None:
        return None
    return next(_own(sources, node), None) or in_contract(sources, declared)


def _path(mapped: Mapped) -> str:
    """What it is about: the path of a reason, without the number of an element."""
    reason = mapped.reason or ""
    if mapped.outcome == "ignored":
        return "person" if reason == "no_person" else f"ignore_when.{reason}"
    return _ELEMENT.sub("", reason.partition(": ")[0])


def _place(sources: Sources, outline: Outline, path: str) -> Node | None:
    """The value of an overlay that a reason is about, or what comes nearest to it."""
    first, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    root = outline.root
    role = (first, rest)
    if first != "ignore_when" and _get(root, ("events", first)) is not None:
        of_event = (name,) if name in EVENT_PARTS else ("properties", name)
        role = ("events", first, *of_event)
        if asked := in_contract(sources, ("events", first, name)):
            return asked
    for length in range(len(role), -1, -1):
        node = _get(root, role[:length])
        if node is not None and (own := next(_own(sources, node), None)):
            return own
    return None


def _get(node: Node | None, role: tuple[str, ...]) -> Node | None:
    for step in role:
        node = node.get(step) if node is not None and node.is_mapping else None
    return node


def _own(sources: Sources, node: Node) -> Iterator[Node]:
    """The values in a part of a file that overlays wrote."""
    if node.is_mapping:
        for inner in node.value.values():
            yield from _own(sources, inner)
    elif sources.layer(node.file):
        yield node
