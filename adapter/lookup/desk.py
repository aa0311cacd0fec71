"""Looking people up: whom somebody asks about, and how much is looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.lookup.texts import utc_text
from adapter.mapping.types import to_email, to_id, to_phone
from adapter.model import Ref, Who
from adapter.people.identity import named
from adapter.people.profile import Profile
from adapter.settings import Settings
from adapter.store.needles import Needles
from adapter.store.people import Found, Item, People, Thing
from adapter.store.topics import Topics, latest

KINDS = ("order", "cart", "checkout", "subscription")


@dataclass(frozen=True, slots=True)
class Desk:
    """All that is needed to look somebody up. `came`: when each topic of a platform last came;
    `shops` are platform and shop of those that it came from, `narrowed` whether that is not all."""

    settings: Settings
    people: People
    came: Mapping[tuple[str, str], int]
    shops: Sequence[tuple[str, str]]
    most_keys: int
    most_items: int
    narrowed: bool = False

    @classmethod
    def of(
        cls,
        settings: Settings,
        redis: Any,
        workspace: str,
        *,
        platform: str | None = None,
        shop: str | None = None,
        most_keys: int,
        most_items: int,
    ) -> Desk:
        """What is of all shops, or of some; at most so many keys, and items of each stream, are
        looked through. Raises StoreError."""
        seen = Topics(redis, workspace).seen()
        wanted = shop.strip().lower() if shop else None
        shops = sorted({
            (one.platform, one.shop)
            for one in seen
            if platform in (None, one.platform) and wanted in (None, one.shop)
        })  # fmt: skip
        if not shops and platform and wanted:
            shops = [(platform, wanted)]
        people = People(redis, workspace, secret=settings.hash_secret)
        narrowed = bool(platform or wanted)
        return cls(settings, people, latest(seen), shops, most_keys, most_items, narrowed)

    def refs(self, kinds: Iterable[str], value: str) -> list[Ref]:
        """What goes by a name in any of the shops."""
        return [(kind, *shop, value) for shop in self.shops for kind in kinds]

    def concerns(self, item: Item) -> bool:
        """Whether something that waits is of the shops that are asked about; of a rule it is."""
        if not self.narrowed or not item.deliveries:
            return True
        return any((one.get("platform"), one.get("shop")) in self.shops for one in item.deliveries)

    def owner(self, thing: Thing) -> Who | None:
        """Who owns a thing, as far as it says."""
        return named(thing.owner or {}, self.settings.identify_by)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom somebody asked about. `things` are what goes by that very name."""

    found: Found
    things: Sequence[Thing] = ()

    @property
    def known(self) -> bool:
        profile = self.found.profile
        return profile is not None or len(self.found.way) > 1 or self.found.erased is not None

    def names(self) -> dict[str, list[str]]:
        """All identifiers that are known of them, by kind."""
        profile = self.found.profile
        names: dict[str, list[str]] = {"id": [], "email": [], "phone": []}
        for kind, value in self.found.way:
            names[kind].append(value)
        if profile and profile.email and profile.email not in names["email"]:
            names["email"].append(profile.email)
        return names


def ask(desk: Desk, text: str) -> Asked:
    """Whom an id, an email, a phone, or the name of an order or token of theirs means.

    Raises ValueError for a text that can be none of these."""
    who = identifier(text)
    found = desk.people.find(who)
    if who[0] != "id":
        return Asked(found)
    token = text.strip().partition("?")[0]
    refs = dict.fromkeys([*desk.refs(KINDS, who[1]), *desk.refs(KINDS, token)])
    things = [thing for thing in desk.people.things(list(refs)) if thing.known]
    asked = Asked(found, things)
    if not asked.known:
        for thing in things:
            if owner := desk.owner(thing):
                return Asked(desk.people.find(owner), things)
    return asked


def identifier(text: str) -> Who:
    """What kind of identifier a text is. Raises ValueError."""
    text = text.strip()
    if "@" in text:
        return "email", _whole(to_email, text, "email")
    if text.startswith("+"):
        return "phone", _whole(to_phone, text, "phone with its country code")
    value = to_id(text)
    if not value:
        raise ValueError("expected an id, an email, a phone or a token")
    return "id", value


def _whole(read: Callable[[str], str | None], text: str, kind: str) -> str:
    """Raises ValueError where it is only a part of one."""
    try:
        found = read(text)
    except ValueError:
        found = None
    if not found:
        raise ValueError(f"'{text}' is no whole {kind}")
    return found


def needles(
    names: Mapping[str, Sequence[str]],
    profile: Profile | None,
    things: Iterable[Thing],
    unknown: Iterable[Who] = (),
) -> Needles:
    """What is looked for in streams. What is `unknown` may be the name of anything."""
    refs = [thing.ref for thing in things]
    maybe = {value for kind, value in unknown if kind == "id"}
    orders = {*(profile.orders if profile else ()), *(ref[3] for ref in refs if ref[0] == "order")}
    orders |= maybe
    tokens = maybe | {ref[3] for ref in refs if ref[0] != "order"}
    return Needles(names["id"], names["email"], names["phone"], orders, tokens)


def notes(desk: Desk, asked: Asked) -> list[str]:
    """What explains that somebody is not known, or not any more."""
    found, said = asked.found, []
    if desk.narrowed and asked.known:
        said.append("attributes, orders and figures are of all shops: they are kept as one")
    for kind, value in found.way:
        if kind == "email" and desk.settings.is_placeholder(value):
            said.append("the address is on PLACEHOLDER_EMAILS: it identifies nobody")
    if not asked.known and found.way and found.way[-1][0] == "phone":
        said.append("a phone leads to who was sent by it alone: ask by id or email for all others")
    if found.freed:
        said.append("the address was somebody's who has another one now; it is free")
    if found.erased:
        said.append(f"erased: bodies about them are skipped until {utc_text(found.erased)}")
    return said
