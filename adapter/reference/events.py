"""docs/events.md: the contract as a page, with an example of every event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from adapter.mapping import Mappings
from adapter.mapping.plans import EventPlan
from adapter.mapping.schema import Event, Field
from adapter.mapping.types import TYPES
from adapter.reference.examples import Example, Examples
from adapter.reference.groups import ABOUT, flat, groups, type_of
from adapter.reference.markdown import code, fence, link, table

_TITLES = {
    "common": "Common properties",
    "flat": "Flat lists",
    "item": "Items",
    "person": "People",
    "product": "Products",
    "variant": "Variants",
}
_TYPES = "Types"

_INTRO = """\
# Events and people

<!-- Written by `make docs`; edit mappings/schema.yml and the mapping files instead. -->

This is the contract: the events, properties and attributes that arrive at Customer.io, whatever
platform a webhook came from. Journeys, segments and templates are built on these names, and
mapping files only say where the values are found ([how](mapping.md)). It is version {version}, and
every event carries that number as `schema_version`. `adapter schema` prints the same for the
mappings in use, your own additions included.

- A `?` behind a type means that the property may be absent: guard for it in templates. One without
  is always there. Nothing is ever sent as null or as blank text.
- **One event name, one meaning.** `order_completed` is the only purchase event; fulfilment and
  payment are events of their own. An order is complete as soon as it exists, is not cancelled and
  is no test, even when its payment is still pending (bank transfer, cash on delivery): the first
  duty is to stop cart recovery at once. `financial_status` says how far the payment is.
- **Each happens once.** Every event has a business key, named below. Whatever brings the same key
  again, such as another topic or a retry, is not sent again, and `event_id` is the same for ever.
- `checkout_started` needs somebody who can be messaged: a customer, an email address or a phone.
- `cart_id` joins a cart, its checkout and its order wherever the platform has such a token.
- **Consent.** The box on a checkout or an order can only opt in. Opting out comes from the
  customer's own consent, never from a box that was left empty.
- An order's contacts fill gaps of a person and never replace what the customer record says. What
  belongs to a recipient, such as `shipping_country` or a phone on a parcel, never becomes theirs.
- Amounts are in `currency`, rounded to its decimals; those in the currency that the customer saw
  are called `presentment_...`.
- **Versions.** A new optional property keeps the version. Renaming, removing or retyping one, or
  letting one be absent that was always there, raises it, and `adapter check` names the change
  against the last release (`mappings/releases`).

Names can be changed on the way out, which this page does not show (`names.yml`)."""


def events_page(mappings: Mappings, examples: Examples) -> str:
    """The whole page, ending in a line break."""
    schema = mappings.schema
    others = [name for name in groups(schema) if name not in schema.events]
    titles = [*schema.events, *(_TITLES[name] for name in others), _TYPES]
    parts = [_INTRO.replace("{version}", str(schema.version)), "## Contents"]
    parts.append("\n".join(f"- {link(title)}{_said(title, mappings)}" for title in titles))
    for event in schema.events.values():
        parts += _event(event, mappings, examples.events.get(event.name))
    derived = {rule.name for rule in mappings.rules.rules}
    for name in others:
        parts += [f"## {_TITLES[name]}", ABOUT[name]]
        parts.append(_fields(groups(schema)[name], derived if name == "person" else ()))
        if name == "person" and examples.person:
            parts += _example(examples.person, "attributes")
    parts += [f"## {_TYPES}", "What arrives as something else is left out and counted."]
    parts.append(
        table(
            ("type", "JSON", "what it is"),
            ((f"`{each.name}`", each.json_schema["type"], each.about) for each in TYPES.values()),
        )
    )
    return "\n\n".join(parts) + "\n"


def _event(event: Event, mappings: Mappings, example: Example | None) -> list[str]:
    schema = mappings.schema
    about = _about(event.name, mappings)
    parts = [f"## {event.name}", *([about] if about else [])]
    sources = _sources(event, mappings)
    if sources:
        parts.append("\n".join(sources))
    if event.fields:
        parts.append(_fields(event.fields))
    too = [_TITLES["common"]]
    if event.has_items and flat(schema):
        too.append(_TITLES["flat"])
    parts.append(f"Besides: {' and '.join(link(title) for title in too)}.")
    if example:
        parts += _example(example, "properties")
    return parts


def _about(event: str, mappings: Mappings) -> str:
    return mappings.schema.about.get(event) or mappings.rules.about().get(event, "")


def _said(title: str, mappings: Mappings) -> str:
    about = _about(title, mappings)
    return f": {about}" if about else ""


def _sources(event: Event, mappings: Mappings) -> list[str]:
    """A line for each way in which the event comes: its topics, its key, its time."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for platform in mappings.platforms():
        for topic in mappings.topics(platform):
            plan = mappings.plan(platform, topic)
            for each in plan.events if plan else ():
                if each.name == event.name:
                    found.setdefault((platform, _key(each), _at(each)), []).append(topic)
    return [
        f"- {platform}: {', '.join(map(code, topics))}; once per {key}, dated {at}"
        for (platform, key, at), topics in found.items()
    ]


def _key(plan: EventPlan) -> str:
    return " and ".join(code(part.expression.text) for part in plan.once if part.expression)


def _at(plan: EventPlan) -> str:
    return code(plan.at.expression.text) if plan.at.expression else "as it arrives"


_SOURCES = {
    "memory": " Filled in from what the adapter remembers.",
    "items": " Filled in from the items.",
    "mapping": "",
}


def _fields(fields: Iterable[Field], derived: Iterable[str] = ()) -> str:
    rows = []
    for each in fields:
        about = each.about + _SOURCES[each.source]
        if each.name in derived:
            about += " Derived by a rule (`rules.yml`)."
        rows.append((f"`{each.name}`", type_of(each), about))
    return table(("name", "type", "what it is"), rows)


def _example(example: Example, part: str) -> list[str]:
    body = example.body
    source = f"`fixtures/{body.fixture}`" + (", altered," if body.changed else "")
    return [
        f"What `{body.topic}` with {source} gives:",
        fence(written(example.value, part), "json"),
    ]


def written(value: Mapping[str, Any], part: str) -> str:
    """An object as JSON, a line for each value and for each element of what it holds in `part`."""
    lines = []
    for name, each in value.items():
        inner = _inner(each) if name == part and each else _short(each)
        lines.append(f'  "{name}": {inner}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _inner(properties: Mapping[str, Any]) -> str:
    lines = []
    for name, value in properties.items():
        text = _short(value)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            text = "[\n" + ",\n".join(f"      {_short(each)}" for each in value) + "\n    ]"
        lines.append(f'    "{name}": {text}')
    return "{\n" + ",\n".join(lines) + "\n  }"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
