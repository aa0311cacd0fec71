"""Whom a body means: the person behind an id, an address or a number, and whose an address is.

An address is one person's. Whoever has an id takes over what was sent under their address alone;
an address that another id holds is never taken from them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from adapter.model import Entry, Json, Person, Who
from adapter.people.memory import View, person_ref
from adapter.people.profile import NOBODY_KNOWS, keep, known, seen, stamp

IdentifyBy = Literal["id", "email"]
_ORDER: Mapping[IdentifyBy, tuple[str, ...]] = {
    "id": ("id", "email", "phone"),
    "email": ("email", "id", "phone"),
}
EMAIL_HELD = "email held by another id"
EMAIL_TYPED = "email typed by somebody who has another one"
MOST_STEPS = 20
"""How many people may have become one, one after the other."""

Contacts = Mapping[str, str]
"""id, email, phone of somebody, as far as known."""


@dataclass(slots=True)
class Identity:
    """Whom a named body means. `email` is the address that may be written, `merged` who turned out
    to be the same person and was sent as somebody else before, `problem` what was left out and why.
    `replaces`: the address is that of who was merged, and they had another one until now."""

    who: Who
    email: str | None = None
    merged: Who | None = None
    problem: str | None = None
    replaces: bool = False


def contacts(person: Person, is_placeholder: Callable[[str], bool]) -> dict[str, str]:
    """What a body itself says of who it is about; empty where it names nobody."""
    found = {}
    if person.id:
        found["id"] = person.id
    if person.email and not is_placeholder(person.email):
        found["email"] = person.email
    if person.phone:
        found["phone"] = person.phone
    return found


def named(found: Contacts, identify_by: IdentifyBy) -> Who | None:
    """The identifier that counts most."""
    for name in _ORDER[identify_by]:
        if found.get(name):
            return name, found[name]
    return None


def candidates(found: Contacts) -> list[Who]:
    """All whose records decide who is meant."""
    return [who for who in found.items() if who[1]]


def follow(who: Who, view: View) -> Who:
    """Who that turned out to be."""
    way = _way(who, view)
    return (way[-1]["to"][0], way[-1]["to"][1]) if way else who


def _way(who: Who, view: View) -> list[Mapping[str, Json]]:
    """The records that lead on, from one identifier to the next."""
    way: list[Mapping[str, Json]] = []
    while len(way) < MOST_STEPS:
        record = view.get(person_ref(who))
        target = record.get("to") if type(record) is dict else None
        if not target:
            break
        way.append(record)
        who = target[0], target[1]
    return way


def meant(found: Contacts, view: View, identify_by: IdentifyBy) -> Who | None:
    """Whom contacts mean that say nothing new: of an order's owner, of a token's."""
    who = named(found, identify_by)
    return None if who is None else follow(who, view)


def identify(entry: Entry, found: Contacts, view: View, identify_by: IdentifyBy) -> Identity:
    """Whom a body means that names somebody; what it teaches of addresses is learned."""
    first = named(found, identify_by)
    if first is None:
        raise ValueError("a body that names nobody")
    who = follow(first, view)
    person, email = entry.person, found.get("email")
    merged = None
    if identify_by == "email":
        if who[0] == "email" and person.id:
            merged = _has_id(("id", person.id), who, entry, view)
        return Identity(who, email, merged)
    if who[0] == "id" and person.platform_id and person.platform_id != who[1]:
        merged = is_now(("id", person.platform_id), who, entry, view)
    if who[0] != "id" or not email:
        return Identity(who, email, merged)
    holder = follow(("email", email), view)
    if holder not in (who, ("email", email)):
        doubtful = "email" in person.gaps or (seen(who, view).email and _is_typed(entry))
        if doubtful or not seen(holder, view).left:
            return Identity(who, None, merged, EMAIL_HELD)
        return _takes_over(holder, who, email, entry, view)
    profile = seen(who, view)
    since = profile.stamps.get("email")
    # One of somebody merged into them leads to them, and does not replace their own.
    weak = since is not None and not since[0]
    if profile.email == email and holder == who:
        return Identity(who, None if weak and first[0] == "email" else email, merged)
    if profile.email and "email" in person.gaps:
        merged = is_now(("email", email), who, entry, view) or merged
        return Identity(who, None, merged)
    if since is not None and stamp(entry, "email") < since:
        # An address that is theirs no longer: by now it may be somebody else's.
        return Identity(who, None, merged)
    if profile.email and profile.email != email:
        if first[0] == "email":
            return Identity(who, None, merged)
        if not weak and _is_typed(entry) and view.get(person_ref(("email", email))):
            return Identity(who, None, merged, EMAIL_TYPED)
        if not weak:
            view.learn(entry.id, person_ref(("email", profile.email)), {})
    replaces, address = bool(profile.email), is_now(("email", email), who, entry, view)
    profile = known(entry.id, who, view)
    profile.email = email
    keep(entry.id, who, profile, view)
    return Identity(who, email, address or merged, replaces=replaces and address is not None)


def _has_id(id_: Who, who: Who, entry: Entry, view: View) -> Who | None:
    """An address is that of an id from here on, where people go by address; answers the id where
    they were sent under it before."""
    before = follow(id_, view)
    merged = id_ if before == id_ and seen(id_, view).sent else None
    is_now(id_, who, entry, view)
    if before not in (id_, who):
        # Under another address: what they ordered there stays there.
        profile = known(entry.id, who, view)
        profile.older = NOBODY_KNOWS
        keep(entry.id, who, profile, view)
    return merged


def _takes_over(left: Who, who: Who, email: str, entry: Entry, view: View) -> Identity:
    """Somebody comes back under another id, with the address of a customer whom the shop deleted.

    As long as the destination knows that one, it refuses their address to everybody else: it is
    sent once the two are one.
    """
    if before := seen(who, view).email:
        view.learn(entry.id, person_ref(("email", before)), {})
    merged = left if seen(left, view).sent else None
    is_now(left, who, entry, view)
    profile = known(entry.id, who, view)
    profile.email, profile.older = email, NOBODY_KNOWS
    keep(entry.id, who, profile, view)
    view.learn(entry.id, person_ref(("email", email)), {"to": list(who)})
    return Identity(who, None if merged else email, merged, replaces=merged is not None)


def _is_typed(entry: Entry) -> bool:
    """Whether an address may have been typed into one checkout only, and be another's by a typo."""
    return entry.order is not None or bool(entry.person.tokens)


