"""One `AsyncWorker` in a process of its own, on a queue of its own."""

from __future__ import annotations

from typing import Any, Self, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from rq_async import AsyncWorker
from shared.storage.clients import for_worker
from tests.support.forked_worker import ForkedWorker
from tests.support.wait import wait_for

QUEUE = "things"
ARGUMENTS = ("worker_ttl", "job_monitoring_interval", "maintenance_interval")


class OneWorker(ForkedWorker):
    """An `AsyncWorker` with `attributes`; without `client_retries` its client raises every Redis error at once."""

    def __init__(self, url: str, *, client_retries: bool = True, **attributes: Any) -> None:
        self.redis = Redis.from_url(url, protocol=2)
        self.queue = Queue(QUEUE, connection=self.redis, serializer=JSONSerializer)
        super().__init__({}, self.redis, lambda: _work(url, client_retries, attributes))

    def __enter__(self) -> Self:
        """Start, and wait until it takes jobs."""
        super().__enter__()
        wait_for(lambda: self.record().get("state") in {"idle", "suspended"}, 10, "the worker's first state")
        return self

    def clear(self) -> None:
        """Wait until nothing runs, then forget every job."""
        wait_for(lambda: self.record().get("state") == "idle", 10, "the idle state")
        for key in self.redis.scan_iter(count=1000):
            if not key.startswith(b"rq:worker"):
                self.redis.delete(key)

    def record(self) -> dict[str, str]:
        """RQ's record of it."""
        key = self.key
        fields = cast("dict[bytes, bytes]", self.redis.hgetall(key)) if key else {}
        return {name.decode(): value.decode() for name, value in fields.items()}


def _work(url: str, client_retries: bool, attributes: dict[str, Any]) -> int:
    redis = for_worker(url) if client_retries else Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0))
    known = {name: value for name, value in attributes.items() if name in ARGUMENTS}
    worker = AsyncWorker([Queue(QUEUE, connection=redis, serializer=JSONSerializer)], connection=redis, serializer=JSONSerializer, **known)
    for name in attributes.keys() - known:
        setattr(worker, name, attributes[name])
    worker.work(logging_level="INFO")
    return 0
