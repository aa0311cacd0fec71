"""The transport against real sockets: servers that drip, cut, redirect, and never end."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from adapter import transport as transport_module
from adapter.destinations.base import Request
from adapter.errors import RetryLater
from adapter.pacing import Pacer
from adapter.transport import MAX_ANSWER_BYTES, Transport

POST = Request("POST", "/api/v2/batch", b'{"batch":[]}')
GET = Request("GET", "/api/v1/accounts/region", b"")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

LONG = 10.0
"""Seconds: what is quick takes less even on a machine that stalls, what does not end takes more."""

Behaviour = Callable[["Visit"], None]


class Visit:
    """One connection as its server sees it."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self._sock, self._server = sock, server
        self._reader = sock.makefile("rb")

    def request(self) -> bool:
        """Read one request and note it; False when the client hung up."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._reader.readline()
            if not line:
                return False
            head += line
        fields = [line.split(b": ", 1) for line in head.lower().split(b"\r\n") if b": " in line]
        length = int(dict(fields).get(b"content-length", 0))
        self._server.requests.append(head + self._reader.read(length))
        return True

    def say(self, data: bytes) -> None:
        self._sock.sendall(data)

    def drip(self, data: bytes) -> None:
        """One byte every 20 ms, until the client has had enough."""
        for place in range(len(data)):
            self.say(data[place : place + 1])
            if self._server.over.wait(0.02):
                return

    def until_hung_up(self) -> None:
        """Say nothing more; note when the client is gone."""
        with suppress(OSError):
            self._reader.read()
        self._server.hung_up.set()

    def close(self) -> None:
        self._reader.close()
        self._sock.close()


class Server:
    """Answers every connection in a thread of its own, as its test tells it to."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.connections = 0
        self.over, self.hung_up = threading.Event(), threading.Event()
        self.closed = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self.over.is_set():
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._visit, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _visit(self, sock: socket.socket) -> None:
        visit = Visit(sock, self)
        try:
            with suppress(OSError):
                self._behaviour(visit)
        finally:
            visit.close()
            self.closed.release()

    def close(self) -> None:
        self.over.set()
        with suppress(OSError), socket.create_connection(self._listener.getsockname()):
            pass  # wakes accept
        self._listener.close()
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()


@contextmanager
def sending_to(behaviour: Behaviour) -> Iterator[tuple[Server, Transport]]:
    server = Server(behaviour)
    transport = Transport(server.url + "/", "site", "key")
    try:
        yield server, transport
    finally:
        transport.close()
        server.close()


def answering(*answers: bytes) -> Behaviour:
    """Each request of a connection gets the next answer, the last one again and again."""

    def behave(visit: Visit) -> None:
        left = list(answers)
        while visit.request():
            visit.say(left.pop(0) if len(left) > 1 else left[0])

    return behave


def one(status: str, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


# What goes out


def test_a_request_on_the_wire() -> None:
    with sending_to(answering(OK)) as (server, transport):
        answer = transport.send(POST)
    assert (answer.status, answer.body) == (200, b"{}")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/v2/batch HTTP/1.1"
    assert body == POST.body
    assert "Authorization: Basic c2l0ZTprZXk=" in lines
    assert "Content-Type: application/json" in lines
    assert "Accept-Encoding: identity" in lines
    assert f"Content-Length: {len(POST.body)}" in lines


def test_a_probe_has_no_body() -> None:
    with sending_to(answering(OK)) as (server, transport):
        transport.send(GET)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"GET /api/v1/accounts/region HTTP/1.1")
    assert body == b""


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login eve password eve\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with sending_to(answering(OK)) as (server, transport):
        transport.send(POST)
    assert b"Basic c2l0ZTprZXk=" in server.requests[0]


# What comes back


def test_header_names_are_lower_case() -> None:
    with sending_to(answering(one("503 Busy", "Retry-After: 7", "X-Odd: É"))) as (_, transport):
        answer = transport.send(POST)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 For good"])
def test_a_redirect_is_an_answer_and_not_followed(status: str) -> None:
    with sending_to(answering(one(status, "Location: /elsewhere"), OK)) as (server, transport):
        answer = transport.send(POST)
    assert answer.status == int(status[:3])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["429 Slow", "500 Broken", "503 Busy"])
def test_nothing_is_sent_twice(status: str) -> None:
    with sending_to(answering(one(status, "Retry-After: 0"), OK)) as (server, transport):
        assert transport.send(POST).status == int(status[:3])
    assert len(server.requests) == 1


def test_an_answer_that_is_packed_although_nobody_asked() -> None:
    packed = gzip.compress(b'{"errors":[]}')
    with sending_to(answering(one("200 OK", "Content-Encoding: gzip", body=packed))) as (_, t):
        assert t.send(POST).body == b'{"errors":[]}'


