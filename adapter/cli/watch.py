"""Runs something again whenever a file changes that it looks at."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import click

SECONDS = 0.3
"""Between two looks at the files. Asking for their times is cheap, and works on every system."""

Snapshot = dict[Path, tuple[int, int]]


def watch(
    run: Callable[[], object],
    directories: Callable[[], Iterable[Path]],
    *,
    every: float = SECONDS,
) -> None:
    """Call `run` now and after every change of a file below `directories`; Ctrl-C ends it.

    What is saved while `run` is at work is not missed: it runs once more.
    """
    try:
        while True:
            seen = snapshot(directories())
            if sys.stdout.isatty():
                click.clear()
            now = datetime.now().astimezone()
            click.echo(f"{now:%H:%M:%S}  watching, Ctrl-C ends", err=True)
            run()
            while snapshot(directories()) == seen:
                time.sleep(every)
    except KeyboardInterrupt:
        click.echo(err=True)


def snapshot(directories: Iterable[Path]) -> Snapshot:
    """Time of change and size of every file below the directories."""
    found: Snapshot = {}
    for directory in directories:
        for file in directory.rglob("*"):
            try:
                stat = file.stat()
            except OSError:  # gone since it was listed, as editors do
                continue
            found[file] = (stat.st_mtime_ns, stat.st_size)
    return found
