"""An end to what a visitor's own file may cost: so many seconds of this process's own work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class TooLongError(Exception):
    """It was ended."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TooLongError once the process has worked that long.

    What is inside must not wait for anything: the alarm goes off wherever the process is at that
    moment. It works in the main thread only, where gunicorn's workers run; elsewhere there is no
    end.
    """

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TooLongError

    try:
        # Not asked of threading: to gevent every request is a thread of its own.
        before = signal.signal(signal.SIGVTALRM, end)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
