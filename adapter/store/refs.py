"""The names of what is kept in Redis, less the workspace's prefix, with format and lifetime.

| name | kind | holds | lives |
|-|-|-|-|
| `outbox` | stream | d delivery, p person, o order, e0.. events | until settled |
| `parked` | stream | d delivery, r reason, b body (zlib) or p, o, e0.. | until replayed, dropped |
| `dead` | stream | r record: operation, reason, deliveries | until replayed, dropped |
| `lease` | text | job:<id>, run:<token> or wait:<reason> | 15 s, 10 s, the backoff |
| `job`, `jobs` | text | the last flush job's id, how many there were | for good |
| `settled` | hash | call and answer of the last settling, for a client that asks twice | for good |
| `attempts`, `trouble`, `last_error` | hash | how delivery fares | small, for good |
| `counts` | hash | counters that `status` shows | for good |
| `dedupe:<platform>:<shop>:<delivery>` | text | its outcome | 48 h |
| `key:<platform>:<shop>:<event>:<key>` | text | the delivery that holds it | 30 days |
| `owner:<kind>:<platform>:<shop>:<value>` | text | {id, email, phone}; {} is nobody | 400 days |
| `waiting:order:<platform>:<shop>:<value>` | list | entries, each a JSON list of fields | 24 h |
| `waiting` | sorted set | the lists above by deadline (Unix seconds) | as they live |
"""

from __future__ import annotations

import hashlib

from adapter.model import CanonicalEvent, Delivery

DEDUPE_SECONDS = 48 * 3600
KEY_SECONDS = 30 * 86400
OWNER_SECONDS = 400 * 86400
WAIT_SECONDS = 24 * 3600

_LONGEST = 200


def prefix(workspace: str) -> str:
    """What stands before every name of a workspace."""
    return f"adapter:{workspace}:"


def dedupe(delivery: Delivery) -> str:
    """One delivery, however often it is sent."""
    return f"dedupe:{delivery.platform}:{delivery.shop}:{delivery.id}"


def business_key(delivery: Delivery, event: CanonicalEvent) -> str:
    """One event of one shop, whichever delivery brings it."""
    return f"key:{delivery.platform}:{delivery.shop}:{event.name}:{_short(event.key)}"


def owner(kind: str, platform: str, shop: str, value: str) -> str:
    """Who owns an order or a token; `kind` is order, cart, checkout."""
    return f"owner:{kind}:{platform}:{shop}:{_short(value)}"


def waiting(owner_ref: str) -> str:
    """The entries that wait until somebody owns `owner_ref`."""
    return "waiting:" + owner_ref.removeprefix("owner:")


def _short(value: str) -> str:
    """Keys come from outside and may be of any length."""
    if len(value) <= _LONGEST:
        return value
    return "sha256-" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
