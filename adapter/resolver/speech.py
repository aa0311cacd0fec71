"""What a batch is about to say, of whom, and what must go ahead of what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from adapter.model import CanonicalEvent, Entry, Json, Operation, Ref, Who
from adapter.people import identity
from adapter.people.identity import Contacts
from adapter.people.memory import View, person_ref
from adapter.people.picture import Picture, blank, taken_away
from adapter.people.profile import Profile
from adapter.people.profile import seen as profile_of
from adapter.resolver.terms import Policy


class Speech:
    """Gathers what entries come to: pictures of people, events, merges and what is done last.

    `closed` are operations that stand already: what follows is of another person, or must not be
    said before them.
    """

    def __init__(self, memory: Mapping[Ref, Json], now: int, policy: Policy) -> None:
        self.memory = memory
        self.now = now
        self.policy = policy
        self.view = View(memory)
        self.pictures: dict[Who, Picture] = {}
        self.events: list[tuple[Who, CanonicalEvent, str]] = []
        self.merges: list[tuple[Who, Who, str]] = []
        self.replaced: dict[Who, str] = {}
        self.counts: dict[str, int] = {}
        self.closed: list[Operation] = []
        self.deeds: list[Operation] = []

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
                self.closed.append(event_of(event, who, source))
            else:
                self.events.append((meant, event, source))
        self.closed += [event_of(event, who, entry.id) for event, entry in theirs.events]

    def _said(self, who: Who, picture: Picture) -> list[Operation]:
        """The identify of a person, if there is anything to say of them."""
        operation = picture.identify(
            who,
            self.view,
            self.policy.rules,
            unsubscribe_on_opt_out=self.policy.unsubscribe_on_opt_out,
        )
        return [operation] if operation else []

    def _go_ahead(self, people: Collection[Who]) -> None:
        """All that is to be done of these people goes out before what is said from here on."""
        view = self.view
        for who in people:
            self._close(who)
        merges, self.merges = self.merges, []
        for kept, gone, source in merges:
            if identity.follow(kept, view) in people:
                self.closed.append(merge_of(kept, gone, self.now, source))
            else:
                self.merges.append((kept, gone, source))
        for who in [who for who in self.replaced if identity.follow(who, view) in people]:
            self.closed.append(self._address(who, self.replaced.pop(who)))
        done, self.deeds = self.deeds, []
        for one in done:
            named = {*one.identifiers.items(), *(one.secondary or {}).items()}
            (self.deeds if named.isdisjoint(people) else self.closed).append(one)

    def _address(self, who: Who, source: str) -> Operation:
        """An address once more: until the merge it was another profile's, which refused it."""
        profile = profile_of(who, self.view)
        attributes = {"email": profile.email}
        return Operation("identify", dict((who,)), profile.sent, attributes, sources=(source,))

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
        guest = "email", held
        before = self.memory.get(person_ref(guest)) or {}
        was_sent = who[0] == "id" and before.get("sent") and "to" not in before
        if was_sent and (who, guest) not in [merge[:2] for merge in self.merges]:
            # An identify with that address would have made them one, and there will be none.
            self._merge(who, guest, entry)
        for one in [one for one in self.pictures if one != who]:
            if identity.follow(one, view) == who:
                picture = self.pictures.pop(one)
                picture.turns_out(profile_of(who, view))
                self.pictures.setdefault(who, Picture()).joins(picture)
        self.events = [
            (who if identity.follow(meant, view) == who else meant, event, source)
            for meant, event, source in self.events
        ]

    def _merge(self, kept: Who, gone: Who, entry: Entry) -> None:
        """Two who were sent apart become one; who is kept must be there for it."""
        self.merges.append((kept, gone, entry.id))
        self.pictures.setdefault(kept, Picture()).must_be = True

    def _take_away(
        self, gone: Who, profile: Profile, entry: Entry, theirs: Iterable[str] = ()
    ) -> None:
        """Figures of who is merged away go first: the destination gives who is kept what they lack,
        and these were of a part of their orders."""
        taken = {**blank(theirs), **taken_away(profile, self.policy.rules)}
        if taken:
            at, sources = profile.sent + 1, (entry.id,)
            self.closed.append(Operation("identify", dict((gone,)), at, taken, sources=sources))

    def _count(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number


def event_of(event: CanonicalEvent, who: Who, source: str) -> Operation:
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


def merge_of(kept: Who, gone: Who, now: int, source: str) -> Operation:
    return Operation(
        action="merge",
        identifiers={kept[0]: kept[1]},
        secondary={gone[0]: gone[1]},
        timestamp=now,
        attributes={},
        sources=(source,),
    )
