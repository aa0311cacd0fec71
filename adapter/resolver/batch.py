"""One batch while it is resolved, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapter import carts, catalog, whom
from adapter.model import CanonicalEvent, Entry, Json, Operation, Product, Ref, Who
from adapter.people import identity, sales
from adapter.people.identity import Contacts, Identity
from adapter.people.memory import View, person_ref, ref_of
from adapter.people.picture import Picture
from adapter.people.profile import Profile
from adapter.people.profile import seen as profile_of
from adapter.resolver.reads import cart_ref, refs_of
from adapter.resolver.speech import event_of, merge_of
from adapter.resolver.terms import (
    CONSENT_BEFORE,
    DAY,
    NO_PERSON,
    NOBODY,
    PLAIN,
    Owner,
    Policy,
    Resolution,
)
from adapter.resolver.turns import Turns

LATE_SECONDS = 72 * 3600
"""Customer.io lets an event trigger campaigns only when it is dated within the last 72 hours."""

_CONSENT = frozenset({"accepts_marketing", "sms_opt_in"})


def resolve(
    entries: Iterable[Entry],
    memory: Mapping[Ref, Json],
    *,
    now: int,
    policy: Policy = PLAIN,
) -> Resolution:
    """Turn entries into operations; `now` is Unix seconds, used to tell late and history."""
    return _Batch(tuple(entries), memory, now, policy).resolve()


class _Batch(Turns):
    """Entries, and what they come to."""

    def __init__(
        self, entries: tuple[Entry, ...], memory: Mapping[Ref, Json], now: int, policy: Policy
    ) -> None:
        super().__init__(memory, now, policy)
        self.entries = entries
        self.owners: dict[Ref, Owner] = {}
        self.waits: list[tuple[str, Ref]] = []
        self.dropped: list[tuple[str, CanonicalEvent, str]] = []

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
        for ref in refs_of(entry):
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
        if self._is_erased(entry) or self._leads_to_erased(entry, found):
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
            if self._is_marked(meant):
                self.skipped[entry.id] = whom.REDACTED
                return
            self._own(entry, owner)
            who = Identity(meant)
        self._write(entry, who, said=bool(found))

    def _identify(self, entry: Entry, found: Contacts) -> Identity:
        self._before_change(entry, found)
        who = identity.identify(entry, found, self.view, self.policy.identify_by)
        if email := found.get("email"):
            self._passes_on(("email", email), who.who)
        if who.merged:
            self._merge(who.who, who.merged, entry)
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

    def _owner(self, entry: Entry) -> Owner | None:
        """The owner of what an entry names that does not name a person; None: nothing is known."""
        best: Owner | None = None
        for ref in refs_of(entry):
            owner: Owner | None = self.owners.get(ref, self.memory.get(ref))
            if owner:
                return owner
            best = owner if best is None else best
        return best

    def _without(self, entry: Entry, owner: Owner | None) -> None:
        """Nobody is known yet, or nobody will be."""
        tokens = [ref for ref in refs_of(entry) if ref[0] != "order"]
        # A sale that names nobody but a till's placeholder would wait for nobody but itself.
        refs = tokens if entry.person.named else (tokens or refs_of(entry))
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
        old = {name for name in _CONSENT if times.get(name, since) < since - DAY}
        old &= entry.person.attributes.keys()
        self._count(f"left_out:{CONSENT_BEFORE}", len(old))
        return untold | old

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
            event_of(event, finals.get(who) or identity.follow(who, view), source)
            for who, event, source in self.events
        ]
        for who, picture in pictures.items():
            identifies += self._said(who, picture)
            events += [event_of(event, who, entry.id) for event, entry in picture.events]
        merges = [merge_of(kept, gone, self.now, source) for kept, gone, source in self.merges]
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


def _cart(entry: Entry, event: CanonicalEvent, view: View) -> CanonicalEvent | str:
    """The event with what was added since the cart was seen last, or why it comes to nothing.

    Bodies of one second go by when they were sent.
    """
    ref = cart_ref(entry, event)
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
