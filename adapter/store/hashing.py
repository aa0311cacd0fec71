"""Hashes in the names of keys: names show up in logs of Redis and in tools, values do not.

HMAC-SHA256 under HASH_SECRET, cut to 128 bits: who reads names cannot try out addresses without the
secret. Without one it is a plain hash, which keeps names short and unreadable at a glance only.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

BYTES = 16


def name(value: str, secret: str = "") -> str:
    """An email or a phone as part of a key's name: 22 characters."""
    found = hmac.digest(secret.encode(), value.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return urlsafe_b64encode(found[:BYTES]).decode().rstrip("=")


def redacted(platform: str, shop: str, value: str, secret: str = "") -> str:
    """The key of a tombstone: it must not say of whom it is."""
    return "redacted:" + name("\n".join((platform, shop, value)), secret)
