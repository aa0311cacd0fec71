"""What the sandbox was told to do wrong, in order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .profile import Json

MATCHABLE = ("name", "id", "email", "phone", "cio_id", "anonymous_id")


@dataclass(slots=True)
class Fault:
    """One way to go wrong, for the next `times` requests that it matches (-1: for ever).

    `status` None answers as usual. A fault with a status keeps the request from taking effect
    unless `apply` says otherwise, and so does `close`, which cuts the connection without an
    answer. `delay` is the seconds before the answer starts, `drip` those over which its bytes
    trickle (the request takes effect first). `body` replaces the answer's text.

    With `late` the effect comes after the delay, whether or not the client still waits for it. With
    `refuse` the items that match, and only they, are refused inside a 207; the others are taken.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    times: int = 1
    body: str | None = None
    apply: bool = False
    drip: float = 0.0
    close: bool = False
    late: bool = False
    refuse: bool = False
    match: Mapping[str, str] = field(default_factory=dict)

    @property
    def takes_effect(self) -> bool:
        """Whether the request does what it asks for, whatever it is answered."""
        return self.apply or self.drip > 0 or (self.status is None and not self.close)

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in self.__slots__}

    def told(self) -> dict[str, Json]:
        """What it does to one request: only what differs from an answer as usual."""
        usual = {**Fault().to_json(), "times": self.times}
        return {name: value for name, value in self.to_json().items() if value != usual[name]}


def read_faults(data: Json) -> list[Fault]:
    """The faults in a decoded list. Raises ValueError with one line for each mistake."""
    problems = [] if isinstance(data, list) else ["faults must be a list"]
    for place, one in enumerate(data if isinstance(data, list) else ()):
        if not isinstance(one, dict):
            problems.append(f"[{place}]: must be an object")
            continue
        for name, value in one.items():
            rule = _RULES.get(name)
            if rule is None:
                problems.append(f"[{place}].{name}: no such setting; there are {', '.join(_RULES)}")
            elif not (value is None and name in ("status", "body")) and not rule(value):
                problems.append(f"[{place}].{name}: malformed")
        if one.get("refuse") is True and not one.get("match"):
            problems.append(f"[{place}].refuse: needs a match")
    if problems:
        raise ValueError("\n".join(problems))
    return [Fault(**one) for one in data]


class Faults:
    """The pending faults; the first that matches a request is the one that happens."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        """Forgets the pending faults in favour of these."""
        self.pending = [fault for fault in faults if fault.times != 0]

    def next(self, holds: Callable[[Mapping[str, str]], bool]) -> Fault | None:
        """Uses up one time of the fault for a request; `holds` tells what is in that."""
        for fault in self.pending:
            if not fault.match or holds(fault.match):
                if fault.times > 0:
                    fault.times -= 1
                    if fault.times == 0:
                        self.pending.remove(fault)
                return fault
        return None


def _is_seconds(value: Json) -> bool:
    return type(value) in (int, float) and value >= 0


def _is_texts(value: Json) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


_RULES: dict[str, Callable[[Json], bool]] = {
    "status": lambda value: type(value) is int and 100 <= value <= 599,
    "headers": _is_texts,
    "delay": _is_seconds,
    "times": lambda value: type(value) is int and value >= -1,
    "body": lambda value: isinstance(value, str),
    "apply": lambda value: isinstance(value, bool),
    "drip": _is_seconds,
    "close": lambda value: isinstance(value, bool),
    "late": lambda value: isinstance(value, bool),
    "refuse": lambda value: isinstance(value, bool),
    "match": lambda value: _is_texts(value) and set(value) <= set(MATCHABLE),
}
