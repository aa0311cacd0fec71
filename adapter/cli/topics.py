"""Commands about what a store can send: topics."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.status import redis_url
from adapter.cli.tables import ago, table, terminal_width, wrapped
from adapter.errors import StoreError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.mapping import Mappings
    from adapter.platforms.profile import Subscribe
    from adapter.store.topics import Seen


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a platform: what it is for, how a shop gets it, and what came of it so far.

    `kind` is mapped, ignored or unknown. `effect` says what it does where it feeds no event:
    person, catalog, or the kind of an action. `admin` says that the store's admin offers it.
    """

    name: str
    kind: str
    events: tuple[str, ...]
    effect: str
    admin: bool
    note: str
    seen: tuple[Seen, ...]

    @property
    def last_seen(self) -> int | None:
        return max((one.at for one in self.seen), default=None)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, keyed by platform.")
@click.option("--url", help="Public address of this adapter: says what to enter where.")
def topics(as_json: bool, url: str | None) -> None:
    """Every topic that is known, what it feeds, who can subscribe to it, and when it last came.

    With --url it ends with what to enter in the store's admin, and with what an app sends to
    subscribe to the topics that the admin does not offer.
    """
    from adapter.app import WORKSPACE, load_mappings, load_profiles, mappings_layers
    from adapter.platforms.profile import Subscribe

    if url is not None and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
        problem = "expected an address such as https://hooks.example.com"
        raise click.BadParameter(problem, param_hint="--url")
    settings = Settings.from_env(os.environ)
    layers = mappings_layers(settings)
    mappings = load_mappings(layers)
    ways = {name: one.profile.subscribe for name, one in load_profiles(layers).items()}
    seen, missing = _seen(settings, WORKSPACE)
    found = {platform: _topics(mappings, platform, seen or ()) for platform in mappings.platforms()}
    told = {}
    if url is not None:
        told = {
            platform: _instructions(platform, each, ways.get(platform) or Subscribe(), url)
            for platform, each in found.items()
        }
    if as_json:
        document: dict[str, Any] = {}
        for platform, each in found.items():
            listed = [_json(topic, known=seen is not None) for topic in each]
            document[platform] = {"topics": listed}
            if told:
                document[platform]["subscribe"] = told[platform]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for platform, each in found.items():
        click.echo("\n".join(_readable(platform, each, missing)))
        if told:
            click.echo("\n".join(_told(told[platform])))


def _seen(settings: Settings, workspace: str) -> tuple[list[Seen] | None, str]:
    """What came in so far, or None and the reason why that is not known."""
    from adapter.store.connection import connect
    from adapter.store.topics import Topics

    url = redis_url(settings)
    if url is None:
        return None, "no Redis to ask"
    try:
        return Topics(connect(url, "worker"), workspace).seen(), ""
    except StoreError:
        return None, "Redis does not answer"


def _topics(mappings: Mappings, platform: str, seen: Iterable[Seen]) -> list[Topic]:
    """The mapped ones, then the ignored ones, then those that came in and nobody knows."""
    register = mappings.register(platform)
    came: dict[str, list[Seen]] = {}
    for one in seen:
        if one.platform == platform:
            came.setdefault(one.topic, []).append(one)
    mapped = mappings.topics(platform)
    kinds = dict.fromkeys(mapped, "mapped")
    kinds |= {name: "ignored" for name in sorted(register.ignored) if name not in kinds}
    kinds |= {name: "unknown" for name in sorted(came) if name not in kinds}
    found = []
    for name, kind in kinds.items():
        notes = [register.notes.get(name, "")]
        if kind == "ignored":
            notes.insert(0, f"ignored: {register.ignored[name]}")
        elif kind == "unknown":
            notes.insert(0, "unknown: parked")
        found.append(
            Topic(
                name,
                kind,
                mappings.events_of(platform, name),
                _effect(mappings, platform, name),
                name in register.admin,
                "; ".join(filter(None, notes)),
                tuple(came.get(name, ())),
            )
        )
    return found


