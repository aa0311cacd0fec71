"""Deterministic ULIDs: the same happening always gets the same id, so Customer.io can dedupe on it.

A ULID is 26 characters of Crockford's base 32: 10 of time, 16 of chance. The time part here is a
constant, 2026-01-01T00:00:00Z in milliseconds, because a retry must not depend on any clock; the
other 80 bits are the head of a SHA-256 over what the event is.

Source of the format: https://github.com/ulid/spec
"""

from __future__ import annotations

import base64
import hashlib
import re

_RFC_4648 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_CROCKFORD = bytes.maketrans(_RFC_4648, _CROCKFORD)
_TIME = "01KDVDNA00"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def event_ulid(platform: str, shop: str, name: str, key: str) -> str:
    """The ULID of the event `name` (canonical) with the business key `key` of one shop."""
    digest = hashlib.sha256()
    for text in (platform, shop, name, key):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(raw), raw))  # the length keeps "ab" + "c" from "a" + "bc"
    return _TIME + base64.b32encode(digest.digest()[:10]).translate(_TO_CROCKFORD).decode("ascii")


def is_ulid(text: str) -> bool:
    """Whether `text` is a ULID in its canonical upper-case form."""
    return _ULID.fullmatch(text) is not None
