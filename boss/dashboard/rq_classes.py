"""RQ's classes for those who only look: our serializer and job class as defaults, and no change to the connection.

`rq.Worker` raises the socket timeout of the whole connection pool to 415 s as soon as one is built, also by
`Worker.all()`; and whoever forgets to name the serializer reads JSON as pickle, which runs what a writer of Redis wants.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import QUEUE, BosslineJob

REGISTRIES: dict[str, type[BaseRegistry]] = {
    "started": StartedJobRegistry,
    "finished": FinishedJobRegistry,
    "failed": FailedJobRegistry,
    "deferred": DeferredJobRegistry,
    "scheduled": ScheduledJobRegistry,
    "canceled": CanceledJobRegistry,
}


class SeenJob(BosslineJob):
    """A job that is looked at: also one whose notes cannot be read."""

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:
        """What was noted on the job; a note that is no JSON (a pickle, by somebody else) is said to be there, not read."""
        try:
            return super().get_meta(refresh)
        except ValueError:
            return {"unreadable": "not JSON"}


class SeenQueue(Queue):
    """A queue of such jobs; ours unless another is named."""

    def __init__(self, name: str = QUEUE, connection: Redis | None = None, **kwargs: Any) -> None:
        """`job_class` and `serializer` are fixed."""
        super().__init__(name, connection, **{**kwargs, "job_class": SeenJob, "serializer": JSONSerializer})

    def compact(self) -> None:
        """RQ's, which fails on an empty queue, for one that may be empty."""
        if self.count:
            super().compact()  # type: ignore[no-untyped-call]


class SeenWorker(Worker):
    """A worker's record, read without touching the connection's timeouts."""

    @classmethod
    def all(cls, connection: Redis | None = None, **_ignored: Any) -> list[Any]:  # type: ignore[override]
        """All registered workers."""
        return super().all(connection, job_class=SeenJob, queue_class=SeenQueue, serializer=JSONSerializer)

    def _set_connection(self, connection: Redis) -> Redis:
        return connection

    def get_current_job(self) -> Job | None:
        """One of its jobs; None when that has just ended and its record has gone."""
        try:
            return super().get_current_job()
        except NoSuchJobError:
            return None


def requeue(job_id: str, connection: Redis, serializer: Any = None) -> Job:
    """Put a failed job on its queue again: a wake-up, harmless when it comes twice."""
    del serializer
    return SeenJob.fetch(job_id, connection=connection).requeue()


def jobs_of(queue: str, registry: str, connection: Redis, *, first: int, count: int, newest_first: bool) -> tuple[int, list[Job]]:
    """How many jobs a registry (or `queued`) holds, and `count` of them from the `first` on, in the order asked for."""
    source = SeenQueue(queue, connection=connection) if registry == "queued" else REGISTRIES[registry](queue, connection=connection)
    total = source.count if isinstance(source, Queue) else source.get_job_count(cleanup=False)
    begin = max(0, total - first - count) if newest_first else first
    end = max(0, total - first) if newest_first else min(total, first + count)
    ids = _ids(source, begin, end) if end > begin else []
    found = SeenJob.fetch_many(ids, connection=connection) if ids else []
    jobs = [job for job in found if job is not None]
    return total, jobs[::-1] if newest_first else jobs


def _ids(source: Queue | BaseRegistry, begin: int, end: int) -> list[str]:
    """The ids from `begin` up to, and not with, `end`."""
    if isinstance(source, Queue):
        return source.get_job_ids(begin, end - begin)
    return source.get_job_ids(begin, end - 1, cleanup=False)
