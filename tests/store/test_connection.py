"""Connections: a self-signed certificate is taken, a Redis that hangs is given up on in time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import trustme
from redis.exceptions import ResponseError

from adapter.errors import StoreError
from adapter.store.connection import Line, connect, store_errors


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tls_url(redis_url: str) -> Iterator[str]:
    """The test's Redis behind TLS with a certificate that nobody has signed, as Heroku's is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("not-its-name.example").configure_cert(context)
    inner = urlsplit(redis_url)
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                outer = context.wrap_socket(plain, server_side=True)
                server = socket.create_connection((inner.hostname, inner.port))
                ends.extend((outer, server))
                for pair in ((outer, server), (server, outer)):
                    threads.append(threading.Thread(target=_pump, args=pair))
                    threads[-1].start()

    accepting = threading.Thread(target=serve)
    accepting.start()
    yield f"rediss://:{inner.password}@127.0.0.1:{listener.getsockname()[1]}/0"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    accepting.join(5)
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)
    for end in ends:
        end.close()


def test_a_self_signed_certificate_of_another_name_is_taken(tls_url: str) -> None:
    with connect(tls_url, "web") as redis:
        assert redis.ping()


def test_a_redis_that_hangs_is_given_up_on_before_the_store_gives_up() -> None:
    """It takes connections and says nothing, as a stopped process does."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as silent,
        connect(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", "web") as redis,
    ):
        started = time.monotonic()
        with pytest.raises(StoreError, match="Redis: "), store_errors():
            redis.ping()
        assert time.monotonic() - started < 1.5


def test_a_redis_that_is_not_there_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with connect(f"redis://127.0.0.1:{port}/0", "web") as redis:
        started = time.monotonic()
        with pytest.raises(StoreError, match="ConnectionError"), store_errors():
            redis.ping()
        assert time.monotonic() - started < 1.0


def test_the_pool_is_bounded_and_waiting_for_it_is_too(redis_url: str) -> None:
    with connect(redis_url, "web", max_connections=2) as redis:
        pool = redis.connection_pool
        held = [pool.get_connection() for _ in range(2)]
        with pytest.raises(StoreError), store_errors():
            redis.ping()
        for connection in held:
            pool.release(connection)
        assert redis.ping()


def test_a_line_that_went_dead_is_replaced_and_the_command_sent_again(redis_url: str) -> None:
    with connect(redis_url, "web") as redis:
        line = Line(redis)
        assert line.call("SET", "x", "1") == b"OK"
        redis.client_kill_filter(_type="normal", skipme=True)
        assert line.call("GET", "x") == b"1"
        line.close()


def test_an_error_of_the_command_leaves_the_line_usable(redis_url: str) -> None:
    with connect(redis_url, "web", max_connections=1) as redis:
        line = Line(redis)
        with pytest.raises(ResponseError):
            line.call("NONSENSE")
        assert line.call("PING") == b"PONG"
        line.close()


def test_a_line_to_a_redis_that_hangs_gives_up_in_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as silent,
        connect(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", "web") as redis,
    ):
        started = time.monotonic()
        with pytest.raises(StoreError), store_errors():
            Line(redis).call("PING")
        assert time.monotonic() - started < 1.5


def test_lines_are_given_in_the_order_of_asking(redis_url: str) -> None:
    """One line, held by a slow command; those who wait are served first come, first served."""
    with connect(redis_url, "worker", max_connections=1) as redis:
        line = Line(redis)
        line.call("PING")
        order: list[int] = []
        turns = line._turns
        assert turns.take(0)

        def ask(number: int) -> None:
            assert turns.take(5)
            order.append(number)
            turns.give()

        threads = []
        for number in range(5):
            thread = threading.Thread(target=ask, args=(number,))
            thread.start()
            threads.append(thread)
            until = time.monotonic() + 5
            while len(turns._waiting) <= number and time.monotonic() < until:
                time.sleep(0.001)
        turns.give()
        for thread in threads:
            thread.join(5)
        assert order == [0, 1, 2, 3, 4]
        line.close()


def test_waiting_for_a_line_ends(redis_url: str) -> None:
    with connect(redis_url, "web", max_connections=1) as redis:
        line = Line(redis)
        assert line._turns.take(0)
        started = time.monotonic()
        with pytest.raises(StoreError), store_errors():
            line.call("PING")
        assert time.monotonic() - started < 1.0
        line._turns.give()
        assert line.call("PING") == b"PONG"
        line.close()
