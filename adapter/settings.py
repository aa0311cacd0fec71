"""What the environment says: read once at start-up, all faults told together.

`Settings.from_env` is the only reader of variables. A blank variable counts as unset, text stays
text until its setting's own type reads it, and no message repeats a value that may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeVar, cast, get_args
from urllib.parse import SplitResult, parse_qs, urlsplit

from adapter.deeds import OnCustomerDelete
from adapter.errors import SettingsError

MIB: Final = 1024 * 1024

TRACK_URLS: Final[Mapping[str, str]] = MappingProxyType(
    {"us": "https://track.customer.io", "eu": "https://track-eu.customer.io"}
)
"""The Track API's host per region of a Customer.io account."""

ON: Final = ("on", "1", "true", "yes")
OFF: Final = ("off", "0", "false", "no")

UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"": 1, "B": 1}
    | {f"{letter}B": 1000**power for power, letter in enumerate("KMG", 1)}
    | {f"{letter}IB": 1024**power for power, letter in enumerate("KMG", 1)}
)
"""Bytes of each unit, in capitals."""

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_Default = TypeVar("_Default", float, None)

NEEDS: Final = frozenset({"redis", "customerio", "secrets"})


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment, as the docs list it; `default` is empty for none."""

    name: str
    default: str
    meaning: str


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable(
        "REDIS_URL",
        "",
        "Redis or Valkey to keep everything in (redis://, rediss:// or unix://); "
        "`run` and `up` start an embedded one when it is unset",
    ),
    Variable("REDIS_MAX_CONNECTIONS", "8", "most connections to Redis per process"),
    Variable(
        "<PLATFORM>_WEBHOOK_SECRET",
        "",
        "secret that the platform signs with, as in SHOPIFY_WEBHOOK_SECRET; "
        "several, comma-separated, while one replaces another",
    ),
    Variable(
        "<PLATFORM>_SHOPS",
        "",
        "shop domains to take webhooks from, comma-separated; unset: every shop that signs",
    ),
    Variable("CUSTOMERIO_SITE_ID", "", "site id of the Customer.io workspace (Track API)"),
    Variable("CUSTOMERIO_API_KEY", "", "API key that belongs to the site id"),
    Variable("CUSTOMERIO_REGION", "us", "where the Customer.io account lives: us or eu"),
    Variable(
        "CUSTOMERIO_TRACK_URL", "", "Track API address in place of the region's (tests, sandbox)"
    ),
    Variable(
        "MAPPINGS_DIR",
        "",
        "directories of mapping files, colon-separated; unset: the shipped ones, then ./custom",
    ),
    Variable("IDENTIFY_BY", "id", "what identifies a person at Customer.io: id or email"),
    Variable(
        "UNSUBSCRIBE_ON_OPT_OUT",
        "off",
        "on: who opts out of marketing in the store is unsubscribed at Customer.io; "
        "nobody is ever subscribed again by it",
    ),
    Variable(
        "PLACEHOLDER_EMAILS",
        "",
        "addresses and domains (@pos.example) that are nobody's own, comma-separated",
    ),
    Variable(
        "ON_CUSTOMER_DELETE",
        "note",
        "what follows when the store deletes a customer: note (it is counted and nothing else), "
        "delete (also at Customer.io) or suppress (deleted there for good, and never let in again)",
    ),
    Variable(
        "HASH_SECRET",
        "",
        "secret that emails and phones are hashed with where they are part of a key's name; "
        "changing it makes the adapter forget whom it knows by them",
    ),
    Variable("MAX_BODY_BYTES", str(8 * MIB), "largest webhook body that is read, in bytes"),
    Variable(
        "CONSOLE_PASSWORD",
        "",
        "password of /console/; unset: it is there for this machine alone (loopback)",
    ),
    Variable("PORT", "8000", "TCP port that the web process listens on"),
    Variable("WEB_CONCURRENCY", "2", "web processes"),
    Variable("LOG_LEVEL", "INFO", "least severe level that is logged: " + ", ".join(LOG_LEVELS)),
    Variable(
        "RATE_LIMIT",
        "",
        "most requests a second to Customer.io, each of which carries hundreds of operations; "
        "unset: as many as it answers",
    ),
    Variable(
        "DRY_RUN",
        "off",
        "on: everything but the send; what would have been sent is kept as if it had been, "
        "and no Customer.io credentials are needed",
    ),
    Variable(
        "RETENTION_HOURS",
        "72",
        "hours that the bodies of delivered webhooks and what became of them are kept; "
        "parked and dead ones stay until they are replayed or dropped",
    ),
    Variable(
        "RETENTION_BYTES",
        str(256 * MIB),
        "bytes that may be kept so at the most (also as 256MiB or 1GB), the oldest go first",
    ),
    Variable(
        "ALERT_WEBHOOK_URL",
        "",
        'address that alerts are sent to as {"text": ...}, a Slack incoming webhook for one; '
        "unset: they are in the worker's log alone",
    ),
    Variable("ADAPTER_DATA_DIR", ".adapter", "directory that the embedded Redis keeps its data in"),
)
"""Every variable that is read, in the order of the docs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. What may hold a secret stays out of the repr.

    `secrets` and `shops` are keyed by platform in lower case; a platform missing from `shops`
    takes every shop. `mappings_dirs` empty means the shipped mappings: `shipped("mappings")`.
    `rate_limit` is requests a second; None is no ceiling.
    """

    redis_url: str | None = field(default=None, repr=False)
    redis_max_connections: int = 8
    secrets: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    shops: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    customerio_site_id: str | None = field(default=None, repr=False)
    customerio_api_key: str | None = field(default=None, repr=False)
    customerio_region: Literal["us", "eu"] = "us"
    customerio_track_url: str = TRACK_URLS["us"]
    mappings_dirs: tuple[Path, ...] = ()
    identify_by: Literal["id", "email"] = "id"
    unsubscribe_on_opt_out: bool = False
    on_customer_delete: OnCustomerDelete = "note"
    hash_secret: str = field(default="", repr=False)
    placeholder_emails: frozenset[str] = frozenset()
    max_body_bytes: int = 8 * MIB
    console_password: str | None = field(default=None, repr=False)
    port: int = 8000
    web_concurrency: int = 2
    log_level: str = "INFO"
    rate_limit: float | None = None
    dry_run: bool = False
    retention_hours: float = 72.0
    retention_bytes: int = 256 * MIB
    alert_webhook_url: str | None = field(default=None, repr=False)
    data_dir: Path = Path(".adapter")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, need: Collection[str] = ()) -> Settings:
        """Reads `environ`; `need` names what the command cannot do without (see NEEDS).

        Raises SettingsError with one sentence for every missing or malformed variable.
        """
        if unknown := set(need) - NEEDS:
            raise ValueError(f"unknown needs: {', '.join(sorted(unknown))}")
        read = _Reader(environ)
        region = cast(Literal["us", "eu"], read.choice("CUSTOMERIO_REGION", "us", ("us", "eu")))
        dry_run = read.flag("DRY_RUN")
        site_id, api_key = read.credentials(needed="customerio" in need and not dry_run)
        settings = cls(
            redis_url=read.redis_url(needed="redis" in need),
            redis_max_connections=read.integer("REDIS_MAX_CONNECTIONS", 8, 1, 10_000),
            secrets=read.secrets(needed="secrets" in need),
            shops=read.shops(),
            customerio_site_id=site_id,
            customerio_api_key=api_key,
            customerio_region=region,
            customerio_track_url=read.track_url() or TRACK_URLS[region],
            mappings_dirs=read.mappings_dirs(),
            identify_by=cast(
                Literal["id", "email"], read.choice("IDENTIFY_BY", "id", ("id", "email"))
            ),
            unsubscribe_on_opt_out=read.flag("UNSUBSCRIBE_ON_OPT_OUT"),
            on_customer_delete=cast(
                OnCustomerDelete,
                read.choice("ON_CUSTOMER_DELETE", "note", get_args(OnCustomerDelete)),
            ),
            hash_secret=read.text("HASH_SECRET") or "",
            placeholder_emails=read.emails("PLACEHOLDER_EMAILS"),
            max_body_bytes=read.integer("MAX_BODY_BYTES", 8 * MIB, 1024, 1024 * MIB),
            console_password=read.text("CONSOLE_PASSWORD"),
            port=read.integer("PORT", 8000, 1, 65_535),
            web_concurrency=read.integer("WEB_CONCURRENCY", 2, 1, 256),
            log_level=read.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
            rate_limit=read.number("RATE_LIMIT", None),
            dry_run=dry_run,
            retention_hours=read.number("RETENTION_HOURS", 72.0),
            retention_bytes=read.size("RETENTION_BYTES", 256 * MIB, 1024, 2**50),
            alert_webhook_url=read.webhook_url("ALERT_WEBHOOK_URL"),
            data_dir=Path(read.text("ADAPTER_DATA_DIR") or ".adapter"),
        )
        if "secrets" in need:
            # An allow-list under a misspelt platform would leave the real one open to every shop.
            for platform in sorted(settings.shops.keys() - read.platforms("_WEBHOOK_SECRET")):
                name = platform.upper()
                read.problems.append(f"{name}_SHOPS is set, but {name}_WEBHOOK_SECRET is not.")
        if read.problems:
            raise SettingsError(read.problems)
        return settings

    def is_placeholder(self, email: str) -> bool:
        """Whether an address is nobody's own: a till's, a marketplace's."""
        found = self.placeholder_emails
        return bool(found) and (email in found or "@" + email.rpartition("@")[2] in found)


