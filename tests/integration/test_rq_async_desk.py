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
from rq_async.command_batching import Grouped, asynchronous
from rq_async.queue_client import BATCH, Desk
from rq_async.scripts import Commands
from shared.storage.clients import for_loop, for_worker

NOTHING = "tests.integration.worker_jobs.nothing"
Part = Callable[["Place"], Awaitable[None]]


class Wire:
    """Counts commands; it loses as many answers as told to, or sends everything twice, as redis-py does after a lost answer."""

    def __init__(self, beneath: Commands) -> None:
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


class Place:
    """A registered worker, its desk and a wire between the desk and the server."""

    def __init__(self, url: str, connection: Redis) -> None:
        self.redis = connection
        self.queue = Queue("things", connection=connection, serializer=JSONSerializer)
        self.worker = AsyncWorker([self.queue], name="one", connection=connection, serializer=JSONSerializer)
        self.worker.register_birth()  # type: ignore[no-untyped-call]
        self.client = for_loop(url)
        self.wire = Wire(self.client)
        self.desk = Desk(self.worker, self.wire, self.client)

    def enqueue(self, number: int, **options: Any) -> list[Job]:
        """So many jobs at the queue's tail."""
        return [self.queue.enqueue(NOTHING, **options) for _ in range(number)]

    async def end(self, run: Run, value: Any = 7) -> int | None:
        """Let a job have returned `value`; what the script says to it."""
        run.job.ended_at = now()
        return await self.desk.finish(run, value, "idle")

    def count(self) -> int:
        """How many successes the worker's record has."""
        return int(cast("Any", self.redis.hget(self.worker.key, "successful_job_count")) or 0)


def names(runs: list[Run]) -> list[str]:
    return [run.job.id for run in runs]


@pytest.fixture
def play(redis_url: str) -> Callable[[Part], None]:
    """Play a part of a test in an event loop, at a place of its own."""

    def run(part: Part) -> None:
        async def whole() -> None:
            with for_worker(redis_url) as connection:
                place = Place(redis_url, connection)
                try:
                    await part(place)
                finally:
                    await place.client.aclose()

        asyncio.run(whole())

    return run


def test_one_job_costs_three_round_trips_and_sixty_cost_one_for_all(play: Callable[[Part], None]) -> None:
    """A wait, a take and an end for a job that comes to an idle worker; one take for as many as there are."""

    async def part(place: Place) -> None:
        place.enqueue(2)
        costs = []
        for _ in range(2):  # the first one connects, and brings the scripts' texts
            before = reads(place)
            await place.desk.wait(1)
            (run,) = await place.desk.take(1)
            assert await place.end(run) == 0
            costs.append(reads(place) - before - 1)  # without the look itself
        assert costs[1] == 3
        jobs = place.enqueue(60)
        place.wire.sent.clear()
        assert names(await place.desk.take(200)) == [job.id for job in jobs]
        assert place.wire.sent == ["EVALSHA"]
        place.enqueue(BATCH + 1)
        assert [len(await place.desk.take(200)), place.desk.backlog] == [BATCH, 1]

    play(part)


def reads(place: Place) -> int:
    return int(cast("Any", place.redis.info("stats"))["total_reads_processed"])


def test_a_lost_answer_is_given_again_and_nothing_more_is_taken(play: Callable[[Part], None]) -> None:
    """Nobody else would run those jobs: the next call is answered with them, each in the execution that was recorded."""

    async def part(place: Place) -> None:
        jobs = place.enqueue(5)
        await place.desk.wait(1)
        place.wire.losing = 2
        for _ in range(2):
            with pytest.raises(Lost):
                await place.desk.take(3)
            assert place.desk.unsettled
        runs = await place.desk.take(3)
        assert names(runs) == [job.id for job in jobs[:3]]
        assert not place.desk.unsettled
        recorded = {key.decode().rpartition(":")[2] for key in place.redis.scan_iter("rq:execution:*")}
        assert recorded == {run.execution.id for run in runs}
        assert place.queue.job_ids == [job.id for job in jobs[3:]]
        assert names(await place.desk.take(3)) == [job.id for job in jobs[3:]]

    play(part)


