"""Real processes: started with a clean environment, waited for, ended, and asked what they cost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis

from adapter.embedded import MAXMEMORY, EmbeddedRedis
from adapter.processes import gunicorn
from adapter.supervisor import tethered
from bench.bodies import ROOT, SECRET

START_SECONDS = 30.0
END_SECONDS = 10.0


class Place:
    """Where a subject works: a directory, an embedded Valkey, and the processes it starts there."""

    def __init__(self, home: Path, server: EmbeddedRedis) -> None:
        self.home = home
        self.server = server
        self.redis = Redis.from_url(server.url)
        self.aside_url = server.url.removesuffix("/0") + "/1"
        self.aside = Redis.from_url(self.aside_url)
        """Another database of the same server, to put things aside in."""

    def environment(self, **more: str) -> dict[str, str]:
        """What a process gets: this one's environment without settings of an adapter in it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CUSTOMERIO_", "SHOPIFY_", "REDIS_", "ADAPTER_"))
            and name not in {"MAPPINGS_DIR", "PORT", "WEB_CONCURRENCY", "LOG_LEVEL", "IDENTIFY_BY"}
        }
        own = {
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": self.server.url,
            "SHOPIFY_WEBHOOK_SECRET": SECRET,
            "WEB_CONCURRENCY": "2",
        }
        return {**kept, **own, **more}

    @contextmanager
    def process(self, name: str, argv: list[str], **environ: str) -> Iterator[Process]:
        """Runs until the block ends: SIGTERM, then SIGKILL to all that is left of its group."""
        log = self.home / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                tethered(argv),
                cwd=ROOT,
                env=self.environment(**environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield Process(process, log)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextmanager
    def web(self, name: str, app: str | None = None, **environ: str) -> Iterator[tuple[int, int]]:
        """Gunicorn as the adapter runs it, with another application if one is named.

        Gives the port and the process id of the master.
        """
        port = free_port()
        argv = [*gunicorn(f"127.0.0.1:{port}"), *([app] if app else [])]
        with self.process(name, argv, **environ) as process:
            process.wait_for_port(port)
            yield port, process.pid

    @contextmanager
    def worker(self, api: str) -> Iterator[Process]:
        """The adapter's worker, sending to `api`; given once it waits for work."""
        known = set(self.redis.smembers("rq:workers"))
        credentials = {"CUSTOMERIO_SITE_ID": "site", "CUSTOMERIO_API_KEY": "key"}
        argv = [sys.executable, "-m", "adapter", "worker"]
        with self.process("worker", argv, CUSTOMERIO_TRACK_URL=api, **credentials) as process:
            process.wait_until(lambda: bool(set(self.redis.smembers("rq:workers")) - known))
            yield process


class Process:
    """One that was started."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self._log = log

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_until(self, ready: object, seconds: float = START_SECONDS) -> None:
        """Raises RuntimeError, with the end of its output, when it ends or takes too long."""
        assert callable(ready)
        deadline = time.monotonic() + seconds
        while not ready():
            if self._popen.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace").splitlines()[-15:]
                raise RuntimeError("\n".join([f"{self._log.stem} does not get ready:", *said]))
            time.sleep(0.02)

    def wait_for_port(self, port: int) -> None:
        self.wait_until(lambda: answers(port))

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended by itself."""
        return self._popen.wait(seconds)


@contextmanager
def place(maxmemory: str = MAXMEMORY) -> Iterator[Place]:
    """A place with a Valkey of its own, all of it gone afterwards."""
    with (
        TemporaryDirectory(prefix="adapter-bench-") as home,
        EmbeddedRedis(Path(home), environ=_plain(), maxmemory=maxmemory) as server,
    ):
        found = Place(Path(home), server)
        try:
            yield found
        finally:
            found.redis.close()
            found.aside.close()


def _plain() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DYNO"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody speaks HTTP there, whatever is said."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def cpu_seconds(*pids: int | None) -> float:
    """CPU time that these processes and their living children have used; 0 where it is unknown."""
    wanted = {pid for pid in pids if pid}
    ticks = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit():
            continue
        try:
            # The name in parentheses may hold blanks; what follows it does not.
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(name) in wanted or int(fields[1]) in wanted:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_bytes(*pids: int | None) -> int:
    """What these processes and their living children hold in memory, without what is shared."""
    wanted = {pid for pid in pids if pid}
    total = 0
    for path in Path("/proc").glob("[0-9]*/statm"):
        try:
            pages = path.read_text().split()
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if int(path.parent.name) in wanted or parent in wanted:
            total += (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    return total


def busy_seconds() -> float:
    """CPU time that this machine has used, for anybody; 0 where it is unknown."""
    try:
        fields = [
            int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
        ]
    except OSError:
        return 0.0
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")
