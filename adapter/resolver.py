"""From waiting entries to operations: who is meant, and what of it is news, as far as memory and
the batch itself know.

Pure: memory is read for the whole batch by the caller, overlaid here entry by entry with what they
teach, and written by the caller in the step that settles the batch. So a flush that dies before
settling comes to the same operations when it runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from adapter import carts, catalog, deeds, whom
from adapter.mapping.rules import Rules
from adapter.model import CanonicalEvent, Entry, Json, Operation, Product, Ref, Who
from adapter.people import identity, sales
from adapter.people.identity import Contacts, IdentifyBy, Identity
from adapter.people.memory import SINCE, Lesson, View, firm, person_ref, ref_of
from adapter.people.picture import Picture, blank, figures, still_true, taken_away
from adapter.people.profile import Profile, keep, known
from adapter.people.profile import seen as profile_of

Owner = Contacts
"""id, email, phone of somebody, as far as known. An empty one: it is known that there is nobody."""

NOBODY: Owner = {}
NO_PERSON = "no_person"
OUTDATED = "something newer is known by now"
HELD = "held by somebody else by now"
"""Of a dead erasure: its address, or its number, is of who came later."""

TOLD_SINCE = "another delivery has told it since"
NOT_ONE = "the two are not known as one any more"
AWAITS_PERSON = "waits until a checkout or an order names its person"
CONSENT_BEFORE = "consent of an order from before the shop was connected"
LATE_SECONDS = 72 * 3600
"""Customer.io lets an event trigger campaigns only when it is dated within the last 72 hours."""

CART_LINES = "cart_lines"
"""Kind of {"at": Unix seconds, "seen": when it was sent, "lines": content}, see `carts`."""

ANY_TOMBSTONE: Ref = whom.tombstone(("any", ""))
"""Whether anybody was erased at all: else nobody's mark need be looked for."""

MOST_READS = identity.MOST_STEPS + 2
"""How often memory is asked for a batch at the most: what is found names further people. Two or
three are usual; only people who were merged one after the other lead on and on."""

