"""Why somebody did or did not get an event, as far as what is kept tells.

There is no history of deliveries by person. What is there: what memory says was told, business keys
and who holds them, what waits, was parked or refused, and counters of what came to nothing. What
became of one delivery is in the journal, by its id (`adapter delivery`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.lookup.answers import Case, answer, held, keys_of, of_rules
from adapter.lookup.desk import KINDS, Asked, Desk, needles, notes
from adapter.lookup.texts import utc_text
from adapter.mapping import Mappings
from adapter.mapping.hints import did_you_mean
from adapter.model import Ref
from adapter.store.people import Looked

MOST_ANSWERS = 20
"""Orders or tokens that are answered for where none is named; the newest orders."""

_ABOUT = {
    "added_to_cart": ("cart",),
    "checkout_started": ("checkout",),
    "customer_created": ("id",),
    "subscription_created": ("subscription",),
    "subscription_canceled": ("subscription",),
    "payment_failed": ("order", "subscription"),
}
"""What events are about that are not about an order."""

_CANNOT = (
    "which request held what, and the answer to it: `adapter delivery` does, for {hours:g} hours",
    "why one body came to nothing: `adapter delivery` does as well; here it is only counted",
    "what Customer.io did with what it took: see the profile's activity there",
)
"""What is not told here, and where it is; filled in with RETENTION_HOURS."""


def canonical(mappings: Mappings, event: str) -> str:
    """The name of an event in the contract. Raises ValueError for one that there is not."""
    names = list(mappings.schema.events)
    if event in names:
        return event
    outside = {mappings.names.event(name): name for name in names}
    if event in outside:
        return outside[event]
    hint = did_you_mean(event, [*names, *outside])
    raise ValueError(f"there is no event '{event}'{hint}")


def told(
    desk: Desk, mappings: Mappings, event: str, text: str, asked: Asked, named: Sequence[Ref]
) -> tuple[bool, dict[str, Any]]:
    """Whether there is an answer, and all of it, as --json prints it."""
    people = desk.people
    looked: list[Looked] = []
    refs = list(named) or _theirs(desk, event, asked, looked)
    things = people.things(refs)
    profile = asked.found.profile
    unknown = () if asked.known else asked.found.way
    seen, streams = people.items(needles(asked.names(), profile, things, unknown), desk.most_items)
    items = [item for item in seen if desk.concerns(item)]
    wanted = [(thing.ref, event, key) for thing in things for key in keys_of(event, thing)]
    holders = people.holders(wanted)
    if event == "added_to_cart":
        found, keys = people.keys_of(event, refs, desk.most_keys)
        holders += found
        looked.append(keys)
    case = Case(desk, event, asked, items, holders, all(one.whole for one in streams))
    answers = [answer(case, thing) for thing in things if named or thing.known or held(case, thing)]
    answers += of_rules(mappings, case)
    mine = [
        item for item in (*items, *(each for thing in things for each in thing.waiting))
        if not item.mapped or any(name == event for name, _ in item.events)
    ]  # fmt: skip
    told_of = any(thing.known or held(case, thing) for thing in things)
    known = asked.known or told_of or bool(mine)
    document = {
        "asked": text,
        "event": event,
        "known": asked.known,
        "way": [list(who) for who in asked.found.way],
        "notes": [*notes(desk, asked), *_event_notes(desk, mappings, event)],
        "answers": [each.to_json() for each in answers],
        "items": [item.to_json() for item in mine],
        "counts": _counts(people.counts(), event),
        "looked": [
            {"place": one.place, "seen": one.seen, "there": one.there}
            for one in (*looked, *streams)
        ],
        "cannot_tell": [one.format(hours=desk.settings.retention_hours) for one in _CANNOT],
    }
    return known, document


def _theirs(desk: Desk, event: str, asked: Asked, looked: list[Looked]) -> list[Ref]:
    """The orders or tokens of theirs that the event may be about."""
    kinds = _ABOUT.get(event, ("order",) if event.startswith("order_") else KINDS)
    if not asked.known:
        # Of what was given up only the key of the event is left.
        kind, value = asked.found.way[0]
        named = desk.refs(KINDS, value.partition("?")[0]) if kind == "id" else []
        return [thing.ref for thing in asked.things] or [ref for ref in named if ref[0] in kinds]
    profile = asked.found.profile
    found: list[Ref] = []
    if "id" in kinds:
        for id_ in asked.names()["id"]:
            found += desk.refs(("id",), id_)
    if "order" in kinds and profile is not None:
        orders = sorted(
            profile.orders, key=lambda one: (profile.orders[one][0] or [0])[0], reverse=True
        )
        wanted = [ref for order in orders[:MOST_ANSWERS] for ref in desk.refs(("order",), order)]
        found += [thing.ref for thing in desk.people.things(wanted) if thing.known]
    if len(found) < MOST_ANSWERS and kinds != ("id",):
        aliases, seen = desk.people.aliases(asked.found.who, desk.most_keys)
        owned, _ = desk.people.belongings(
            asked.found.who, aliases, desk.settings.identify_by, desk.most_keys
        )
        looked.append(seen)
        found += [ref for ref in owned if ref[0] in kinds and ref[1:3] in desk.shops]
    return list(dict.fromkeys(found))[:MOST_ANSWERS]


def _event_notes(desk: Desk, mappings: Mappings, event: str) -> list[str]:
    """What explains that nobody gets it."""
    if any(rule.event == event for rule in mappings.rules.remembering):
        return []
    topics = [
        (platform, topic)
        for platform in mappings.platforms()
        for topic in mappings.topics(platform)
        if event in mappings.events_of(platform, topic)
    ]
    if not topics:
        return ["no mapping brings this event, so nobody gets it from here"]
    came = [
        f"{topic} (last came {utc_text(desk.came[platform, topic])})"
        for platform, topic in topics
        if (platform, topic) in desk.came
    ]
    if came:
        # Of platforms that are not in use nothing is missed.
        in_use = {platform for platform, _ in desk.came}
        missing = [
            topic
            for platform, topic in topics
            if platform in in_use and (platform, topic) not in desk.came
        ]
        never = f"; never came: {', '.join(missing)}" if missing else ""
        return [f"it comes of {', '.join(came)}{never}"]
    names = ", ".join(topic for _, topic in topics)
    return [f"it comes of {names}, none of which ever came: `adapter topics` says who can send it"]


def _counts(counts: Mapping[str, int], event: str) -> dict[str, int]:
    """Counters of what came to nothing, of all people together."""
    starts = (f"dropped:{event}:", "ignored:", "left_out:email")
    found = {name: n for name, n in sorted(counts.items()) if name.startswith(starts)}
    return found | {name: counts[name] for name in ("repeated", "late") if counts.get(name)}
