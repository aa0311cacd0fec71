"""Commands that run the adapter: run, up, web, worker, sandbox."""

from __future__ import annotations

import os
import sys

import click

from adapter.settings import Settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (PORT, else 8000).")
def web(port: int | None) -> None:
    """Take webhooks in (what the Procfile runs). Needs REDIS_URL and a webhook secret."""
    from adapter.app import check_mappings
    from adapter.processes import free_for_web, gunicorn

    settings = Settings.from_env(os.environ, need=("redis", "secrets"))
    check_mappings(settings)
    free_for_web(port or settings.port, os.environ)
    if port is not None:
        os.environ["PORT"] = str(port)
    os.execv(sys.executable, gunicorn())


@click.command()
def worker() -> None:
    """Deliver to Customer.io (what the Procfile runs). Needs REDIS_URL and credentials."""
    from adapter import logs
    from adapter import worker as worker_process

    settings = Settings.from_env(os.environ, need=("redis", "customerio"))
    logs.configure(settings.log_level)
    sys.exit(worker_process.run(settings))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (PORT, else 8000).")
def up(port: int | None) -> None:
    """Web and worker in one supervised process, for small shops.

    Without REDIS_URL an embedded Valkey keeps everything in ADAPTER_DATA_DIR.
    """
    from adapter import logs
    from adapter.app import check_mappings
    from adapter.embedded import EmbeddedRedis
    from adapter.processes import commands, free_for_web
    from adapter.supervisor import supervise

    settings = Settings.from_env(os.environ, need=("secrets", "customerio"))
    check_mappings(settings)
    free_for_web(port or settings.port, os.environ)
    logs.configure(settings.log_level)
    environ = dict(os.environ)
    if port is not None:
        environ["PORT"] = str(port)
    if settings.redis_url is not None:
        sys.exit(supervise(commands(environ)))
    with EmbeddedRedis(settings.data_dir) as redis:
        sys.exit(supervise(commands({**environ, "REDIS_URL": redis.url})))


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (PORT, else 8000).")
@click.option("--once", is_flag=True, help="End after the story: 0 if all of it arrived, else 1.")
def run(port: int | None, once: bool) -> None:
    """Everything on this machine, with a sample story played through it.

    Without REDIS_URL an embedded Valkey keeps the data in ADAPTER_DATA_DIR. Without Customer.io
    credentials a sandbox stands in for Customer.io, and the story shows what arrives there.
    """
    from adapter.demo import demo

    settings = Settings.from_env(os.environ)
    sys.exit(demo(settings, port=settings.port if port is None else port, once=once))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8010, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."
)
@click.option("--site-id", default="sandbox-site", show_default=True, envvar="CUSTOMERIO_SITE_ID")
@click.option("--api-key", default="sandbox-key", show_default=True, envvar="CUSTOMERIO_API_KEY")
def sandbox(host: str, port: int, site_id: str, api_key: str) -> None:
    """A stand-in for Customer.io's Track API (v1 and v2), kept in memory.

    It takes the credentials that the worker sends: CUSTOMERIO_SITE_ID and CUSTOMERIO_API_KEY, else
    sandbox-site and sandbox-key.

    See what it holds at /_sandbox/people and /_sandbox/requests; POST /_sandbox/faults tells it to
    fail; DELETE /_sandbox empties it.
    """
    from adapter.sandbox.server import serve

    try:
        serve(host, port, site_id=site_id, api_key=api_key)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None


COMMANDS = (run, up, web, worker, sandbox)
