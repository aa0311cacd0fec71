"""Whether everything that was taken in had its effect once: what must be, held against what is.

`look` reads the sandbox and Redis into a `Seen`; `judge` compares it with the book of the load and
is pure. An effect is what the sandbox made of it: Customer.io ignores an event id that it has seen,
so an id may be sent twice, but only where the first time went unanswered: the request was told to
go wrong, or a process or a connection was being broken just then (a `Break`), or another part of
the same batch had to wait.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import requests
from redis import Redis

from .load import Book, Dispatch, Fact

MARKS = {
    "checkout_started": "checkout_id",
    "order_completed": "order_id",
    "order_shipped": "fulfillment_id",
    "order_refunded": "refund_id",
}
SETTLING_SECONDS = 5.0
"""A batch is settled, or its worker or its Redis was being broken, so long after it was taken."""

GIVEN_UP_SECONDS = 14.0
"""An answer that takes longer may go unread."""

HALVING_SECONDS = 5.0
"""How long the requests that one batch is halved into take, at the most."""

WEB_PATIENCE_SECONDS = 0.4
"""A web process waits so long for Redis and then asks again: an answer that took longer may be the
second one's. Nothing is lost by it, but a new delivery is called a duplicate."""

_ABOUT_CONTENT = (400, 413, 422)
_PREFIX = "adapter:default:"


class Take(NamedTuple):
    """One time that the sandbox took an event: when (Unix), and whether that could be known."""

    at: float
    answered: bool


class Break(NamedTuple):
    """From when to when (Unix) something was being broken, so that an answer may have got lost."""

    begin: float
    end: float