def test_a_command_that_is_sent_twice_takes_once(play: Callable[[Part], None]) -> None:
    """What redis-py repeats by itself means the same jobs."""

    async def part(place: Place) -> None:
        jobs = place.enqueue(4)
        place.wire.twice = True
        assert names(await place.desk.take(2)) == [job.id for job in jobs[:2]]
        assert place.queue.job_ids == [job.id for job in jobs[2:]]

    play(part)


@pytest.mark.parametrize("ttl", [500, 0, -1])
def test_an_end_that_is_sent_twice_is_counted_once(play: Callable[[Part], None], ttl: int) -> None:
    """One result, one success; also for a job of which nothing is kept."""

    async def part(place: Place) -> None:
        (job,) = place.enqueue(1, result_ttl=ttl)
        (run,) = await place.desk.take(1)
        place.wire.twice = True
        assert await place.end(run) == 0
        assert await place.end(run) == 0
        assert place.count() == 1
        assert [len(job.results()), place.redis.exists(job.key)] == ([0, 0] if ttl == 0 else [1, 1])

    play(part)


def test_an_end_after_an_outage_that_outlived_the_execution_is_still_recorded(play: Callable[[Part], None]) -> None:
    """The worker's index expires with its heartbeats; that alone does not make an end a repetition."""

    async def part(place: Place) -> None:
        (job,) = place.enqueue(1)
        (run,) = await place.desk.take(1)
        place.redis.delete(place.worker.executions_key, run.execution.key, f"rq:executions:{job.id}")
        assert await place.end(run) == 0
        assert await place.end(run) == 0
        assert [job.get_status(), job.return_value(refresh=True), len(job.results()), place.count()] == [JobStatus.FINISHED, 7, 1, 1]

    play(part)


def test_a_dependent_that_came_during_the_run_is_not_missed(play: Callable[[Part], None]) -> None:
    """The script leaves such a job to RQ's own code, and has written nothing."""

    async def part(place: Place) -> None:
        (job,) = place.enqueue(1)
        (run,) = await place.desk.take(1)
        place.queue.enqueue(NOTHING, depends_on=job)
        assert await place.end(run) is None
        assert [job.get_status(), place.count(), len(job.results())] == [JobStatus.STARTED, 0, 0]

    play(part)


