"""Somebody at the console, and everything that their browser complains of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, Locator, Page, Response, StorageState, expect

from .story import PASSWORD

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SECONDS = 30.0
"""As long as something may take to show: the machine may have other work."""

expect.set_options(timeout=SECONDS * 1000)


@dataclass(slots=True)
class Visit:
    """A page of a browser of somebody's own. `complaints` are errors of scripts, what the policy
    blocked, answers that are none, and requests to anybody else."""

    page: Page
    console: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def begun(
        cls, browser: Browser, console: str, state: StorageState | None = None, **options: Any
    ) -> Iterator[Visit]:
        """In a context of its own; `state` has the cookies of who is logged in."""
        options = {"viewport": DESKTOP, **options}
        context = browser.new_context(storage_state=state, **options)
        context.set_default_timeout(SECONDS * 1000)
        visit = cls(context.new_page(), console)
        visit._listen()
        yield visit
        context.close()

    def _listen(self) -> None:
        def said(message: Any) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(f"{message.type}: {message.text}")

        def answered(response: Response) -> None:
            if not response.url.startswith((self.console, "data:", "blob:")):
                self.complaints.append(f"asked elsewhere: {response.url}")
            if response.status >= 400:
                self.complaints.append(f"{response.status}: {response.url}")

        self.page.on("console", said)
        self.page.on("response", answered)
        self.page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))

    def go(self, path: str = "") -> Visit:
        """To a page below /console/."""
        self.page.goto(urljoin(self.console, path))
        return self

    def see(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def press(self, name: str) -> None:
        """The button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def log_in(self, password: str = PASSWORD) -> None:
        self.page.get_by_label("Password").fill(password)
        self.press("Log in")

    def log_in_there(self) -> StorageState:
        """The cookies of somebody who is logged in."""
        self.go("login").log_in()
        expect(self.see("h1")).to_have_text("Overview")
        return self.page.context.storage_state()
