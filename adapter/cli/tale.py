"""`adapter explain` for people: what became of one body, told from who it is to what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from adapter import compact
from adapter.cli.sheet import Sheet, near, shown
from adapter.explain import Explanation
from adapter.mapping.coercions import utc
from adapter.mapping.origins import EventOrigin, ListOrigin, Origin, Trace
from adapter.model import Json

_ORDER = {"id": "id, email, phone", "email": "email, id, phone"}
_WHOSE = "This body names nobody: it waits until the order is known, and is its owner's."


class Tale:
    """Tells one explanation on a console."""

    def __init__(
        self,
        console: Console,
        found: Explanation,
        why: Trace,
        identify_by: str,
        *,
        verbose: bool = False,
    ) -> None:
        self.sheet = Sheet(console, why.file, verbose=verbose)
        self.found = found
        self.why = why
        self.identify_by = identify_by

    def tell(self) -> None:
        self._title()
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

    def _title(self) -> None:
        found, delivery, sheet = self.found, self.found.mapped.delivery, self.sheet
        style = {"mapped": "bold green", "ignored": "bold yellow"}.get(found.outcome, "bold red")
        title = Text.assemble(
            (found.outcome, style),
            f"  {delivery.platform} {delivery.topic} of {delivery.shop}",
        )
        sheet.console.print(title)
        if found.reason:
            sheet.note(found.reason, indent=2, style="")
        if self.why.file:
            over = f", with {' and '.join(map(near, self.why.over))} over it"
            sheet.note(f"by {near(self.why.file)}{over if self.why.over else ''}", indent=2)

    def _why_not(self) -> None:
        why, sheet = self.why, self.sheet
        if why.ignored:
            sheet.heading("Why")
            sheet.hinge(f"ignore_when {why.ignored.name}", why.ignored)
        elif why.culprit:
            sheet.heading("Why")
            sheet.row(why.culprit.name, why.culprit.path, sheet.near(why.culprit.place))
            for asked in why.culprit.passed:
                sheet.note(asked)
        elif self.found.reason == "no_person":
            sheet.heading("Who")
            sheet.note("Nobody: nothing that names a person is in this body.", indent=2, style="")
            sheet.searched("looked for", (*why.identity, *why.tokens))
        elif why.hinges:
            sheet.heading("Why")
            for hinge in why.hinges:
                sheet.hinge("when" if hinge.holds else "not, as", hinge)

    def _who(self) -> None:
        why, person, sheet = self.why, self.found.mapped.person, self.sheet
        assert person is not None  # noqa: S101 - asked by `tell`
        sheet.heading("Who")
        who = next((item.operation.identifiers for item in self.found.items), None)
        if who:
            ((kind, value),) = who.items()
            said = (
                f"Customer.io knows them by {kind} {value}: the first that is there of "
                f"{_ORDER.get(self.identify_by, 'id, email, phone')}."
            )
        else:
            said = "Nobody is named yet, only tokens." if person.tokens else _WHOSE
        sheet.note(said, indent=2, style="")
        for each in why.identity:
            if not each.is_gone:
                sheet.origin(each)
        if why.as_of:
            sheet.row("as of", utc(person.as_of), why.as_of.path, why.as_of.place)
        else:
            sheet.row("as of", utc(person.as_of), "when it was sent, or received")
        remembered = [each for each in (*why.tokens, why.order) if each and each.value is not None]
        if remembered:
            said = "Remembered as theirs:" if who else "Whoever one of these belongs to is meant:"
            sheet.note(said, indent=2, style="")
            sheet.origins(remembered)
        self._attributes()

    def _attributes(self) -> None:
        why, sheet = self.why, self.sheet
        since = {each.name: each for each in why.times}
        if why.attributes or why.derived:
            sheet.heading("Attributes")
        for each in why.attributes:
            sheet.origin(each)
            self._since(since.get(each.name))
        for each in why.derived:
            sheet.origin(each)
        if why.gaps:
            sheet.heading("  Only where nothing is known")
        for each in why.gaps:
            sheet.origin(each)
            self._since(since.get(each.name))
        if why.changes:
            sheet.heading("Changes of lists")
            sheet.origins(why.changes)
        gone = [each for each in (*why.identity, *why.absent) if each.is_gone]
        sheet.absent("not in this body", gone)

    def _since(self, time: Origin | None) -> None:
        """An attribute that was true at another time than the rest of the body."""
        if time is None:
            return
        if time.value is None:
            self.sheet.problems.add(time.key)
            self.sheet.note(f"since when is not known: {time.problem}")
        else:
            self.sheet.note(f"since {utc(time.value)}, {self.sheet.path(time.path)}")

    def _event(self, origin: EventOrigin) -> None:
        event, sheet = origin.event, self.sheet
        dropped = {each.id: reason for each, reason in self.found.dropped}
        if event is None:
            sheet.heading(f"Event {origin.name}", "did not fire", "yellow")
        elif event.id in dropped:
            said = f"comes to nothing: {dropped[event.id]}"
            sheet.heading(f"Event {origin.name}", said, "yellow")
        else:
            sheet.heading(f"Event {origin.name}", "fired", "green")
        for hinge in origin.hinges:
            if event is not None or not hinge.holds:
                sheet.hinge("because" if event else "because not", hinge)
        if event is None:
            return
        sheet.row(
            "key",
            event.key,
            " and ".join(each.path or "?" for each in origin.once),
            how=f"one {origin.name} per shop and key, whatever brings it",
        )
        if origin.at:
            sheet.row("time", utc(event.timestamp), origin.at.path, origin.at.place)
            sheet.passed(origin.at)
        sheet.row("id", event.id, "the same on every retry")
        sheet.heading("  Properties")
        sheet.origins(origin.properties)
        for each in origin.lists:
            self._list(each)
        if origin.filled:
            sheet.listing("filled in by the adapter", origin.filled)
        sheet.absent("not in this body", origin.absent)
        if origin.unmapped:
            sheet.listing("not looked for here", origin.unmapped)

    def _list(self, each: ListOrigin) -> None:
        sheet = self.sheet
        count = f"{each.count} line{'' if each.count == 1 else 's'}"
        sheet.row(each.origin.name, count, sheet.path(each.origin.path), each.origin.place)
        if not each.count:
            return
        sheet.note(f"by fragment {each.fragment}, {sheet.near(each.place)}; the first:")
        for field in each.first:
            sheet.origin(field, prefix="  ", at_home=each.place)
        sheet.absent("not in the first", each.absent)

    def _rule_events(self) -> None:
        told = {each.name for each in self.why.events}
        for event in self.found.events:
            if event.name not in told:
                self.sheet.heading(f"Event {event.name}", "by rules.yml", "green")
                for name, value in event.properties.items():
                    self.sheet.row(name, shown(value))

    def _catalog(self) -> None:
        product = self.found.mapped.catalog
        if product is None:
            return
        said = "removed" if product.removed else "remembered, to enrich the items of events"
        self.sheet.heading("Catalog", f"product {product.id}: {said}", "green")
        self.sheet.origins(self.why.catalog)
        if self.why.variants:
            self._list(self.why.variants)

    def _action(self) -> None:
        action = self.found.mapped.action
        if action is not None:
            self.sheet.heading(f"Action {action.kind}")
            self.sheet.origins(self.why.action)

    def _left_out(self) -> None:
        """What was left out and not told above, beside its path."""
        rows = list(dict.fromkeys(self._problems()))
        if rows:
            self.sheet.heading("Left out")
            for path, problem in rows:
                self.sheet.row(path, problem)
        shortened = [item for item in self.found.items if item.shortened]
        if shortened:
            self.sheet.heading("Shortened", "what is too large for Customer.io", "yellow")
            for item in shortened:
                self.sheet.listing(item.operation.name or "person", item.shortened)

    def _problems(self) -> Iterator[tuple[str, str]]:
        for each in self.found.mapped.left_out:
            if each.path not in self.sheet.problems:
                yield each.path, each.problem
        for operation, reason in self.found.unsendable:
            yield operation.name or operation.action, f"cannot be sent: {reason}"

    def _requests(self) -> None:
        found, sheet = self.found, self.sheet
        if found.outcome != "mapped":
            return
        waits = (found.reason or "").startswith("waits")
        none = "none, until then" if waits else "none"
        sheet.heading("Requests", "" if found.requests else none, "yellow")
        for request in found.requests:
            batch = request["json"]["batch"]
            sheet.row(f"{request['method']} {request['path']}", f"{len(batch)} in one request")
            for item in batch:
                size = compact.size(item)
                sheet.row(f"  {item['action']}", _about(item), f"{size:,} bytes")


def _about(item: Mapping[str, Json]) -> str:
    """The name of an event, and whom an item of a request is about."""
    who = [item[name] for name in ("identifiers", "primary", "secondary") if name in item]
    said = [f"{kind} {value}" for each in who for kind, value in each.items()]
    return ", ".join([*([item["name"]] if "name" in item else ()), *said])
