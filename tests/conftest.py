"""Real parts for the tests: a Valkey for the session, emptied for every test that asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from backroom import Backroom
from hypothesis import settings
from redis import Redis

from adapter.embedded import EmbeddedRedis
from adapter.jobs import flush_job
from adapter.sandbox.server import running
from adapter.store.connection import connect
from adapter.store.outbox import Outbox

ROOT = Path(__file__).parent.parent

# How long an example takes says more of what else runs on the machine than of what is tested.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

# Whoever runs the tests in the background (nohup, a shell's &) has these ignored, and so would
# every process that a test starts, which then waits for ever for a signal that does not come.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server that lives as long as the tests."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The same server, empty."""
    with Redis.from_url(redis_server) as client:
        # At once: what is freed later would disturb those who look at how full it is.
        client.execute_command("FLUSHALL", "SYNC")
    return redis_server


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client that looks behind the store."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def outbox(redis_url: str) -> Iterator[Outbox]:
    """The outbox of the workspace `default`, with room for 20 threads."""
    client = connect(redis_url, "worker", max_connections=20)
    box = Outbox(client, "default", flush_job("default"))
    yield box
    box.close()
    client.connection_pool.disconnect()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """A Customer.io that listens; each `room` begins by emptying it."""
    with running() as url:
        yield url


@pytest.fixture
def room(redis: Redis, redis_url: str, sandbox: str) -> Iterator[Backroom]:
    """Deliveries go in, and out to the sandbox."""
    found = Backroom(redis, sandbox, redis_url)
    yield found
    found.close()