def test_an_answer_in_chunks() -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with sending_to(answering(chunks)) as (server, transport):
        assert [transport.send(POST).body for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 1


def test_many_requests_one_connection() -> None:
    answers = [
        OK,
        one("207 Some", body=b'{"errors":[{"batch_index":0}]}'),
        one("400 Bad", body=b'{"errors":[]}'),
        b"HTTP/1.1 204 None\r\n\r\n",
        one("503 Busy", "Retry-After: 1", body=b""),
        one("404 Where"),
        OK,
    ]
    with sending_to(answering(*answers)) as (server, transport):
        statuses = [
            transport.send(GET if number % 2 else POST).status for number in range(len(answers))
        ]
        assert statuses == [200, 207, 400, 204, 503, 404, 200]
        for _ in range(50):
            transport.send(POST)
    assert len(server.requests) == 57
    assert server.connections == 1


def test_a_refusal_without_body_or_length_is_still_one() -> None:
    def refuse(visit: Visit) -> None:
        visit.request()
        visit.say(b"HTTP/1.1 401 Who\r\nConnection: close\r\n\r\n")

    with sending_to(refuse) as (_, transport):
        assert transport.send(POST).status == 401


def test_a_connection_that_was_closed_between_two_requests() -> None:
    def one_answer_each(visit: Visit) -> None:
        visit.request()
        visit.say(OK)

    with sending_to(one_answer_each) as (server, transport):
        for number in range(3):
            assert transport.send(POST).status == 200
            # Closed before the next one is sent: what crosses on the wire is no answer at all.
            assert server.closed.acquire(timeout=LONG), number
    assert server.connections == 3


# No answer


def silence(visit: Visit) -> None:
    visit.request()
    visit.until_hung_up()


def cut_at_once(visit: Visit) -> None:
    visit.request()


def cut_in_the_head(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-")


def cut_in_the_body(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")


def cut_in_a_chunk(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}")


def no_http(visit: Visit) -> None:
    visit.request()
    visit.say(b"220 smtp.example.com ESMTP ada@example.com\r\n\r\n")


def badly_packed(visit: Visit) -> None:
    visit.request()
    visit.say(one("200 OK", "Content-Encoding: gzip", body=b"ada@example.com"))


def bad_chunks(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n")


@pytest.mark.parametrize(
    "behaviour",
    [
        cut_at_once,
        cut_in_the_head,
        cut_in_the_body,
        cut_in_a_chunk,
        no_http,
        badly_packed,
        bad_chunks,
    ],
)
def test_half_an_answer_is_none(behaviour: Behaviour) -> None:
    with sending_to(behaviour) as (server, transport), pytest.raises(RetryLater) as caught:
        transport.send(POST)
    assert len(server.requests) == 1
    assert str(caught.value).startswith("no answer: ")
    assert "127.0.0.1" not in str(caught.value)
    assert "ada@" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transport = Transport(f"http://127.0.0.1:{port}", "site", "key")
    with pytest.raises(RetryLater, match="no answer: ConnectionError"):
        transport.send(POST)
    transport.close()


def test_an_answer_without_end() -> None:
    def babble(visit: Visit) -> None:
        visit.request()
        visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            visit.say(b" " * 65536)

    with sending_to(babble) as (_, transport), pytest.raises(RetryLater, match="without end"):
        transport.send(POST)


def test_a_small_answer_that_unpacks_without_end() -> None:
    packed = gzip.compress(b" " * (20 * MAX_ANSWER_BYTES))
    endless = answering(one("200 OK", "Content-Encoding: gzip", body=packed))
    with sending_to(endless) as (_, transport), pytest.raises(RetryLater, match="without end"):
        transport.send(POST)


# The deadline, and being stopped


def drip_the_body(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    visit.drip(b" " * 9999)


def drip_a_body_that_closes(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9999\r\n\r\n")
    visit.drip(b" " * 9999)


def drip_a_body_of_unknown_length(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.0 200 OK\r\n\r\n")
    visit.drip(b" " * 9999)


def drip_the_head(visit: Visit) -> None:
    visit.request()
    visit.drip(b"HTTP/1.1 200 OK\r\n" + b"X-More: more\r\n" * 99)


def drip_chunks(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    visit.drip(b"1\r\n \r\n" * 2000)


DRIPS = [
    silence,
    drip_the_body,
    drip_a_body_that_closes,
    drip_a_body_of_unknown_length,
    drip_the_head,
    drip_chunks,
]


@pytest.mark.parametrize("behaviour", DRIPS)
def test_the_deadline_is_for_the_whole_answer(behaviour: Behaviour) -> None:
    with sending_to(behaviour) as (_, transport):
        started = time.monotonic()
        with pytest.raises(RetryLater, match="no answer"):
            transport.send(POST, seconds=0.3)
        assert 0.3 <= time.monotonic() - started < LONG


@pytest.mark.parametrize("behaviour", DRIPS)
def test_another_thread_ends_the_request(behaviour: Behaviour) -> None:
    with sending_to(behaviour) as (server, transport):

        def abort_soon() -> None:
            while not server.requests and not server.over.wait(0.01):
                pass
            server.over.wait(0.1)
            transport.abort()

        aborter = threading.Thread(target=abort_soon)
        aborter.start()
        started = time.monotonic()
        with pytest.raises(RetryLater, match="no answer"):
            transport.send(POST, seconds=2 * LONG)
        aborter.join()
        assert time.monotonic() - started < LONG


def test_it_works_again_after_a_deadline() -> None:
    behaviours = [silence, answering(OK)]

    def slow_then_well(visit: Visit) -> None:
        behaviours.pop(0)(visit)

    with sending_to(slow_then_well) as (server, transport):
        with pytest.raises(RetryLater):
            transport.send(POST, seconds=0.2)
        assert server.hung_up.wait(LONG)
        assert transport.send(POST).status == 200


def test_abort_with_nothing_under_way_harms_nothing() -> None:
    with sending_to(answering(OK)) as (_, transport):
        transport.abort()
        assert transport.send(POST).status == 200
        transport.abort()
        assert transport.send(POST).status == 200


def test_closing_it_hangs_up() -> None:
    def answer_once(visit: Visit) -> None:
        visit.request()
        visit.say(OK)
        visit.until_hung_up()

    with sending_to(answer_once) as (server, transport):
        transport.send(POST)
        kept = transport._session.get_adapter("http://").poolmanager.connection_from_url(server.url)
        transport.close()
        assert server.hung_up.wait(LONG)
        del kept  # somebody who still knows the pool keeps no connection open


def test_no_watcher_is_left_behind() -> None:
    with sending_to(answering(OK)) as (_, transport):
        for _ in range(5):
            transport.send(POST)
        until = time.monotonic() + LONG
        while any(thread.name == "deadline" for thread in threading.enumerate()):
            assert time.monotonic() < until
            threading.Event().wait(0.005)


# The ceiling of RATE_LIMIT


@contextmanager
def paced(rate: float) -> Iterator[tuple[Server, Transport, threading.Event]]:
    server, stop = Server(answering(OK)), threading.Event()
    transport = Transport(server.url, "site", "key", pacer=Pacer(rate), stop=stop)
    try:
        yield server, transport, stop
    finally:
        transport.close()
        server.close()


def test_requests_are_held_to_the_ceiling() -> None:
    rate, number = 40.0, 9
    with paced(rate) as (server, transport, _):
        began = time.monotonic()
        for _ in range(number):
            assert transport.send(POST).status == 200
        took = time.monotonic() - began
    assert len(server.requests) == number
    assert took >= (number - 1) / rate


def test_a_probe_counts_as_a_request() -> None:
    with paced(10.0) as (_, transport, _stop):
        began = time.monotonic()
        transport.send(GET)
        transport.send(POST)
        assert time.monotonic() - began >= 0.1


def test_a_turn_too_far_away_lets_all_of_it_wait() -> None:
    with paced(0.02) as (server, transport, _):
        transport.send(POST)
        began = time.monotonic()
        with pytest.raises(RetryLater, match="held back by RATE_LIMIT") as caught:
            transport.send(POST)
        assert time.monotonic() - began < LONG
    assert caught.value.retry_after == pytest.approx(50, abs=LONG)
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_a_wait_for_a_turn_can_be_ended(how: str) -> None:
    with paced(0.1) as (server, transport, stop):
        transport.send(POST)
        ended: list[str] = []

        def send() -> None:
            try:
                transport.send(POST)
            except RetryLater as error:
                ended.append(str(error))

        waiting = threading.Thread(target=send)
        waiting.start()
        until = time.monotonic() + 9  # its turn comes after 10
        if how == "stop":
            stop.set()
        while waiting.is_alive() and time.monotonic() < until:
            if how == "abort":
                transport.abort()
            waiting.join(0.01)
        assert not waiting.is_alive()
    assert ended == ["ended while it waited for its turn"]
    assert len(server.requests) == 1


def test_what_was_not_sent_costs_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with paced(0.02) as (server, transport, stop):
        transport.send(POST)
        stop.set()
        pacer = transport._pacer
        assert pacer is not None
        monkeypatch.setattr(transport_module, "LONGEST_TURN_SECONDS", 60.0)
        with pytest.raises(RetryLater, match="ended while it waited for its turn"):
            transport.send(POST)
        assert pacer.seconds_left() <= 50, "and not a hundred"
    assert len(server.requests) == 1
