"""What an action comes to: changes at the destination, and what is to be done in memory. Pure.

A body may ask for something that is no event: two customers became one, one is to be erased. Here
is decided what that means; the flush sends and settles it as everything else, and what must be
looked for in the whole of Redis is an errand, which is run after its entry was settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from adapter.model import Action, Entry, Json, Operation, Ref, Who
from adapter.whom import Known, Lookup, Names, names_of, tombstone, tombstone_of

OnCustomerDelete = Literal["note", "delete", "suppress"]

ERASING = frozenset({"suppress", "delete"})
"""Operations that erase somebody at the destination."""

_ASKS_TO_ERASE = frozenset({"delete_person", "redact_person"})

_STAGE = {"identify": 0, "event": 0, "merge": 1, "suppress": 2, "delete": 3}


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to be done in the whole of Redis. `delivery` asked for it, at `at`.

    `shop` of `purge_shop` is the one to be purged. The others are about the person with these
    identifiers, orders and tokens; tokens and orders that are not named here are found on the way.
    `may_return`: under an address or a number of theirs somebody new may have come since `at`.
    """

    kind: Literal["purge_person", "purge_shop", "report_person"]
    delivery: str
    at: int
    platform: str
    shop: str
    ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    may_return: bool = False

    def to_json(self) -> dict[str, Json]:
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Errand:
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Deed:
    """What one action comes to.

    `moved`: all that is remembered of the first is the second's from here on, and bodies that name
    the first mean the second. `left` are customers whom the shop keeps no more and the destination
    does: their address is that of whoever comes with it. `erased` are nobody's from here on: who
    goes by one of them later is somebody new. `tombstones` are to be remembered, and `errand` to be
    written down, once the entry is finished. `count` names the counter that shows it.
    """

    count: str
    operations: tuple[Operation, ...] = ()
    moved: tuple[Who, Who] | None = None
    left: tuple[Who, ...] = ()
    erased: tuple[Who, ...] = ()
    tombstones: tuple[Ref, ...] = ()
    errand: Errand | None = None


def may_erase(entry: Entry) -> bool:
    """Whether an entry may come to erasing somebody: what stands behind it may be of somebody new
    under the same name."""
    if entry.operation is not None:
        return entry.operation.action in ERASING
    return entry.action is not None and entry.action.kind in _ASKS_TO_ERASE


def asks(action: Action) -> tuple[Who, ...]:
    """Whom `deed` looks up."""
    values = action.values
    if action.kind == "merge_people":
        found = [("id", values.get("kept")), ("id", values.get("gone"))]
    elif action.kind == "redact_shop":
        found = []
    else:
        found = [(kind, values.get(kind)) for kind in ("id", "email", "phone")]
    return tuple((kind, value) for kind, value in found if value)


def deed(entry: Entry, lookup: Lookup, *, on_customer_delete: OnCustomerDelete = "note") -> Deed:
    """What the action of an entry comes to. `lookup` answers for all that `asks` names."""
    action = entry.action
    if action is None:
        raise ValueError("an entry without an action")
    if action.kind == "merge_people":
        return _merge(entry, action, lookup)
    if action.kind == "delete_person":
        return _delete(entry, action, lookup, on_customer_delete)
    if action.kind == "redact_person":
        return _redact(entry, names_of(action, lookup), "redacted")
    if action.kind == "report_person":
        names = names_of(action, lookup)
        return Deed("report_asked", errand=_errand("report_person", entry, names))
    if action.kind == "redact_shop":
        shop = str(action.values.get("shop") or entry.delivery.shop)
        delivery = entry.delivery
        errand = Errand("purge_shop", delivery.id, delivery.received_at, delivery.platform, shop)
        return Deed("shop_redacted", errand=errand)
    raise ValueError(f"no such action: {action.kind}")


def stages(operations: Iterable[Operation]) -> list[list[Operation]]:
    """The operations in as many parts as must go one after the other, each in requests of its own.

    The destination promises no order inside a request. A merge needs both people to be there, and
    the merge before it that names one of them to be over; whoever is suppressed or deleted must not
    come back by an identify of the same batch. A suppression blocks what its person was known by,
    so it goes before the deletion. An identify behind a merge of its person needs what that brings.
    What stands behind an erasure and names whom it erased is of somebody new: it goes after it. So
    it does behind a merge, where it names who was merged away.
    """
    parts: dict[tuple[int, int, int], list[Operation]] = {}
    turn: dict[Who, int] = {}
    rounds = _Rounds()
    for operation in operations:
        stage, at = _STAGE[operation.action], 0
        people = [*operation.identifiers.items(), *(operation.secondary or {}).items()]
        merged = operation.action == "identify" and people[0] in turn
        if operation.action == "merge" or merged:
            stage = _STAGE["merge"]
            at = max(turn.get(who, -1) for who in people) + 1
            turn.update(dict.fromkeys(people, at))
        parts.setdefault((rounds.of(operation, people), stage, at), []).append(operation)
    return [parts[stage] for stage in sorted(parts)]


