"""DRY_RUN: everything but the send, with a real Valkey."""

from __future__ import annotations

import json
import logging
import threading
import time

import pytest
from builders import event, mapped, person
from redis import Redis

from adapter.app import build_office, build_transport
from adapter.destinations.base import Request
from adapter.flush import flush
from adapter.rehearsal import Rehearsal
from adapter.settings import Settings
from adapter.store.health import Status
from adapter.transport import Transport

ENV = {"DRY_RUN": "1", "CUSTOMERIO_TRACK_URL": "http://127.0.0.1:1"}
"""Whoever did send would find nobody there."""


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings.from_env({**ENV, "REDIS_URL": redis_url}, need=("redis", "customerio"))


def test_all_that_follows_a_send_follows(
    settings: Settings, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    office = build_office(settings)
    for key in ("1", "2", "3"):
        one = event(key, at=int(time.time()) - 60, order_id=key)
        office.outbox.accept(mapped(f"d{key}", person("42"), one, order=key), b"{}")
    job = redis.lpop("rq:queue:adapter")
    with caplog.at_level(logging.INFO, "adapter"):
        flush(office, job.decode())
    told = Status(redis, "default").read()
    assert (told["sent"], told["pending"], told["dead"]) == (3, 0, 0)
    assert told["details"]["events"] == 3
    assert told["last_error"] is None
    assert redis.exists("adapter:default:person:id:42"), "what was told of somebody is remembered"
    (said,) = [one for one in caplog.records if one.name == "adapter.rehearsal"]
    assert said.getMessage() == "dry run: nothing was sent"
    assert said.__dict__["bytes"] > 300


def test_every_request_is_taken() -> None:
    rehearsal = Rehearsal()
    for request in (Request("GET", "/api/v1/accounts/region", b""), Request("POST", "/x", b"{}")):
        answer = rehearsal.send(request)
        assert (answer.status, json.loads(answer.body)) == (200, {})
    rehearsal.abort()
    rehearsal.close()
    assert rehearsal.send(Request("POST", "/x", b"{}")).status == 200


def test_who_rehearses_is_decided_by_the_settings(settings: Settings) -> None:
    assert isinstance(build_transport(settings, threading.Event()), Rehearsal)
    real = build_transport(Settings(), threading.Event())
    assert type(real) is Transport
    real.close()


def test_it_is_said_loudly_at_the_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "adapter"):
        build_office(settings)
    (said,) = caplog.records
    assert said.getMessage().startswith("DRY_RUN is on: nothing is sent")
    assert said.__dict__["finding"] == "dry-run"
