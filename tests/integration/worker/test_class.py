"""The generic async RQ worker, on a real server and in a process of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis
from rq import Queue
from rq.cli.cli import main as rq_command
from rq.command import send_shutdown_command, send_stop_job_command
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend
from rq.worker import Worker

from rq_async import AsyncWorker
from shared.storage.clients import for_worker
from tests.support.forked_worker import ForkedWorker
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.worker_process import QUEUE, OneWorker

JOBS = "tests.support.worker_jobs."


@pytest.fixture(scope="module")
def _lasting() -> Iterator[OneWorker]:
    with EmbeddedServer() as server, OneWorker(server.url, concurrency=50, poll_seconds=0.2) as running:
        yield running


@pytest.fixture
def worker(_lasting: OneWorker) -> OneWorker:
    """A worker that lives through the tests of this module, with nothing to do; not for tests that end it."""
    assert _lasting.returncode is None, _lasting.output
    _lasting.clear()
    return _lasting


@pytest.fixture
def mortal(redis_url: str) -> Iterator[OneWorker]:
    """A worker for a test that ends it."""
    with OneWorker(redis_url, concurrency=50, poll_seconds=0.2) as running:
        yield running


def status(job: Job) -> JobStatus:
    return job.get_status(refresh=True)


def failure(job: Job) -> str:
    """The kept traceback of a failed job."""
    result = job.latest_result()
    return (result and result.exc_string) or ""


def times_begun(worker: OneWorker, job: Job) -> int:
    return int(cast("Any", worker.redis.get(f"begun:{job.id}")) or 0)


def test_one_process_holds_twenty_five_jobs_at_the_same_time(worker: OneWorker) -> None:
    """A meeting of 25 jobs takes place only when all are in the process at once; RQ sees one busy worker with 25 executions."""
    jobs = [worker.queue.enqueue(JOBS + "meet", 25) for _ in range(24)]
    wait_for(lambda: worker.redis.zcard(worker.queue.started_job_registry.key) == 24, 10, "24 started jobs")
    seen = Worker.all(connection=worker.redis)[0]
    assert seen.get_state() == "busy"
    assert len(seen.get_current_executions()) == 24
    jobs.append(worker.queue.enqueue(JOBS + "meet", 25))
    wait_for(lambda: len(worker.queue.finished_job_registry) == 25, 10, "25 finished jobs")
    assert max(cast("int", job.return_value(refresh=True)) for job in jobs) == 25
    wait_for(lambda: worker.record()["state"] == "idle", 5, "the idle state")


def test_five_hundred_jobs_each_run_once_and_leave_nothing_behind(worker: OneWorker) -> None:
    """After 500 jobs all are finished, each by its own execution, and no list of RQ's holds a leftover."""
    jobs = [worker.queue.enqueue(JOBS + "nothing") for _ in range(500)]
    wait_for(lambda: len(worker.queue.finished_job_registry) == 500, 30, "500 finished jobs")
    assert {job.id for job in jobs} == {job.return_value(refresh=True) for job in jobs}
    wait_for(lambda: worker.record()["state"] == "idle", 5, "the idle state")
    for key in (worker.queue.key, worker.queue.intermediate_queue.key, worker.queue.started_job_registry.key, f"{worker.key}:executions"):
        assert not worker.redis.exists(key), key
    assert not list(worker.redis.scan_iter("rq:execution*"))


def test_a_job_that_raises_is_kept_as_failed_with_its_traceback(worker: OneWorker) -> None:
    """Exceptions, SystemExit and results that cannot be written fail their own job and nothing else."""
    names = ("fail", "leave", "unserializable", "nothing")
    failing, leaving, unserializable, good = (worker.queue.enqueue(JOBS + name, *(["oh no"] if name == "fail" else [])) for name in names)
    wait_for(lambda: len(worker.queue.failed_job_registry) == 2 and len(worker.queue.finished_job_registry) == 2, 10, "all ends")
    assert "ValueError: oh no" in failure(failing)
    assert "SystemExit: 7" in failure(leaving)
    assert status(good) == status(unserializable) == JobStatus.FINISHED
    assert worker.returncode is None
    assert int(worker.record()["failed_job_count"]) >= 2


