"""The record of a person: when what is known of each attribute was true, and what else is kept.

Values are not kept, they lie at the destination; a value that is older than what was sent must only
be recognised. So whatever the order in which bodies arrive, the same values stand in the end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from adapter import ledger
from adapter.model import Entry, Json, Who
from adapter.people.memory import View, person_ref

Stamp = tuple[int, float, float, str]
"""(1, or 0 for what only fills a gap; when it was true; when it was sent; delivery): the greater
stands."""


def stamp(entry: Entry, name: str) -> Stamp:
    """How much the value that an entry has of an attribute counts."""
    person, delivery, sure = entry.person, entry.delivery, name not in entry.person.gaps
    time = person.as_of
    if not sure and entry.ledger is not None and entry.ledger.at is not None:
        time = entry.ledger.at  # typed when it was bought, and told again by every later body
    time = person.times.get(name, time)
    return int(sure), time, delivery.triggered_at or 0.0, delivery.id


def stamps(entry: Entry, names: Iterable[str]) -> dict[str, Stamp]:
    """The same of many attributes: but for a few of them it is the body's own."""
    person, delivery = entry.person, entry.delivery
    usual = 1, person.as_of, delivery.triggered_at or 0.0, delivery.id
    found: dict[str, Stamp] = dict.fromkeys(names, usual)
    for special in (person.gaps, person.times):
        for name in special:
            if name in found:
                found[name] = stamp(entry, name)
    return found


NOBODY_KNOWS = 1
"""Before every shop: the history of whoever came to be then is not whole."""


