"""Where the time of one webhook goes: the web process's own code, step by step, without a network.

The real application is called as gunicorn would call it, with a real Valkey behind it, and the
thread's CPU time is read where one step ends and the next begins: on a shared machine the clock
would show who else is running. All of it runs in a process of its own under gevent, as the web
process does. What gunicorn and its sockets add is what `python -m bench intake` shows beyond this.
"""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from adapter import intake, logs
from adapter.app import build_web
from adapter.mapping import Mappings
from adapter.platforms import Platform
from adapter.settings import Settings
from adapter.store import outbox
from adapter.store.connection import Line
from adapter.store.drift import Tally
from bench.bodies import LARGE, ROOT, SMALL, Orders, headers, shopify
from bench.mapping import GARBAGE
from bench.processes import place
from bench.tables import Figure, Result, Table, percent, us

SIZES = {SMALL: "3 kB order", LARGE: "13 kB order"}
FULL, QUICK = (7, 500), (2, 150)
"""Rounds, and webhooks in each."""
REST = "the rest: WSGI, log line, answer"
_STEPS: Mapping[str, tuple[tuple[Any, str], ...]] = {
    "signature": ((Platform, "verify"),),
    "headers": ((Platform, "deliver"),),
    "parse": ((intake, "parse_body"),),
    "map": ((Mappings, "apply"),),
    "as JSON": ((outbox, "dump"),),
    "compress the body": ((outbox, "squeeze"),),
    "the line to Valkey": ((Line, "call"),),
    "the rest of the outbox": ((outbox.Outbox, "accept"),),
    "count what is there": ((Tally, "note"),),
}
"""Steps and the functions that they are; what a function calls that is a step is not counted as its
own."""

_firsts = count(1_000_000, 100_000)
_Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


def run(*, quick: bool) -> Result:
    rounds, webhooks = QUICK if quick else FULL
    result = Result("stages: where the time of one webhook goes")
    for name, found in _measured(rounds, webhooks).items():
        whole = Figure.of(found["all of it"])
        table = Table(f"{name}, medians of {rounds} rounds", ("step", "CPU time", "share"))
        for step, values in found.items():
            figure = Figure.of(values)
            table.add(step, figure.shown(us), percent(figure.ratio(whole).median))
            result.figures[f"{name}: {step}"] = figure
        table.notes.append("watching costs a little itself, which the last row does without")
        result.tables.append(table)
    return result


def _measured(rounds: int, webhooks: int) -> dict[str, dict[str, list[float]]]:
    """What a process of its own has found, in which gevent has patched all before it began."""
    code = "from gevent import monkey; monkey.patch_all(); from bench import stages; stages.main()"
    argv = [sys.executable, "-c", code, str(rounds), str(webhooks)]
    with place() as where:
        done = subprocess.run(
            argv, cwd=ROOT, env=where.environment(), stdout=subprocess.PIPE, check=True
        )
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return found


def main() -> None:
    """The measuring process: rounds and webhooks a round as arguments, figures on stdout."""
    rounds, webhooks = map(int, sys.argv[1:])
    app = _application()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in SIZES.values()}
    for _ in range(rounds):
        for fixture, name in SIZES.items():
            for step, seconds in _round(app, fixture, webhooks).items():
                found[name].setdefault(step, []).append(seconds)
    print(json.dumps(found))


def _application() -> _Application:
    """What gunicorn would call, with the garbage collector as in the web process."""
    settings = Settings.from_env(os.environ, need=("redis", "secrets"))
    logs.configure(settings.log_level, stream=io.StringIO(), gathered=True)
    app = build_web(settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    return app.wsgi_app


def _round(app: _Application, fixture: str, webhooks: int) -> dict[str, float]:
    """Seconds a webhook, of each step; then of all, and what all cost while nobody watches."""
    watch = _Watch()
    environs = _environs(fixture, 2 * webhooks)
    with watch.on(_STEPS):
        watch.time(REST, lambda: _call_all(app, environs[:webhooks]))
    found = {step: watch.own.get(step, 0.0) / webhooks for step in (*_STEPS, REST)}
    found["all of it"] = sum(found.values())
    started = time.thread_time()
    _call_all(app, environs[webhooks:])
    found["all of it, not watched"] = (time.thread_time() - started) / webhooks
    return found


class _Watch:
    """Own time of nested steps: a step that begins stops the clock of the one around it."""

    def __init__(self) -> None:
        self.own: dict[str, float] = {}
        self._stack: list[str] = []
        self._since = 0.0

    def time(self, step: str, work: Callable[[], Any]) -> Any:
        self._turn(step)
        try:
            return work()
        finally:
            self._turn(None)

    def _turn(self, step: str | None) -> None:
        now = time.thread_time()
        if self._stack:
            current = self._stack[-1]
            self.own[current] = self.own.get(current, 0.0) + now - self._since
        if step is None:
            self._stack.pop()
        else:
            self._stack.append(step)
        self._since = time.thread_time()

    @contextmanager
    def on(self, steps: Mapping[str, tuple[tuple[Any, str], ...]]) -> Iterator[None]:
        with ExitStack() as stack:
            for step, functions in steps.items():
                for owner, name in functions:
                    wrapped = self._wrapped(step, getattr(owner, name))
                    stack.enter_context(patch.object(owner, name, wrapped))
            yield

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            return self.time(step, lambda: function(*args, **kwargs))

        return timed


def _environs(fixture: str, number: int) -> list[dict[str, Any]]:
    """Signed webhooks as a WSGI server hands them on."""
    orders, platform = Orders(fixture, next(_firsts)), shopify()
    found = []
    for each in range(number):
        raw = orders.body(each)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/webhooks/shopify",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.input": io.BytesIO(raw),
        }
        for name, value in headers(platform, orders.delivery(), raw).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        found.append(environ)
    return found


def _call_all(app: _Application, environs: Iterable[dict[str, Any]]) -> None:
    for environ in environs:
        said: list[str] = []
        app(environ, lambda status, _headers, said=said: said.append(status))
        if said != ["200 OK"]:
            raise RuntimeError(f"a webhook was answered {said}")
