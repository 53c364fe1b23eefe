"""RQ as the wake-up: the only maker of jobs, and the job class that runs nothing but ours.

A job says "look at this conversation" and carries the conversation's id, no more. Losing one costs time, a second one
is refused its claim. Function names are the events', ids are random, the serializer is JSON.

`job` makes a job's records for the mailbox's scripts, which write them in the same step as what the job is for: RQ's own
`enqueue` would cost the caller five times as much (measured in docs/performance.md). A test holds them to RQ's, field by field.

JSON alone does not stop a writer of Redis from naming ``os.system`` as a job's function (tried), so `BosslineJob`
refuses any function that is not on its list, any instance and any callback. Workers, the dashboard and `rq worker -j`
use it.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import import_attribute, utcformat

from shared.addresses import Channel
from shared.errors import BadInput

QUEUE: Final = "boss"
FUNCTIONS: Final[dict[str, str]] = {
    "sms": "supervisor_worker.jobs.sms_received",
    "email": "supervisor_worker.jobs.email_received",
}
RESULT_TTL: Final = 600
FAILURE_TTL: Final = 7 * 86_400
JOB_TIMEOUT: Final = 600
"""Seconds: longer than any turn's own deadlines."""
_KEY: Final = Queue.redis_queue_namespace_prefix + QUEUE


def job(conversation: str, channel: Channel | str) -> tuple[str | bytes | int, ...]:
    """A new job that looks at a conversation, as the scripts take it.

    RQ's set of queues, the queue's key, the job's key and id, then the fields and values of the job's hash, as RQ's `enqueue` writes them.
    """
    function = FUNCTIONS[channel]
    name = str(uuid.uuid4())
    at = utcformat(datetime.now(UTC))
    data = json.dumps([function, None, [conversation], {}]).encode()
    return (
        Queue.redis_queues_keys, _KEY, Job.redis_job_namespace_prefix + name, name,
        "created_at", at, "data", zlib.compress(data, 0),
        "success_callback_name", "", "failure_callback_name", "", "stopped_callback_name", "",
        "started_at", "", "ended_at", "", "last_heartbeat", "", "worker_name", "", "group_id", "",
        "origin", QUEUE, "description", f"{function.rpartition('.')[2]} {conversation}", "enqueued_at", at,
        "timeout", JOB_TIMEOUT, "result_ttl", RESULT_TTL, "failure_ttl", FAILURE_TTL, "status", JobStatus.QUEUED.value,
    )  # fmt: skip


def enqueue(pipeline: Pipeline | AsyncPipeline, job: tuple[str | bytes | int, ...]) -> None:
    """Add a job to a pipeline of redis-py's, of either kind: the three commands that the scripts run themselves."""
    queues, queue, key, name, *fields = job
    pipeline.execute_command("SADD", queues, queue)
    pipeline.execute_command("HSET", key, *fields)
    pipeline.execute_command("RPUSH", queue, name)


class BosslineJob(Job):
    """A job whose function is one of ours; anything else raises BadInput `foreign_job` before it is imported."""

    @property
    def func(self) -> Any:
        """The function to run."""
        name = self.func_name
        if self.instance is not None or name is None or name not in FUNCTIONS.values():
            raise BadInput(f"job {self.id}", code="foreign_job")
        return import_attribute(name)

    def restore(self, raw_data: Any) -> Any:
        """Read the job from Redis and drop whatever callbacks were written beside it."""
        result = super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        return result


class Dispatcher:
    """The one queue, and how long it is."""

    def __init__(self, redis: Redis) -> None:
        self.queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=BosslineJob, default_timeout=JOB_TIMEOUT)

    def wake(self, conversation: str, channel: Channel | str) -> None:
        """Enqueue one job for a conversation by itself. Raises RedisError."""
        with self.queue.connection.pipeline() as pipeline:
            enqueue(pipeline, job(conversation, channel))
            pipeline.execute()

    def oldest_wait_ms(self) -> int:
        """How long the queue's first job has waited, in ms; 0 for an empty queue. By this host's clock: a hint only."""
        first = cast("bytes | None", self.queue.connection.lindex(self.queue.key, 0))
        return _waited_ms(cast("Any", self.queue.connection.hget(Job.key_for(first.decode()), "enqueued_at"))) if first else 0


async def oldest_wait_ms(redis: AsyncRedis) -> int:
    """`Dispatcher.oldest_wait_ms` for an event loop. Raises RedisError."""
    first: Any = await redis.lindex(_KEY, 0)
    return _waited_ms(cast("Any", await redis.hget(Job.key_for(first.decode()), "enqueued_at"))) if first else 0


async def wake_all(redis: AsyncRedis, jobs: Iterable[tuple[str | bytes | int, ...]]) -> None:
    """Enqueue jobs in one round trip. Raises RedisError."""
    async with redis.pipeline() as pipeline:
        for one in jobs:
            enqueue(pipeline, one)
        await pipeline.execute()


def _waited_ms(enqueued_at: bytes | None) -> int:
    if not enqueued_at:
        return 0
    waited = datetime.now(UTC) - datetime.fromisoformat(enqueued_at.decode())
    return max(0, int(waited.total_seconds() * 1000))