@dataclass(slots=True)
class Profile:
    """What is remembered of one person.

    `sent` is the time of the last identify, 0 before the first; `said` is the time that one must
    have which holds all that is known: every entry that brings something is a second behind the one
    before it, so it is the same whichever entries make a batch, and what comes again after it was
    sent is never dated before it. `email` is the address that is
    theirs, `cart` the cart that current_cart_* tell of, `orders` their ledger, `platform` what the
    platform itself says of their orders and `created` when it says that they came to be, `inputs`
    what rules read. `older` is when the first of those came to be who were merged into them,
    NOBODY_KNOWS where that is not known; `due`: orders joined theirs, so their figures are others;
    `shown` are the figures that were told, as bits of ledger.FIGURES: they are to be taken away
    once they are not known any more. `left`: the shop has deleted them.
    """

    sent: int = 0
    email: str | None = None
    cart: str | None = None
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    lists: Mapping[str, Json] = field(default_factory=dict)
    rules: Mapping[str, Json] = field(default_factory=dict)
    orders: Mapping[str, Json] = field(default_factory=dict)
    platform: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, Json] = field(default_factory=dict)
    created: int | None = None
    older: int | None = None
    due: bool = False
    said: int = 0
    shown: int = 0
    left: bool = False

    @property
    def began(self) -> int | None:
        """When the first of all who are this person came to be; None where that is not known."""
        if self.created is None or self.older is None:
            return self.created
        return min(self.created, self.older)

    def copy(self) -> Profile:
        """Another one to change: what it holds is replaced and never changed, so both share it."""
        return Profile(
            self.sent,
            self.email,
            self.cart,
            self.stamps,
            self.lists,
            self.rules,
            self.orders,
            self.platform,
            self.inputs,
            self.created,
            self.older,
            self.due,
            self.said,
            self.shown,
            self.left,
        )

    def says(self, when: int) -> None:
        """Something of `when` is known of them from here on, and to be sent."""
        self.said = max(when, self.said + 1, self.sent + 1)

    def takes(self, stamps: dict[str, Stamp]) -> dict[str, Stamp]:
        """Those values that stand against what is known; they are known from here on."""
        known = self.stamps
        if not known.keys().isdisjoint(stamps):
            never = _NEVER
            stamps = {name: own for name, own in stamps.items() if own >= known.get(name, never)}
        self.stamps = {**known, **stamps}
        return stamps

    def fills(self, names: Iterable[str]) -> dict[str, Stamp]:
        """What is known of these, and from here on that something is: anything else counts more."""
        found = {name: self.stamps.get(name, _ANYTHING) for name in names}
        self.stamps = {**self.stamps, **found}
        return found

    def weaken(self) -> None:
        """All of it only fills gaps from here on."""
        self.stamps = {name: (0, at, sent, id_) for name, (_, at, sent, id_) in self.stamps.items()}

    def takes_over(self, other: Profile) -> None:
        """What was another profile is this one from now on."""
        self.sent = max(self.sent, other.sent)
        self.said = max(self.said, other.said)
        self.shown |= other.shown
        self.email = self.email or other.email
        stamps = dict(self.stamps)
        for name, theirs in other.stamps.items():
            if theirs > stamps.get(name, _NEVER):
                stamps[name] = theirs
                if name == "current_cart_id":
                    self.cart = other.cart
        self.stamps = stamps
        self.lists = {**other.lists, **self.lists}
        self.rules = {**other.rules, **self.rules}
        self.inputs = {**other.inputs, **self.inputs}
        self.orders = ledger.joined(self.orders, other.orders)
        self.due = self.due or other.due or bool(other.orders or other.platform)
        if other.platform.get("as_of", 0) > self.platform.get("as_of", 0):
            self.platform = other.platform
        others = [one for one in (self.older, other.older, other.created) if one is not None]
        self.older = min(others, default=None)
        self.created = self.created or other.created

    def to_json(self) -> dict[str, Json]:
        """Compact: attributes that came in one body share one stamp."""
        versions: dict[Stamp, int] = {}
        attributes: dict[str, int] = {}
        number, before = 0, None
        for name, own in self.stamps.items():
            if own is not before:
                number, before = versions.setdefault(own, len(versions)), own
            attributes[name] = number
        data: dict[str, Json] = {
            "sent": self.sent,
            "email": self.email,
            "cart": self.cart,
            "v": [list(stamp) for stamp in versions],
            "a": attributes,
            "lists": self.lists,
            "rules": self.rules,
            "orders": self.orders,
            "platform": self.platform,
            "inputs": self.inputs,
            "created": self.created,
            "older": self.older,
            "due": self.due,
            "said": self.said if self.said > self.sent else 0,
            "shown": self.shown,
            "left": self.left,
        }
        return dict(compress(data.items(), data.values()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Profile:
        if not data:
            return cls()
        versions: list[Any] = [tuple(each) for each in data.get("v", ())]
        return cls(
            data.get("sent", 0),
            data.get("email"),
            data.get("cart"),
            {name: versions[number] for name, number in data.get("a", {}).items()},
            data.get("lists", {}),
            data.get("rules", {}),
            data.get("orders", {}),
            data.get("platform", {}),
            data.get("inputs", {}),
            data.get("created"),
            data.get("older"),
            data.get("due", False),
            data.get("said", 0),
            data.get("shown", 0),
            data.get("left", False),
        )


def known(source: str, who: Who, view: View) -> Profile:
    """What is known of somebody, to be changed and kept from entry `source` on."""
    ref = person_ref(who)
    profile = view.read(ref, _parsed)
    # What the entry itself has taught is its own already: nobody behind it has seen that yet.
    own = view.last(ref) == source and view.get(ref) is profile
    return profile if own else profile.copy()


def seen(who: Who, view: View) -> Profile:
    """What is known of somebody, to be looked at only."""
    return view.read(person_ref(who), _parsed)


def _parsed(data: Json) -> Profile:
    return Profile.from_json(data) if data else _STRANGER


def keep(source: str, who: Who, profile: Profile, view: View) -> None:
    """From entry `source` on this is what is known of them."""
    view.keep(source, person_ref(who), profile)


_STRANGER = Profile()
_NEVER: Stamp = (-1, 0.0, 0.0, "")
_ANYTHING: Stamp = (1, 0.0, 0.0, "")
