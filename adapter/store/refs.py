"""The names of what is kept in Redis, less the workspace's prefix, with format and lifetime.

| name | kind | holds | lives |
|-|-|-|-|
| `outbox` | stream | d delivery, p person, o order, l ledger, a action, e0.., q, k | till settled |
| `kept` | stream | d delivery, w outcome, c call, r reason, o order, x told, b body | 72 h * |
| `journal` | stream | j what became of a batch (zlib of JSON), see `account` | 72 h * |
| `parked` | stream | d delivery, r reason, k, b body; p, o, e0.., q | until replayed, dropped |
| `dead` | stream | r record: operation, reason, deliveries; b0.. bodies | until replayed, dropped |
| `lease` | text | job:<id>, run:<token> or wait:<reason> | 15 s, 10 s, the backoff |
| `job`, `jobs` | text | the last flush job's id, how many there were | for good |
| `settled` | hash | token, number and answer of the last settling, against twins | for good |
| `attempts`, `trouble`, `last_error` | hash | how delivery fares | small, for good |
| `counts` | hash | counters that `status` shows | for good |
| `dedupe:<platform>:<shop>:<delivery>` | text | its place in `kept` | 48 h |
| `key:<platform>:<shop>:<event>:<key>` | text | the delivery that holds it | 30 days |
| `thing:<kind>:<platform>:<shop>:<value>` | text | an order or a token, see `things` | 400 days |
| `lines:<platform>:<shop>:<cart>` | text | {at, seen, lines: {variant: quantity}} | 90 days |
| `person:<identifier>:<value>` | text | see `people.profile`; {to} is who it is | for good |
| `since:<platform>:<shop>` | text | Unix: its first whole day began | for good |
| `waiting:order:<platform>:<shop>:<value>` | list | entries, each a JSON list of fields | 24 h |
| `waiting:<token's kind>:...` | list | the same, of carts the newest 20 | 72 h |
| `errands` | hash | delivery: what is to be done in all of Redis, see purge | until done |
| `reports` | stream | r what is held of somebody who asked | 30 days |
| `redacted:<hash>` | text | somebody, or an order of theirs, was erased | 30 days |
| `waiting` | sorted set | the lists above by deadline (Unix seconds) | as they live |
| `seen` | hash | `<platform> <shop> <topic>`: when it last came | small, for good |
| `topics` | hash | `<outcome> <platform> <shop> <topic>`: how many | small, for good |
| `mode` | hash | `real`, `dry`: when a worker of that kind last swept (Unix ms) | small, for good |
| `figures` | hash | `answer|<status>`, `<histogram>|<bucket>`, `<histogram>|sum`: n | for good |
| `volume` | text | JSON {at, began, totals}: what was counted up to then | for good |
| `volume:<hour>` | hash | `event <name>`, `topic <ref>`, `letters <kind>`: n; `held` | 36 days |
| `alerts` | hash | `<rule>|<subject>`: JSON, see `alerts.states.State` | while it lasts |
| `alerts:turn` | text | whose turn it is to look, of many workers | 50 s |
| `product:<platform>:<shop>:<id>` | text | Product; a removed one stays as a mark | 400 days |
| `drift:<hour>` | hash | `<event>|<topic>|<property>|<kind>`: n; an hour since 1970 | 9 days |
| `audit` | stream | w what was done at the console, s session, f facts | 10,000 |
| `console:secret` | text | signs the console's sessions, with the password | for good |
| `console:tries:<hash>` | text | failed log-ins of an address; of `all` of them | 15 min |
| `console:said:<token>` | text | what somebody searched for | 12 h |
| `console:over:<session>` | text | that somebody logged out | 12 h |

Bodies are compressed in zlib's format. k is a place in `kept`, q the operation of a dead letter.
* RETENTION_HOURS, and less where it comes to more than RETENTION_BYTES or Redis fills (see `room`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from adapter import whom
from adapter.model import Delivery
from adapter.store import hashing, things

DEDUPE_SECONDS = 48 * 3600
KEY_SECONDS = 30 * 86400
OWNER_SECONDS = 400 * 86400
CART_SECONDS = 90 * 86400
FOR_GOOD = 0
WAIT_SECONDS = 24 * 3600
TOKEN_WAIT_SECONDS = 72 * 3600
MOST_UNDER_A_TOKEN = 20
COME_TO_NOTHING = frozenset({"cart", "checkout"})
"""What waits under these is given up where nobody claims it, beyond the newest or in the end; what
waits under anything else is parked (see sweep.lua)."""

LONGEST = 200
_SECONDS = {
    "cart_lines": CART_SECONDS,
    "person": FOR_GOOD,
    "since": FOR_GOOD,
    whom.TOMBSTONE: whom.TOMBSTONE_SECONDS,
}
_NAMES = {"cart_lines": "lines"}
_KINDS = ("cart_lines", "since", "product")


def prefix(workspace: str) -> str:
    """What stands before every name of a workspace."""
    return f"adapter:{workspace}:"


def dedupe(delivery: Delivery) -> str:
    """One delivery, however often it is sent."""
    return f"dedupe:{delivery.platform}:{delivery.shop}:{delivery.id}"


def business_key(delivery: Delivery, event: str, key: str) -> str:
    """One event of one shop, whichever delivery brings it."""
    return f"key:{delivery.platform}:{delivery.shop}:{event}:{_short(key)}"


def thing(kind: str, platform: str, shop: str, value: str) -> str:
    """The record of an order or a token; `kind` is order, cart, checkout, subscription."""
    return f"thing:{kind}:{platform}:{shop}:{_short(value)}"


@lru_cache(maxsize=1 << 12)  # those of two batches: asked for, then written
def memory(kind: str, platform: str, shop: str, value: str, secret: str = "") -> str:
    """Where is kept what is remembered under a Ref of the resolver: of a thing, a person."""
    if kind == "person":
        identifier, _, text = value.partition(":")
        # Names of keys show up in logs of Redis and in tools: addresses and numbers are hashed.
        own = _short(text) if identifier == "id" else hashing.name(text, secret)
        return f"{kind}:{identifier}:{own}"
    if kind == whom.TOMBSTONE:
        return hashing.redacted(platform, shop, value, secret)
    if kind in _KINDS:
        return f"{_NAMES.get(kind, kind)}:{platform}:{shop}:{_short(value)}"
    whole, _ = things.place((kind, platform, shop, value))
    return thing(*whole)


def seconds(kind: str) -> int:
    """How long it is remembered from its last change on; FOR_GOOD is 0."""
    return _SECONDS.get(kind, OWNER_SECONDS)


def wait_seconds(kind: str) -> int:
    """How long an entry waits until somebody owns what it names."""
    return WAIT_SECONDS if kind == "order" else TOKEN_WAIT_SECONDS


def waiting(thing_ref: str) -> str:
    """The entries that wait until somebody owns `thing_ref`."""
    return "waiting:" + thing_ref.removeprefix("thing:")


def _short(value: str) -> str:
    """Keys come from outside and may be of any length."""
    if len(value) <= LONGEST:
        return value
    return _hash(value)


def _hash(value: str) -> str:
    return "sha256-" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
