"""The Lua steps, loaded once and called by their digest."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from adapter.jobs import JobTemplate
from adapter.store import refs
from adapter.store.connection import Line
from adapter.store.pressure import Memory

PICKUP_MS = 15_000
"""How long a pushed flush job may wait for a worker before another may be pushed."""

# Redis 7 and Valkey: these steps may write although the memory is full, since they are what
# empties it. `accept` must not: its refusal is the 503 that makes the store try again later. A load
# of the catalog can wait as well.
_WITHOUT_OOM = "#!lua flags=allow-oom\n"
_REFUSED_WHEN_FULL = {"accept", "catalog"}
_WAKING = {"accept", "requeue", "revive", "settle", "sweep"}
_ABOUT_PRODUCTS = {"accept", "catalog"}
_ABOUT_WAITING = {"settle", "sweep"}
_ABOUT_IDS = {"begin", "settle", "sweep"}
_SHARED = ("wake", "products", "bodies", "ids", "waiting")
"""What stands before others and is no step of its own."""

_WAITING_FACTS = (
    "local OWNER_SECONDS, LONGEST, LOOKED = "
    f"{refs.OWNER_SECONDS}, {refs.LONGEST}, {refs.MOST_UNDER_A_TOKEN}\n"
)


_FIGURES = re.compile(rb"^(used_memory|maxmemory):(\d+)", re.MULTILINE)


class Scripts:
    """Calls `scripts/<name>.lua` for one workspace.

    Every script gets the workspace's key prefix and builds its keys from it, so Redis Cluster is
    not supported; neither does RQ support it.
    """

    def __init__(self, redis: Redis, workspace: str, job: JobTemplate) -> None:
        self._redis = redis
        self._line = Line(redis)
        self.prefix = refs.prefix(workspace)
        folder = files("adapter.store") / "scripts"
        wake = _job_table(job, workspace) + (folder / "wake.lua").read_text()
        products = (folder / "products.lua").read_text()
        ids = (folder / "ids.lua").read_text()
        waiting = (
            (folder / "bodies.lua").read_text()
            + _WAITING_FACTS
            + (folder / "waiting.lua").read_text()
        )
        self._scripts = {}
        for path in folder.iterdir():
            name = path.name.removesuffix(".lua")
            if name in _SHARED:
                continue
            text = "" if name in _REFUSED_WHEN_FULL else _WITHOUT_OOM
            text += wake if name in _WAKING else ""
            text += products if name in _ABOUT_PRODUCTS else ""
            text += ids if name in _ABOUT_IDS else ""
            text += waiting if name in _ABOUT_WAITING else ""
            self._scripts[name] = redis.register_script(text + path.read_text())

    def close(self) -> None:
        """Close the line; the next call makes another."""
        self._line.close()

    def call(self, name: str, *args: str | bytes | int) -> Any:
        """Run a script; one round trip, two when the server has forgotten the script."""
        script = self._scripts[name]
        arguments: Sequence[str | bytes | int] = (script.sha, 1, self.prefix, *args)
        try:
            return self._line.call("EVALSHA", *arguments)
        except NoScriptError:
            self._redis.script_load(script.script)
            return self._line.call("EVALSHA", *arguments)

    def texts(self, names: Sequence[str]) -> Any:
        """What stands under names, in their order."""
        return self._line.call("MGET", *names)

    def memory(self) -> Memory:
        """What Redis says of its memory."""
        told = _FIGURES.findall(self._line.call("INFO", "memory"))
        figures = {name: int(value) for name, value in told}
        return figures.get(b"used_memory", 0), figures.get(b"maxmemory", 0)


def _job_table(job: JobTemplate, workspace: str) -> str:
    """JOB as Lua text: what a wake-up writes does not travel with every webhook."""
    fields = ", ".join(_lua_text(field) for field in job.fields)
    return (
        f"local JOB = {{queue = {_lua_text(job.queue_key.encode())}, "
        f"queues = {_lua_text(job.queues_key.encode())}, "
        f"prefix = {_lua_text(job.job_prefix.encode())}, "
        f"workspace = {_lua_text(workspace.encode())}, pickup_ms = {PICKUP_MS}, "
        f"fields = {{{fields}}}}}\n"
    )


def _lua_text(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def rq_now() -> str:
    """The time as RQ writes it into a job, to the second."""
    return _rq_time(int(time.time()))


@lru_cache(maxsize=1)
def _rq_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
