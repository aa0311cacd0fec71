"""Runs the README's commands as a new user would: from a fresh clone, in a fresh environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port

ROOT = Path(__file__).parent.parent
# What these tests themselves are part of, and would call without end.
NOT_RUN = {"make test"}
SERVING = "Serving until Ctrl-C"


def blocks() -> list[list[str]]:
    """The commands of each `sh` block. Blocks that need somebody's account are tagged `text`."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.M | re.S)
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in found]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would hand to somebody else, less what is not committed or staged."""
    target = tmp_path_factory.mktemp("clone") / "commerce-adapter"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """A new user's environment: nothing of this test run's own."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "PYTEST_CURRENT_TEST", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    kept["PATH"] = os.pathsep.join(
        part for part in kept["PATH"].split(os.pathsep) if not part.startswith(str(ROOT))
    )
    return {**kept, "PORT": str(free_port())}


@pytest.fixture(scope="module")
def serving(clone: Path, environ: dict[str, str]) -> Iterator[list[str]]:
    """`make run` until it serves, with what it printed; ended as Ctrl-C on a terminal does."""
    process = subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if SERVING in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(240), "".join(lines)
        yield lines
    finally:
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(30)
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()
    assert code in (0, -signal.SIGINT, 130, 2), "".join(lines)


def test_the_readme_begins_with_make_run() -> None:
    assert blocks()[0] == ["make run"]


def test_make_run_tells_the_story_and_serves(serving: list[str]) -> None:
    told = "".join(serving)
    for expected in (
        "checkout_started",
        "order_completed",
        "order_refunded",
        "duplicate",
        "The story arrived whole",
        SERVING,
    ):
        assert expected in told, told


@pytest.mark.parametrize(
    "command",
    [command for block in blocks()[1:] for command in block if command not in NOT_RUN],
)
def test_command(command: str, serving: list[str], clone: Path, environ: dict[str, str]) -> None:
    line = command.replace(":8000", f":{environ['PORT']}")
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=clone,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_make_run_once_ends_with_0(clone: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["make", "run", "ONCE=1"],
        cwd=clone,
        env={**environ, "PORT": str(free_port()), "ADAPTER_DATA_DIR": ".adapter-once"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The story arrived whole" in done.stdout
