"""Commands about mapping files: check them, explain what they make of a body."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapter.errors import AdapterError, Fault, MappingFileError
from adapter.settings import Settings, shipped

if TYPE_CHECKING:
    from adapter.explain import Explanation
    from adapter.mapping.origins import Trace
    from adapter.model import Delivery, Json

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=_DIRECTORY)
@click.option("--watch", is_flag=True, help="Check again whenever a file is saved.")
def check(directory: Path | None, watch: bool) -> None:
    """Lint all mapping files and run the tests inside them.

    DIR holds mappings, or what differs from the shipped ones (default: MAPPINGS_DIR, else the
    shipped ones with ./custom over them). Fixtures are looked for in `fixtures` beside it, then
    among the shipped ones. Exit 1 if anything is wrong.
    """
    from adapter.app import mappings_layers
    from adapter.cli import checkup
    from adapter.cli.watch import watch as watching

    settings = Settings.from_env(os.environ)

    def layers() -> tuple[Path, ...]:
        return mappings_layers(settings, directory)

    def once() -> bool:
        found = checkup.check(layers())
        found.tell()
        return found.is_sound

    if watch:
        watching(once, lambda: (*layers(), *checkup.fixture_directories(layers())))
    elif not once():
        raise SystemExit(1)


@click.command()
@click.argument("platform")
@click.argument("topic")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a story.")
@click.option("--shop", default="example.myshopify.com", show_default=True, help="Whose it is.")
@click.option(
    "--diff",
    "edited",
    metavar="DIR",
    type=_DIRECTORY,
    help="What the mappings in DIR would change: an overlay, or a whole directory.",
)
def explain(
    platform: str, topic: str, file: str, as_json: bool, shop: str, edited: Path | None
) -> None:
    """Tell what one webhook body would become and why, offline, with an empty memory.

    FILE holds the body, - is standard input.
    """
    from adapter.app import mappings_layers
    from adapter.cli import difference, tale
    from adapter.explain import changes
    from adapter.mapping import parse_body
    from adapter.mapping.hints import did_you_mean
    from adapter.mapping.loader import is_overlay
    from adapter.model import Delivery

    settings = Settings.from_env(os.environ)
    layers = mappings_layers(settings)
    reading = _Reading(layers, settings)
    known = reading.mappings.platforms()
    if platform not in known:
        hint = did_you_mean(platform, known)
        raise click.BadParameter(f"there is {', '.join(known)}{hint}", param_hint="PLATFORM")
    with click.open_file(file, "rb") as stream:
        raw: bytes = stream.read()
    try:
        body = parse_body(raw)
    except AdapterError as error:
        raise click.ClickException(f"{file}: {error}") from None
    delivery = Delivery(platform, topic, "explain", shop.lower(), int(time.time()))
    found = reading.explain(delivery, body)
    if edited is not None:
        over = is_overlay(edited, shipped("mappings"))
        other = _Reading((*layers, edited) if over else (edited,), settings)
        before, after = found.to_json(), other.explain(delivery, body).to_json()
        different = changes(before, after)
        if as_json:
            told = [each.to_json() for each in different]
            _json({"before": before, "after": after, "changes": told})
        else:
            difference.tell(tale.teller(), different)
        return
    if as_json:
        _json(found.to_json())
        return
    topics = {*reading.mappings.topics(platform), *reading.mappings.register(platform).topics()}
    hint = "" if topic in topics else did_you_mean(topic, sorted(topics))
    why = reading.trace(found, body)
    tale.Tale(tale.teller(), found, why, settings.identify_by).tell(hint)


class _Reading:
    """Mappings together with the trees that they were made of. Raises MappingFileError."""

    def __init__(self, layers: tuple[Path, ...], settings: Settings) -> None:
        from adapter.mapping.loader import SCHEMA_FILE, compile_sources, read_all

        faults: list[Fault] = []
        self.settings = settings
        self.sources = read_all(layers, faults, shipped("mappings") / SCHEMA_FILE)
        mappings = compile_sources(self.sources, faults)
        if faults or mappings is None:
            raise MappingFileError(dict.fromkeys(faults))
        self.mappings = mappings

    def explain(self, delivery: Delivery, body: Json) -> Explanation:
        from adapter.destinations import DESTINATIONS
        from adapter.explain import explained

        return explained(
            self.mappings.apply(delivery, body),
            DESTINATIONS["track"],
            identify_by=self.settings.identify_by,
            names=self.mappings.names,
            rules=self.mappings.rules,
            unsubscribe_on_opt_out=self.settings.unsubscribe_on_opt_out,
        )

    def trace(self, found: Explanation, body: Json) -> Trace:
        from adapter.mapping.outline import outlines
        from adapter.mapping.trace import trace

        delivery = found.mapped.delivery
        files = outlines(self.sources, delivery.platform, delivery.shop)
        return trace(found.mapped, body, files, self.mappings.schema)


def _json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


COMMANDS = (check, explain)
