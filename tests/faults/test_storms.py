"""Nothing lost, nothing doubled, order kept, whatever happens: one test for each storm.

`make test` plays the short forms, side by side, because they wait more than they work. `make
torture` plays the long ones, one after the other: TORTURE=1, TORTURE_SEED for a seed of one's own.
A seed settles who does what and what is broken; a verdict names it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from .oracle import Verdict
from .storm import STORMS, play

LONG = os.environ.get("TORTURE") == "1"
SEED = int(os.environ.get("TORTURE_SEED") or (random.randrange(10**6) if LONG else 20261122))
AT_ONCE = 1 if LONG else 8
LONGEST = ("silence", "answers", "flapping", "processes_die")
"""These begin first."""
PATIENCE_SECONDS = 7200 if LONG else 500


@pytest.fixture(scope="module")
def storms(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Verdict]]]:
    """Those whose tests are among the chosen ones."""
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    names = {call.params["name"] for call in calls if call and "name" in call.params}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(play, tmp_path_factory.mktemp(name), name, SEED, long=LONG)
            for name in sorted(STORMS, key=lambda name: name not in LONGEST)
            if name in names
        }


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_SECONDS + 60)
@pytest.mark.parametrize("name", STORMS)
def test_storm(storms: dict[str, Future[Verdict]], name: str) -> None:
    verdict = storms[name].result(PATIENCE_SECONDS)
    assert not verdict.wrong, f"seed {SEED}\n{verdict}"
