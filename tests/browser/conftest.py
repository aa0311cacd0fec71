"""One adapter, one story and one browser for all; every test has cookies of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, StorageState

from .chromium import launched
from .story import Story
from .visit import Visit

Visitors = Callable[..., Visit]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Fails where there is none, unless somebody said so."""
    if os.environ.get("NO_BROWSER") == "1":
        pytest.skip("NO_BROWSER=1")
    with launched() as found:
        yield found


@pytest.fixture(scope="package")
def story(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Story.told(tmp_path_factory.mktemp("story")) as found:
        yield found
        for process in (found.floor.web.process, found.floor.worker, found.floor.sandbox.process):
            process.assert_calm()


@pytest.fixture(scope="package")
def state(browser: Browser, story: Story) -> StorageState:
    with Visit.begun(browser, story.console) as visit:
        return visit.log_in_there()


@pytest.fixture
def visitors(browser: Browser, story: Story) -> Iterator[Visitors]:
    """Makes visits; in the end none may have had a complaint."""
    with ExitStack() as stack:
        visits: list[Visit] = []

        def begin(**options: Any) -> Visit:
            one: AbstractContextManager[Visit] = Visit.begun(browser, story.console, **options)
            visits.append(stack.enter_context(one))
            return visits[-1]

        yield begin
        assert [each.complaints for each in visits if each.complaints] == []


@pytest.fixture
def visit(visitors: Visitors, state: StorageState) -> Visit:
    """Somebody who is logged in."""
    return visitors(state=state)
