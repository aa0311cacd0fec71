"""Commands about what was refused or parked: dead list, show, replay, drop."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import shelf
from adapter.cli.moments import span
from adapter.cli.plans import tell_plans
from adapter.cli.shelf import Shelf, Wanted
from adapter.cli.tables import table, terminal_width

if TYPE_CHECKING:
    from adapter.model import Json, Operation
    from adapter.store.letters import DeadLetter, ParkedDelivery

SHOWN = 100
"""Letters that a list names unless --limit says otherwise."""

_WIDEST = 60
_PART, _PARTS = re.compile("[0-9]{1,20}"), 2**64
"""What an id of a stream is made of, twice."""


def _selection(command: Any) -> Any:
    """Which of them."""
    for option in (
        click.option("--shop", help="Only of this shop."),
        click.option("--topic", help="Only of this topic, such as orders/paid."),
        click.option("--event", help="Only of this event, or identify, merge, delete, suppress."),
        click.option("--reason", metavar="TEXT", help="Only those whose reason holds this text."),
    ):
        command = option(command)
    return span(command)


_PARKED = click.option("--parked", is_flag=True, help="What is parked, not what is dead.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def dead() -> None:
    """What Customer.io refused (dead) and what could not be mapped (parked): nothing of it is
    lost, it waits until somebody replays or drops it."""


@dead.command("list")
@_selection
@click.option("--ids", "-v", "by_id", is_flag=True, help="One line for each, not for each reason.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True)
@_PARKED
@_JSON
def list_(by_id: bool, limit: int, parked: bool, as_json: bool, **wanted: Any) -> None:
    """What is dead and what is parked, by reason, the most frequent first."""
    desk, which = Shelf.open(), Wanted(**wanted)
    desk.knows(which)
    # Their bodies are not listed, and may be larger than memory.
    letters = [] if parked else [changed(one, bodies=()) for one in which.dead(desk.letters.dead())]
    aside = [changed(one, body=None) for one in which.parked(desk.letters.parked())]
    if as_json:
        document: dict[str, Any] = {"parked": _section(aside, _parked_json, limit)}
        if not parked:
            document = {"dead": _section(letters, _dead_json, limit), **document}
        click.echo(shelf.dumped(document))
        return
    lines = []
    if not parked:
        lines += [f"dead: {len(letters)} operations that Customer.io refused"]
        lines += _table(letters, by_id=by_id, limit=limit)
    lines += [f"parked: {len(aside)} deliveries that could not be mapped, or waited too long"]
    lines += _table(aside, by_id=by_id, limit=limit)
    click.echo("\n".join(lines))


@dead.command()
@click.argument("id_", metavar="ID")
@click.option("--unmask", is_flag=True, help="Values, too: these may be personal data of somebody.")
@click.option("--body", is_flag=True, help="The webhook's body as it came: personal data.")
@_JSON
def show(id_: str, unmask: bool, body: bool, as_json: bool) -> None:
    """One dead letter or parked delivery. Exit 1 if there is none of that id."""
    from adapter.replay import body_of

    desk = Shelf.open()
    letter, aside = desk.letters.dead_one(_id(id_)), desk.letters.parked_one(_id(id_))
    if letter is None and aside is None:
        raise click.ClickException(_unknown(id_))
    found: list[dict[str, Any]] = []
    if letter is not None:
        told = _dead_json(letter)
        told["operation"] = _shown(letter.operation, unmask=unmask)
        bodies = [body_of(letter, number, desk.kept) for number in range(len(letter.deliveries))]
        told["bodies"] = _places(letter, bodies)
        if body:
            told["body"] = [shelf.body_text(each) or None for each in bodies]
        found.append(told)
    if aside is not None:
        told = _parked_json(aside)
        told["body_is"] = "here" if aside.body is not None else "given up"
        if aside.operation is not None:
            told["operation"] = _shown(aside.operation, unmask=unmask)
        if body:
            told["body"] = [shelf.body_text(aside.body) or None]
        found.append(told)
    if as_json:
        click.echo(shelf.dumped(found[0] if len(found) == 1 else found))
        return
    for each in found:
        click.echo("\n".join(_described(each)))


@dead.command()
@click.argument("ids", nargs=-1)
@_selection
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--remap", is_flag=True, help="Begin with the body and today's mappings.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; write nothing.")
@_PARKED
@_YES
@_JSON
def replay(
    ids: tuple[str, ...],
    every: bool,
    remap: bool,
    dry_run: bool,
    parked: bool,
    yes: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Send dead letters again as they were, or with --remap from the webhook's body on.

    A letter whose event another delivery has told since stays where it is. Exit 1 if any stays.
    """
    desk = Shelf.open()
    things = _selected(desk, ids, every, parked, wanted)
    total = sum(1 for _ in things())
    replayer = desk.replayer()
    if dry_run:
        plans = shelf.progress(replayer.plan(things(), remap=remap), total, "dry run")
        tell_plans(plans, as_json=as_json)
        return
    if not total and not as_json:
        click.echo("nothing of that is there")
        return
    shelf.agreed(total, f"{total} would be replayed.", yes=yes)
    results = replayer.run(things(), remap=remap)
    shelf.tell_done(shelf.replayed(results, total), total, as_json=as_json)


