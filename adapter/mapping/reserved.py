"""Names that mean something to Customer.io, so that nothing of a shop's own may go by them.

Source: Customer.io's Track API docs, "reserved attributes", and its events' message overrides.
"""

from __future__ import annotations

import re

ENVELOPE = ("recipient", "from_address", "reply_to")
"""Event properties that would redirect the message itself."""

RESERVED = (
    "id", "email", "phone", "cio_id", "anonymous_id", "created_at", "unsubscribed", "_update",
    "_timestamp",
)  # fmt: skip
"""Attributes that mean something; those that begin with `cio_` do as well."""

_CONTRACT = ("email", "phone", "created_at")  # canonical attributes of that very meaning
_OURS = ("person", "item", "catalog")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def objection(section: str, name: str) -> str | None:
    """Why a field or an event of the contract may not have a name; None where it may.

    `section` is person, item, events (names of events) or event (names of properties).
    """
    if not _NAME.fullmatch(name):
        return "a name is of small letters, digits and _, and begins with a letter"
    if section == "person" and name not in _CONTRACT and (name in RESERVED or name[:4] == "cio_"):
        return "Customer.io reserves this name"
    if section == "event" and name in ENVELOPE:
        return "Customer.io would send the message there"
    if section == "events" and name in _OURS:
        return "this name stands for something else here"
    return None
