"""The old name of `rq_async`, for one release: `rq worker -w supervisor_worker.rq_async.AsyncWorker`."""

from rq_async import AsyncWorker

__all__ = ["AsyncWorker"]
