"""The web process with its console, over a real Valkey, and what comes in behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from backroom import SECRET
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapter.app import build_web
from adapter.settings import Settings
from adapter.store import connection

PASSWORD = "correct horse battery staple"
VOID = frozenset(["base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"])
MakeApp = Callable[..., Flask]


@pytest.fixture
def make(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    """Makes a web process's application with other settings, and patient where Redis stalls."""
    monkeypatch.setitem(connection._PATIENCE, "web", connection._PATIENCE["worker"])
    made: list[Flask] = []

    def build(**changes: Any) -> Flask:
        settings = {
            "redis_url": redis_url,
            "secrets": {"shopify": ("secret",)},
            "hash_secret": SECRET,
            "console_password": PASSWORD,
            **changes,
        }
        app = build_web(Settings(**settings))
        made.append(app)
        return app

    yield build
    for app in made:
        console_of(app)._backstage.redis.connection_pool.disconnect()


@pytest.fixture
def app(make: MakeApp) -> Flask:
    return make()


def console_of(app: Flask) -> Any:
    """The part that answers below /console/."""
    return app.wsgi_app._others  # type: ignore[attr-defined]


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who has not logged in."""
    return Visitor(app)


@pytest.fixture
def operator(visitor: Visitor) -> Visitor:
    """Somebody who has."""
    assert visitor.log_in().status_code == 303
    return visitor


class Visitor:
    """A browser without scripts: it keeps cookies, reads pages and sends their forms."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str = "/", **options: Any) -> TestResponse:
        """A page of the console."""
        return self.client.get(f"/console{path}", buffered=True, **options)

    def page(self, path: str = "/") -> Page:
        """One that must be there, and well made."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return Page(answer)

    def post(self, path: str, form: Any = None, **options: Any) -> TestResponse:
        """A form, with the token of this session."""
        data = {"csrf": self.token(), **(form or {})}
        body = urlencode(data, doseq=True)
        kind = "application/x-www-form-urlencoded"
        return self.client.post(f"/console{path}", data=body, content_type=kind, **options)

    def follow(self, path: str, form: Any = None) -> Page:
        """A form, and the page that it leads to."""
        answer = self.post(path, form)
        assert answer.status_code == 303, (answer.status_code, answer.text[:500])
        return self.page(answer.location.removeprefix("/console"))

    def token(self) -> str:
        found = re.search(r'name="csrf" content="([^"]+)"', self.get("/login").text)
        if found is None:
            found = re.search(r'name="csrf" content="([^"]+)"', self.get("/audit").text)
        assert found
        return found[1]

    def log_in(self, password: str = PASSWORD, **form: str) -> TestResponse:
        return self.post("/login", {"password": password, **form})


class Page(HTMLParser):
    """A page, parsed: it must be well made, and have what every page must have."""

    def __init__(self, answer: TestResponse, *, part: bool = False) -> None:
        super().__init__()
        self.answer, self.text = answer, answer.text
        self.faults: list[str] = []
        self.ids: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._words: dict[str, list[str]] = {}
        self._inside: list[str | None] = []
        self.drawn = "<svg" in answer.text
        self.feed(self.text)
        self.close()
        if self._open:
            self.faults.append(f"never closed: {self._open}")
        if not part:
            self._whole()
        assert not self.faults, self.faults

    def _whole(self) -> None:
        # A drawing's parts have titles, too.
        names = [tag for tag, _ in self.tags if not (tag == "title" and self.drawn)]
        names += ["title"] * (self.text.split("<body>")[0].count("<title>") if self.drawn else 0)
        for one in ("title", "main", "h1", "header", "footer"):
            if names.count(one) != 1:
                self.faults.append(f"{names.count(one)} of {one}")
        labelled = {attrs.get("for") for tag, attrs in self.tags if tag == "label"}
        for tag, attrs in self.tags:
            if tag in ("input", "select", "textarea") and attrs.get("type") != "hidden":
                wrapped = attrs.get("name") in ("remap", "unmask")
                named = attrs.get("id") in labelled or attrs.get("aria-label") or wrapped
                if not named:
                    self.faults.append(f"no label: {attrs}")
        posts = [
            attrs for tag, attrs in self.tags if tag == "form" and attrs.get("method") == "post"
        ]
        tokens = [
            attrs for tag, attrs in self.tags if attrs.get("name") == "csrf" and tag == "input"
        ]
        if len(posts) != len(tokens) or not all(attrs["value"] for attrs in tokens):
            self.faults.append(f"{len(posts)} forms, {len(tokens)} tokens")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if len(found) != len(attrs):
            self.faults.append(f"an attribute twice in {tag}")
        self.tags.append((tag, found))
        if "style" in found or any(name.startswith("on") for name in found):
            self.faults.append(f"inline style or script in {tag}")
        if tag == "script" and not found.get("src"):
            self.faults.append("inline script")
        if tag == "style":
            self.faults.append("inline style")
        if (id_ := found.get("id")) is not None:
            if id_ in self.ids:
                self.faults.append(f"id {id_} twice")
            self.ids[id_] = tag
        if tag not in VOID:
            self._open.append(tag)
            self._inside.append(found.get("id"))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:]}, line {self.getpos()}")
            return
        self._open.pop()
        self._inside.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        for id_ in self._inside:
            if id_ is not None:
                self._words.setdefault(id_, []).append(data)

    def words(self, id_: str) -> str:
        """The text inside an element."""
        assert id_ in self.ids, (id_, sorted(self.ids))
        return " ".join(" ".join(self._words.get(id_, ())).split())

    def links(self) -> list[str]:
        """Where it leads to inside the console."""
        return [
            href.removeprefix("/console").partition("#")[0]
            for tag, attrs in self.tags
            if tag == "a" and (href := attrs.get("href") or "").startswith("/console")
        ]
