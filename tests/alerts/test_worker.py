"""The worker process looks by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import event, mapped, person
from edge.lab import Lab, Valkey, until

from adapter.jobs import flush_job
from adapter.store.outbox import Outbox

from .conftest import Channel


@pytest.mark.slow
def test_the_worker_tells_what_it_finds(tmp_path: Path, channel: Channel) -> None:
    with (
        Valkey(tmp_path / "valkey") as valkey,
        valkey.client() as redis,
        Lab(tmp_path, REDIS_URL=valkey.url()) as lab,
    ):
        outbox = Outbox(redis, "default", flush_job("default"))
        outbox.accept(mapped("d1", person(), event("1001")), b"{}")
        job_id = redis.lpop("rq:queue:adapter")
        assert job_id is not None
        claim = outbox.claim(job_id.decode(), "t1")
        assert claim is not None
        assert outbox.back_off(claim, 60, "answered 401", paused=True)
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
