"""The tests inside the shipped mapping files, one item each."""

from __future__ import annotations

import pytest

from adapter.mapping import load, suite
from adapter.settings import shipped

CASES = suite.cases(load(shipped("mappings")), shipped("fixtures"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_mapping_file(case: suite.Case) -> None:
    failure = suite.run(case)
    assert failure is None, str(failure)


def test_every_topic_has_a_test() -> None:
    mappings = load(shipped("mappings"))
    tested = {(case.sample.platform, case.sample.topic) for case in CASES}
    for platform in mappings.platforms():
        for topic in mappings.topics(platform):
            assert (platform, topic) in tested, f"{platform} {topic} has no test in its file"
