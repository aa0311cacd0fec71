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

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from adapter.model import Delivery, Json, Ref, Who

PERSON, SOLD, TOLD, LINK, SINCE = "person", "sold", "told", "link", "since"


class Lesson(NamedTuple):
    """What entry `source` teaches. It may be remembered only once that entry is finished."""

    source: str
    ref: Ref
    value: Json


class Kept(Protocol):
    """A value that is no JSON yet."""

    def to_json(self) -> Json: ...


K = TypeVar("K", bound=Kept)


class View:
    """Memory as one entry after the other sees it. Values are never changed, only replaced."""

    def __init__(self, memory: Mapping[Ref, Json]) -> None:
        self._memory = memory
        self._taught: dict[Ref, Json | Kept] = {}
        self._parsed: dict[Ref, Any] = {}
        self._lessons: dict[tuple[str, Ref], Json | Kept] = {}
        self._last: dict[Ref, str] = {}

    def get(self, ref: Ref) -> Json:
        """What is known by now; None where nothing is."""
        value = self._taught.get(ref, _UNTAUGHT)
        return self._memory.get(ref) if value is _UNTAUGHT else value

    def read(self, ref: Ref, parse: Callable[[Json], K]) -> K:
        """The same as `parse` makes it, never to be changed; memory's own is parsed once."""
        value = self._taught.get(ref, _UNTAUGHT)
        if value is not _UNTAUGHT:
            return parse(value) if isinstance(value, _JSON) else cast("K", value)
        found: K | None = self._parsed.get(ref)
        if found is None:
            found = self._parsed[ref] = parse(self._memory.get(ref))
        return found

    def learn(self, source: str, ref: Ref, value: Json) -> None:
        """From entry `source` on it is `value`; what says nothing new is no lesson."""
        if self.get(ref) != value:
            self.keep(source, ref, value)

    def keep(self, source: str, ref: Ref, value: Json | Kept) -> None:
        """The same, for a value that is news for sure."""
        self._taught[ref] = value
        self._lessons[source, ref] = value
        self._last[ref] = source

    def last(self, ref: Ref) -> str | None:
        """The entry that taught it last, under which more of it may be kept once all were seen."""
        return self._last.get(ref)

    def lessons(self) -> tuple[Lesson, ...]:
        """What every entry teaches in the end, as JSON."""
        return tuple(
            Lesson(source, ref, value if isinstance(value, _JSON) else value.to_json())
            for (source, ref), value in self._lessons.items()
        )


_UNTAUGHT = object()
_JSON = (dict, list, str, int, float, NoneType)


def person_ref(who: Who) -> Ref:
    """The record of a person."""
    return PERSON, "", "", f"{who[0]}:{who[1]}"


def ref_of(kind: str, delivery: Delivery, value: str) -> Ref:
    """Something that belongs to the shop of a delivery."""
    return kind, delivery.platform, delivery.shop, value
