"""What a flush works with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from adapter.destinations.base import Destination
from adapter.mapping.names import Names
from adapter.resolver import PLAIN, Policy
from adapter.store.figures import Figures
from adapter.store.outbox import Outbox
from adapter.store.purge import Purger
from adapter.transport import Transport


@dataclass(slots=True)
class Office:
    """All that a flush of one workspace works with."""

    workspace: str
    outbox: Outbox
    destination: Destination
    transport: Transport
    policy: Policy = PLAIN
    purger: Purger | None = None
    names: Names = field(default_factory=Names.none)
    rehearsal: bool = False
    """Nothing is sent, and all else is as if it had been."""
    figures: Figures | None = None
    stop: threading.Event = field(default_factory=threading.Event)
