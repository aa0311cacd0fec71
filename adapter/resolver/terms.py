"""What the resolver is asked with and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adapter import deeds, whom
from adapter.mapping.rules import Rules
from adapter.model import CanonicalEvent, Json, Operation, Ref
from adapter.people.identity import Contacts, IdentifyBy
from adapter.people.memory import Lesson, firm

Owner = Contacts
"""id, email, phone of somebody, as far as known. An empty one: it is known that there is nobody."""

NOBODY: Owner = {}
NO_PERSON = "no_person"
OUTDATED = "something newer is known by now"
HELD = "held by somebody else by now"
"""Of a dead erasure: its address, or its number, is of who came later."""

TOLD_SINCE = "another delivery has told it since"
NOT_ONE = "the two are not known as one any more"
AWAITS_PERSON = "waits until a checkout or an order names its person"
CONSENT_BEFORE = "consent of an order from before the shop was connected"

DAY = 86400

CART_LINES = "cart_lines"
"""Kind of {"at": Unix seconds, "seen": when it was sent, "lines": content}, see `carts`."""

ANY_TOMBSTONE: Ref = whom.tombstone(("any", ""))
"""Whether anybody was erased at all: else nobody's mark need be looked for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator has decided. `is_placeholder` says of an address that it is nobody's."""

    identify_by: IdentifyBy = "id"
    rules: Rules = field(default_factory=Rules.none)
    unsubscribe_on_opt_out: bool = False
    on_customer_delete: deeds.OnCustomerDelete = "note"
    is_placeholder: Callable[[str], bool] = lambda _email: False
    flat: Mapping[str, str] = field(default_factory=dict)


PLAIN = Policy()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a batch of entries.

    `operations`: one identify per person first, then the events in the entries' order, then those
    of rules and actions. `owners`: who owns what, to be remembered in any case; `lessons` are to be
    remembered once their entries are finished. `waits`: entry id and what its person must first
    become known by. `skipped`: id and reason of each entry that comes to nothing. `dropped`: entry
    id, event and reason of each event that comes to nothing though its entry goes on. `late`:
    events too old to trigger anything. `errands` are to be written down with their entries'
    settling, `counts` added to what is counted.
    """

    operations: tuple[Operation, ...]
    owners: Mapping[Ref, Owner] = field(default_factory=dict)
    lessons: tuple[Lesson, ...] = ()
    waits: tuple[tuple[str, Ref], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[tuple[str, CanonicalEvent, str], ...] = ()
    late: int = 0
    errands: tuple[tuple[str, deeds.Errand], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def taught(self) -> dict[Ref, Json]:
        """All that memory will hold once the batch is finished, but for what waits: that is learned
        when it comes again, and nothing behind it before."""
        waiting = {id_ for id_, _ in self.waits}
        found: dict[Ref, Json] = dict(self.owners)
        for lesson in firm(self.lessons, waiting.__contains__):
            found[lesson.ref] = lesson.value
        return found
