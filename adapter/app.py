"""Wiring: from settings to a running web application and to the offices of the worker."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from redis import Redis

from adapter import logs
from adapter.destinations import DESTINATIONS
from adapter.doctor import start
from adapter.errors import SettingsError
from adapter.flush import Office
from adapter.intake import Intake
from adapter.jobs import flush_job
from adapter.lookout import load_rules
from adapter.mapping import Mappings, load
from adapter.mapping.loader import SCHEMA_FILE, is_overlay
from adapter.pacing import Pacer
from adapter.platforms import Platform, load_platforms
from adapter.rehearsal import Rehearsal
from adapter.resolver import Policy
from adapter.settings import Settings, shipped
from adapter.store.connection import connect
from adapter.store.figures import Figures
from adapter.store.health import Health
from adapter.store.outbox import Outbox
from adapter.store.purge import Purger
from adapter.transport import Transport
from adapter.web import create_app
from adapter.web.console import Backstage

WORKSPACE = "default"
CUSTOM = "custom"
"""Where a shop's own mappings lie, beside where the adapter is started."""


def create() -> Flask:
    """The web process, as gunicorn calls it."""
    settings = Settings.from_env(os.environ, need=("redis", "secrets"))
    logs.configure(settings.log_level, gathered=True)
    app = build_web(settings)
    look_for_garbage_seldom()
    return app


def look_for_garbage_seldom() -> None:
    """What was loaded stays for good, and webhooks leave no cycles behind: looking through all of
    it every few webhooks would be work for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def build_web(settings: Settings) -> Flask:
    """Raises MappingFileError where the mappings hold faults."""
    redis = connect(settings.redis_url or "", "web", max_connections=settings.redis_max_connections)
    layers = mappings_layers(settings)
    platforms = load_profiles(layers)
    mappings = load_mappings(layers)
    intake = Intake(
        platforms=platforms,
        mappings=mappings,
        outbox=Outbox(redis, WORKSPACE, flush_job(WORKSPACE)),
        secrets=settings.secrets,
        shops=settings.shops,
    )
    start.warn(settings, redis, platforms)
    return create_app(
        intake,
        Health(redis),
        max_body_bytes=settings.max_body_bytes,
        workspace=WORKSPACE,
        backstage=build_backstage(settings, redis, mappings, layers),
    )


def build_backstage(
    settings: Settings, redis: Redis, mappings: Mappings, layers: tuple[Path, ...]
) -> Backstage:
    """What the console works with."""
    return Backstage(
        settings=settings,
        redis=redis,
        workspace=WORKSPACE,
        mappings=mappings,
        layers=layers,
        contract=shipped("mappings") / SCHEMA_FILE,
        fixtures=shipped("fixtures"),
        destination=DESTINATIONS["track"],
        policy_of=policy_of,
        outbox=lambda: Outbox(redis, WORKSPACE, flush_job(WORKSPACE), secret=settings.hash_secret),
    )


def mappings_layers(settings: Settings, directory: Path | None = None) -> tuple[Path, ...]:
    """The directories of mappings, each laid over those before it.

    They are MAPPINGS_DIR, else the shipped ones and `./custom` if it is there. A `directory` that
    is named instead stands alone, unless its files can only be an overlay of the shipped ones.
    """
    shipped_ones = shipped("mappings")
    if directory is not None and directory.resolve() == Path(CUSTOM).resolve():
        below = settings.mappings_dirs or (shipped_ones,)
        known = directory.resolve() in [each.resolve() for each in below]
        return below if known else (*below, directory)
    if directory is not None:
        over = is_overlay(directory, shipped_ones)
        return (shipped_ones, directory) if over else (directory,)
    if settings.mappings_dirs:
        return settings.mappings_dirs
    custom = Path(CUSTOM)
    return (shipped_ones, custom) if custom.is_dir() else (shipped_ones,)


def load_mappings(layers: Sequence[Path]) -> Mappings:
    """The mappings of directories, with the shipped contract where the first has none of its own.

    Raises MappingFileError with every fault.
    """
    return load(*layers, contract=shipped("mappings") / SCHEMA_FILE)


def load_profiles(layers: Sequence[Path]) -> dict[str, Platform]:
    """The platforms of directories; a folder without a profile has the shipped one of its name.

    Raises MappingFileError with every fault.
    """
    own: dict[str, Platform] = {}
    for directory in layers:
        own.update(load_platforms(directory))
    known = load_platforms(shipped("mappings"))
    return {
        **{name: known[name] for name in known if any((each / name).is_dir() for each in layers)},
        **own,
    }


def check_mappings(settings: Settings) -> None:
    """Raises MappingFileError with every fault, before a process is started that could not live.

    Secrets of none but unknown platforms are a fault as well: every webhook would be a 404.
    """
    layers = mappings_layers(settings)
    load_rules(layers)
    platforms = load_profiles(layers)
    if settings.secrets and not settings.secrets.keys() & platforms.keys():
        places = ", ".join(map(str, layers))
        raise SettingsError(
            [f"No webhook secret belongs to a platform in {places}: {', '.join(platforms)}."]
        )


def worker_redis(settings: Settings) -> Redis:
    """The worker's connections, for all that it has to do with its workspaces."""
    return connect(
        settings.redis_url or "", "worker", max_connections=settings.redis_max_connections
    )


def build_office(settings: Settings, redis: Redis | None = None) -> Office:
    """What the worker flushes. One workspace today; every key and function takes its name.

    Raises MappingFileError where the mappings hold faults: names and rules are theirs.
    """
    mappings = load_mappings(mappings_layers(settings))
    redis = redis or worker_redis(settings)
    stop = threading.Event()
    start.warn(settings, redis)
    return Office(
        workspace=WORKSPACE,
        outbox=Outbox(redis, WORKSPACE, flush_job(WORKSPACE), secret=settings.hash_secret),
        destination=DESTINATIONS["track"],
        transport=build_transport(settings, stop),
        policy=policy_of(settings, mappings),
        names=mappings.names,
        purger=Purger(redis, WORKSPACE, secret=settings.hash_secret),
        rehearsal=settings.dry_run,
        figures=Figures(redis, WORKSPACE),
        stop=stop,
    )


def build_transport(settings: Settings, stop: threading.Event) -> Transport:
    """To Customer.io, no faster than RATE_LIMIT; or with DRY_RUN to nowhere."""
    if settings.dry_run:
        return Rehearsal()
    return Transport(
        settings.customerio_track_url,
        settings.customerio_site_id or "",
        settings.customerio_api_key or "",
        pacer=Pacer(settings.rate_limit) if settings.rate_limit else None,
        stop=stop,
    )


def policy_of(settings: Settings, mappings: Mappings) -> Policy:
    """What the operator has decided, by variables and by files."""
    return Policy(
        identify_by=settings.identify_by,
        rules=mappings.rules,
        unsubscribe_on_opt_out=settings.unsubscribe_on_opt_out,
        on_customer_delete=settings.on_customer_delete,
        is_placeholder=settings.is_placeholder,
        flat=mappings.schema.flat,
    )
