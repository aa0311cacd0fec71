"""What is remembered of one person and of what is theirs, for who asks about them.

Only reads. What has a name of its own is read by it; what can only be found by looking (who else
leads to somebody, which carts are theirs, what waits or was refused) is looked for in a bounded
part of Redis, and every answer says how large that part was. Methods raise StoreError.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from redis import Redis

from adapter import whom
from adapter.model import Delivery, Json, Ref, Who
from adapter.people.identity import MOST_STEPS, IdentifyBy, named
from adapter.people.memory import person_ref
from adapter.people.profile import Profile
from adapter.store import refs, streams, things
from adapter.store.connection import store_errors
from adapter.store.holdings import fields_of, in_entry, things_of
from adapter.store.needles import Needles
from adapter.store.recall import recall

KEYS_A_STEP = 1_000
STREAMS = ("outbox", "parked", "dead")
MOST_WAITING = 100
"""Entries of one waiting list that are looked at."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How much of a place was looked through: `seen` of `there`."""

    place: str
    seen: int
    there: int

    @property
    def whole(self) -> bool:
        return self.seen >= self.there


@dataclass(frozen=True, slots=True)
class Found:
    """Whom an identifier means.

    `way` begins with the identifier and ends with whom it is; each leads to the next. `profile` is
    None where nothing is remembered of them, `freed` says that it was somebody's address once.
    `erased` is until when bodies about any of them are skipped (Unix seconds).
    """

    way: tuple[Who, ...]
    profile: Profile | None
    freed: bool = False
    erased: int | None = None

    @property
    def who(self) -> Who:
        return self.way[-1]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that waits or was put aside: an entry, a parked body, a dead letter.

    `at` is when it came to be there (of the outbox: into the adapter). `events` are (name, key)
    of what it would bring; none are known of a body that was parked before it was mapped. `about`
    are the order and the tokens that it names, as (kind, value).
    """

    place: str
    at: int
    deliveries: tuple[Mapping[str, Json], ...]
    events: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    mapped: bool = True
    about: frozenset[tuple[str, str]] = frozenset()

    def to_json(self) -> dict[str, Json]:
        named = [{name: one.get(name) for name in ("id", "topic")} for one in self.deliveries]
        events = [{"name": name, "key": key} for name, key in self.events]
        return {
            "place": self.place,
            "at": self.at,
            "deliveries": named,
            "events": events,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Thing:
    """An order, or the token of a cart, a checkout or a subscription, and what is known of it.

    `owner` is None where nothing is known and empty where nobody owns it; `sold` is the order that
    it became; `cart` the cart that a checkout began as; `lines` what was in a cart last; `told`
    when what was told of an order (Unix seconds by event, with its key where that is not the
    order). `waiting` is what waits for its owner (the oldest MOST_WAITING of `length`), `until` as
    long as it may.
    """

    ref: Ref
    owner: Mapping[str, str] | None = None
    sold: str | None = None
    cart: str | None = None
    lines: Mapping[str, Json] | None = None
    told: Mapping[str, int] = field(default_factory=dict)
    waiting: tuple[Item, ...] = ()
    length: int = 0
    until: int | None = None
    erased: bool = False

    @property
    def known(self) -> bool:
        parts = (self.sold, self.cart, self.lines, self.until)
        return self.owner is not None or self.erased or bool(self.told) or any(parts)


@dataclass(frozen=True, slots=True)
class Holder:
    """The delivery that holds the business key of an event, and since when (Unix seconds)."""

    ref: Ref
    event: str
    key: str
    delivery: str
    since: int


class People:
    """What one workspace remembers of people."""

    def __init__(self, redis: Redis, workspace: str, *, secret: str = "") -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._secret = secret

    def since(self, platform: str, shop: str) -> int | None:
        """When the first whole day began on which a shop's webhooks came here."""
        found = self._read([("since", platform, shop, "")])
        value = next(iter(found.values()), None)
        return None if value is None else int(value)

    def find(self, who: Who) -> Found:
        """Whom an identifier means, and what is remembered of them."""
        way = [who]
        record: Json = None
        for _ in range(MOST_STEPS + 1):
            ref = person_ref(way[-1])
            record = self._read([ref]).get(ref)
            target = record.get("to") if isinstance(record, dict) else None
            if not target or (target[0], target[1]) in way:
                break
            way.append((target[0], target[1]))
        profile = Profile.from_json(record) if record else None
        marks = [self._name(whom.tombstone(each)) for each in way]
        return Found(tuple(way), profile, record == {}, self._until(marks))

    def things(self, wanted: Sequence[Ref]) -> list[Thing]:
        """What is known of orders and tokens, in a constant number of questions."""
        asked = {ref: _asked(ref) for ref in wanted}
        values = self._read([one for each in asked.values() for one in each.values()])
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for ref in wanted:
                name = refs.waiting(self._name(ref))
                pipe.zscore(self._prefix + "waiting", name)
                pipe.lrange(self._prefix + name, 0, MOST_WAITING - 1)
                pipe.llen(self._prefix + name)
            answers = pipe.execute() if wanted else []
        found = []
        for number, ref in enumerate(wanted):
            known = {name: values.get(one) for name, one in asked[ref].items()}
            until, waiting, length = answers[3 * number : 3 * number + 3]
            found.append(
                Thing(
                    ref,
                    known[things.OWNER],
                    known.get(things.SOLD),
                    known.get(things.CART),
                    known.get("cart_lines"),
                    known.get(things.TOLD) or {},
                    tuple(_item("waiting", 0, fields_of(text)) for text in waiting),
                    length,
                    None if until is None else int(until),
                    known[whom.TOMBSTONE] is not None,
                )
            )
        return found

    def holders(self, wanted: Iterable[tuple[Ref, str, str]]) -> list[Holder]:
        """Which deliveries hold the business keys (ref, event, key), of those that are held; only
        platform and shop of `ref` matter for a key."""
        asked = list(dict.fromkeys(wanted))
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for ref, event, key in asked:
                name = self._prefix + _key(ref, event, key)
                pipe.get(name)
                pipe.ttl(name)
            answers = pipe.execute() if asked else []
        now = int(time.time())
        return [
            Holder(*one, answers[2 * n].decode(), now - refs.KEY_SECONDS + answers[2 * n + 1])
            for n, one in enumerate(asked)
            if answers[2 * n] is not None
        ]

    def keys_of(self, event: str, things: Iterable[Ref], most: int) -> tuple[list[Holder], Looked]:
        """Held keys of an event that begin with a token, as those of cart events do."""
        starts = {_key(ref, event, ref[3]) + ":": ref for ref in things}
        found: list[tuple[Ref, str, str]] = []
        walk = _Walk(self, f"key:*:{event}:*", most)
        for names in walk:
            for name in names:
                for start, ref in starts.items():
                    if name.startswith(start):
                        found.append((ref, event, ref[3] + ":" + name[len(start) :]))
        return self.holders(found), walk.looked()

    def aliases(self, who: Who, most: int) -> tuple[set[str], Looked]:
        """Names of the records that lead to somebody, as `id:7` or `email:<hash>`."""
        targets, found = {who}, set[str]()
        while True:
            walk = _Walk(self, "person:*", most)
            before = len(targets)
            for names in walk:
                for name, value in self._values(names):
                    record = json.loads(value) if b'"to"' in value else None
                    if not record or tuple(record["to"]) not in targets:
                        continue
                    _, kind, end = name.split(":", 2)
                    found.add(f"{kind}:{end}")
                    if kind == "id":
                        targets.add((kind, end))
            # Who leads to somebody who leads to them may have been passed by before that was seen.
            if len(targets) == before:
                return found, walk.looked()

    def belongings(
        self, who: Who, aliases: Iterable[str], identify_by: IdentifyBy, most: int
    ) -> tuple[list[Ref], Looked]:
        """Orders and tokens that somebody owns; `aliases` are names of those who lead to them."""
        names = {self.name_of(who), *aliases}
        found: list[Ref] = []
        walk = _Walk(self, "thing:*", most)
        for step in walk:
            for key, value in self._values(step):
                owner = named(json.loads(value).get(things.OWNER) or {}, identify_by)
                ref = things_of(key)
                if owner and ref and self.name_of(owner) in names:
                    found.append(ref)
        return sorted(set(found)), walk.looked()

    def name_of(self, who: Who) -> str:
        """`id:42` or `email:<hash>`: what the name of a person's record ends in."""
        return self._name(person_ref(who)).partition(":")[2]

    def items(self, needles: Needles, most: int) -> tuple[list[Item], list[Looked]]:
        """What names somebody, or their things, among the newest `most` of each stream."""
        found: list[Item] = []
        looked = []
        for place in STREAMS:
            seen = 0
            with store_errors():
                there: Any = self._redis.xlen(self._prefix + place)
            newest = streams.newest_first(self._redis, self._prefix + place)
            for id_, fields in islice(newest, most):
                seen += 1
                if in_entry(needles, fields):
                    found.append(_item(place, streams.millisecond(id_) // 1000, fields))
            looked.append(Looked(place, seen, max(seen, there)))
        return found, looked

    def counts(self) -> dict[str, int]:
        """The counters of the workspace."""
        with store_errors():
            found: Any = self._redis.hgetall(self._prefix + "counts")
        return {name.decode(): int(value) for name, value in found.items()}

    def _name(self, ref: Ref) -> str:
        return refs.memory(*ref, self._secret)

    def _read(self, wanted: Sequence[Ref]) -> dict[Ref, Json]:
        return recall(self._redis.mget, self._prefix, self._secret, wanted)

    def _values(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        if not names:
            return
        with store_errors():
            values: Any = self._redis.mget([self._prefix + name for name in names])
        pairs = zip(names, values, strict=True)
        yield from ((name, value) for name, value in pairs if value is not None)

    def _until(self, names: Sequence[str]) -> int | None:
        with store_errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.ttl(self._prefix + name)
            left = max(pipe.execute())
        return int(time.time()) + left if left > 0 else None


class _Walk:
    """Names of keys that match, step by step, until about `most` keys of Redis were looked at."""

    def __init__(self, people: People, pattern: str, most: int) -> None:
        self._redis = people._redis
        self._prefix = people._prefix
        self._pattern = self._prefix + pattern
        self._most = most
        self._seen = 0
        self._ended = False

    def __iter__(self) -> Iterator[list[str]]:
        cursor = 0
        while self._seen < self._most:
            with store_errors():
                found: Any = self._redis.scan(cursor, self._pattern, KEYS_A_STEP)
            cursor, keys = found
            self._seen += KEYS_A_STEP
            # A key may come twice; whoever asks makes no difference of it.
            yield [key.decode("utf-8", "replace")[len(self._prefix) :] for key in keys]
            if cursor == 0:
                self._ended = True
                return

    def looked(self) -> Looked:
        with store_errors():
            there: Any = self._redis.dbsize()
        return Looked("keys", there if self._ended else min(self._seen, there - 1), there)


def _asked(ref: Ref) -> dict[str, Ref]:
    """What is kept about a thing, by kind."""
    kind, platform, shop, value = ref
    found = {whom.TOMBSTONE: whom.tombstone_of(*ref), **dict(things.parts(ref))}
    if kind == "cart":
        found["cart_lines"] = ("cart_lines", platform, shop, value)
    return found


def _key(ref: Ref, event: str, key: str) -> str:
    delivery = Delivery(ref[1], "", "", ref[2], 0)
    return refs.business_key(delivery, event, key)


def _item(place: str, at: int, fields: Mapping[bytes, bytes]) -> Item:
    if b"d" not in fields:
        return _dead(place, at, json.loads(fields[b"r"]))
    events: list[tuple[str, str]] = []
    while text := fields.get(b"e%d" % len(events)):
        event = json.loads(text)
        events.append((event["name"], event["key"]))
    delivery = json.loads(fields[b"d"])
    about = dict(json.loads(fields.get(b"p") or b"{}").get("tokens", {}))
    if order := fields.get(b"o", b"").decode():
        about["order"] = order
    reason = fields[b"r"].decode() if b"r" in fields else None
    return Item(
        place,
        at or delivery["received_at"],
        (delivery,),
        tuple(events),
        reason,
        mapped=b"p" in fields,
        about=frozenset(about.items()),
    )


def _dead(place: str, at: int, record: Mapping[str, Json]) -> Item:
    operation = record["operation"]
    named_in = operation["attributes"]
    about = {
        (kind, str(named_in[f"{kind}_id"]))
        for kind in ("order", "cart", "checkout", "subscription")
        if operation["name"] and named_in.get(f"{kind}_id")
    }
    # An identify, a merge, a suppression: shown by what it was to do.
    name = operation["name"] or operation["action"]
    return Item(
        place,
        at,
        tuple(record["deliveries"]),
        ((name, operation["key"] or ""),),
        record["reason"],
        about=frozenset(about),
    )
