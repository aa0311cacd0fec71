"""Log lines on stderr: JSON for machines, one readable line on a terminal. Never personal data.

    log = logging.getLogger(__name__)
    log.info("batch sent", extra={"workspace": "default", "operations": 17})
    {"time": "2026-01-01T00:00:00.123Z", "level": "INFO", "logger": "adapter.flush",
     "event": "batch sent", "workspace": "default", "operations": 17}

The event is a constant; what varies goes into `extra` and holds ids, topics, counts and times. Two
sources are not ours to trust, so only their shape is logged:

- exceptions: their type and where in the adapter they passed; their text only if it is an
  AdapterError, whose texts are free of personal data
- other libraries: from WARNING up, and without the arguments of their messages (RQ puts whole
  tracebacks there, urllib3 addresses)
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from adapter.errors import AdapterError

PACKAGE: Final = Path(__file__).resolve().parent

HANDLER: Final = "adapter"
"""Name of our handler, by which a second `configure` finds the first one's."""

GATHER_SECONDS, GATHER_LINES = 0.2, 200

# What every record has, by asking one; the last two appear only once a formatter ran.
_OWN: Final = frozenset(
    logging.LogRecord("", 0, "", 0, "", None, None).__dict__.keys() | {"message", "asctime"}
)


def configure(level: str = "INFO", *, stream: TextIO | None = None, gathered: bool = False) -> None:
    """Sends all log records to `stream` (stderr), the adapter's from `level` up.

    With `gathered` lines below WARNING are written several at a time, at the latest after
    GATHER_SECONDS: a write for each webhook was a tenth of what a webhook costs.

    Also what would end a thread or the process with a traceback: it would print the exception's
    text. Raises ValueError on an unknown level. The last call counts.
    """
    stream = sys.stderr if stream is None else stream
    handler = _Gathering(stream) if gathered else logging.StreamHandler(stream)
    handler.name = HANDLER
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter())
    handler.addFilter(_ours_or_a_warning)
    logging.getLogger("adapter").setLevel(level)
    root = logging.getLogger()
    # Not `level`: at DEBUG the libraries write out whole requests.
    root.setLevel(logging.WARNING)
    for old in [old for old in root.handlers if old.name == HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    # What no line shows need not be found out for each (a webhook writes one).
    # Its documentation names this switch for the search for the caller.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A record that cannot be written would be printed with its arguments.
    logging.raiseExceptions = False
    sys.excepthook = _unhandled
    threading.excepthook = _unhandled_in_thread


class _Gathering(logging.StreamHandler[TextIO]):
    """Writes lines together: when there are many, when one matters, and every GATHER_SECONDS."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._writer: threading.Thread | None = None

    def createLock(self) -> None:  # noqa: N802 - logging's own name
        # Appending and swapping the list are single steps: nothing here needs to be locked.
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + "\n")
            if record.levelno >= logging.WARNING or len(self._lines) >= GATHER_LINES:
                self.flush()
            elif self._writer is None:
                # Begun by the first line, so in the process that logs and not in its parent.
                self._writer = threading.Thread(target=self._write, name="logs", daemon=True)
                self._writer.start()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self.stream.write("".join(lines))
            self.stream.flush()

    def _write(self) -> None:
        while True:
            time.sleep(GATHER_SECONDS)
            self.flush()


def _ours_or_a_warning(record: logging.LogRecord) -> bool:
    """Some libraries give their loggers a level of their own, as RQ does."""
    return record.levelno >= logging.WARNING or record.name.split(".")[0] == "adapter"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return _encode(fields(record))


class TextFormatter(logging.Formatter):
    """`12:34:56 INFO flush: batch sent  workspace=default operations=17`, local time."""

    def format(self, record: logging.LogRecord) -> str:
        data = fields(record)
        clock = datetime.fromtimestamp(record.created, tz=UTC).astimezone().strftime("%H:%M:%S")
        rest = [
            f"{name}={_shown(value)}"
            for name, value in data.items()
            if name not in ("time", "level", "logger", "event")
        ]
        source = data["logger"].removeprefix("adapter.")
        return f"{clock} {data['level']} {source}: {data['event']}  {' '.join(rest)}".rstrip()


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, in the order of the line. Our own names win over those of `extra`."""
    second, fraction = divmod(record.created, 1)
    data: dict[str, Any] = {
        "time": f"{_second(second)}.{int(fraction * 1000):03}Z",
        "level": record.levelname,
        "logger": record.name,
        "event": _event(record),
    }
    if record.exc_info and record.exc_info[1] is not None:
        data["error"] = describe(record.exc_info[1])
    own = record.__dict__
    for name in own:
        if name not in _OWN:
            data.setdefault(name, own[name])
    return data


@lru_cache(maxsize=1)
def _second(second: float) -> str:
    """Many lines are of the same one."""
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def describe(error: BaseException) -> dict[str, Any]:
    """An exception without what it may hold of people: type, frames in the adapter, cause.

    "at" lists file:line from the outermost frame to the innermost.
    """
    data: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, AdapterError):
        data["message"] = str(error)
    if frames := list(_frames(error.__traceback__)):
        data["at"] = frames
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        data["cause"] = describe(cause)
    return data


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            yield f"{path.relative_to(PACKAGE.parent).as_posix()}:{line}"


def _event(record: logging.LogRecord) -> str:
    ours = record.name == "adapter" or record.name.startswith("adapter.")
    if not ours:
        return str(record.msg).partition("\n")[0]
    if not record.args:
        return str(record.msg)
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit: still a line, without them
        return str(record.msg)


def _shown(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value, default=_plain, skipkeys=True)


def _plain(value: object) -> str:
    """What JSON does not know. Anything but a path may hold more than its name says."""
    return str(value) if isinstance(value, Path) else type(value).__name__


# One encoder for all: json.dumps with options of its own makes another at every call.
_encode = json.JSONEncoder(default=_plain, skipkeys=True, check_circular=False).encode


def _unhandled(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("adapter").critical("unhandled error", exc_info=(kind, error, trace))


def _unhandled_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        _unhandled(args.exc_type, args.exc_value, args.exc_traceback)
