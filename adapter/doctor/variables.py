"""What settings and secrets look like. Pure; no finding repeats a secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from adapter.doctor.kinds import Finding, found
from adapter.errors import SettingsError
from adapter.settings import Settings

SHORTEST = 16
"""Characters: Shopify's secrets have 32 or more, those of WooCommerce are often a user's own."""

SHORTEST_PASSWORD = 12
"""Characters of the console's: there are 300 tries in 15 minutes, of all who guess together."""

QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_SOUND = re.compile("[!-~]+")
_PLACEHOLDERS = re.compile(
    r"<.*>|\[.*\]|\{.*\}|\.{2,}|[x*]+|0+|your[-_ ].*|(change|replace)[-_ ]?me.*|placeholder.*"
    r"|secret|(my|sample)[-_ ]secret|password|shopify|test|example|todo|none|null",
    re.IGNORECASE,
)


def wrong(error: SettingsError) -> list[Finding]:
    """One for each variable that is missing or malformed."""
    return [found("setting-wrong", problem=problem) for problem in error.problems]


def settings(read: Settings) -> list[Finding]:
    """What can be read and still needs a word."""
    findings: list[Finding] = []
    if read.dry_run:
        findings.append(found("dry-run"))
    if not read.hash_secret:
        findings.append(found("hash-secret"))
    password = read.console_password
    if password is None:
        findings.append(found("console-alone"))
    elif _PLACEHOLDERS.fullmatch(password):
        findings.append(found("console-weak", why="it is a placeholder"))
    elif len(password) < SHORTEST_PASSWORD:
        findings.append(found("console-weak", why=f"it has only {len(password)} characters"))
    return findings


def secrets(read: Settings, platforms: Collection[str] | None = None) -> list[Finding]:
    """The secrets of webhooks, and the credentials at Customer.io, by their looks.

    `platforms` are those that mappings are there for; None where that is not known.
    """
    credentials = {
        "CUSTOMERIO_SITE_ID": read.customerio_site_id,
        "CUSTOMERIO_API_KEY": read.customerio_api_key,
    }
    findings: list[Finding] = []
    for platform, held in sorted(read.secrets.items()):
        findings += _judged(_variable(platform), held, SHORTEST)
    for name, value in credentials.items():
        # Whether they are whole is told by Customer.io itself.
        findings += _judged(name, (value,) if value else (), 0)
    if platforms is not None:
        for platform in sorted(read.secrets.keys() - set(platforms)):
            known = ", ".join(sorted(platforms)) or "none at all"
            findings.append(found("secret-stray", variable=_variable(platform), known=known))
    if not findings and read.secrets:
        count = sum(map(len, read.secrets.values()))
        findings.append(found("secrets-ok", count=count, platforms=", ".join(sorted(read.secrets))))
    return findings


def _judged(variable: str, held: Iterable[str], shortest: int) -> Iterator[Finding]:
    """One finding a secret at the most: the first that explains the others."""
    seen: set[str] = set()
    for secret in held:
        if secret[0] in QUOTES or secret[-1] in QUOTES:
            yield found("secret-quoted", variable=variable)
        elif _PLACEHOLDERS.fullmatch(secret):
            yield found("secret-placeholder", variable=variable)
        elif not _SOUND.fullmatch(secret):
            yield found("secret-odd", variable=variable)
        elif secret in seen:
            yield found("secret-twice", variable=variable)
        elif len(secret) < shortest:
            yield found("secret-short", variable=variable, length=len(secret))
        seen.add(secret)


def _variable(platform: str) -> str:
    return f"{platform.upper()}_WEBHOOK_SECRET"
