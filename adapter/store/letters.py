"""Dead letters and parked deliveries: what waits for somebody to replay or drop it.

A dead letter is one operation that Customer.io refused, as it was to be sent, with the bodies of
the deliveries that it came from. A parked delivery is a body that could not be mapped, or one that
was, and waited too long for its person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from adapter.compact import dump, load
from adapter.deeds import ERASING
from adapter.jobs import flush_job
from adapter.model import CanonicalEvent, Delivery, Json, Operation, Person
from adapter.store import refs, streams
from adapter.store.connection import store_errors
from adapter.store.kept import unsqueeze
from adapter.store.scripts import Scripts, rq_now

HANDFUL = 100
"""Letters that one step moves: Redis does nothing else meanwhile."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`deliveries` it came from, their `bodies` where these are still there, and their places in
    `kept`; `order` is what the first of them was about."""

    id: str
    operation: Operation
    reason: str
    deliveries: tuple[Delivery, ...]
    bodies: tuple[bytes | None, ...] = ()
    kept: tuple[str, ...] = ()
    order: str | None = None

    @property
    def at(self) -> float:
        """When it died, Unix seconds."""
        return streams.millisecond(self.id) / 1000

    @classmethod
    def read(cls, id_: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
        record = load(fields[b"r"])
        deliveries = tuple(Delivery.from_json(each) for each in record["deliveries"])
        bodies = (fields.get(b"b%d" % place) for place in range(len(deliveries)))
        return cls(
            id_,
            Operation.from_json(record["operation"]),
            record["reason"],
            deliveries,
            tuple(unsqueeze(body) if body is not None else None for body in bodies),
            tuple(record.get("kept", ())),
            record.get("order"),
        )


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """`body` is None where it was given up before. `was_mapped`: it was parked after it was mapped,
    to `person`, `events` and `order`, and can go out so again. `operation` is that of a dead letter
    which was parked on its second way: it can go out only as it is."""

    id: str
    delivery: Delivery
    reason: str
    body: bytes | None = None
    kept: str = ""
    person: Person | None = None
    events: tuple[CanonicalEvent, ...] = ()
    order: str | None = None
    was_mapped: bool = False
    operation: Operation | None = None

    @property
    def at(self) -> float:
        """When it was parked, Unix seconds."""
        return streams.millisecond(self.id) / 1000

    @classmethod
    def read(cls, id_: str, fields: Mapping[bytes, bytes]) -> ParkedDelivery:
        body = fields.get(b"b")
        events = [fields[name] for name in sorted(fields) if name[:1] == b"e"]
        return cls(
            id_,
            Delivery.from_json(load(fields[b"d"])),
            fields[b"r"].decode(),
            unsqueeze(body) if body is not None else None,
            fields.get(b"k", b"").decode(),
            Person.from_json(load(fields[b"p"])) if fields.get(b"p") else None,
            tuple(CanonicalEvent.from_json(load(event)) for event in events),
            fields.get(b"o", b"").decode() or None,
            b"p" in fields,
            Operation.from_json(load(fields[b"q"])) if b"q" in fields else None,
        )


class Letters:
    """The dead and the parked of one workspace. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._scripts = Scripts(redis, workspace, flush_job(workspace))

    def close(self) -> None:
        """Close its connection; the next call makes another."""
        self._scripts.close()

    def dead(self) -> Iterator[DeadLetter]:
        """All, the oldest first."""
        return (DeadLetter.read(id_, fields) for id_, fields in self._items("dead"))

    def parked(self) -> Iterator[ParkedDelivery]:
        """All, the oldest first."""
        return (ParkedDelivery.read(id_, fields) for id_, fields in self._items("parked"))

    def dead_one(self, id_: str) -> DeadLetter | None:
        fields = self._item("dead", id_)
        return None if fields is None else DeadLetter.read(id_, fields)

    def parked_one(self, id_: str) -> ParkedDelivery | None:
        fields = self._item("parked", id_)
        return None if fields is None else ParkedDelivery.read(id_, fields)

    def revive(self, letters: Sequence[DeadLetter]) -> list[str]:
        """Send dead letters again, as they are. For each: "revived"; "gone", where somebody else
        was faster; or "told", where another delivery has told the event since: it stays dead."""
        answers: list[str] = []
        for at in range(0, len(letters), HANDFUL):
            arguments: list[str | bytes | int] = [rq_now(), refs.KEY_SECONDS]
            for letter in letters[at : at + HANDFUL]:
                arguments += self._revived(letter)
            with store_errors():
                answers += [each.decode() for each in self._scripts.call("revive", *arguments)]
        return answers

    def requeue(self, ids: Sequence[str]) -> list[bool]:
        """Send parked deliveries again as they were mapped; False for each that is gone."""
        done: list[bool] = []
        for at in range(0, len(ids), HANDFUL):
            with store_errors():
                answer = self._scripts.call("requeue", rq_now(), *ids[at : at + HANDFUL])
            done += map(bool, answer)
        return done

    def drop_dead(self, ids: Iterable[str]) -> int:
        """Give dead letters up for good; how many there were."""
        wanted = list(ids)
        dropped = 0
        for at in range(0, len(wanted), HANDFUL):
            with store_errors():
                dropped += int(self._redis.xdel(self._prefix + "dead", *wanted[at : at + HANDFUL]))
        return dropped

    def drop_parked(self, ids: Iterable[str]) -> int:
        """Give parked deliveries up for good, and their keys back: what they were mapped to was
        never told. How many there were."""
        wanted = list(ids)
        dropped = 0
        for at in range(0, len(wanted), HANDFUL):
            arguments: list[str | bytes | int] = []
            for id_ in wanted[at : at + HANDFUL]:
                found = self.parked_one(id_)
                if found is not None:
                    keys = _keys(found)
                    arguments += [found.id, found.delivery.id, len(keys), *keys]
            with store_errors():
                dropped += self._scripts.call("drop", *arguments)
        return dropped

    def _revived(self, letter: DeadLetter) -> list[str | bytes]:
        operation = letter.operation
        if not letter.deliveries:
            raise ValueError(f"dead letter {letter.id} tells of no delivery")
        delivery = letter.deliveries[0]
        key = ""
        if operation.action == "event" and operation.name and operation.key:
            key = refs.business_key(delivery, operation.name, operation.key)
        # The body of an erasure names who is to be forgotten.
        erasing = operation.action in ERASING
        kept = letter.kept[0] if letter.kept and not erasing else ""
        told: list[Json] = [delivery.to_json(), operation.to_json()]
        return [letter.id, key, delivery.id, *map(dump, told), kept, letter.order or ""]

    def _item(self, stream: str, id_: str) -> streams.Fields | None:
        return streams.item(self._redis, self._prefix + stream, id_)

    def _items(self, stream: str) -> Iterator[tuple[str, streams.Fields]]:
        return streams.oldest_first(self._redis, self._prefix + stream)


def _keys(one: ParkedDelivery) -> list[str]:
    """The business keys of all that a parked delivery would tell."""
    told = [(event.name, event.key) for event in one.events]
    if (again := one.operation) is not None and again.action == "event":
        told.append((again.name or "", again.key or ""))
    return [refs.business_key(one.delivery, name, key) for name, key in told if name and key]
