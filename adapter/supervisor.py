"""Keeps a few processes alive and ends them in order: `adapter up` and `adapter run`.

Each process has a thread of its own, which starts it, waits for its end and starts it again, later
and later while it keeps dying. Each is the leader of a session of its own, so that Ctrl-C on the
terminal reaches only this process, which then ends the others in the order they were given.

When this process itself is killed (SIGKILL, out of memory), Linux sends SIGTERM to each child, see
`tethered`. Elsewhere the children stay behind; the embedded Redis then copes at its next start.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Self

from adapter.errors import SettingsError

log = logging.getLogger(__name__)

DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before the first, second, ... restart of a process that keeps dying."""

STEADY: Final = 60.0
"""Seconds after which a process counts as healthy, and its next death as its first."""

UNFIT: Final = 2
"""Exit status of a process whose settings or arguments are wrong: no restart can mend them."""

# Runs in a fresh interpreter between fork and exec, because Python code in a forked child of a
# threaded process (preexec_fn) may deadlock. 1 is PR_SET_PDEATHSIG, which survives exec; the kernel
# means the thread that forked, which is why the thread that starts a process also waits for it.
_TETHER: Final = """
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def tethered(argv: Sequence[str]) -> list[str]:
    """`argv` such that, on Linux, the process gets SIGTERM as soon as this one is gone."""
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *argv]


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep alive.

    `env` is its whole environment (None: this process's own), `output` a file that its stdout and
    stderr are appended to (None: this process's own), `pass_fds` what it inherits beyond those.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    output: Path | None = None
    pass_fds: Sequence[int] = ()

    def spawn(self) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as files:
            output = files.enter_context(self.output.open("ab")) if self.output else None
            return subprocess.Popen(
                tethered(self.argv),
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.pass_fds,
                start_new_session=True,
            )


def supervise(
    commands: Sequence[Command], *, stop: threading.Event | None = None, grace: float = 10.0
) -> int:
    """Runs `commands` until SIGTERM, SIGINT or `stop`; the exit status: 0, or UNFIT (see `wait`).

    Raises SettingsError when a program is not found.
    """
    return Supervisor(commands, grace=grace).wait(stop)


class Supervisor:
    """The processes of `commands`, started together and ended one after the other as given.

    `grace` is in seconds and for each process: SIGTERM, then SIGKILL to its whole group. As a
    context manager it starts on entry and stops on exit.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        grace: float = 10.0,
        delays: Sequence[float] = DELAYS,
        steady: float = STEADY,
    ) -> None:
        self._children = [_Child(command) for command in commands]
        self._grace = grace
        self._delays = tuple(delays)
        self._steady = steady
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        # Not an Event: its set() can deadlock in a signal handler, SimpleQueue.put() cannot.
        self._verdicts: queue.SimpleQueue[int] = queue.SimpleQueue()

    def start(self) -> None:
        """Starts every process that is not running yet; does nothing the second time.

        Raises SettingsError when a program is not found.
        """
        lost = [
            f"{child.command.name}: {child.command.argv[0]!r} is not a program on this machine."
            for child in self._children
            if shutil.which(child.command.argv[0]) is None
        ]
        if lost:
            raise SettingsError(lost)
        for child in self._children:
            if child.thread is None:
                child.thread = threading.Thread(
                    target=self._keep, args=(child,), name=child.command.name, daemon=True
                )
                child.thread.start()

    def wait(self, stop: threading.Event | None = None) -> int:
        """Starts what is not started, blocks until there is a reason to stop, stops everything.

        Reasons: SIGTERM, SIGINT or SIGHUP (heard on the main thread only; the second one kills at
        once), `stop`, a call of `stop()`, all of which return 0; a process that ends with status
        UNFIT, which is then returned.
        """
        if stop is not None:
            threading.Thread(target=self._forward, args=(stop,), daemon=True).start()
        with self._signals():
            self.start()
            verdict = self._verdicts.get()
            self.stop()
        return verdict

    def stop(self, grace: float | None = None) -> None:
        """Ends the processes in order and returns when all are gone. May be called twice."""
        with self._lock:
            self._stopping.set()
        self._verdicts.put(0)
        for child in self._children:
            if child.thread is None:
                continue
            child.signal(signal.SIGTERM)
            child.thread.join(self._grace if grace is None else grace)
            if child.thread.is_alive():
                log.warning("process killed", extra={"command": child.command.name})
                child.kill()
                child.thread.join()

    def deaths(self, name: str) -> int:
        """How often the process ended without being asked to."""
        return sum(child.deaths for child in self._children if child.command.name == name)

    def pid(self, name: str) -> int | None:
        """The process's id, None while it is down."""
        for child in self._children:
            if child.command.name == name and child.process is not None:
                return child.process.pid
        return None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _keep(self, child: _Child) -> None:
        """Life of one process, over all of its restarts."""
        name, row = child.command.name, 0
        while True:
            began = time.monotonic()
            with self._lock:  # so that stop() meets either a recorded process or none to come
                if self._stopping.is_set():
                    return
                try:
                    child.process = child.command.spawn()
                except OSError as error:  # no memory, no process left, no room for the output
                    log.warning("process not started", extra={"command": name, "why": error.errno})
            status = None
            if child.process is not None:
                log.info("process started", extra={"command": name, "pid": child.process.pid})
                status = child.process.wait()
            child.kill()  # what it left behind in its group would hold its port or its lock
            child.process = None
            if self._stopping.is_set():
                return
            child.deaths += 1
            fields = {"command": name, "status": status}
            if status == UNFIT:
                log.error("process cannot run with these settings", extra=fields)
                self._verdicts.put(UNFIT)
                return
            row = 1 if time.monotonic() - began >= self._steady else row + 1
            delay = self._delays[min(row, len(self._delays)) - 1]
            log.warning("process died", extra={**fields, "restart_in_seconds": delay})
            self._stopping.wait(delay)

    def _forward(self, stop: threading.Event) -> None:
        stop.wait()
        self._verdicts.put(0)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM, SIGINT, SIGHUP become a verdict; the second one kills every process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = 0

        def hear(_number: int, _frame: FrameType | None) -> None:
            nonlocal heard
            heard += 1
            self._verdicts.put(0)
            if heard > 1:
                for child in self._children:
                    child.kill()

        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants to outlive it
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Child:
    """One command and what became of it; `process` is written by its own thread only."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.thread: threading.Thread | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0

    def signal(self, number: signal.Signals) -> None:
        """To the process alone: a gunicorn master tells its workers itself."""
        if (process := self.process) is not None:
            process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to all that is left of the process's group; takes no lock (signal handlers)."""
        if (process := self.process) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
