"""An idle adapter: from just before the POST of a webhook to the arrival of the API request.

One webhook at a time, each after a pause in which the worker goes back to waiting.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from collections.abc import Callable

import requests

from bench import naive
from bench.bodies import SMALL, Orders, http, shopify
from bench.load import whole
from bench.processes import place
from bench.stand_in import StandIn
from bench.tables import Figure, Result, Table, ms, quantile

PAUSE_SECONDS = (0.02, 0.06)
WARM_UP = 5
PATIENCE_SECONDS = 10.0


def run(*, quick: bool) -> Result:
    samples = 40 if quick else 200
    result = Result("latency: webhook to Customer.io request, idle, 3 kB orders")
    table = Table(f"{samples} webhooks, one at a time", ("way", "median", "p90", "p99", "longest"))
    found = {
        "direct POST to the stand-in (the floor)": _direct(samples),
        "adapter: web, Valkey, worker": _adapter(samples),
        "naive: Flask, RQ, SimpleWorker": _naive(samples),
    }
    for name, values in found.items():
        table.add(
            name,
            *(ms(quantile(values, share)) for share in (0.50, 0.90, 0.99)),
            ms(max(values)),
        )
        result.figures[name] = Figure.of(values)
    table.notes.append("from just before the webhook's POST to the first byte at the stand-in")
    result.tables.append(table)
    return result


def _sample(api: StandIn, samples: int, post: Callable[[int], None]) -> list[float]:
    chance = random.Random(1)
    api.delay = 0.0
    api.clear()
    found = []
    for number in range(WARM_UP + samples):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        begun = time.monotonic()
        post(number)
        found.append(api.arrival(number, PATIENCE_SECONDS) - begun)
    api.answered(WARM_UP + samples, PATIENCE_SECONDS)
    return found[WARM_UP:]


def _direct(samples: int) -> list[float]:
    """What `requests` and a socket cost: one request as large as one order's operations."""
    item = b'{"type":"person",' + b'"pad":"' + b"x" * 1600 + b'"}'
    body = b'{"batch":[' + item + b"]}"
    with StandIn() as api, requests.Session() as session:

        def post(_number: int) -> None:
            session.post(f"{api.url}/api/v2/batch", data=body, timeout=10)

        return _sample(api, samples, post)


def _adapter(samples: int) -> list[float]:
    with (
        place() as where,
        StandIn() as api,
        where.web("web") as (port, _),
        where.worker(api.url),
        _Sender(port) as sender,
    ):
        return _sample(api, samples, sender.post)


def _naive(samples: int) -> list[float]:
    argv = [sys.executable, "-m", "rq.cli", "worker", "--quiet"]
    argv += ["-w", "rq.worker.SimpleWorker", naive.QUEUE]
    with place() as where, StandIn() as api, where.web("web", "bench.naive:create()") as (port, _):
        environ = {"RQ_REDIS_URL": where.server.url, "CUSTOMERIO_TRACK_URL": api.url}
        with where.process("rq", argv, **environ) as worker, _Sender(port) as sender:
            worker.wait_until(lambda: where.redis.scard("rq:workers"))
            return _sample(api, samples, sender.post)


class _Sender:
    """A store with one keep-alive connection. Requests are built before their time is taken."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._orders, self._platform = Orders(SMALL, 500_000_000), shopify()
        self._next = self._build(0)

    def post(self, number: int) -> None:
        """Returns when it was answered; the request may be at the API by then."""
        self._sock.sendall(self._next)
        answer = b""
        while not whole(answer):
            answer += self._sock.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"a webhook was answered {answer[9:12].decode('latin-1')}")
        self._next = self._build(number + 1)

    def _build(self, number: int) -> bytes:
        return http(self._platform, self._orders.delivery(), self._orders.body(number))

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()
