"""The command `why`: why somebody did or did not get an event, as far as what is kept tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from adapter.cli.desk import ask, limits, opened
from adapter.cli.peopletext import called, item_text, looked_text, way_text


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
    from adapter.lookup.whys import canonical, told

    desk = opened(platform, shop, every=every)
    mappings = load_mappings(mappings_layers(desk.settings))
    try:
        name = canonical(mappings, event)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="EVENT") from None
    named = [
        ref
        for kind, value in things.items()
        if value
        for ref in desk.refs((kind,), value.strip().partition("?")[0])
    ]
    if any(things.values()) and not desk.shops:
        raise click.UsageError("no webhook came from such a shop; name --platform and --shop.")
    asked = ask(desk, who)
    known, document = told(desk, mappings, name, who, asked, named)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_described(document)))
    if not known:
        raise SystemExit(1)


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
