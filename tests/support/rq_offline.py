"""RQ workers and runs for unit tests: over a Redis in this process, without sockets, threads or signals."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast

from fakeredis import FakeRedis, FakeServer
from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker

from rq_async.run import Run, RunFactory

STARTED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def offline(kind: type[BaseWorker] = BaseWorker) -> Any:
    """A worker named `one` on the queue `things`, with a log of its own; not registered."""
    redis = FakeRedis(server=FakeServer())
    queue = Queue("things", connection=redis, serializer=JSONSerializer)
    worker = kind([queue], name="one", connection=redis, serializer=JSONSerializer, prepare_for_work=False)
    worker.hostname, worker.pid = "host", 7
    worker.log = logging.getLogger(f"worker {uuid.uuid4().hex}")  # RQ's own is silenced for others by whoever works first
    worker.log.setLevel(logging.INFO)
    return worker


def started(worker: BaseWorker, function: str, *args: Any, **options: Any) -> Run:
    """The run of a new job that is recorded as started, as the script leaves it."""
    queue = worker.queues[0]
    job = queue.enqueue(function, *args, **options)
    worker.connection.lrem(queue.key, 1, job.id)
    record = cast("dict[bytes, bytes]", worker.connection.hgetall(job.key))
    factory = RunFactory(worker.job_class, worker.serializer, worker.connection, queue, worker.name)
    run = factory.make(job.id, uuid.uuid4().hex, [*chain.from_iterable(record.items())], STARTED_AT)
    with worker.connection.pipeline() as pipeline:
        run.execution.save(ttl=100, pipeline=pipeline)
        pipeline.execute()
    return run
