"""Notes what a flush has measured, and writes it down once it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from adapter.courier import Report
from adapter.errors import StoreError
from adapter.flush.office import Office
from adapter.model import Entry
from adapter.store.figures import BATCH, FLUSH, NO_ANSWER, Tally


class Measured:
    """Writes down what a flush has measured, once it is over, however it ends."""

    def __init__(self, office: Office, tally: Tally) -> None:
        self._figures = office.figures
        self._tally = tally
        self._began = time.monotonic()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Of a Redis that is gone nobody needs to wait once more.
        if self._figures is None or kind is StoreError:
            return
        self._tally.observe(FLUSH, time.monotonic() - self._began)
        with suppress(StoreError):
            self._figures.add(self._tally)


def measure(tally: Tally, entries: Sequence[Entry], report: Report) -> None:
    """Note how large a batch was, and how each of its requests was answered."""
    if entries:
        tally.observe(BATCH, len(entries))
    for one in report.answers:
        tally.answer(one.status, one.seconds)
    if report.trouble is not None and str(report.trouble).startswith("no answer"):
        tally.answer(NO_ANSWER)
