"""Memory and Customer.io's stand-in around the resolver, without Redis and HTTP: what a row of
bodies comes to in the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from adapter.courier import encode, pack
from adapter.destinations import DESTINATIONS
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Entry, Json, Mapped, Ref
from adapter.resolver import MOST_READS, Policy, Resolution, references, resolve
from adapter.sandbox.people import Workspace
from adapter.settings import shipped

MAPPINGS = load(shipped("mappings"))
SHOP = "lovelace-coffee.myshopify.com"


class World:
    """Bodies go in one batch after the other; `people` is what Customer.io knows in the end."""

    def __init__(self, now: int, policy: Policy | None = None, mappings: Mappings = MAPPINGS):
        self.now = now
        self.policy = policy or Policy(rules=mappings.rules, flat=mappings.schema.flat)
        self.mappings = mappings
        self.memory: dict[Ref, Json] = {}
        self.waiting: dict[Ref, list[Entry]] = {}
        self.people = Workspace(clock=lambda: float(now))
        self.reasons: Counter[str] = Counter()
        self._keys: dict[tuple[str, str], str] = {}
        self._number = 0

    def body(self, topic: str, fixture: str, at: float, **changes: Json) -> tuple[Delivery, Json]:
        """A delivery of a fixture; `at` is when the platform sent it."""
        raw = (shipped("fixtures") / "shopify" / fixture).read_bytes()
        body = {**parse_body(raw), **changes}
        return Delivery("shopify", topic, f"{topic}:{at}", SHOP, int(at) + 1, at), body

    def post(self, *bodies: tuple[Delivery, Json]) -> None:
        """Deliver bodies in one batch, and then whatever that lets go."""
        entries = [entry for body in bodies if (entry := self._accept(*body))]
        while entries:
            entries = self._flush(entries)

    def profile(self, **identifiers: str) -> dict[str, Any]:
        """Attributes of a person as Customer.io has them, less what it adds itself."""
        person = self.people.find(**identifiers)
        assert person is not None, identifiers
        return dict(person.to_json()["attributes"])

    def events(self, **identifiers: str) -> set[tuple[str, int]]:
        """Name and time of each event that somebody has."""
        person = self.people.find(**identifiers)
        assert person is not None, identifiers
        return {
            (one["name"], one["timestamp"])
            for one in person.to_json()["activity"]
            if one["type"] == "event"
        }

    def _accept(self, delivery: Delivery, body: Json) -> Entry | None:
        mapped: Mapped = self.mappings.apply(delivery, body)
        assert mapped.outcome == "mapped", (delivery.topic, mapped.reason)
        assert mapped.person is not None
        events = tuple(
            event
            for event in mapped.events
            if self._keys.setdefault((event.name, event.key), delivery.id) == delivery.id
        )
        self._number += 1
        entry = Entry(f"{self._number}-0", delivery, mapped.person, events, mapped.order)
        # What lies in Redis is JSON.
        person = type(entry.person).from_json(json.loads(json.dumps(entry.person.to_json())))
        return replace(entry, person=person, ledger=mapped.ledger)

    def _flush(self, entries: list[Entry]) -> list[Entry]:
        memory: dict[Ref, Json] = {}
        for _ in range(MOST_READS):
            wanted = references(entries, memory, self.policy)
            memory.update({ref: self.memory.get(ref) for ref in wanted})
        assert references(entries, memory, self.policy) == set()
        resolution = resolve(entries, memory, now=self.now, policy=self.policy)
        self._send(resolution)
        self.memory.update(
            {ref: json.loads(json.dumps(value)) for ref, value in resolution.taught.items()}
        )
        by_id = {entry.id: entry for entry in entries}
        for id_, ref in resolution.waits:
            self.waiting.setdefault(ref, []).append(by_id[id_])
        self.reasons.update(resolution.skipped.values())
        self.reasons.update(why for _, _, why in resolution.dropped)
        released: list[Entry] = []
        for ref in resolution.owners:
            released += self.waiting.pop(ref, [])
        return released

    def _send(self, resolution: Resolution) -> None:
        track = DESTINATIONS["track"]
        parcel = encode(track, resolution.operations)
        for part in pack(track, parcel.items):
            for item in json.loads(track.request(part).body)["batch"]:
                self.people.apply(item)


def post_all(world: World, bodies: Iterable[tuple[Delivery, Json]]) -> World:
    """Every body in a batch of its own."""
    for body in bodies:
        world.post(body)
    return world
