"""The JSON Schema of a mapping file."""

from __future__ import annotations

from adapter.mapping.compile_effects import VALUES
from adapter.mapping.compile_ledger import GIFT_CARD, REFUND, WHOLE
from adapter.mapping.editor.shapes import (
    ANY,
    RELEASE,
    TEXT,
    Json,
    condition,
    document,
    expression,
    field_,
    items,
    object_,
    off_or,
    one_of,
    several,
)
from adapter.mapping.schema import Event, Schema
from adapter.model import ACTIONS

_TOKENS = ("cart", "checkout", "subscription")


def mapping_document(schema: Schema) -> Json:
    """For `<platform>/<noun>.yml`."""
    events = {event.name: _event(event, schema) for event in schema.events.values()}
    item = {each.name: field_(each) for each in schema.item}
    variant = {each.name: field_(each) for each in schema.variant}
    money = {each.name: field_(each) for each in (*GIFT_CARD, *REFUND)}
    parts = {
        "topics": off_or(
            {"type": "array", "items": TEXT, "uniqueItems": True},
            "The topics whose bodies this file is for; each topic is in one file only.",
        ),
        "ignore_when": off_or(
            {"type": "object", "additionalProperties": condition()},
            "Reason: condition. The first that holds ignores the delivery with that reason.",
        ),
        "order": expression("The platform's id of the order that the body is about."),
        "person": off_or(_person(schema), "Whom the body is about."),
        "events": off_or(object_(events), "The events that may come of a body."),
        "ledger": off_or(_ledger(), "The money of the order that the body is about."),
        "catalog": off_or(_catalog(schema), "The product that the body is about."),
        "action": off_or(_action(), "What must happen and is no event."),
        "fragments": off_or(
            {
                "type": "object",
                "additionalProperties": off_or(object_({**money, **variant, **item})),
            },
            "Fields of an item, or of an element of another list, shared by all files of the "
            "platform.",
        ),
        "tests": off_or({"type": "array", "items": _test(schema)}, "Tests of this very file."),
        "release": RELEASE,
    }
    return document("Mapping file", object_(parts))


def _event(event: Event, schema: Schema) -> Json:
    properties = {
        each.name: items(each.about) if each.has_items else field_(each)
        for each in event.fields
        if each.source != "memory"
    }
    parts = {
        "when": several("The event comes of a body only if all of these hold."),
        "once": several(
            "The business key: one such event per shop and key, whatever the topic. "
            "A list joins several values."
        ),
        "at": expression("When it happened: a time that never changes."),
        "properties": off_or(object_(properties)),
    }
    return off_or(object_(parts), schema.about.get(event.name, ""))


def _person(schema: Schema) -> Json:
    token = expression()
    own = [each for each in schema.person if each.name not in ("email", "phone")]
    return object_(
        {
            "id": expression("The platform's id of the customer, or the shop's own."),
            "email": expression("Their email address, never a recipient's."),
            "phone": expression("Their phone number, never a recipient's."),
            "anonymous_id": expression("Customer.io's id of their browser."),
            "tokens": off_or(
                {**object_(dict.fromkeys(_TOKENS, token)), "additionalProperties": token},
                "What joins a body without a person to the one who turns out to own it.",
            ),
            "as_of": expression("When the values were true."),
            "attributes": off_or(object_({each.name: field_(each) for each in own})),
            "gaps": off_or(
                object_({each.name: field_(each) for each in own}),
                "Attributes that only fill what nobody who knows better has said.",
            ),
            "times": off_or(
                object_({each.name: expression() for each in own}),
                "When an attribute was true, where that is not `as_of`.",
            ),
            "platform_id": expression("The platform's id, where `id` is the shop's own."),
            "changes": off_or(
                object_(
                    {
                        each.name: off_or(
                            object_({"add": expression(), "remove": expression()}), each.about
                        )
                        for each in own
                        if each.is_list
                    }
                ),
                "Changes of a list whose whole is not in the body.",
            ),
        }
    )


def _catalog(schema: Schema) -> Json:
    return object_(
        {
            "id": expression("The platform's id of the product."),
            "as_of": expression("When the values were true."),
            "removed": condition("Whether the product is gone."),
            "product": off_or(object_({each.name: field_(each) for each in schema.product})),
            "variants": items("One record of each variant, by a fragment."),
        }
    )


def _ledger() -> Json:
    return object_(
        {
            "order": expression("The order's id, where it is not what `order` of the file says."),
            "as_of": expression("When all of it was true."),
            **{each.name: field_(each) for each in WHOLE},
            "refunds": items("What went back of the order, by a fragment."),
            "gift_cards": items("The lines that are gift cards, by a fragment."),
            "refund": off_or(
                object_({each.name: field_(each) for each in REFUND}),
                "The refund that the body is about, instead of all of the above.",
            ),
        }
    )


def _action() -> Json:
    told = sorted({name for values in VALUES.values() for name in values})
    return object_(
        {
            "kind": one_of(*ACTIONS),
            "when": several("Nothing is to be done unless all of these hold."),
            "with": off_or(object_({name: expression() for name in told})),
        }
    )


def _test(schema: Schema) -> Json:
    expected = {
        "name": {"enum": list(schema.events)},
        **dict.fromkeys(("key", "id", "timestamp"), ANY),
        "properties": {"type": "object"},
    }
    return object_(
        {
            "name": {**TEXT, "description": "What holds, as a sentence."},
            "fixture": {**TEXT, "description": "A body, by its file in the fixtures."},
            "topic": {**TEXT, "description": "The delivery's topic; else the file's first."},
            "set": {"type": "object", "description": "Changes to the body, by path."},
            "remove": {"type": "array", "items": TEXT, "description": "What to take out of it."},
            "expect": {
                "type": "object",
                "description": "Objects by the keys that are named, lists whole; null: absent.",
                "properties": {
                    "person": {"type": ["object", "null"]},
                    "events": {"type": "array", "items": object_(expected)},
                    "order": ANY,
                    "catalog": {"type": ["object", "null"]},
                    "action": {"type": ["object", "null"]},
                    "ledger": {"type": ["object", "null"]},
                },
                "additionalProperties": False,
            },
            "ignored": {**TEXT, "description": "The reason for which it is ignored."},
            "error": {**TEXT, "description": "The reason for which it is parked."},
            "left_out": {"type": "array", "items": TEXT},
        }
    )
