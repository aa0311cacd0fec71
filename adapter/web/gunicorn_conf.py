"""How gunicorn runs the web process. Read by `adapter web`; settings come from the environment.

gevent, because one stalled client must not hold a whole worker: with sync workers two of them
stopped two workers entirely.
"""

from __future__ import annotations

import os

from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from adapter import logs
from adapter.settings import Settings

_settings = Settings.from_env(os.environ)

wsgi_app = "adapter.app:create()"
bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
# gevent's, with deadlines for heads, bodies and answers; it tells how long they are.
worker_class = "adapter.patience.Worker"
# A connection is a socket: more of them would not fit under the usual limit of 1,024 files.
worker_connections = 512
# Stores keep connections open between deliveries; a new one costs them a TLS handshake.
keepalive = 75
# A worker that does not even answer its master for so long hangs.
timeout = 30
# What is in progress at a SIGTERM takes milliseconds, 1.5 s where Redis is gone. gunicorn waits
# for connections that are merely kept alive as well, so this is how long a restart takes.
graceful_timeout = 3
# Its socket would lie in the home directory, which in a container or under systemd is not ours to
# write to; every start would say so as an error. Nothing here uses it.
control_socket_disable = True
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
accesslog = None
errorlog = "-"
loglevel = "warning"


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's own lines are JSON like all others, and as careful: no request is quoted."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(logs.JsonFormatter())

    def warning(self, msg: str, *args: object, **options: object) -> None:
        # The one line that holds what was sent: a header that could not be read, word for word.
        if msg.startswith("Invalid request"):
            msg, args = "request refused: it is no HTTP", ()
        super().warning(msg, *args, **options)

    def error(self, msg: str, *args: object, **options: object) -> None:
        # Our own address, which is nobody's; the arguments of all other lines are left out.
        if msg.startswith(("Connection in use", "Invalid address", "Can't connect to")):
            msg, args = msg % args, ()
        super().error(msg, *args, **options)


logger_class = _Log

# Heartbeat files on a disk can block; memory cannot.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
