"""The command `compare`: the events that were told from here, beside an export of events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapter.cli import shelf
from adapter.cli.eventfiles import Bad, FileProblem, Row, read
from adapter.cli.moments import span
from adapter.cli.peopletext import utc_text
from adapter.cli.shelf import Shelf
from adapter.cli.tables import plural, table, terminal_width

if TYPE_CHECKING:
    from adapter.mapping import Mappings

FIRST = 5
"""Ids of each difference that are told; with --json all of them are."""

TIME_CHARACTERS = 10
"""Of a ULID; all of ours have the same, and others' say nothing of ours."""

_KEYS = {
    "customer_created": "customer",
    "checkout_started": "checkout",
    "order_refunded": "refund",
    "order_shipped": "fulfillment",
    "order_delivered": "fulfillment",
    "subscription_created": "subscription",
    "subscription_canceled": "subscription",
    "order_completed": "order",
    "order_canceled": "order",
    "order_fulfilled": "order",
}
"""What the business key of an event is; of others only an id, or --map key=COLUMN, tells it."""

_PARTS = ("name", "time", "id", "key")


@dataclass(slots=True)
class Told:
    """An event that was told from here: which delivery brought it, and when."""

    id: str
    at: float
    delivery: str
    rehearsal: bool


@dataclass(slots=True)
class Beside:
    """One event of the contract, or one that only they have.

    `theirs` counts what is in the period; `keyed` how many of these name a key or an id, so that
    they can be matched one by one; `doubled` those that are there more than once.
    """

    name: str
    ours: dict[str, Told] = field(default_factory=dict)
    theirs: int = 0
    keyed: int = 0
    doubled: int = 0
    matched: set[str] = field(default_factory=set)
    only_theirs: list[Row] = field(default_factory=list)
    days: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def only_ours(self) -> list[Told]:
        """What they lack; it cannot be told where nothing of theirs has a key."""
        if not self.keyed:
            return []
        return [one for id_, one in self.ours.items() if id_ not in self.matched]

    def count(self, at: float, whose: str) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime(at))
        self.days.setdefault(day, Counter())[whose] += 1


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@span
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="PART=COLUMN",
    help="Which column holds the name, time, id or key of an event.",
)
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="THEIRS=OURS",
    help="What one of their events is called here: 'Placed Order=order_completed'.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compare(
    file: Path,
    since: float | None,
    until: float | None,
    columns: tuple[str, ...],
    events: tuple[str, ...],
    as_json: bool,
) -> None:
    """Hold the events that were told from here, or rehearsed with DRY_RUN, against an export.

    FILE is CSV or JSON, from Customer.io or from whatever told the shop's events before. Without
    --since and --until the period is that of the journal (RETENTION_HOURS). Events are matched one
    by one where a row names the order (cart, checkout, ...) or the event's id, else only counted.
    """
    named = _pairs(columns, "--map")
    if unknown := set(named) - set(_PARTS):
        problem = f"no part '{min(unknown)}'; there are {', '.join(_PARTS)}"
        raise click.BadParameter(problem, param_hint="--map")
    try:
        rows, bad = read(file.name, file.read_bytes(), named)
    except (FileProblem, OSError) as error:
        raise click.ClickException(str(error)) from None
    desk = Shelf.open()
    mappings = desk.mappings()
    own = _names(mappings, _pairs(events, "--event"))
    told, begin = _ours(desk, since, until)
    since = since if since is not None else begin
    found = _compared(told, rows, own, desk.shops(), since, until)
    document = _document(found, bad, since, until, len(rows))
    if as_json:
        click.echo(shelf.dumped(document))
    else:
        click.echo("\n".join(_described(document, file.name)))


def _pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    found = {}
    for text in texts:
        left, sign, right = text.rpartition("=")
        if not (sign and left.strip() and right.strip()):
            raise click.BadParameter(f"expected two names around a =: '{text}'", param_hint=option)
        found[left.strip()] = right.strip()
    return found


def _names(mappings: Mappings, said: Mapping[str, str]) -> dict[str, str]:
    """What events may be called -> their names in the contract. Raises BadParameter."""
    from adapter.mapping.hints import did_you_mean

    found = {}
    for name in mappings.schema.events:
        found[_plain(name)] = name
        found[_plain(mappings.names.event(name))] = name
    for theirs, ours in said.items():
        if ours not in mappings.schema.events:
            hint = did_you_mean(ours, mappings.schema.events)
            raise click.BadParameter(f"there is no event '{ours}'{hint}", param_hint="--event")
        found[_plain(theirs)] = ours
    return found


def _plain(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())


def _ours(
    desk: Shelf, since: float | None, until: float | None
) -> tuple[dict[str, dict[str, Told]], float | None]:
    """All that was told, by name and id, and when the journal begins."""
    from adapter.app import WORKSPACE
    from adapter.store.journal import Journal

    told: dict[str, dict[str, Told]] = {}
    begin = None
    for account in Journal(desk.redis, WORKSPACE).since(since):
        begin = account.at if begin is None else begin
        if until is not None and account.at >= until:
            break
        for delivery, fate in account.fates.items():
            for one in fate.events:
                if one.why is None:
                    # A retry and a replay have the same id, and count once.
                    told.setdefault(one.name, {}).setdefault(
                        one.id, Told(one.id, account.at, delivery, account.rehearsal)
                    )
    return told, begin


