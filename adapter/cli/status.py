"""Commands that show how delivery fares: status."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from adapter.errors import SettingsError
from adapter.settings import Settings

_ROWS = (
    ("accepted", "webhooks taken in"),
    ("duplicate", "repeats of one of them, dropped"),
    ("ignored", "without effect on purpose"),
    ("sent", "delivered to Customer.io"),
    ("pending", "waiting to be delivered"),
    ("waiting", "orders whose refunds wait for their person"),
    ("parked", "could not be mapped: kept, with the reason"),
    ("dead", "refused by Customer.io: kept, with the reason"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, keyed by workspace.")
def status(as_json: bool) -> None:
    """What came in, what went out, and what needs somebody."""
    from adapter.app import WORKSPACE
    from adapter.embedded import find_running
    from adapter.store.connection import connect
    from adapter.store.health import Status

    settings = Settings.from_env(os.environ)
    url = settings.redis_url or find_running(settings.data_dir)
    if url is None:
        raise SettingsError(
            [f"REDIS_URL is not set, and no embedded server runs in {settings.data_dir}."]
        )
    found = {WORKSPACE: Status(connect(url, "worker"), WORKSPACE).read()}
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for workspace, values in found.items():
        click.echo(_readable(workspace, values))


def _readable(workspace: str, values: dict[str, Any]) -> str:
    lines = [f"workspace {workspace}"]
    lines += [f"  {name:<10}{values[name]:>8}  {meaning}" for name, meaning in _ROWS]
    if values["oldest_pending_seconds"] is not None:
        lines.append(f"  the oldest pending one is {values['oldest_pending_seconds']} s old")
    if values["paused"]:
        lines.append("  PAUSED: nothing is delivered until the fault below is mended")
    if values["last_error"]:
        lines.append(f"  last error: {values['last_error']['reason']}")
    if values["last_parked"]:
        last = values["last_parked"]
        lines.append(f"  last parked: {last['topic']} {last['delivery']}: {last['reason']}")
    return "\n".join(lines)


COMMANDS = (status,)