_DAY = 86400
_CONSENT = frozenset({"accepts_marketing", "sms_opt_in"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator has decided. `is_placeholder` says of an address that it is nobody's."""

    identify_by: IdentifyBy = "id"
    rules: Rules = field(default_factory=Rules.none)
    unsubscribe_on_opt_out: bool = False
    on_customer_delete: deeds.OnCustomerDelete = "note"
    is_placeholder: Callable[[str], bool] = lambda _email: False
    flat: Mapping[str, str] = field(default_factory=dict)


PLAIN = Policy()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a batch of entries.

    `operations`: one identify per person first, then the events in the entries' order, then those
    of rules and actions. `owners`: who owns what, to be remembered in any case; `lessons` are to be
    remembered once their entries are finished. `waits`: entry id and what its person must first
    become known by. `skipped`: id and reason of each entry that comes to nothing. `dropped`: entry
    id, event and reason of each event that comes to nothing though its entry goes on. `late`:
    events too old to trigger anything. `errands` are to be written down with their entries'
    settling, `counts` added to what is counted.
    """

    operations: tuple[Operation, ...]
    owners: Mapping[Ref, Owner] = field(default_factory=dict)
    lessons: tuple[Lesson, ...] = ()
    waits: tuple[tuple[str, Ref], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[tuple[str, CanonicalEvent, str], ...] = ()
    late: int = 0
    errands: tuple[tuple[str, deeds.Errand], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def taught(self) -> dict[Ref, Json]:
        """All that memory will hold once the batch is finished, but for what waits: that is learned
        when it comes again, and nothing behind it before."""
        waiting = {id_ for id_, _ in self.waits}
        found: dict[Ref, Json] = dict(self.owners)
        for lesson in firm(self.lessons, waiting.__contains__):
            found[lesson.ref] = lesson.value
        return found


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
            for ref in _refs(entry):
                who += identity.candidates(known.get(ref) or NOBODY)
        if tombstones:
            found.update(whom.tombstones_of(entry))
            found.update(map(whom.tombstone, who))
        _add_people(who, known, found, tombstones=tombstones)
    return found - known.keys()


def _add_things(entry: Entry, found: set[Ref]) -> None:
    """What an entry itself names, besides people."""
    found.add(ANY_TOMBSTONE)
    found.update(_refs(entry))
    found.update(sales.references(entry))
    found.add(ref_of(SINCE, entry.delivery, ""))
    for event in entry.events:
        if event.name == carts.EVENT and (ref := _cart_ref(entry, event)):
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


def resolve(
    entries: Iterable[Entry],
    memory: Mapping[Ref, Json],
    *,
    now: int,
    policy: Policy = PLAIN,
) -> Resolution:
    """Turn entries into operations; `now` is Unix seconds, used to tell late and history."""
    return _Batch(tuple(entries), memory, now, policy).resolve()


class _Batch:
    """One batch while it is resolved."""

    def __init__(
        self, entries: tuple[Entry, ...], memory: Mapping[Ref, Json], now: int, policy: Policy
    ) -> None:
        self.entries = entries
        self.memory = memory
        self.now = now
        self.policy = policy
        self.view = View(memory)
        self.owners: dict[Ref, Owner] = {}
        self.pictures: dict[Who, Picture] = {}
        self.events: list[tuple[Who, CanonicalEvent, str]] = []
        self.merges: list[tuple[Who, Who, str]] = []
        self.replaced: dict[Who, str] = {}
        self.waits: list[tuple[str, Ref]] = []
        self.skipped: dict[str, str] = {}
        self.dropped: list[tuple[str, CanonicalEvent, str]] = []
        self.counts: dict[str, int] = {}
        self.closed: list[Operation] = []
        self.deeds: list[Operation] = []
        self.errands: list[tuple[str, deeds.Errand]] = []

    def resolve(self) -> Resolution:
        policy = self.policy
        said = [identity.contacts(entry.person, policy.is_placeholder) for entry in self.entries]
        for entry, found in zip(self.entries, said, strict=True):
            # A cart in one batch with the checkout that names its person need not wait.
            if found and not self._is_erased(entry):
                self._own(entry, found)
        for entry, found in zip(self.entries, said, strict=True):
            self._entry(entry, found)
        return self._resolution()

    def _own(self, entry: Entry, owner: Owner) -> None:
        """Somebody owns what an entry names. Who is known by an id stays known by it."""
        owners, has_id = self.owners, owner.get("id")
        for ref in _refs(entry):
            if not has_id:
                before = owners.get(ref, self.memory.get(ref))
                if before and before.get("id"):
                    continue
            owners[ref] = owner

    def _entry(self, entry: Entry, found: Contacts) -> None:
        """One entry; `found` is whom it names."""
        policy, view = self.policy, self.view
        if entry.operation is not None:
            self._again(entry, entry.operation)
            return
        if entry.action is not None:
            self._deed(entry)
            return
        if self._is_erased(entry):
            self.skipped[entry.id] = whom.REDACTED
            return
        if self._leads_to_erased(entry, found):
            self.skipped[entry.id] = whom.REDACTED
            return
        entry = sales.with_link(entry, view)
        if found:
            entry = identity.said_of_gone(entry, found, view, policy.identify_by)
            who = self._identify(entry, found)
        else:
            owner = self._owner(entry)
            meant = identity.meant(owner, view, policy.identify_by) if owner else None
            if meant is None or owner is None:
                self._without(entry, owner)
                return
            if view.get(ANY_TOMBSTONE) and view.get(whom.tombstone(meant)):
                self.skipped[entry.id] = whom.REDACTED
                return
            self._own(entry, owner)
            who = Identity(meant)
        self._write(entry, who, said=bool(found))

    def _is_erased(self, entry: Entry) -> bool:
        """Whether whom or what an entry names was erased, as far as is known by now."""
        view = self.view
        if not view.get(ANY_TOMBSTONE):
            return False
        return any(view.get(ref) for ref in whom.tombstones_of(entry))

    def _again(self, entry: Entry, operation: Operation) -> None:
        """What was dead goes out as it was, to whoever its person is by now; of a person's
        attributes those of which nothing newer is known. An erasure is never anybody else's."""
        if operation.action in deeds.ERASING:
            self._erase_again(entry, operation)
            return
        view = self.view
        (named,) = operation.identifiers.items()
        who = identity.follow(named, view)
        other = tuple((operation.secondary or {}).items())
        if any(self._is_marked(one) for one in (named, who, *other)):
            self.skipped[entry.id] = whom.REDACTED
            return
        if any(identity.follow(one, view) != who for one in other):
            # It cannot be undone, and would take in whoever goes by that name now.
            self.skipped[entry.id] = NOT_ONE
            return
        if sales.is_told(entry, operation, view):
            # Its business key, by which that is seen before it goes out again, ends after 30 days.
            self.skipped[entry.id] = TOLD_SINCE
            return
        attributes, timestamp = operation.attributes, operation.timestamp
        if operation.action == "identify":
            profile = known(entry.id, who, view)
            since = view.get(ref_of(SINCE, entry.delivery, ""))
            attributes = still_true(operation, profile, self.policy.rules, since)
            if operation.attributes and not attributes:
                self.skipped[entry.id] = OUTDATED
                return
            timestamp = profile.sent = max(timestamp, profile.sent + 1)
            keep(entry.id, who, profile, view)
        sales.told_again(entry, operation, view, self.now)
        self.deeds.append(
            replace(
                operation,
                identifiers=dict((who,)),
                timestamp=timestamp,
                attributes=attributes,
                sources=(entry.id,),
            )
        )

    def _erase_again(self, entry: Entry, operation: Operation) -> None:
        """An erasure that was refused is still to be done, whatever marks it has left here: of whom
        it names, wherever that leads by now. An id is nobody else's, an address may be."""
        (named,) = operation.identifiers.items()
        held = named[0] != "id" and self.view.get(person_ref(named))
        if held and not self._is_marked(identity.follow(named, self.view)):
            self.skipped[entry.id] = HELD
            return
        self._close(named)
        self.closed.append(replace(operation, sources=(entry.id,)))

    def _is_marked(self, who: Who) -> bool:
        """Whether somebody was erased who went by an identifier."""
        view = self.view
        return bool(view.get(ANY_TOMBSTONE) and view.get(whom.tombstone(who)))

    def _deed(self, entry: Entry) -> None:
        """What an action comes to."""
        deed = deeds.deed(entry, self._known, on_customer_delete=self.policy.on_customer_delete)
        for who in {identity.follow(who, self.view): 1 for who in deed.left}:
            if who[0] == "id" and self.view.get(person_ref(who)):
                profile = known(entry.id, who, self.view)
                profile.left = True
                keep(entry.id, who, profile, self.view)
        if deed.erased:
            self._end(deed.erased, entry)
        if deed.moved:
            self._go_ahead({identity.follow(deed.moved[0], self.view)})
        for one in deed.operations:
            (self.closed if one.action in deeds.ERASING else self.deeds).append(one)
        if deed.moved:
            gone, kept = (identity.follow(who, self.view) for who in deed.moved)
            self._merged(gone, kept, entry)
        for ref in deed.tombstones:
            # Known or not: every erasure begins its marks' time anew, and ANY_TOMBSTONE's with it.
            self.view.keep(entry.id, ref, 1)
            self.view.keep(entry.id, ANY_TOMBSTONE, 1)
        if deed.errand:
            self.errands.append((entry.id, deed.errand))
        self._count(deed.count)

    def _end(self, erased: tuple[Who, ...], entry: Entry) -> None:
        """Whoever goes by these is nobody from here on; what was said of them goes out before."""
        view = self.view
        theirs = [who for who in erased if identity.follow(who, view) in erased]
        self._go_ahead({*theirs, *(identity.follow(who, view) for who in theirs)})
        for who in theirs:
            if view.get(person_ref(who)):
                view.keep(entry.id, person_ref(who), {})

    def _go_ahead(self, people: Collection[Who]) -> None:
        """All that is to be done of these people goes out before what is said from here on."""
        view = self.view
        for who in people:
            self._close(who)
        merges, self.merges = self.merges, []
        for kept, gone, source in merges:
            if identity.follow(kept, view) in people:
                self.closed.append(_merge(kept, gone, self.now, source))
            else:
                self.merges.append((kept, gone, source))
        for who in [who for who in self.replaced if identity.follow(who, view) in people]:
            self.closed.append(self._address(who, self.replaced.pop(who)))
        done, self.deeds = self.deeds, []
        for one in done:
            named = {*one.identifiers.items(), *(one.secondary or {}).items()}
            (self.deeds if named.isdisjoint(people) else self.closed).append(one)

    def _passes_on(self, address: Who, who: Who) -> None:
        """An address is somebody's from here on: who went by it before is merged before."""
        view = self.view
        if not (self.merges or self.deeds) or identity.follow(address, view) != who:
            return
        before = {identity.follow(kept, view) for kept, gone, _ in self.merges if gone == address}
        for one in self.deeds:
            if address in (one.secondary or {}).items():
                before.update(one.identifiers.items())
        if before := before - {who}:
            self._go_ahead(before)

    def _leads_to_erased(self, entry: Entry, found: Contacts) -> bool:
        """Whether an entry is of somebody who was erased and went by another name as well. An
        address of theirs is nobody's: who uses it now is somebody new."""
        view = self.view
        if not view.get(ANY_TOMBSTONE):
            return False
        for who in identity.candidates(found):
            final = identity.follow(who, view)
            if final == who or not self._is_marked(final):
                continue
            if who[0] == "id":
                return True
            view.learn(entry.id, person_ref(who), {})
        return False

    def _merged(self, gone: Who, kept: Who, entry: Entry) -> None:
        """Two are one from here on, with the orders of both."""
        view, since = self.view, self._since(entry)
        before_it = profile_of(gone, view)
        theirs, before = (figures(profile_of(who, view), since) for who in (gone, kept))
        identity.is_gone_into(gone, kept, entry, view)
        now = figures(profile_of(kept, view), since)
        if gone != kept:
            self._take_away(gone, before_it, entry, theirs)
        if now != before:
            picture = self.pictures.setdefault(kept, Picture())
            picture.recount(kept, entry, view, self.policy.rules, since=since)

    def _close(self, who: Who) -> None:
        """What was said of somebody so far goes out as theirs: from here on it is another's."""
        view = self.view
        theirs = Picture()
        for one in [one for one in self.pictures if identity.follow(one, view) == who]:
            picture = self.pictures.pop(one)
            if one != who:
                picture.turns_out(profile_of(who, view))
            theirs.joins(picture)
        if theirs.sources:
            self.closed += self._said(who, theirs)
        events, self.events = self.events, []
        for meant, event, source in events:
            if identity.follow(meant, view) == who:
                self.closed.append(_event(event, who, source))
            else:
                self.events.append((meant, event, source))
        self.closed += [_event(event, who, entry.id) for event, entry in theirs.events]

    def _said(self, who: Who, picture: Picture) -> list[Operation]:
        """The identify of a person, if there is anything to say of them."""
        operation = picture.identify(
            who,
            self.view,
            self.policy.rules,
            unsubscribe_on_opt_out=self.policy.unsubscribe_on_opt_out,
        )
        return [operation] if operation else []

    def _address(self, who: Who, source: str) -> Operation:
        """An address once more: until the merge it was another profile's, which refused it."""
        profile = profile_of(who, self.view)
        attributes = {"email": profile.email}
        return Operation("identify", dict((who,)), profile.sent, attributes, sources=(source,))

    def _known(self, who: Who) -> whom.Known | None:
        """What memory knows of whoever goes by an identifier."""
        final = identity.follow(who, self.view)
        record = self.view.get(person_ref(final))
        if record is None and final not in self.pictures:
            return None
        profile = profile_of(final, self.view)
        ids = dict.fromkeys(one[1] for one in (final, who) if one[0] == "id")
        return whom.Known(
            sent=final if profile.sent or final in self.pictures else None,
            ids=tuple(ids),
            email=final[1] if final[0] == "email" else profile.email,
            phone=final[1] if final[0] == "phone" else None,
            orders=tuple(profile.orders),
            gone=identity.is_gone(who, self.view),
        )

    def _identify(self, entry: Entry, found: Contacts) -> Identity:
        self._before_change(entry, found)
        who = identity.identify(entry, found, self.view, self.policy.identify_by)
        if email := found.get("email"):
            self._passes_on(("email", email), who.who)
        if who.merged:
            self.merges.append((who.who, who.merged, entry.id))
            self.pictures.setdefault(who.who, Picture()).must_be = True
            # As they were sent: what is said of them in this batch is said of the other.
            before = Profile.from_json(self.memory.get(person_ref(who.merged)))
            self._take_away(who.merged, before, entry)
        if who.replaces:
            self.replaced[who.who] = entry.id
        if who.problem:
            self._count(f"left_out:{who.problem}")
        kind, value = who.who
        self._own(entry, found if found.get(kind) == value else {**found, kind: value})
        return who

    def _take_away(
        self, gone: Who, profile: Profile, entry: Entry, theirs: Iterable[str] = ()
    ) -> None:
        """Figures of who is merged away go first: the destination gives who is kept what they lack,
        and these were of a part of their orders."""
        taken = {**blank(theirs), **taken_away(profile, self.policy.rules)}
        if taken:
            at, sources = profile.sent + 1, (entry.id,)
            self.closed.append(Operation("identify", dict((gone,)), at, taken, sources=sources))

    def _before_change(self, entry: Entry, found: Contacts) -> None:
        """An address that somebody gives up for another one is nobody's: what was said under it,
        before this batch or in it, is theirs all the same, whoever goes by it later."""
        view, id_, email = self.view, found.get("id"), found.get("email")
        if not id_ or not email:
            return
        who = identity.follow(("id", id_), view)
        held = who[1] if who[0] == "email" else profile_of(who, view).email
        if not held or held == email:
            return
        guest = (who, ("email", held), entry.id)
        before = self.memory.get(person_ref(guest[1])) or {}
        was_sent = who[0] == "id" and before.get("sent") and "to" not in before
        if was_sent and guest[:2] not in [merge[:2] for merge in self.merges]:
            # An identify with that address would have made them one, and there will be none.
            self.merges.append(guest)
            self.pictures.setdefault(who, Picture()).must_be = True
        for one in [one for one in self.pictures if one != who]:
            if identity.follow(one, view) == who:
                picture = self.pictures.pop(one)
                picture.turns_out(profile_of(who, view))
                self.pictures.setdefault(who, Picture()).joins(picture)
        self.events = [
            (who if identity.follow(meant, view) == who else meant, event, source)
            for meant, event, source in self.events
        ]

    def _owner(self, entry: Entry) -> Owner | None:
        """The owner of what an entry names that does not name a person; None: nothing is known."""
        best: Owner | None = None
        for ref in _refs(entry):
            owner: Owner | None = self.owners.get(ref, self.memory.get(ref))
            if owner:
                return owner
            best = owner if best is None else best
        return best

    def _without(self, entry: Entry, owner: Owner | None) -> None:
        """Nobody is known yet, or nobody will be."""
        tokens = [ref for ref in _refs(entry) if ref[0] != "order"]
        # A sale that names nobody but a till's placeholder would wait for nobody but itself.
        refs = tokens if entry.person.named else (tokens or _refs(entry))
        if owner is None and refs and (entry.events or entry.ledger):
            self.waits.append((entry.id, refs[0]))
            return
        self.skipped[entry.id] = NO_PERSON
        if entry.order is not None:
            # The sale of nobody: what follows it (a refund) need not wait for anybody.
            self.owners.setdefault(ref_of("order", entry.delivery, entry.order), NOBODY)

    def _write(self, entry: Entry, who: Identity, *, said: bool) -> None:
        view = self.view
        # As it is before this body says anything of them.
        profile = profile_of(who.who, view)
        sold = sales.is_sold(entry, view)
        since = self._since(entry)
        kept = self._events(entry, who.who, sold=sold)
        # An anonymous body says nothing of its owner's contacts, which may have changed since.
        if said or entry.person.attributes or entry.ledger:
            self.pictures.setdefault(who.who, Picture()).add(
                who.who,
                entry,
                view,
                self.policy.rules,
                email=who.email if said else None,
                without=self._untold(entry, since, sold=sold),
                cleared=sales.cleared(entry, profile, view),
                since=since,
            )
        elif not kept and entry.events:
            self.skipped[entry.id] = next(
                why for id_, _, why in reversed(self.dropped) if id_ == entry.id
            )
        sales.learn(entry, view)

    def _events(self, entry: Entry, who: Who, *, sold: bool) -> int:
        kept = 0
        for event in entry.events:
            why = sales.untold(entry, event, self.view, self.now, sold=sold)
            found: CanonicalEvent | str = why or event
            if event.name == carts.EVENT:
                compared = _cart(entry, event, self.view)
                found = why or compared
            if isinstance(found, str):
                self.dropped.append((entry.id, event, found))
                continue
            self.events.append((who, self._enriched(found), entry.id))
            kept += 1
        return kept

    def _enriched(self, event: CanonicalEvent) -> CanonicalEvent:
        refs = catalog.references(event)
        if not refs:
            return event
        # What many bodies of a batch name is parsed once.
        products = {
            ref: self.view.read(ref, Product.from_json) for ref in refs if self.memory.get(ref)
        }
        currency = event.properties.get("currency") if event.name == "order_completed" else None
        enriched = catalog.enrich(event, products, flat=self.policy.flat, currency=currency)
        self._count("catalog_asked", enriched.asked)
        self._count("catalog_found", enriched.found)
        return enriched.event

    def _untold(self, entry: Entry, since: int | None, *, sold: bool) -> frozenset[str]:
        """Attributes that a body says and that are not to be told."""
        untold = sales.CART_ATTRIBUTES if sold else frozenset[str]()
        if entry.order is None or since is None:
            return untold
        # Staff edit orders of years: whoever ticked a box then may have thought better of it since,
        # and nobody has told us.
        times = entry.person.times
        old = {name for name in _CONSENT if times.get(name, since) < since - _DAY}
        old &= entry.person.attributes.keys()
        self._count(f"left_out:{CONSENT_BEFORE}", len(old))
        return untold | old

    def _since(self, entry: Entry) -> int | None:
        """When the first whole day began on which the shop's orders are told; None before any."""
        ref = ref_of(SINCE, entry.delivery, "")
        since = self.view.get(ref)
        if since is None and entry.ledger is not None and entry.ledger.value is not None:
            since = (entry.delivery.received_at // _DAY + 1) * _DAY
            self.view.learn(entry.id, ref, since)
        return None if since is None else int(since)

    def _count(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    def _resolution(self) -> Resolution:
        view = self.view
        pictures: dict[Who, Picture] = {}
        finals: dict[Who, Who] = {}
        for who, picture in self.pictures.items():
            finals[who] = final = identity.follow(who, view)
            if final != who:
                picture.turns_out(profile_of(final, view))
            before = pictures.setdefault(final, picture)
            if before is not picture:
                before.joins(picture)
        identifies: list[Operation] = []
        events = [
            _event(event, finals.get(who) or identity.follow(who, view), source)
            for who, event, source in self.events
        ]
        for who, picture in pictures.items():
            identifies += self._said(who, picture)
            events += [_event(event, who, entry.id) for event, entry in picture.events]
        merges = [_merge(kept, gone, self.now, source) for kept, gone, source in self.merges]
        merges += [self._address(who, source) for who, source in self.replaced.items()]
        told = (*events, *(one for one in self.closed if one.action == "event"))
        late = sum(event.timestamp < self.now - LATE_SECONDS for event in told)
        owners = {ref: owner for ref, owner in self.owners.items() if self.memory.get(ref) != owner}
        return Resolution(
            (*self.closed, *identifies, *events, *merges, *self.deeds),
            owners,
            view.lessons(),
            tuple(self.waits),
            self.skipped,
            tuple(self.dropped),
            late,
            errands=tuple(self.errands),
            counts=self.counts,
        )


def complete(events: Iterable[CanonicalEvent]) -> tuple[CanonicalEvent, ...]:
    """Events with what memory fills in, as they are where memory is empty."""
    return tuple(
        carts.complete(event, None) if event.name == carts.EVENT else event for event in events
    )


def _refs(entry: Entry) -> list[Ref]:
    """What an entry names that somebody may own."""
    found = [ref_of(kind, entry.delivery, value) for kind, value in entry.person.tokens.items()]
    if entry.order is not None:
        found.append(ref_of("order", entry.delivery, entry.order))
    return found


def _cart_ref(entry: Entry, event: CanonicalEvent) -> Ref | None:
    cart = event.properties.get("cart_id")
    return ref_of(CART_LINES, entry.delivery, cart) if cart else None


def _cart(entry: Entry, event: CanonicalEvent, view: View) -> CanonicalEvent | str:
    """The event with what was added since the cart was seen last, or why it comes to nothing.

    Bodies of one second go by when they were sent.
    """
    ref = _cart_ref(entry, event)
    if ref is None:
        return carts.complete(event, None)
    known = view.get(ref)
    seen = entry.delivery.triggered_at
    if known:
        since, seen_last = known["at"], known["seen"]
        reordered = seen is not None and seen_last is not None and seen < seen_last
        if event.timestamp < since or (event.timestamp == since and reordered):
            return carts.OLDER
    lines = carts.lines_of(event.properties.get("items") or ())
    view.learn(entry.id, ref, {"at": event.timestamp, "seen": seen, "lines": lines})
    completed = carts.complete(event, known["lines"] if known else None)
    return completed if completed.properties["added_items"] else carts.NOTHING_ADDED


def _event(event: CanonicalEvent, who: Who, source: str) -> Operation:
    return Operation(
        "event",
        {who[0]: who[1]},
        event.timestamp,
        event.properties,
        event.name,
        event.id,
        event.key,
        (source,),
    )


def _merge(kept: Who, gone: Who, now: int, source: str) -> Operation:
    return Operation(
        action="merge",
        identifiers={kept[0]: kept[1]},
        secondary={gone[0]: gone[1]},
        timestamp=now,
        attributes={},
        sources=(source,),
    )
