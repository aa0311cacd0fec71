"""DRY_RUN: everything but the send.

Whatever is given to a rehearsal is answered as if Customer.io had taken it, so all that follows is
what would follow: it is settled, counted, remembered and kept.
"""

from __future__ import annotations

import logging

from adapter.destinations.base import Request, Response
from adapter.transport import DEADLINE_SECONDS, Transport

_log = logging.getLogger(__name__)


class Rehearsal(Transport):
    """Stands where the transport stands and opens no connection; it knows no host and no
    credentials either."""

    def __init__(self) -> None:
        super().__init__("", "", "")

    def send(self, request: Request, *, seconds: float = DEADLINE_SECONDS) -> Response:  # noqa: ARG002
        """Every batch is taken whole, and every probe finds host and credentials well."""
        if request.body:
            _log.info("dry run: nothing was sent", extra={"bytes": len(request.body)})
        return Response(200, {}, b"{}")