def _compared(
    told: Mapping[str, dict[str, Told]],
    rows: Iterable[Row],
    own: Mapping[str, str],
    shops: Sequence[tuple[str, str]],
    since: float | None,
    until: float | None,
) -> list[Beside]:
    """Both sides, event by event. What matches counts although its time is off the period: theirs
    is when it happened, ours when it was told."""
    found = {name: Beside(name, ours) for name, ours in told.items()}
    seen: set[tuple[str, str]] = set()
    for row in rows:
        name = own.get(_plain(row.name), row.name)
        beside = found.setdefault(name, Beside(name))
        ids = _ids(row, name, shops)
        match = next((each for each in ids if each in beside.ours), None)
        if match is None and not _within(row.at, since, until):
            continue
        beside.theirs += 1
        beside.count(row.at, "theirs")
        if not ids:
            continue
        beside.keyed += 1
        if (name, ids[0]) in seen:
            beside.doubled += 1
        elif match is None:
            beside.only_theirs.append(row)
        else:
            beside.matched.add(match)
            # Of a pair both count for the day on which it happened.
            beside.count(row.at, "ours")
        seen.add((name, ids[0]))
    for beside in found.values():
        for id_, one in beside.ours.items():
            if id_ not in beside.matched:
                beside.count(one.at, "ours")
    return sorted(found.values(), key=lambda one: (not one.ours, one.name))


def _within(at: float, since: float | None, until: float | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _ids(row: Row, name: str, shops: Sequence[tuple[str, str]]) -> list[str]:
    """The ids that the event would have here: its own, or what its keys come to in each shop."""
    from adapter.ulid import event_ulid, is_ulid

    own = event_ulid("", "", "", "")[:TIME_CHARACTERS]
    kinds = ("key", _KEYS.get(name, ""))
    keys = [row.keys[kind] for kind in kinds if kind in row.keys]
    return [
        *(each for each in row.ids if is_ulid(each) and each.startswith(own)),
        *(event_ulid(*shop, name, key) for key in keys for shop in shops),
    ]


def _document(
    found: Sequence[Beside],
    bad: Sequence[Bad],
    since: float | None,
    until: float | None,
    rows: int,
) -> dict[str, Any]:
    return {
        "since": since,
        "until": until,
        "rows": rows,
        "outside": rows - sum(one.theirs for one in found),
        "unreadable": [{"where": one.where, "problem": one.problem} for one in bad],
        "events": [
            {
                "event": one.name,
                "ours": len(one.ours),
                "rehearsed": sum(each.rehearsal for each in one.ours.values()),
                "theirs": one.theirs,
                "keyed": one.keyed,
                "matched": len(one.matched),
                "doubled": one.doubled,
                "only_ours": [
                    {"id": each.id, "delivery": each.delivery, "at": each.at}
                    for each in one.only_ours
                ],
                "only_theirs": [
                    {"where": each.where, "keys": [*each.keys.values(), *each.ids], "at": each.at}
                    for each in one.only_theirs
                ],
                "days": {
                    day: {"ours": counts["ours"], "theirs": counts["theirs"]}
                    for day, counts in sorted(one.days.items())
                },
            }
            for one in found
        ],
    }


def _described(document: Mapping[str, Any], name: str) -> list[str]:
    begin = utc_text(document["since"]) if document["since"] is not None else "nothing was told yet"
    end = utc_text(document["until"]) if document["until"] is not None else "now"
    read = plural(document["rows"], "event")
    lines = [f"{name}: {read}, compared from {begin} until {end}"]
    if outside := document["outside"]:
        verb = "is" if outside == 1 else "are"
        lines.append(
            f"{outside} of {document['rows']} {verb} outside the period: --since and --until say "
            "another"
        )
    events = document["events"]
    rows = [
        (
            one["event"],
            str(one["ours"]),
            str(one["theirs"]),
            *_matches(one),
            f"{one['rehearsed']} rehearsed" if one["rehearsed"] else "",
        )
        for one in events
    ]
    heads = ("event", "ours", "theirs", "matched", "only ours", "only theirs", "")
    lines += table(heads, rows, terminal_width()) if rows else ["no events on either side"]
    for one in events:
        lines += _differences(one)
    days = [
        (day, one["event"], str(counts["ours"]), str(counts["theirs"]))
        for one in events
        for day, counts in one["days"].items()
    ]
    if days:
        lines += ["", *table(("day", "event", "ours", "theirs"), sorted(days), None)]
    if bad := document["unreadable"]:
        lines += ["", f"{plural(len(bad), 'row')} could not be read:"]
        lines += [f"  {one['where']}: {one['problem']}" for one in bad[:FIRST]]
        lines += [f"  and {len(bad) - FIRST} more: --json names all"] if len(bad) > FIRST else []
    return lines


def _matches(one: Mapping[str, Any]) -> tuple[str, str, str]:
    if not one["keyed"]:
        return "no key", "?", "?"
    return str(one["matched"]), str(len(one["only_ours"])), str(len(one["only_theirs"]))


def _differences(one: Mapping[str, Any]) -> list[str]:
    lines = []
    if one["doubled"]:
        verb = "is" if one["doubled"] == 1 else "are"
        lines.append(f"  {one['event']}: {one['doubled']} {verb} there more than once in theirs")
    for title, items in (("only ours", one["only_ours"]), ("only theirs", one["only_theirs"])):
        if items:
            lines += ["", f"{one['event']}, {title}:"]
        for each in items[:FIRST]:
            what = (
                f"{each['id']} of delivery {each['delivery']}"
                if "delivery" in each
                else f"{each['where']}: {', '.join(each['keys'])}"
            )
            lines.append(f"  {utc_text(each['at'])}  {what}")
        if len(items) > FIRST:
            lines.append(f"  and {len(items) - FIRST} more: --json names all")
    return lines


COMMANDS = (compare,)
