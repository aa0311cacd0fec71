"""All that is known of somebody: who leads to them, their attributes' times, orders, carts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapter import ledger
from adapter.changes import elements
from adapter.lookup.desk import Asked, Desk, needles, notes
from adapter.lookup.texts import utc_text
from adapter.mapping.types import exponent_of
from adapter.model import Ref
from adapter.people.profile import NOBODY_KNOWS, Profile
from adapter.store.people import Looked, Thing

MOST_THINGS = 50
"""Orders and tokens of one person that are shown."""


def tell(desk: Desk, text: str, asked: Asked) -> dict[str, Any]:
    """Everything about somebody, as --json prints it."""
    found, people = asked.found, desk.people
    profile = found.profile
    names = asked.names()
    document: dict[str, Any] = {
        "asked": text,
        "known": asked.known,
        "way": [list(who) for who in found.way],
        "notes": notes(desk, asked),
        "named": [thing_json(desk, thing) for thing in asked.things],
    }
    looked: list[Looked] = []
    things: list[Thing] = list(asked.things)
    if asked.known:
        aliases, seen = people.aliases(found.who, desk.most_keys)
        owned, _ = people.belongings(found.who, aliases, desk.settings.identify_by, desk.most_keys)
        looked.append(seen)
        known_names = {people.name_of((kind, one)) for kind in names for one in names[kind]}
        document["also"] = sorted(aliases - known_names)
        names["id"] += [
            one[3:] for one in aliases if one.startswith("id:") and one[3:] not in names["id"]
        ]
        document["names"] = names
        wanted = [ref for ref in owned if ref[1:3] in desk.shops]
        things = people.things(wanted[:MOST_THINGS])
        document["owns"] = [thing_json(desk, thing) for thing in things]
        document["owns_more"] = max(0, len(wanted) - MOST_THINGS)
        if profile is not None:
            document |= _profile(profile)
            document |= _sales(desk, profile, wanted)
    wanted_in = needles(names, profile, things, () if asked.known else found.way)
    items, streams = people.items(wanted_in, desk.most_items)
    document["waits"] = [item.to_json() for item in items if desk.concerns(item)]
    document["waits"] += [each.to_json() for thing in things for each in thing.waiting]
    document["looked"] = [
        {"place": one.place, "seen": one.seen, "there": one.there} for one in (*looked, *streams)
    ]
    return document


def thing_json(desk: Desk, thing: Thing) -> dict[str, Any]:
    """What is known of one order or token."""
    kind, platform, shop, value = thing.ref
    owner = desk.owner(thing)
    found: dict[str, Any] = {
        "kind": kind,
        "value": value,
        "platform": platform,
        "shop": shop,
        "owner": list(owner) if owner else None,
        "nobody": thing.owner == {},
        "erased": thing.erased,
    }
    if thing.sold:
        found["became_order"] = thing.sold
    if thing.cart:
        found["began_as_cart"] = thing.cart
    if thing.lines:
        found["content"] = {"at": thing.lines["at"], "lines": thing.lines["lines"]}
    if thing.told:
        found["told"] = dict(thing.told)
    if thing.length:
        found["waiting"] = {"entries": thing.length, "until": thing.until}
    return found


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "email": profile.email,
        "sent": profile.sent or None,
        "created": profile.created,
        "attributes": {
            # Without a time is what an order cleared of a cart that nothing was known of.
            name: {
                "as_of": int(at) or None,
                "gap": not strong,
                "sent_at": sent or None,
                "delivery": id_,
            }
            for name, (strong, at, sent, id_) in sorted(profile.stamps.items())
        },
        "cart": profile.cart,
        "lists": {
            name: {"whole_as_of": state["whole"], "elements": elements(state)}
            for name, state in profile.lists.items()
        },
        "rules": {name: {"since": at, "value": v} for name, (at, v) in profile.rules.items()},
        "inputs": dict(profile.inputs),
    }


def _sales(desk: Desk, profile: Profile, owned: Iterable[Ref]) -> dict[str, Any]:
    """Orders and what they come to, as the next body about one of them would tell."""
    shops = sorted({ref[1:3] for ref in owned}) or desk.shops
    histories = []
    for platform, shop in shops:
        since = desk.people.since(platform, shop)
        whole = ledger.whole(profile.orders, created_at=profile.began, since=since)
        histories.append({
            "platform": platform, "shop": shop, "since": since, "whole": whole,
            "why_not": None if whole else _why_not(profile, since),
        })  # fmt: skip
    whole = bool(histories) and all(each["whole"] for each in histories)
    platform_own = dict(profile.platform)
    as_of = platform_own.pop("as_of", 0)
    own = ledger.figures(profile.orders, whole)
    return {
        "orders": {id_: _order(id_, record) for id_, record in _newest(profile.orders)},
        "history": histories,
        "platform_figures": {**platform_own, "as_of": as_of} if platform_own else None,
        "figures": ledger.merged(own, ledger.latest(profile.orders), platform_own, as_of),
    }


def _why_not(profile: Profile, since: int | None) -> str:
    """Why a history is not taken for whole."""
    if profile.created is None:
        return "the platform never told when they came to be, so they may have ordered before"
    if since is None:
        return "nothing about anybody was delivered from this shop yet"
    if profile.older == NOBODY_KNOWS:
        return "somebody was merged into them of whom nobody told when they came to be"
    if profile.older is not None and profile.older < since:
        return (
            f"somebody was merged into them who came to be on {utc_text(profile.older)}, before "
            f"the first whole day here, which began on {utc_text(since)}"
        )
    if profile.created < since:
        return (
            f"they came to be on {utc_text(profile.created)}, before the first whole day here, "
            f"which began on {utc_text(since)}"
        )
    return f"an order of theirs is older than the first whole day here, {utc_text(since)}"


def _newest(orders: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(orders.items(), key=lambda one: one[1][0][2] if one[1][0] else 0, reverse=True)


def _order(id_: str, record: Any) -> dict[str, Any]:
    """One order of the ledger; amounts are in whole currency again."""
    body = record[0]
    figures = ledger.figures({id_: record}, whole=True)
    refunds = record[1] if len(record) > 1 else {}
    return {
        "at": body[2] if body else None,
        "as_of": body[0] if body else None,
        "value": figures.get("lifetime_value"),
        "currency": figures.get("currency"),
        "cancelled": bool(body) and figures["orders_count"] == 0,
        "refunds": {
            key: {"amount": _major(amount, currency), "currency": currency or None}
            for key, (amount, currency) in refunds.items()
        },
    }


def _major(amount: int, currency: str) -> float:
    exponent = exponent_of(currency)
    # An amount without a currency is kept with as many decimals as any has.
    return float(Decimal(amount).scaleb(-(4 if exponent is None else exponent)))
