"""Signature schemes by name: how a platform proves that a webhook is its own.

A scheme is Python, a platform is data (`mappings/<platform>/platform.yml`). To verify is always the
same three questions: what was signed, with which key, and which signatures does the header claim.
A new scheme answers the ones in which it differs from `Scheme` and is named in `SCHEMES`:
Standard Webhooks overrides `signed` (id.timestamp.body), `key` (base64 after `whsec_`) and
`claims` (several, after `v1,`); Recharge `signed` (t.body) and `claims` (`t=..,v1=..`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from adapter.platforms.headers import Headers

ENCODINGS: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda digest: base64.b64encode(digest).decode("ascii"),
    "hex": lambda digest: digest.hex(),
}


@dataclass(frozen=True, slots=True)
class Scheme(ABC):
    """One way to sign. `header` holds the signature, `encoding` is how its bytes are written."""

    header: str
    encoding: str

    @abstractmethod
    def digest(self, key: bytes, message: bytes) -> bytes:
        """The signature's bytes."""

    def key(self, secret: str) -> bytes:
        """The key that a secret stands for."""
        return secret.encode()

    def signed(self, headers: Headers, raw: bytes) -> bytes:  # noqa: ARG002 - for other schemes
        """The bytes that the signature is over."""
        return raw

    def claims(self, value: str) -> Iterable[str]:
        """The encoded signatures that the header's value claims."""
        return (value,)

    def matches(self, headers: Headers, raw: bytes, secrets: Iterable[str]) -> bool:
        """Whether any claimed signature is any secret's.

        Every secret is tried against every claim, whatever was found before, so that the time
        taken says nothing. The texts are compared as written and not decoded: base64 has several
        spellings of the same bytes, and only one of them is a signature.
        """
        value = headers.get(self.header) or ""
        claims = [claim.encode("utf-8", "backslashreplace") for claim in self.claims(value)]
        message = self.signed(headers, raw)
        found = False
        for secret in secrets:
            expected = self.encode(self.digest(self.key(secret), message)).encode("ascii")
            for claim in claims:
                found |= hmac.compare_digest(expected, claim)
        return found

    def sign(self, raw: bytes, secret: str) -> dict[str, str]:
        """The headers with which the platform would sign this body."""
        signature = self.digest(self.key(secret), self.signed(Headers({}), raw))
        return {self.header: self.encode(signature)}

    def encode(self, digest: bytes) -> str:
        return ENCODINGS[self.encoding](digest)


@dataclass(frozen=True, slots=True)
class HmacSha256(Scheme):
    """HMAC-SHA256 over the raw body: Shopify and WooCommerce (base64), Lemon Squeezy (hex)."""

    def digest(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, hashlib.sha256)


SCHEMES: Mapping[str, type[Scheme]] = {"hmac-sha256": HmacSha256}
