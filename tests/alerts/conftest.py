"""Somebody who listens to alerts, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Channel:
    """A webhook as chats have it: `answer` is what it says next, `said` what it was told."""

    def __init__(self) -> None:
        self.answer = 200
        self.said: list[str] = []
        self.heads: list[dict[str, str]] = []
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                channel.heads.append({"path": self.path, **self.headers})
                if channel.answer == 200:
                    found = json.loads(body)
                    assert list(found) == ["text"]
                    channel.said.append(found["text"])
                self.send_response(channel.answer)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cret"


@pytest.fixture
def channel() -> Iterator[Channel]:
    found = Channel()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()
