"""What became of a batch, in short: so that every delivery can be followed to Customer.io's answer.

It names deliveries and events by their ids and holds nothing of a person. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.courier import Report
from adapter.model import Entry, Json, Operation
from adapter.resolver import Resolution


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a delivery; `why` it was not sent, None where it was."""

    name: str
    id: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a delivery in one batch.

    `did` names what else was sent (identify, merge, delete, suppress), with the reason where it was
    refused; `note` says why it waits or came to nothing.
    """

    events: tuple[Told, ...] = ()
    did: tuple[tuple[str, str | None], ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One batch: when it was settled (Unix seconds), what was answered (status, seconds, items of
    the request), whether it was a rehearsal, and the fates by delivery id."""

    at: float
    answers: tuple[tuple[int, float, int], ...] = ()
    rehearsal: bool = False
    fates: Mapping[str, Fate] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Account:
        return cls(
            data["t"],
            tuple((status, seconds, items) for status, seconds, items in data["a"]),
            bool(data.get("dry")),
            {delivery: _fate(*fate) for delivery, fate in data["d"].items()},
        )


def account(
    entries: Collection[Entry],
    resolution: Resolution,
    report: Report,
    finished: Collection[str],
    *,
    at: float,
    rehearsal: bool = False,
) -> dict[str, Json]:
    """The account of a batch as JSON, as short as may be; `finished` are ids of its entries that
    will not come again."""
    fates: dict[str, list[Any]] = {entry.id: [[], [], None] for entry in entries}
    for operation in report.taken:
        _tell(fates, operation)
    for operation, reason in report.dead:
        _tell(fates, operation, f"dead: {reason}")
    for id_, event, why in resolution.dropped:
        fates[id_][0].append([event.name, event.id, why])
    for id_, why in resolution.skipped.items():
        fates[id_][2] = why
    waiting = dict(resolution.waits)
    for id_, ref in waiting.items():
        fates[id_][2] = f"waits until the owner of its {ref[0]} is known"
    by_delivery: dict[str, list[Any]] = {}
    for entry in entries:
        if entry.id in finished or entry.id in waiting:
            fate = fates[entry.id]
            before = by_delivery.setdefault(entry.delivery.id, fate)
            if before is not fate:
                # A replayed delivery, or several dead letters of one.
                events, did, note = before
                by_delivery[entry.delivery.id] = [events + fate[0], did + fate[1], fate[2] or note]
    data: dict[str, Json] = {
        "t": round(at, 3),
        "a": [[one.status, round(one.seconds, 3), one.items] for one in report.answers],
        "d": {delivery: _short(fate) for delivery, fate in by_delivery.items()},
    }
    if rehearsal:
        data["dry"] = 1
    return data


def _tell(fates: Mapping[str, list[Any]], operation: Operation, why: str | None = None) -> None:
    is_event = operation.action == "event"
    told: list[str | None] = [operation.name, operation.id] if is_event else [operation.action]
    if why is not None:
        told.append(why)
    for source in operation.sources:
        fates[source][0 if is_event else 1].append(told)


def _short(fate: list[Any]) -> list[Any]:
    """Without what is empty at its end."""
    while fate and not fate[-1]:
        fate.pop()
    return fate


def _fate(
    events: list[Any] | None = None, did: list[Any] | None = None, note: str | None = None
) -> Fate:
    return Fate(
        tuple(Told(*event) for event in events or ()),
        tuple((one[0], one[1] if len(one) > 1 else None) for one in did or ()),
        note,
    )


def events_of(accounts: Iterator[Account]) -> Iterator[tuple[float, str, Told]]:
    """(when, delivery, event) of all that accounts tell of."""
    for each in accounts:
        for delivery, fate in each.fates.items():
            for told in fate.events:
                yield each.at, delivery, told
