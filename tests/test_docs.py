"""The pages under docs/ do what they say: files are written and commands run, in their order.

A path in backticks above a yaml block is a file. Of a `console` block each `$` line is run, and
what stands below it must come in its output, in that order; `...` stands for anything. The commands
of an `sh` block must just succeed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("docs/mapping.md", "docs/operations.md", "docs/recipes/README.md")
_BLOCK = re.compile(r"^(?:`([^`\n]+)`\n\n)?```(\w+)\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place as a user has it: the checkout's data, and the command on the path."""
    target = tmp_path_factory.mktemp("docs") / "checkout"
    target.mkdir()
    for name in ("fixtures", "docs"):
        shutil.copytree(ROOT / name, target / name)
    return target


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """(kind, name, text) of each file and each command of a page."""
    for name, kind, text in _BLOCK.findall((ROOT / page).read_text("utf-8")):
        if kind == "yaml" and name:
            yield "file", name, text
        elif kind == "sh":
            for line in filter(None, map(str.strip, text.splitlines())):
                yield "run", line, ""
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield "run", command, output


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, checkout: Path) -> None:
    shutil.rmtree(checkout / "custom", ignore_errors=True)
    ran = 0
    for kind, name, text in steps(page):
        if kind == "run":
            run(checkout, name, text)
            ran += 1
        elif not page.startswith("docs/recipes"):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_text(text, "utf-8")
    assert ran > 3


def run(checkout: Path, command: str, expected: str) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env={**os.environ, "PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    if not expected:
        assert done.returncode == 0, f"$ {command}\n{output}"
    pieces = [piece.strip() for piece in expected.split("...")]
    pattern = ".*?".join(re.escape(piece) for piece in pieces)
    assert re.search(pattern, output, re.S), (
        f"$ {command}\n{output}\nhas not, in this order:\n{expected}"
    )
