"""Looking people up for commands: the options they share, and the desk that they look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import known
from adapter.cli.store import open_redis
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.lookup.desk import Asked, Desk

MOST_KEYS, MOST_ITEMS = 200_000, 1_000
"""Keys, and items of each stream, that are looked through unless --all is said."""

EVERYTHING = 2**62


def limits(command: Any) -> Any:
    """Options that person and why have in common."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
        click.option(
            "--all",
            "every",
            is_flag=True,
            help="Look through everything, however large Redis is (some 10 s a million keys).",
        ),
        click.option("--shop", help="Only what is of this shop."),
        click.option("--platform", help="Only what is of shops of this platform."),
    ):
        command = option(command)
    return command


def opened(platform: str | None, shop: str | None, *, every: bool) -> Desk:
    """The desk of the settings. Raises SettingsError where there is no Redis to ask, BadParameter
    for a platform or a shop that nothing can be of."""
    from adapter.app import WORKSPACE
    from adapter.lookup.desk import Desk
    from adapter.store.topics import Topics

    settings = Settings.from_env(os.environ)
    redis = open_redis(settings)
    if platform or shop:
        seen = Topics(redis, WORKSPACE).seen()
        known.the_platform(platform, settings, seen)
        known.the_shop(shop, settings, seen, platform)
    most_keys, most_items = (EVERYTHING, EVERYTHING) if every else (MOST_KEYS, MOST_ITEMS)
    return Desk.of(
        settings,
        redis,
        WORKSPACE,
        platform=platform,
        shop=shop,
        most_keys=most_keys,
        most_items=most_items,
    )


def ask(desk: Desk, text: str) -> Asked:
    """Whom a text means. Raises BadParameter."""
    from adapter.lookup import desk as lookup

    try:
        return lookup.ask(desk, text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WHO") from None
