"""What is found in which facts; and that all that can be found is shown here or in test_doctor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.destinations.base import Request, Response
from adapter.doctor import KINDS, SUBJECTS, Finding, destination, found, progress, server, variables
from adapter.drift import Finding as Drifting
from adapter.drift import Share
from adapter.errors import RetryLater, SettingsError
from adapter.settings import TRACK_URLS, Settings
from adapter.store.health import Server
from adapter.store.mode import FRESH_SECONDS, Mode

PAGE = Path(__file__).parent.parent.parent / "docs" / "doctor.md"
NOW = 1_767_225_600.0
GOOD = "5f2d8a0c3b1e4f6795ad02c4e8b7d613"
SOUND = Server(used=10, limit=100, seconds=0.0004)
CALM: dict[str, Any] = {
    **dict.fromkeys(("accepted", "duplicate", "ignored", "sent"), 7),
    **dict.fromkeys(("parked", "pending", "dead", "waiting"), 0),
    "oldest_pending_seconds": None,
    "paused": False,
    "last_error": None,
}

BY_THE_COMMAND = {
    *("settings-ok", "redis-none", "mapping-fault", "mapping-test", "mapping-warnings"),
    *("mappings-ok", "no-probe", "redis-gone", "redis-refuses", "embedded"),
}
"""Found where facts are gathered: tests/cli/test_doctor.py."""


def settings(*secrets: str, **fields: Any) -> Settings:
    held = {"hash_secret": "h", "console_password": GOOD, **fields}
    return Settings(secrets={"shopify": secrets} if secrets else {}, **held)


def looks(*held: str, **fields: Any) -> list[Finding]:
    return variables.secrets(settings(*held, **fields), ["shopify"])


def delivery(mode: Mode | None = None, workers: int = 1, here: bool = False, **status: Any) -> Any:
    mode = Mode(real=NOW - 1) if mode is None else mode
    return progress.delivery({**CALM, **status}, mode, [NOW] * workers, now=NOW, here=here)


def asking(*answers: Response | Exception) -> Callable[[str, Request], Response]:
    """Answers one after the other, whatever host is asked."""
    left = list(answers)

    def ask(url: str, request: Request) -> Response:
        assert request == Request("GET", "/api/v1/accounts/region", b"")
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def answer(status: int, body: bytes = b"{}") -> Response:
    return Response(status, {}, body)


def tried(*answers: Response | Exception, **fields: Any) -> list[Finding]:
    return destination.customerio(settings(**fields), asking(*answers))


US, EU = (answer(200, b'{"url":"","region":"%b","environment_id":1}' % at) for at in (b"us", b"eu"))
SILENT = RetryLater("no answer: ConnectTimeout")
ELSEWHERE = {"customerio_track_url": "http://127.0.0.1:1"}


def share(events: int, present: int) -> Share:
    return Share(events, present, 0)


def property_(why: str | None) -> Drifting:
    now, before = share(100, 1), share(100, 99)
    return Drifting("order_completed", "shopify orders/create", "phone", now, before, why, True)


CASES: list[tuple[str, Callable[[], list[Finding]], list[str]]] = [
    ("settings", lambda: variables.settings(settings()), []),
    ("no hash secret", lambda: variables.settings(settings(hash_secret="")), ["hash-secret"]),
    (
        "no password",
        lambda: variables.settings(settings(console_password=None)),
        ["console-alone"],
    ),
    (
        "a short one",
        lambda: variables.settings(settings(console_password="x7Gh2-9k-3q")),
        ["console-weak"],
    ),
    (
        "one that is long enough",
        lambda: variables.settings(settings(console_password="x7Gh2-9k-3q!")),
        [],
    ),
    (
        "one that everybody tries",
        lambda: variables.settings(settings(console_password="change-me-please")),
        ["console-weak"],
    ),
    ("a dry run", lambda: variables.settings(settings(dry_run=True)), ["dry-run"]),
    (
        "problems",
        lambda: variables.wrong(SettingsError(["A is not set.", "B is odd."])),
        ["setting-wrong", "setting-wrong"],
    ),
    ("secrets", lambda: looks(GOOD, GOOD[::-1]), ["secrets-ok"]),
    ("no secrets, as a worker has", looks, []),
    ("quotes", lambda: looks(f'"{GOOD}"'), ["secret-quoted"]),
    ("half a quote", lambda: looks(f"{GOOD}'"), ["secret-quoted"]),
    ("a blank inside", lambda: looks(GOOD + " " + GOOD), ["secret-odd"]),
    ("something invisible", lambda: looks(GOOD + "\u200b"), ["secret-odd"]),
    ("short", lambda: looks("x7Gh2"), ["secret-short"]),
    ("twice", lambda: looks(GOOD, GOOD), ["secret-twice"]),
    (
        "a platform that nobody knows",
        lambda: variables.secrets(settings(GOOD), ["woocommerce"]),
        ["secret-stray"],
    ),
    ("platforms that are not known", lambda: variables.secrets(settings(GOOD)), ["secrets-ok"]),
    (
        "credentials",
        lambda: looks(customerio_site_id="site-1", customerio_api_key='"key"'),
        ["secret-quoted"],
    ),
    ("a good server", lambda: server.redis(SOUND), ["redis-ok"]),
    ("a replica", lambda: server.redis(replace(SOUND, is_replica=True)), ["redis-replica"]),
    ("an old one", lambda: server.redis(replace(SOUND, version=(6, 2, 14))), ["redis-old"]),
    ("of unknown age", lambda: server.redis(replace(SOUND, version=())), ["redis-ok"]),
    ("evicting", lambda: server.redis(replace(SOUND, policy="allkeys-lru")), ["redis-policy"]),
    ("forgetful", lambda: server.redis(replace(SOUND, aof=False)), ["redis-aof-off"]),
    ("disk full", lambda: server.redis(replace(SOUND, aof_writes=False)), ["redis-aof-fails"]),
    ("60 %", lambda: server.redis(replace(SOUND, used=60)), ["redis-ok"]),
    ("61 %", lambda: server.redis(replace(SOUND, used=61)), ["redis-memory"]),
    ("85 %", lambda: server.redis(replace(SOUND, used=85)), ["redis-full"]),
    ("no limit", lambda: server.redis(replace(SOUND, limit=0)), ["redis-unlimited"]),
    ("has evicted", lambda: server.redis(replace(SOUND, evicted=3)), ["redis-evicted"]),
    ("far away", lambda: server.redis(replace(SOUND, seconds=0.08)), ["redis-slow"]),
    ("clock before", lambda: server.redis(replace(SOUND, ahead=61.0)), ["redis-clock"]),
    ("clock behind", lambda: server.redis(replace(SOUND, ahead=-61.0)), ["redis-clock"]),
    ("Customer.io", lambda: tried(US), ["api-ok"]),
    ("refused by both", lambda: tried(answer(401), answer(401)), ["credentials"]),
    ("the other is silent", lambda: tried(answer(401), SILENT), ["credentials"]),
    ("known in the other region", lambda: tried(answer(401), EU), ["region"]),
    ("redirected", lambda: tried(answer(302), EU), ["region"]),
    ("in the other region", lambda: tried(EU), ["region"]),
    ("silence", lambda: tried(SILENT), ["api-gone"]),
    ("an outage", lambda: tried(answer(503)), ["api-gone"]),
    ("a web page", lambda: tried(answer(200, b"<html>")), ["api-strange"]),
    ("nothing", lambda: tried(answer(200, b"")), ["api-strange"]),
    ("a list", lambda: tried(answer(200, b"[]")), ["api-strange"]),
    ("another planet", lambda: tried(answer(200, b'{"region":"mars"}')), ["api-strange"]),
    ("no such page", lambda: tried(answer(404)), ["api-strange"]),
    ("a stand-in", lambda: tried(US, **ELSEWHERE), ["api-other", "api-ok"]),
    # Only one answer is there: nobody else is asked.
    ("a stand-in refuses", lambda: tried(answer(401), **ELSEWHERE), ["api-other", "credentials"]),
    ("what cannot be read", destination.reminders, ["email-updates"]),
    ("all is well", delivery, ["delivery-ok"]),
    ("nobody", lambda: delivery(Mode(), 0), ["worker-none"]),
    ("long gone", lambda: delivery(Mode(real=NOW - FRESH_SECONDS), 0), ["worker-none"]),
    ("just gone", lambda: delivery(Mode(real=NOW - 2), 0), ["worker-deaf"]),
    ("just begun", lambda: delivery(Mode(), 1), ["delivery-ok"]),
    ("killed", lambda: delivery(Mode(real=NOW - FRESH_SECONDS), 1), ["worker-silent"]),
    ("both kinds", lambda: delivery(Mode(real=NOW - 2, dry=NOW - 1), 2, True), ["workers-mixed"]),
    ("a dry run is told of", lambda: delivery(Mode(dry=NOW - 1)), ["dry-run"]),
    ("as is known here", lambda: delivery(Mode(dry=NOW - 1), here=True), ["delivery-ok"]),
    ("after a dry run", lambda: delivery(Mode(real=NOW - 1, dry=NOW - 9999)), ["rehearsed"]),
    ("paused", lambda: delivery(paused=True, oldest_pending_seconds=9e9), ["paused"]),
    ("a while", lambda: delivery(pending=1, oldest_pending_seconds=60.0), ["delivery-ok"]),
    ("long", lambda: delivery(pending=1, oldest_pending_seconds=61.0), ["pending-old"]),
    ("very long", lambda: delivery(pending=1, oldest_pending_seconds=3601.0), ["pending-stuck"]),
    ("dead and parked", lambda: delivery(dead=2, parked=3), ["dead", "parked"]),
    (
        "the first day",
        lambda: delivery(accepted=0, duplicate=0, ignored=0),
        ["delivery-ok", "nothing-came"],
    ),
    ("no topic yet", lambda: progress.topics({"shopify": ["a"]}, []), []),
    ("no platform in use", lambda: progress.topics({}, [("woo", "a")]), []),
    (
        "a topic of another platform",
        lambda: progress.topics({"shopify": ["a"]}, [("woo", "a")]),
        ["topics-unseen"],
    ),
    (
        "all topics",
        lambda: progress.topics({"shopify": ["a"]}, [("shopify", "a"), ("shopify", "b")]),
        ["topics-ok"],
    ),
    ("drifting", lambda: progress.drift([property_("fell"), property_(None)]), ["drift"]),
    ("steady", lambda: progress.drift([property_(None)]), ["drift-ok"]),
]


@pytest.mark.parametrize(
    ("look", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_found(look: Callable[[], list[Finding]], expected: list[str]) -> None:
    findings = look()
    assert [each.name for each in findings] == expected
    for each in findings:
        assert each.text.endswith(".")
        assert "{" not in each.text
        assert each.subject in SUBJECTS
        assert bool(each.mend) == (each.level != "ok")
        assert GOOD not in each.text, "a secret"


@pytest.mark.parametrize(
    "text",
    ["changeme", "<secret>", "your-secret", "xxxx", "...", "sample-secret", "Secret", "0000"],
)
def test_a_placeholder_is_no_secret(text: str) -> None:
    assert [each.name for each in looks(text)] == ["secret-placeholder"]


def test_every_kind_of_finding_is_shown_to_be_found() -> None:
    shown = {name for _, _, expected in CASES for name in expected}
    assert shown | BY_THE_COMMAND | {"secret-placeholder"} == set(KINDS)


def test_the_right_region_is_named() -> None:
    (finding,) = tried(answer(401), EU)
    assert finding.mend == "Set CUSTOMERIO_REGION=eu."
    (finding,) = tried(US, customerio_region="eu", customerio_track_url=TRACK_URLS["eu"])
    assert finding.mend == "Set CUSTOMERIO_REGION=us."


def test_only_the_two_hosts_of_customerio_see_the_credentials() -> None:
    asked: list[str] = []

    def ask(url: str, request: Request) -> Response:
        asked.append(url)
        return answer(401)

    destination.customerio(settings(), ask)
    assert asked == list(TRACK_URLS.values())
    asked.clear()
    destination.customerio(settings(**ELSEWHERE), ask)
    assert asked == [ELSEWHERE["customerio_track_url"]]


def test_many_topics_are_not_all_named() -> None:
    names = [f"t/{number:02}" for number in range(20)]
    (finding,) = progress.topics({"shopify": names}, [("shopify", "other")])
    assert finding.text == f"never came from shopify: {', '.join(names[:12])} and 8 more."


def test_the_page_has_a_row_for_every_finding() -> None:
    """Word for word, so that who looks one up finds it."""
    wanted = [
        f"| `{kind.name}` | {kind.level} | {kind.text} | {kind.mend} |"
        for kind in KINDS.values()
        if kind.mend
    ]
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert rows == wanted


def test_a_fact_that_is_forgotten_is_no_finding() -> None:
    with pytest.raises(KeyError):
        found("redis-policy")
