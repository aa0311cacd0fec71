"""Who may see the console: whoever knows its password, or without one this machine alone.

A session is a signed cookie. Its key is made of the password and a secret in Redis, so that all web
processes take it and a changed password ends all sessions. Every POST must carry the token of its
session, which no other site can know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Request, Response

from adapter.store.visits import SESSION_SECONDS, Visits

COOKIE = "adapter_console"
FIELD, HEADER = "csrf", "X-CSRF"
STRANGERS_BYTES = 16 * 1024
"""Of what a form of somebody may hold who has not given the password: there is only the log-in."""

_LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_PROXIED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via")


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor. `name` tells them apart in the audit; `known`: they gave the password, or none
    is needed; `is_new`: they have no cookie that says so yet."""

    name: str
    token: str
    known: bool
    is_new: bool = False

    @classmethod
    def begun(cls, *, known: bool) -> Session:
        return cls(secrets.token_hex(4), secrets.token_urlsafe(24), known, is_new=True)


class Access:
    """The door. Methods that ask Redis raise StoreError."""

    def __init__(self, password: str | None, visits: Visits) -> None:
        self._password = password
        self._visits = visits

    @property
    def needs_password(self) -> bool:
        return self._password is not None

    def refusal(self, request: Request) -> str | None:
        """Why somebody is not even asked for a password; None where they may go on."""
        if self._password is not None:
            return None
        if request.remote_addr not in _LOOPBACK:
            return "CONSOLE_PASSWORD is not set, so the console answers this machine alone."
        # A proxy on this machine hands on what comes from anywhere. Browsers speak HTTP/1.1, and
        # a proxy that adds no header speaks 1.0 unless it is told otherwise.
        proxied = any(name in request.headers for name in _PROXIED)
        if proxied or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            return "CONSOLE_PASSWORD is not set, and this came through a proxy."
        # Any name may be made to mean this machine, and its page would be read by whoever owns it.
        if _host(request.host) not in _LOCAL_NAMES:
            return "CONSOLE_PASSWORD is not set, so the console is http://localhost/ alone."
        return None

    def session(self, request: Request) -> Session:
        """Whose request it is; a new one, who is not known yet, where no cookie says so."""
        data = self._read(request.cookies.get(COOKIE, ""))
        if data is None:
            return Session.begun(known=not self.needs_password)
        name = str(data["s"])
        known = not self.needs_password or (
            data.get("in") is True and not self._visits.is_over(name)
        )
        return Session(name, str(data["t"]), known)

    def logged_in(self, request: Request, password: str) -> Session | int:
        """A new session, or how many seconds the next try must wait: 0 for a wrong password."""
        address = _address(request)
        wait = self._visits.count_try(address)
        if wait:
            return wait
        if not hmac.compare_digest(_digest(password), _digest(self._password or "")):
            return 0
        self._visits.forget_tries(address)
        return Session.begun(known=True)

    def write(self, response: Response, request: Request, session: Session) -> None:
        """Give the session to its visitor."""
        data = {"s": session.name, "t": session.token, "in": session.known and self.needs_password}
        forwarded = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip()
        response.set_cookie(
            COOKIE,
            self._signer().dumps(data),
            max_age=SESSION_SECONDS,
            path=request.script_root or "/",
            secure=request.is_secure or forwarded == "https",
            httponly=True,
            samesite="Lax",
        )

    def end(self, response: Response, request: Request, session: Session) -> None:
        """For good: a copy of the cookie opens nothing either."""
        self._visits.end(session.name)
        response.delete_cookie(COOKIE, path=request.script_root or "/")

    def is_own(self, request: Request, session: Session) -> bool:
        """Whether a POST comes from a page of ours."""
        # Browsers say so themselves; who says nothing is held against the token alone.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return False
        if not session.known:
            # All that is served here waits while a form is read: 0.8 s for one of MOST_BYTES.
            request.max_content_length = request.max_form_memory_size = STRANGERS_BYTES
        given = request.headers.get(HEADER) or request.form.get(FIELD, "")
        return hmac.compare_digest(given.encode(), session.token.encode())

    def _read(self, cookie: str) -> dict[str, Any] | None:
        if not cookie or len(cookie) > 4096:
            return None
        try:
            data = self._signer().loads(cookie, max_age=SESSION_SECONDS)
        except BadSignature:
            return None
        return data if isinstance(data, dict) and {"s", "t"} <= data.keys() else None

    def _signer(self) -> URLSafeTimedSerializer:
        # Asked for each time: a Redis that was emptied has another one, and so have all processes.
        key = hmac.new(self._visits.secret(), (self._password or "").encode(), hashlib.sha256)
        return URLSafeTimedSerializer(
            key.digest(), salt="console", signer_kwargs={"digest_method": hashlib.sha256}
        )


def is_safe(target: str) -> bool:
    """Whether a log-in may lead there: to a page of ours and nowhere else."""
    try:
        parts = urlsplit(target)
    except ValueError:  # such as //[
        return False
    plain = not (parts.scheme or parts.netloc) and "\\" not in target and target.isprintable()
    return plain and target.startswith("/") and not target.startswith("//")


def _host(host: str) -> str:
    """A name without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _address(request: Request) -> str:
    """Whose tries are counted: the peer, and who it says that it speaks for. The last of these was
    written by the proxy that is nearest to us."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return f"{request.remote_addr} {forwarded[:64]}"


def _digest(password: str) -> bytes:
    """Of one length, whatever was typed."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
