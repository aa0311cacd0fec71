"""Commands about what a store can send: topics."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import topictable
from adapter.cli.addresses import is_address
from adapter.cli.store import ask_redis, redis_url
from adapter.cli.tables import terminal_width
from adapter.errors import StoreError
from adapter.settings import Settings, shipped

if TYPE_CHECKING:
    from adapter.mapping import Mappings
    from adapter.platforms.profile import Subscribe
    from adapter.store.topics import Seen


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a platform: what it is for, how a shop gets it, and what came of it so far.

    `kind` is mapped, ignored or unknown, `why` the reason to ignore it. `effect` says what it does
    where it feeds no event: person, catalog, or the kind of an action. `admin` says that the
    store's admin offers it, `own` that nothing of it ships: a shop's own mapping is for it.
    """

    name: str
    kind: str
    events: tuple[str, ...]
    effect: str
    admin: bool
    note: str
    seen: tuple[Seen, ...]
    why: str = ""
    own: bool = False

    @property
    def who(self) -> str:
        """Who can subscribe to it."""
        if self.admin:
            return "admin"
        return "?" if self.kind == "unknown" else "yours" if self.own else "app only"

    @property
    def last_seen(self) -> int | None:
        return max((one.at for one in self.seen), default=None)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, keyed by platform.")
@click.option("--all", "every", is_flag=True, help="Ignored topics that never came, too.")
@click.option("--url", help="Public address of this adapter: says what to enter where.")
def topics(as_json: bool, every: bool, url: str | None) -> None:
    """Every topic that is mapped, what it feeds, who can subscribe to it, and when it last came.

    With --url it ends with what to enter in the store's admin, and with what an app sends to
    subscribe to the topics that the admin does not offer.
    """
    from adapter.app import WORKSPACE, load_mappings, load_profiles, mappings_layers
    from adapter.platforms.profile import Subscribe

    if url is not None and not is_address(url):
        problem = "expected an address such as https://hooks.example.com"
        raise click.BadParameter(problem, param_hint="--url")
    settings = Settings.from_env(os.environ)
    layers = mappings_layers(settings)
    mappings = load_mappings(layers)
    ways = {name: one.profile.subscribe for name, one in load_profiles(layers).items()}
    seen, missing = _seen(settings, WORKSPACE)
    ships = _ships(mappings, layers)
    found = {
        platform: _topics(mappings, platform, seen or (), ships.get(platform, frozenset()))
        for platform in mappings.platforms()
    }
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
        lines = topictable.table(platform, each, missing, terminal_width(), every=every)
        click.echo("\n".join(lines))
        if told:
            click.echo("\n".join(topictable.instructions(told[platform])))


def _seen(settings: Settings, workspace: str) -> tuple[list[Seen] | None, str]:
    """What came in so far, or None and the reason why that is not known."""
    from adapter.store.topics import Topics

    url = redis_url(settings)
    if url is None:
        return None, "no Redis to ask"
    try:
        return Topics(ask_redis(url), workspace).seen(), ""
    except StoreError:
        return None, "Redis does not answer"


def _ships(mappings: Mappings, layers: Sequence[Path]) -> dict[str, frozenset[str]]:
    """The topics of each platform that the shipped mappings know of."""
    from adapter.app import load_mappings

    base = shipped("mappings")
    if tuple(layers) != (base,):
        mappings = load_mappings([base])
    return {
        name: frozenset((*mappings.topics(name), *mappings.register(name).topics()))
        for name in mappings.platforms()
    }


def _topics(
    mappings: Mappings, platform: str, seen: Iterable[Seen], ships: Collection[str]
) -> list[Topic]:
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
        found.append(
            Topic(
                name,
                kind,
                mappings.events_of(platform, name),
                _effect(mappings, platform, name),
                name in register.admin,
                register.notes.get(name, ""),
                tuple(came.get(name, ())),
                register.ignored.get(name, "") if kind == "ignored" else "",
                own=kind == "mapped" and name not in ships,
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


def _note(topic: Topic) -> str | None:
    """All that there is to say of it, in one line."""
    kinds = {"ignored": f"ignored: {topic.why}", "unknown": "unknown: parked"}
    return "; ".join(filter(None, (kinds.get(topic.kind), topic.note))) or None


def _json(topic: Topic, *, known: bool) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "kind": topic.kind,
        "events": list(topic.events),
        "effect": topic.effect or None,
        "admin": topic.admin,
        "note": _note(topic),
        "last_seen": topic.last_seen,
        "seen": [
            {"shop": one.shop, "at": one.at, "outcomes": dict(one.outcomes)} for one in topic.seen
        ]
        if known
        else None,
    }


COMMANDS = (topics,)
