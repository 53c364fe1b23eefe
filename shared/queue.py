"""RQ as the wake-up: the only producer of jobs, and the job class that runs nothing but ours.

A job says "look at this conversation" and carries the conversation's id, no more. Losing one costs time, a second one
is refused its claim. Function names are the events', ids are random, the serializer is JSON.

JSON alone does not stop a writer of Redis from naming ``os.system`` as a job's function (tried), so `BosslineJob`
refuses any function that is not on its list, any instance and any callback. Workers, the dashboard and `rq worker -j`
use it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

from shared.addresses import Channel
from shared.errors import BadInput

QUEUE: Final = "boss"
FUNCTIONS: Final[dict[str, str]] = {
    "sms": "supervisor_worker.jobs.sms_received",
    "email": "supervisor_worker.jobs.email_received",
}
RESULT_TTL: Final = 600
FAILURE_TTL: Final = 7 * 86_400


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
    """Puts wake-ups on the one queue."""

    def __init__(self, redis: Redis, *, job_timeout: int = 600) -> None:
        """`job_timeout` is in seconds: longer than any turn's own deadlines."""
        self.queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=BosslineJob, default_timeout=job_timeout)

    def wake(self, conversation: str, channel: Channel | str, pipeline: Pipeline | None = None) -> None:
        """Enqueue one job for a conversation, on its own or as a part of a MULTI."""
        function = FUNCTIONS[channel]
        self.queue.enqueue(
            function,
            conversation,
            result_ttl=RESULT_TTL,
            failure_ttl=FAILURE_TTL,
            description=f"{function.rpartition('.')[2]} {conversation}",
            pipeline=pipeline,
        )

    def oldest_wait_ms(self) -> int:
        """How long the queue's first job has waited, in ms; 0 for an empty queue. By this host's clock: a hint only."""
        first = cast("bytes | None", self.queue.connection.lindex(self.queue.key, 0))
        raw = self.queue.connection.hget(Job.key_for(first.decode()), "enqueued_at") if first else None
        if not raw:
            return 0
        enqueued = datetime.fromisoformat(cast("bytes", raw).decode())
        return max(0, int((datetime.now(UTC) - enqueued).total_seconds() * 1000))
