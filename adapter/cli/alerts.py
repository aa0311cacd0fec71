"""Commands about alerts: what is watched and how it stands, and whether a message gets through."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.store import open_redis
from adapter.cli.tables import table, terminal_width
from adapter.errors import SettingsError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.alerts import Rule, State, Verdict

TEST = "this is a test: alerts of workspace {workspace} will come here. Nothing is wrong."


@click.group()
def alerts() -> None:
    """What is watched once a minute, and whether somebody can be told.

    Rules are in alerts.yml; what differs from the shipped ones belongs in custom/alerts.yml.
    """


@alerts.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, keyed by workspace.")
def list_(as_json: bool) -> None:
    """Every rule and how it stands now. It changes nothing and tells nobody."""
    from adapter.alerts import judge
    from adapter.app import WORKSPACE, mappings_layers
    from adapter.lookout import load_rules
    from adapter.store.alerts import Ground, States

    settings = Settings.from_env(os.environ)
    rules = load_rules(mappings_layers(settings))
    redis = open_redis(settings)
    now = time.time()
    verdicts = judge(rules, Ground(redis, WORKSPACE).facts(now))
    states = States(redis, WORKSPACE).read()
    rows = [row for rule in rules for row in _rows(rule, verdicts, states)]
    if as_json:
        click.echo(json.dumps({WORKSPACE: rows}, indent=2))
        return
    heads = ("state", "rule", "subject", "since", "measure")
    cells = [
        (
            row["state"],
            row["rule"],
            row["subject"],
            "" if row["since"] is None else _moment(row["since"]),
            row["measure"],
        )
        for row in rows
    ]
    on = sum(row["state"] == "FIRING" for row in rows)
    told = "ALERT_WEBHOOK_URL and the worker's log" if settings.alert_webhook_url else "the log"
    click.echo(f"workspace {WORKSPACE}: {len(rules)} rules, {on} firing; told to {told}")
    click.echo("\n".join(table(heads, cells, terminal_width())))


def _rows(
    rule: Rule, verdicts: list[Verdict], states: dict[tuple[str, str], State]
) -> list[dict[str, Any]]:
    """Of a rule with several subjects those that are on; all others in one row."""
    own = [each for each in verdicts if each.rule == rule.name]
    rows = []
    for each in own:
        state = states.get((each.rule, each.subject))
        if len(own) == 1 or state or each.bad:
            measure = each.measure
            rows.append(_row(rule, each.subject, _stands(each, state), state, measure))
    quiet = len(own) - len(rows)
    if quiet or not own:
        said = f"{quiet} watched, none of them wrong" if own else "nothing to watch yet"
        rows.append(_row(rule, "", "ok" if own else "unknown", None, said))
    return rows


def _stands(verdict: Verdict, state: State | None) -> str:
    if state and state.fired is not None and state.over is None:
        return "FIRING"
    if verdict.bad:
        return "bad"
    return "unknown" if verdict.bad is None else "ok"


def _row(rule: Rule, subject: str, stands: str, state: State | None, said: str) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "kind": rule.kind,
        "level": rule.level,
        "subject": subject,
        "state": stands,
        "since": state.since if state else None,
        "told": state.told if state else None,
        "measure": said,
    }


@alerts.command()
def test() -> None:
    """Send a test message to ALERT_WEBHOOK_URL and say what was answered."""
    from adapter.app import WORKSPACE
    from adapter.herald import Herald

    url = Settings.from_env(os.environ).alert_webhook_url
    if url is None:
        raise SettingsError(["ALERT_WEBHOOK_URL is not set."])
    word = Herald(url).tell("commerce adapter: " + TEST.format(workspace=WORKSPACE))
    if not word.passed:
        raise click.ClickException(f"not delivered: {word.said}")
    click.echo(f"delivered: {word.said}")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


COMMANDS = (alerts,)