def test_a_worker_or_job_class_with_an_end_of_its_own_keeps_it(play: Callable[[Part], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script knows nothing of a subclass's `handle_job_success`, so it does not take its place."""

    class OwnWay(AsyncWorker):
        def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
            """Something else."""

    async def part(place: Place) -> None:
        place.enqueue(1)
        (run,) = await place.desk.take(1)
        monkeypatch.setattr(place.worker, "__class__", OwnWay)
        place.desk = Desk(place.worker, place.wire, place.client)
        assert await place.end(run) is None

    play(part)


def test_a_suspension_gives_the_popped_job_back_in_its_place(play: Callable[[Part], None]) -> None:
    """The wait for a job may have popped one just before; it stands at the head again, and nothing is between the lists."""

    async def part(place: Place) -> None:
        jobs = place.enqueue(3)
        await place.desk.wait(1)
        assert place.queue.job_ids == [job.id for job in jobs[1:]]
        suspend(place.redis)
        assert await place.desk.take(10) == []
        assert place.desk.suspended
        assert place.queue.job_ids == [job.id for job in jobs]
        assert not place.redis.exists(place.queue.intermediate_queue.key)

    play(part)


def test_what_nobody_began_is_given_back_as_it_was(play: Callable[[Part], None]) -> None:
    """Queued, in order, with its time to live, without executions; giving it back twice changes nothing."""

    async def part(place: Place) -> None:
        jobs = place.enqueue(4, ttl=77)
        before = [job.get_status() for job in jobs]
        runs = await place.desk.take(3)
        assert place.redis.hget(place.worker.key, "state") == b"busy"
        place.wire.twice = True
        await place.desk.give_back(runs, "idle")
        assert place.queue.job_ids == [job.id for job in jobs]
        assert [job.get_status() for job in jobs] == before
        assert [cast("Any", place.redis.ttl(job.key)) > 70 for job in jobs] == [True] * 4
        assert place.redis.hget(place.worker.key, "state") == b"idle"
        assert not [*place.redis.scan_iter("rq:execution*"), *place.redis.scan_iter("rq:wip*"), *place.redis.scan_iter("*:executions")]
        place.wire.twice = False
        assert names(await place.desk.take(4)) == [job.id for job in jobs]

    play(part)


def test_ids_without_a_job_and_ids_that_rq_refuses_are_dropped(play: Callable[[Part], None]) -> None:
    """They neither hold up the others nor stay between the lists."""

    async def part(place: Place) -> None:
        place.redis.rpush(place.queue.key, "gone", "not an id")
        place.redis.hset("rq:job:not an id", "data", "x")
        (job,) = place.enqueue(1)
        await place.desk.wait(1)
        assert names(await place.desk.take(10)) == [job.id]
        assert not place.redis.exists(place.queue.key, place.queue.intermediate_queue.key)

    play(part)


def test_a_popped_id_that_rqs_clean_up_dealt_with_is_not_run(play: Callable[[Part], None]) -> None:
    """Somebody else has taken it off the intermediate list meanwhile, and called the job failed."""

    async def part(place: Place) -> None:
        (job,) = place.enqueue(1)
        await place.desk.wait(1)
        place.redis.lrem(place.queue.intermediate_queue.key, 1, job.id)
        assert await place.desk.take(10) == []

    play(part)


def test_a_job_of_another_queue_is_kept_in_its_own_registries(play: Callable[[Part], None]) -> None:
    """RQ looks for a started job by the queue that it came from."""

    async def part(place: Place) -> None:
        job = Queue("origin", connection=place.redis, serializer=JSONSerializer).enqueue(NOTHING)
        place.redis.rpush(place.queue.key, job.id)
        (run,) = await place.desk.take(1)
        assert job.id in job.started_job_registry
        assert await place.end(run) == 0
        assert job.id not in job.started_job_registry
        assert job.finished_job_registry.get_job_ids() == [job.id]

    play(part)


def test_a_heartbeat_that_comes_after_the_end_leaves_no_trace(play: Callable[[Part], None]) -> None:
    """It was under way in its thread as the job ended; a hash of one field would stay."""

    async def part(place: Place) -> None:
        place.enqueue(2, result_ttl=0)
        ended, running = await place.desk.take(2)
        await place.end(ended)
        place.worker.executions = {run.execution.id: run.execution for run in (ended, running)}
        await asyncio.to_thread(place.worker.beat)
        assert {*place.redis.scan_iter("rq:execution:*")} == {running.execution.key.encode()}
        assert {*place.redis.scan_iter("rq:job:*")} == {running.job.key.encode()}

    play(part)


def test_a_heartbeat_after_the_end_does_not_bring_the_worker_back(play: Callable[[Part], None]) -> None:
    """A deregistered worker that seems to live again would be shown for minutes."""

    async def part(place: Place) -> None:
        await asyncio.to_thread(place.worker.teardown)
        place.redis.delete(place.worker.key)
        await asyncio.to_thread(place.worker.beat)
        assert not place.redis.exists(place.worker.key, "rq:workers")

    play(part)


@pytest.mark.parametrize(("timeout", "seconds"), [("20", 80), ("7200", 90), ("-1", 90), ("2h", 90), ("", 90)])
def test_an_execution_lives_as_long_as_rq_says(play: Callable[[Part], None], timeout: str, seconds: int) -> None:
    """As long as the job may run, or until the next heartbeat, and a minute; also when the record cannot be read."""

    async def part(place: Place) -> None:
        (job,) = place.enqueue(1)
        place.redis.hset(job.key, "timeout", timeout)
        (run,) = await place.desk.take(1)
        assert abs(cast("Any", place.redis.ttl(run.execution.key)) - seconds) <= 5
        assert (run.fault is None) == (timeout != "2h")

    play(part)


def test_hundreds_of_commands_at_once_share_one_connection_and_a_few_sends(redis_url: str) -> None:
    """Each caller has its own answer, in the order of the calls."""

    async def part(connection: Redis) -> None:
        client = asynchronous(connection, 5.0)
        grouped = Grouped(client)
        before = cast("Any", connection.info("stats"))
        answers = await asyncio.gather(*(grouped.execute_command("INCR", "n") for _ in range(500)))
        after = cast("Any", connection.info("stats"))
        assert answers == list(range(1, 501))
        assert after["total_connections_received"] - before["total_connections_received"] == 1
        assert after["total_reads_processed"] - before["total_reads_processed"] < 50
        await client.aclose()

    with for_worker(redis_url) as connection:
        asyncio.run(part(connection))
