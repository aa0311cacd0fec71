"""The command that says what is wrong with an installation, and how to mend it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.store import ask_redis, redis_url
from adapter.cli.tables import plural, terminal_width, wrapped
from adapter.errors import SettingsError, StoreError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.destinations.base import Request, Response
    from adapter.doctor import Finding

PROBE_SECONDS = 10.0
_COLOURS = {"ok": "green", "hint": "cyan", "warning": "yellow", "broken": "red"}
_INDENT = 11


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--offline", is_flag=True, help="Ask nobody but Redis: Customer.io is not tried.")
def doctor(as_json: bool, offline: bool) -> None:
    """Look at everything that delivery rests on; say what is wrong, and how to mend it.

    Run it where web and worker run, with their variables. Exit 1 if anything is broken; warnings
    and hints are no failure.
    """
    findings = examine(offline=offline)
    sound = all(each.level != "broken" for each in findings)
    if as_json:
        document = {"sound": sound, "findings": [asdict(each) for each in findings]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_readable(findings)))
    if not sound:
        raise SystemExit(1)


def examine(*, offline: bool) -> list[Finding]:
    """Everything that is found, in the order of the subjects."""
    from adapter.doctor import SUBJECTS, found, variables

    findings: list[Finding] = []
    try:
        settings = Settings.from_env(os.environ, need=("customerio", "secrets"))
        findings.append(found("settings-ok"))
    except SettingsError as error:
        wrong = variables.wrong(error)
        try:
            # What is merely missing keeps nobody from looking at the rest.
            settings = Settings.from_env(os.environ)
        except SettingsError:
            return wrong
        if settings.redis_url is None and redis_url(settings) is not None:
            wrong = [found("embedded", directory=settings.data_dir)]
        findings += wrong
    findings += variables.settings(settings)
    feeding, platforms = _mappings(settings, findings)
    findings += variables.secrets(settings, platforms)
    _redis(settings, feeding, findings)
    _customerio(settings, findings, offline=offline)
    return sorted(findings, key=lambda each: SUBJECTS.index(each.subject))


def _mappings(
    settings: Settings, findings: list[Finding]
) -> tuple[dict[str, list[str]], list[str] | None]:
    """The topics that feed events, by platform; and all platforms."""
    from adapter.app import load_mappings, load_profiles, mappings_layers
    from adapter.cli.checkup import check
    from adapter.doctor import found

    layers = mappings_layers(settings)
    checked = check(layers)
    findings += [found("mapping-fault", fault=fault) for fault in checked.faults]
    for failure in checked.failures:
        findings.append(found("mapping-test", failure=failure.place))
    if checked.warnings:
        findings.append(found("mapping-warnings", count=len(checked.warnings)))
    if checked.faults:
        return {}, None
    if not checked.failures:
        findings.append(found("mappings-ok", topics=checked.topics, tests=checked.tests))
    mappings = load_mappings(layers)
    feeding = {
        platform: [
            topic for topic in mappings.topics(platform) if mappings.events_of(platform, topic)
        ]
        for platform in mappings.platforms()
    }
    return feeding, list(load_profiles(layers))


def _redis(settings: Settings, feeding: dict[str, list[str]], findings: list[Finding]) -> None:
    """Redis itself, and what it knows of delivery."""
    from adapter.app import WORKSPACE
    from adapter.doctor import found, progress, start
    from adapter.jobs import workers
    from adapter.store import mode
    from adapter.store.connection import store_errors
    from adapter.store.drift import Drift
    from adapter.store.health import Status
    from adapter.store.topics import Topics

    url = redis_url(settings)
    if url is None:
        findings.append(found("redis-none", directory=settings.data_dir))
        return
    redis = ask_redis(url)
    asked = start.ask_redis(redis)
    findings += asked
    if any(each.name in ("redis-gone", "redis-refuses") for each in asked):
        return
    try:
        with store_errors():
            listening = workers(redis)
        findings += progress.delivery(
            Status(redis, WORKSPACE).read(),
            mode.last(redis, WORKSPACE),
            listening,
            now=time.time(),
            here=settings.dry_run,
        )
        seen = {(one.platform, one.topic) for one in Topics(redis, WORKSPACE).seen()}
        # Where only the worker's variables are set, what came tells which platforms are in use.
        in_use = {*settings.secrets, *(platform for platform, _ in seen)}
        wanted = {platform: feeding[platform] for platform in in_use & feeding.keys()}
        findings += progress.topics(wanted, seen)
        findings += progress.drift(Drift(redis, WORKSPACE).findings())
    except StoreError as error:
        findings.append(start.gone(redis, error))


def _customerio(settings: Settings, findings: list[Finding], *, offline: bool) -> None:
    from adapter.doctor import destination, found
    from adapter.transport import Transport

    def ask(url: str, request: Request) -> Response:
        site_id, api_key = settings.customerio_site_id or "", settings.customerio_api_key or ""
        transport = Transport(url, site_id, api_key)
        try:
            return transport.send(request, seconds=PROBE_SECONDS)
        finally:
            transport.close()

    if offline:
        findings.append(found("no-probe", why="--offline"))
    elif settings.customerio_site_id is None:
        findings.append(found("no-probe", why="none are set"))
    else:
        findings += destination.customerio(settings, ask)
    findings += destination.reminders()


def _readable(findings: Sequence[Finding]) -> list[str]:
    """Grouped by subject, the mending below what it mends, and a count at the end."""
    wide = terminal_width()
    lines: list[str] = []
    subject = ""
    for each in findings:
        if each.subject != subject:
            subject = each.subject
            lines += [*([""] if lines else []), click.style(subject, bold=True)]
        lines += _beside(click.style(each.level.ljust(8), fg=_COLOURS[each.level]), each.text, wide)
        if each.mend:
            lines += _beside(" " * 8, f"-> {each.mend}", wide)
    return [*lines, "", _summary(each.level for each in findings)]


def _beside(label: str, text: str, wide: int | None) -> list[str]:
    first, *rest = wrapped(text, wide, _INDENT) or [""]
    return [f"  {label} {first.lstrip()}", *rest]


def _summary(levels: Iterable[str]) -> str:
    told: list[Any] = list(levels)
    counts = [
        f"{told.count('broken')} broken",
        *(plural(told.count(level), level) for level in ("warning", "hint")),
    ]
    return ", ".join(counts)


COMMANDS = (doctor,)
