"""`adapter run`: everything on one machine, with the sample story played through it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.table import Table

from adapter.app import check_mappings, load_profiles, mappings_layers
from adapter.embedded import EmbeddedRedis
from adapter.errors import SettingsError
from adapter.processes import commands, free_port
from adapter.settings import Settings, shipped
from adapter.story import PLATFORM, Story, tell, timeline
from adapter.supervisor import Command, Supervisor

SAMPLE_SECRET = "sample-secret"  # noqa: S105 - signs the sample story on this machine only
SITE_ID, API_KEY = "sandbox-site", "sandbox-key"
START_SECONDS = 30.0
ARRIVE_SECONDS = 20.0


def demo(settings: Settings, *, port: int, once: bool) -> int:
    """Start everything, play the story, serve until Ctrl-C; with `once`, end after the story.

    The story goes to the sandbox or to a stand-in on this machine, never to a real workspace.
    Returns the exit code: 1 when something of the story did not arrive.
    """
    console = Console(highlight=False, soft_wrap=True)
    check_mappings(settings)
    real = settings.customerio_site_id is not None and not _is_local(settings.customerio_track_url)
    if real and once:
        raise SettingsError(
            ["--once plays the sample story, which is not for a real Customer.io workspace."]
        )
    # The story can be cut short as well as the serving after it. The handler only takes note: an
    # exception that it raised would be lost where it comes up in a destructor.
    asked = threading.Event()
    heard = 0

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard == 1:
            asked.set()
        elif heard > 2:
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    with ExitStack() as stack:
        return _run(settings, free_port(port), once, real, console, stack, asked)


def _run(
    settings: Settings,
    port: int,
    once: bool,
    real: bool,
    console: Console,
    stack: ExitStack,
    asked: threading.Event,
) -> int:
    logs = _logs(settings.data_dir)
    bind = f"127.0.0.1:{port}"
    environ = {**os.environ, "PORT": str(port)}
    if settings.redis_url is None:
        redis = stack.enter_context(EmbeddedRedis(settings.data_dir))
        environ["REDIS_URL"] = redis.url
        console.print(f"embedded Valkey   keeps its data in {settings.data_dir}")
    secrets = settings.secrets.get(PLATFORM, (SAMPLE_SECRET,))
    environ[f"{PLATFORM.upper()}_WEBHOOK_SECRET"] = ",".join(secrets)
    api = settings.customerio_track_url
    if not real and settings.dry_run:
        # Nothing of the story would arrive, and nothing of it is anybody's.
        environ["DRY_RUN"] = "off"
        console.print("DRY_RUN           set aside: the story goes to a stand-in anyway")
    sandbox: list[Command] = []
    if settings.customerio_site_id is None:
        sandbox_port = free_port(0)
        api = f"http://127.0.0.1:{sandbox_port}"
        environ |= {
            "CUSTOMERIO_SITE_ID": SITE_ID,
            "CUSTOMERIO_API_KEY": API_KEY,
            "CUSTOMERIO_TRACK_URL": api,
        }
        argv = [sys.executable, "-m", "adapter", "sandbox", "--port", str(sandbox_port)]
        sandbox = [Command("sandbox", argv, env=environ, output=logs)]
        console.print(f"sandbox           stands in for Customer.io at {api}/_sandbox/people")
    supervisor = stack.enter_context(Supervisor([*commands(environ, logs, bind), *sandbox]))
    url = f"http://127.0.0.1:{port}"
    if not _waits_for(lambda: asked.is_set() or _answers(f"{url}/readyz"), START_SECONDS):
        raise SettingsError([f"the web process did not start, see {logs}"])
    if asked.is_set():
        return 0
    console.print(f"webhooks          {url}/webhooks/{PLATFORM}")
    console.print(f"logs              {logs}\n")
    complete = True
    if real:
        console.print("Customer.io credentials are set, so the sample story is not played.")
    else:
        complete = _play(url, api, secrets[0], settings, console, asked)
    if asked.is_set():
        return 0
    if once:
        return 0 if complete else 1
    console.print(
        "\nServing until Ctrl-C. Try: adapter send, adapter status (in a second terminal)."
    )
    return supervisor.wait(asked)


def _play(
    url: str, api: str, secret: str, settings: Settings, console: Console, asked: threading.Event
) -> bool:
    """Send every chapter twice, wait for what must come of it, and show it."""
    story = tell(shipped("fixtures"), datetime.now(UTC))
    platform = load_profiles(mappings_layers(settings))[PLATFORM]
    sent = Table("webhook", "sent", "answer", title="What the store sent", title_justify="left")
    complete = True
    with requests.Session() as session:
        for chapter in story.chapters:
            if asked.is_set():
                return False
            headers = {
                "Content-Type": "application/json",
                **platform.headers_for(chapter.delivery),
                **platform.sign(chapter.body, secret),
            }
            for note, expected in (("", "accepted"), ("again, as a retry", "duplicate")):
                answer = session.post(
                    f"{url}/webhooks/{PLATFORM}", data=chapter.body, headers=headers, timeout=10
                )
                outcome = answer.json().get("outcome", answer.text)
                complete = complete and outcome == expected
                sent.add_row(chapter.delivery.topic, note, f"{answer.status_code} {outcome}")
    console.print(sent)

    def arrived() -> bool:
        return asked.is_set() or not story.missing(_person(api, story))

    told = _waits_for(arrived, ARRIVE_SECONDS)
    if asked.is_set():
        return False
    person = _person(api, story)
    if person is not None:
        _show(person, console)
    for problem in story.missing(person):
        console.print(f"MISSING {problem}")
    if told and complete:
        console.print("\nThe story arrived whole: each event once, retries and all.")
    return told and complete


def _show(person: Mapping[str, Any], console: Console) -> None:
    name = f"Person {person['id']} as Customer.io has them"
    attributes = Table("attribute", "value", title=name, title_justify="left")
    for attribute in ("email", "phone"):
        attributes.add_row(attribute, str(person.get(attribute)))
    for attribute, value in sorted(person["attributes"].items()):
        attributes.add_row(attribute, str(value))
    console.print(attributes)
    events = Table("time (UTC)", "event", "", title="Their timeline", title_justify="left")
    for row in timeline(person):
        events.add_row(*row)
    console.print(events)


def _person(api: str, story: Story) -> dict[str, Any] | None:
    try:
        answer = requests.get(f"{api}/_sandbox/people", params={"id": story.person}, timeout=5)
        people = answer.json()["people"]
    except (requests.RequestException, ValueError, KeyError):
        return None
    return next((person for person in people if person["id"] == story.person), None)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _waits_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _logs(data_dir: Path) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    return data_dir / "adapter.log"
