"""The scripts of the asynchronous worker on a real server: what they promise when answers are lost, repeated or late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Lost
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.suspension import suspend
from rq.utils import now

from rq_async import AsyncWorker, Run
from rq_async.command_batching import CommandBatcher, async_client
from rq_async.queue_client import MAX_DEQUEUED, QueueClient
from rq_async.scripts import CommandSender
from shared.storage.clients import for_loop, for_worker

NOTHING = "tests.support.worker_jobs.nothing"
Case = Callable[["Setup"], Awaitable[None]]


class UnreliableCommands:
    """Counts commands; it loses as many answers as told to, or sends everything twice, as redis-py does after a lost answer."""

    def __init__(self, beneath: CommandSender) -> None:
        self._beneath = beneath
        self.sent: list[str] = []
        self.losing = 0
        self.twice = False

    async def execute_command(self, *args: Any) -> Any:
        """Send one command, and let its answer come or not."""
        self.sent.append(args[0])
        if self.twice:
            await self._beneath.execute_command(*args)
        answer = await self._beneath.execute_command(*args)
        if self.losing:
            self.losing -= 1
            raise Lost("the answer did not come")
        return answer


class Setup:
    """A registered worker, its queue client, and commands on their way to the server that may go wrong."""

    def __init__(self, url: str, connection: Redis) -> None:
        self.redis = connection
        self.queue = Queue("things", connection=connection, serializer=JSONSerializer)
        self.worker = AsyncWorker([self.queue], name="one", connection=connection, serializer=JSONSerializer)
        self.worker.register_birth()  # type: ignore[no-untyped-call]
        self.loop_redis = for_loop(url)
        self.commands = UnreliableCommands(self.loop_redis)
        self.client = QueueClient(self.worker, self.commands, self.loop_redis)

    def enqueue(self, number: int, **options: Any) -> list[Job]:
        """So many jobs at the queue's tail."""
        return [self.queue.enqueue(NOTHING, **options) for _ in range(number)]

    async def end(self, run: Run, value: Any = 7) -> int | None:
        """Let a job have returned `value`; what the script says to it."""
        run.job.ended_at = now()
        return await self.client.finish(run, value, "idle")

    def count(self) -> int:
        """How many successes the worker's record has."""
        return int(cast("Any", self.redis.hget(self.worker.key, "successful_job_count")) or 0)


def names(runs: list[Run]) -> list[str]:
    return [run.job.id for run in runs]


@pytest.fixture
def run_case(redis_url: str) -> Callable[[Case], None]:
    """Run a test's coroutine in an event loop, with a setup of its own."""

    def run(case: Case) -> None:
        async def whole() -> None:
            with for_worker(redis_url) as connection:
                setup = Setup(redis_url, connection)
                try:
                    await case(setup)
                finally:
                    await setup.loop_redis.aclose()

        asyncio.run(whole())

    return run


def test_one_job_costs_three_round_trips_and_sixty_cost_one_for_all(run_case: Callable[[Case], None]) -> None:
    """A wait, a take and an end for a job that comes to an idle worker; one take for as many as there are."""

    async def case(setup: Setup) -> None:
        setup.enqueue(2)
        costs = []
        for _ in range(2):  # the first one connects, and brings the scripts' texts
            before = reads(setup)
            await setup.client.wait(1)
            (run,) = await setup.client.dequeue(1)
            assert await setup.end(run) == 0
            costs.append(reads(setup) - before - 1)  # without the look itself
        assert costs[1] == 3
        jobs = setup.enqueue(60)
        setup.commands.sent.clear()
        assert names(await setup.client.dequeue(200)) == [job.id for job in jobs]
        assert setup.commands.sent == ["EVALSHA"]
        setup.enqueue(MAX_DEQUEUED + 1)
        assert [len(await setup.client.dequeue(200)), setup.client.backlog] == [MAX_DEQUEUED, 1]

    run_case(case)


def reads(setup: Setup) -> int:
    return int(cast("Any", setup.redis.info("stats"))["total_reads_processed"])


def test_a_lost_answer_is_given_again_and_nothing_more_is_taken(run_case: Callable[[Case], None]) -> None:
    """Nobody else would run those jobs: the next call is answered with them, each in the execution that was recorded."""

    async def case(setup: Setup) -> None:
        jobs = setup.enqueue(5)
        await setup.client.wait(1)
        setup.commands.losing = 2
        for _ in range(2):
            with pytest.raises(Lost):
                await setup.client.dequeue(3)
            assert setup.client.unanswered
        runs = await setup.client.dequeue(3)
        assert names(runs) == [job.id for job in jobs[:3]]
        assert not setup.client.unanswered
        recorded = {key.decode().rpartition(":")[2] for key in setup.redis.scan_iter("rq:execution:*")}
        assert recorded == {run.execution.id for run in runs}
        assert setup.queue.job_ids == [job.id for job in jobs[3:]]
        assert names(await setup.client.dequeue(3)) == [job.id for job in jobs[3:]]

    run_case(case)


