"""The next batch: entries, who is meant by them, and that as bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapter.courier import Courier, Parcel
from adapter.deeds import ERASING
from adapter.flush.office import Office
from adapter.flush.reader import Reader
from adapter.model import Entry, Json, Ref
from adapter.resolver import MOST_READS, Resolution, references, resolve
from adapter.store.outbox import Claim


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries, what they come to, and that as bytes. `cut`: it ends where one ended that was sent
    before, though more is there; `begun`: that it ends there is written down, the lease is ours."""

    entries: Sequence[Entry]
    resolution: Resolution
    parcel: Parcel
    cut: bool
    begun: bool

    @property
    def erases(self) -> bool:
        """Whether it erases somebody: then it must be settled before anything else is sent."""
        return any(one.action in ERASING for one in self.resolution.operations)


def prepare(
    office: Office,
    claim: Claim,
    courier: Courier,
    reader: Reader,
    most: int,
    known: Mapping[Ref, Json],
    whole: bool = False,
) -> Batch:
    """The next entries, made ready; `known` is what the batch before them is about to teach,
    `whole`: they go on beyond where a batch ended that comes again."""
    entries = reader.batch(most)
    cut = reader.cut
    memory = _remembered(office, entries, known)
    resolution = resolve(entries, memory, now=int(time.time()), policy=office.policy)
    parcel = courier.encode(resolution.operations)
    reader.learn(len(parcel.items), parcel.data_bytes)
    # Here, and not when it is sent: it would wait for the settling of the batch before it.
    # A whole one comes again cut, so where it ends need not be kept.
    begun = not parcel.items or office.outbox.begin(claim, "" if whole else entries[-1].id)
    return Batch(entries, resolution, parcel, cut, begun)


def _remembered(
    office: Office, entries: Sequence[Entry], known: Mapping[Ref, Json]
) -> dict[Ref, Json]:
    """All of memory that a batch needs, in a constant number of questions."""
    memory = dict(known)
    for reads in range(MOST_READS):
        wanted = references(entries, memory, office.policy, again=reads > 0)
        if not wanted:
            break
        found = office.outbox.owners(wanted)
        memory.update((ref, found.get(ref)) for ref in wanted)
    return memory
