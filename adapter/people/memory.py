"""What is remembered, as a batch sees it: memory, overlaid by what the batch's own entries teach.

Pure. The caller reads memory before and writes the lessons in the step that settles the batch, so a
flush that dies in between comes to the same when it runs again.

Kinds of Ref: `order`, `cart`, `checkout`, `subscription` (who owns it), `cart_lines` (what is in a
cart), `sold` (the order that a cart or checkout became), `told` (what was told of an order), `link`
(the cart of a checkout), `since` (when the first whole day of a shop began), `product` (see the
catalog); `person` is of a person: platform and shop are blank there, the value is
`<identifier>:<value>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Protocol, TypeVar, cast

from adapter.model import Delivery, Json, Ref, Who

PERSON, SOLD, TOLD, LINK, SINCE = "person", "sold", "told", "link", "since"


@dataclass(slots=True)
class Lesson:
    """What entry `source` teaches. It may be remembered only once that entry is finished."""

    source: str
    ref: Ref
    value: Json


def firm(lessons: Iterable[Lesson], is_held: Callable[[str], bool]) -> Iterator[Lesson]:
    """Those that may be remembered while the entries that `is_held` tells of are not finished: of
    each thing what was taught before the first of them."""
    stopped: set[Ref] = set()
    for lesson in lessons:
        if is_held(lesson.source):
            stopped.add(lesson.ref)
        elif lesson.ref not in stopped:
            yield lesson


class Kept(Protocol):
    """A value that is no JSON yet."""

    def to_json(self) -> Json: ...


K = TypeVar("K", bound=Kept)


class View:
    """Memory as one entry after the other sees it. Values are never changed, only replaced."""

    def __init__(self, memory: Mapping[Ref, Json]) -> None:
        self._values: dict[Ref, Json | Kept] = dict(memory)
        self._parsed: dict[Ref, tuple[Json, Any]] = {}
        self._lessons: list[Lesson] = []
        self._last: dict[Ref, Lesson] = {}
        self.get: Callable[[Ref], Json] = self._values.get
        """What is known by now; None where nothing is."""

    def read(self, ref: Ref, parse: Callable[[Json], K]) -> K:
        """The same as `parse` makes it, never to be changed; what stays as it is is parsed once."""
        value = self.get(ref)
        if not isinstance(value, _JSON):
            return cast("K", value)
        before = self._parsed.get(ref)
        if before is None or before[0] is not value:
            before = self._parsed[ref] = value, parse(value)
        return cast("K", before[1])

    def learn(self, source: str, ref: Ref, value: Json) -> None:
        """From entry `source` on it is `value`; what says nothing new is no lesson."""
        if self.get(ref) != value:
            self.keep(source, ref, value)

    def keep(self, source: str, ref: Ref, value: Json | Kept) -> None:
        """The same, for a value that is news for sure."""
        self._values[ref] = value
        last = self._last.get(ref)
        if last is not None and last.source == source:
            last.value = value
            return
        self._last[ref] = lesson = Lesson(source, ref, value)
        self._lessons.append(lesson)

    def last(self, ref: Ref) -> str | None:
        """The entry that taught it last, under which more of it may be kept once all were seen."""
        last = self._last.get(ref)
        return None if last is None else last.source

    def lessons(self) -> tuple[Lesson, ...]:
        """What every entry teaches in the end, as JSON."""
        for lesson in self._lessons:
            if not isinstance(lesson.value, _JSON):
                lesson.value = lesson.value.to_json()
        return tuple(self._lessons)


_JSON = (dict, list, str, int, float, NoneType)


def person_ref(who: Who) -> Ref:
    """The record of a person."""
    return PERSON, "", "", f"{who[0]}:{who[1]}"


def ref_of(kind: str, delivery: Delivery, value: str) -> Ref:
    """Something that belongs to the shop of a delivery."""
    return kind, delivery.platform, delivery.shop, value
