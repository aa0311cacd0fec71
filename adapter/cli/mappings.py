"""Commands about mapping files and the contract: check, explain, schema."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click

from adapter.errors import AdapterError, Fault, MappingFileError
from adapter.settings import Settings, shipped

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=_DIRECTORY)
def check(directory: Path | None) -> None:
    """Lint all mapping files and run the tests inside them.

    DIR holds the mappings (default: MAPPINGS_DIR, else the shipped ones). Fixtures are looked for
    in `fixtures` beside it, else among the shipped ones. Exit 1 if anything is wrong.
    """
    from adapter.app import load_mappings, load_profiles, mappings_layers
    from adapter.mapping import suite

    layers = mappings_layers(Settings.from_env(os.environ), directory)
    directory = layers[-1]
    beside = directory.resolve().parent / "fixtures"
    faults: list[Fault] = []
    mappings = None
    try:
        mappings = load_mappings(layers)
    except MappingFileError as error:
        faults += error.faults
    try:
        load_profiles(layers)
    except MappingFileError as error:
        faults += error.faults
    if mappings is not None and not mappings.platforms():
        faults.append(Fault(str(directory), 1, 1, "no mapping files are in it"))
    for fault in sorted(faults):
        click.echo(str(fault), err=True)
    if mappings is None:
        raise SystemExit(1)
    for warning in mappings.warnings:
        click.echo(f"warning: {warning}", err=True)
    cases = suite.cases(mappings, beside if beside.is_dir() else shipped("fixtures"))
    failures = [failure for case in cases if (failure := suite.run(case)) is not None]
    for failure in failures:
        click.echo(str(failure), err=True)
    topics = sum(len(mappings.topics(platform)) for platform in mappings.platforms())
    click.echo(
        f"{topics} topics, {len(cases)} tests, {len(failures)} failed, "
        f"{len(faults)} faults, {len(mappings.warnings)} warnings"
    )
    if failures or faults:
        raise SystemExit(1)


@click.command()
@click.argument("platform")
@click.argument("topic")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--shop", default="example.myshopify.com", show_default=True, help="Whose it is.")
def explain(platform: str, topic: str, file: str, as_json: bool, shop: str) -> None:
    """What one webhook body would become, offline, with an empty memory.

    FILE holds the body, - is standard input.
    """
    from adapter.app import load_mappings, mappings_layers
    from adapter.destinations import DESTINATIONS
    from adapter.explain import explain as explained
    from adapter.mapping import parse_body
    from adapter.model import Delivery

    settings = Settings.from_env(os.environ)
    mappings = load_mappings(mappings_layers(settings))
    if platform not in mappings.platforms():
        raise click.BadParameter(
            f"there is {', '.join(mappings.platforms())}", param_hint="PLATFORM"
        )
    with click.open_file(file, "rb") as stream:
        raw: bytes = stream.read()
    try:
        body = parse_body(raw)
    except AdapterError as error:
        raise click.ClickException(f"{file}: {error}") from None
    delivery = Delivery(platform, topic, "explain", shop.lower(), int(time.time()))
    mapped = mappings.apply(delivery, body)
    found = explained(mapped, DESTINATIONS["track"], identify_by=settings.identify_by)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    click.echo(_readable(found))
    for left in mapped.left_out:
        click.echo(f"left out  {left.path}: {left.problem}")


def _readable(found: dict[str, Any]) -> str:
    reason = f": {found['reason']}" if found["reason"] else ""
    lines = [f"{found['outcome']}{reason}"]
    person = found["person"]
    if person is not None:
        lines.append("person")
        lines += _facts({k: v for k, v in person.items() if v not in (None, {}, [])})
    for event in found["events"]:
        lines.append(f"event     {event['name']} {event['key']}, at {event['timestamp']}")
        lines += _facts(event["properties"])
    for request in found["requests"]:
        count = len(request["json"]["batch"])
        lines.append(f"request   {request['method']} {request['path']} with {count} items")
    return "\n".join(lines)


def _facts(values: dict[str, Any]) -> list[str]:
    return [
        f"  {name:<24}{json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
    ]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON Schema 2020-12.")
def schema(as_json: bool) -> None:
    """Print the canonical contract: every event, property and person attribute."""
    from adapter.app import load_mappings, mappings_layers

    contract = load_mappings(mappings_layers(Settings.from_env(os.environ))).schema
    click.echo(json.dumps(contract.to_json_schema(), indent=2) if as_json else contract.to_table())


COMMANDS = (check, explain, schema)