@dead.command()
@click.argument("ids", nargs=-1)
@_selection
@click.option("--all", "every", is_flag=True, help="All of them.")
@_PARKED
@_YES
@_JSON
def drop(
    ids: tuple[str, ...], every: bool, parked: bool, yes: bool, as_json: bool, **wanted: Any
) -> None:
    """Give dead letters, or parked deliveries, up for good."""
    desk = Shelf.open()
    chosen = [one.id for one in _selected(desk, ids, every, parked, wanted)()]
    shelf.agreed(len(chosen), f"{len(chosen)} would be dropped for good.", yes=yes)
    letters = desk.letters
    dropped = (letters.drop_parked if parked else letters.drop_dead)(chosen)
    click.echo(shelf.dumped({"dropped": dropped}) if as_json else f"dropped {dropped}")


def _selected(
    desk: Shelf, ids: tuple[str, ...], every: bool, parked: bool, wanted: dict[str, Any]
) -> Callable[[], Iterator[Any]]:
    """A way through what is asked for, as often as wanted: together they may be larger than memory.

    Raises UsageError where nothing is asked for, ClickException for an unknown id.
    """
    which = Wanted(tuple(map(_id, ids)), **wanted)
    if not which.anything and not every:
        raise click.UsageError("say which: ids, --reason, --event, --since ..., or --all.")
    if every and which.anything:
        raise click.UsageError("--all and a selection contradict each other.")
    desk.knows(which)
    letters = desk.letters
    if ids:
        one = letters.parked_one if parked else letters.dead_one
        named: dict[str, Any] = {each: one(each) for each in which.ids}
        if missing := [each for each, thing in named.items() if thing is None]:
            other = letters.dead_one if parked else letters.parked_one
            raise click.ClickException(
                "\n".join(
                    _unknown(each, parked=parked)
                    if other(each) is None
                    else f"{each} is {'dead' if parked else 'parked'}: "
                    f"say it {'without' if parked else 'with'} --parked."
                    for each in missing
                )
            )
    # What dies anew meanwhile is not to be met at the end of the same walk.
    which = changed(which, until=desk.now() if which.until is None else which.until)

    def found() -> Iterator[Any]:
        if parked:
            return which.parked(named.values() if ids else letters.parked())
        return which.dead(named.values() if ids else letters.dead())

    return found


def _id(text: str) -> str:
    """The id of an item of a stream. Raises BadParameter."""
    head, dash, tail = text.strip().partition("-")
    parts = (head, tail) if dash else (head,)
    if not all(_PART.fullmatch(part) and int(part) < _PARTS for part in parts):
        problem = f"'{text}' is no id; `adapter dead list --ids` names them"
        raise click.BadParameter(problem, param_hint="ID")
    return f"{head}-{tail or 0}"