def test_the_state_follows_a_failure_at_once(redis_url: str) -> None:
    """The wait for the next job has begun already, and lasts; a failed job is over all the same."""
    with OneWorker(redis_url, poll_seconds=30.0, job_monitoring_interval=600) as worker:
        worker.queue.enqueue(JOBS + "fail", "oh no")
        wait_for(lambda: len(worker.queue.failed_job_registry) == 1, 5, "the failed job")
        wait_for(lambda: worker.record()["state"] == "idle", 5, "the idle state")


def test_a_job_ends_at_its_timeout(worker: OneWorker) -> None:
    """`job_timeout` cancels the coroutine and the job fails with RQ's own exception."""
    job = worker.queue.enqueue(JOBS + "nap", 30, job_timeout=1)
    wait_for(lambda: status(job) == JobStatus.FAILED, 5, "the failed job")
    assert "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)" in failure(job)


def test_a_plain_function_runs_in_a_thread(worker: OneWorker) -> None:
    """Jobs that are no coroutines do not block the loop."""
    job = worker.queue.enqueue(JOBS + "plain")
    wait_for(lambda: status(job) == JobStatus.FINISHED, 5, "the finished job")
    assert str(job.return_value(refresh=True)).startswith("rq-plain")


def test_rq_info_shows_the_worker_its_state_and_its_jobs(worker: OneWorker, capsys: pytest.CaptureFixture[str]) -> None:
    """RQ's own command, which knows nothing of this class, shows one busy worker on the queue."""
    worker.queue.enqueue(JOBS + "until", "end")
    wait_for(lambda: worker.record()["state"] == "busy", 5, "the busy state")
    socket = worker.redis.connection_pool.connection_kwargs["path"]
    rq_command(["info", "--url", f"unix://{socket}", "--raw"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "queue things 0" in shown
    assert " busy things" in next(line for line in shown.splitlines() if line.startswith("worker"))
    worker.redis.set("end", 1)


def test_the_stop_command_ends_one_job_among_many(worker: OneWorker) -> None:
    """The named job is cancelled and marked stopped; its neighbours go on."""
    jobs = [worker.queue.enqueue(JOBS + "until", "end") for _ in range(3)]
    wait_for(lambda: all(worker.redis.exists(f"begun:{job.id}") for job in jobs), 5, "three begun jobs")
    send_stop_job_command(worker.redis, jobs[1].id, serializer=JSONSerializer)
    wait_for(lambda: status(jobs[1]) == JobStatus.STOPPED, 5, "the stopped job")
    assert [status(job) for job in (jobs[0], jobs[2])] == [JobStatus.STARTED, JobStatus.STARTED]
    worker.redis.set("end", 1)
    wait_for(lambda: len(worker.queue.finished_job_registry) == 2, 5, "the other two")


def test_a_suspended_worker_takes_nothing_until_it_is_resumed(worker: OneWorker) -> None:
    """`rq suspend` holds from the next job on, and that job keeps its place in the queue."""
    suspend(worker.redis)
    jobs = [worker.queue.enqueue(JOBS + "nothing") for _ in range(3)]
    wait_for(lambda: worker.record()["state"] == "suspended", 5, "the suspended state")
    assert worker.queue.job_ids == [job.id for job in jobs]
    assert not worker.redis.exists(worker.queue.intermediate_queue.key)
    resume(worker.redis)
    wait_for(lambda: len(worker.queue.finished_job_registry) == 3, 5, "the jobs")


def test_sigterm_waits_for_running_jobs_and_deregisters(mortal: OneWorker) -> None:
    """A warm end: running jobs finish, waiting ones stay in the queue, exit status 0, no record of the worker is left."""
    job = mortal.queue.enqueue(JOBS + "until", "end")
    wait_for(lambda: mortal.redis.exists(f"begun:{job.id}"), 5, "the begun job")
    key = mortal.key
    mortal.send(signal.SIGTERM)
    wait_for(lambda: mortal.redis.hexists(key, "shutdown_requested_date"), 5, "the noted request")
    later = mortal.queue.enqueue(JOBS + "nothing")
    mortal.redis.set("end", 1)
    assert mortal.wait(5) == 0
    assert status(job) == JobStatus.FINISHED
    assert mortal.queue.job_ids == [later.id]
    assert not mortal.redis.smembers("rq:workers")
    assert mortal.redis.hexists(key, "death")


def test_sigterm_ends_when_the_grace_is_over(redis_url: str) -> None:
    """Jobs beyond the grace are cancelled, and fail where it can be seen."""
    with OneWorker(redis_url, grace=0.5) as worker:
        napping = worker.queue.enqueue(JOBS + "nap", 30)
        wait_for(lambda: worker.redis.exists(f"begun:{napping.id}"), 5, "the begun job")
        assert worker.terminate(5) == 0
        assert status(napping) == JobStatus.FAILED
        assert "WorkerEnded" in failure(napping)


def test_a_second_signal_ends_the_process_at_once(mortal: OneWorker) -> None:
    """Who is in a hurry signals twice; the queue loses nothing that was not running."""
    job = mortal.queue.enqueue(JOBS + "until", "never")
    wait_for(lambda: mortal.redis.exists(f"begun:{job.id}"), 5, "the begun job")
    key = mortal.key
    mortal.send(signal.SIGTERM)
    wait_for(lambda: mortal.redis.hexists(key, "shutdown_requested_date"), 5, "the noted request")
    assert mortal.insist(signal.SIGTERM, 5) == 128 + signal.SIGTERM


def test_rqs_shutdown_command_ends_the_worker(mortal: OneWorker) -> None:
    """`send_shutdown_command` is a warm end."""
    send_shutdown_command(mortal.redis, mortal.key.rpartition(":")[2])
    assert mortal.wait(5) == 0


def test_a_killed_worker_harms_no_other_job(redis_url: str) -> None:
    """After kill -9 with jobs in flight a new worker runs what waits; RQ's clean-up calls the lost ones failed, once."""
    with OneWorker(redis_url, concurrency=3) as dying:
        lost = [dying.queue.enqueue(JOBS + "until", "never") for _ in range(3)]
        wait_for(lambda: all(dying.redis.exists(f"begun:{job.id}") for job in lost), 5, "three begun jobs")
        waiting = dying.queue.enqueue(JOBS + "nothing")
    with OneWorker(redis_url) as worker:
        wait_for(lambda: status(waiting) == JobStatus.FINISHED, 5, "the job that waited")
        StartedJobRegistry(queue=worker.queue, serializer=JSONSerializer).cleanup(timestamp=time.time() + 3600)
        assert {status(job) for job in lost} == {JobStatus.FAILED}
        assert [times_begun(worker, job) for job in lost] == [1, 1, 1]


def test_a_restart_of_redis_under_the_worker_ends_nothing(tmp_path: Path) -> None:
    """A job that ends while the server is dead is recorded after its return, ran once, and later jobs run."""
    end = tmp_path / "end"
    with EmbeddedServer() as server, OneWorker(server.url, client_retries=False) as worker:
        job = worker.queue.enqueue(JOBS + "until_file", str(end))
        wait_for(lambda: worker.redis.exists(f"begun:{job.id}"), 5, "the begun job")
        server.kill9()
        wait_for(lambda: "Redis is away" in worker.output, 30, "the noticed outage")
        end.touch()
        wait_for((tmp_path / "end.ended").exists, 5, "the job's end")
        server.start()
        wait_for(lambda: status(job) == JobStatus.FINISHED, 20, "the record of the job's end")
        later = worker.queue.enqueue(JOBS + "nothing")
        wait_for(lambda: status(later) == JobStatus.FINISHED, 20, "a later job")
        assert times_begun(worker, job) == 1
        assert worker.output.count("Redis is away") == 1
        assert worker.terminate() == 0


def test_heartbeats_keep_a_long_job_and_its_worker_alive(redis_url: str) -> None:
    """While a job runs its record, its execution and its worker are renewed; a worker's lost record is written anew."""
    with OneWorker(redis_url, job_monitoring_interval=0.2) as worker:
        job = worker.queue.enqueue(JOBS + "until", "end")
        wait_for(lambda: worker.record()["state"] == "busy", 5, "the busy state")
        key = worker.key
        execution = next(worker.redis.scan_iter("rq:execution:*")).decode()

        def beats() -> tuple[Any, ...]:
            return (
                worker.redis.hget(execution, "last_heartbeat"),
                worker.redis.hget(job.key, "last_heartbeat"),
                worker.redis.hget(key, "last_heartbeat"),
            )

        before = beats()
        wait_for(lambda: all(new != old for new, old in zip(beats(), before, strict=True)), 5, "three newer heartbeats")
        worker.redis.expire(execution, 5)
        wait_for(lambda: int(cast("Any", worker.redis.ttl(execution))) > 30, 5, "a renewed life")
        worker.redis.delete(key)
        worker.redis.delete("rq:workers", "rq:workers:things")
        wait_for(lambda: worker.record().get("queues") == "things", 5, "the record written anew")
        assert worker.record()["state"] == "busy"
        worker.redis.set("end", 1)


def test_a_garbled_command_does_not_deafen_the_worker(mortal: OneWorker) -> None:
    """What is not JSON on the command channel is logged, and the next command is still obeyed."""
    channel = "rq:pubsub:" + mortal.key.rpartition(":")[2]
    mortal.redis.publish(channel, b"\xff not json")
    wait_for(lambda: "not understood" in mortal.output, 5, "the complaint")
    mortal.redis.publish(channel, b'{"command": "shutdown"}')
    assert mortal.wait(5) == 0


def test_a_record_that_cannot_be_read_fails_visibly(worker: OneWorker) -> None:
    """A job whose hash is nonsense, or gone, neither ends the worker nor stays in its lists."""
    worker.redis.hset("rq:job:bad", mapping={"data": b"\x00garbage", "timeout": "soon"})
    worker.redis.rpush(worker.queue.key, "bad", "gone")
    good = worker.queue.enqueue(JOBS + "nothing")
    wait_for(lambda: status(good) == JobStatus.FINISHED, 5, "the good job")
    wait_for(lambda: worker.queue.failed_job_registry.get_job_ids(cleanup=False) == ["bad"], 5, "the failed job")
    assert not worker.redis.exists(worker.queue.intermediate_queue.key)


def test_rqs_own_command_runs_this_class(redis: Redis, redis_url: str) -> None:
    """`rq worker -w … --burst` empties the queue and ends by itself."""
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    jobs = [queue.enqueue(JOBS + "nothing") for _ in range(3)]
    command = ["worker", "-w", "rq_async.AsyncWorker", "--serializer", "json", "--burst", "--url", redis_url, QUEUE]
    stock = ForkedWorker({}, redis, lambda: int(rq_command(command, standalone_mode=False) or 0))
    assert stock.run(20) == 0, stock.output
    assert {status(job) for job in jobs} == {JobStatus.FINISHED}
    assert not redis.smembers("rq:workers")


def test_a_job_popped_after_the_signal_goes_back_to_the_queues_head(redis_url: str) -> None:
    """The wait for a job may outlast the signal: what it pops then is not begun, and another worker takes it first."""
    with OneWorker(redis_url, poll_seconds=3.0) as worker:
        worker.send(signal.SIGTERM)
        wait_for(lambda: "told to end" in worker.output, 5, "the noticed signal")
        first, second = (worker.queue.enqueue(JOBS + "nothing") for _ in range(2))
        assert worker.wait(5) == 0
        assert worker.queue.job_ids == [first.id, second.id]
        assert not worker.redis.exists(worker.queue.intermediate_queue.key)


@pytest.mark.parametrize(("options", "left"), [({"max_jobs": 2}, 1), ({"burst": True}, 0), ({"max_idle_time": 0}, 0)])
def test_work_ends_by_itself_when_asked_to(redis_url: str, options: dict[str, Any], left: int) -> None:
    """After so many jobs, with an empty queue, or after a time without jobs, as RQ's own workers do."""
    with for_worker(redis_url) as redis:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        worker = AsyncWorker([queue], connection=redis, serializer=JSONSerializer)
        worker.poll_seconds = 0.1
        jobs = [queue.enqueue(JOBS + "nothing") for _ in range(3)]
        assert worker.work(**options)
        assert [status(job) for job in jobs] == [JobStatus.FINISHED] * (3 - left) + [JobStatus.QUEUED] * left
        assert len(queue) == left


def test_more_than_one_queue_is_refused(redis_url: str) -> None:
    """RQ pops from several queues without an intermediate list, and a crash would lose the job."""
    with for_worker(redis_url) as redis, pytest.raises(ValueError, match="exactly one queue"):
        AsyncWorker(["one", "two"], connection=redis, serializer=JSONSerializer).work(burst=True)
