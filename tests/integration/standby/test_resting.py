"""A worker that drains: it takes nothing more, gives back what it had just popped, and leaves the agenda to others."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from rq_async import AsyncWorker
from shared.storage.clients import for_worker
from supervisor_worker.process.sweep import Sweep
from tests.support.wait import wait_for

NOTHING = "tests.support.worker_jobs.nothing"


def test_a_job_that_was_popped_as_the_draining_began_stands_in_the_queue_as_before(redis_url: str) -> None:
    """The draining may begin while the worker waits for a job: the one that comes then is the next worker's, in its old place."""

    async def drain_while_waiting(worker: AsyncWorker, queue: Queue) -> list[str]:
        working = asyncio.create_task(worker.work_async())
        await until(lambda: blocked(worker) == 1, "the wait for a job")
        worker.draining = True
        first, second = [(await asyncio.to_thread(queue.enqueue, NOTHING)).id for _ in range(2)]
        await until(lambda: queue.job_ids == [first, second] and worker.get_state() == "suspended", "both jobs in their order")
        worker.draining = False
        await until(lambda: len(queue.finished_job_registry) == 2, "the end of both")
        worker.request_stop(signal.SIGTERM, None)
        await working
        return [first, second]

    with for_worker(redis_url) as redis:
        queue = Queue("things", connection=redis, serializer=JSONSerializer)
        worker = AsyncWorker([queue], connection=redis, serializer=JSONSerializer)
        worker.poll_seconds = 0.3
        jobs = asyncio.run(drain_while_waiting(worker, queue))
        assert set(queue.finished_job_registry.get_job_ids()) == set(jobs)
        assert not redis.exists(queue.intermediate_queue.key)


def blocked(worker: AsyncWorker) -> int:
    return int(cast("Any", worker.connection.info("clients"))["blocked_clients"])


async def until(true: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_for, true, 5, what)


def test_a_draining_worker_is_shown_as_suspended(redis_url: str) -> None:
    """That is RQ's word for one that lives and takes nothing."""
    with for_worker(redis_url) as redis:
        worker = AsyncWorker([Queue("things", connection=redis, serializer=JSONSerializer)], connection=redis, serializer=JSONSerializer)
        worker.register_birth()  # type: ignore[no-untyped-call]
        worker.draining = True
        worker.bookkeeping.beat()
        assert redis.hget(worker.key, "state") == b"suspended"


def test_a_draining_sweep_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took from the agenda it would have to wake, and it is about to end."""
    looks: list[bool] = []

    async def run() -> None:
        stopping = asyncio.Event()
        settings = SimpleNamespace(sweep_seconds=0.001)
        sweep = Sweep(SimpleNamespace(context=SimpleNamespace(settings=settings, stopping=stopping)))  # type: ignore[arg-type]

        async def once(_sweep: Sweep) -> int:
            looks.append(sweep.draining)
            return 0

        async def wait(_sweep: Sweep, _seconds: float) -> None:
            sweep.draining = len(looks) < 2 and not sweep.draining
            if len(looks) == 2:
                stopping.set()

        monkeypatch.setattr(Sweep, "once", once)
        monkeypatch.setattr(Sweep, "_wait", wait)
        await asyncio.wait_for(sweep.run(), 5)

    asyncio.run(run())
    assert looks == [False, False]
