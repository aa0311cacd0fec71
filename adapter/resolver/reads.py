"""What memory must be asked for before a batch can be resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from adapter import carts, catalog, deeds, whom
from adapter.model import CanonicalEvent, Entry, Json, Ref, Who
from adapter.people import identity, sales
from adapter.people.memory import SINCE, person_ref, ref_of
from adapter.resolver.terms import ANY_TOMBSTONE, CART_LINES, NOBODY, PLAIN, Policy

MOST_READS = identity.MOST_STEPS + 2
"""How often memory is asked for a batch at the most: what is found names further people. Two or
three are usual; only people who were merged one after the other lead on and on."""


def references(
    entries: Iterable[Entry],
    known: Mapping[Ref, Json] = MappingProxyType({}),
    policy: Policy = PLAIN,
    *,
    again: bool = False,
) -> set[Ref]:
    """What memory must be asked for before `resolve` can run, beyond what is known.

    Ask `again` with what was found until nothing is wanted: an order names its owner, an address
    the person who holds it.
    """
    found: set[Ref] = set()
    tombstones = bool(known.get(ANY_TOMBSTONE))
    for entry in entries:
        if not again:
            _add_things(entry, found)
        who = identity.candidates(identity.contacts(entry.person, policy.is_placeholder))
        if entry.person.platform_id:
            who.append(("id", entry.person.platform_id))
        if entry.action is not None:
            who += deeds.asks(entry.action)
        if entry.operation is not None:
            who += entry.operation.identifiers.items()
            who += (entry.operation.secondary or {}).items()
        if not entry.person.named:
            for ref in refs_of(entry):
                who += identity.candidates(known.get(ref) or NOBODY)
        if tombstones:
            found.update(whom.tombstones_of(entry))
            found.update(map(whom.tombstone, who))
        _add_people(who, known, found, tombstones=tombstones)
    return found - known.keys()


def _add_things(entry: Entry, found: set[Ref]) -> None:
    """What an entry itself names, besides people."""
    found.add(ANY_TOMBSTONE)
    found.update(refs_of(entry))
    found.update(sales.references(entry))
    found.add(ref_of(SINCE, entry.delivery, ""))
    for event in entry.events:
        if event.name == carts.EVENT and (ref := cart_ref(entry, event)):
            found.add(ref)
        found.update(catalog.references(event))


def _add_people(
    ahead: list[Who], known: Mapping[Ref, Json], found: set[Ref], *, tombstones: bool
) -> None:
    """The records of people, and of those that these records name; where there are `tombstones`,
    whether they lead to somebody who was erased."""
    while ahead:
        ref = person_ref(ahead.pop())
        if ref in found:
            continue
        found.add(ref)
        if record := known.get(ref):
            if target := record.get("to"):
                ahead.append((target[0], target[1]))
                if tombstones:
                    found.add(whom.tombstone(ahead[-1]))
            if email := record.get("email"):
                ahead.append(("email", email))


def refs_of(entry: Entry) -> list[Ref]:
    """What an entry names that somebody may own."""
    found = [ref_of(kind, entry.delivery, value) for kind, value in entry.person.tokens.items()]
    if entry.order is not None:
        found.append(ref_of("order", entry.delivery, entry.order))
    return found


def cart_ref(entry: Entry, event: CanonicalEvent) -> Ref | None:
    cart = event.properties.get("cart_id")
    return ref_of(CART_LINES, entry.delivery, cart) if cart else None
