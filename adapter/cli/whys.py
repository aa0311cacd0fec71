"""The command `why`: why somebody did or did not get an event, as far as what is kept tells.

There is no history of deliveries by person. What is there: what memory says was told, business keys
and who holds them, what waits, was parked or refused, and counters of what came to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.answers import Case, answer, held, keys_of, of_rules
from adapter.cli.desk import KINDS, Asked, Desk, ask, limits, needles, notes
from adapter.cli.peopletext import called, item_text, looked_text, utc_text, way_text

if TYPE_CHECKING:
    from adapter.mapping import Mappings
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
    "which request held what: deliveries that are done are not kept",
    "why a body of the past came to nothing: reasons are counted, of all people together",
    "what Customer.io did with what it took: see the profile's activity there",
)


@click.command()
@click.argument("who", metavar="ID|EMAIL|PHONE|TOKEN")
@click.argument("event")
@click.option("--order", help="The order that it is about, by its id.")
@click.option("--cart", help="The cart, by its token.")
@click.option("--checkout", help="The checkout, by its token.")
@click.option("--subscription", help="The subscription, by its id.")
@limits
def why(
    who: str,
    event: str,
    platform: str | None,
    shop: str | None,
    every: bool,
    as_json: bool,
    **things: str | None,
) -> None:
    """Why somebody did or did not get an event. Exit 1 if nothing is known of them or of it.

    EVENT is its name in the contract, or the one it has at Customer.io. Without an order or token
    the answer is about the newest of theirs. What is printed is personal data.
    """
    from adapter.app import load_mappings, mappings_layers

    desk = Desk.open(platform, shop, every=every)
    mappings = load_mappings(mappings_layers(desk.settings))
    name = _canonical(mappings, event)
    named = [
        ref
        for kind, value in things.items()
        if value
        for ref in desk.refs((kind,), value.strip().partition("?")[0])
    ]
    if any(things.values()) and not desk.shops:
        raise click.UsageError("no webhook came from such a shop; name --platform and --shop.")
    asked = ask(desk, who)
    known, document = _told(desk, mappings, name, who, asked, named)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_described(document)))
    if not known:
        raise SystemExit(1)


def _canonical(mappings: Mappings, event: str) -> str:
    """The name of an event in the contract. Raises BadParameter."""
    from adapter.mapping.hints import did_you_mean

    names = list(mappings.schema.events)
    if event in names:
        return event
    outside = {mappings.names.event(name): name for name in names}
    if event in outside:
        return outside[event]
    hint = did_you_mean(event, [*names, *outside])
    raise click.BadParameter(f"there is no event '{event}'{hint}", param_hint="EVENT")


def _told(
    desk: Desk, mappings: Mappings, event: str, text: str, asked: Asked, named: Sequence[Ref]
) -> tuple[bool, dict[str, Any]]:
    """Whether there is an answer, and all of it, as --json prints it."""
    people = desk.people
    looked: list[Looked] = []
    refs = list(named) or _theirs(desk, event, asked, looked)
    things = people.things(refs)
    profile = asked.found.profile
    unknown = () if asked.known else asked.found.way
    items, streams = people.items(needles(asked.names(), profile, things, unknown), desk.most_items)
    wanted = [(thing.ref, event, key) for thing in things for key in keys_of(event, thing)]
    holders = people.holders(wanted)
    if event == "added_to_cart":
        found, seen = people.keys_of(event, refs, desk.most_keys)
        holders += found
        looked.append(seen)
    case = Case(desk, event, asked, items, holders, all(one.whole for one in streams))
    answers = [answer(case, thing) for thing in things if named or thing.known or held(case, thing)]
    answers += of_rules(mappings, case)
    mine = [
        item for item in (*items, *(each for thing in things for each in thing.waiting))
        if not item.mapped or any(name == event for name, _ in item.events)
    ]  # fmt: skip
    known = asked.known or any(thing.known for thing in things) or bool(mine)
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
        "cannot_tell": list(_CANNOT),
    }
    return known, document


def _theirs(desk: Desk, event: str, asked: Asked, looked: list[Looked]) -> list[Ref]:
    """The orders or tokens of theirs that the event may be about."""
    if not asked.known:
        return [thing.ref for thing in asked.things]
    kinds = _ABOUT.get(event, ("order",) if event.startswith("order_") else KINDS)
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
        return [f"it comes of {', '.join(came)}"]
    names = ", ".join(topic for _, topic in topics)
    return [f"it comes of {names}, none of which ever came: `adapter topics` says who can send it"]


def _counts(counts: Mapping[str, int], event: str) -> dict[str, int]:
    """Counters of what came to nothing, of all people together."""
    starts = (f"dropped:{event}:", "ignored:", "left_out:email")
    found = {name: n for name, n in sorted(counts.items()) if name.startswith(starts)}
    return found | {name: counts[name] for name in ("repeated", "late") if counts.get(name)}


def _described(document: Mapping[str, Any]) -> list[str]:
    way = document["way"]
    if document["known"]:
        asked = f" (asked by {way_text(way)})" if len(way) > 1 else ""
        lines = [f"{document['event']} of {called(way[-1])}{asked}"]
    else:
        lines = [f"nothing is known of {document['asked']}"]
    lines += [f"  note     {note}" for note in document["notes"]]
    for each in document["answers"]:
        lines += [f"  {each['about']}", f"    {each['verdict']}: {each['said']}"]
    if not document["answers"]:
        lines.append("  no order or token that it could be about is known")
    lines += [f"  also     {item_text(item)}" for item in _others(document)]
    if document["counts"]:
        lines.append("  counted in the whole workspace since it began, of all people together:")
        lines += [f"    {count:>7}  {name}" for name, count in document["counts"].items()]
    lines += [f"  no telling {each}" for each in document["cannot_tell"]]
    return [*lines, *looked_text(document["looked"])]


def _others(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What waits or was put aside and no answer has told."""
    said = " ".join(each["said"] for each in document["answers"])
    return (item for item in document["items"] if item_text(item) not in said)
