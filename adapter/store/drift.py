"""Counts of what bodies hold, by hour: what `adapter.drift` judges.

| name | kind | holds | lives |
|-|-|-|-|
| `drift:<hour>` | hash | `<event>|<topic>|<property>|<kind>`: n; an hour since 1970 | 9 days |

Taking a webhook in is the hot path, so the web process gathers (`Tally`) and writes every few
seconds. What a process has gathered is lost when it is killed outright: these are statistics.
"""

from __future__ import annotations

import atexit
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping

from redis import Redis

from adapter.drift import BEFORE_HOURS, RECENT_HOURS, Counts, Finding, Name, judge
from adapter.errors import StoreError
from adapter.mapping.schema import Schema
from adapter.model import Mapped
from adapter.store import refs
from adapter.store.connection import store_errors

PERSON, CATALOG = "person", "catalog"
"""What is counted like an event: whoever a body names, and the product that it is about."""
WRITE_SECONDS = 5.0
KEEP_SECONDS = (RECENT_HOURS + BEFORE_HOURS + 24) * 3600
MOST_HOURS = 48
"""Hours that are kept in a process while Redis is gone; then the oldest are given up."""

_HOUR = 3600
_WITHIN = {PERSON: "attributes.", CATALOG: "product."}
_INDEX = re.compile(r"\[\d+\]")
_log = logging.getLogger(__name__)

Seen = tuple[str, str, tuple[str | None, ...]]
"""Topic, event and the names of the properties that it holds."""


class Drift:
    """The counts of one workspace in Redis. Every method raises StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace) + "drift:"
        self._older: tuple[int, Counts] = (0, {})

    def add(self, hours: Mapping[int, Counts]) -> None:
        """Add to what is counted, all of it in one step."""
        with store_errors():
            pipe = self._redis.pipeline(transaction=True)
            for hour, counts in hours.items():
                for name, count in counts.items():
                    pipe.hincrby(f"{self._prefix}{hour}", "|".join(name), count)
                pipe.expire(f"{self._prefix}{hour}", KEEP_SECONDS)
            pipe.execute()

    def findings(self, now: float | None = None) -> list[Finding]:
        """What every property does now and did before; `now` is Unix seconds.

        The days before hardly change, so a process reads them once an hour.
        """
        hour = int(time.time() if now is None else now) // _HOUR
        if self._older[0] != hour:
            first = hour - RECENT_HOURS - BEFORE_HOURS + 1
            older: Counter[Name] = Counter()
            for counts in self._read(range(first, hour - RECENT_HOURS + 1)):
                older.update(counts)
            self._older = hour, older
        recent = self._read(range(hour, hour - RECENT_HOURS, -1))
        return judge(recent, self._older[1])

    def yield_half(self) -> int:
        """Give up the older half, for want of memory; how many hours that was."""
        hour = int(time.time()) // _HOUR
        names = [f"{self._prefix}{each}" for each in range(hour - KEEP_SECONDS // _HOUR, hour + 1)]
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.exists(name)
            there = [name for name, found in zip(names, pipe.execute(), strict=True) if found]
            return int(self._redis.delete(*there[: (len(there) + 1) // 2])) if there else 0

    def _read(self, hours: range) -> list[dict[Name, int]]:
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for hour in hours:
                pipe.hgetall(f"{self._prefix}{hour}")
            found = pipe.execute()
        return [
            {_name(name.decode()): int(count) for name, count in counts.items()} for counts in found
        ]


class Tally:
    """Gathers what bodies hold in this process and writes it down every WRITE_SECONDS.

    `note` costs a microsecond and never waits. A Redis that is gone disturbs nobody: what was
    gathered is kept, up to MOST_HOURS, and written when it is back.
    """

    def __init__(self, drift: Drift, schema: Schema, *, every: float = WRITE_SECONDS) -> None:
        self._drift = drift
        self._every = every
        self._optional = optional(schema)
        self._seen: dict[Seen, int] = {}
        self._bad: dict[tuple[str, str], int] = {}
        self._kept: dict[int, Counter[Name]] = {}
        self._writer: threading.Thread | None = None
        self._writing = threading.Lock()

    def note(self, mapped: Mapped) -> None:
        """Count what one accepted delivery held."""
        if self._writer is None:
            self._begin()
        delivery, seen = mapped.delivery, self._seen
        topic = f"{delivery.platform} {delivery.topic}"
        for event in mapped.events:
            key: Seen = (topic, event.name, tuple(event.properties))
            seen[key] = seen.get(key, 0) + 1
        person = mapped.person
        if person is not None and person.named:
            contacts = person.email and "email", person.phone and "phone"
            key = (topic, PERSON, (*person.attributes, *contacts))
            seen[key] = seen.get(key, 0) + 1
        product = mapped.catalog
        if product is not None and not product.removed:
            key = (topic, CATALOG, tuple(product.fields))
            seen[key] = seen.get(key, 0) + 1
        if mapped.left_out:
            for path in {_INDEX.sub("[]", left.path) for left in mapped.left_out}:
                self._bad[topic, path] = self._bad.get((topic, path), 0) + 1

    def flush(self, now: float | None = None) -> bool:
        """Write what was gathered; False when Redis did not take it: it is kept for the next time.

        What is noted meanwhile counts towards the next time.
        """
        with self._writing:
            seen, self._seen = self._seen, {}
            bad, self._bad = self._bad, {}
            if seen or bad:
                hour = int(time.time() if now is None else now) // _HOUR
                self._kept.setdefault(hour, Counter()).update(self._named(seen, bad))
            while len(self._kept) > MOST_HOURS:
                del self._kept[min(self._kept)]
            if not self._kept:
                return True
            try:
                self._drift.add(self._kept)
            except StoreError:
                return False
            self._kept = {}
            return True

    def _named(self, seen: Mapping[Seen, int], bad: Mapping[tuple[str, str], int]) -> Counter[Name]:
        counts: Counter[Name] = Counter()
        for (topic, event, properties), count in seen.items():
            counts[Name(event, topic, "", "events")] += count
            for name in self._optional.get(event, frozenset()).intersection(properties):
                counts[Name(event, topic, name, "present")] += count
        for (topic, path), count in bad.items():
            event, _, name = path.partition(".")
            if event in _WITHIN:
                name = name.removeprefix(_WITHIN[event])
            counts[Name(event, topic, name.removesuffix("[]"), "bad")] += count
        return counts

    def _begin(self) -> None:
        """Begun by the first delivery, so in the process that counts and not in its parent."""
        self._writer = threading.Thread(target=self._write, name="drift", daemon=True)
        self._writer.start()
        atexit.register(self.flush)

    def _write(self) -> None:
        while True:
            time.sleep(self._every)
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - a fault in statistics must not end them
                _log.exception("drift not counted")


def _name(text: str) -> Name:
    """The topic comes from outside and may hold anything; the other three are names of ours."""
    event, _, rest = text.partition("|")
    topic, of, kind = rest.rsplit("|", 2)
    return Name(event, topic, of, kind)  # type: ignore[arg-type]


def optional(schema: Schema) -> dict[str, frozenset[str]]:
    """By event, person and catalog: the optional properties that a body may or may not hold."""
    found = {
        event.name: frozenset(
            field.name
            for field in (*event.fields, *schema.filled_in(event))
            if field.optional and field.source == "mapping"
        )
        for event in schema.events.values()
    }
    return {
        **found,
        PERSON: frozenset(field.name for field in schema.person),
        CATALOG: frozenset(field.name for field in schema.product if field.optional),
    }