@dataclass(slots=True)
class Seen:
    """What is at the sandbox and in Redis once everything is quiet.

    `arrived` holds everybody's events in the order in which they took effect, `names` everybody's
    first name now, `renamed` the first names that they had one after the other. `failed` is when
    requests came (Unix) after which the rest of their batch had to wait. `faulty` counts the
    requests that were told to go wrong, `taken_unknown` those of them that were taken without a
    word of it.
    """

    arrived: dict[str, list[Fact]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, list[str]] = field(default_factory=dict)
    takes: dict[str, list[Take]] = field(default_factory=dict)
    failed: list[float] = field(default_factory=list)
    requests: int = 0
    faulty: int = 0
    taken_unknown: int = 0
    dead: list[Fact] = field(default_factory=list)
    dead_others: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    pending: int = 0
    waiting: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Verdict:
    """All that is wrong, a line each; `retaken` counts what was sent again for cause."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    wrongly_dead: list[str] = field(default_factory=list)
    wrongly_alive: list[str] = field(default_factory=list)
    wrongly_parked: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    events: int = 0
    retaken: int = 0

    @property
    def wrong(self) -> dict[str, list[str]]:
        every = {name: getattr(self, name) for name in self.__slots__}
        return {name: lines for name, lines in every.items() if isinstance(lines, list) and lines}

    def __str__(self) -> str:
        told = [f"{self.events} events, {self.retaken} sent again for cause"]
        for name, lines in self.wrong.items():
            told.append(f"{name} ({len(lines)}): " + "; ".join(lines[:8]))
        return "\n".join(told)


# --- looking ------------------------------------------------------------------------------------


def look(sandbox_url: str, redis: Redis) -> Seen:
    """All of it, once nothing moves any more."""
    seen = Seen()
    _people(seen, _get(sandbox_url, "people")["people"])
    answer = _get(sandbox_url, "requests")
    assert len(answer["requests"]) == answer["totals"]["requests"], "the sandbox kept them all"
    _requests(seen, answer["requests"])
    _redis(seen, redis)
    return seen


def _get(url: str, what: str) -> Any:
    answer = requests.get(f"{url}/_sandbox/{what}", timeout=60)
    assert answer.status_code == 200
    return answer.json()


def _people(seen: Seen, people: Iterable[Mapping[str, Any]]) -> None:
    for person in people:
        who = person["id"] or person["email"] or person["cio_id"]
        seen.names[who] = person["attributes"].get("first_name", "")
        for one in person["activity"]:
            if one["type"] == "event":
                seen.arrived.setdefault(who, []).append(_fact(who, one["name"], one["attributes"]))
            elif one["type"] == "attribute_change" and "first_name" in one["attributes"]:
                seen.renamed.setdefault(who, []).append(one["attributes"]["first_name"])


def _requests(seen: Seen, requests: Iterable[Mapping[str, Any]]) -> None:
    for request in requests:
        seen.requests += 1
        if request["fault"] and "match" not in request["fault"]:
            seen.faulty += 1
            seen.taken_unknown += request["applied"] and not _answered(request)
        if not _answered(request) and request["status"] not in _ABOUT_CONTENT:
            seen.failed.append(request["received_at"])
        if not request["applied"] or not isinstance(request["json"], dict):
            continue
        take = Take(request["applied_at"], _answered(request))
        refused = set(request["refused"])
        for place, item in enumerate(request["json"].get("batch", ())):
            if item["action"] == "event" and place not in refused:
                seen.takes.setdefault(item["id"], []).append(take)
    for takes in seen.takes.values():
        takes.sort()


def _answered(request: Mapping[str, Any]) -> bool:
    """Whether the client could know that it was taken."""
    fault = request["fault"] or {}
    return (
        request["status"] in (200, 207)
        and "body" not in fault
        and fault.get("delay", 0) + fault.get("drip", 0) < GIVEN_UP_SECONDS
    )


def _redis(seen: Seen, redis: Redis) -> None:
    for _, fields in redis.xrange(f"{_PREFIX}dead"):
        operation = _record(fields)["operation"]
        who = next(iter(operation["identifiers"].values()))
        if operation["action"] == "event":
            seen.dead.append(_fact(who, operation["name"], operation["attributes"]))
        else:
            seen.dead_others.append(f"{operation['action']} of {who}")
    for _, fields in redis.xrange(f"{_PREFIX}parked"):
        seen.parked.append(json.loads(fields[b"d"])["id"])
    seen.pending = redis.xlen(f"{_PREFIX}outbox")
    seen.waiting = redis.zcard(f"{_PREFIX}waiting")
    found = redis.hgetall(f"{_PREFIX}counts")
    seen.counts = {name.decode(): int(n) for name, n in found.items()}


def _record(fields: Mapping[bytes, bytes]) -> Any:
    text = fields[b"r"]
    return json.loads(text if text[:1] == b"{" else zlib.decompress(text))


def _fact(who: str, name: str, properties: Mapping[str, Any]) -> Fact:
    return Fact(who, name, str(properties.get(MARKS.get(name, ""), "?")))


# --- judging ------------------------------------------------------------------------------------


def judge(book: Book, seen: Seen, breaks: Sequence[Break] = ()) -> Verdict:
    """What is wrong with what is seen."""
    verdict = Verdict(strange=list(book.strange))
    for begin, end, line in book.doubtful:
        # The adapter's own question to Redis was cut or took too long, and it asked again.
        asked_twice = end - begin > WEB_PATIENCE_SECONDS
        if not asked_twice and not any(one.begin <= end and one.end >= begin for one in breaks):
            verdict.strange.append(line)
    by_person: dict[str, list[Dispatch]] = defaultdict(list)
    for dispatch in book.taken:
        by_person[dispatch.who].append(dispatch)
    for who in seen.arrived.keys() - by_person.keys():
        verdict.strange.append(f"somebody who was never sent: {who}")
    for who, dispatches in by_person.items():
        _events(verdict, dispatches, seen.arrived.get(who, []))
        _names(verdict, who, dispatches, seen)
    _dead(verdict, book, seen)
    _parked(verdict, book, seen)
    _takes(verdict, seen, breaks)
    if seen.pending or seen.waiting:
        verdict.left.append(f"{seen.pending} in the outbox, {seen.waiting} waiting")
    taken = Counter(one.fate for one in book.taken)
    for fate in ("accepted", "parked"):
        # Counted once each, however often it was sent.
        if seen.counts.get(fate, 0) != taken[fate]:
            verdict.strange.append(f"{seen.counts.get(fate, 0)} {fate}, not {taken[fate]}")
    return verdict


def _events(verdict: Verdict, dispatches: Iterable[Dispatch], arrived: Sequence[Fact]) -> None:
    """Each event once, in the order in which their deliveries were taken in."""
    wanted = [fact for one in dispatches if one.poison is None for fact in one.facts]
    verdict.events += len(wanted)
    found = Counter(arrived)
    verdict.lost += [str(fact) for fact in wanted if fact not in found]
    verdict.doubled += [f"{fact} {n} times" for fact, n in found.items() if n > 1]
    known = set(wanted)
    poisoned = {fact for one in dispatches if one.poison for fact in one.facts}
    verdict.wrongly_alive += [str(fact) for fact in found if fact in poisoned]
    verdict.strange += [f"never sent: {f}" for f in found if f not in known and f not in poisoned]
    order = [fact for fact in dict.fromkeys(arrived) if fact in known]
    for first, second in zip(order, [fact for fact in wanted if fact in found], strict=True):
        if first != second:
            verdict.misplaced.append(f"{first} where {second} belongs")
            break


def _names(verdict: Verdict, who: str, dispatches: Sequence[Dispatch], seen: Seen) -> None:
    """The newest value stands, and no older one ever took the place of a newer one."""
    told = [one.name for one in dispatches if one.name is not None]
    if told and seen.names.get(who) != max(told):
        verdict.stale.append(f"{who} is {seen.names.get(who)}, not {max(told)}")
    renamed = seen.renamed.get(who, [])
    if renamed != sorted(renamed):
        verdict.stale.append(f"{who} was {renamed}")


def _dead(verdict: Verdict, book: Book, seen: Seen) -> None:
    wanted = Counter(fact for one in book.taken if one.poison for fact in one.facts)
    found = Counter(seen.dead)
    verdict.wrongly_dead += [str(fact) for fact in (found - wanted).elements()]
    verdict.wrongly_dead += seen.dead_others
    verdict.wrongly_alive += [f"not dead: {fact}" for fact in (wanted - found).elements()]


def _parked(verdict: Verdict, book: Book, seen: Seen) -> None:
    wanted = Counter(one.webhook.id for one in book.taken if one.fate == "parked")
    found = Counter(seen.parked)
    verdict.wrongly_parked += [f"parked: {id_}" for id_ in (found - wanted).elements()]
    verdict.lost += [f"not parked: {id_}" for id_ in (wanted - found).elements()]


def _takes(verdict: Verdict, seen: Seen, breaks: Sequence[Break]) -> None:
    """Whatever was sent again after it had been taken needs a reason."""
    for ulid, takes in seen.takes.items():
        for before, _again in pairwise(takes):
            broken = any(
                one.begin <= before.at + SETTLING_SECONDS and one.end >= before.at for one in breaks
            )
            # An entry whose other half had to wait comes again as a whole.
            halved = any(before.at <= at <= before.at + HALVING_SECONDS for at in seen.failed)
            if before.answered and not broken and not halved:
                verdict.unexplained.append(f"{ulid} at {before.at:.2f} and again")
            else:
                verdict.retaken += 1
