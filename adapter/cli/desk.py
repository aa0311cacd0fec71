"""Looking people up for commands: whom somebody asks about, and how much is looked through."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.peopletext import utc_text
from adapter.cli.store import open_redis
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.model import Ref, Who
    from adapter.people.profile import Profile
    from adapter.store.needles import Needles
    from adapter.store.people import Found, People, Thing

KINDS = ("order", "cart", "checkout", "subscription")
MOST_KEYS, MOST_ITEMS = 200_000, 1_000
"""Keys, and items of each stream, that are looked through unless --all is said."""

EVERYTHING = 2**62


def limits(command: Any) -> Any:
    """Options that person and why have in common."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
        click.option(
            "--all",
            "every",
            is_flag=True,
            help="Look through everything, however large Redis is (some 10 s a million keys).",
        ),
        click.option("--shop", help="Only what is of this shop."),
        click.option("--platform", help="Only what is of shops of this platform."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Desk:
    """All that is needed to look somebody up. `came`: when each topic of a platform last came;
    `shops` are platform and shop of those that it came from."""

    settings: Settings
    people: People
    came: Mapping[tuple[str, str], int]
    shops: Sequence[tuple[str, str]]
    most_keys: int
    most_items: int

    @classmethod
    def open(cls, platform: str | None, shop: str | None, *, every: bool) -> Desk:
        """Raises SettingsError where there is no Redis to ask."""
        from adapter.app import WORKSPACE
        from adapter.store.people import People
        from adapter.store.topics import Topics, latest

        settings = Settings.from_env(os.environ)
        redis = open_redis(settings)
        seen = Topics(redis, WORKSPACE).seen()
        wanted = shop.strip().lower() if shop else None
        shops = sorted({
            (one.platform, one.shop)
            for one in seen
            if platform in (None, one.platform) and wanted in (None, one.shop)
        })  # fmt: skip
        if not shops and platform and wanted:
            shops = [(platform, wanted)]
        most = (EVERYTHING, EVERYTHING) if every else (MOST_KEYS, MOST_ITEMS)
        people = People(redis, WORKSPACE, secret=settings.hash_secret)
        return cls(settings, people, latest(seen), shops, *most)

    def refs(self, kinds: Iterable[str], value: str) -> list[Ref]:
        """What goes by a name in any of the shops."""
        return [(kind, *shop, value) for shop in self.shops for kind in kinds]

    def owner(self, thing: Thing) -> Who | None:
        """Who owns a thing, as far as it says."""
        from adapter.people.identity import named

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
    """Whom an id, an email, a phone, or the name of an order or token of theirs means."""
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
    """What kind of identifier a text is. Raises BadParameter."""
    from adapter.mapping.types import to_email, to_id, to_phone

    text = text.strip()
    try:
        if "@" in text:
            return "email", to_email(text) or ""
        if text.startswith("+"):
            return "phone", to_phone(text) or ""
        value = to_id(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WHO") from None
    if not value:
        raise click.BadParameter("expected an id, an email, a phone or a token", param_hint="WHO")
    return "id", value


def needles(
    names: Mapping[str, Sequence[str]],
    profile: Profile | None,
    things: Iterable[Thing],
    unknown: Iterable[Who] = (),
) -> Needles:
    """What is looked for in streams. What is `unknown` may be the name of anything."""
    from adapter.store.needles import Needles

    refs = [thing.ref for thing in things]
    maybe = {value for kind, value in unknown if kind == "id"}
    orders = {*(profile.orders if profile else ()), *(ref[3] for ref in refs if ref[0] == "order")}
    orders |= maybe
    tokens = maybe | {ref[3] for ref in refs if ref[0] != "order"}
    return Needles(names["id"], names["email"], names["phone"], orders, tokens)


def notes(desk: Desk, asked: Asked) -> list[str]:
    """What explains that somebody is not known, or not any more."""
    found, said = asked.found, []
    for kind, value in found.way:
        if kind == "email" and desk.settings.is_placeholder(value):
            said.append("the address is on PLACEHOLDER_EMAILS: it identifies nobody")
    if found.freed:
        said.append("the address was somebody's who has another one now; it is free")
    if found.erased:
        said.append(f"erased: bodies about them are skipped until {utc_text(found.erased)}")
    return said
