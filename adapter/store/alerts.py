"""What alerts go by, and what became of them, as Redis keeps it.

| name | kind | holds | lives |
|-|-|-|-|
| `alerts` | hash | `<rule>|<subject>`: JSON, see `alerts.states.State` | while it lasts |
| `alerts:turn` | text | whose turn it is to look, of many workers | 50 s |
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from redis import Redis

from adapter.alerts import Facts, State
from adapter.alerts.states import Key
from adapter.compact import dump, load
from adapter.store import mode, refs
from adapter.store.connection import store_errors
from adapter.store.drift import Drift
from adapter.store.health import Status
from adapter.store.pressure import Memory, share
from adapter.store.volume import Volume

TURN_SECONDS = 50


class States:
    """The alerts of one workspace that are on. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._key = refs.prefix(workspace) + "alerts"

    def take_turn(self, name: str) -> bool:
        """Whether it is for us to look: for one worker in TURN_SECONDS. It is not given back, so
        that nobody else looks in the same minute."""
        with store_errors():
            taken: Any = self._redis.set(self._key + ":turn", name, nx=True, ex=TURN_SECONDS)
        return bool(taken)

    def read(self) -> dict[Key, State]:
        with store_errors():
            found: Any = self._redis.hgetall(self._key)
        states = {}
        for name, text in found.items():
            rule, _, subject = name.decode().partition("|")
            states[rule, subject] = State.from_json(load(text))
        return states

    def write(self, before: Mapping[Key, State], after: Mapping[Key, State]) -> None:
        """Put the states in place of those of before."""
        changed = {key: state for key, state in after.items() if before.get(key) != state}
        gone = [key for key in before if key not in after]
        if not (changed or gone):
            return
        with store_errors():
            pipe = self._redis.pipeline(transaction=True)
            for key, state in changed.items():
                pipe.hset(self._key, "|".join(key), dump(state.to_json()))
            for key in gone:
                pipe.hdel(self._key, "|".join(key))
            pipe.execute()


def memory(redis: Redis) -> Memory:
    """What Redis uses and may use. Raises StoreError."""
    with store_errors():
        told: Any = redis.info("memory")
    return int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))


class Ground:
    """All that a workspace's alerts are judged by. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self.workspace = workspace
        self._status = Status(redis, workspace)
        self._drift = Drift(redis, workspace)
        self.volume = Volume(redis, workspace)

    def status(self) -> dict[str, Any]:
        return self._status.read()

    def facts(self, now: float | None = None) -> Facts:
        at = time.time() if now is None else now
        status = self.status()
        error = status["last_error"]
        return Facts(
            at,
            self.volume.history(at),
            pending=status["pending"],
            pending_seconds=status["oldest_pending_seconds"] or 0.0,
            dead=status["dead"],
            parked=status["parked"],
            paused=status["paused"],
            reason=error["reason"] if error else "",
            memory=share(memory(self._redis)),
            mixed=mode.last(self._redis, self.workspace).is_mixed(at),
            findings=tuple(self._drift.findings(at)),
        )