def _unknown(id_: str, *, parked: bool | None = None) -> str:
    what = {None: "nothing dead or parked", True: "nothing parked", False: "no dead letter"}[parked]
    return f"There is {what} under {id_}: it was replayed or dropped, or never there."


def _places(letter: DeadLetter, bodies: Sequence[bytes | None]) -> list[str]:
    return [
        "here" if own is not None else "kept" if found is not None else "given up"
        for own, found in zip(letter.bodies, bodies, strict=True)
    ]


def _shown(operation: Operation, *, unmask: bool) -> dict[str, Json]:
    told = changed(operation, stamps={}).to_json()
    return told if unmask else shelf.masked(told)


def _dead_json(one: DeadLetter) -> dict[str, Any]:
    return {
        "id": one.id,
        "place": "dead",
        "at": one.at,
        "reason": one.reason,
        "action": one.operation.action,
        "event": one.operation.name,
        "event_id": one.operation.id,
        "deliveries": [shelf.delivery_json(each) for each in one.deliveries],
    }


def _parked_json(one: ParkedDelivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "place": "parked",
        "at": one.at,
        "reason": one.reason,
        "events": [{"name": each.name, "id": each.id} for each in one.events],
        "deliveries": [shelf.delivery_json(one.delivery)],
    }


def _kind(one: DeadLetter | ParkedDelivery) -> tuple[str, ...]:
    """What makes them alike: event or topic, and reason."""
    if hasattr(one, "delivery"):
        return one.delivery.topic, one.reason
    return one.operation.name or one.operation.action, one.reason


def _section(items: Sequence[Any], to_json: Any, limit: int) -> dict[str, Any]:
    return {
        "count": len(items),
        "groups": [
            {
                "what": _kind(group[0])[0],
                "reason": group[0].reason,
                "count": len(group),
                "oldest": group[0].at,
                "sample": group[0].id,
            }
            for group in shelf.grouped(items, _kind)
        ],
        "items": [to_json(one) for one in items[:limit]],
    }


def _table(items: Sequence[Any], *, by_id: bool, limit: int) -> list[str]:
    if not items:
        return []
    if by_id:
        rows = [(one.id, shelf.when(one.at), _kind(one)[0], one.reason) for one in items[:limit]]
        lines = table(("id", "since", "what", "reason"), rows, terminal_width())
        more = len(items) - limit
        return lines + ([f"and {more} more: --limit shows them"] if more > 0 else [])
    groups = shelf.grouped(items, _kind)
    rows = [
        (str(len(group)), shelf.when(group[0].at), group[0].id, *_kind(group[0]))
        for group in groups[:limit]
    ]
    lines = table(("count", "oldest", "for example", "what", "reason"), rows, terminal_width())
    more = len(groups) - limit
    return lines + ([f"and {more} more reasons: --limit shows them"] if more > 0 else [])


def _described(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['place']} {told['id']}  since {shelf.when(told['at'])}"]
    lines.append(f"  reason     {told['reason']}")
    for number, one in enumerate(told["deliveries"]):
        where = told["bodies"][number] if "bodies" in told else told["body_is"]
        lines.append(
            f"  delivery   {one['id']}  {one['platform']} {one['topic']} of {one['shop']}, "
            f"received {shelf.when(one['received_at'])}; its body is {where}"
        )
    if operation := told.get("operation"):
        who = ", ".join(f"{kind} {value}" for kind, value in operation["identifiers"].items())
        lines.append(f"  operation  {operation['action']} {operation['name'] or ''} of {who}")
        if operation["id"]:
            lines.append(f"  id         {operation['id']}")
        wide = max(map(len, operation["attributes"]), default=0)
        for name, value in operation["attributes"].items():
            shown = value if isinstance(value, str) else json.dumps(value, default=float)
            shown = f"{shown[:_WIDEST]}..." if len(shown) > _WIDEST else shown
            lines.append(f"    {name:<{wide}}  {shown}")
    lines += [f"  event      {one['name']}  {one['id']}" for one in told.get("events", ())]
    lines += [f"  body\n{text}" for text in told.get("body", ()) if text]
    return lines


COMMANDS = (dead,)
