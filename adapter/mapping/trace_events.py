"""Why each event of a file did or did not come of a body, and where its properties came from."""

from __future__ import annotations

from adapter.mapping.lookups import Lookups, currency_of
from adapter.mapping.origins import EventOrigin, Origin
from adapter.mapping.outline import Written
from adapter.mapping.schema import Field
from adapter.mapping.types import TYPES
from adapter.model import Json


def events(look: Lookups) -> tuple[EventOrigin, ...]:
    """Every event that the file has, whether it fired or not."""
    roles = (role for role in look.outline.written if role[0] == "events" and len(role) > 2)
    return tuple(_event(look, name) for name in dict.fromkeys(role[1] for role in roles))


def _event(look: Lookups, name: str) -> EventOrigin:
    hinges = look.hinges("events", name, "when")
    event = next((each for each in look.mapped.events if each.name == name), None)
    contract = look.schema.events.get(name)
    if event is None or contract is None:
        return EventOrigin(name, hinges=hinges)
    given = look.outline.below("events", name, "properties")
    properties = dict(event.properties)
    found, lists = [], []
    for each in contract.fields:
        written = given.get(each.name)
        if written is None:
            continue
        value, currency = properties.get(each.name), properties.get(currency_of(each.name))
        origin = look.origin(written, f"{name}.{each.name}", each, value, currency)
        if written.uses is None or value is None:
            found.append(origin)
        else:
            lists.append(look.items(origin, written, value, look.schema.item, properties))
    keys = look.outline.below("events", name, "once").values()
    return EventOrigin(
        name,
        event,
        hinges,
        once=tuple(_part(look, name, each) for each in keys),
        at=look.one("at", "time", event.timestamp, "events", name, "at"),
        properties=tuple(each for each in found if not each.is_gone),
        lists=tuple(lists),
        absent=tuple(each for each in found if each.is_gone),
        unmapped=tuple(
            each.name
            for each in contract.fields
            if each.name not in given and each.name not in properties
        ),
        filled=tuple(each for each in properties if each not in given),
    )


def _part(look: Lookups, name: str, written: Written) -> Origin:
    """One part of a business key, which is an id."""
    value: Json
    try:
        value = TYPES["id"].coerce(look.first(written))
    except ValueError:
        value = None
    return look.origin(written, f"{name}.once", Field("once", "id"), value)
