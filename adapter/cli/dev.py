"""Commands for trying things out: send."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from adapter.cli.addresses import is_address
from adapter.cli.known import no_platform
from adapter.errors import SettingsError
from adapter.settings import Settings

if TYPE_CHECKING:
    from requests import Response


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--platform", required=True, help="Whose webhooks these are, as in `shopify`.")
@click.option("--topic", required=True, help="What they are about, as in `orders/paid`.")
@click.option("--to", "url", required=True, help="The adapter's address.")
@click.option("--secret", help="What to sign with (default: <PLATFORM>_WEBHOOK_SECRET).")
@click.option("--shop", default="example.myshopify.com", show_default=True)
@click.option("--id", "delivery_id", help="One delivery id for all, as a store's retries have.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How often.")
def send(
    files: tuple[str, ...],
    platform: str,
    topic: str,
    url: str,
    secret: str | None,
    shop: str,
    delivery_id: str | None,
    count: int,
) -> None:
    """Post signed test deliveries, each with an id of its own. Exit 1 if one is not taken, or is
    parked: it could not be mapped."""
    import requests

    from adapter.app import load_mappings, load_profiles, mappings_layers
    from adapter.mapping.hints import did_you_mean
    from adapter.model import Delivery

    settings = Settings.from_env(os.environ)
    known = load_profiles(mappings_layers(settings))
    if platform not in known:
        raise click.BadParameter(no_platform(platform, sorted(known)), param_hint="--platform")
    if not secret:
        secrets = settings.secrets.get(platform)
        if not secrets:
            name = f"{platform.upper()}_WEBHOOK_SECRET"
            raise SettingsError([f"No secret to sign with: give --secret or set {name}."])
        secret = secrets[0]
    target = _target(url, platform)
    said = "nobody answers there ({}): does `adapter web` run, and is --to its address?"
    failed = parked = 0
    with requests.Session() as session:
        for _ in range(count):
            for file in files:
                raw = Path(file).read_bytes()
                now = time.time()
                facts = Delivery(
                    platform=platform,
                    topic=topic,
                    id=delivery_id or str(uuid.uuid4()),
                    shop=shop,
                    received_at=int(now),
                    triggered_at=now,
                )
                headers = {
                    "Content-Type": "application/json",
                    **known[platform].headers_for(facts),
                    **known[platform].sign(raw, secret),
                }
                try:
                    answer = session.post(target, data=raw, headers=headers, timeout=10)
                except requests.exceptions.InvalidHeader:
                    raise click.ClickException(
                        "--topic, --shop or --id: no header may hold that"
                    ) from None
                except requests.RequestException as error:
                    problem = said.format(type(error).__name__)
                    raise click.ClickException(f"{target}: {problem}") from None
                click.echo(f"{answer.status_code} {file} {answer.text.strip()}")
                is_parked = _outcome(answer) == "parked"
                parked += is_parked
                failed += is_parked or not answer.ok
    if parked:
        mappings = load_mappings(mappings_layers(settings))
        topics = {*mappings.topics(platform), *mappings.register(platform).topics()}
        if topic not in topics:
            hint = did_you_mean(topic, sorted(topics))
            click.echo(f"the topic '{topic}' is unknown{hint}", err=True)
    if failed:
        raise SystemExit(1)


def _outcome(answer: Response) -> object:
    """What became of a delivery, as the adapter says; None where somebody else answers."""
    try:
        document = answer.json()
    except ValueError:
        return None
    return document.get("outcome") if isinstance(document, dict) else None


def _target(url: str, platform: str) -> str:
    """The webhook's address, of which the host alone is enough. Raises BadParameter."""
    if not is_address(url):
        problem = "expected an address such as http://127.0.0.1:8000"
        raise click.BadParameter(problem, param_hint="--to")
    url = url.rstrip("/")
    return (
        url
        if urlsplit(url).path.endswith(f"/webhooks/{platform}")
        else f"{url}/webhooks/{platform}"
    )


COMMANDS = (send,)
