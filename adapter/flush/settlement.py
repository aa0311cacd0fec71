"""What became of a batch: which entries are finished, and what may be remembered of them. Pure but
for the clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from adapter.account import account
from adapter.carts import EVENT as CART_EVENT
from adapter.courier import Report
from adapter.flush.batch import Batch
from adapter.flush.office import Office
from adapter.model import Entry, Json, Operation, Ref
from adapter.people import sales
from adapter.people.memory import firm
from adapter.resolver import CART_LINES, Resolution, references
from adapter.store.journal import written
from adapter.store.outbox import Dead, Settlement
from adapter.whom import REDACTED


def settlement(office: Office, batch: Batch, report: Report) -> Settlement:
    """What is finished: entries of which nothing is left to send.

    What is dead of the others comes again with them, and is written down then.
    """
    entries, resolution = batch.entries, batch.resolution
    finished = set(map(id, report.taken))
    finished.update(id(operation) for operation, _ in report.dead)
    left = [operation for operation in resolution.operations if id(operation) not in finished]
    unfinished = held_back(resolution, _sources(left))
    unfinished.update(id_ for id_, _ in resolution.waits)
    by_id = {entry.id: entry for entry in entries if entry.id not in unfinished}
    done = list(by_id.values())
    events = [operation.name for operation in report.taken if operation.action == "event"]
    dead = [
        Dead(one, reason) for one, reason in report.dead if not by_id.keys().isdisjoint(one.sources)
    ]
    refused = [
        (by_id[id_], one.operation) for one in dead for id_ in one.operation.sources if id_ in by_id
    ]
    counts = Counter(
        sent=len(by_id.keys() & _sources(report.taken)),
        events=len(events),
        late=resolution.late,
        shortened=report.shortened,
        dead=len(dead),
        ignored=len(resolution.skipped),
    )
    counts.update({f"event:{name}": number for name, number in Counter(events).items()})
    counts.update(f"ignored:{reason}" for reason in resolution.skipped.values())
    counts.update(resolution.counts)
    told = account(entries, resolution, report, by_id, at=time.time(), rehearsal=office.rehearsal)
    dropped = [(by_id[id_], event, why) for id_, event, why in resolution.dropped if id_ in by_id]
    counts.update(f"dropped:{event.name}: {why}" for _, event, why in dropped)
    return Settlement(
        done=done,
        dead=dead,
        waits=resolution.waits,
        owners=resolution.owners,
        memory=learned(resolution, by_id, refused),
        dropped=[(entry, event) for entry, event, _ in dropped],
        counts=counts,
        skipped=tuple(resolution.skipped),
        errands=[errand for id_, errand in resolution.errands if id_ in by_id],
        forgotten=[id_ for id_, why in resolution.skipped.items() if why == REDACTED],
        account=written(told) if told["d"] else b"",
        answered=bool(report.taken or report.dead),
    )


def held_back(resolution: Resolution, unfinished: Collection[str]) -> set[str]:
    """These entries, and those behind them that teach of the same things.

    What they teach builds on what is not remembered yet. Settled alone they would be forgotten, and
    what comes again would be sent as the newest; together they come to the same again.
    """
    held, before = set(unfinished), -1
    while held and len(held) != before:
        before = len(held)
        stopped: set[Ref] = set()
        for lesson in resolution.lessons:
            if lesson.source in held:
                stopped.add(lesson.ref)
            elif lesson.ref in stopped and lesson.source not in resolution.skipped:
                held.add(lesson.source)
    return held


def learned(
    resolution: Resolution,
    finished: Collection[str],
    refused: Sequence[tuple[Entry, Operation]] = (),
) -> dict[Ref, Json]:
    """What may be remembered of the lessons: of each thing what it was before the first entry that
    is not finished. Else that entry would find its own doing in memory when it comes again.

    Neither is it remembered as told what was `refused`: a replay is to tell it.
    """
    carts = {entry.id for entry, one in refused if one.name == CART_EVENT}
    learned = {
        lesson.ref: lesson.value
        for lesson in firm(resolution.lessons, lambda source: source not in finished)
        if not (lesson.ref[0] == CART_LINES and lesson.source in carts)
    }
    for entry, one in refused:
        sales.take_back(entry, one, learned)
    return learned


def has_moved(work: Settlement, report: Report) -> bool:
    """Whether an answer of the destination brought an entry to its end."""
    answered = _sources(report.taken) | _sources(operation for operation, _ in report.dead)
    return not answered.isdisjoint(entry.id for entry in work.done)


def is_mistaken(office: Office, ahead: Batch, batch: Batch, work: Settlement) -> bool:
    """Whether a batch asked for what the one before it was to teach and has not taught, as it was
    refused."""
    untaught = {ref for ref, value in batch.resolution.taught.items() if work.taught(ref) != value}
    return not untaught.isdisjoint(references(ahead.entries, {}, office.policy))


def _sources(operations: Iterable[Operation]) -> set[str]:
    return set(chain.from_iterable(operation.sources for operation in operations))
