"""Who may see the console: nothing below /console/ is reachable without the password."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from adapter.store.visits import MOST_TRIES
from adapter.web.console.access import is_safe
from adapter.web.console.site import OPEN
from tests.console.conftest import PASSWORD, MakeApp, Visitor, console_of

LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """(endpoint, method, path) of everything that the console answers."""
    values = {"place": "dead", "id_": "1-1", "key": "0" * 16, "filename": "console.css"}
    found = []
    for rule in console_of(app).app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], rule.rule)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            found.append((rule.endpoint, method, path))
    return found


def test_nothing_is_reachable_without_the_password(app: Flask) -> None:
    found = routes(app)
    assert len(found) >= 20
    seen = set()
    for endpoint, method, path in found:
        visitor = Visitor(app)
        form = {"csrf": visitor.token()} if method == "POST" else None
        answer = visitor.client.open(f"/console{path}", method=method, data=form, buffered=True)
        if endpoint in OPEN:
            seen.add(endpoint)
            continue
        assert answer.status_code == 303, (method, path, answer.status_code)
        assert answer.location.startswith("/console/login"), (method, path)
    assert seen == OPEN


def test_nor_with_a_made_up_cookie(app: Flask) -> None:
    for cookie in ("", "x", "eyJzIjoiYSIsInQiOiJiIiwiaW4iOnRydWV9.aaaa.bbbb", "." * 4_000):
        visitor = Visitor(app)
        visitor.client.set_cookie("adapter_console", cookie, path="/console")
        assert visitor.get("/deliveries").status_code == 303


def test_what_is_not_there_is_not_told_to_strangers(app: Flask) -> None:
    assert Visitor(app).get("/no/such/page").status_code == 303


def test_the_password_opens_it(visitor: Visitor) -> None:
    assert visitor.get("/").location == "/console/login?next=/"
    page = visitor.get("/login")
    assert page.status_code == 200
    answer = visitor.log_in(next="/deliveries")
    assert (answer.status_code, answer.location) == (303, "/console/deliveries")
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert visitor.get("/").status_code == 200
    assert visitor.get("/login").status_code == 303


def test_the_cookie_is_for_https_alone_where_it_came_by_https(visitor: Visitor) -> None:
    answer = visitor.get("/login", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]
    answer = Visitor(visitor.client.application).get("/login", base_url="https://shop.example")
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", "\ud800", "x" * 10_000])
def test_a_wrong_password_does_not(visitor: Visitor, password: str) -> None:
    answer = visitor.log_in(password.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert visitor.get("/").status_code == 303


def test_log_ins_are_counted(app: Flask, redis: Redis) -> None:
    visitor = Visitor(app)
    for _ in range(MOST_TRIES):
        assert visitor.log_in("wrong").status_code == 401
    answer = visitor.log_in()
    assert answer.status_code == 429, "the right one does not help any more"
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    # Who comes from elsewhere is not kept out by it.
    other = Visitor(app)
    token = other.token()
    data = {"csrf": token, "password": PASSWORD}
    answer = other.client.post("/console/login", data=data, environ_base={"REMOTE_ADDR": "9.9.9.9"})
    assert answer.status_code == 303
    names = [name.decode() for name in redis.scan_iter("adapter:default:console:tries:*")]
    assert names
    assert not [name for name in names if "127.0.0.1" in name]


def test_a_right_password_forgets_the_wrong_ones(app: Flask) -> None:
    visitor = Visitor(app)
    for _ in range(MOST_TRIES - 1):
        assert visitor.log_in("wrong").status_code == 401
    assert visitor.log_in().status_code == 303
    for _ in range(MOST_TRIES - 1):
        assert Visitor(app).log_in("wrong").status_code == 401


def test_log_out(operator: Visitor, make: MakeApp) -> None:
    cookie = operator.client.get_cookie("adapter_console", path="/console")
    assert cookie
    copy, other = Visitor(make()), Visitor(make())
    copy.client.set_cookie("adapter_console", cookie.value, path="/console")
    assert other.log_in().status_code == 303
    assert copy.get("/").status_code == 200
    assert operator.post("/logout").status_code == 303
    assert operator.get("/").status_code == 303
    assert copy.get("/").status_code == 303, "a copy of the cookie opens nothing"
    assert copy.log_in().status_code == 303, "but the password does"
    assert copy.get("/").status_code == other.get("/").status_code == 200


def test_another_password_ends_all_sessions(operator: Visitor, make: MakeApp) -> None:
    cookie = operator.client.get_cookie("adapter_console", path="/console")
    assert cookie
    for password, status in ((PASSWORD, 200), ("another", 303)):
        other = Visitor(make(console_password=password))
        other.client.set_cookie("adapter_console", cookie.value, path="/console")
        assert other.get("/audit").status_code == status, "all processes take it"


def test_a_session_ends(operator: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.web.console.access.SESSION_SECONDS", -1)
    assert operator.get("/").status_code == 303


def test_every_post_needs_its_token(app: Flask, operator: Visitor) -> None:
    posts = [path for _, method, path in routes(app) if method == "POST"]
    assert len(posts) >= 8
    stranger = Visitor(app)
    stranger.get("/login")
    for path in posts:
        for data in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": stranger.token()}):
            answer = operator.client.post(f"/console{path}", data=data)
            assert answer.status_code == 403, (path, data)
    answer = operator.client.post("/console/playground/try", headers={"X-CSRF": operator.token()})
    assert answer.status_code == 200


def test_another_site_cannot_post_though_it_knew_the_token(operator: Visitor) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert operator.post("/logout", headers=headers).status_code == 403
    assert operator.post("/logout", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


@pytest.mark.parametrize("target", [
    "//evil.example", "https://evil.example", "/\\evil", "x", "", "//[", "/\t/evil", "/a\r\nX: y",
])  # fmt: skip
def test_a_log_in_leads_nowhere_else(visitor: Visitor, target: str) -> None:
    assert not is_safe(target)
    assert visitor.log_in(next=target).location == "/console/"


def test_strangers_cannot_keep_it_busy(visitor: Visitor, operator: Visitor) -> None:
    """A form of 2 MiB takes 0.8 s to read, in which no webhook is answered."""
    large = {"overlay": "x" * 20_000}
    assert operator.post("/playground/try", large).status_code == 200
    stranger = Visitor(operator.client.application)
    for path in ("/login", "/playground/try"):
        assert stranger.post(path, large).status_code == 413, path


class TestWithoutAPassword:
    """Then it is for this machine alone."""

    @pytest.fixture
    def app(self, make: MakeApp) -> Flask:
        return make(console_password=None)

    def test_this_machine_may_look(self, app: Flask) -> None:
        for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
            client = app.test_client()
            answer = client.get("/console/", environ_overrides={**LOCAL, "HTTP_HOST": host})
            assert answer.status_code == 200, host
            assert "logout" not in answer.text
        answer = client.get(
            "/console/", environ_overrides={"REMOTE_ADDR": "::1", "HTTP_HOST": "localhost"}
        )
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "environ",
        [
            {"REMOTE_ADDR": "192.0.2.7"},
            {"REMOTE_ADDR": "10.0.0.1"},
            {"REMOTE_ADDR": "::ffff:192.0.2.7"},
            {"REMOTE_ADDR": ""},
            {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
            {"HTTP_FORWARDED": "for=127.0.0.1"},
            {"HTTP_X_REAL_IP": "127.0.0.1"},
            {"HTTP_VIA": "1.1 proxy"},
            {"HTTP_X_FORWARDED_HOST": "localhost"},
            {"SERVER_PROTOCOL": "HTTP/1.0"},
            {"HTTP_HOST": "rebound.example"},
            {"HTTP_HOST": "localhost.evil.example:8000"},
        ],
        ids=str,
    )
    def test_nobody_else_may(self, app: Flask, environ: dict[str, Any]) -> None:
        client = app.test_client()
        for _, method, path in routes(app):
            answer = client.open(
                f"/console{path}",
                method=method,
                environ_overrides={**LOCAL, **environ},
                buffered=True,
            )
            assert answer.status_code == 403, (method, path)
            assert "adapter_console" not in answer.headers.get("Set-Cookie", "")

    def test_forms_need_their_token_all_the_same(self, app: Flask) -> None:
        client = app.test_client()
        client.get("/console/", environ_overrides=LOCAL)
        answer = client.post("/console/people/find", data={"who": "1"}, environ_overrides=LOCAL)
        assert answer.status_code == 403


def test_headers_of_every_answer(app: Flask, operator: Visitor) -> None:
    paths = ["/", "/login", "/nothing", "/static/console.css", "/audit"]
    for answer in [*(operator.get(path) for path in paths), Visitor(app).get("/")]:
        policy = answer.headers["Content-Security-Policy"]
        own = {"script-src", "style-src", "connect-src", "form-action"}
        none = {"default-src", "frame-ancestors", "base-uri"}
        parts = {*(f"{name} 'self'" for name in own), *(f"{name} 'none'" for name in none)}
        assert parts <= set(policy.split("; "))
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert operator.get("/").headers["Cache-Control"] == "no-store"
    assert "no-store" not in operator.get("/static/console.css").headers["Cache-Control"]


def test_what_is_logged_holds_no_password(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "adapter"):
        visitor.log_in("a wrong one")
        visitor.log_in()
    told = [vars(record) for record in caplog.records if record.msg == "console"]
    assert [each["act"] for each in told] == ["log-in refused", "log-in"]
    assert PASSWORD not in json.dumps(told, default=str)
    assert "a wrong one" not in json.dumps(told, default=str)


def test_the_webhooks_do_not_wait_for_it(app: Flask) -> None:
    """The console's modules are loaded when somebody asks for a page."""
    console = console_of(app)
    assert console._app is None
    assert app.test_client().post("/webhooks/shopify", data=b"{}").status_code == 401
    assert app.test_client().get("/healthz").status_code == 200
    assert console._app is None
    assert app.test_client().get("/console").status_code in (303, 308)
    assert console._app is not None
    assert app.test_client().get("/consoles").status_code == 404
