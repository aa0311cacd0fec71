"""What a storm passes over: a whole adapter with its Valkey, its sandbox and its load."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests
from edge.lab import (
    Lab,
    Process,
    Sandbox,
    Valkey,
    Web,
    Workspace,
    destination,
    until,
)
from ports import free_port
from redis import Redis
from redis.exceptions import RedisError

from adapter.errors import StoreError

from .link import Link
from .load import Load
from .oracle import Break

HOOKS = Path(__file__).parent / "hooks"
KEPT_REQUESTS = 200_000

# A backoff or a pause that lasts longer than ARGV[1] ms ends by then; with ARGV[2] "1" a pause does
# not. Another flush's lease ("run:", "job:") is left alone: whether that ends by itself is what the
# storms are for.
_HURRY = """
local lease = KEYS[1]
if ARGV[2] == '1' and redis.call('HGET', KEYS[2], 'paused') == '1' then
  return 0
end
if string.sub(redis.call('GET', lease) or '', 1, 5) == 'wait:'
    and redis.call('PTTL', lease) > tonumber(ARGV[1]) then
  redis.call('PEXPIRE', lease, ARGV[1])
  return 1
end
return 0
"""


_KEYS = ("adapter:default:lease", "adapter:default:trouble")


@dataclass(slots=True)
class Ground:
    """Processes, connections and the load; what a storm does to them is noted in `breaks`."""

    lab: Lab
    valkey: Valkey
    redis: Redis
    workspace: Workspace
    sandbox: Sandbox
    to_api: Link
    to_redis: Link
    chance: random.Random
    long: bool
    poison: Sequence[Mapping[str, Any]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    clock: Path | None = None
    web: Web | None = None
    workers: list[Process] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load: Load | None = None
    _patience: str = ""

    @classmethod
    @contextmanager
    def open(
        cls,
        home: Path,
        chance: random.Random,
        *,
        long: bool,
        workers: int,
        poison: Sequence[Mapping[str, Any]],
        **env: str,
    ) -> Iterator[Self]:
        """`env` is for the web process and the workers."""
        with ExitStack() as stack:
            valkey = stack.enter_context(Valkey(home / "valkey"))
            redis = stack.enter_context(valkey.client())
            to_redis = stack.enter_context(Link(("127.0.0.1", valkey.port)))
            url = f"redis://127.0.0.1:{to_redis.port}/0"
            lab = stack.enter_context(Lab(home, REDIS_URL=url, WEB_CONCURRENCY="2"))
            sandbox = stack.enter_context(_sandbox(lab))
            to_api = stack.enter_context(Link(("127.0.0.1", int(sandbox.url.rpartition(":")[2]))))
            clock = home / "clock"
            ground = cls(
                lab=lab,
                valkey=valkey,
                redis=redis,
                workspace=Workspace(redis),
                sandbox=sandbox,
                to_api=to_api,
                to_redis=to_redis,
                chance=chance,
                long=long,
                poison=poison,
                env={**env, "PYTHONPATH": str(HOOKS), "CLOCK_FILE": str(clock)},
                clock=clock,
            )
            ground.weather()
            ground.web = lab.web(port=free_port(), **ground.env)
            url = f"http://127.0.0.1:{to_api.port}"
            ground.workers = [lab.worker(url, **ground.env) for _ in range(workers)]
            stack.enter_context(ground._hurrying())
            yield ground

    # --- Customer.io ---

    def weather(self, *faults: Mapping[str, Any]) -> None:
        """From now on; what is poison stays it, behind these."""
        self.sandbox.fail(*map(dict, faults), *map(dict, self.poison))

    def climate(self, *faults: Mapping[str, Any]) -> None:
        """The same behind what is poison."""
        self.sandbox.fail(*map(dict, self.poison), *map(dict, faults))

    def is_used_up(self) -> bool:
        """Whether the last weather has happened."""
        answer = requests.get(f"{self.sandbox.url}/_sandbox/faults", timeout=10)
        return all(fault["times"] < 0 for fault in answer.json()["faults"])

    def used_up(self, seconds: float = 180) -> None:
        until(self.is_used_up, "the faults have happened", seconds)

    # --- processes ---

    def kill_worker(self, number: signal.Signals) -> None:
        """One of them, and another takes its place at once."""
        place = self.chance.randrange(len(self.workers))
        with self.breaking():
            if number == signal.SIGKILL:
                self.workers[place].kill()
            else:
                _ends(self.workers[place])
        self.workers[place] = self._worker()

    def kill_web(self, whom: str) -> None:
        """A gunicorn worker, its master or all of it, or all of it politely."""
        assert self.web is not None
        process = self.web.process
        if whom == "child":
            with suppress(ProcessLookupError, IndexError):
                os.kill(self.chance.choice(process.children), signal.SIGKILL)
            return
        if whom == "politely":
            _ends(process)
        elif whom == "master":
            process.signal(signal.SIGKILL)
            process.wait()
            until(lambda: not process.group(), "its workers go too")
        process.kill()
        port = self.web.address[1]
        self.web.process = self.lab.adapter("web", "--port", str(port), **self._web_env())

    def _web_env(self) -> dict[str, str]:
        return {"SHOPIFY_WEBHOOK_SECRET": "edge-secret", **self.env}

    def _worker(self) -> Process:
        url = f"http://127.0.0.1:{self.to_api.port}"
        return self.lab.adapter("worker", **destination(url), **self.env)

    # --- time ---

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """Whatever is answered meanwhile may get lost."""
        begin = time.time()
        try:
            yield
        finally:
            self.breaks.append(Break(begin, time.time()))

    @contextmanager
    def patient(self, about: str = "") -> Iterator[None]:
        """Pauses and backoffs take as long as they do, or pauses alone ("pauses")."""
        self._patience = about or "all"
        try:
            yield
        finally:
            self._patience = ""

    def pause(self, least: float, most: float) -> None:
        """How long something lasts; not a way to wait for anything."""
        time.sleep(self.chance.uniform(least, most))

    def set_clock(self, seconds: float) -> None:
        """The web process's and the workers' clocks, off by so many seconds."""
        assert self.clock is not None
        new = self.clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.clock)

    @contextmanager
    def _hurrying(self) -> Iterator[None]:
        """No backoff lasts longer than this, or a row of failures would take minutes. How long they
        are and that they end by themselves is shown elsewhere (tests/flush, tests/edge)."""
        longest = 300 if self.long else 100
        over = threading.Event()

        def hurry() -> None:
            with self.valkey.client() as redis:
                workspace = Workspace(redis)
                while not over.wait(0.05):
                    if self._patience == "all":
                        continue
                    pauses = int(self._patience == "pauses")
                    with suppress(RedisError, StoreError):
                        if redis.eval(_HURRY, 2, *_KEYS, longest, pauses):
                            # The worker's own sweep comes once a second.
                            over.wait(longest / 1000)
                            workspace.sweep()

        thread = threading.Thread(target=hurry, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _ends(process: Process) -> None:
    """Politely, in time. Python itself dies of SIGTERM where it has not come to the adapter yet."""
    status, _ = process.end()
    assert status in (0, -signal.SIGTERM), f"{status}: {process.said}"


@contextmanager
def _sandbox(lab: Lab) -> Iterator[Sandbox]:
    """One that keeps every request."""
    argv = [sys.executable, "-m", "adapter.sandbox", "--keep", str(KEPT_REQUESTS)]
    process = Process(argv, lab.environ(), lab.home / "sandbox.log", lab.home)
    try:
        said = until(
            lambda: re.search(r"^sandbox (http://\S+)$", process.said, re.MULTILINE),
            "the sandbox says where it is",
        )
        yield Sandbox(said[1], process)
    finally:
        process.kill()
