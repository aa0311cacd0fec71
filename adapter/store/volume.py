"""How much there was of everything, hour by hour: what alerts hold today against.

| name | kind | holds | lives |
|-|-|-|-|
| `volume` | text | JSON {at, began, totals}: what was counted up to then | for good |
| `volume:<hour>` | hash | `event <name>`, `topic <ref>`, `letters <kind>`: n; `held` | 36 days |

Nothing on the way of a webhook counts by the hour. Once a minute a worker reads the totals that are
kept anyway and adds what they grew by to the hour, in one transaction that only passes if no other
worker has done so meanwhile. So it is right under any number of workers, and after a crash the next
look makes up for it: what grew over several hours is spread over them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import WatchError

from adapter.alerts.facts import HISTORY_HOURS, HOUR, History
from adapter.compact import dump, load
from adapter.store import refs
from adapter.store.connection import store_errors

KEEP_SECONDS = 36 * 86400
MOST_NAMES = 300
"""Of one hour: topics come from outside. Those of which there was most are kept."""

FRESH_HOURS = 3
"""So many of the latest hours may still grow and are read anew each time."""

HELD, TOPIC = "held", "topic "
LETTERS = ("dead", "parked")


class Volume:
    """The hours of one workspace. Methods raise StoreError; `now` is Unix seconds."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._key = self._prefix + "volume"
        self._read: dict[int, dict[str, int]] = {}

    def record(self, now: float | None = None, *, held: bool = False) -> bool:
        """Add what has come since the last look; False where somebody else did so just now.

        `held` marks the hour as one in which delivery stood still.
        """
        at = time.time() if now is None else now
        with store_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(self._key)  # type: ignore[no-untyped-call]
            found: Any = pipe.get(self._key)
            last = load(found) if found else None
            totals = self._totals(pipe)
            began = int(at) // HOUR if last is None else last["began"]
            pipe.multi()
            if last is not None:
                self._add(pipe, _grown(last["totals"], totals), min(last["at"], at), at)
                gone = [name for name in last["totals"] if name not in totals]
                self._forget(pipe, [name for name in gone if name.startswith(TOPIC)], int(at))
            if held:
                pipe.hset(self._name(int(at) // HOUR), HELD, "1")
                pipe.expire(self._name(int(at) // HOUR), KEEP_SECONDS)
            pipe.set(self._key, dump({"at": at, "began": began, "totals": totals}))
            try:
                pipe.execute()
            except WatchError:
                return False
        return True

    def history(self, now: float | None = None) -> History:
        """The hours up to the one that has just begun."""
        hour = int(time.time() if now is None else now) // HOUR
        first = hour - HISTORY_HOURS
        known = {at: each for at, each in self._read.items() if first <= at <= hour - FRESH_HOURS}
        missing = [at for at in range(first, hour + 1) if at not in known]
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._key)
            for at in missing:
                pipe.hgetall(self._name(at))
            found, *hashes = pipe.execute()
        for at, counts in zip(missing, hashes, strict=True):
            known[at] = {name.decode(): int(count) for name, count in counts.items()}
        self._read = known
        last: Any = load(found) if found else {"began": hour, "totals": {}}
        # Topics of a shop that was erased are in no total any more, and nobody misses them.
        names = {
            name
            for name in {name for counts in known.values() for name in counts}
            if name != HELD and (not name.startswith(TOPIC) or name in last["totals"])
        }
        names |= {f"letters {kind}" for kind in LETTERS}
        hours = range(first, hour + 1)
        return History(
            first,
            last["began"],
            {name: tuple([known[at].get(name, 0) for at in hours]) for name in sorted(names)},
            frozenset(at for at in hours if HELD in known[at]),
        )

    def _totals(self, pipe: Any) -> dict[str, int]:
        """What is counted anyway: events that were sent, topics that came in, letters."""
        totals: Counter[str] = Counter()
        for name, count in pipe.hgetall(self._prefix + "counts").items():
            kind, _, what = name.decode().partition(":")
            if kind == "event":
                totals[f"event {what}"] = int(count)
            elif kind in LETTERS and not what:
                totals[f"letters {kind}"] = int(count)
        for name, count in pipe.hgetall(self._prefix + "topics").items():
            totals[f"{TOPIC}{name.decode().partition(' ')[2]}"] += int(count)
        return dict(totals)

    def _add(self, pipe: Any, grown: Mapping[str, int], begin: float, end: float) -> None:
        hours: dict[int, dict[str, int]] = {}
        most = sorted(grown, key=lambda name: (-grown[name], name))[:MOST_NAMES]
        for name in most:
            for hour, count in spread(grown[name], begin, end):
                hours.setdefault(hour, {})[name] = count
        for hour, counts in hours.items():
            for name, count in counts.items():
                pipe.hincrby(self._name(hour), name, count)
            pipe.expire(self._name(hour), KEEP_SECONDS)

    def _forget(self, pipe: Any, names: list[str], now: int) -> None:
        """A shop was erased: its name is not kept here either."""
        for hour in range((now - KEEP_SECONDS) // HOUR, now // HOUR + 1) if names else ():
            pipe.hdel(self._name(hour), *names)

    def _name(self, hour: int) -> str:
        return f"{self._key}:{hour}"


def spread(count: int, begin: float, end: float) -> Iterator[tuple[int, int]]:
    """What came between two moments (Unix seconds), by the hour: as much as the hour's share of
    that time. Nothing is lost or added by rounding."""
    begin = max(begin, end - HISTORY_HOURS * HOUR)
    told = 0
    for hour in range(int(begin) // HOUR, int(end) // HOUR + 1):
        until = min(end, (hour + 1) * HOUR)
        upto = count if until >= end else round(count * (until - begin) / (end - begin))
        if upto > told:
            yield hour, upto - told
            told = upto


def _grown(before: Mapping[str, int], totals: Mapping[str, int]) -> dict[str, int]:
    """By how much each total has grown. One that is smaller began anew, with Redis."""
    grown = {}
    for name, total in totals.items():
        more = total - before.get(name, 0)
        if more < 0:
            more = total
        if more:
            grown[name] = more
    return grown
