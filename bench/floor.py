"""The least that an intake can do which loses nothing: check, parse, one step in Redis. No Flask.

It maps nothing and knows one route, so no adapter can be as fast; it is what the rest is held to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from redis import Redis

_STEP = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', 172800) then
  redis.call('XADD', KEYS[2], '*', 'b', ARGV[1])
  return 1
end
return 0
"""
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def create() -> Application:
    """A bare WSGI application, as gunicorn calls it."""
    secret = os.environ["SHOPIFY_WEBHOOK_SECRET"].encode()
    redis: Any = Redis.from_url(os.environ["REDIS_URL"])
    digest = redis.script_load(_STEP)

    def receive(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        expected = base64.b64encode(hmac.digest(secret, raw, hashlib.sha256)).decode()
        if not hmac.compare_digest(expected, environ.get("HTTP_X_SHOPIFY_HMAC_SHA256", "")):
            start("401 Unauthorized", [("Content-Length", "0")])
            return []
        json.loads(raw)
        delivery = environ["HTTP_X_SHOPIFY_WEBHOOK_ID"]
        redis.execute_command("EVALSHA", digest, 2, f"floor:{delivery}", "floor", raw)
        start("200 OK", [("Content-Length", "0")])
        return []

    return receive
