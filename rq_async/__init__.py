"""An RQ worker that holds many coroutine jobs at once, and dequeues and finishes each with one script: see `docs/reference/rq-async.md`.

    rq worker -w rq_async.AsyncWorker --serializer json my-queue

The package needs the standard library, redis and rq, and nothing of the product around it.
"""

from rq_async.run import Run
from rq_async.shutdown import SAME_SIGNAL_SECONDS
from rq_async.worker import AsyncWorker, WorkerEnded

__all__ = ["SAME_SIGNAL_SECONDS", "AsyncWorker", "Run", "WorkerEnded"]
