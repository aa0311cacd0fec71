"""What a trace holds: values with where they came from, conditions with what they hung on."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.mapping.values import as_text, kind
from adapter.model import CanonicalEvent, Json

_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Origin:
    """One value and where it came from, or where it was looked for.

    `path` is the alternative that gave it, "" when none did; `passed` are those asked before it.
    `how` says what its type made of it, `problem` why it was left out, `key` is its own path in
    what the body becomes: `order_completed.items[0].price`.
    """

    name: str
    value: Json = None
    path: str = ""
    passed: tuple[str, ...] = ()
    how: str = ""
    problem: str = ""
    place: str = ""
    of: str = ""
    key: str = ""

    @property
    def is_gone(self) -> bool:
        """Whether the body does not hold it at all."""
        return self.value is None and not self.problem


@dataclass(frozen=True, slots=True)
class Hinge:
    """A condition, whether it holds, and what the body has at its paths."""

    text: str
    holds: bool
    found: tuple[tuple[str, str], ...] = ()
    place: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ListOrigin:
    """A list of items: its own origin, how many there are, and where the first one's fields are
    from; `absent` are those that it does not have. `place` is that of the fragment."""

    origin: Origin
    count: int
    fragment: str = ""
    place: str = ""
    first: tuple[Origin, ...] = ()
    absent: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """An event of the file; `event` is None where it did not fire.

    `absent` are properties of the contract that the body does not give, with the paths that were
    asked, `unmapped` those that the file does not look for, `filled` those that the engine adds.
    """

    name: str
    event: CanonicalEvent | None = None
    hinges: tuple[Hinge, ...] = ()
    once: tuple[Origin, ...] = ()
    at: Origin | None = None
    properties: tuple[Origin, ...] = ()
    lists: tuple[ListOrigin, ...] = ()
    absent: tuple[Origin, ...] = ()
    unmapped: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of a body, with its reasons. Parts that the file does not have are empty.

    `over` are the files that are laid over `file`. `gaps` are attributes that only fill what is not
    known, `times` those that were true at another time than the body, `derived` those that are in
    no body: by a rule, or by what is remembered.
    """

    file: str = ""
    over: tuple[str, ...] = ()
    ignored: Hinge | None = None
    culprit: Origin | None = None
    identity: tuple[Origin, ...] = ()
    tokens: tuple[Origin, ...] = ()
    as_of: Origin | None = None
    order: Origin | None = None
    attributes: tuple[Origin, ...] = ()
    absent: tuple[Origin, ...] = ()
    gaps: tuple[Origin, ...] = ()
    times: tuple[Origin, ...] = ()
    derived: tuple[Origin, ...] = ()
    changes: tuple[Origin, ...] = ()
    events: tuple[EventOrigin, ...] = ()
    catalog: tuple[Origin, ...] = ()
    variants: ListOrigin | None = None
    action: tuple[Origin, ...] = ()
    hinges: tuple[Hinge, ...] = ()


def seen(value: Json) -> str:
    """A value of the body in a few characters, as it stands there."""
    if isinstance(value, list | dict):
        size = len(value)
        if not size:
            return f"an empty {'list' if isinstance(value, list) else 'object'}"
        return f"a list of {size}" if isinstance(value, list) else "an object"
    text = as_text(value)
    if text is None:
        return "absent" if value is None else kind(value)
    if isinstance(value, str):
        return f"'{text}'" if len(text) <= _LONGEST else f"'{text[:_LONGEST]}...'"
    return text
