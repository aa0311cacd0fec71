"""What is known of a person, as lines of text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_PLACES = {
    "outbox": "waits to be delivered",
    "waiting": "waits for its person",
    "parked": "is parked",
    "dead": "was refused by Customer.io",
}

CLEARED = "cleared by an order"
"""In place of when something was true that is no more: nothing else was known of the cart."""


def utc_text(at: float) -> str:
    """Unix seconds as people read a time."""
    # Whoever only asks for help is not to wait for the mappings.
    from adapter.mapping.coercions import utc  # noqa: PLC0415

    return utc(int(at))


def called(who: Sequence[str]) -> str:
    """`id 42`"""
    return f"{who[0]} {who[1]}"


def way_text(way: Sequence[Sequence[str]]) -> str:
    """`email ada@example.com -> id 42`"""
    return " -> ".join(map(called, way))


def described(known: Mapping[str, Any]) -> list[str]:
    """All of it."""
    if not known["known"]:
        if known["named"]:
            lines = [f"nobody who is known owns {known['asked']}"]
        else:
            lines = [f"nothing is known of {known['asked']}"]
        lines += [f"  {note}" for note in known["notes"]]
        lines += [f"  {thing_text(thing)}" for thing in known["named"]]
        return [*lines, *items_text(known["waits"]), *looked_text(known["looked"])]
    lines = [called(known["way"][-1])]
    if len(known["way"]) > 1:
        lines.append(f"  asked      {way_text(known['way'])}")
    lines += [f"  named      {thing_text(thing)}" for thing in known["named"]]
    lines += [f"  note       {note}" for note in known["notes"]]
    for name in known["also"]:
        kind, _, value = name.partition(":")
        hashed = value if kind == "id" else f"(kept as the hash {value})"
        lines.append(f"  also       {kind} {hashed}")
    if "attributes" in known:
        lines += _profile_text(known)
    # Whose they are was said.
    lines += _many("owns", [thing_text({**thing, "owner": None}) for thing in known["owns"]])
    if known["owns_more"]:
        lines.append(f"             and {known['owns_more']} more")
    lines += items_text(known["waits"])
    return [*lines, *looked_text(known["looked"])]


def _profile_text(known: Mapping[str, Any]) -> list[str]:
    lines = [f"  email      {known['email']}"] if known["email"] else []
    if known["created"]:
        lines.append(f"  came to be {utc_text(known['created'])}, as the platform says")
    sent = f"last identify dated {utc_text(known['sent'])}" if known["sent"] else "never"
    lines.append(f"  sent       {sent}")
    stamps: dict[tuple[Any, ...], list[str]] = {}
    for name, one in known["attributes"].items():
        stamps.setdefault((-(one["as_of"] or 0), one["gap"], one["delivery"]), []).append(name)
    rows = [
        (
            f"{utc_text(-at)}  {'fills a gap' if gap else 'says so':<11}  delivery {id_ or '-'}  "
            if at
            else f"{CLEARED}: "
        )
        + ", ".join(names)
        for (at, gap, id_), names in sorted(stamps.items())
    ]
    lines += _many("true as of", rows)
    if known["cart"]:
        lines.append(f"  cart       {known['cart']}")
    for name, state in known["lists"].items():
        since = (
            f"whole as of {utc_text(state['whole_as_of'])}" if state["whole_as_of"] else "changes"
        )
        lines.append(f"  list       {name}: {', '.join(state['elements']) or 'empty'} ({since})")
    for name, rule in known["rules"].items():
        lines.append(
            f"  rule       {name}: {json.dumps(rule['value'])} as of {utc_text(rule['since'])}"
        )
    if known["inputs"]:
        lines.append(f"  rules read {json.dumps(known['inputs'], ensure_ascii=False)}")
    lines += _many("orders", [_order_text(id_, one) for id_, one in known["orders"].items()])
    for each in known["history"]:
        end = "whole" if each["whole"] else f"not whole: {each['why_not']}"
        lines.append(f"  history    {each['shop']}: {end}")
    if known["platform_figures"]:
        figures = dict(known["platform_figures"])
        as_of = utc_text(figures.pop("as_of"))
        lines.append(f"  platform   {_figures_text(figures)} (as of {as_of})")
    sums = _figures_text(known["figures"])
    lines.append(f"  figures    {sums or 'none are sent'}")
    return lines


def _figures_text(figures: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {utc_text(value) if name.endswith('_at') else json.dumps(value)}"
        for name, value in figures.items()
    )


def _order_text(id_: str, one: Mapping[str, Any]) -> str:
    if one["at"] is None:
        text = f"{id_}  only refunds of it are known"
    elif one["cancelled"]:
        text = f"{id_}  {utc_text(one['at'])}  cancelled: counts for nothing"
    else:
        text = f"{id_}  {utc_text(one['at'])}  {one['value']:g} {one['currency'] or ''}".rstrip()
    for key, refund in one["refunds"].items():
        text += f", refund {key}: {refund['amount']:g} {refund['currency'] or ''}".rstrip()
    return text


def thing_text(thing: Mapping[str, Any]) -> str:
    """One order or token in a line."""
    text = f"{thing['kind']} {thing['value']} of {thing['shop']}"
    if thing["erased"]:
        return text + ": erased; what comes of it is skipped"
    parts = []
    if thing["nobody"]:
        parts.append("nobody's: a sale without a person")
    elif thing["owner"]:
        parts.append(f"owner {called(thing['owner'])}")
    if "began_as_cart" in thing:
        parts.append(f"began as cart {thing['began_as_cart']}")
    if "became_order" in thing:
        parts.append(f"became order {thing['became_order']}")
    if "content" in thing:
        lines = thing["content"]["lines"]
        parts.append(f"{sum(lines.values()):g} pieces in it on {utc_text(thing['content']['at'])}")
    parts += [f"{name} went out {utc_text(at)}" for name, at in thing.get("told", {}).items()]
    if "waiting" in thing:
        until = utc_text(thing["waiting"]["until"]) if thing["waiting"]["until"] else "it is known"
        parts.append(f"{thing['waiting']['entries']} wait for its owner until {until}")
    return text + (": " + "; ".join(parts) if parts else "")


def items_text(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """What waits or was put aside, one a line."""
    return _many("open", [item_text(item) for item in items])


def item_text(item: Mapping[str, Any]) -> str:
    """Something that waits or was put aside, in a line."""
    from_ = ", ".join(f"{one['id']} ({one['topic']})" for one in item["deliveries"]) or "a rule"
    what = ", ".join(event["name"] for event in item["events"]) or "no event"
    reason = f": {item['reason']}" if item["reason"] else ""
    return (
        f"{_PLACES[item['place']]} since {utc_text(item['at'])}{reason} [{what}] delivery {from_}"
    )


def looked_text(looked: Sequence[Mapping[str, Any]]) -> list[str]:
    """How much was looked through, where that was not all."""
    cut = [one for one in looked if one["seen"] < one["there"]]
    if not cut:
        return []
    parts = [f"{one['seen']:,} of {one['there']:,} in {one['place']}" for one in cut]
    return [f"  looked     through {', '.join(parts)}: --all looks through everything"]


def _many(head: str, rows: Sequence[str]) -> list[str]:
    heads = [head, *[""] * (len(rows) - 1)]
    return [f"  {head:<10} {row}" for head, row in zip(heads, rows, strict=False)]
