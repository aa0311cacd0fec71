"""Which topics came in, from which shop, when last, and what became of them.

| name | kind | holds | lives |
|-|-|-|-|
| `seen` | hash | `<platform> <shop> <topic>`: when it last came (Unix seconds) | small, for good |
| `topics` | hash | `<outcome> <platform> <shop> <topic>`: how many | small, for good |

`accept` writes both, whatever becomes of a delivery; a duplicate changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from redis import Redis

from adapter.model import Delivery
from adapter.store import refs
from adapter.store.connection import store_errors

MOST = 2_000
"""Topics and shops that are told apart: names come from outside, and a hash has no end of life."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One topic of one shop; `at` is when it last came, `outcomes` how often it became what."""

    platform: str
    shop: str
    topic: str
    at: int
    outcomes: Mapping[str, int] = field(default_factory=dict)


class Topics:
    """What one workspace has seen."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)

    def seen(self) -> list[Seen]:
        """By platform, topic and shop. Raises StoreError."""
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hgetall(self._prefix + "seen")
            pipe.hgetall(self._prefix + "topics")
            times, counts = pipe.execute()
        outcomes: dict[str, dict[str, int]] = {}
        for name, count in counts.items():
            outcome, _, which = name.decode().partition(" ")
            outcomes.setdefault(which, {})[outcome] = int(count)
        found = []
        for name, at in times.items():
            platform, shop, topic = name.decode().split(" ", 2)
            found.append(Seen(platform, shop, topic, int(at), outcomes.get(name.decode(), {})))
        return sorted(found, key=lambda one: (one.platform, one.topic, one.shop))


def latest(seen: Iterable[Seen]) -> dict[tuple[str, str], int]:
    """When a topic of a platform last came, from whichever shop."""
    found: dict[tuple[str, str], int] = {}
    for one in seen:
        key = one.platform, one.topic
        found[key] = max(one.at, found.get(key, 0))
    return found


def ref(delivery: Delivery) -> str:
    """One topic of one shop; a topic may hold blanks, so it stands last."""
    return f"{delivery.platform} {delivery.shop} {delivery.topic}"