def is_gone_into(gone: Who, kept: Who, entry: Entry, view: View) -> None:
    """The platform made two one: whatever names the one that is gone means the other."""
    if gone == kept:
        return
    began, created = seen(gone, view).began, seen(kept, view).created
    is_now(gone, kept, entry, view, gone=True)
    view.learn(entry.id, person_ref(gone), {"to": list(kept), "gone": 1})
    profile = known(entry.id, kept, view)
    profile.created = created
    profile.older = NOBODY_KNOWS if began is None else profile.older
    keep(entry.id, kept, profile, view)


def is_gone(who: Who, view: View) -> bool:
    """Whether somebody was merged into another one."""
    way = _way(who, view)
    return bool(way) and any(record.get("gone") for record in way)


def said_of_gone(entry: Entry, found: Contacts, view: View, identify_by: IdentifyBy) -> Entry:
    """The entry, which only fills gaps where it names somebody who is gone: it is from before, and
    their address must not replace that of the one who was kept."""
    who = named(found, identify_by)
    if who is None or not is_gone(who, view):
        return entry
    person = entry.person
    gaps = tuple({*person.attributes, *person.gaps, "email", "phone"})
    return replace(entry, person=replace(person, gaps=gaps))


def is_now(other: Who, who: Who, entry: Entry, view: View, *, gone: bool = False) -> Who | None:
    """From here on `other` is `who`, with all that is remembered; answers `other` where both were
    sent as people of their own before. Of who is `gone` it only fills gaps."""
    ref = person_ref(other)
    both = False
    if view.get(ref):
        if follow(other, view) == who:
            return None
        theirs, own = seen(other, view).copy(), known(entry.id, who, view)
        if other[0] == "email":
            # It came with all that they said. The id must be sent with it to get their profile.
            theirs.stamps = {name: own for name, own in theirs.stamps.items() if name != "email"}
        if gone:
            theirs.weaken()
        both = bool(theirs.sent and own.sent)
        own.takes_over(theirs)
        keep(entry.id, who, own, view)
    view.learn(entry.id, ref, {"to": list(who)})
    return other if both else None
