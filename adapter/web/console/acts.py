"""What visitors do, written down before it is done."""

from __future__ import annotations

from collections.abc import Mapping

from flask import current_app, g, request, url_for

from adapter.model import Json
from adapter.store.audit import Audit
from adapter.store.visits import Visits

SAID = "said"
"""Names in an address the token of what its page is to say."""


def audited(what: str, **facts: Json) -> None:
    """A line in the log and in the audit, by the session that asks; `facts` are ids and counts.

    Raises StoreError.
    """
    audit: Audit = current_app.extensions["audit"]
    audit.write(what, g.session.name, **facts)


def address(endpoint: str, values: Mapping[str, str]) -> str:
    """Where a page is, with what stands behind the question mark."""
    return url_for(endpoint, _external=False, **values)


def telling(target: str, text: str) -> str:
    """An address whose page begins with a text. Raises StoreError."""
    visits: Visits = current_app.extensions["visits"]
    return f"{target}{'&' if '?' in target else '?'}{SAID}={visits.say(text)}"


def told() -> str | None:
    """What this page is to begin with. Raises StoreError."""
    visits: Visits = current_app.extensions["visits"]
    token = request.args.get(SAID, "")
    return visits.said(token) if token else None
