"""The command `delivery`: the way of one webhook, from the door to Customer.io's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import shelf
from adapter.cli.peopletext import utc_text
from adapter.cli.shelf import Shelf
from adapter.cli.tables import plural

if TYPE_CHECKING:
    from adapter.account import Account, Fate
    from adapter.model import Delivery
    from adapter.store.kept import KeptDelivery
    from adapter.store.letters import DeadLetter, ParkedDelivery

CLOCKS_APART = 300.0
"""Seconds by which the clock of the web process may be ahead of Redis's and the worker's."""

MOST_NAMED = 5
"""Deliveries that are named where the beginning of an id fits several."""


@click.command()
@click.argument("id_", type=shelf.DELIVERY, metavar="ID")
@click.option("--body", is_flag=True, help="The body as it came, too: personal data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def delivery(id_: str, body: bool, as_json: bool) -> None:
    """What became of one webhook. ID is its delivery id, or the beginning of it.

    It is the id that the store sent with it and that the answer to it named. Exit 1 if nothing is
    known of it.
    """
    desk = Shelf.open()
    found = _look(desk, id_, body=body)
    if found is None:
        found = _look(desk, _whole(desk, id_), body=body)
    if found is None:
        raise click.ClickException(_nothing(desk, id_))
    click.echo(shelf.dumped(found) if as_json else "\n".join(_described(found)))


def _look(desk: Shelf, id_: str, *, body: bool) -> dict[str, Any] | None:
    """All that is known of a delivery; None for nothing."""
    from adapter.app import WORKSPACE
    from adapter.store.journal import Journal
    from adapter.store.whereabouts import Whereabouts

    where = Whereabouts(desk.redis, WORKSPACE)
    kept = desk.kept.find(id_, desk.shops()) if id_ else None
    aside = [one for one in desk.letters.parked() if one.delivery.id == id_]
    letters = [one for one in desk.letters.dead() if id_ in [each.id for each in one.deliveries]]
    pending, waiting = where.pending(id_), where.waiting(id_)
    since = kept.delivery.received_at - CLOCKS_APART if kept else None
    journal = Journal(desk.redis, WORKSPACE).of(id_, since)
    batches = [_batch(account, fate) for account, fate in journal]
    place = None if kept else where.place(id_)
    if not (kept or aside or letters or pending or waiting or batches or place):
        return None
    facts = _facts(id_, kept, aside, letters)
    document: dict[str, Any] = {
        "id": id_,
        "delivery": shelf.delivery_json(facts) if facts else None,
        "came": kept.at if kept else _second(place) if place else None,
        "outcome": kept.outcome if kept else None,
        "reason": kept.reason if kept else None,
        "order": kept.order if kept else None,
        "body": _body_is(kept, aside),
        "told": [_told(one, kept.delivery) for one in kept.told] if kept else [],
        "batches": batches,
        "pending": [
            {"entry": one.entry, "since": one.since, "before": one.before} for one in pending
        ],
        "waiting": [{"kind": one.kind, "value": one.value, "until": one.until} for one in waiting],
        "parked": [{"id": one.id, "at": one.at, "reason": one.reason} for one in aside],
        "dead": [
            {
                "id": one.id,
                "at": one.at,
                "reason": one.reason,
                "what": one.operation.name or one.operation.action,
                "event_id": one.operation.id,
            }
            for one in letters
        ],
    }
    if body:
        raw = next((one.body for one in aside if one.body is not None), None)
        document["body_text"] = shelf.body_text(kept.body if kept and kept.body else raw) or None
    return document


def _facts(
    id_: str, kept: KeptDelivery | None, aside: list[ParkedDelivery], letters: list[DeadLetter]
) -> Delivery | None:
    """Who sent it, wherever that is still written."""
    if kept:
        return kept.delivery
    named = [one.delivery for one in aside]
    named += [each for one in letters for each in one.deliveries if each.id == id_]
    return named[0] if named else None


def _body_is(kept: KeptDelivery | None, aside: list[ParkedDelivery]) -> str:
    if kept and kept.body is not None:
        return "kept"
    return "parked" if any(one.body is not None for one in aside) else "given up"


def _told(pair: tuple[str, str], delivery: Delivery) -> dict[str, Any]:
    """An event that another delivery had told before."""
    from adapter.ulid import event_ulid

    ref, holder = pair
    name, _, key = ref.removeprefix(f"key:{delivery.platform}:{delivery.shop}:").partition(":")
    # A long key is kept as a hash, of which no id can be made.
    id_ = event_ulid(delivery.platform, delivery.shop, name, key)
    whole = not key.startswith("sha256-")
    return {"event": name, "key": key, "id": id_ if whole else None, "by": holder}


def _batch(account: Account, fate: Fate) -> dict[str, Any]:
    return {
        "at": account.at,
        "rehearsal": account.rehearsal,
        "answers": [
            {"status": status, "seconds": seconds, "items": items}
            for status, seconds, items in account.answers
        ],
        "events": [{"name": one.name, "id": one.id, "why": one.why} for one in fate.events],
        "did": [{"action": action, "why": why} for action, why in fate.did],
        "note": fate.note,
    }


def _whole(desk: Shelf, start: str) -> str:
    """The id that begins so; the text itself where none does. Raises UsageError for several."""
    from adapter.app import WORKSPACE
    from adapter.store.whereabouts import Whereabouts

    if not start:
        raise click.UsageError("say which delivery.")
    found = Whereabouts(desk.redis, WORKSPACE).beginning(start)
    found |= {one.delivery.id for one in desk.letters.parked()}
    found |= {each.id for one in desk.letters.dead() for each in one.deliveries}
    found |= {one.delivery.id for one in desk.kept.newest()}
    fitting = sorted(each for each in found if each.startswith(start))
    if len(fitting) > 1:
        named = ", ".join(fitting[:MOST_NAMED])
        more = f" and {len(fitting) - MOST_NAMED} more" if len(fitting) > MOST_NAMED else ""
        raise click.UsageError(f"{len(fitting)} deliveries begin so: {named}{more}.")
    return fitting[0] if fitting else start


def _nothing(desk: Shelf, id_: str) -> str:
    hours = desk.settings.retention_hours
    return (
        f"Nothing is known of a delivery {id_}: it never came here (a wrong signature is refused "
        f"and not kept), or it was done with longer than {hours:g} hours ago (RETENTION_HOURS), or "
        "gave way when Redis filled."
    )


def _second(place: str) -> float:
    from adapter.store.streams import millisecond

    return millisecond(place) / 1000


def _described(told: Mapping[str, Any]) -> list[str]:
    lines = [f"delivery {told['id']}"]
    if one := told["delivery"]:
        lines.append(
            f"  received   {utc_text(one['received_at'])} from {one['platform']} {one['shop']}, "
            f"{one['topic']}; its signature was right"
        )
    elif told["came"]:
        lines.append(f"  received   {utc_text(told['came'])}; what it was is kept no more")
    if told["outcome"]:
        why = f": {told['reason']}" if told["reason"] else ""
        lines.append(f"  outcome    {told['outcome']}{why}")
    if told["order"]:
        lines.append(f"  about      order {told['order']}")
    for each in told["told"]:
        lines.append(
            f"  told       {each['event']} {each['id'] or each['key']}: by delivery {each['by']} "
            "before, so not by this one"
        )
    for batch in told["batches"]:
        lines += _batch_text(batch)
    for each in told["pending"]:
        before = f"{each['before']} before it" if each["before"] else "the next to go"
        lines.append(f"  pending    since {utc_text(each['since'])}: {before}")
    for each in told["waiting"]:
        lines.append(
            f"  waits      until {each['kind']} {each['value']} says whose it is, at the most "
            f"until {utc_text(each['until'])}"
        )
    for each in told["parked"]:
        lines.append(
            f"  parked     {each['id']} since {utc_text(each['at'])}: {each['reason']}\n"
            f"             adapter dead show {each['id']}; adapter replay --id {told['id']}"
        )
    for each in told["dead"]:
        lines.append(
            f"  dead       {each['id']} since {utc_text(each['at'])}: {each['what']}: "
            f"{each['reason']}\n             adapter dead replay {each['id']}"
        )
    lines.append(f"  its body   is {told['body']}")
    if told.get("body_text"):
        lines.append(told["body_text"])
    return lines


def _batch_text(batch: Mapping[str, Any]) -> list[str]:
    answers = ", ".join(
        f"{one['status']} after {one['seconds']:.3f} s ({plural(one['items'], 'item')})"
        for one in batch["answers"]
    )
    did = "rehearsed, not sent" if batch["rehearsal"] else f"answered {answers or 'nothing'}"
    any_sent = batch["events"] or batch["did"]
    lines = [f"  settled    {utc_text(batch['at'])}: {did if any_sent else 'nothing to send'}"]
    for event in batch["events"]:
        lines.append(f"             {event['name']} {event['id']}: {event['why'] or 'sent'}")
    for each in batch["did"]:
        lines.append(f"             {each['action']}: {each['why'] or 'sent'}")
    if batch["note"]:
        lines.append(f"             {batch['note']}")
    return lines


COMMANDS = (delivery,)
