"""The story of delivery: take what waits, see who is meant, send it, settle what became of it."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from adapter.courier import FAILURES_BEFORE_HALVING, Courier, Report
from adapter.errors import Misconfigured, RetryLater, SendError, StoreError
from adapter.flush.batch import Batch, prepare
from adapter.flush.lease import Keeper
from adapter.flush.measures import Measured, measure
from adapter.flush.office import Office
from adapter.flush.reader import Reader
from adapter.flush.settlement import has_moved, is_mistaken, settlement
from adapter.model import Json, Ref
from adapter.store.figures import Tally
from adapter.store.outbox import CLAIMS_BEFORE_CAUTION, Claim, Settlement

PAUSE_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 300.0
TURN_SECONDS = 30.0
"""How long one job may go on before others get their turn."""

MOST_ENTRIES = 2_000

_log = logging.getLogger("adapter.flush")


def flush(office: Office, job_id: str) -> None:
    """Deliver what waits in the outbox, if the lease names this job."""
    outbox = office.outbox
    claim = outbox.claim(job_id, secrets.token_hex(8))
    if claim is None:
        return
    tally = Tally()
    with Measured(office, tally), Keeper(office, claim) as keeper:
        try:
            _drain(office, claim, keeper, tally)
        except StoreError:
            # Most likely nothing can be written now, and the lease ends by itself. If it can, this
            # was no death of the worker.
            with suppress(StoreError):
                outbox.release(claim)
            raise
        except Exception as error:
            # A fault of ours. Counted as a death of the worker, so that the entry on which it
            # happens is found and parked instead of holding up all others.
            outbox.back_off(claim, 1.0, f"adapter fault: {type(error).__name__}", died=True)
            raise


def _drain(office: Office, claim: Claim, keeper: Keeper, tally: Tally) -> None:
    outbox = office.outbox
    courier = Courier(office.destination, office.transport, keeper.is_over, office.names)
    reader = Reader(outbox, office.destination, claim.ends)
    caution, failures, throttles = claim.caution, claim.failures, claim.throttles
    if caution > 0 and claim.attempts > CLAIMS_BEFORE_CAUTION and not _condemn(office, claim):
        return
    until = time.monotonic() + TURN_SECONDS
    ahead: Future[Batch] | None = None
    behind: Future[int | None] | None = None
    unsettled: Mapping[Ref, Json] = {}
    whole = False
    with ThreadPoolExecutor(2, thread_name_prefix="beside") as beside:
        while True:
            if office.stop.is_set():
                if behind is not None:
                    behind.result()
                outbox.release(claim)
                return
            # One by one finds what kills the worker; what the destination breaks on shows itself
            # only beside others that pass.
            single = caution > 0 and failures < FAILURES_BEFORE_HALVING
            most = 1 if single else MOST_ENTRIES
            if ahead:
                batch = ahead.result()
            else:
                batch = prepare(office, claim, courier, reader, most, {}, whole)
                whole = False
            # While this batch is on its way the one before it is settled, and the next one is made
            # ready as if both had arrived.
            taught = batch.resolution.taught
            known = {**unsettled, **taught}
            ahead = None
            if reader.more and not single:
                ahead = beside.submit(prepare, office, claim, courier, reader, most, known)
            keeper.begin_batch()
            if not batch.begun:
                if behind is not None:
                    behind.result()
                _log.warning("lease lost, nothing sent", extra={"workspace": office.workspace})
                return
            report = courier.deliver(batch.parcel, failures=0 if batch.cut else failures)
            if behind is not None:
                left = behind.result()
                if left is None or (left == 0 and not batch.entries):
                    return
            behind, unsettled = None, {}
            measure(tally, batch.entries, report)
            work = settlement(office, batch, report)
            if report.trouble is not None and not has_moved(work, report):
                if batch.cut and _is_suspect(report.trouble, failures):
                    # As it was sent before it does not pass, perhaps because of an item, which
                    # shows itself among others only.
                    if ahead:
                        ahead.result()
                    ahead, whole = None, True
                    reader.rewind(whole=True)
                    continue
                _wait(office, claim, report.trouble, failures + throttles)
                return
            over = time.monotonic() > until
            if ahead and not (report.trouble or report.dead or over or batch.erases):
                behind = beside.submit(_settle, office, claim, batch, report, work)
                unsettled = taught
            else:
                hand_over = over and report.trouble is None
                left = _settle(office, claim, batch, report, work, hand_over=hand_over)
                if left is not None and report.trouble is not None:
                    _wait(office, claim, report.trouble, 0)
                    return
                if not left or over:
                    return
                if ahead and report.dead and is_mistaken(office, ahead.result(), batch, work):
                    # Made anew it ends where it is written down that it does.
                    reader.rewind(end=ahead.result().entries[-1].id)
                    ahead = None
                if not batch.entries:
                    reader.rewind()
            caution, failures, throttles = caution - len(batch.entries), 0, 0


def _settle(
    office: Office,
    claim: Claim,
    batch: Batch,
    report: Report,
    work: Settlement,
    *,
    hand_over: bool = False,
) -> int | None:
    """Write down what became of a batch; how many entries are left, None where the lease is lost
    and nothing was written."""
    left = office.outbox.settle(claim, work, hand_over=hand_over)
    if left is None:
        _log.warning("lease lost, nothing written", extra={"workspace": office.workspace})
        return None
    _log.info(
        "flushed",
        extra={
            "workspace": office.workspace,
            "entries": len(batch.entries),
            "operations": len(report.taken),
            "dead": len(report.dead),
            "left": left,
            **({"dry_run": True} if office.rehearsal else {}),
        },
    )
    return left


def _is_suspect(trouble: SendError, failures: int) -> bool:
    """Whether an item may be to blame for an answer that moved nothing."""
    many = failures >= FAILURES_BEFORE_HALVING
    return many and isinstance(trouble, RetryLater) and not trouble.is_throttle


def _wait(office: Office, claim: Claim, trouble: SendError, backoffs: int) -> None:
    """Turn the lease into a backoff, after so many in a row; nothing moves until it ends."""
    if office.stop.is_set():
        office.outbox.release(claim)
        return
    paused = isinstance(trouble, Misconfigured)
    throttled = isinstance(trouble, RetryLater) and trouble.is_throttle
    seconds = PAUSE_SECONDS if paused else _backoff(trouble, backoffs)
    office.outbox.back_off(claim, seconds, str(trouble), paused=paused, throttled=throttled)
    _log.log(
        logging.ERROR if paused else logging.WARNING,
        "delivery paused" if paused else "delivery waits",
        extra={"workspace": office.workspace, "reason": str(trouble), "seconds": round(seconds, 1)},
    )


def _backoff(trouble: SendError, backoffs: int) -> float:
    """Seconds: doubling from 1, with jitter, at least what Retry-After asks for."""
    doubled = min(2.0 ** min(backoffs, 16), LONGEST_BACKOFF_SECONDS)
    jittered = doubled * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
    asked = trouble.retry_after if isinstance(trouble, RetryLater) else None
    return min(max(jittered, asked or 0.0), LONGEST_BACKOFF_SECONDS)


def _condemn(office: Office, claim: Claim) -> bool:
    """Park the oldest entry: alone, it has cost the worker its life again and again.

    False when nothing is left to do, or the lease is lost.
    """
    entry = office.outbox.first()
    if entry is None:
        return True
    reason = f"the worker died {CLAIMS_BEFORE_CAUTION} times on it"
    left = office.outbox.settle(claim, Settlement(condemned=[(entry, reason)]))
    if left is not None:
        _log.error("entry parked", extra={"entry": entry, "reason": reason})
    return bool(left)
