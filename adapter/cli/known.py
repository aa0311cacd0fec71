"""Names in a selection, held against what there is: a misspelt one would find nothing, in silence.

What came in counts as well as what the mappings know of, so what an older contract left behind can
still be named. Each raises BadParameter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from adapter.errors import MappingFileError
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.mapping import Mappings
    from adapter.store.topics import Seen

ACTIONS = ("identify", "merge", "delete", "suppress")
"""What a dead letter may be that is no event."""

MOST_NAMED = 5


def no_platform(name: str, known: Sequence[str]) -> str:
    """That there is none of that name; which there are where none is near."""
    from adapter.mapping.hints import did_you_mean

    hint = did_you_mean(name, known)
    return f"there is no '{name}'{hint}" if hint else f"there is {', '.join(known)}"


def the_platform(name: str | None, settings: Settings, seen: Iterable[Seen]) -> None:
    from adapter.app import load_profiles, mappings_layers

    if name is None:
        return
    came = {one.platform for one in seen}
    if name not in came:
        known = sorted({*came, *load_profiles(mappings_layers(settings))})
        if name not in known:
            raise click.BadParameter(no_platform(name, known), param_hint="--platform")


def the_shop(
    name: str | None, settings: Settings, seen: Collection[Seen], platform: str | None = None
) -> None:
    """`platform`, where one was named, says of which shops it may be one."""
    from adapter.mapping.hints import did_you_mean

    wanted = name.strip().lower() if name else None
    if wanted is None or _is_full(seen):
        return
    shops = {one.shop for one in seen if platform in (None, one.platform)}
    for each, allowed in settings.shops.items():
        if platform in (None, each):
            shops |= allowed
    if wanted in shops:
        return
    hint = did_you_mean(wanted, shops)
    told = sorted(shops)
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    there = f"; there is {', '.join(told[:MOST_NAMED])}{more}" if told else " or any other shop yet"
    raise click.BadParameter(
        f"nothing ever came from '{wanted}'{hint or there}", param_hint="--shop"
    )


def the_topic(name: str | None, seen: Collection[Seen], mappings: Callable[[], Mappings]) -> None:
    """`mappings` are asked for only where nothing of that topic came."""
    from adapter.mapping.hints import did_you_mean

    came = {one.topic for one in seen}
    if name is None or name in came or _is_full(seen):
        return
    try:
        found = mappings()
    except MappingFileError:
        return  # what lies here is looked at all the same
    known = {*came}
    for platform in found.platforms():
        known |= {*found.topics(platform), *found.register(platform).topics()}
    if name not in known:
        hint = did_you_mean(name, sorted(known))
        raise click.BadParameter(f"no topic '{name}' is known{hint}", param_hint="--topic")


def the_event(
    name: str | None, mappings: Callable[[], Mappings], there: Callable[[], Iterable[str]]
) -> None:
    """In the contract, at Customer.io, or the name of something that is `there`."""
    from adapter.mapping.hints import did_you_mean

    if name is None or name in ACTIONS:
        return
    try:
        found = mappings()
    except MappingFileError:
        return
    events = list(found.schema.events)
    known = [*events, *(found.names.event(each) for each in events), *ACTIONS]
    if name not in known and name not in set(there()):
        hint = did_you_mean(name, known)
        said = f"there is no event '{name}'{hint}"
        raise click.BadParameter(said if hint else f"{said}: `adapter schema` lists them",
                                 param_hint="--event")  # fmt: skip


def _is_full(seen: Collection[Seen]) -> bool:
    """Whether more may have come than is remembered."""
    from adapter.store.topics import MOST

    return len(seen) >= MOST
