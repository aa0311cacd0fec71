"""Where the browser is; `python -m tests.browser.chromium` gets one onto a fresh machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE = (
    "No browser for tests/browser: install Chromium, or say where one is (CHROMIUM=/path/to/it). "
    "NO_BROWSER=1 leaves these tests out."
)
QUIET = ("--disable-gpu", "--disable-quic", "--force-color-profile=srgb")


def on_path(environ: Mapping[str, str]) -> str | None:
    """What CHROMIUM names, or the first of the usual names that is there."""
    wanted = environ.get("CHROMIUM")
    names = (wanted,) if wanted else NAMES
    return next((path for name in names if (path := shutil.which(name))), None)


def find(playwright: Playwright) -> str | None:
    """The machine's own, else the one that Playwright has fetched."""
    fetched = playwright.chromium.executable_path
    return on_path(os.environ) or (fetched if Path(fetched).exists() else None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window. Raises FileNotFoundError where there is none."""
    with sync_playwright() as playwright:
        path = find(playwright)
        if path is None:
            raise FileNotFoundError(NONE)
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


def install() -> bool:
    """Debian's where that may be done, else Playwright's own; whether there is one now."""
    if on_path(os.environ):
        return True
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium"
        ways.insert(0, ["sh", "-c", apt])
    with sync_playwright() as playwright:
        for argv in ways:
            if find(playwright):
                break
            print("a browser for the tests:", shlex.join(argv), flush=True)
            done = subprocess.run(
                argv,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                print(done.stdout)
        return find(playwright) is not None


if __name__ == "__main__":
    sys.exit(None if install() else NONE)
