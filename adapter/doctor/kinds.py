"""Everything that can be found, in words: what it means and how to mend it.

A text's `{names}` are filled in with facts: ids, names, counts and times, never secrets and never
anything about a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Level = Literal["ok", "hint", "warning", "broken"]

SUBJECTS: Final = (
    "settings",
    "secrets",
    "Redis",
    "mappings",
    "Customer.io",
    "delivery",
    "topics",
    "drift",
)
"""What is looked at, in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `mend` is empty where nothing is to be done."""

    level: Level
    subject: str
    name: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding; `text` and `mend` hold `{names}` of facts."""

    name: str
    level: Level
    subject: str
    text: str
    mend: str = ""


_KINDS: Final = (
    Kind(
        "setting-wrong", "broken", "settings", "{problem}",
        "Set it right in the environment of both web and worker, then start them again; "
        "docs/configuration.md lists every variable.",
    ),
    Kind(
        "embedded", "hint", "settings",
        "an embedded server runs in {directory}: `adapter run` or `adapter up` serves here, with "
        "secrets and credentials of its own, which are not looked at. `adapter run` without "
        "credentials delivers to a sandbox, not to Customer.io.",
        "Nothing, for a trial. To look at secrets and credentials, run `adapter doctor` with the "
        "variables of web and worker.",
    ),
    Kind(
        "dry-run", "warning", "settings",
        "DRY_RUN is on: nothing is sent to Customer.io, and all of it is kept as if it had been.",
        "Unset DRY_RUN to deliver, and begin with an empty Redis: what a dry run has kept as sent "
        "is not sent again.",
    ),
    Kind(
        "hash-secret", "hint", "settings",
        "HASH_SECRET is not set: whoever can read the names of Redis keys can guess the addresses "
        "and numbers that they were made from.",
        "Set HASH_SECRET to a long random text before the first webhook; setting it later makes "
        "the adapter forget whom it knows by address or number.",
    ),
    Kind(
        "console-alone", "hint", "settings",
        "CONSOLE_PASSWORD is not set: /console/ answers the machine that web runs on alone.",
        "Set it in the environment of web, to something long and random, if the console should be "
        "reachable from elsewhere, and only behind https.",
    ),
    Kind(
        "console-weak", "warning", "settings",
        "CONSOLE_PASSWORD can be guessed: {why}. The console shows personal data, and replays and "
        "drops deliveries.",
        "Set it to something long and random (`openssl rand -base64 24`); everybody is logged out.",
    ),
    Kind(
        "secret-quoted", "broken", "secrets",
        "{variable} stands in quotes, and they count as part of it: no signature can match.",
        "Remove the quotes; not everything that reads an .env file takes them away.",
    ),
    Kind(
        "secret-odd", "broken", "secrets",
        "{variable} holds blanks or characters that no secret is made of.",
        "Copy it anew, without what stands around it.",
    ),
    Kind(
        "secret-placeholder", "broken", "secrets",
        "{variable} is a placeholder, not a secret.",
        "Put in the one that the platform, or Customer.io, shows.",
    ),
    Kind(
        "secret-short", "warning", "secrets",
        "{variable} is only {length} characters long: it can be guessed, or was cut.",
        "Compare it with what the platform shows; a secret of your own should be 32 random "
        "characters or more.",
    ),
    Kind(
        "secret-twice", "hint", "secrets",
        "{variable} holds the same secret twice.",
        "Keep one of them, or put in the one that replaces it.",
    ),
    Kind(
        "secret-stray", "warning", "secrets",
        "{variable} is set, but there is no platform of that name: there is {known}.",
        "Correct the name of the variable, or add the platform to MAPPINGS_DIR.",
    ),
    Kind(
        "redis-none", "broken", "Redis",
        "REDIS_URL is not set, and no embedded server runs in {directory}.",
        "Set REDIS_URL; or start `adapter up` or `adapter run`, which bring a server along.",
    ),
    Kind(
        "redis-gone", "broken", "Redis",
        "Redis does not answer at {address} ({error}): webhooks are refused with 503 until it "
        "does.",
        "See that the server runs, that REDIS_URL is its address, and that TLS (rediss://) is "
        "right.",
    ),
    Kind(
        "redis-refuses", "broken", "Redis",
        "Redis answers at {address}, but refuses ({error}): webhooks are refused with 503 until "
        "it does not.",
        "See that user, password and the number of the database in REDIS_URL are right.",
    ),
    Kind(
        "redis-replica", "broken", "Redis",
        "REDIS_URL leads to a replica, which takes no writes.",
        "Point REDIS_URL at the primary.",
    ),
    Kind(
        "redis-old", "broken", "Redis",
        "Redis is version {version}; 7 or newer is needed.",
        "Upgrade to Redis 7 or newer, or to Valkey.",
    ),
    Kind(
        "redis-policy", "broken", "Redis",
        "maxmemory-policy is {policy}: a full Redis will drop webhooks that were accepted.",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration.",
    ),
    Kind(
        "redis-aof-off", "broken", "Redis",
        "appendonly is off: what was not delivered is lost when Redis restarts.",
        "CONFIG SET appendonly yes, and the same in its configuration; on a hosted Redis choose a "
        "plan that persists.",
    ),
    Kind(
        "redis-aof-fails", "broken", "Redis",
        "Redis cannot write its append-only file.",
        "Look at its log and its disk: it is full, or not writable.",
    ),
    Kind(
        "redis-full", "broken", "Redis",
        "Redis uses {percent} % of its memory: webhooks are refused with 503 until there is room.",
        "Raise maxmemory. If Customer.io is down or delivery is paused, mend that: draining makes "
        "room by itself.",
    ),
    Kind(
        "redis-memory", "warning", "Redis",
        "Redis uses {percent} % of its memory; from 85 % on webhooks are refused with 503.",
        "Raise maxmemory, or lower RETENTION_BYTES and RETENTION_HOURS; look at what is pending.",
    ),
    Kind(
        "redis-unlimited", "warning", "Redis",
        "maxmemory is 0: nothing is refused before the machine itself runs out of memory, and then "
        "the server is killed.",
        "Set maxmemory well below what the machine has.",
    ),
    Kind(
        "redis-evicted", "warning", "Redis",
        "Redis has evicted {count} keys since it was started: deliveries, or the memory of what "
        "was sent, were dropped.",
        "Set maxmemory-policy noeviction. Send the webhooks of that time again; what Customer.io "
        "has already is ignored there.",
    ),
    Kind(
        "redis-slow", "warning", "Redis",
        "a round trip takes {milliseconds} ms; each webhook needs one, each batch several.",
        "Move it nearer: the same machine or the same network.",
    ),
    Kind(
        "redis-clock", "warning", "Redis",
        "the clocks of Redis and of this machine are {seconds} s apart.",
        "Have both set their clocks by NTP: ages and deadlines are taken from one and held against "
        "the other.",
    ),
    Kind(
        "mapping-fault", "broken", "mappings", "{fault}",
        "Correct the file; `adapter check` shows the line.",
    ),
    Kind(
        "mapping-test", "broken", "mappings", "{failure}",
        "Correct the mapping or its test; `adapter check` shows what differs.",
    ),
    Kind(
        "mapping-warnings", "hint", "mappings",
        "warnings about the mapping files: {count}.",
        "`adapter check` shows them.",
    ),
    Kind(
        "credentials", "broken", "Customer.io",
        "Customer.io refuses the credentials ({status}): deliveries wait until they are right.",
        "Copy CUSTOMERIO_SITE_ID and CUSTOMERIO_API_KEY anew from the API credentials in "
        "Customer.io's settings, Track API keys (an App API key is another thing).",
    ),
    Kind(
        "region", "broken", "Customer.io",
        "CUSTOMERIO_REGION is {wrong}, but the account is in {right}: deliveries wait.",
        "Set CUSTOMERIO_REGION={right}.",
    ),
    Kind(
        "api-gone", "broken", "Customer.io",
        "{host} takes no requests ({reason}): deliveries wait until it does.",
        "See that this machine may reach it on port 443, and whether Customer.io has an outage "
        "(status.customer.io).",
    ),
    Kind(
        "api-strange", "warning", "Customer.io",
        "{host} answers, but not as Customer.io does ({reason}).",
        "See that CUSTOMERIO_TRACK_URL, or a proxy on the way, leads to the Track API.",
    ),
    Kind(
        "api-other", "warning", "Customer.io",
        "deliveries go to {host}, which is not Customer.io.",
        "Unset CUSTOMERIO_TRACK_URL, unless this is a test.",
    ),
    Kind(
        "no-probe", "hint", "Customer.io",
        "credentials and region were not tried ({why}).",
        "Run `adapter doctor` without --offline, with the worker's variables.",
    ),
    Kind(
        "email-updates", "hint", "Customer.io",
        "whether the workspace lets addresses change cannot be read from here; where it does not, "
        "who changes theirs in the store keeps the old one, and no error tells.",
        "See that \"Allow updates to email using ID\" is on in the settings of the workspace.",
    ),
    Kind(
        "worker-none", "broken", "delivery",
        "no worker listens, and none gave a sign of life lately: nothing is delivered.",
        "Start `adapter worker` (or `adapter up`) with the same REDIS_URL.",
    ),
    Kind(
        "worker-deaf", "warning", "delivery",
        "a worker gave a sign of life {ago} s ago, but none listens now: it has ended, or is only "
        "just starting.",
        "Run `adapter doctor` again in a minute; if it still says so, look at the worker's log.",
    ),
    Kind(
        "worker-silent", "broken", "delivery",
        "a worker is registered, but gave no sign of life for {ago} s: it was killed, or it hangs.",
        "Start it again, and look at its log for why.",
    ),
    Kind(
        "workers-mixed", "broken", "delivery",
        "workers with and without DRY_RUN share this Redis: some deliveries are sent, others are "
        "only kept as sent.",
        "Stop one kind of them; give a dry run a Redis, or a database number, of its own.",
    ),
    Kind(
        "rehearsed", "warning", "delivery",
        "a dry run has used this Redis: what it kept as sent then is not sent again, and what it "
        "believes Customer.io to know of people is not known there.",
        "Begin with an empty Redis when a dry run ends. Where that is known and meant, `HDEL "
        "adapter:default:mode dry` ends this word.",
    ),
    Kind(
        "paused", "broken", "delivery",
        "delivery is paused: {reason}.",
        "Mend credentials or region; it resumes by itself within a minute.",
    ),
    Kind(
        "pending-stuck", "broken", "delivery",
        "{pending} pending, the oldest for {age}.",
        "`adapter status` tells the last error. Nothing is lost: it goes out once the cause is "
        "mended.",
    ),
    Kind(
        "pending-old", "warning", "delivery",
        "{pending} pending, the oldest for {age}.",
        "`adapter status --watch` tells whether they become fewer, and the last error.",
    ),
    Kind(
        "dead", "warning", "delivery",
        "{count} dead: refused by Customer.io, and kept.",
        "`adapter dead list` tells why; replay or drop them.",
    ),
    Kind(
        "parked", "warning", "delivery",
        "{count} parked: they could not be mapped, and are kept.",
        "Mend the mapping that the reason names, then `adapter replay --parked`.",
    ),
    Kind(
        "nothing-came", "hint", "delivery",
        "no webhook has come in yet.",
        "`adapter topics --url https://<your host>` says what to enter in the store's admin.",
    ),
    Kind(
        "topics-unseen", "hint", "topics",
        "never came from {platform}: {topics}.",
        "If you want their events, subscribe to them: `adapter topics --url https://<your host>`.",
    ),
    Kind(
        "drift", "warning", "drift",
        "{property} of {event} ({topic}) {why}.",
        "Did the store's theme, an app or the API's version change? `adapter status --drift` shows "
        "the shares; change the path in the mapping if the value moved.",
    ),
    Kind("settings-ok", "ok", "settings", "every variable that is set can be read."),
    Kind("secrets-ok", "ok", "secrets", "{count} set, for {platforms}."),
    Kind("redis-ok", "ok", "Redis", "version {version} answers in {milliseconds} ms, {memory}."),
    Kind("mappings-ok", "ok", "mappings", "{topics} topics, {tests} tests hold."),
    Kind("api-ok", "ok", "Customer.io", "{host} takes the credentials, region {region}."),
    Kind("delivery-ok", "ok", "delivery", "{workers}; {pending} pending."),
    Kind("topics-ok", "ok", "topics", "every topic that feeds an event came in at least once."),
    Kind("drift-ok", "ok", "drift", "none of {count} properties drifts."),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""By name, in the order of the documentation."""


def found(kind: str, /, **facts: object) -> Finding:
    """A finding of a kind, with its facts filled in."""
    which = KINDS[kind]
    text, mend = which.text.format(**facts), which.mend.format(**facts)
    return Finding(which.level, which.subject, which.name, text, mend)
