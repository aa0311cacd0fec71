"""Sets a process's clock: `time.time()` is off by the seconds that stand in CLOCK_FILE.

Python loads this at its start where a test puts the directory on PYTHONPATH. The file is read again
whenever it has changed, so a clock goes backwards in the middle of a process's work. What reads
the clock in C (RQ's own dates, a log's) and Redis itself keep the true time.
"""

import os
import time

_true_time = time.time
_known = [0.0, None]


def _shifted() -> float:
    path = os.environ["CLOCK_FILE"]
    try:
        changed = os.stat(path).st_mtime_ns
        if changed != _known[1]:
            with open(path) as file:
                text = file.read()
            _known[:] = float(text or 0), changed
    except OSError:
        pass
    return _true_time() + _known[0]


if "CLOCK_FILE" in os.environ:
    time.time = _shifted
