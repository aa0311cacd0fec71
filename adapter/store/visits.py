"""What the console keeps of its visitors: a secret, failed log-ins, what was searched for.

| name | kind | holds | lives |
|-|-|-|-|
| `console:secret` | text | signs sessions, with the password | for good |
| `console:tries:<address>` | text | failed log-ins of it; of `all` of them | 15 min |
| `console:said:<token>` | text | what somebody searched for | 12 h |
| `console:over:<session>` | text | that somebody logged out | 12 h |
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from redis import Redis

from adapter.store import refs
from adapter.store.connection import store_errors

TRY_SECONDS = 15 * 60
MOST_TRIES, MOST_TRIES_OF_ALL = 10, 300
SAID_SECONDS = 12 * 3600
SESSION_SECONDS = 12 * 3600

_ALL = "all"


class Visits:
    """The visitors of one workspace's console. Methods raise StoreError."""

    def __init__(self, redis: Redis, workspace: str) -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace) + "console:"

    def secret(self) -> bytes:
        """The same for all web processes; made by the first who asks."""
        name = self._prefix + "secret"
        with store_errors():
            self._redis.set(name, secrets.token_hex(32), nx=True)
            found: Any = self._redis.get(name)
        return bytes(found)

    def count_try(self, address: str) -> int:
        """Count a log-in before its password is looked at; how many seconds it must wait instead,
        0 where it may go on."""
        names = [self._tries(address), self._tries(_ALL)]
        with store_errors():
            pipe = self._redis.pipeline(transaction=True)
            for name in names:
                pipe.incr(name)
                pipe.expire(name, TRY_SECONDS, nx=True)
                pipe.ttl(name)
            found = pipe.execute()
        (own, _, own_left), (every, _, every_left) = found[:3], found[3:]
        if own > MOST_TRIES:
            return max(1, int(own_left))
        return max(1, int(every_left)) if every > MOST_TRIES_OF_ALL else 0

    def forget_tries(self, address: str) -> None:
        """The password was right."""
        with store_errors():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(self._tries(address))
            pipe.decr(self._tries(_ALL))
            pipe.expire(self._tries(_ALL), TRY_SECONDS, nx=True)
            pipe.execute()

    def say(self, text: str) -> str:
        """A token in place of a text that must stand in no address bar and in no log of one."""
        token = secrets.token_urlsafe(12)
        with store_errors():
            self._redis.set(f"{self._prefix}said:{token}", text, ex=SAID_SECONDS)
        return token

    def said(self, token: str) -> str | None:
        """None where it is too long ago."""
        with store_errors():
            found: Any = self._redis.get(f"{self._prefix}said:{token}")
        return None if found is None else found.decode()

    def end(self, session: str) -> None:
        """Somebody logged out: no copy of their cookie opens anything from here on."""
        with store_errors():
            self._redis.set(f"{self._prefix}over:{session}", 1, ex=SESSION_SECONDS)

    def is_over(self, session: str) -> bool:
        """Whether they logged out."""
        with store_errors():
            return bool(self._redis.exists(f"{self._prefix}over:{session}"))

    def _tries(self, address: str) -> str:
        if address != _ALL:
            address = hashlib.sha256(address.encode()).hexdigest()[:32]
        return f"{self._prefix}tries:{address}"
