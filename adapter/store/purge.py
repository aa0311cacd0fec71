"""Errands through the whole of a workspace: purge a person, purge a shop, report what is held.

| name | kind | holds | lives |
|-|-|-|-|
| `errands` | hash | delivery: Errand | until it is done |
| `redacted:<hash>` | text | 1: of whom, or of whose order or token, is not said | 30 days |
| `reports` | stream | r report: whom it is about, where what is held | 30 days |

The step that settles an entry writes its errand down; a thread of the worker runs it. All that is
pending is done in one walk. Running it again does no harm, and a run that was cut short begins
again: what it found out first is written down before anything that it was found by is removed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import islice
from typing import Any

from redis import Redis

from adapter.compact import dump
from adapter.deeds import ERASING, Errand
from adapter.model import Json
from adapter.store import hashing, refs
from adapter.store.connection import store_errors
from adapter.store.holdings import Holding, Holdings, in_entry, judged, received, things_of
from adapter.store.kept import unsqueeze
from adapter.store.needles import Needles
from adapter.store.things import OWNER, SOLD
from adapter.whom import TOMBSTONE_SECONDS

REPORT_SECONDS = 30 * 86400
"""How long the answer to a data request is kept: as long as the law gives to hand it over."""

MOST_HELD = 1_000
"""Places that one report shows with all that they hold."""

HANDFUL = 200
"""Removals that are sent at once."""

Judge = Callable[[str, bytes], Holding | None]
"""What is to be removed of a key, by what stands there now."""

_log = logging.getLogger(__name__)


class Purger:
    """Runs the errands of one workspace. Methods raise StoreError when Redis does not do it."""

    def __init__(self, redis: Redis, workspace: str, *, secret: str = "") -> None:
        self._redis = redis
        self._workspace = workspace
        self._prefix = refs.prefix(workspace)
        self._secret = secret
        self._holdings = Holdings(redis, workspace, secret)
        script = files("adapter.store") / "scripts" / "unless_changed.lua"
        self._unless_changed = redis.register_script(script.read_text())

    def order(self, errand: Errand) -> None:
        """Write an errand down; the same one twice is one."""
        with store_errors():
            self._redis.hset(self._prefix + "errands", errand.delivery, dump(errand.to_json()))

    def pending(self) -> int:
        """Errands that are not done."""
        with store_errors():
            found: Any = self._redis.hlen(self._prefix + "errands")
        return int(found)

    def run(self) -> int:
        """Do all that is pending; how many errands that was."""
        with store_errors():
            errands = self._errands()
            people = [one for one in errands if one.kind == "purge_person"]
            asked = [one for one in errands if one.kind == "report_person"]
            erased = max((one.at for one in people), default=0)
            # A report is kept of somebody as well: the answer to who asked later must outlive it.
            for errand in asked:
                if errand.at <= erased:
                    self._report(errand)
            if people:
                self._purge_people(people)
            for errand in asked:
                if errand.at > erased:
                    self._report(errand)
            for errand in errands:
                if errand.kind == "purge_shop":
                    self._purge_shop(errand)
                    self._done([errand])
        return len(errands)

    def _errands(self) -> list[Errand]:
        found: Any = self._redis.hgetall(self._prefix + "errands")
        return [Errand.from_json(json.loads(text)) for text in found.values()]

    def _done(self, errands: Iterable[Errand]) -> None:
        for errand in errands:
            self._redis.hdel(self._prefix + "errands", errand.delivery)
            _log.info(
                "errand done",
                extra={
                    "workspace": self._workspace,
                    "delivery": errand.delivery,
                    "errand": errand.kind,
                },
            )

    def _purge_people(self, errands: Sequence[Errand]) -> None:
        needles, later = Needles.of(errands), _Later.than(errands)
        found, things, spared = self._belongings(needles, later)
        for platform, shop, value in (*things, *(("", "", f"id:{one}") for one in found.ids)):
            self._bury(platform, shop, value)
        # What is theirs is seen by what is removed next: who begins again finds it here.
        first = errands[0]
        self.order(
            replace(
                first, ids=tuple(found.ids), orders=tuple(found.orders), tokens=tuple(found.tokens)
            )
        )

        lasting: dict[Needles, Needles] = {}

        def is_theirs(one: Holding) -> bool:
            if one.key in spared or _is_left_to_do(one):
                return False
            if one.instead:
                return True
            names = later.before(received(one.fields)) if one.fields else None
            if names is None:
                return True
            if names not in lasting:
                lasting[names] = _less(found, names)
            return in_entry(lasting[names], one.fields)

        def judge(key: str, value: bytes) -> Holding | None:
            return None if key in spared else judged(key, value, found)

        self._remove(filter(is_theirs, self._holdings.of(found)), judge)
        self._done(errands)

    def _belongings(
        self, needles: Needles, later: _Later | None = None
    ) -> tuple[Needles, set[tuple[str, str, str]], set[str]]:
        """Needles with other ids, the orders and the tokens of those looked for; the orders and
        tokens as (platform, shop, kind:value) as well; and the names of records of somebody new,
        who goes by an address or a number of theirs by now."""
        spared, new_orders, taken = self._taken(later.names if later else Needles())
        own = _less(needles, taken)
        ids = {
            name.split(":", 2)[2]
            for name, value in self._holdings.people()
            if ":id:" in name and _leads_to(value, own)
        }
        needles = Needles(
            needles.ids | ids, needles.emails, needles.phones, needles.orders, needles.tokens
        )
        if later is not None:
            spared |= self._led_away(needles)
        things: set[tuple[str, str, str]] = set()
        for key, record in self._holdings.owners(needles):
            thing = things_of(key)
            if thing is None or not needles.in_contacts(record[OWNER]):
                continue
            kind, platform, shop, value = thing
            order = value if kind == "order" else record.get(SOLD)
            if order in new_orders and order not in needles.orders:
                spared.add(key)
            else:
                things.add((platform, shop, f"{kind}:{value}"))
        for fields in self._holdings.entries():
            person = json.loads(fields.get(b"p") or b"{}")
            if needles.in_contacts(person) and not (later and later.may_be_new(person, fields)):
                delivery = json.loads(fields[b"d"])
                for kind, value in person.get("tokens", {}).items():
                    things.add((delivery["platform"], delivery["shop"], f"{kind}:{value}"))
        orders, tokens = set(needles.orders), set(needles.tokens)
        for _, _, name in things:
            kind, _, value = name.partition(":")
            (orders if kind == "order" else tokens).add(value)
        found = Needles(needles.ids, needles.emails, needles.phones, orders, tokens)
        return found, things, spared

    def _taken(self, free: Needles) -> tuple[set[str], set[str], Needles]:
        """Which of the names somebody new without an id goes by: the names of their records, their
        orders, and those names."""
        spared: set[str] = set()
        orders: set[str] = set()
        names: dict[str, set[str]] = {"email": set(), "phone": set()}
        for one in _contacts(free):
            for key, record in self._holdings.records_of(one):
                if record and "to" not in record:
                    spared.add(key)
                    orders.update(record.get("orders", ()))
                    for kind, value in one.items():
                        names[kind].add(value)
        return spared, orders, Needles(emails=names["email"], phones=names["phone"])

    def _led_away(self, needles: Needles) -> set[str]:
        """Names of the records of those who came later: they have an id, and an address of theirs
        who are looked for leads to it."""
        spared: set[str] = set()
        for one in _contacts(needles):
            for key, record in self._holdings.records_of(one):
                target = record.get("to")
                if target and not needles.in_contacts(other := {target[0]: target[1]}):
                    spared.add(key)
                    spared.update(name for name, _ in self._holdings.records_of(other))
        return spared

    def _bury(self, platform: str, shop: str, value: str) -> None:
        name = hashing.redacted(platform, shop, value, self._secret)
        self._redis.set(self._prefix + name, 1, ex=TOMBSTONE_SECONDS)

    def _purge_shop(self, errand: Errand) -> None:
        """People first: whose shop this was is seen by what is removed after them."""
        within = f":{errand.platform}:{errand.shop}:"
        here: set[str] = set()
        elsewhere: set[str] = set()
        for key, record in self._holdings.owners():
            (here if within in key else elsewhere).update(self._holdings.suffixes(record[OWNER]))
        only = here - elsewhere
        self._remove(self._people_of(only, alone=self._is_alone(errand)), Holding)
        self._remove(self._holdings.of_shop(errand.platform, errand.shop), Holding)
        for name in ("seen", "topics"):
            fields: Any = self._redis.hkeys(self._prefix + name)
            about = f" {errand.platform} {errand.shop} ".encode()
            gone = [one for one in fields if about in b" " + one]
            if gone:
                self._redis.hdel(self._prefix + name, *gone)

    def _is_alone(self, errand: Errand) -> bool:
        """Whether nothing is kept of any other shop."""
        of_shops = ("thing", "lines", "product", "dedupe", "key")
        within = f":{errand.platform}:{errand.shop}:"
        return all(
            within in name for name in self._holdings.names() if name.split(":")[0] in of_shops
        )

    def _people_of(self, only: set[str], *, alone: bool) -> Iterable[Holding]:
        """Records of people who are known through the shop only, as far as can be told."""
        return (
            Holding(name, value)
            for name, value in self._holdings.people()
            if alone or name.partition(":")[2] in only
        )

    def _remove(self, held: Iterable[Holding], judge: Judge) -> None:
        """In handfuls: the walk goes on while what it found is removed. What was changed since it
        was read is judged anew."""
        walk = iter(held)
        while some := list(islice(walk, HANDFUL)):
            while some:
                changed = self._remove_some(some)
                found = self._holdings.values(changed)
                some = [one for key, value in found if (one := judge(key, value)) is not None]

    def _remove_some(self, some: Iterable[Holding]) -> list[str]:
        """Keys that others have changed or removed since they were read are left, and named."""
        careful: list[tuple[int, str]] = []
        pipe = self._redis.pipeline(transaction=False)
        for one in some:
            key = self._prefix + one.key
            if one.item is not None:
                if one.instead:
                    pipe.xadd(key, {"r": one.instead})
                pipe.xdel(key, one.item)
            elif one.value is not None and one.key.startswith("waiting:"):
                pipe.lrem(key, 0, one.value)  # type: ignore[arg-type]
            elif one.value is not None:
                careful.append((len(pipe), one.key))
                self._unless_changed(keys=[key], args=[one.value, one.instead], client=pipe)
            else:
                pipe.zrem(self._prefix + "waiting", one.key)
                pipe.delete(key)
        answers = pipe.execute()
        return [key for place, key in careful if not answers[place]]

    def _report(self, errand: Errand) -> None:
        """What is held of a person, and where; the log says only that there is a report."""
        needles, *_ = self._belongings(Needles.of([errand]))
        held = [self._told(one) for one in islice(self._holdings.of(needles), MOST_HELD + 1)]
        report = {
            "asked": errand.at,
            "delivery": errand.delivery,
            "platform": errand.platform,
            "shop": errand.shop,
            "person": {"ids": errand.ids, "emails": errand.emails, "phones": errand.phones},
            "held": held[:MOST_HELD],
            "complete": len(held) <= MOST_HELD,
        }
        oldest = (int(time.time()) - REPORT_SECONDS) * 1000
        stream = self._prefix + "reports"
        id_: Any = self._redis.xadd(stream, {"r": dump(report)}, minid=oldest, approximate=False)
        self._redis.expire(stream, REPORT_SECONDS)
        self._done([errand])
        _log.info(
            "report written",
            extra={
                "workspace": self._workspace,
                "delivery": errand.delivery,
                "report": id_.decode(),
                "places": len(held),
            },
        )

    def _told(self, held: Holding) -> dict[str, Json]:
        """A place and what is there, as a report shows it."""
        if not held.fields:
            value = held.value or next((v for _, v in self._holdings.values([held.key])), b"")
            if held.instead:
                value = dump(_theirs(json.loads(value), json.loads(held.instead)))
            return {"where": held.key, "holds": value.decode("utf-8", "replace")}
        fields = {
            name: unsqueeze(value) if name[:1] == b"b" else value
            for name, value in held.fields.items()
        }
        shown = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
        return {"where": " ".join(filter(None, (held.key, held.item))), "holds": shown}


@dataclass(frozen=True, slots=True)
class _Later:
    """What somebody new may go by, and since when: the addresses and numbers of those who were
    deleted and may come back. Their memory was emptied when the deletion was settled.

    `names` are all of them, `since` when each deletion came in with its own, the earliest first.
    """

    names: Needles
    since: tuple[tuple[int, Needles], ...]
    _known: dict[int, Needles | None] = field(default_factory=dict)

    @classmethod
    def than(cls, errands: Sequence[Errand]) -> _Later:
        others = Needles.of([one for one in errands if not one.may_return])

        def names_of(free: Sequence[Errand]) -> Needles:
            names = Needles.of(free)
            return _less(Needles(emails=names.emails, phones=names.phones), others)

        free = sorted((one for one in errands if one.may_return), key=lambda one: one.at)
        return cls(names_of(free), tuple((one.at, names_of([one])) for one in free))

    def before(self, moment: int) -> Needles | None:
        """The names that were free by then; None where none was."""
        number = sum(at < moment for at, _ in self.since)
        if number not in self._known:
            free = [names for _, names in self.since[:number]]
            emails = {one for names in free for one in names.emails}
            phones = {one for names in free for one in names.phones}
            names = Needles(emails=emails, phones=phones)
            self._known[number] = names if emails or phones else None
        return self._known[number]

    def may_be_new(self, contacts: Mapping[str, Json], fields: Mapping[bytes, bytes]) -> bool:
        """Whether what names contacts came in later and may be of somebody new."""
        names = self.before(received(fields))
        return names is not None and names.in_contacts(contacts)


def _less(needles: Needles, names: Needles) -> Needles:
    """The same without these addresses and numbers."""
    return Needles(
        needles.ids,
        needles.emails - names.emails,
        needles.phones - names.phones,
        needles.orders,
        needles.tokens,
    )


def _contacts(needles: Needles) -> Iterator[dict[str, str]]:
    """Every address, and every number, by itself."""
    yield from ({"email": email} for email in needles.emails)
    yield from ({"phone": f"+{digits}"} for digits in needles.phones)


def _leads_to(value: bytes, needles: Needles) -> bool:
    """Whether the record of an id says that its person is somebody who is looked for."""
    record = json.loads(value) if b'"to"' in value and needles.may_be_in(value) else None
    target = record.get("to") if isinstance(record, dict) else None
    return target is not None and needles.in_contacts({target[0]: target[1]})


def _theirs(record: Mapping[str, Json], rest: Mapping[str, Json]) -> dict[str, Json]:
    """Of a record of somebody else what would be taken out of it: the rest is none of theirs."""
    return {
        name: _theirs(value, rest[name]) if isinstance(value, dict) and name in rest else value
        for name, value in record.items()
        if rest.get(name) != value
    }


def _is_left_to_do(held: Holding) -> bool:
    """What is still to be judged or done: it names whom it is about until then.

    What waits in the outbox is judged by the marks that were left, and counted, in its turn: it may
    ask for something, or be of somebody new. What was parked on its way may ask for something too.
    Of dead letters, on their second way as well, only erasures are left.
    """
    if held.key == "dead":
        operation = json.loads(held.fields[b"r"])["operation"]
    elif said := held.fields.get(b"q"):
        operation = json.loads(said)
    else:
        return held.key == "outbox" or b"a" in held.fields
    return operation["action"] in ERASING
