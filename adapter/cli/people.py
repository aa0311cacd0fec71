"""The command `person`: what is known of somebody, and why; `why` is in `whys`.

What it prints is about somebody. It goes to the terminal of who asks, and to no log.
"""

from __future__ import annotations

import json

import click

from adapter.cli.desk import ask, limits, opened
from adapter.cli.peopletext import described
from adapter.cli.whys import why


@click.command()
@click.argument("who", metavar="ID|EMAIL|PHONE|TOKEN")
@limits
def person(who: str, platform: str | None, shop: str | None, every: bool, as_json: bool) -> None:
    """What the adapter knows of somebody, and why. Exit 1 if it knows nothing.

    They are asked for by an id, an email, a phone with its country code, or by the id of an order
    or the token of a cart or checkout that is theirs. Values of attributes lie at Customer.io; here
    is when each was true. What is printed is personal data.
    """
    from adapter.lookup.persons import tell

    desk = opened(platform, shop, every=every)
    asked = ask(desk, who)
    known = tell(desk, who, asked)
    if as_json:
        click.echo(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(described(known)))
    if not (asked.known or asked.things):
        raise SystemExit(1)


COMMANDS = (person, why)
