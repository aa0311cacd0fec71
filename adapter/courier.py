"""Carrying items to the destination: packing, halving, and telling a bad item from a bad day.

The courier decides nothing about time: it reports what was taken, what is dead, and the trouble
that stopped it; the flush settles the first two and lets the rest wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from adapter import compact
from adapter.deeds import stages
from adapter.destinations.base import Destination, Item, Request, Response, Unsendable
from adapter.destinations.shortening import fit_event
from adapter.errors import Misconfigured, Refused, RetryLater, SendError
from adapter.mapping.names import Names
from adapter.model import Operation

FAILURES_BEFORE_HALVING = 5
"""So many answers in a row that moved nothing, and the courier looks for an item that does it."""

CONFIRMATIONS = 3
"""So often an item that failed alone must fail again before it is dead."""

_ABOUT_CONTENT = frozenset({400, 413, 422})
"""Statuses that speak of what was sent. Other 4xx may as well mean the wrong host or key."""

CUTS = 12
"""Tries to find how much of too large an event fits under its outgoing names."""

_ANY_ORDER = ("identify", "event")

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """What the courier needs of a transport."""

    def send(self, request: Request) -> Response:
        """Raises RetryLater when there is no answer."""


@dataclass(slots=True)
class Parcel:
    """Operations ready to be sent, and those that never can be, with the reason."""

    items: list[Item] = field(default_factory=list)
    dead: list[tuple[Operation, str]] = field(default_factory=list)

    @property
    def data_bytes(self) -> int:
        return sum(len(item.data) for item in self.items)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status, after how many seconds, to a request of how many items."""

    status: int
    seconds: float
    items: int


@dataclass(slots=True)
class Report:
    """What became of the operations. Those in neither list were not taken: `trouble` says why.
    `answers` are all that came, the probes' apart."""

    taken: list[Operation] = field(default_factory=list)
    dead: list[tuple[Operation, str]] = field(default_factory=list)
    shortened: int = 0
    trouble: SendError | None = None
    answers: list[Answer] = field(default_factory=list)


def encode(
    destination: Destination, operations: Iterable[Operation], names: Names | None = None
) -> Parcel:
    """The operations as items under their outgoing names; what no request may hold is dead.

    From here on only bytes have those names: items and the dead hold the canonical operations.
    """
    parcel = Parcel()
    names = names or None
    for operation in operations:
        outgoing = operation if names is None else names.outgoing(operation)
        encoded = destination.encode(outgoing)
        if names is not None and outgoing is not operation:
            encoded = _as_canonical(destination, operation, encoded, names)
        if isinstance(encoded, Unsendable):
            parcel.dead.append((operation, encoded.reason))
        else:
            parcel.items.append(encoded)
    return parcel


def _as_canonical(
    destination: Destination, operation: Operation, encoded: Item | Unsendable, names: Names
) -> Item | Unsendable:
    """What was encoded under outgoing names, as the item of the canonical operation.

    What is to give way in too large an event is known by its canonical name only: such an event is
    cut before it is renamed, to the most that still fits when it is.
    """
    if operation.action != "event" or not _lost_items(encoded):
        return replace(encoded, operation=operation)
    whole = destination.encode(operation)
    if isinstance(whole, Unsendable):
        return whole
    most = compact.size(operation.attributes)
    if _lost_items(whole):
        most = min(most, len(whole.data))
    attributes, lost = fit_event(operation.attributes, most)
    best: Item | None = None
    least = 0
    for _ in range(CUTS):
        room = (least + most + 1) // 2
        kept, cut = fit_event(attributes, room)
        fitted = destination.encode(names.outgoing(replace(operation, attributes=kept)))
        if isinstance(fitted, Item) and not _lost_items(fitted):
            shortened = tuple(dict.fromkeys((*lost, *cut, *fitted.shortened)))
            best = replace(fitted, operation=operation, shortened=shortened)
            least = room
        else:
            most = room - 1
    return best or replace(encoded, operation=operation)


def _lost_items(encoded: Item | Unsendable) -> bool:
    """Whether items had to be cut, or would have to be and could not."""
    if isinstance(encoded, Unsendable):
        return True
    return any(name.startswith("items") for name in encoded.shortened)


def pack(destination: Destination, items: Sequence[Item]) -> Iterator[list[Item]]:
    """The items in order, in as few parts as the destination's limit for a request allows.

    What must go after something else (a merge after the people it merges) is in a later part.
    """
    if all(item.operation.action in _ANY_ORDER for item in items):
        yield from _pack(destination, items)
        return
    by_operation = {id(item.operation): item for item in items}
    for stage in stages(item.operation for item in items):
        yield from _pack(destination, [by_operation[id(operation)] for operation in stage])


