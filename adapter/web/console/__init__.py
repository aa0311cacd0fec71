"""The operators' page under /console/: a Flask application of its own, built when first asked for.

It stands behind the short path of the webhooks, and nobody who only takes webhooks in waits for its
modules or holds them in memory. `site` puts its pages together, `access` says who may see them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from adapter.web.console.backstage import Backstage

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["PREFIX", "Backstage", "Console"]

PREFIX = "/console"


class Console:
    """A WSGI application that answers what is below PREFIX and hands all else to `others`."""

    def __init__(self, others: Any, backstage: Backstage) -> None:
        self._others = others
        self._backstage = backstage
        self._app: Flask | None = None
        self._building = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            answer: Iterable[bytes] = self._others(environ, start_response)
            return answer
        inside = {
            **environ,
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + PREFIX,
            "PATH_INFO": path[len(PREFIX) :],
        }
        found: Iterable[bytes] = self.app(inside, start_response)
        return found

    @property
    def app(self) -> Flask:
        """The application itself."""
        with self._building:
            if self._app is None:
                from adapter.web.console.site import build  # noqa: PLC0415 - only who needs it

                self._app = build(self._backstage)
        return self._app
