"""What became of one event of one person, of one order or token: the verdicts of `why`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.lookup.desk import Asked, Desk
from adapter.lookup.texts import called, item_text, utc_text
from adapter.mapping import Mappings
from adapter.store.people import Holder, Item, Thing

LATE_SECONDS = 72 * 3600
"""Customer.io lets older events trigger nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the event, of one thing. `verdict` is a word for programs: sent, pending,
    taken, given up, waiting, parked, refused, dropped, elsewhere, nobody, erased, rule, unknown."""

    about: str
    verdict: str
    said: str

    def to_json(self) -> dict[str, str]:
        return {"about": self.about, "verdict": self.verdict, "said": self.said}


@dataclass(frozen=True, slots=True)
class Case:
    """All that was found out about one question. `whole`: all that waits or was put aside was
    looked through."""

    desk: Desk
    event: str
    asked: Asked
    items: Sequence[Item]
    holders: Sequence[Holder]
    whole: bool = True


def keys_of(event: str, thing: Thing) -> list[str]:
    """Business keys that the event may have, of one thing."""
    more = [name.partition(":")[2] for name in thing.told if name.startswith(f"{event}:")]
    return [thing.ref[3], *more]


def held(case: Case, thing: Thing) -> list[Holder]:
    """The keys of the event that are held, of one thing."""
    return [
        one
        for one in case.holders
        if one.ref[1:3] == thing.ref[1:3]
        and (one.key in keys_of(case.event, thing) or one.key.startswith(thing.ref[3] + ":"))
    ]


def answer(case: Case, thing: Thing) -> Answer:
    """What became of the event, of one thing: the first that is known of it."""
    kind, _, shop, value = thing.ref
    about = f"{kind} {value} of {shop}"
    for found in (_whose, _put_aside, _told_of, _dropped, _claimed):
        if (told := found(case, thing)) is not None:
            return Answer(about, *told)
    return Answer(
        about,
        "unknown",
        "nothing that brings it was taken in, or it came to nothing (of orders that is remembered "
        "for 400 days, of all else for 30)",
    )


def _whose(case: Case, thing: Thing) -> tuple[str, str] | None:
    """Whether it is somebody else's, or nobody's."""
    if thing.erased:
        return "erased", "it was somebody's who was erased: bodies about it are skipped (redacted)"
    if thing.owner == {}:
        return "nobody", "a sale without a person: what comes of it is ignored (no_person)"
    owner = case.desk.owner(thing)
    if owner is None or not case.asked.known:
        return None
    actual = case.desk.people.find(owner).who
    if actual == case.asked.found.who:
        return None
    return "elsewhere", f"it belongs to {called(actual)}, who gets what comes of it"


def _put_aside(case: Case, thing: Thing) -> tuple[str, str] | None:
    """Whether it was refused, or waits anywhere."""
    for place, verdict in (("dead", "refused"), ("outbox", "pending"), ("parked", "parked")):
        for item in case.items:
            if item.place == place and _is_about(item, thing, case.event):
                return verdict, item_text(item.to_json())
    for item in thing.waiting:
        if any(name == case.event for name, _ in item.events):
            until = utc_text(thing.until or 0)
            return "waiting", f"{item_text(item.to_json())}; until {until} at the latest"
    return None


def _is_about(item: Item, thing: Thing, event: str) -> bool:
    if not any(name == event for name, _ in item.events):
        return False
    if (thing.ref[0], thing.ref[3]) in item.about:
        return True
    return any(key in keys_of(event, thing) for name, key in item.events if name == event)


def _told_of(case: Case, thing: Thing) -> tuple[str, str] | None:
    """Whether it went out, as memory says."""
    told = {
        name: at
        for name, at in thing.told.items()
        if name == case.event or name.startswith(f"{case.event}:")
    }
    if not told:
        return None
    parts = []
    for name, at in told.items():
        key = name.partition(":")[2]
        parts.append((f"{key}: " if key else "") + f"went out {utc_text(at)}")
    parts += [_held_text(one) for one in held(case, thing)]
    profile = case.asked.found.profile
    record = profile.orders.get(thing.ref[3]) if profile else None
    bought: int | None = record[0][2] if record and record[0] else None
    if case.event == "order_completed" and bought and max(told.values()) - bought > LATE_SECONDS:
        late = "was more than 72 hours back by then: it triggers no campaign"
        parts.append(f"its time, {utc_text(bought)}, {late}")
    return "sent", "; ".join(parts)


def _dropped(case: Case, thing: Thing) -> tuple[str, str] | None:
    """Whether a rule keeps it from being told."""
    if case.event == "order_completed" and "order_canceled" in thing.told:
        return "dropped", "its cancellation was told first (canceled before it was told)"
    begun = case.event in ("added_to_cart", "checkout_started")
    if begun and thing.sold and not held(case, thing):
        end = "what is heard of it since then is dropped (already ordered)"
        return "dropped", f"it became order {thing.sold}: {end}"
    return None


def _claimed(case: Case, thing: Thing) -> tuple[str, str] | None:
    """Whether a delivery brought it: its key is given back when it comes to nothing."""
    holders = held(case, thing)
    if not holders:
        return None
    said = "; ".join(map(_held_text, holders))
    far = "" if case.whole else ", as far as was looked"
    if thing.ref[0] in ("cart", "checkout") and thing.owner is None:
        # Somebody owns whatever went out; what waits or is under way was told before this.
        why = f"nobody named the {thing.ref[0]} within 72 hours, or 20 newer ones waited"
        return "given up", f"{said}; {why}: it came to nothing (no_person){far}"
    if case.event == "added_to_cart":
        end = "it went out, unless nobody was known for it in 72 hours or 20 newer ones waited"
        return "taken", f"{said}; {end}"
    return "sent", f"{said}; it waits nowhere and was not refused{far}, so it went out"


def _held_text(one: Holder) -> str:
    return f"its key is held by delivery {one.delivery} since {utc_text(one.since)}"


def of_rules(mappings: Mappings, case: Case) -> list[Answer]:
    """Of an event that a rule makes: the last value that is known."""
    profile = case.asked.found.profile
    found = []
    for rule in mappings.rules.remembering:
        if rule.event != case.event:
            continue
        value = profile.rules.get(rule.name) if profile else None
        if value is None:
            reads = ", ".join(sorted(rule.reads))
            said = f"the rule never had a value; it reads {reads}, all of which must be known"
        else:
            said = (
                f"the rule's value is {json.dumps(value[1])} as of {utc_text(value[0])}; it "
                "happens when that changes, and the first value is no change"
            )
        found.append(Answer(f"rule {rule.name}", "rule", said))
    return found
