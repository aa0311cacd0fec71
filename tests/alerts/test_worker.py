"""The worker process looks by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from edge.lab import Lab, Valkey, until

from .conftest import Channel


@pytest.mark.slow
def test_the_worker_tells_what_it_finds(tmp_path: Path, channel: Channel) -> None:
    with (
        Valkey(tmp_path / "valkey") as valkey,
        valkey.client() as redis,
        Lab(tmp_path, REDIS_URL=valkey.url()) as lab,
    ):
        redis.hset("adapter:default:trouble", "paused", "1")
        redis.hset("adapter:default:last_error", mapping={"reason": "answered 401", "at": 1})
        sandbox = lab.sandbox()
        workers = [lab.worker(sandbox, ALERT_WEBHOOK_URL=channel.url) for _ in range(2)]
        until(lambda: channel.said, "somebody was told")
        (said,) = channel.said
        assert "ALERT delivery_paused" in said
        assert redis.exists("adapter:default:volume"), "and the hours are counted"
        until(lambda: any('"event": "alert"' in one.said for one in workers), "it is logged")
        for worker in workers:
            worker.end()
            assert "s3cret" not in worker.said
            assert "Traceback" not in worker.said
