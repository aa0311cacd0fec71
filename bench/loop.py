"""The least that can drain: `python -m bench.loop`, arguments as JSON on stdin, seconds on stdout.

It reads a stream of operations that are written as they will be sent, posts as many of them at a
time as the adapter did, and deletes them. It resolves nobody, remembers nothing and settles
nothing, so no worker can be as fast; it is what draining is held to.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import requests
from redis import Redis


def main() -> None:
    arguments: dict[str, Any] = json.loads(sys.stdin.readline())
    redis: Any = Redis.from_url(arguments["redis"])
    stream = arguments["stream"]
    address, most = arguments["api"] + "/api/v2/batch", arguments["most"]
    with requests.Session() as session:
        session.auth = ("site", "key")
        session.get(arguments["api"], timeout=10)
        redis.ping()
        print("ready", flush=True)
        if sys.stdin.readline().strip() != "begin":
            return
        started = time.monotonic()
        while found := redis.xrange(stream, count=most):
            body = b'{"batch":[' + b",".join([fields[b"o"] for _, fields in found]) + b"]}"
            answer = session.post(
                address, data=body, headers={"Content-Type": "application/json"}, timeout=10
            )
            answer.raise_for_status()
            redis.xdel(stream, *[id_ for id_, _ in found])
        print(time.monotonic() - started, flush=True)


if __name__ == "__main__":
    main()
