"""Commands about mapping files: check them, explain what they make of a body."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.known import no_platform
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
@click.option("--strict", is_flag=True, help="Warnings count as faults: exit 1, for CI.")
def check(directory: Path | None, watch: bool, strict: bool) -> None:
    """Lint all mapping files and run the tests inside them.

    DIR holds mappings, or what differs from the shipped ones (default: MAPPINGS_DIR, else the
    shipped ones with ./custom over them). Fixtures are looked for in `fixtures` inside it, beside
    it, then among the shipped ones. Exit 1 if anything is wrong.
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
        return found.is_sound and not (strict and found.warnings)

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
@click.option("--verbose", is_flag=True, help="Where everything was looked for, paths in full.")
def explain(
    platform: str,
    topic: str,
    file: str,
    as_json: bool,
    shop: str,
    edited: Path | None,
    verbose: bool,
) -> None:
    """Tell what one webhook body would become and why, offline, with an empty memory.

    FILE holds the body, - is standard input.
    """
    from adapter.app import mappings_layers
    from adapter.cli import difference
    from adapter.cli.sheet import teller
    from adapter.cli.tale import Tale
    from adapter.explain import changes
    from adapter.mapping import parse_body
    from adapter.mapping.loader import is_overlay
    from adapter.model import Delivery

    settings = Settings.from_env(os.environ)
    layers = mappings_layers(settings)
    reading = _Reading(layers, settings)
    known = reading.mappings.platforms()
    if platform not in known:
        said = no_platform(platform, known)
        if topic in known:
            said = f"there is no platform '{platform}'; PLATFORM comes before TOPIC"
        raise click.BadParameter(said, param_hint="PLATFORM")
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
        # What is live already is held against what there would be without it.
        below = tuple(layer for layer in layers if layer.resolve() != edited.resolve())
        if over and len(below) < len(layers):
            found, other = _Reading(below, settings).explain(delivery, body), reading
        else:
            other = _Reading((*layers, edited) if over else (edited,), settings)
        before, after = found.to_json(), other.explain(delivery, body).to_json()
        different = changes(before, after)
        if as_json:
            told = [each.to_json() for each in different]
            _json({"before": before, "after": after, "changes": told})
        else:
            difference.tell(teller(), different)
        return
    if as_json:
        _json(found.to_json())
        return
    why = reading.trace(found, body)
    Tale(teller(), found, why, settings.identify_by, verbose=verbose).tell()


class _Reading:
    """Mappings together with the trees that they were made of. Raises MappingFileError."""

    def __init__(self, layers: tuple[Path, ...], settings: Settings) -> None:
        from adapter.mapping.loader import SCHEMA_FILE, compile_sources, not_whole, read_all

        faults: list[Fault] = []
        self.settings = settings
        contract = shipped("mappings") / SCHEMA_FILE
        self.sources = read_all(layers, faults, contract)
        mappings = compile_sources(self.sources, faults)
        faults += not_whole(layers, faults, contract)
        if faults or mappings is None:
            raise MappingFileError(dict.fromkeys(faults))
        self.mappings = mappings

    def explain(self, delivery: Delivery, body: Json) -> Explanation:
        from adapter.app import policy_of
        from adapter.destinations import DESTINATIONS
        from adapter.explain import explained
        from adapter.mapping.hints import did_you_mean

        mappings, topic = self.mappings, delivery.topic
        found = explained(
            mappings.apply(delivery, body),
            DESTINATIONS["track"],
            policy=policy_of(self.settings, mappings),
            names=mappings.names,
        )
        register = mappings.register(delivery.platform)
        known = {*mappings.topics(delivery.platform), *register.topics()}
        if topic in known:
            return found
        return replace(found, reason=f"{found.reason}{did_you_mean(topic, sorted(known))}")

    def trace(self, found: Explanation, body: Json) -> Trace:
        from adapter.mapping.loader import RULES_FILE
        from adapter.mapping.outline import outlines
        from adapter.mapping.trace import derived, trace

        delivery, schema = found.mapped.delivery, self.mappings.schema
        files = outlines(self.sources, delivery.platform, delivery.shop)
        why = trace(found.mapped, body, files, schema)
        root = self.sources.top.get(RULES_FILE)
        by_rules = derived(found.derived or {}, self.mappings.rules, root, schema)
        base, *over = self._files(why.file, delivery) or [why.file]
        return replace(why, file=base, over=tuple(over), derived=by_rules)

    def _files(self, file: str, delivery: Delivery) -> list[str]:
        """All files that are laid over each other where `file` is one of them, the lowest first."""
        name = Path(file).name
        ends = (
            f"/{delivery.platform}/{name}",
            f"/{delivery.platform}/{delivery.shop}/{name}".lower(),
        )
        read = [each for each in self.sources.texts if Path(each).name == name]
        for_all = [each for each in read if each.endswith(ends[0])]
        return for_all + [each for each in read if each.lower().endswith(ends[1])]


def _json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


COMMANDS = (check, explain)
