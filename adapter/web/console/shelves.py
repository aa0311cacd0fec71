"""Dead letters and parked deliveries as the pages show them: alike ones together."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from adapter.model import Delivery
from adapter.replay import Thing
from adapter.store.kept import Kept, KeptDelivery
from adapter.store.letters import DeadLetter, Letters, ParkedDelivery
from adapter.web.console import masks

Place = Literal["dead", "parked"]
Letter = DeadLetter | ParkedDelivery

MOST_GROUPED = 3_000
MOST_SECONDS = 2.0
"""Letters, and seconds, that one page looks through."""


@dataclass(frozen=True, slots=True)
class Group:
    """Letters that have what they are and why in common. `key` names the group in an address."""

    place: Place
    key: str
    what: str
    reason: str
    count: int
    oldest: float
    newest: float
    sample: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The groups of one place, the largest first; `looked` of `there` letters were looked at."""

    place: Place
    groups: tuple[Group, ...]
    looked: int
    there: int


class Shelves:
    """The letters of one workspace. Methods raise StoreError."""

    def __init__(self, letters: Letters, kept: Kept) -> None:
        self._letters = letters
        self._kept = kept

    def shelf(self, place: Place, there: int) -> Shelf:
        groups: dict[str, Group] = {}
        looked = 0
        until = time.monotonic() + MOST_SECONDS
        for one in islice(self._every(place), MOST_GROUPED):
            if time.monotonic() > until:
                break
            time.sleep(0)  # whoever else is served here goes first
            looked += 1
            key = key_of(place, one)
            known = groups.get(key)
            if known is None:
                what, why = kind(one)
                groups[key] = Group(place, key, what, why, 1, one.at, one.at, one.id)
            else:
                groups[key] = replace(known, count=known.count + 1, newest=one.at)
        ordered = sorted(groups.values(), key=lambda each: -each.count)
        return Shelf(place, tuple(ordered), looked, max(looked, there))

    def members(self, place: Place, key: str, most: int) -> tuple[list[Letter], bool]:
        """The oldest of a group, and whether all that there are were looked at."""
        found: list[Letter] = []
        until = time.monotonic() + MOST_SECONDS
        for looked, one in enumerate(self._every(place)):
            if looked == MOST_GROUPED or time.monotonic() > until:
                return found, False
            time.sleep(0)  # whoever else is served here goes first
            if key_of(place, one) == key:
                if len(found) == most:
                    return found, False
                found.append(one)
        return found, True

    def one(self, place: Place, id_: str) -> Letter | None:
        return self._letters.dead_one(id_) if place == "dead" else self._letters.parked_one(id_)

    def named(self, place: str, ids: Sequence[str]) -> list[Thing]:
        """Those of the ids that are still there, in this order."""
        found: list[Thing | None] = []
        for id_ in dict.fromkeys(ids):
            if place == "kept":
                found.append(self._kept.get(id_))
            else:
                found.append(self.one("dead" if place == "dead" else "parked", id_))
        return [each for each in found if each is not None]

    def _every(self, place: Place) -> Iterator[Letter]:
        """The oldest first."""
        return self._letters.dead() if place == "dead" else self._letters.parked()


def kind(one: Letter) -> tuple[str, str]:
    """What makes letters alike: event or topic, and the reason less the value that did not fit."""
    if isinstance(one, DeadLetter):
        what = one.operation.name or one.operation.action
    else:
        what = one.delivery.topic
    return what, masks.reason(one.reason)


def key_of(place: str, one: Letter) -> str:
    return hashlib.sha256("\n".join((place, *kind(one))).encode()).hexdigest()[:16]


def deliveries_of(one: Thing) -> tuple[Delivery, ...]:
    return one.deliveries if isinstance(one, DeadLetter) else (one.delivery,)


def place_of(one: Thing) -> str:
    if isinstance(one, DeadLetter):
        return "dead"
    return "kept" if isinstance(one, KeptDelivery) else "parked"
