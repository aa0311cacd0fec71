"""Deterministic ULIDs: the same happening always gets the same id, so Customer.io can dedupe on it.

A ULID is 26 characters of Crockford's base 32: 10 of time, 16 of chance. The time part here is a
constant, 2026-01-01T00:00:00Z in milliseconds, because a retry must not depend on any clock; the
other 80 bits are the head of a SHA-256 over what the event is.

Source of the format: https://github.com/ulid/spec
"""

from __future__ import annotations

import hashlib
import re

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters, ten bits, at a time; the standard library's base 32 is plain Python and slower.
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]
_SHIFTS = range(70, -1, -10)
_TIME = "01KDVDNA00"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def event_ulid(platform: str, shop: str, name: str, key: str) -> str:
    """The ULID of the event `name` (canonical) with the business key `key` of one shop."""
    raws = [text.encode("utf-8", "surrogatepass") for text in (platform, shop, name, key)]
    # The length keeps "ab" + "c" from "a" + "bc".
    what = b"".join([b"%d:%b" % (len(raw), raw) for raw in raws])
    chance = int.from_bytes(hashlib.sha256(what).digest()[:10])
    return _TIME + "".join([_PAIRS[chance >> shift & 1023] for shift in _SHIFTS])


def is_ulid(text: str) -> bool:
    """Whether `text` is a ULID in its canonical upper-case form."""
    return _ULID.fullmatch(text) is not None