def test_a_command_that_is_sent_twice_takes_once(run_case: Callable[[Case], None]) -> None:
    """What redis-py repeats by itself means the same jobs."""

    async def case(setup: Setup) -> None:
        jobs = setup.enqueue(4)
        setup.commands.twice = True
        assert names(await setup.client.dequeue(2)) == [job.id for job in jobs[:2]]
        assert setup.queue.job_ids == [job.id for job in jobs[2:]]

    run_case(case)


@pytest.mark.parametrize("ttl", [500, 0, -1])
def test_an_end_that_is_sent_twice_is_counted_once(run_case: Callable[[Case], None], ttl: int) -> None:
    """One result, one success; also for a job of which nothing is kept."""

    async def case(setup: Setup) -> None:
        (job,) = setup.enqueue(1, result_ttl=ttl)
        (run,) = await setup.client.dequeue(1)
        setup.commands.twice = True
        assert await setup.end(run) == 0
        assert await setup.end(run) == 0
        assert setup.count() == 1
        assert [len(job.results()), setup.redis.exists(job.key)] == ([0, 0] if ttl == 0 else [1, 1])

    run_case(case)


def test_an_end_after_an_outage_that_outlived_the_execution_is_still_recorded(run_case: Callable[[Case], None]) -> None:
    """The worker's index expires with its heartbeats; that alone does not make an end a repetition."""

    async def case(setup: Setup) -> None:
        (job,) = setup.enqueue(1)
        (run,) = await setup.client.dequeue(1)
        setup.redis.delete(setup.worker.executions_key, run.execution.key, f"rq:executions:{job.id}")
        assert await setup.end(run) == 0
        assert await setup.end(run) == 0
        assert [job.get_status(), job.return_value(refresh=True), len(job.results()), setup.count()] == [JobStatus.FINISHED, 7, 1, 1]

    run_case(case)


def test_a_dependent_that_came_during_the_run_is_not_missed(run_case: Callable[[Case], None]) -> None:
    """The script leaves such a job to RQ's own code, and has written nothing."""

    async def case(setup: Setup) -> None:
        (job,) = setup.enqueue(1)
        (run,) = await setup.client.dequeue(1)
        setup.queue.enqueue(NOTHING, depends_on=job)
        assert await setup.end(run) is None
        assert [job.get_status(), setup.count(), len(job.results())] == [JobStatus.STARTED, 0, 0]

    run_case(case)


