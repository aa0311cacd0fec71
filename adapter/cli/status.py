"""Commands that show how delivery fares: status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep, strftime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.store import complaint, open_redis
from adapter.cli.tables import table, terminal_width, wrapped
from adapter.errors import StoreError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.drift import Finding, Share

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


_NONE: Mapping[str, float] = MappingProxyType({})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, keyed by workspace.")
@click.option(
    "--drift",
    "with_drift",
    is_flag=True,
    help="How often each optional property is there, now and before; drifting ones first.",
)
@click.option("--all", "every", is_flag=True, help="With --drift: those of too few events, too.")
@click.option(
    "--watch",
    metavar="[SECONDS]",
    is_flag=False,
    flag_value=2.0,
    type=click.FloatRange(min=0.1, max=3600),
    help="Again and again, with what changed a second, until Ctrl-C. With --json a line each time.",
)
def status(as_json: bool, with_drift: bool, every: bool, watch: float | None) -> None:
    """What came in, what went out, and what needs somebody."""
    from adapter.app import WORKSPACE
    from adapter.drift import RULE
    from adapter.store.drift import Drift
    from adapter.store.health import Status

    if watch is not None and with_drift:
        raise click.UsageError("--drift does not change within seconds: not with --watch.")
    redis = open_redis(Settings.from_env(os.environ))
    if watch is not None:
        reader = Status(redis, WORKSPACE)
        watching(
            lambda: {WORKSPACE: reader.read()},
            lambda: _notes(redis, WORKSPACE),
            as_json=as_json,
            every=watch,
        )
        return
    found = {WORKSPACE: Status(redis, WORKSPACE).read()}
    findings = {WORKSPACE: Drift(redis, WORKSPACE).findings()} if with_drift else {}
    if as_json:
        for workspace, each in findings.items():
            properties = [_finding(one) for one in each]
            found[workspace]["drift"] = {"rule": RULE, "properties": properties}
        click.echo(json.dumps(found, indent=2))
    elif with_drift:
        for workspace, each in findings.items():
            click.echo("\n".join(_drift(workspace, each, RULE, every=every)))
    else:
        for workspace, values in found.items():
            click.echo(_readable(workspace, values, notes=_notes(redis, workspace)))


def _notes(redis: Any, workspace: str) -> list[str]:
    """That nobody delivers. A worker that is only just starting, or ending, has given a sign."""
    from adapter.jobs import workers
    from adapter.store import mode
    from adapter.store.connection import store_errors

    with store_errors():
        listening = workers(redis)
    seen = mode.last(redis, workspace).seen or 0.0
    if listening or time() - seen < mode.FRESH_SECONDS:
        return []
    return ["no worker listens, so nothing is delivered: start `adapter worker`"]


def watching(
    read: Callable[[], dict[str, dict[str, Any]]],
    notes: Callable[[], list[str]],
    *,
    as_json: bool,
    every: float,
) -> None:
    """Tell the status now and every `every` seconds until Ctrl-C; a Redis that is gone for a while
    is said and does not end it."""
    before: dict[str, dict[str, Any]] = {}
    at = 0.0
    try:
        while True:
            try:
                found, now = read(), monotonic()
                noted = [] if as_json else notes()
            except StoreError as error:
                click.echo(complaint(error), err=True)
            else:
                if as_json:
                    click.echo(json.dumps(found))
                else:
                    _redraw(found, before, now - at, noted)
                before, at = found, now
            sys.stdout.flush()
            sleep(every)
    except KeyboardInterrupt:
        click.echo(err=True)


def _redraw(
    found: Mapping[str, dict[str, Any]],
    before: Mapping[str, dict[str, Any]],
    seconds: float,
    notes: Sequence[str],
) -> None:
    """On a terminal in place of what was told before, elsewhere below it."""
    texts = [f"{strftime('%H:%M:%S')}  Ctrl-C ends"]
    for workspace, values in found.items():
        known = before.get(workspace)
        rates = {name: (values[name] - known[name]) / seconds for name, _ in _ROWS} if known else {}
        texts.append(_readable(workspace, values, rates, notes))
    if sys.stdout.isatty():
        click.clear()
    click.echo("\n".join(texts))


def _readable(
    workspace: str,
    values: dict[str, Any],
    rates: Mapping[str, float] = _NONE,
    notes: Sequence[str] = (),
) -> str:
    lines = [f"workspace {workspace}"]
    if values["dry_run"]:
        lines.append("  DRY RUN: nothing is sent to Customer.io; it is kept as if it had been")
    for name, meaning in _ROWS:
        rate = f"{rates[name]:>+10,.1f}/s" if rates.get(name) else " " * 12 * bool(rates)
        lines.append(f"  {name:<10}{values[name]:>8}{rate}  {meaning}")
    if values["catalog"]["asked"]:
        share = values["catalog"]["found"] / values["catalog"]["asked"]
        lines.append(f"  catalog: {share * 100:.0f} % of items known")
    if values["oldest_pending_seconds"] is not None:
        lines.append(f"  the oldest pending one is {values['oldest_pending_seconds']} s old")
    lines += [f"  {note}" for note in notes]
    if values["paused"]:
        lines.append("  PAUSED: nothing is delivered until the fault below is mended")
    if values["last_error"]:
        lines.append(f"  last error: {values['last_error']['reason']}")
    if values["last_parked"]:
        last = values["last_parked"]
        lines.append(f"  last parked: {last['topic']} {last['delivery']}: {last['reason']}")
    return "\n".join(lines)


def _drift(workspace: str, findings: Sequence[Finding], rule: str, *, every: bool) -> list[str]:
    """Of what cannot be judged yet, which is all of a new installation, the number is enough."""
    drifting = sum(one.drifting for one in findings)
    listed = [one for one in findings if every or one.judged or one.drifting]
    few = len(findings) - len(listed)
    heads = ("", "event", "property", "topic", "events", "present", "before", "unreadable", "")
    rows = [
        (
            "DRIFT" if one.drifting else "",
            one.event,
            one.name,
            one.topic,
            str(one.now.events),
            *("-" if one.in_items else _percent(share.presence, share) for share in _spans(one)),
            _percent(one.now.badness, one.now) if one.now.bad or one.before.bad else "-",
            one.why or ("" if one.judged else "too few events to tell"),
        )
        for one in listed
    ]
    lines = [f"workspace {workspace}: {drifting} of {len(findings)} properties drift"]
    wide = terminal_width()
    if rows:
        lines += table(heads, rows, wide)
    if few:
        lines.append(f"{few} {'has' if few == 1 else 'have'} too few events yet: --all lists them")
    elif not rows:
        lines.append("nothing was counted yet")
    return [*lines, "", *wrapped(rule, wide)]


def _spans(one: Finding) -> tuple[Share, Share]:
    return one.now, one.before


def _percent(value: float, share: Share) -> str:
    return f"{value * 100:.0f} %" if share.events else "-"


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "event": one.event,
        "topic": one.topic,
        "property": one.name,
        "drifting": one.drifting,
        "why": one.why,
        "judged": one.judged,
        "now": _share(one.now, one.in_items),
        "before": _share(one.before, one.in_items),
    }


def _share(share: Share, in_items: bool) -> dict[str, Any]:
    """Of an item's field it is only known how often it was bad."""
    absent = max(0, share.events - share.present - share.bad)
    return {
        "events": share.events,
        "present": None if in_items else share.present,
        "absent": None if in_items else absent,
        "bad": share.bad,
    }


COMMANDS = (status,)
