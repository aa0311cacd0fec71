"""The one RQ job of the adapter, a wake-up call, as the bytes that RQ keeps in Redis.

The store pushes it inside its own atomic steps, where RQ's client cannot go. RQ writes the hash
itself here (`Job.to_dict`), so a newer RQ that keeps jobs differently is followed by itself.
Source: RQ 3.0, `rq/job.py` (hash `rq:job:<id>`) and `rq/queue.py` (list `rq:queue:<name>`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

QUEUE = "adapter"
FLUSH = "adapter.worker.run_flush"
TIMEOUT_SECONDS = 300
FAILURE_TTL_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """What every flush job of one workspace has in common.

    `fields` are the name, value pairs of RQ's job hash, less those that differ from job to job.
    """

    queue_key: str
    queues_key: str
    job_prefix: str
    fields: tuple[bytes, ...]


def flush_job(workspace: str) -> JobTemplate:
    """The template of a job that flushes one workspace."""
    # Nothing is sent over this connection: RQ wants one to make a Job at all.
    connection = Redis()
    job = Job.create(
        FLUSH,
        args=(workspace,),
        connection=connection,
        origin=QUEUE,
        timeout=TIMEOUT_SECONDS,
        result_ttl=0,
        failure_ttl=FAILURE_TTL_SECONDS,
        description=f"flush {workspace}",
        serializer=JSONSerializer,
        status=JobStatus.QUEUED,
    )
    fields: list[bytes] = []
    for name, value in job.to_dict().items():
        if name in {"created_at", "enqueued_at"}:
            continue
        fields += [name.encode(), _bytes(value)]
    return JobTemplate(
        queue_key=Queue.redis_queue_namespace_prefix + QUEUE,
        queues_key=Queue.redis_queues_keys,
        job_prefix=Job.redis_job_namespace_prefix,
        fields=tuple(fields),
    )


def workers(redis: Redis) -> list[float]:
    """When each worker that listens on our queue last reported to RQ, in Unix seconds.

    Raises what `redis` raises. RQ's own way to ask removes from its registry whom it misses.
    """
    names: Any = redis.smembers(WORKERS_BY_QUEUE_KEY % QUEUE)
    found = []
    for name in sorted(names):
        at: Any = redis.hget(name, "last_heartbeat")
        if at is not None:
            found.append(utcparse(at.decode()).timestamp())
    return found


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else str(value).encode()
