"""Wiring: from settings to a running web application and to the offices of the worker."""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path

from flask import Flask
from redis import Redis

from adapter import logs
from adapter.destinations import DESTINATIONS
from adapter.errors import SettingsError, StoreError
from adapter.flush import Office
from adapter.intake import Intake
from adapter.jobs import flush_job
from adapter.mapping import Mappings, load
from adapter.platforms import Platform, load_platforms
from adapter.settings import Settings, shipped
from adapter.store.connection import connect
from adapter.store.health import Health
from adapter.store.outbox import Outbox
from adapter.transport import Transport
from adapter.web import create_app

WORKSPACE = "default"

_log = logging.getLogger(__name__)


def create() -> Flask:
    """The web process, as gunicorn calls it."""
    settings = Settings.from_env(os.environ, need=("redis", "secrets"))
    logs.configure(settings.log_level, gathered=True)
    app = build_web(settings)
    # What was loaded stays for good, and a webhook leaves no cycles behind: looking through all of
    # it for garbage every few webhooks would be work for nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return app


def build_web(settings: Settings) -> Flask:
    """Raises MappingFileError where the mappings hold faults."""
    redis = connect(settings.redis_url or "", "web", max_connections=settings.redis_max_connections)
    directory = mappings_directory(settings)
    intake = Intake(
        platforms=load_profiles(directory),
        mappings=load_mappings(directory),
        outbox=Outbox(redis, WORKSPACE, flush_job(WORKSPACE)),
        secrets=settings.secrets,
        shops=settings.shops,
    )
    warn_of_redis(redis)
    return create_app(intake, Health(redis), max_body_bytes=settings.max_body_bytes)


def mappings_directory(settings: Settings) -> Path:
    """Where the mappings lie: MAPPINGS_DIR, else the shipped ones."""
    return settings.mappings_dirs[0] if settings.mappings_dirs else shipped("mappings")


def load_mappings(directory: Path) -> Mappings:
    """The mappings of a directory, with the shipped contract where it has none of its own.

    Raises MappingFileError with every fault.
    """
    return load(directory, contract=shipped("mappings") / "schema.yml")


def load_profiles(directory: Path) -> dict[str, Platform]:
    """The platforms of a directory; a folder without a profile has the shipped one of its name.

    Raises MappingFileError with every fault.
    """
    own = load_platforms(directory)
    known = load_platforms(shipped("mappings"))
    return {**{name: known[name] for name in known if (directory / name).is_dir()}, **own}


def check_mappings(settings: Settings) -> None:
    """Raises MappingFileError with every fault, before a process is started that could not live.

    Secrets of none but unknown platforms are a fault as well: every webhook would be a 404.
    """
    directory = mappings_directory(settings)
    load_mappings(directory)
    platforms = load_profiles(directory)
    if settings.secrets and not settings.secrets.keys() & platforms.keys():
        raise SettingsError(
            [f"No webhook secret belongs to a platform in {directory}: {', '.join(platforms)}."]
        )


def build_office(settings: Settings) -> Office:
    """What the worker flushes. One workspace today; every key and function takes its name."""
    redis = connect(
        settings.redis_url or "", "worker", max_connections=settings.redis_max_connections
    )
    transport = Transport(
        settings.customerio_track_url,
        settings.customerio_site_id or "",
        settings.customerio_api_key or "",
    )
    warn_of_redis(redis)
    return Office(
        workspace=WORKSPACE,
        outbox=Outbox(redis, WORKSPACE, flush_job(WORKSPACE)),
        destination=DESTINATIONS["track"],
        transport=transport,
        identify_by=settings.identify_by,
    )


def warn_of_redis(redis: Redis) -> None:
    """Say what endangers accepted webhooks; a Redis that does not answer is said, not raised."""
    try:
        warnings = Health(redis).warnings()
    except StoreError as error:
        warnings = [str(error)]
    for warning in warnings:
        _log.warning(warning)
