"""A worker that rests: it takes nothing more, gives back what it had just popped, and leaves the agenda to others."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from shared.redis import for_worker
from supervisor_worker.rq_async import AsyncWorker
from supervisor_worker.sweep import Sweep

NOTHING = "tests.integration.worker_jobs.nothing"


def test_jobs_that_were_popped_as_the_rest_began_stand_in_the_queue_as_before(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next worker takes them, in their order; when the rest is over it takes them itself."""
    with for_worker(redis_url) as redis:
        queue = Queue("things", connection=redis, serializer=JSONSerializer)
        jobs = [queue.enqueue(NOTHING).id for _ in range(3)]
        worker = AsyncWorker([queue], connection=redis, serializer=JSONSerializer)
        worker.backlog, read = 3, worker._read

        def rest_then_read(ids: list[str]) -> Any:
            worker.resting = True
            return read(ids)

        monkeypatch.setattr(worker, "_read", rest_then_read)
        assert worker.take(10, None) == []
        assert queue.job_ids == jobs
        monkeypatch.undo()
        worker.backlog = 3
        assert worker.take(10, None) == []
        worker.resting = False
        assert [run.job.id for run in worker.take(10, None)] == jobs


def test_a_resting_worker_is_shown_as_suspended(redis_url: str) -> None:
    """That is RQ's word for one that lives and takes nothing."""
    with for_worker(redis_url) as redis:
        worker = AsyncWorker([Queue("things", connection=redis, serializer=JSONSerializer)], connection=redis, serializer=JSONSerializer)
        worker.register_birth()  # type: ignore[no-untyped-call]
        worker.resting = True
        worker.beat()
        assert redis.hget(worker.key, "state") == b"suspended"


def test_a_resting_sweep_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took from the agenda it would have to wake, and it is about to end."""
    looks: list[bool] = []

    async def run() -> None:
        stopping = asyncio.Event()
        settings = SimpleNamespace(sweep_seconds=0.001)
        sweep = Sweep(SimpleNamespace(supervisor=SimpleNamespace(settings=settings, stopping=stopping)))  # type: ignore[arg-type]

        async def once(_sweep: Sweep) -> int:
            looks.append(sweep.resting)
            return 0

        async def pause(_sweep: Sweep) -> None:
            sweep.resting = len(looks) < 2 and not sweep.resting
            if len(looks) == 2:
                stopping.set()

        monkeypatch.setattr(Sweep, "once", once)
        monkeypatch.setattr(Sweep, "_pause", pause)
        await asyncio.wait_for(sweep.run(), 5)

    asyncio.run(run())
    assert looks == [False, False]
