"""What a batch says of one person: one identify, the events of rules, what to remember. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapter import changes, ledger
from adapter.mapping.rules import NEW, OLD, Rule, Rules
from adapter.model import CanonicalEvent, Entry, Json, Operation, Person, Who
from adapter.people.memory import View, person_ref
from adapter.people.profile import Profile, Stamp, keep, known, seen, stamp, stamps
from adapter.ulid import event_ulid

TAGS = "tags"
"""The attribute whose whole list is remembered, because other bodies hold but its changes."""

_PLATFORM_FIGURES = ("orders_count", "lifetime_value", "currency", "last_order_id")


class Picture:
    """Gathers what entries say of one person, one after the other."""

    def __init__(self) -> None:
        self.values: dict[str, Json] = {}
        self.stamps: dict[str, Stamp] = {}
        self.events: list[tuple[CanonicalEvent, Entry]] = []
        self.sources: list[str] = []
        self.cleared: set[str] = set()
        self.as_of = 0
        self.derives = False
        self.must_be = False
        """Whether there is an identify in any case: somebody is merged into them, so they must be
        there."""

    def add(
        self,
        who: Who,
        entry: Entry,
        view: View,
        rules: Rules,
        *,
        email: str | None,
        without: frozenset[str] = frozenset(),
        cleared: Mapping[str, Json] | None = None,
        since: int | None = None,
    ) -> None:
        """What one entry says; what it teaches of the person is learned.

        `email` is the address that may be written; attributes `without` are not to be; `cleared`
        are current_cart_* of a cart that became an order; `since` is when the adapter's first whole
        day in the shop began.
        """
        person = entry.person
        before = seen(who, view)
        profile = known(entry.id, who, view)
        self.sources.append(entry.id)
        self.as_of = max(self.as_of, person.as_of)
        attributes = _attributes(person, email, without)
        taken = profile.takes(stamps(entry, attributes))
        self.stamps.update(taken)
        for name in taken:
            self.values[name] = attributes[name]
        touched = set(taken)
        # Of somebody merged into them it fills a gap, and is not when they came to be.
        said = "created_at" in attributes and "created_at" not in person.gaps
        if said and ("created_at" in touched or profile.created is None):
            profile.due = profile.due or profile.created is None
            profile.created = attributes["created_at"]
        if cleared:
            self._clear(profile, cleared, touched)
        elif "current_cart_id" in touched:
            profile.cart = self.values["current_cart_id"]
        if person.named and (person.changes or TAGS in person.attributes):
            self._lists(person, profile, entry, touched)
        self._figures(person, profile, entry, touched, since)
        self._derive(who, entry, person.as_of, profile, rules, touched)
        # Of somebody new there is an identify in any case.
        if touched or not (profile.said or profile.sent):
            profile.says(person.as_of)
        if profile is not before and profile != before:
            keep(entry.id, who, profile, view)

    def recount(
        self, who: Who, entry: Entry, view: View, rules: Rules, *, since: int | None
    ) -> None:
        """Figures that an entry changed which is no body of theirs: a merge."""
        self.sources.append(entry.id)
        at = entry.delivery.received_at
        self.as_of = max(self.as_of, at)
        profile = known(entry.id, who, view)
        changed = _shown(profile, since)
        self.values.update(changed)
        self.stamps.update(dict.fromkeys(changed, (1, at, 0.0, entry.delivery.id)))
        self._derive(who, entry, at, profile, rules, set(changed))
        keep(entry.id, who, profile, view)

    def turns_out(self, profile: Profile) -> None:
        """It is of somebody of whom more is known than it was held against: what that outdates is
        no news. Their address is, as it makes them one; and the end of a cart is of its stamp."""
        for name in self.stamps.keys() & profile.stamps.keys() - self.cleared - {"email"}:
            if self.stamps[name] < profile.stamps[name]:
                self._drop(name)
        # Figures were counted anew when both turned out to be one. An address that is theirs no
        # longer by then, or that only fills a gap, is not what they hold.
        for name in ledger.FIGURES:
            self._drop(name)
        if self.values.get("email") != profile.email:
            self._drop("email")

    def _drop(self, name: str) -> None:
        self.stamps.pop(name, None)
        self.values.pop(name, None)

    def joins(self, other: Picture) -> None:
        """Another picture turned out to be of the same person."""
        for name, value in other.values.items():
            theirs, own = other.stamps[name], self.stamps.get(name)
            # A cart and its end are of one stamp.
            if own is None or (theirs, name in other.cleared) > (own, name in self.cleared):
                self.values[name], self.stamps[name] = value, theirs
        self.cleared |= other.cleared
        self.events += other.events
        self.sources += other.sources
        self.derives = self.derives or other.derives
        self.must_be = self.must_be or other.must_be
        self.as_of = max(self.as_of, other.as_of)

    def identify(
        self, who: Who, view: View, rules: Rules, *, unsubscribe_on_opt_out: bool
    ) -> Operation | None:
        """One identify for all of it; None where nothing of it is news of somebody known. Nothing
        can be added behind it."""
        # Under an earlier source a later one's lesson, which knows nothing of this, would count.
        source = view.last(person_ref(who)) or self.sources[-1]
        profile = known(source, who, view)
        attributes = self.values
        if self.derives:
            gone = {name for name in ledger.FIGURES if attributes.get(name) == ""}
            known_now = _there({**profile.inputs, **attributes})
            follows = rules.derive(known_now)
            lost = [name for name in rules.following(gone) if name not in {**known_now, **follows}]
            attributes.update(follows | dict.fromkeys(lost, ""))
        attributes.pop(who[0], None)
        if unsubscribe_on_opt_out and attributes.get("accepts_marketing") is False:
            attributes["unsubscribed"] = True
        if profile.sent and not attributes and not self.must_be:
            return None
        timestamp = max(profile.said or self.as_of, profile.sent + 1)
        profile.sent = timestamp
        keep(source, who, profile, view)
        sources = tuple(dict.fromkeys(self.sources))
        return Operation(
            "identify",
            {who[0]: who[1]},
            timestamp,
            attributes,
            sources=sources,
            stamps=self.stamps,
        )

    def _clear(self, profile: Profile, cleared: Mapping[str, Json], touched: set[str]) -> None:
        """The cart is an order. The times stay those of the cart: a later cart counts, whenever it
        is heard of."""
        profile.cart = None
        self.stamps.update(profile.fills(cleared))
        self.values.update(cleared)
        self.cleared.update(cleared)
        touched.update(cleared)

    def _lists(self, person: Person, profile: Profile, entry: Entry, touched: set[str]) -> None:
        lists: dict[str, changes.State] = dict(profile.lists)
        for name in {TAGS, *person.changes}:
            before = state = lists.get(name)
            if name in person.attributes:
                state = changes.replaced(state, person.attributes[name], person.as_of)
            if name in person.changes:
                state = changes.changed(state, person.changes[name], person.as_of)
            if state is None:
                continue
            lists[name] = state
            # Where nothing was known and nothing is there, it would empty a list that is not.
            if changes.elements(state) or changes.elements(before):
                self.values[name], self.stamps[name] = changes.elements(state), stamp(entry, name)
                touched.add(name)
        profile.lists = lists

    def _figures(
        self,
        person: Person,
        profile: Profile,
        entry: Entry,
        touched: set[str],
        since: int | None,
    ) -> None:
        """The ledger's figures, and the platform's own where they are newer."""
        told = {name: person.attributes[name] for name in _PLATFORM_FIGURES if name in touched}
        if "orders_count" in told or "lifetime_value" in told:
            profile.platform = {"as_of": person.as_of, **told}
        elif entry.ledger is None and not profile.due:
            return
        if entry.ledger is not None:
            profile.orders = ledger.apply(profile.orders, entry.ledger)
        profile.due = False
        found = _shown(profile, since)
        for name, own in stamps(entry, found).items():
            self.stamps[name] = max(profile.stamps.get(name, own), own)
        self.values.update(found)
        touched.update(found)

    def _derive(
        self, who: Who, entry: Entry, at: int, profile: Profile, rules: Rules, touched: set[str]
    ) -> None:
        """Whether something follows from what an entry says, and the events of it."""
        inputs = {name: self.values[name] for name in touched & rules.reads}
        if inputs:
            # Two inputs of one rule may never stand in one body.
            profile.inputs = _there({**profile.inputs, **inputs})
            self.derives = True
            self._rules(who, entry, at, profile, rules)

    def _rules(self, who: Who, entry: Entry, as_of: int, profile: Profile, rules: Rules) -> None:
        """The events of rules whose value changed.

        A first value is no change: else all customers of a shop would change once on its first day.
        """
        if not rules.remembering:
            return
        derived = rules.derive(_there({**profile.inputs, **self.values}))
        values: dict[str, Any] = dict(profile.rules)
        for rule in rules.remembering:
            if rule.name not in derived:
                continue
            new = derived[rule.name]
            since, old = values.get(rule.name, (as_of, new))
            if as_of < since:
                continue
            values[rule.name] = [as_of, new]
            if old != new:
                event = _event(who, entry, as_of, rule, old, new, rules.version)
                self.events.append((event, entry))
        profile.rules = values


def figures(profile: Profile, since: int | None) -> dict[str, Json]:
    """What somebody's orders come to, and what the platform says where that is newer.

    `since` is when the adapter's first whole day in the shop began.
    """
    whole = ledger.whole(profile.orders, created_at=profile.began, since=since)
    own = ledger.figures(profile.orders, whole)
    if not profile.platform:
        return own
    platform = dict(profile.platform)
    as_of = platform.pop("as_of", 0)
    return ledger.merged(own, ledger.latest(profile.orders), platform, as_of)


def _shown(profile: Profile, since: int | None) -> dict[str, Json]:
    """What is to be told of somebody's orders: their figures, and that those that were told before
    and are not known any more are none. From here on they were told."""
    found = figures(profile, since)
    gone = [name for name in _told(profile) if name not in found]
    profile.shown = sum(1 << place for place, name in enumerate(ledger.FIGURES) if name in found)
    return {**found, **blank(gone)}


def _told(profile: Profile) -> list[str]:
    """The figures that were told of somebody."""
    return [name for place, name in enumerate(ledger.FIGURES) if profile.shown & 1 << place]


def taken_away(profile: Profile, rules: Rules) -> dict[str, Json]:
    """What takes away the figures that were told of somebody, and what follows from them: the
    destination gives whoever they are merged into what that one lacks."""
    gone = _told(profile)
    return blank([*gone, *rules.following(gone)])


def _there(values: Mapping[str, Json]) -> dict[str, Json]:
    """The values but for figures that were taken away: nothing follows from them."""
    return {
        name: value for name, value in values.items() if value != "" or name not in ledger.FIGURES
    }


def still_true(
    operation: Operation, profile: Profile, rules: Rules, since: int | None
) -> dict[str, Json]:
    """What a dead identify may still say of somebody: values of which nothing newer is known. What
    follows from others is said as it follows by now."""
    current = {name: changes.elements(state) for name, state in profile.lists.items()}
    current.update(figures(profile, since))
    follows, lost = rules.derive(profile.inputs), rules.following(ledger.FIGURES)
    found: dict[str, Json] = {}
    for name, value in operation.attributes.items():
        known, own = profile.stamps.get(name), operation.stamps.get(name)
        if name in current:
            found[name] = current[name]
        elif known is not None:
            if known <= own if own else known[1] <= operation.timestamp:
                found[name] = value
        elif name in follows:
            found[name] = follows[name]
        elif value == "" or not (name in lost or (name in ledger.FIGURES and profile.orders)):
            found[name] = value
    if "accepts_marketing" in operation.attributes and "accepts_marketing" not in found:
        found.pop("unsubscribed", None)
    return found


def blank(figures: Iterable[str]) -> dict[str, Json]:
    """What takes figures away that are not known any more."""
    return {name: "" for name in figures if name != "currency"}


def _attributes(person: Person, email: str | None, without: frozenset[str]) -> dict[str, Json]:
    """What an identify says of somebody: their contacts are attributes as well."""
    found = dict(person.attributes)
    if email:
        found["email"] = email
    if person.phone:
        found["phone"] = person.phone
    if person.anonymous_id:
        found["anonymous_id"] = person.anonymous_id
    for name in without:
        found.pop(name, None)
    return found


def _event(
    who: Who, entry: Entry, as_of: int, rule: Rule, old: Json, new: Json, version: int
) -> CanonicalEvent:
    delivery, name = entry.delivery, rule.event or ""
    key = ":".join([*who, rule.name, str(old), str(new), str(as_of)])
    ulid = event_ulid(delivery.platform, delivery.shop, name, key)
    properties = {
        OLD: old,
        NEW: new,
        "event_id": ulid,
        "source_platform": delivery.platform,
        "shop": delivery.shop,
        "schema_version": version,
    }
    return CanonicalEvent(name, key, ulid, as_of, properties)
