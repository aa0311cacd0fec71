"""Commands that print what mappings are written against: schema, filters."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.mapping import Mappings

_PLAIN_WIDTH = 100  # columns, where the output is no terminal
_WIDEST = 140


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON Schema 2020-12.")
@click.option("--markdown", is_flag=True, help="As the page docs/events.md, with examples.")
@click.option("--release", is_flag=True, help="As a file of mappings/releases.")
@click.option(
    "--editor",
    metavar="KIND",
    is_flag=False,
    flag_value="mapping",
    help="As JSON Schema for editors of mapping files, or of: contract, topics, names, rules, "
    "alerts.",
)
def schema(
    names: tuple[str, ...], as_json: bool, markdown: bool, release: bool, editor: str | None
) -> None:
    """Print the canonical contract: every event, property and person attribute.

    NAME shows only that event, or one of: common, flat, item, person, product, variant.
    """
    from adapter.app import load_mappings, mappings_layers

    if sum((bool(names), as_json, markdown, release, editor is not None)) > 1:
        raise click.UsageError("one of NAME, --json, --markdown, --release, --editor at a time")
    layers = mappings_layers(Settings.from_env(os.environ))
    mappings = load_mappings(layers)
    if as_json:
        _json(mappings.schema.to_json_schema())
    elif markdown:
        from adapter.cli.checkup import fixture_directories
        from adapter.reference import events_page, find_examples, read_bodies

        bodies = read_bodies(mappings, fixture_directories(layers))
        examples = find_examples(mappings, bodies)
        click.echo(events_page(mappings, examples), nl=False)
    elif release:
        base = layers[0]  # what a shop lays over it is its own
        _json(_release(load_mappings([base]), base))
    elif editor is not None:
        from adapter.mapping.editor import DOCUMENTS

        if editor not in DOCUMENTS:
            raise click.BadParameter(f"there is {', '.join(DOCUMENTS)}", param_hint="--editor")
        _json(DOCUMENTS[editor](mappings.schema))
    else:
        from adapter.mapping.hints import did_you_mean
        from adapter.reference import contract_table
        from adapter.reference.groups import groups

        known = groups(mappings.schema)
        for name in names:
            if name not in known:
                raise click.BadParameter(
                    f"the contract has no '{name}'{did_you_mean(name, known)}", param_hint="NAME"
                )
        _headed(contract_table(mappings.schema, _width(), names))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--markdown", is_flag=True, help="As the page docs/filters.md.")
def filters(names: tuple[str, ...], markdown: bool) -> None:
    """Print every filter of the mapping language with examples.

    NAME shows only that filter.
    """
    from adapter.mapping.filters import FILTERS
    from adapter.mapping.hints import did_you_mean
    from adapter.reference import filters_page, filters_table

    if names and markdown:
        raise click.UsageError("one of NAME, --markdown at a time")
    for name in names:
        if name not in FILTERS:
            problem = f"there is no filter '{name}'{did_you_mean(name, FILTERS)}"
            raise click.BadParameter(problem, param_hint="NAME")
    if markdown:
        click.echo(filters_page(), nl=False)
    else:
        _headed(filters_table(_width(), names))


def _release(mappings: Mappings, directory: Path) -> dict[str, Any]:
    """The contract as schema.yml has it: what rules add to it can be switched off at any time."""
    from adapter import __version__
    from adapter.mapping import releases

    of_rules = mappings.rules.about()
    events = {name: event for name, event in mappings.schema.events.items() if name not in of_rules}
    contract = replace(mappings.schema, events=events)
    return releases.make(__version__, contract, directory).to_json()


def _json(document: object) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _headed(text: str) -> None:
    """Lines that begin at the margin are headings; on a terminal they are bold."""
    for line in text.splitlines():
        click.secho(line, bold=bool(line) and not line.startswith(" "))


def _width() -> int:
    """Columns to fill; text wider than `_WIDEST` is hard to read."""
    if not sys.stdout.isatty():
        return _PLAIN_WIDTH
    return min(shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns, _WIDEST)


COMMANDS = (schema, filters)
