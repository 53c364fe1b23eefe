"""The asynchronous worker's loop in the test's own process: signals between two answers, clients and loops of one's own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop
from redis import Redis
from redis.exceptions import ConnectionError as Lost
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from rq_async import AsyncWorker
from rq_async.command_batching import CommandBatcher, async_client
from shared.storage.clients import for_loop, for_worker

JOBS = "tests.support.worker_jobs."


class Interfering:
    """Sends the scripts, and lets a test do something between an answer of the server and its arrival at the worker."""

    def __init__(self, connection: Redis, after: Callable[[int], Awaitable[None]]) -> None:
        self._commands = CommandBatcher(async_client(connection, 5.0))
        self._after = after
        self.answers = 0

    async def execute_command(self, *args: Any) -> Any:
        """Send one command; `after` is told how many were answered."""
        answer = await self._commands.execute_command(*args)
        self.answers += 1
        await self._after(self.answers)
        return answer


@pytest.fixture
def worker(redis_url: str) -> Iterator[AsyncWorker]:
    with for_worker(redis_url) as redis:
        queue = Queue("things", connection=redis, serializer=JSONSerializer)
        made = AsyncWorker([queue], name="one", connection=redis, serializer=JSONSerializer)
        made.poll_seconds = 0.1
        yield made


def enqueue(worker: AsyncWorker, number: int) -> list[Job]:
    return [worker.queue.enqueue(JOBS + "nothing") for _ in range(number)]


def untouched(worker: AsyncWorker, jobs: list[Job]) -> bool:
    """Whether the jobs stand in the queue as if there had been no worker."""
    left = [
        *worker.connection.scan_iter("rq:execution*"),
        *worker.connection.scan_iter("rq:wip*"),
        *worker.connection.scan_iter("*:intermediate"),
    ]
    return worker.queue.job_ids == [job.id for job in jobs] and not left and {job.get_status() for job in jobs} == {"queued"}


def test_jobs_that_were_started_as_the_signal_came_stand_in_the_queue_as_before(worker: AsyncWorker) -> None:
    """The server had handed them out, and nobody has begun them: they are the next worker's."""
    jobs = enqueue(worker, 4)

    async def stop(_: int) -> None:
        worker.request_stop(signal.SIGTERM, None)

    worker.scripts = Interfering(worker.connection, stop)
    assert not worker.work()
    assert untouched(worker, jobs)


def test_jobs_whose_answer_was_lost_before_the_signal_stand_in_the_queue_as_before(worker: AsyncWorker) -> None:
    """The worker asks once more, hears which they were, and gives them back."""
    jobs = enqueue(worker, 4)

    async def lose_the_first(answers: int) -> None:
        if answers == 1:
            worker.request_stop(signal.SIGTERM, None)
            raise Lost("the answer did not come")

    worker.scripts = Interfering(worker.connection, lose_the_first)
    assert not worker.work()
    assert untouched(worker, jobs)


def test_jobs_whose_answer_was_lost_are_run_once_by_the_same_worker(worker: AsyncWorker) -> None:
    """An answer lost on the way costs a fifth of a second, not the jobs."""
    jobs = enqueue(worker, 4)

    async def lose_the_first(answers: int) -> None:
        if answers == 1:
            raise Lost("the answer did not come")
        if not len(worker.queue) and answers > 5:
            worker.request_stop(signal.SIGTERM, None)

    worker.scripts = Interfering(worker.connection, lose_the_first)
    assert worker.work()
    assert {job.get_status() for job in jobs} == {"finished"}
    assert [len(job.results()) for job in jobs] == [1] * 4


def test_a_loop_and_clients_of_ones_own_are_used(worker: AsyncWorker, redis_url: str) -> None:
    """`loop_factory` makes the loop, `async_connection` waits, and it is left open for its owner."""
    loops: list[str] = []
    worker.loop_factory = uvloop.new_event_loop
    worker.async_connection = for_loop(redis_url)

    async def note(_: int) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    worker.scripts = Interfering(worker.connection, note)
    (job,) = enqueue(worker, 1)
    assert worker.work(burst=True)
    assert job.get_status() == "finished"
    assert set(loops) == {"uvloop"}


def test_a_job_that_comes_back_is_not_left_by_a_burst(worker: AsyncWorker) -> None:
    """The queue was empty when the worker looked, and when it hears that, a job that was running then is in it again."""
    job = worker.queue.enqueue(JOBS + "again")

    async def hear_late(answers: int) -> None:
        while answers == 2 and worker.runs:  # noqa: ASYNC110 - the end of a run is no event
            await asyncio.sleep(0.01)

    worker.scripts = Interfering(worker.connection, hear_late)
    assert worker.work(burst=True)
    assert job.get_status() == "failed"
