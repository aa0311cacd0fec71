"""Finding all that is kept of somebody, or of a shop: a walk over a whole workspace.

It goes by SCAN and by pages, so Redis is never blocked for long; what is written meanwhile may be
missed, and whoever walks sees to it that nothing is (tombstones).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from redis import Redis

from adapter.compact import dump
from adapter.model import Json
from adapter.store import hashing, refs, streams, things
from adapter.store.kept import unsqueeze
from adapter.store.needles import Needles

KEYS_A_STEP = 1_000
STREAMS = ("outbox", "kept", "parked", "dead", "reports")
_NOTHING_PERSONAL = frozenset({
    *STREAMS, "journal", "lease", "job", "jobs", "settled", "attempts", "trouble", "last_error",
    "counts", "waiting", "seen", "topics", "errands", "product", "drift", "dedupe", "redacted",
})  # fmt: skip
"""Kinds of keys that name nobody, or are looked into in a way of their own."""

_ABOUT = {things.SOLD: "order", things.CART: "cart"}
_BESIDE = re.compile(rb"b[0-9]+")
_OF_A_PERSON = re.compile("[a-z]+:(id|email|phone):")


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that is kept: a key, or an `item` of a stream or list.

    `value` is what was read, None where only the name matters. `instead` is what is left when the
    person is taken out of a record that is somebody else's, empty for nothing.
    """

    key: str
    value: bytes | None = None
    item: str | None = None
    fields: Mapping[bytes, bytes] = field(default_factory=dict)
    instead: bytes = b""


