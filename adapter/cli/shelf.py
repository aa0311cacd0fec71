"""What commands about kept, parked and dead things have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from adapter.cli import known
from adapter.cli.peopletext import utc_text
from adapter.cli.store import at_the_end, open_redis
from adapter.errors import StoreError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.mapping import Mappings
    from adapter.model import Delivery, Json
    from adapter.replay import Done, Replayer
    from adapter.store.kept import Kept
    from adapter.store.letters import DeadLetter, Letters, ParkedDelivery

Item = TypeVar("Item")

HIDDEN = "(hidden)"
_PLAIN_TEXTS = ("currency", "source", "source_platform", "shop", "event_id", "financial_status")
_STUCK = {
    "parked": "would be parked again",
    "told": "told by another delivery since",
    "impossible": "impossible",
}


class _Id(click.ParamType[str]):
    """The id of a delivery; bytes that are no text, as a terminal may give them, are replaced."""

    name = "delivery"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ARG002 - as click calls it
        return str(value).strip().encode(errors="replace").decode()


DELIVERY = _Id()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The Redis of the settings, and what lies there."""

    settings: Settings
    redis: Any

    @classmethod
    def open(cls) -> Shelf:
        """Raises SettingsError where there is no Redis to ask."""
        settings = Settings.from_env(os.environ)
        return cls(settings, open_redis(settings))

    @property
    def letters(self) -> Letters:
        from adapter.app import WORKSPACE
        from adapter.store.letters import Letters

        letters = Letters(self.redis, WORKSPACE)
        at_the_end(letters.close)
        return letters

    @property
    def kept(self) -> Kept:
        from adapter.app import WORKSPACE
        from adapter.store.kept import Kept

        return Kept(self.redis, WORKSPACE)

    def shops(self) -> list[tuple[str, str]]:
        """Platform and shop of all that ever came."""
        from adapter.app import WORKSPACE
        from adapter.store.topics import Topics

        return sorted({(one.platform, one.shop) for one in Topics(self.redis, WORKSPACE).seen()})

    def knows(self, wanted: Wanted) -> None:
        """Raises BadParameter for a topic, a shop or an event that there is none of."""
        from adapter.app import WORKSPACE
        from adapter.store.topics import Topics

        seen = Topics(self.redis, WORKSPACE).seen() if wanted.topic or wanted.shop else []
        known.the_topic(wanted.topic, seen, self.mappings)
        known.the_shop(wanted.shop, self.settings, seen)
        known.the_event(wanted.event, self.mappings, self._events)

    def _events(self) -> Iterator[str]:
        """Names of all events that are dead or parked."""
        yield from (one.operation.name or "" for one in self.letters.dead())
        yield from (event.name for one in self.letters.parked() for event in one.events)

    def now(self) -> float:
        """Unix seconds by Redis's own clock, after all that is there. Raises StoreError."""
        from adapter.store.connection import store_errors

        with store_errors():
            seconds, microseconds = self.redis.time()
        return int(seconds) + int(microseconds) / 1e6 + 0.001

    def mappings(self) -> Mappings:
        """Raises MappingFileError."""
        from adapter.app import load_mappings, mappings_layers

        return load_mappings(mappings_layers(self.settings))

    def replayer(self) -> Replayer:
        """Raises MappingFileError."""
        from adapter.app import WORKSPACE, policy_of
        from adapter.destinations import DESTINATIONS
        from adapter.jobs import flush_job
        from adapter.replay import Replayer
        from adapter.store.outbox import Outbox
        from adapter.store.people import People

        mappings, secret = self.mappings(), self.settings.hash_secret
        outbox = Outbox(self.redis, WORKSPACE, flush_job(WORKSPACE), secret=secret)
        at_the_end(outbox.close)
        return Replayer(
            mappings=mappings,
            outbox=outbox,
            kept=self.kept,
            letters=self.letters,
            people=People(self.redis, WORKSPACE, secret=secret),
            destination=DESTINATIONS["track"],
            policy=policy_of(self.settings, mappings),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead or parked things are meant; what is empty asks for nothing. `event` may be the
    name that it has at Customer.io."""

    ids: tuple[str, ...] = ()
    reason: str | None = None
    event: str | None = None
    topic: str | None = None
    shop: str | None = None
    since: float | None = None
    until: float | None = None

    @property
    def anything(self) -> bool:
        """Whether it asks for anything at all."""
        return any(getattr(self, name) not in ((), None) for name in self.__slots__)

    def has(self, at: float, delivery: Delivery) -> bool:
        """Whether a delivery of that moment is meant, as far as both tell."""
        return (
            (self.topic is None or delivery.topic == self.topic)
            and (self.shop is None or delivery.shop == self.shop.strip().lower())
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )

    def dead(self, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        for one in letters:
            name = one.operation.name or one.operation.action
            if (
                (not self.ids or one.id in self.ids)
                and self._because(one.reason)
                and (self.event in (None, name))
                and any(self.has(one.at, each) for each in one.deliveries)
            ):
                yield one

    def parked(self, parked: Iterable[ParkedDelivery]) -> Iterator[ParkedDelivery]:
        for one in parked:
            if (
                (not self.ids or one.id in self.ids)
                and self._because(one.reason)
                and (self.event is None or self.event in _events_of(one))
                and self.has(one.at, one.delivery)
            ):
                yield one

    def _because(self, reason: str) -> bool:
        return self.reason is None or self.reason.casefold() in reason.casefold()


def _events_of(one: ParkedDelivery) -> list[str]:
    """What a parked delivery would bring, as `--event` names it."""
    operation = one.operation
    more = [operation.name or operation.action] if operation else []
    return [event.name for event in one.events] + more


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def agreed(count: int, question: str, *, yes: bool) -> None:
    """Ask before more than one thing is touched. Raises Abort, or UsageError without a terminal."""
    if yes or count <= 1:
        return
    if not is_terminal():
        raise click.UsageError(f"{question} Say --yes: there is no terminal to ask.")
    click.confirm(f"{question} Go on?", abort=True)


def progress(items: Iterable[Item], total: int, name: str) -> Iterator[Item]:
    """The same items; on a terminal with a bar that says how far it is."""
    if not sys.stderr.isatty() or total <= 1:
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total)
        for item in items:
            yield item
            bar.advance(task)


def replayed(results: Iterator[Done], total: int) -> list[Done]:
    """All results, with a bar. A Redis that is gone or full ends it with a message that says how
    far it came."""
    done: list[Done] = []
    try:
        for one in progress(results, total, "replay"):
            done.append(one)
    except StoreError as error:
        raise click.ClickException(
            f"{error}\nStopped after {len(done)} of {total}. Run it again: what went out already "
            "is known by its id."
        ) from None
    return done


def tell_done(done: Sequence[Done], total: int, *, as_json: bool) -> None:
    """What a replay of so many came to. Exit 1 where anything stays as it was, or was not there any
    more when its turn came."""
    missing = max(0, total - len(done))
    if as_json:
        click.echo(dumped({"replayed": counted(one.outcome for one in done), "missing": missing,
                           "results": [done_json(one) for one in done]}))  # fmt: skip
    else:
        for outcome, count in counted(one.outcome for one in done).items():
            click.echo(f"{count:>8}  {_STUCK.get(outcome, outcome)}")
        for one in done:
            if one.stays or one.outcome == "gone":
                ids = ", ".join(each.id for each in one.deliveries)
                said = f"{one.outcome}: {one.reason}" if one.reason else one.outcome
                click.echo(f"{one.id}  delivery {ids}  {said}", err=True)
    if missing:
        click.echo(
            f"{missing} of {total} are not there any more: their bodies gave way, or somebody else "
            "replayed or dropped them.",
            err=True,
        )
    if missing or any(one.stays for one in done):
        raise SystemExit(1)


def done_json(one: Done) -> dict[str, Any]:
    return {
        "id": one.id,
        "place": one.place,
        "deliveries": [each.id for each in one.deliveries],
        "outcome": one.outcome,
        "reason": one.reason,
        "events": one.events,
    }


def counted(values: Iterable[str]) -> dict[str, int]:
    """How often each is there, the most frequent first."""
    from collections import Counter

    return dict(Counter(values).most_common())


def grouped(items: Iterable[Item], of: Callable[[Item], tuple[str, ...]]) -> list[list[Item]]:
    """Items that are alike, the largest group first."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(of(item), []).append(item)
    return sorted(groups.values(), key=len, reverse=True)


def dumped(document: Any) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False, default=float)


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "platform": delivery.platform,
        "shop": delivery.shop,
        "topic": delivery.topic,
        "received_at": delivery.received_at,
    }


def masked(operation: Mapping[str, Json]) -> dict[str, Json]:
    """An operation without what is about somebody: names of values, ids and numbers of an event."""
    personal = operation["action"] != "event"
    shown = dict(operation)
    for name in ("identifiers", "secondary"):
        if shown.get(name):
            shown[name] = {
                kind: value if kind == "id" else HIDDEN for kind, value in shown[name].items()
            }
    shown["attributes"] = {
        name: HIDDEN if personal else _masked(name, value)
        for name, value in operation["attributes"].items()
    }
    return shown


def _masked(name: str, value: Json) -> Json:
    if isinstance(value, dict):
        return {each: _masked(each, inner) for each, inner in value.items()}
    if isinstance(value, list):
        return [_masked(name, each) for each in value]
    if isinstance(value, str) and not (name.endswith(("_id", "_ids")) or name in _PLAIN_TEXTS):
        return HIDDEN
    return value


def body_text(body: bytes | None) -> str:
    """A body as a text."""
    return "" if body is None else body.decode("utf-8", "replace")


def when(at: float) -> str:
    return utc_text(at)
