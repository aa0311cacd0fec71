"""Whom an action is about: all by which one person is known, less what is somebody else's. Pure.

Whoever is erased leaves tombstones, so that a body that was under way brings nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from adapter.model import Action, Entry, Ref, Who

TOMBSTONE = "redacted"
"""Kind of the mark that somebody, or an order or a token of theirs, was erased."""

TOMBSTONE_SECONDS = 30 * 86400
"""As long as a business key: an event that comes later than that is history and is skipped."""

REDACTED = "redacted"
"""Why a body about somebody who was erased comes to nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """What memory knows of one person.

    `sent` is the identifier under which they were sent to the destination, earlier or in this very
    batch; None: never. `ids` are all that they go by: the shop's own, the platform's, those of
    people merged into them. `email` is the address that they hold; `orders` and `tokens` are what
    is remembered as theirs. `gone` says that whoever was looked up was merged into them.
    """

    sent: Who | None = None
    ids: tuple[str, ...] = ()
    email: str | None = None
    phone: str | None = None
    orders: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    gone: bool = False


Lookup = Callable[[Who], Known | None]
"""Who goes by an identifier; by an email: who holds it."""


@dataclass(frozen=True, slots=True)
class Names:
    """All by which one person is known, less what is somebody else's. `sent` are identifiers that
    are theirs alone at the destination."""

    ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    sent: tuple[Who, ...] = ()


def names_of(action: Action, lookup: Lookup) -> Names:
    """All that is known of whom an action is about.

    What their body says of email and phone is believed unless somebody else holds them: a shared
    address must not cost another person their profile.
    """
    values = action.values
    id_, email, phone = (str(values.get(name) or "") for name in ("id", "email", "phone"))
    people: list[Known] = []
    ids: dict[str, None] = {}

    def belongs(who: Who) -> bool:
        known = lookup(who)
        if known is None:
            return True
        if ids and known.ids and ids.keys().isdisjoint(known.ids):
            return False
        if who[0] == "phone" and not known.ids and known.sent and known.sent != who:
            return bool(email) and known.email == email
        people.append(known)
        ids.update(dict.fromkeys(known.ids))
        return True

    if id_:
        ids[id_] = None
        belongs(("id", id_))
    own_email = email and belongs(("email", email))
    own_phone = phone and belongs(("phone", phone))
    emails = dict.fromkeys(one.email for one in people if one.email)
    phones = dict.fromkeys(one.phone for one in people if one.phone)
    if own_email:
        emails[email] = None
    if own_phone:
        phones[phone] = None
    # A phone may be a whole family's: it stands for one person only where they were sent under it.
    sent = [
        *(("id", one) for one in ids),
        *(("email", one) for one in emails),
        *(one.sent for one in people if one.sent),
    ]
    return Names(
        tuple(ids),
        tuple(emails),
        tuple(phones),
        tuple(dict.fromkeys((*(values.get("orders") or ()), *_all(people, "orders")))),
        tuple(dict.fromkeys(_all(people, "tokens"))),
        tuple(dict.fromkeys(sent)),
    )


def _all(people: Iterable[Known], name: Literal["orders", "tokens"]) -> Iterator[str]:
    for one in people:
        yield from getattr(one, name)


def tombstone(who: Who) -> Ref:
    """The mark that somebody was erased."""
    return TOMBSTONE, "", "", f"{who[0]}:{who[1]}"


def tombstone_of(kind: str, platform: str, shop: str, value: str) -> Ref:
    """The mark that an order or a token was somebody's who was erased."""
    return TOMBSTONE, platform, shop, f"{kind}:{value}"


def tombstones_of(entry: Entry) -> tuple[Ref, ...]:
    """The marks that keep an entry from being sent: of whom it names, else of their things.

    The strongest identifier alone decides: a phone, and now and then an email, has several owners.
    """
    person, delivery = entry.person, entry.delivery
    if person.id:
        ids = dict.fromkeys((person.id, person.platform_id or person.id))
        return tuple(tombstone(("id", id_)) for id_ in ids)
    if person.email:
        return (tombstone(("email", person.email)),)
    if person.phone:
        return (tombstone(("phone", person.phone)),)
    things = [*person.tokens.items(), *([("order", entry.order)] if entry.order else [])]
    return tuple(tombstone_of(k, delivery.platform, delivery.shop, value) for k, value in things)