class _Rounds:
    """The lives of every name, one after the other: each ends with the erasures in it, and with
    whoever went by it being merged away."""

    def __init__(self) -> None:
        self._lives: dict[Who, int] = {}
        self._ends: dict[Who, int] = {}

    def of(self, operation: Operation, people: Iterable[Who]) -> int:
        """The round that an operation belongs to; `people` are whom it names."""
        lives = self._lives
        if operation.action in ERASING:
            found = max(lives.get(who, 0) for who in people)
            self._ends.update(dict.fromkeys(people, found + 1))
            return found
        if operation.action == "identify" and (email := operation.attributes.get("email")):
            people = [*people, ("email", email)]
        found = max(max(lives.get(who, 0), self._ends.get(who, 0)) for who in people)
        if found:
            lives.update(dict.fromkeys(people, found))
        for who in (operation.secondary or {}).items():
            self._ends[who] = found + 1
        return found


def _merge(entry: Entry, action: Action, lookup: Lookup) -> Deed:
    """Who is gone becomes part of who is kept.

    Where nobody was sent under the id that is gone, there is nothing to merge at the destination.
    Where only they were, who is kept is sent first, with nothing but an id: the destination merges
    into nobody without a word, and the profile with the history would be left behind, holding an
    email that is refused to everybody else.
    """
    kept, gone = action.values.get("kept"), action.values.get("gone")
    if not kept or not gone or kept == gone:
        return Deed("merge_of_nobody")
    into, other = lookup(("id", kept)) or Known(), lookup(("id", gone)) or Known()
    if kept in other.ids or gone in into.ids:
        return Deed("merged_before")
    moved = (("id", gone), ("id", kept))
    primary, secondary = into.sent or ("id", kept), other.sent
    if secondary is None or secondary == primary or "phone" in (primary[0], secondary[0]):
        return Deed("merged_here_only", moved=moved)
    operations = [_operation("merge", entry, primary, secondary)]
    if into.sent is None:
        operations.insert(0, _operation("identify", entry, primary))
    return Deed("merged", tuple(operations), moved)


def _delete(entry: Entry, action: Action, lookup: Lookup, decided: OnCustomerDelete) -> Deed:
    """What the workspace decided for customers whom the shop deleted."""
    names = names_of(action, lookup)
    named = lookup(("id", str(action.values.get("id") or "")))
    if named is not None and named.gone:
        # Of two who were merged the shop deletes one: the other, who is all of it, stays.
        return Deed("customer_deleted")
    if decided == "note":
        return Deed("customer_deleted", left=tuple(("id", id_) for id_ in names.ids))
    if decided == "suppress":
        return _redact(entry, names, "customer_suppressed")
    return Deed(
        "customer_deleted_too",
        tuple(_operation("delete", entry, who) for who in names.sent),
        erased=names.sent,
        # Not of the email: who deletes an account may come back with it, under another id.
        tombstones=(*(tombstone(("id", id_)) for id_ in names.ids), *_marks(entry, names)),
        errand=replace(_errand("purge_person", entry, names), may_return=True),
    )


def _redact(entry: Entry, names: Names, count: str) -> Deed:
    """Blocked under everything that is theirs alone, then deleted should that have left anything.

    What was never sent is blocked as well: it does no harm, and no body under way brings it back.
    """
    return Deed(
        count,
        tuple(
            _operation(what, entry, who) for what in ("suppress", "delete") for who in names.sent
        ),
        erased=names.sent,
        tombstones=(
            *(tombstone(who) for who in names.sent),
            *(
                tombstone(("phone", one))
                for one in names.phones
                if ("phone", one) not in names.sent
            ),
            *_marks(entry, names),
        ),
        errand=_errand("purge_person", entry, names),
    )


def _marks(entry: Entry, names: Names) -> Iterator[Ref]:
    """The marks of somebody's orders."""
    delivery = entry.delivery
    return (tombstone_of("order", delivery.platform, delivery.shop, one) for one in names.orders)


def _errand(kind: Literal["purge_person", "report_person"], entry: Entry, names: Names) -> Errand:
    delivery = entry.delivery
    return Errand(
        kind,
        delivery.id,
        delivery.received_at,
        delivery.platform,
        delivery.shop,
        names.ids,
        names.emails,
        names.phones,
        names.orders,
        names.tokens,
    )


def _operation(
    what: Literal["identify", "merge", "delete", "suppress"],
    entry: Entry,
    who: Who,
    secondary: Who | None = None,
) -> Operation:
    return Operation(
        what,
        {who[0]: who[1]},
        entry.delivery.received_at,
        {},
        sources=(entry.id,),
        secondary={secondary[0]: secondary[1]} if secondary else None,
    )
