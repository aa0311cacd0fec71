"""Reads ahead in the outbox and hands out batches that fill one request, about."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from adapter.deeds import may_erase
from adapter.destinations.base import Destination
from adapter.model import Entry
from adapter.store.outbox import Outbox
from adapter.store.streams import order_of

READ_ENTRIES = 200
BYTES_PER_OPERATION = 160
"""What an operation takes in a request beyond what its entry takes in the outbox, at the most."""

FILL, LEAST_SCALE = 0.97, 0.5
"""How full a request is meant to be, and how far the guess of sizes may be set right."""


class Reader:
    """Reads ahead in the outbox and hands out batches that fill one request, about.

    How much entries come to in a request is guessed from their stored size, and the guess is set
    right by what the batch before came to: half a request more costs a whole round trip.

    A batch that was sent before and comes again ends where it ended, however full: with what came
    since, or with less, it might come to something else, as where a guest and an account turn out
    to be one. It ends behind an erasure as well: sent once more with what stands behind that, it
    would erase somebody new.
    """

    def __init__(self, outbox: Outbox, destination: Destination, ends: Iterable[str] = ()) -> None:
        self._outbox = outbox
        self._destination = destination
        self._ends = [order_of(end) for end in ends]
        self._ahead: deque[Entry] = deque()
        self._last = ""
        self._guessed = 0
        self._scale = 1.0
        self.more = False
        """Whether there is more in the outbox than was handed out, as far as was seen."""
        self.cut = False
        """Whether the last batch ended at one of the ends, though more is there."""

    def batch(self, most: int) -> list[Entry]:
        """The next entries, at most `most` of them; empty when there are none."""
        room = self._destination.max_request_bytes * FILL / self._scale
        entries: list[Entry] = []
        end: tuple[int, int] | None = None
        size = 0
        self.cut = False
        while len(entries) < most:
            if not self._ahead and not self._read(min(most, READ_ENTRIES)):
                break
            following = self._ahead[0]
            size += following.size + BYTES_PER_OPERATION * (1 + len(following.events))
            if entries and may_erase(entries[-1]) and not may_erase(following):
                break
            if entries and end is not None:
                self.cut = order_of(following.id) > end
                if self.cut:
                    break
            elif entries and size > room:
                break
            elif not entries:
                end = self._end_of(following)
            entries.append(self._ahead.popleft())
            self._guessed = size
        self.more = self.more or bool(self._ahead)
        return entries

    def _end_of(self, first: Entry) -> tuple[int, int] | None:
        """Where the batch ended that was begun before and that an entry was in, if there is one."""
        if not self._ends:
            return None
        return min((end for end in self._ends if end >= order_of(first.id)), default=None)

    def learn(self, items: int, data_bytes: int) -> None:
        """What the batch handed out last came to in the end."""
        if items and self._guessed:
            real = self._destination.size(items, data_bytes)
            self._scale = min(max(real / self._guessed, LEAST_SCALE), 1.0)

    def rewind(self, *, whole: bool = False, end: str | None = None) -> None:
        """Begin again at the oldest entry; `whole`: wherever batches ended before; `end` is where
        one did that was made ready since."""
        self._ahead.clear()
        self._last = ""
        if whole:
            self._ends = []
        if end is not None:
            self._ends.append(order_of(end))

    def _read(self, count: int) -> bool:
        found = self._outbox.read(self._last, count)
        self.more = len(found) == count
        if found:
            self._last = found[-1].id
            self._ahead.extend(found)
        return bool(found)