class Holdings:
    """What one workspace keeps."""

    def __init__(self, redis: Redis, workspace: str, secret: str = "") -> None:
        self._redis = redis
        self._prefix = refs.prefix(workspace)
        self._secret = secret

    def of(self, needles: Needles) -> Iterator[Holding]:
        """All that names somebody who is looked for."""
        for key in STREAMS:
            yield from self._items(key, lambda fields: in_entry(needles, fields))
        for one in self._items("dead", lambda fields: _only_beside(needles, fields)):
            # Somebody else's, still to be delivered: it goes on without the bodies.
            yield replace(one, instead=one.fields[b"r"])
        people = self._names_of_people(needles)
        for keys in self._keys():
            strings: list[str] = []
            for key in keys:
                kind, _, rest = key.partition(":")
                if kind == "waiting" and rest:
                    yield from self._waiting(key, needles)
                elif rest in people or (kind not in _NOTHING_PERSONAL and _named(needles, key)):
                    yield Holding(key)
                elif kind not in _NOTHING_PERSONAL and kind != "key":
                    strings.append(key)
            for key, value in self.values(strings):
                if not needles.may_be_in(value):
                    continue
                if (found := judged(key, value, needles)) is not None:
                    yield found

    def of_shop(self, platform: str, shop: str) -> Iterator[Holding]:
        """All that has to do with a shop; people are not the shop's."""
        within = f":{platform}:{shop}:"
        # `since:<platform>:<shop>` ends in the shop.
        for key in STREAMS:
            yield from self._items(key, lambda fields: _is_of_shop(fields, platform, shop))
        for keys in self._keys():
            yield from (Holding(key) for key in keys if within in key + ":")

    def owners(self, needles: Needles | None = None) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """Names of things, and their records where they are somebody's; at least those of somebody
        looked for."""
        for keys in self._keys():
            for key, value in self.values([key for key in keys if key.startswith("thing:")]):
                if needles is not None and not needles.may_be_in(value):
                    continue
                record = _decoded(value) or {}
                if record.get(things.OWNER):
                    yield key, record

    def records_of(self, contacts: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """The records of somebody's own, with their names."""
        keys = [f"person:{suffix}" for suffix in sorted(self.suffixes(contacts))]
        for key, value in self.values(keys):
            yield key, _decoded(value) or {}

    def people(self) -> Iterator[tuple[str, bytes]]:
        """Names and content of the records of people."""
        for keys in self._keys():
            yield from self.values([key for key in keys if _OF_A_PERSON.match(key)])

    def names(self) -> Iterator[str]:
        """The names of all keys, less the prefix."""
        for keys in self._keys():
            yield from keys

    def entries(self) -> Iterator[Mapping[bytes, bytes]]:
        """All that waits, and all that is parked with whom it is about."""
        for key in ("outbox", "parked"):
            yield from (one.fields for one in self._items(key, lambda fields: b"p" in fields))
        for keys in self._keys():
            for key in keys:
                if key.startswith("waiting:"):
                    yield from (fields for _, fields in self._list(key))

    def values(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        """What stands under texts; what is none, or gone by now, is left out."""
        if keys:
            found: Any = self._redis.mget([self._prefix + key for key in keys])
            yield from (
                (key, value) for key, value in zip(keys, found, strict=True) if value is not None
            )

    def suffixes(self, contacts: Mapping[str, Json]) -> set[str]:
        """What the names of somebody's own records end in."""
        return {
            suffix
            for kind in ("id", "email", "phone")
            if contacts.get(kind)
            for suffix in self._suffixes(kind, str(contacts[kind]))
        }

    def _suffixes(self, kind: str, value: str) -> tuple[str, ...]:
        """`id:42`, `email:<hash>`: with the secret, and as it was before there was one."""
        plain = refs.memory("person", "", "", f"{kind}:{value}").partition(":")[2]
        if kind == "id":
            return (plain,)
        return plain, f"{kind}:{hashing.name(value, self._secret)}"

    def _names_of_people(self, needles: Needles) -> set[str]:
        people = [
            *({"id": id_} for id_ in needles.ids),
            *({"email": email} for email in needles.emails),
            *({"phone": f"+{digits}"} for digits in needles.phones),
        ]
        return {suffix for one in people for suffix in self.suffixes(one)}

    def _keys(self) -> Iterator[list[str]]:
        cursor = 0
        while True:
            found: Any = self._redis.scan(cursor, self._prefix + "*", KEYS_A_STEP)
            cursor, keys = found
            yield [key.decode("utf-8", "replace")[len(self._prefix) :] for key in keys]
            if cursor == 0:
                return

    def _items(
        self, key: str, wanted: Callable[[Mapping[bytes, bytes]], bool]
    ) -> Iterator[Holding]:
        for id_, fields in streams.oldest_first(self._redis, self._prefix + key):
            if wanted(fields):
                yield Holding(key, item=id_, fields=fields)

    def _waiting(self, key: str, needles: Needles) -> Iterator[Holding]:
        about = needles.in_name(key)
        for element, fields in self._list(key):
            if about or in_entry(needles, fields):
                yield Holding(key, value=None if about else element, fields=fields)

    def _list(self, key: str) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
        elements: Any = self._redis.lrange(self._prefix + key, 0, -1)
        for element in elements:
            yield element, fields_of(element)


def fields_of(element: bytes) -> dict[bytes, bytes]:
    """The fields of an entry as it waits in a list."""
    flat = [text.encode() for text in json.loads(element)]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _named(needles: Needles, key: str) -> bool:
    return needles.may_be_in(key.encode()) and needles.in_name(key)


def things_of(key: str) -> tuple[str, str, str, str] | None:
    """(kind, platform, shop, value) of a `thing:` key."""
    _, kind, platform, shop, value = (*key.split(":", 4), "", "", "", "")[:5]
    return (kind, platform, shop, value) if value else None


def received(fields: Mapping[bytes, bytes]) -> int:
    """When the first delivery of an item came in (Unix seconds); of a report, when it was asked
    for."""
    record = _decoded(fields.get(b"d") or fields.get(b"r") or b"{}") or {}
    deliveries = record.get("deliveries") or [record]
    return min(int(one.get("received_at") or one.get("asked") or 0) for one in deliveries)


def in_entry(needles: Needles, fields: Mapping[bytes, bytes]) -> bool:
    """Whether an item of a stream, or what waits in a list, is about somebody looked for."""
    if b"w" in fields and _is_named_beside(needles, fields):
        return True
    if fields.get(b"q") and needles.in_value(_decoded(fields[b"q"])):
        return True
    if b"b" in fields:
        return _in_body(needles, fields[b"b"], _decoded(fields.get(b"d", b"{}")) or {})
    person = _decoded(fields.get(b"p") or b"{}") or {}
    if any(person.get(name) for name in ("id", "email", "phone")):
        theirs = needles.in_contacts(person) or str(person.get("platform_id")) in needles.ids
    else:
        tokens = (person.get("tokens") or {}).values()
        order = fields.get(b"o", b"").decode()
        theirs = order in needles.orders or not needles.tokens.isdisjoint(tokens)
    if theirs:
        return True
    if b"a" in fields and needles.in_value(_decoded(fields[b"a"])):
        return True
    return b"p" not in fields and needles.in_value(_decoded(fields.get(b"r", b"{}")))


def _is_named_beside(needles: Needles, fields: Mapping[bytes, bytes]) -> bool:
    """Whether what is kept beside a body names somebody looked for."""
    if fields.get(b"o", b"").decode() in needles.orders:
        return True
    # Why it was parked may quote what stood where it should not.
    if needles.in_text(fields.get(b"r", b"").decode()):
        return True
    told = _decoded(fields.get(b"x", b"[]")) or []
    return any(needles.in_name(key) for key, _ in told)


def _only_beside(needles: Needles, fields: Mapping[bytes, bytes]) -> bool:
    """Whether nothing of a dead letter names somebody looked for but the bodies that it holds."""
    bodies = [(int(name[1:]), fields[name]) for name in fields if _BESIDE.fullmatch(name)]
    if not bodies or in_entry(needles, fields):
        return False
    deliveries = (_decoded(fields[b"r"]) or {}).get("deliveries") or []
    return any(
        _in_body(needles, body, deliveries[number] if number < len(deliveries) else {})
        for number, body in bodies
    )


def _in_body(needles: Needles, body: bytes, delivery: Mapping[str, Json]) -> bool:
    """A body as the platform sent it; one that is no JSON is searched as a text."""
    raw = unsqueeze(body)
    found = _decoded(raw)
    if found is None:
        return needles.in_text(raw.decode("utf-8", "replace"))
    topic = str(delivery.get("topic", "")).replace(".", "/")
    return needles.in_value(found, topic.partition("/")[0].rstrip("s").lower())


def judged(key: str, value: bytes, needles: Needles) -> Holding | None:
    """A record that names somebody looked for: the whole, or what is left of somebody else's."""
    kind = key.partition(":")[0]
    record = _decoded(value)
    if kind == "thing" and isinstance(record, dict):
        return _thing(key, value, record, needles)
    if record is None:
        named = needles.in_text(value.decode("utf-8", "replace"))
    else:
        named = needles.in_value(record)
    return Holding(key, value) if named else None


def _thing(key: str, value: bytes, record: Mapping[str, Json], needles: Needles) -> Holding | None:
    """An order or a token of somebody else goes on without what names those looked for."""
    owner = record.get(things.OWNER) or {}
    if needles.in_contacts(owner):
        return Holding(key, value)
    rest = {
        name: each
        for name, each in record.items()
        if name == things.OWNER or not needles.in_value(each, _ABOUT.get(name, ""))
    }
    if str(owner.get("email")).lower() in needles.emails:
        rest[things.OWNER] = {name: each for name, each in owner.items() if name != "email"}
    if rest == record:
        return None
    return Holding(key, value, instead=dump(rest) if rest else b"")


def _is_of_shop(fields: Mapping[bytes, bytes], platform: str, shop: str) -> bool:
    record = _decoded(fields.get(b"d") or fields.get(b"r") or b"{}")
    if not isinstance(record, dict):
        return False
    deliveries = record.get("deliveries") or [record]
    return any(one.get("platform") == platform and one.get("shop") == shop for one in deliveries)


def _decoded(text: bytes) -> Json:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