def _effect(mappings: Mappings, platform: str, topic: str) -> str:
    plan = mappings.plan(platform, topic)
    if plan is None or plan.events:
        return ""
    if plan.action is not None:
        return plan.action.kind
    return "person" if plan.catalog is None else "catalog"


def _instructions(
    platform: str, found: Iterable[Topic], subscribe: Subscribe, url: str
) -> dict[str, Any]:
    """What to enter in the store's admin, and what an app asks for."""
    address = f"{url.rstrip('/')}/webhooks/{platform}"
    mapped = [topic for topic in found if topic.kind == "mapped"]
    by_app = [one.name for one in mapped if not one.admin and one.name not in subscribe.elsewhere]
    return {
        "address": address,
        "format": "JSON",
        "where": subscribe.admin or "the store's admin",
        "admin": {one.name: subscribe.names.get(one.name, one.name) for one in mapped if one.admin},
        "graphql": subscribe.graphql or None,
        "app": [_variables(name, address) for name in by_app] if subscribe.graphql else by_app,
        "elsewhere": {
            one.name: subscribe.elsewhere[one.name]
            for one in mapped
            if one.name in subscribe.elsewhere
        },
    }


def _variables(topic: str, address: str) -> dict[str, Any]:
    """Of the GraphQL mutation: `orders/create` is ORDERS_CREATE there."""
    name = re.sub(r"\W", "_", topic).upper()
    return {"topic": name, "webhookSubscription": {"uri": address, "format": "JSON"}}


def _readable(platform: str, found: Iterable[Topic], missing: str) -> list[str]:
    """One line a topic; on a terminal the ignored ones that never came are told in a few words."""
    wide, now = terminal_width(), time.time()
    rows = []
    folded: dict[str, list[str]] = {}
    for topic in found:
        last = topic.last_seen
        if wide is not None and topic.kind == "ignored" and last is None:
            folded.setdefault(topic.note.removeprefix("ignored: "), []).append(topic.name)
            continue
        when = "never" if last is None else ago(now - last)
        by = "?" if topic.kind == "unknown" else "admin" if topic.admin else "app only"
        feeds = ", ".join(topic.events) or (f"({topic.effect})" if topic.effect else "-")
        rows.append((topic.name, feeds, by, "?" if missing else when, topic.note))
    lines = [f"{platform}: last seen is not known, {missing}" if missing else platform]
    lines += table(("topic", "feeds", "subscribed by", "last seen", "note"), rows, wide)
    if folded:
        lines += ["", "ignored:"]
    for why, names in folded.items():
        lines += [*wrapped(", ".join(names), wide, 2), *wrapped(why, wide, 6)]
    return lines


def _told(told: Mapping[str, Any]) -> list[str]:
    lines = []
    if told["admin"]:
        lines += ["", f"In {told['where']}, one for each of these events:"]
        lines += [f"  {name}" for name in told["admin"].values()]
        lines += ["with", f"  Format  {told['format']}", f"  URL     {told['address']}"]
    if told["app"] and told["graphql"]:
        lines += ["", f"By an app, {told['graphql']} with these variables:"]
        lines += [f"  {json.dumps(variables)}" for variables in told["app"]]
    elif told["app"]:
        lines += ["", f"By an app, to {told['address']}:", *(f"  {name}" for name in told["app"])]
    if told["elsewhere"]:
        lines += ["", f"Elsewhere, to {told['address']}:"]
        lines += [f"  {name}: {where}" for name, where in told["elsewhere"].items()]
    return lines


def _json(topic: Topic, *, known: bool) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "kind": topic.kind,
        "events": list(topic.events),
        "effect": topic.effect or None,
        "admin": topic.admin,
        "note": topic.note or None,
        "last_seen": topic.last_seen,
        "seen": [
            {"shop": one.shop, "at": one.at, "outcomes": dict(one.outcomes)} for one in topic.seen
        ]
        if known
        else None,
    }


COMMANDS = (topics,)
