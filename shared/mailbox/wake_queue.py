"""RQ as the wake-up: the only maker of jobs, and the job class that runs nothing but ours.

A job says "look at this conversation" and carries the conversation's id, no more. Losing one costs time, a second one
is refused its claim. Function names are the events', ids are random, the serializer is JSON.

`job` makes a job's records for the mailbox's scripts, which write them in the same step as what the job is for: RQ's own
`enqueue` would cost the caller five times as much (measured in docs/explanation/performance.md). A test holds them to RQ's, field by field.

JSON alone does not stop a writer of Redis from naming ``os.system`` as a job's function (tried), so `BosslineJob`
refuses any function that is not on its list, any instance and any argument that is no id, and of a job's record it reads the fields
that ours have and no other: no callback, webhook, dependency or retry. Each is an alarm in the log. Workers, the dashboard and
`rq worker -j` use it.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue, Worker
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

from shared.errors import BadInput
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.observability import logs

QUEUE: Final = "boss"
VERSION_FIELD: Final = "bossline"
"""In RQ's record of a worker: our version, which tells our workers from any other."""
RESULT_TTL: Final = 600
FAILURE_TTL: Final = 7 * 86_400
JOB_TIMEOUT: Final = 1_800
"""Seconds: longer than any turn's own deadlines and the outage of Redis that it outlasts (`patient_mailbox`) together."""
QUEUED_MS: Final = "queued_ms"
"""In a job's record: when it was enqueued, by the server's clock. RQ's own times are those of whichever host enqueued it."""
QUEUE_KEY: Final = Queue.redis_queue_namespace_prefix + QUEUE
_JOB: Final = Job.redis_job_namespace_prefix
WORKER_PREFIX: Final = Worker.redis_worker_namespace_prefix
"""How the key of RQ's record of a worker begins."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME: Final = re.compile(r"[A-Za-z_][\w.]{0,80}", re.ASCII)
_READ: Final = frozenset(
    b"data created_at origin worker_name description enqueued_at started_at ended_at last_heartbeat result timeout result_ttl failure_ttl "
    b"status meta exc_info".split()
)
"""The fields of a job's record that are read."""
_FOREIGN: Final = (
    b"success_callback_name failure_callback_name stopped_callback_name webhooks dependency_id dependency_ids group_id retries_left "
    b"retry_intervals repeats_left repeat_intervals rate_limit_key rate_limit_concurrency".split()
)
"""Fields by which RQ would do something more than run the job; no job of ours has anything in them."""
_BEFORE_OFFSET: Final = -len("+00:00")
log = logs.logger(__name__)


def job(conversation: str, channel: Channel | str) -> tuple[str | bytes | int, ...]:
    """A new job that looks at a conversation, as the scripts take it (`enqueue` in `shared/mailbox/lua/common.lua`).

    RQ's set of queues, the queue's key, the job's key and id, the time, the call as RQ's serializer writes it (zlib, as RQ reads
    it), the description, the queue's name, and the three lifetimes in seconds: of a run, of a result, of a failure.
    """
    function = CHANNELS[channel].job
    name = f"{random.getrandbits(128):032x}"
    return (
        Queue.redis_queues_keys, QUEUE_KEY, _JOB + name, name, f"{datetime.now(UTC).isoformat('T', 'microseconds')[:_BEFORE_OFFSET]}Z",
        _stored(f'["{function}", null, ["{conversation}"], {{}}]'.encode("ascii")), f"{function.rpartition('.')[2]} {conversation}",
        QUEUE, JOB_TIMEOUT, RESULT_TTL, FAILURE_TTL,
    )  # fmt: skip


def _stored(data: bytes) -> bytes:
    """`data` as a zlib stream (RFC 1950) of one stored block (RFC 1951, 3.2.4): what `zlib.compress(data, 0)` gives.

    That lets the interpreter's lock go for its microsecond of work, and under load the thread then waits for it again.
    """
    return b"\x78\x01\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data + struct.pack(">I", zlib.adler32(data))


class BosslineJob(Job):
    """A job whose function is one of ours, on one id; anything else raises BadInput `foreign_job` before it is imported."""

    success_callback = failure_callback = stopped_callback = None
    """None is ever called, also when somebody sets the fields behind these."""

    @property
    def serializer(self) -> Any:
        """JSON, whatever a worker was told: reading a pickle runs what its writer wants."""
        return JSONSerializer

    @serializer.setter
    def serializer(self, _told: Any) -> None:
        """RQ sets one when it makes the job."""

    @property
    def func(self) -> Any:
        """The function to run."""
        name, instance, args, kwargs = self.func_name, self.instance, self.args, self.kwargs
        if instance is not None or name not in {channel.job for channel in CHANNELS.values()}:
            raise self._alarm(f"the function {name}" if _NAME.fullmatch(str(name)) else "a function")
        if kwargs or not (isinstance(args, list) and len(args) == 1 and isinstance(args[0], str) and _ID.fullmatch(args[0])):
            raise self._alarm("arguments that are no id")
        return import_attribute(name)

    def _deserialize_data(self) -> None:
        """Read what the job is to do. Raises DeserializationError, which RQ handles."""
        try:
            super()._deserialize_data()  # type: ignore[no-untyped-call]
        except DeserializationError:
            self._alarm("data that cannot be read")
            raise

    def restore(self, raw_data: Any) -> Any:
        """Read the job from Redis: what our jobs have, and nothing else."""
        if foreign := [name.decode() for name in _FOREIGN if raw_data.get(name)]:
            self._alarm(", ".join(foreign))
        return super().restore({name: value for name, value in raw_data.items() if name in _READ})

    def dependencies_are_met(self, *_given: Any, **_options: Any) -> bool:
        """Never: no job of ours waits for another, so what somebody wrote as waiting for one is not woken by its end."""
        return False

    def _alarm(self, what: str) -> BadInput:
        """Tell the operator that somebody writes jobs into Redis; what a caller may raise."""
        log.error("A job in Redis is not as ours are; what is foreign in it is not run.", action="foreign_job", job=self.id, foreign=what)
        return BadInput(f"job {self.id}", code="foreign_job")


class Dispatcher:
    """The one queue."""

    def __init__(self, redis: Redis) -> None:
        self.queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=BosslineJob, default_timeout=JOB_TIMEOUT)


async def oldest_wait_ms(redis: AsyncRedis) -> int:
    """How long the queue's first job has waited, in ms, by the server's clock; 0 for an empty queue. Raises RedisError."""
    found: Any = redis
    first = await found.lindex(QUEUE_KEY, 0)
    return waited_ms(await found.hget(Job.key_for(first.decode()), QUEUED_MS), await found.time()) if first else 0


def waited_ms(queued_ms: bytes | None, now: tuple[int, int]) -> int:
    """How long a job has waited, of its `QUEUED_MS` and the server's TIME; 0 for one that RQ enqueued, which costs jobs, never time."""
    return max(0, now[0] * 1000 + now[1] // 1000 - int(queued_ms)) if queued_ms else 0