def test_a_worker_or_job_class_with_an_end_of_its_own_keeps_it(run_case: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script knows nothing of a subclass's `handle_job_success`, so it does not take its setup."""

    class OwnWay(AsyncWorker):
        def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
            """Something else."""

    async def case(setup: Setup) -> None:
        setup.enqueue(1)
        (run,) = await setup.client.dequeue(1)
        monkeypatch.setattr(setup.worker, "__class__", OwnWay)
        setup.client = QueueClient(setup.worker, setup.commands, setup.loop_redis)
        assert await setup.end(run) is None

    run_case(case)


def test_a_suspension_gives_the_popped_job_back_in_its_place(run_case: Callable[[Case], None]) -> None:
    """The wait for a job may have popped one just before; it stands at the head again, and nothing is between the lists."""

    async def case(setup: Setup) -> None:
        jobs = setup.enqueue(3)
        await setup.client.wait(1)
        assert setup.queue.job_ids == [job.id for job in jobs[1:]]
        suspend(setup.redis)
        assert await setup.client.dequeue(10) == []
        assert setup.client.suspended
        assert setup.queue.job_ids == [job.id for job in jobs]
        assert not setup.redis.exists(setup.queue.intermediate_queue.key)

    run_case(case)


def test_what_nobody_began_is_given_back_as_it_was(run_case: Callable[[Case], None]) -> None:
    """Queued, in order, with its time to live, without executions; giving it back twice changes nothing."""

    async def case(setup: Setup) -> None:
        jobs = setup.enqueue(4, ttl=77)
        before = [job.get_status() for job in jobs]
        runs = await setup.client.dequeue(3)
        assert setup.redis.hget(setup.worker.key, "state") == b"busy"
        setup.commands.twice = True
        await setup.client.requeue(runs, "idle")
        assert setup.queue.job_ids == [job.id for job in jobs]
        assert [job.get_status() for job in jobs] == before
        assert [cast("Any", setup.redis.ttl(job.key)) > 70 for job in jobs] == [True] * 4
        assert setup.redis.hget(setup.worker.key, "state") == b"idle"
        assert not [*setup.redis.scan_iter("rq:execution*"), *setup.redis.scan_iter("rq:wip*"), *setup.redis.scan_iter("*:executions")]
        setup.commands.twice = False
        assert names(await setup.client.dequeue(4)) == [job.id for job in jobs]

    run_case(case)


def test_ids_without_a_job_and_ids_that_rq_refuses_are_dropped(run_case: Callable[[Case], None]) -> None:
    """They neither hold up the others nor stay between the lists."""

    async def case(setup: Setup) -> None:
        setup.redis.rpush(setup.queue.key, "gone", "not an id")
        setup.redis.hset("rq:job:not an id", "data", "x")
        (job,) = setup.enqueue(1)
        await setup.client.wait(1)
        assert names(await setup.client.dequeue(10)) == [job.id]
        assert not setup.redis.exists(setup.queue.key, setup.queue.intermediate_queue.key)

    run_case(case)


def test_a_popped_id_that_rqs_clean_up_dealt_with_is_not_run(run_case: Callable[[Case], None]) -> None:
    """Somebody else has taken it off the intermediate list meanwhile, and called the job failed."""

    async def case(setup: Setup) -> None:
        (job,) = setup.enqueue(1)
        await setup.client.wait(1)
        setup.redis.lrem(setup.queue.intermediate_queue.key, 1, job.id)
        assert await setup.client.dequeue(10) == []

    run_case(case)


def test_a_job_of_another_queue_is_kept_in_its_own_registries(run_case: Callable[[Case], None]) -> None:
    """RQ looks for a started job by the queue that it came from."""

    async def case(setup: Setup) -> None:
        job = Queue("origin", connection=setup.redis, serializer=JSONSerializer).enqueue(NOTHING)
        setup.redis.rpush(setup.queue.key, job.id)
        (run,) = await setup.client.dequeue(1)
        assert job.id in job.started_job_registry
        assert await setup.end(run) == 0
        assert job.id not in job.started_job_registry
        assert job.finished_job_registry.get_job_ids() == [job.id]

    run_case(case)


def test_a_heartbeat_that_comes_after_the_end_leaves_no_trace(run_case: Callable[[Case], None]) -> None:
    """It was under way in its thread as the job ended; a hash of one field would stay."""

    async def case(setup: Setup) -> None:
        setup.enqueue(2, result_ttl=0)
        ended, running = await setup.client.dequeue(2)
        await setup.end(ended)
        setup.worker.executions = {run.execution.id: run.execution for run in (ended, running)}
        await asyncio.to_thread(setup.worker.bookkeeping.beat)
        assert {*setup.redis.scan_iter("rq:execution:*")} == {running.execution.key.encode()}
        assert {*setup.redis.scan_iter("rq:job:*")} == {running.job.key.encode()}

    run_case(case)


def test_a_heartbeat_after_the_end_does_not_bring_the_worker_back(run_case: Callable[[Case], None]) -> None:
    """A deregistered worker that seems to live again would be shown for minutes."""

    async def case(setup: Setup) -> None:
        await asyncio.to_thread(setup.worker.teardown)
        setup.redis.delete(setup.worker.key)
        await asyncio.to_thread(setup.worker.bookkeeping.beat)
        assert not setup.redis.exists(setup.worker.key, "rq:workers")

    run_case(case)


@pytest.mark.parametrize(("timeout", "seconds"), [("20", 80), ("7200", 90), ("-1", 90), ("2h", 90), ("", 90)])
def test_an_execution_lives_as_long_as_rq_says(run_case: Callable[[Case], None], timeout: str, seconds: int) -> None:
    """As long as the job may run, or until the next heartbeat, and a minute; also when the record cannot be read."""

    async def case(setup: Setup) -> None:
        (job,) = setup.enqueue(1)
        setup.redis.hset(job.key, "timeout", timeout)
        (run,) = await setup.client.dequeue(1)
        assert abs(cast("Any", setup.redis.ttl(run.execution.key)) - seconds) <= 5
        assert (run.load_error is None) == (timeout != "2h")

    run_case(case)


def test_hundreds_of_commands_at_once_share_one_connection_and_a_few_sends(redis_url: str) -> None:
    """Each caller has its own answer, in the order of the calls."""

    async def case(connection: Redis) -> None:
        client = async_client(connection, 5.0)
        batcher = CommandBatcher(client)
        before = cast("Any", connection.info("stats"))
        answers = await asyncio.gather(*(batcher.execute_command("INCR", "n") for _ in range(500)))
        after = cast("Any", connection.info("stats"))
        assert answers == list(range(1, 501))
        assert after["total_connections_received"] - before["total_connections_received"] == 1
        assert after["total_reads_processed"] - before["total_reads_processed"] < 50
        await client.aclose()

    with for_worker(redis_url) as connection:
        asyncio.run(case(connection))