def shipped(name: Literal["mappings", "fixtures"]) -> Path:
    """The directory of shipped mappings or fixtures: in the wheel, or in the checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "_shipped" / name
    # The wheel's own comes first: beside an installed package stand other people's directories.
    return inside if inside.is_dir() else package.parent / name


class _Reader:
    """Reads single variables and gathers what is wrong with them in `problems`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`, whatever its case."""
        text = self.text(name)
        for value in allowed:
            if text is not None and text.casefold() == value.casefold():
                return value
        if text is not None:
            self.problems.append(f"{name} must be one of {', '.join(allowed)}, not {text!r}.")
        return default

    def flag(self, name: str) -> bool:
        """Whether something is switched on; off where nothing is said."""
        return self.choice(name, "off", (*ON, *OFF)) in ON

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        # int() would also take "1_000", "+5" and digits of other scripts.
        if re.fullmatch("[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        self.problems.append(f"{name} must be a whole number from {least} to {most}, not {text!r}.")
        return default

    def number(self, name: str, default: _Default) -> float | _Default:
        """A number above 0, whole or decimal."""
        text = self.text(name)
        if text is None:
            return default
        # float() would also take "1e9", "nan" and "inf".
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) and float(text) > 0:
            return float(text)
        self.problems.append(f"{name} must be a number above 0, not {text!r}.")
        return default

    def size(self, name: str, default: int, least: int, most: int) -> int:
        """Bytes, as a whole number that may have a unit behind it: 268435456, 256MiB, 1 GB."""
        text = self.text(name)
        if text is None:
            return default
        found = re.fullmatch(r"([0-9]{1,18}) ?([A-Z]*)", text.upper()) if text.isascii() else None
        unit = UNITS.get(found[2]) if found else None
        if found and unit and least <= int(found[1]) * unit <= most:
            return int(found[1]) * unit
        self.problems.append(
            f"{name} must be a number of bytes from {least} to {most}, "
            f"such as 268435456, 256MiB or 1GB, not {text!r}."
        )
        return default

    def redis_url(self, *, needed: bool) -> str | None:
        text = self.text("REDIS_URL")
        if text is None:
            if needed:
                self.problems.append("REDIS_URL is not set.")
            return None
        base = ""
        try:
            url = urlsplit(text)
            sound = bool(url.path) if url.scheme == "unix" else bool(url.hostname)
            sound = sound and url.port != 0
            # The library takes what it cannot read for database 0, where others' keys may be.
            base = "".join(parse_qs(url.query, keep_blank_values=True).get("db", ()))
            base = base or ("" if url.scheme == "unix" else url.path.removeprefix("/"))
        except ValueError:
            sound = False
        if not text.startswith(("redis://", "rediss://", "unix://")):
            self.problems.append("REDIS_URL must start with redis://, rediss:// or unix://.")
        elif not sound:
            self.problems.append(
                "REDIS_URL must name a host, with a port from 1 to 65535 if any, "
                "or for unix:// a path."
            )
        elif not re.fullmatch("[0-9]{0,9}", base):
            # It is not repeated: a password with a slash in it would stand there.
            self.problems.append(
                "REDIS_URL: behind host and port stands the number of a database, as in "
                "redis://host:6379/0, or nothing; a slash in a password is written %2F."
            )
        return text

    def credentials(self, *, needed: bool) -> tuple[str | None, str | None]:
        """Site id and API key. One without the other is a fault even where neither is needed:
        `run` would take the sandbox for what was meant to be the real workspace."""
        names = ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_API_KEY")
        site_id, api_key = values = (self.text(names[0]), self.text(names[1]))
        for name, value in zip(names, values, strict=True):
            if value is None and (needed or any(values)):
                self.problems.append(f"{name} is not set.")
            elif value is not None and not re.fullmatch("[!-9;-~]+", value):
                self.problems.append(
                    f"{name} must be plain letters, digits and signs, without blanks or colons."
                )
        return site_id, api_key

    def track_url(self) -> str | None:
        text = self.text("CUSTOMERIO_TRACK_URL")
        if text is None:
            return None
        url = _web_address(text)
        if url is None or url.username is not None or url.query or url.fragment:
            self.problems.append(
                "CUSTOMERIO_TRACK_URL must be an http:// or https:// address "
                "without user, query and fragment."
            )
        return text.rstrip("/")

    def webhook_url(self, name: str) -> str | None:
        """An address with a path that is a secret: no message repeats it."""
        text = self.text(name)
        if text is None:
            return None
        if _web_address(text) is None or re.search(r"\s", text):
            self.problems.append(f"{name} must be an http:// or https:// address.")
        return text

    def platforms(self, suffix: str) -> dict[str, str]:
        """Platform in lower case ─▶ name of its variable that ends in `suffix` and is not blank."""
        pattern = re.compile(f"([A-Z][A-Z0-9_]*){suffix}")
        matches = (pattern.fullmatch(name) for name in sorted(self.environ))
        return {m[1].lower(): m[0] for m in matches if m and self.text(m[0])}

    def parts(self, name: str) -> list[str]:
        """The comma-separated elements of `name`; an empty one is a fault."""
        parts = [part.strip() for part in (self.text(name) or "").split(",")]
        if not all(parts):
            self.problems.append(f"{name} holds an empty element between its commas.")
        return [part for part in parts if part]

    def emails(self, name: str) -> frozenset[str]:
        """Addresses and domains (`@pos.example`), in lower case."""
        parts = self.parts(name) if self.text(name) else []
        for part in parts:
            if "@" not in part or re.search(r"\s", part) or part.endswith("@"):
                self.problems.append(
                    f"{name} must hold addresses or domains such as @pos.example, not {part!r}."
                )
        return frozenset(part.lower() for part in parts)

    def secrets(self, *, needed: bool) -> Mapping[str, tuple[str, ...]]:
        names = self.platforms("_WEBHOOK_SECRET")
        if needed and not names:
            self.problems.append(
                "No webhook secret is set: name the platform, as in SHOPIFY_WEBHOOK_SECRET."
            )
        return MappingProxyType({p: tuple(self.parts(name)) for p, name in names.items()})

    def shops(self) -> Mapping[str, frozenset[str]]:
        shops = {}
        for platform, name in self.platforms("_SHOPS").items():
            parts = self.parts(name)
            for part in parts:
                if "://" in part or re.search(r"\s", part):
                    self.problems.append(f"{name} must hold bare shop domains, not {part!r}.")
            shops[platform] = frozenset(part.lower() for part in parts)
        return MappingProxyType(shops)

    def mappings_dirs(self) -> tuple[Path, ...]:
        text = self.text("MAPPINGS_DIR")
        if text is None:
            return ()
        dirs = tuple(Path(part) for part in text.split(":") if part)
        if not dirs:
            self.problems.append(f"MAPPINGS_DIR names no directory: {text!r}.")
        self.problems.extend(
            f"MAPPINGS_DIR: {str(path)!r} is not a directory." for path in dirs if not path.is_dir()
        )
        return dirs


def _web_address(text: str) -> SplitResult | None:
    """The parts of an address that can be asked over HTTP; None where it is none."""
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    return url if sound else None
