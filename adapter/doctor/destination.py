"""What Customer.io says to a request without content: whether host, region and credentials fit.

`GET /api/v1/accounts/region` is answered on the host of either region, with the account's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from adapter.destinations.base import Request, Response
from adapter.destinations.track import Track
from adapter.doctor.kinds import Finding, found
from adapter.errors import Misconfigured, RetryLater, SendError
from adapter.settings import TRACK_URLS, Settings

Ask = Callable[[str, Request], Response]
"""Sends a request to a host, with the credentials. Raises RetryLater when there is no answer."""


def customerio(settings: Settings, ask: Ask) -> list[Finding]:
    """Try credentials and region; `ask` is called once, or once more for the other region.

    The other region's host is asked only in place of Customer.io's own: credentials for a stand-in
    are nobody else's business.
    """
    host = urlsplit(settings.customerio_track_url).hostname or ""
    is_own = settings.customerio_track_url in TRACK_URLS.values()
    findings = [] if is_own else [found("api-other", host=host)]
    try:
        region = _region(settings.customerio_track_url, ask)
    except RetryLater as trouble:
        # An answer that nobody can read comes from somebody else.
        kind = "api-strange" if trouble.status and trouble.status < 300 else "api-gone"
        return [*findings, found(kind, host=host, reason=str(trouble))]
    except Misconfigured as trouble:
        return [*findings, _misplaced(settings, ask, trouble) if is_own else _refused(trouble)]
    except (SendError, ValueError) as trouble:
        return [*findings, found("api-strange", host=host, reason=str(trouble))]
    if region != settings.customerio_region:
        return [*findings, found("region", wrong=settings.customerio_region, right=region)]
    return [*findings, found("api-ok", host=host, region=region)]


def reminders() -> list[Finding]:
    """Settings of the workspace that we rely on and that no interface of theirs tells."""
    return [found("email-updates")]


def _region(url: str, ask: Ask) -> str:
    """The account's region. Raises SendError, and ValueError for an answer of another shape."""
    track = Track()
    answer = ask(url, track.probe())
    track.verdict(answer, 1)
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    region = document.get("region") if isinstance(document, dict) else None
    if region not in TRACK_URLS:
        raise ValueError("it names no region")
    return str(region)


def _misplaced(settings: Settings, ask: Ask, trouble: Misconfigured) -> Finding:
    """Refused by one region's host: does the other know the credentials?"""
    other = next(url for url in TRACK_URLS.values() if url != settings.customerio_track_url)
    try:
        region = _region(other, ask)
    except (SendError, ValueError):
        return _refused(trouble)
    return found("region", wrong=settings.customerio_region, right=region)


def _refused(trouble: Misconfigured) -> Finding:
    return found("credentials", status=trouble.status)
