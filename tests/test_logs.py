import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from adapter import logs
from adapter.errors import FieldError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def lines():
    """Configures the real thing on a stream of its own; calling it gives the lines so far."""
    root, ours = logging.getLogger(), logging.getLogger("adapter")
    before = (root.level, ours.level, root.handlers[:], logging.raiseExceptions)
    hooks = (sys.excepthook, threading.excepthook)
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.level, ours.level, root.handlers[:], logging.raiseExceptions = before
    sys.excepthook, threading.excepthook = hooks
    logging.getLogger("adapter").setLevel(ours.level)


def test_a_line_holds_time_level_logger_event_and_extra(lines):
    log = logging.getLogger("adapter.flush")
    log.debug("not shown")
    log.info("batch %s", "sent", extra={"operations": 17, "shop": "ä.example", "event": "x"})
    (line,) = lines()
    assert list(line) == ["time", "level", "logger", "event", "operations", "shop"]
    assert line["event"] == "batch sent"
    assert (line["level"], line["logger"], line["operations"]) == ("INFO", "adapter.flush", 17)
    at = line["time"]
    assert len(at) == len("2026-01-01T00:00:00.123Z")
    assert at.endswith("Z")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ([1, "a"], [1, "a"]),
        (Path("/a"), "/a"),
        (Decimal("1.5"), "Decimal"),
        (ValueError("ada@example.com"), "ValueError"),
        ({"a": 1, (1, 2): "skipped"}, {"a": 1}),
    ],
)
def test_extra_values_become_json(lines, value, shown):
    logging.getLogger("adapter").info("x", extra={"value": value})
    assert lines()[0]["value"] == shown


def test_only_an_exception_of_ours_is_quoted(lines):
    try:
        try:
            {}["ada@example.com"]
        except KeyError as error:
            raise FieldError("items[1].price", "expected money") from error
    except FieldError:
        logging.getLogger("adapter").exception("parked")
    (line,) = lines()
    assert line["error"] == {
        "type": "FieldError",
        "message": "items[1].price: expected money",
        "cause": {"type": "KeyError"},
    }


def test_an_unknown_exception_is_its_type_and_our_frames():
    code = "def fail():\n    raise OSError('ada@example.com')"
    space = {}
    exec(compile(code, str(logs.PACKAGE / "store/x.py"), "exec"), space)
    with pytest.raises(OSError) as caught:
        space["fail"]()
    assert logs.describe(caught.value) == {"type": "OSError", "at": ["adapter/store/x.py:2"]}


def test_other_libraries_are_heard_from_warning_up_and_without_arguments(lines):
    log = logging.getLogger("rq.worker")
    log.info("job %s", "x")
    log.error("exception raised: %s\n%s", "ada@example.com", "Traceback")
    (line,) = lines()
    assert line["event"] == "exception raised: %s"


def test_arguments_that_do_not_fit_still_make_a_line(lines):
    logging.getLogger("adapter").info("%d items", "ada@example.com")
    assert lines()[0]["event"] == "%d items"


def test_configuring_again_replaces_the_handler(lines):
    logs.configure("ERROR", stream=io.StringIO())
    logging.getLogger("adapter").error("elsewhere")
    assert lines() == []
    assert [h.name for h in logging.getLogger().handlers].count(logs.HANDLER) == 1


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="LOUD"):
        logs.configure("LOUD")


def test_a_terminal_gets_readable_text(lines):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    logs.configure("INFO", stream=stream)
    logging.getLogger("adapter.flush").info("sent", extra={"n": 2, "shop": "a", "odd": "b\nc"})
    assert stream.getvalue()[8:] == ' INFO flush: sent  n=2 shop=a odd="b\\nc"\n'


@pytest.mark.parametrize(
    "crash", ["fail()", "import threading; t = threading.Thread(target=fail); t.start(); t.join()"]
)
def test_what_nobody_caught_is_logged_without_its_text(crash):
    code = (
        "from adapter import logs\nlogs.configure()\n"
        f"def fail(): raise KeyError('ada@example.com')\n{crash}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "unhandled error"
    assert json.loads(line)["error"] == {"type": "KeyError"}


def test_gathered_lines_are_written_together_and_soon(lines, monkeypatch):
    monkeypatch.setattr(logs, "GATHER_SECONDS", 1.0)  # longer than a busy machine stands still
    stream = io.StringIO()
    logs.configure("INFO", stream=stream, gathered=True)
    log = logging.getLogger("adapter.web")
    log.info("one")
    log.info("two")
    assert stream.getvalue() == ""
    until = time.monotonic() + 30
    while stream.getvalue().count("\n") < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["one", "two"]


def test_what_matters_is_written_at_once_and_in_order(lines):
    stream = io.StringIO()
    logs.configure("INFO", stream=stream, gathered=True)
    log = logging.getLogger("adapter.web")
    log.info("before")
    log.warning("matters")
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == ["before", "matters"]


def test_what_is_gathered_is_written_when_the_process_ends():
    program = (
        "import logging; from adapter import logs; logs.configure(gathered=True);"
        "logging.getLogger('adapter.x').info('last')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stderr)["event"] == "last"
