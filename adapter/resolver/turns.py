"""What changes who somebody is: merges, erasures, and dead letters that come again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapter import deeds, whom
from adapter.model import Entry, Json, Operation, Ref, Who
from adapter.people import identity, sales
from adapter.people.identity import Contacts
from adapter.people.memory import SINCE, person_ref, ref_of
from adapter.people.picture import Picture, figures, still_true
from adapter.people.profile import keep, known
from adapter.people.profile import seen as profile_of
from adapter.resolver.speech import Speech
from adapter.resolver.terms import ANY_TOMBSTONE, DAY, HELD, NOT_ONE, OUTDATED, TOLD_SINCE, Policy


class Turns(Speech):
    """A batch's entries that are about somebody, and say nothing of what they did."""

    def __init__(self, memory: Mapping[Ref, Json], now: int, policy: Policy) -> None:
        super().__init__(memory, now, policy)
        self.skipped: dict[str, str] = {}
        self.errands: list[tuple[str, deeds.Errand]] = []

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

    def _is_erased(self, entry: Entry) -> bool:
        """Whether whom or what an entry names was erased, as far as is known by now."""
        view = self.view
        if not view.get(ANY_TOMBSTONE):
            return False
        return any(view.get(ref) for ref in whom.tombstones_of(entry))

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

    def _deed(self, entry: Entry) -> None:
        """What an action comes to."""
        deed = deeds.deed(entry, self._known, on_customer_delete=self.policy.on_customer_delete)
        for who in dict.fromkeys(identity.follow(who, self.view) for who in deed.left):
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

    def _since(self, entry: Entry) -> int | None:
        """When the first whole day began on which the shop's orders are told; None before any."""
        ref = ref_of(SINCE, entry.delivery, "")
        since = self.view.get(ref)
        if since is None and entry.ledger is not None and entry.ledger.value is not None:
            since = (entry.delivery.received_at // DAY + 1) * DAY
            self.view.learn(entry.id, ref, since)
        return None if since is None else int(since)
