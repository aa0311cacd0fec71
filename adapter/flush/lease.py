"""Holds the lease of a flush while it works, and says when it must not go on."""

from __future__ import annotations

import threading
import time
from typing import Self

from adapter.errors import StoreError
from adapter.flush.office import Office
from adapter.store.outbox import LEASE_MS, Claim

BATCH_SECONDS = 60.0
"""How long requests for one batch may be begun; what moved by then is settled."""

STOP_GRACE_SECONDS = 3.0
"""How long a request under way may go on after this process was asked to stop."""


class Keeper:
    """Renews the lease while a flush works, and says or sees to it when it is to stop."""

    def __init__(self, office: Office, claim: Claim) -> None:
        self._office = office
        self._claim = claim
        self._lost = False
        self._until = time.monotonic() + BATCH_SECONDS
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def begin_batch(self) -> None:
        self._until = time.monotonic() + BATCH_SECONDS

    def is_over(self) -> bool:
        """Whether no further request may begin: asked to stop, lease lost, or time is up."""
        return self._lost or self._office.stop.is_set() or time.monotonic() > self._until

    def __exit__(self, *_: object) -> None:
        self._done.set()
        # A renewal under way fails once the lease is given back, and would cut the next flush's
        # request.
        self._thread.join()

    def _keep(self) -> None:
        every = LEASE_MS / 3000
        renewed = asked_to_stop = time.monotonic()
        while not self._done.wait(0.2):
            now = time.monotonic()
            if not self._office.stop.is_set():
                asked_to_stop = now
            elif now - asked_to_stop > STOP_GRACE_SECONDS:
                self._office.transport.abort()
            if now - renewed < every:
                continue
            try:
                if self._office.outbox.renew(self._claim):
                    renewed = now
                    continue
            except StoreError:
                if time.monotonic() - renewed < LEASE_MS / 1000:
                    continue
            # The outbox is or may be somebody else's now: what we would still send, they send.
            self._lost = True
            self._office.transport.abort()
            return
