"""The load generator: `python -m bench.load`, arguments as JSON on stdin, figures on stdout.

A process of its own with one loop over raw keep-alive sockets. All requests are built and signed
before it says "ready"; whatever is left to do in the loop is to send, to receive, and to look at
the clock. Without a rate each connection sends again as soon as it was answered; with one, requests
go out when they are due, and a late one counts its lateness as part of its latency.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Self

from bench.bodies import ROOT, SMALL, Orders, http, shopify

MOST_A_SECOND = 5000
"""So many requests are built for each second; a receiver that is faster ends the round early."""
WARM_UP = 100
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load has shown. `latencies` are seconds, `cpu` the generator's own.

    `unavailable` counts the answers 503: honest under load, but nothing was taken in.
    """

    seconds: float
    latencies: tuple[float, ...]
    cpu: float
    unavailable: int = 0

    @property
    def rate(self) -> float:
        """Webhooks taken in a second."""
        return (len(self.latencies) - self.unavailable) / self.seconds


class Generator:
    """A generator process for one round, of orders of one fixture; `begin` when all is ready.

    With `most` no more webhooks are sent than that.
    """

    def __init__(
        self,
        port: int,
        seconds: float,
        first: int,
        connections: int,
        pace: float = 0,
        *,
        fixture: str = SMALL,
        most: int = 0,
    ) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        arguments = {
            "port": port,
            "seconds": seconds,
            "first": first,
            "connections": connections,
            "pace": pace,
            "fixture": fixture,
            "most": most,
        }
        self._write(json.dumps(arguments))
        self._expect("ready")

    def begin(self) -> None:
        """Warms up, then says when the measuring starts."""
        self._write("begin")
        self._expect("measuring")

    def stop(self) -> Load:
        """End the round now."""
        self._popen.send_signal(signal.SIGUSR1)
        return self.result()

    def result(self) -> Load:
        """Blocks until the round is over. RuntimeError when anything but 200 and 503 came."""
        document = json.loads(self._read())
        unavailable = document["failed"].pop("503", 0)
        if document["failed"]:
            raise RuntimeError(f"webhooks were refused: {document['failed']}")
        return Load(document["seconds"], tuple(document["latencies"]), document["cpu"], unavailable)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.terminate()
        self._popen.communicate()

    def _write(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def _read(self) -> str:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended")
        return line.strip()

    def _expect(self, word: str) -> None:
        if (line := self._read()) != word:
            raise RuntimeError(f"the load generator says {line!r}")


class _Connection:
    """One keep-alive connection and the request that is under way on it."""

    __slots__ = ("answer", "begun", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = 0.0
        self.answer = b""


def whole(answer: bytes) -> bool:
    """Whether that is all of an HTTP answer."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        raise RuntimeError("an answer without Content-Length")
    return len(answer) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])


class _Loop:
    """Sends what is given on the connections and takes the answers."""

    def __init__(self, port: int, connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle: deque[_Connection] = deque()
        for _ in range(connections):
            connection = _Connection(port)
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            self._idle.append(connection)
        self._busy = 0
        self.stopped = False
        self.latencies: list[float] = []
        self.failed: Counter[str] = Counter()

    def run(self, requests: deque[bytes], seconds: float, pace: float) -> float:
        """Until the time is over or nothing is left to send; the seconds that it took."""
        clock = time.perf_counter
        idle = self._idle
        begun = last = clock()
        until = begun + seconds
        due, every = begun, 1 / pace if pace else 0.0
        while True:
            now = clock()
            if self.stopped:
                requests.clear()
            while idle and requests and now < until and now >= due:
                connection = idle.popleft()
                connection.begun = due if pace else now
                # Shorter than a socket's buffer: this does not block.
                connection.sock.sendall(requests.popleft())
                self._busy += 1
                due += every
                now = clock()
            if not self._busy and (now >= until or not requests):
                return last - begun
            wait = min(until, due) - now if pace and requests and idle else PATIENCE_SECONDS
            ready = self._selector.select(max(0.0, wait))
            if not ready and wait >= PATIENCE_SECONDS:
                raise RuntimeError("no answer")
            for key, _ in ready:
                connection = key.data
                connection.answer += connection.sock.recv(65536)
                if not connection.answer:
                    raise RuntimeError("a connection was closed")
                if whole(connection.answer):
                    last = clock()
                    self.latencies.append(last - connection.begun)
                    if not connection.answer.startswith(b"HTTP/1.1 200 "):
                        self.failed[connection.answer[9:12].decode("latin-1")] += 1
                    connection.answer = b""
                    self._busy -= 1
                    idle.append(connection)


def _main() -> None:
    arguments: dict[str, Any] = json.loads(sys.stdin.readline())
    seconds, pace = arguments["seconds"], arguments["pace"]
    orders = Orders(arguments["fixture"], arguments["first"])
    platform = shopify()
    count = (arguments["most"] or round(seconds * (pace or MOST_A_SECOND))) + WARM_UP
    requests: deque[bytes] = deque()
    for number in range(count):
        raw = orders.body(number)
        requests.append(http(platform, orders.delivery(), raw))
    print("ready", flush=True)
    if sys.stdin.readline().strip() != "begin":
        return
    loop = _Loop(arguments["port"], arguments["connections"])
    first = deque(requests.popleft() for _ in range(WARM_UP))
    loop.run(first, PATIENCE_SECONDS, 0.0)
    loop.latencies.clear()
    signal.signal(signal.SIGUSR1, lambda *_: setattr(loop, "stopped", True))
    print("measuring", flush=True)
    cpu = time.process_time()
    took = loop.run(requests, seconds, pace)
    document = {
        "seconds": took,
        "latencies": loop.latencies,
        "cpu": time.process_time() - cpu,
        "failed": dict(loop.failed),
    }
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    _main()
