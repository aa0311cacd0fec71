"""`python -m bench [mapping|intake|drain|latency|memory ...] [--quick] [--json FILE]`.

Speed is measured here, not asserted: the exit code is 0 whatever the figures are, and 1 only when
something does not work.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import time
import traceback
from pathlib import Path

from bench.tables import Result, header

SUBJECTS = (
    "mapping",
    "stages",
    "intake",
    "drain",
    "burst",
    "latency",
    "memory",
    "endurance",
    "growth",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures as JSON as well")
    options = parser.parse_args()
    subjects = options.subjects or SUBJECTS
    if unknown := [name for name in subjects if name not in SUBJECTS]:
        parser.error(f"no such subject: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    # So that what was started is ended as well: context managers run on SystemExit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    head = header()
    print(head)
    sys.stdout.flush()
    started = time.monotonic()
    results: list[Result] = []
    failed = []
    for name in subjects:
        subject = importlib.import_module(f"bench.{name}")
        try:
            result = subject.run(quick=options.quick)
        except Exception:  # noqa: BLE001 - the other subjects can still be measured
            traceback.print_exc()
            failed.append(name)
            continue
        result.show()
        results.append(result)
    print(f"\n{time.monotonic() - started:.0f} s" + (", quick rounds" if options.quick else ""))
    if options.json:
        document = {"header": head, "quick": options.quick, "failed": failed}
        document["results"] = [result.to_json() for result in results]
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    if failed:
        print(f"does not work: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