def _pack(destination: Destination, items: Sequence[Item]) -> Iterator[list[Item]]:
    part: list[Item] = []
    size = 0
    for item in items:
        fits = destination.size(len(part) + 1, size + len(item.data))
        if part and fits > destination.max_request_bytes:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.data)
    if part:
        yield part


class Courier:
    """Delivers operations to one destination. `stopped` is asked before every request."""

    def __init__(
        self,
        destination: Destination,
        sender: Sender,
        stopped: Callable[[], bool] = lambda: False,
        names: Names | None = None,
    ) -> None:
        self._destination = destination
        self._sender = sender
        self._stopped = stopped
        self._names = names or Names.none()

    def encode(self, operations: Iterable[Operation]) -> Parcel:
        """The operations as items; what no request may hold is dead already."""
        return encode(self._destination, operations, self._names)

    def deliver(self, parcel: Parcel, *, failures: int = 0) -> Report:
        """Send the items in as few requests as the destination allows.

        `failures` counts the tries before this one that moved nothing; from
        FAILURES_BEFORE_HALVING on an item that fails alone while others pass is dead.
        """
        shortened = sum(bool(item.shortened) for item in parcel.items)
        report = Report(dead=list(parcel.dead), shortened=shortened)
        try:
            for part in pack(self._destination, parcel.items):
                if failures >= FAILURES_BEFORE_HALVING:
                    self._isolate(part, report)
                else:
                    self._carry(part, report)
        except SendError as trouble:
            report.trouble = trouble
        return report

    def _carry(self, part: Sequence[Item], report: Report) -> None:
        """Send one request; halve it while it is refused as a whole."""
        try:
            self._post(part, report)
        except Refused as refused:
            if refused.status not in _ABOUT_CONTENT and not self._reachable():
                raise Misconfigured(str(refused), status=refused.status) from None
            if len(part) == 1:
                report.dead.append((part[0].operation, str(refused)))
                return
            middle = len(part) // 2
            self._carry(part[:middle], report)
            self._carry(part[middle:], report)

    def _post(self, part: Sequence[Item], report: Report) -> None:
        if self._stopped():
            raise RetryLater("no time for another request")
        began = time.monotonic()
        response = self._sender.send(self._destination.request(part))
        report.answers.append(Answer(response.status, time.monotonic() - began, len(part)))
        refused = self._destination.verdict(response, len(part)).refused
        for index, item in enumerate(part):
            if index in refused:
                report.dead.append((item.operation, refused[index]))
            else:
                report.taken.append(item.operation)

    def _isolate(self, part: Sequence[Item], report: Report) -> None:
        """Look for the items on which the destination breaks, by halving.

        While nothing at all passes, the destination is down and nobody is to blame: after a
        descent to one item and back up the search ends. So it does when the destination goes down
        in the middle of it.
        """
        suspects: list[Item] = []
        most = patience = 2 * len(part).bit_length() + 2
        passed = False

        def search(piece: Sequence[Item]) -> None:
            nonlocal patience, passed
            try:
                self._carry(piece, report)
                passed = True
                return
            except RetryLater as trouble:
                left = _unanswered(piece, report)
                passed = passed or len(left) < len(piece)
                patience -= 1
                if self._throttled(trouble):
                    raise
                if patience <= 0:
                    if not passed or not self._reachable():
                        raise
                    patience = most
                piece = left
                if len(piece) == 1:
                    suspects.append(piece[0])
                    return
            middle = len(piece) // 2
            search(piece[:middle])
            search(piece[middle:])

        search(part)
        for suspect in suspects:
            self._confirm(suspect, report, others_passed=passed)

    def _confirm(self, suspect: Item, report: Report, *, others_passed: bool) -> None:
        """Try a suspect some more; it is dead only when it fails every time, and the destination is
        well just after each: one that fails at random would soon find somebody to blame."""
        reason = ""
        for _ in range(CONFIRMATIONS):
            try:
                self._carry([suspect], report)
                return
            except RetryLater as trouble:
                if not others_passed or self._throttled(trouble) or not self._reachable():
                    raise
                reason = str(trouble)
        _log.warning("an item fails alone", extra={"operation": suspect.operation.id})
        report.dead.append((suspect.operation, f"fails alone: {reason}"))

    def _throttled(self, trouble: RetryLater) -> bool:
        """Being told to slow down, or to stop, says nothing about an item."""
        return trouble.is_throttle or self._stopped()

    def _reachable(self) -> bool:
        """Whether host and credentials work, by a request without content."""
        probe = self._destination.probe()
        if probe is None:
            return True
        try:
            self._destination.verdict(self._sender.send(probe), 1)
        except SendError:
            return False
        return True


def _unanswered(piece: Sequence[Item], report: Report) -> list[Item]:
    """The items that are in neither list of the report yet."""
    answered = {id(operation) for operation in report.taken}
    answered.update(id(operation) for operation, _ in report.dead)
    return [item for item in piece if id(item.operation) not in answered]
