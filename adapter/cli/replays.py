"""The command `replay`: what came in goes its way once more, through today's mappings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as changed
from heapq import merge
from typing import TYPE_CHECKING

import click

from adapter.cli import shelf
from adapter.cli.moments import span
from adapter.cli.plans import tell_plans
from adapter.cli.shelf import Shelf, Wanted

if TYPE_CHECKING:
    from adapter.replay import Thing

OUTCOMES = ("accepted", "ignored", "parked")


@click.command()
@click.option(
    "--id",
    "ids",
    multiple=True,
    type=shelf.DELIVERY,
    metavar="DELIVERY",
    help="This delivery, by its id.",
)
@click.option("--topic", help="Only of this topic, such as orders/paid.")
@click.option("--shop", help="Only of this shop.")
@click.option(
    "--outcome", type=click.Choice(OUTCOMES), help="Only those of which this became then."
)
@click.option("--parked", is_flag=True, help="All that is parked, however old; or less by others.")
@span
@click.option("--dry-run", is_flag=True, help="Say what would happen; write nothing.")
@click.option(
    "--requests",
    "with_requests",
    is_flag=True,
    help="With --dry-run and --json: the requests, too, which hold personal data.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def replay(
    ids: tuple[str, ...],
    topic: str | None,
    shop: str | None,
    outcome: str | None,
    parked: bool,
    since: float | None,
    until: float | None,
    dry_run: bool,
    with_requests: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take webhooks in once more whose bodies are kept, through today's mappings.

    Bodies are kept for RETENTION_HOURS; what is parked stays until it is replayed or dropped.
    Events that a delivery told before go out under the same id, so Customer.io ignores them. Exit 1
    if anything could not be replayed.
    """
    wanted = Wanted(topic=topic, shop=shop, since=since, until=until)
    if not (wanted.anything or ids or parked or outcome):
        raise click.UsageError("say which: --since, --until, --topic, --shop, --id or --parked.")
    if with_requests and not (dry_run and as_json):
        raise click.UsageError("--requests goes with --dry-run and --json.")
    if parked and outcome not in (None, "parked"):
        raise click.UsageError(f"--parked and --outcome {outcome} contradict each other.")
    desk = Shelf.open()
    desk.knows(wanted)
    # What a replay puts back is not to be met again at the end of the same walk.
    wanted = changed(wanted, until=desk.now() if until is None else until)
    chosen = "parked" if parked else outcome
    named = list(_by_id(desk, ids)) if ids else None

    def things() -> Iterator[Thing]:
        # Walked through anew each time: all bodies together may be larger than memory.
        if named is None:
            return _things(desk, wanted, chosen)
        return (one for one in named if _is_wanted(one, wanted, chosen))

    total = sum(1 for _ in things())
    replayer = desk.replayer()
    if dry_run:
        plans = replayer.plan(things(), with_requests=with_requests)
        tell_plans(shelf.progress(plans, total, "dry run"), as_json=as_json)
        return
    if not total and not as_json:
        click.echo("nothing of that is kept")
        return
    shelf.agreed(total, f"{total} deliveries would be replayed.", yes=yes)
    shelf.tell_done(shelf.replayed(replayer.run(things()), total), total, as_json=as_json)


def _by_id(desk: Shelf, ids: tuple[str, ...]) -> Iterator[Thing]:
    """Deliveries by their ids. Raises ClickException for those of which no body is there."""
    shops, kept = desk.shops(), desk.kept
    aside = {one.delivery.id: one for one in desk.letters.parked()}
    missing = []
    for id_ in dict.fromkeys(ids):
        found = aside.get(id_) or kept.find(id_, shops)
        if found is None:
            missing.append(f"No body of a delivery {id_} is kept: it never came, or was given up.")
        else:
            yield found
    if missing:
        raise click.ClickException("\n".join(missing))


def _things(desk: Shelf, wanted: Wanted, outcome: str | None) -> Iterator[Thing]:
    """All that is meant, the oldest first. What is parked lies apart, and may be older than
    anything that is kept."""
    aside: Iterator[Thing] = iter(())
    kept: Iterator[Thing] = iter(())
    if outcome in (None, "parked"):
        aside = wanted.parked(desk.letters.parked())
    if outcome != "parked":
        # Of what was parked the body lies in `parked`.
        kept = (
            one
            for one in desk.kept.between(wanted.since, wanted.until)
            if one.outcome != "parked" and _is_wanted(one, wanted, outcome)
        )
    return merge(kept, aside, key=lambda one: one.at)


def _is_wanted(one: Thing, wanted: Wanted, outcome: str | None) -> bool:
    delivery = one.deliveries[0] if hasattr(one, "deliveries") else one.delivery
    return wanted.has(one.at, delivery) and outcome in (None, getattr(one, "outcome", "parked"))


COMMANDS = (replay,)
