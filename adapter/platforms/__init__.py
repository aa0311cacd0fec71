"""Platforms: who signed a webhook, and what its headers say. Pure, and driven by data.

A platform is a folder of the mappings with a `platform.yml` in it (see profile.py); only a new way
of signing needs Python (see signatures.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapter.errors import Fault, MalformedError, MappingFileError, SignatureError
from adapter.model import Delivery
from adapter.platforms.headers import Headers, WsgiHeaders, flag, hostname, instant, text
from adapter.platforms.profile import REQUIRED_FACTS, Form, Profile, read_profile

PROFILE = "platform.yml"

# How the header of each fact is read, and how long it may be.
_READERS: Mapping[str, tuple[Callable[[str, int], Any], int]] = {
    "topic": (text, 100),
    "id": (text, 200),
    "shop": (hostname, 255),
    "triggered_at": (instant, 40),
    "api_version": (text, 40),
    "test": (flag, 5),
}


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform, by the name of its folder."""

    name: str
    profile: Profile

    def verify(
        self, headers: Mapping[str, str] | Headers, raw: bytes, secrets: Sequence[str]
    ) -> None:
        """Raise SignatureError unless one of the secrets signed these bytes."""
        found = Headers.of(headers)
        scheme = self.form(found).signature
        if found.get(scheme.header) is None:
            raise SignatureError(f"no {scheme.header} header")
        if not scheme.matches(found, raw, secrets):
            tried = (
                "does not match the secret"
                if len(secrets) == 1
                else f"matches none of {len(secrets)} secrets"
            )
            hint = f": {self.profile.hint}" if self.profile.hint else ""
            raise SignatureError(f"signature {tried}{hint}")

    def deliver(self, headers: Mapping[str, str] | Headers, received_at: int) -> Delivery:
        """The delivery's facts; MalformedError names every header that is missing or malformed."""
        found = Headers.of(headers)
        form = self.form(found)
        facts: dict[str, Any] = {}
        problems = []
        for fact, names in form.delivery.items():
            header = names[0]
            value = found.get(header) if len(names) == 1 else _joined(found, names)
            if value is None:
                if fact in REQUIRED_FACTS and (form.park is None or fact != "id"):
                    problems.append(f"{header}: missing")
                continue
            read, limit = _READERS[fact]
            try:
                facts[fact] = read(value, limit)
            except ValueError as error:
                problems.append(f"{header}: {error}")
        if problems:
            raise MalformedError("; ".join(problems))
        if "id" not in facts:
            # Nothing tells it from another: it counts as a new one, which at worst is kept twice.
            facts["id"] = f"unnamed-{uuid.uuid4()}"
        return Delivery(platform=self.name, received_at=received_at, **facts)

    def park(self, headers: Mapping[str, str] | Headers) -> str | None:
        """Why a delivery in this form is kept and not mapped; None for those that are mapped."""
        return self.form(Headers.of(headers)).park

    def form(self, headers: Headers) -> Form:
        """The form that counts: the first whose signature is there, else the usual one.

        One form alone is looked at, so what one form's signature vouches for is never read from
        the headers of another.
        """
        forms = self.profile.forms
        for form in forms:
            if headers.get(form.signature.header) is not None:
                return form
        return forms[0]

    def sign(self, raw: bytes, secret: str) -> dict[str, str]:
        """The headers with which this platform would sign a body."""
        return self.profile.signature.sign(raw, secret)

    def headers_for(self, delivery: Delivery) -> dict[str, str]:
        """The headers with which this platform would send a delivery; the reverse of `deliver`."""
        facts = {
            "topic": delivery.topic,
            "id": delivery.id,
            "shop": delivery.shop,
            "triggered_at": _iso(delivery.triggered_at),
            "api_version": delivery.api_version,
            "test": "true" if delivery.test else None,
        }
        return {
            header: value
            for fact, header in self.profile.delivery.items()
            if (value := facts[fact]) is not None
        }


def load_platforms(directory: Path) -> dict[str, Platform]:
    """Every platform of a directory of mappings; MappingFileError holds all faults of all files."""
    faults: list[Fault] = []
    platforms = {}
    for file in sorted(directory.glob(f"*/{PROFILE}")):
        try:
            source = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(file), 1, 1, f"cannot be read: {error}"))
            continue
        profile = read_profile(source, str(file), faults)
        if profile is not None:
            platforms[file.parent.name] = Platform(file.parent.name, profile)
    if faults:
        raise MappingFileError(faults)
    return platforms


def _joined(headers: Headers, names: Sequence[str]) -> str | None:
    """The values of several headers; None without the first."""
    values = [value for name in names if (value := headers.get(name)) is not None]
    return "/".join(values) if headers.get(names[0]) is not None else None


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


__all__ = ["Headers", "Platform", "WsgiHeaders", "load_platforms"]
