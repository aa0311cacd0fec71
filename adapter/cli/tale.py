"""`adapter explain` for people: what became of one body, told from who it is to what is sent.

Rich breaks lines at the width of the terminal, 80 where there is none; without a terminal nothing
is coloured.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapter.explain import Explanation
from adapter.mapping.coercions import utc
from adapter.mapping.origins import EventOrigin, Hinge, ListOrigin, Origin, Trace
from adapter.model import Json

_NAME, _VALUE = 24, 24  # columns for a name and for a value; what is longer takes its own line
_LONGEST = 300
_ORDER = {"id": "id, email, phone", "email": "email, id, phone"}


def teller(*, stderr: bool = False) -> Console:
    """A console that neither guesses what is a number nor reads markup in a shop's data."""
    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


class Tale:
    """Tells one explanation on a console."""

    def __init__(self, console: Console, found: Explanation, why: Trace, identify_by: str) -> None:
        self.console = console
        self.found = found
        self.why = why
        self.identify_by = identify_by

    def tell(self, hint: str = "") -> None:
        """`hint` follows the reason: what somebody may have meant."""
        self._title(hint)
        if self.found.outcome == "parked" or self.found.mapped.person is None:
            self._why_not()
        else:
            self._who()
            for event in self.why.events:
                self._event(event)
            self._rule_events()
        self._catalog()
        self._action()
        self._left_out()
        self._requests()

    # --- the parts

    def _title(self, hint: str) -> None:
        found, delivery = self.found, self.found.mapped.delivery
        style = {"mapped": "bold green", "ignored": "bold yellow"}.get(found.outcome, "bold red")
        title = Text.assemble(
            (found.outcome, style),
            f"  {delivery.platform} {delivery.topic} of {delivery.shop}",
        )
        self.console.print(title)
        if found.reason:
            self._note(f"{found.reason}{hint}", indent=2, style="")
        if self.why.file:
            self._note(f"by {near(self.why.file)}", indent=2)

    def _why_not(self) -> None:
        why = self.why
        if why.ignored:
            self._heading("Why")
            self._hinge(f"ignore_when {why.ignored.name}", why.ignored)
        elif why.culprit:
            self._heading("Why")
            self._row(why.culprit.name, why.culprit.path, near(why.culprit.place))
            for asked in why.culprit.passed:
                self._note(asked)
        elif self.found.reason == "no_person":
            self._heading("Who")
            self._note("Nobody: nothing that names a person is in this body.", indent=2, style="")
            self._absent("looked for", (*why.identity, *why.tokens))
        elif why.hinges:
            self._heading("Why")
            for hinge in why.hinges:
                self._hinge("when" if hinge.holds else "not, as", hinge)

    def _who(self) -> None:
        why, person = self.why, self.found.mapped.person
        assert person is not None  # noqa: S101 - asked by `tell`
        self._heading("Who")
        who = next((item.operation.identifiers for item in self.found.items), None)
        if who:
            ((kind, value),) = who.items()
            self._note(
                f"Customer.io knows them by {kind} {value}: the first that is there of "
                f"{_ORDER.get(self.identify_by, 'id, email, phone')}.",
                indent=2,
                style="",
            )
        elif person.tokens:
            self._note("Nobody is named yet, only tokens.", indent=2, style="")
        else:
            self._note("This body names nobody: whoever owns the order.", indent=2, style="")
        self._rows(each for each in why.identity if each.value is not None or each.problem)
        if why.as_of:
            self._row("as of", utc(person.as_of), why.as_of.path, why.as_of.place)
        else:
            self._row("as of", utc(person.as_of), "when it was sent, or received")
        remembered = [each for each in (*why.tokens, why.order) if each and each.value is not None]
        if remembered:
            said = "Remembered as theirs:" if who else "Whoever one of these belongs to is meant:"
            self._note(said, indent=2, style="")
            self._rows(remembered)
        if why.attributes or self.found.derived:
            self._heading("Attributes")
            self._rows(why.attributes)
            for name, value in (self.found.derived or {}).items():
                self._row(name, shown(value), "follows from the others")
        if why.changes:
            self._heading("Changes of lists")
            self._rows(each for each in why.changes if each.value is not None)
        self._absent("not in this body", (*(e for e in why.identity if gone(e)), *why.absent))

    def _event(self, origin: EventOrigin) -> None:
        event = origin.event
        dropped = {each.id: reason for each, reason in self.found.dropped}
        if event is None:
            self._heading(f"Event {origin.name}", "did not fire", "yellow")
        elif event.id in dropped:
            self._heading(
                f"Event {origin.name}", f"comes to nothing: {dropped[event.id]}", "yellow"
            )
        else:
            self._heading(f"Event {origin.name}", "fired", "green")
        for hinge in origin.hinges:
            if event is not None or not hinge.holds:
                self._hinge("because" if event else "because not", hinge)
        if event is None:
            return
        if not origin.hinges:
            self._row("because", "always", "this file gives it no condition")
        self._row(
            "key",
            event.key,
            " and ".join(each.path or "?" for each in origin.once),
            how=f"one {origin.name} per shop and key, whatever brings it",
        )
        if origin.at:
            self._row("time", utc(event.timestamp), origin.at.path, origin.at.place)
            self._passed(origin.at)
        self._row("id", event.id, "the same on every retry")
        self._heading("  Properties")
        self._rows(origin.properties)
        for each in origin.lists:
            self._list(each)
        if origin.filled:
            self._listing("filled in by the adapter", origin.filled)
        self._absent("not in this body", origin.absent)
        if origin.unmapped:
            self._listing("not looked for here", origin.unmapped)

    def _list(self, each: ListOrigin) -> None:
        count = f"{each.count} line{'' if each.count == 1 else 's'}"
        self._row(each.origin.name, count, each.origin.path, each.origin.place)
        self._note(f"each by fragment {each.fragment}, {near(each.place)}; the first:")
        for field in each.first:
            self._origin(field, prefix="  ", at_home=each.place)
        self._absent("not in the first", each.absent)

    def _rule_events(self) -> None:
        told = {each.name for each in self.why.events}
        for event in self.found.events:
            if event.name not in told:
                self._heading(f"Event {event.name}", "by rules.yml", "green")
                for name, value in event.properties.items():
                    self._row(name, shown(value))

    def _catalog(self) -> None:
        product = self.found.mapped.catalog
        if product is None:
            return
        said = "removed" if product.removed else "remembered, to enrich the items of events"
        self._heading("Catalog", f"product {product.id}: {said}", "green")
        self._rows(self.why.catalog)
        if self.why.variants:
            self._list(self.why.variants)

    def _action(self) -> None:
        action = self.found.mapped.action
        if action is not None:
            self._heading(f"Action {action.kind}")
            self._rows(self.why.action)

    def _left_out(self) -> None:
        rows = [(each.path, each.problem) for each in self.found.mapped.left_out]
        rows += [
            (operation.name or operation.action, f"cannot be sent: {reason}")
            for operation, reason in self.found.unsendable
        ]
        if rows:
            self._heading("Left out")
            for path, problem in rows:
                self._row(path, problem)
        shortened = [item for item in self.found.items if item.shortened]
        if shortened:
            self._heading("Shortened", "what is too large for Customer.io", "yellow")
            for item in shortened:
                self._listing(item.operation.name or "person", item.shortened)

    def _requests(self) -> None:
        if self.found.outcome != "mapped":
            return
        self._heading("Requests", "" if self.found.requests else "none", "yellow")
        for request in self.found.requests:
            batch = request["json"]["batch"]
            self._row(f"{request['method']} {request['path']}", f"{len(batch)} in one request")
            for item in batch:
                size = len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())
                name = item.get("name", "")
                ((kind, who),) = item["identifiers"].items()
                said = f"{kind} {who}" if item["action"] == "identify" else f"{name}, {kind} {who}"
                self._row(f"  {item['action']}", said, f"{size:,} bytes")

    # --- lines

    def _heading(self, text: str, more: str = "", style: str = "") -> None:
        if not text.startswith(" "):
            self.console.print()
        self.console.print(Text.assemble((text, "bold"), "  " if more else "", (more, style)))

    def _rows(self, origins: Iterable[Origin]) -> None:
        for origin in origins:
            self._origin(origin)

    def _origin(self, origin: Origin, prefix: str = "", at_home: str = "") -> None:
        value = shown(origin.value) if origin.value is not None else "left out"
        if origin.of == "time" and origin.value is not None:
            value = utc(origin.value)
        place = "" if origin.place.partition(":")[0] == at_home.partition(":")[0] else origin.place
        how = origin.problem if origin.value is None else origin.how
        self._row(prefix + origin.name, value, origin.path, place, how)
        self._passed(origin)

    def _passed(self, origin: Origin) -> None:
        if origin.passed and origin.path:
            good = "good " if origin.problem else ""
            self._note(f"nothing {good}at {', '.join(origin.passed)}")
        elif origin.problem:
            self._note(", ".join(origin.passed))

    def _row(self, name: str, value: str, path: str = "", place: str = "", how: str = "") -> None:
        """`place` is told where it is another file than that of the title."""
        room = max(self.console.width - _NAME, 20)
        style = "bold" if value == "left out" else ""
        lines = [f"{value:<{_VALUE}}  "] if len(value) <= _VALUE else wrapped(value, room)
        if path and len(lines) == 1 and len(value) <= _VALUE and _VALUE + 2 + len(path) <= room:
            said = Text.assemble((lines[0], style), (path, "cyan"))
            path = ""
        else:
            said = Text(lines[0].rstrip(), style)
        if len(name) > _NAME - 4:
            self.console.print(Text(f"  {name}"))
            name = ""
        self.console.print(Text(f"  {name}".ljust(_NAME)) + said, soft_wrap=True)
        for line in lines[1:]:
            self.console.print(Text(" " * _NAME + line, style), soft_wrap=True)
        self._note(path, style="cyan")
        self._note(how)
        if place and place.rpartition(":")[0] != self.why.file:
            self._note(near(place))

    def _hinge(self, name: str, hinge: Hinge) -> None:
        self._row(name, hinge.text)
        if hinge.holds or hinge.found:
            self._note(", ".join(f"{path} is {value}" for path, value in hinge.found))

    def _absent(self, title: str, origins: Sequence[Origin]) -> None:
        if origins:
            self._note(f"{title}:", indent=2, style="dim")
            for each in origins:
                self._note(f"{each.name}: {', '.join(each.passed)}", indent=4)

    def _listing(self, title: str, names: Iterable[str]) -> None:
        self._note(f"{title}: {', '.join(names)}", indent=2)

    def _note(self, text: str, indent: int = _NAME, style: str = "dim") -> None:
        for line in wrapped(text, max(self.console.width - indent, 20)):
            self.console.print(Text(" " * indent + line, style), soft_wrap=True)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns; broken at blanks, and within what is longer than a line."""
    return textwrap.wrap(text, width, break_on_hyphens=False) if text else []


def gone(origin: Origin) -> bool:
    """Whether a body does not hold it at all."""
    return origin.value is None and not origin.problem


def shown(value: Json) -> str:
    """A value on one line, cut where it is very long."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        text = ", ".join(map(shown, value)) or "an empty list"
    elif isinstance(value, list) and all(isinstance(e, dict) and "method" in e for e in value):
        text = ", ".join(f"{each['method']} {each['path']}" for each in value) or "none"
    elif isinstance(value, dict) and {"name", "properties"} <= value.keys():
        text = f"{value['name']} with {', '.join(value['properties'])}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def near(place: str) -> str:
    """A file as it is named from here."""
    here = f"{Path.cwd()}{os.sep}"
    return place.removeprefix(here)
