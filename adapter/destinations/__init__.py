"""Where operations go. A destination is one module here and one line in DESTINATIONS.

A destination is pure: it turns operations into requests and answers into verdicts. Sending is the
transport's work, deciding what follows is the flush's.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter.destinations.base import Destination
from adapter.destinations.track import Track

DESTINATIONS: Mapping[str, Destination] = {
    "track": Track(),
}
