"""Two hundred jobs in one process, and what a kill, a signal, a command and a dead Redis do to them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from redis import Redis
from rq.command import send_stop_job_command
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.worker_process import OneWorker

MANY = 200
JOBS = "tests.support.worker_jobs."


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """The file that ends the jobs when it is made."""
    return tmp_path / "end"


def enqueue(worker: OneWorker, sign: Path, number: int = MANY) -> list[Job]:
    """Enqueue jobs, and wait until the process holds as many as it can."""
    jobs = worker.queue.enqueue_many([Queue.prepare_data(JOBS + "together", [str(sign)]) for _ in range(number)])
    wait_for(lambda: len(begun(sign)) == MANY, 20, f"{MANY} begun jobs")
    return jobs


def begun(sign: Path) -> Counter[str]:
    """How often each job was begun."""
    noted = sign.with_name("end.begun")
    return Counter(noted.read_text(encoding="utf-8").split()) if noted.exists() else Counter()


def states(redis: Redis, jobs: list[Job]) -> Counter[str]:
    with redis.pipeline(transaction=False) as pipeline:
        for job in jobs:
            pipeline.hget(job.key, "status")
        return Counter(status.decode() for status in pipeline.execute())


def leftovers(worker: OneWorker) -> list[bytes]:
    """Records of executions, and ids between two lists."""
    queue = worker.queue
    names = [queue.intermediate_queue.key, queue.started_job_registry.key]
    return [*worker.redis.scan_iter("rq:execution*"), *(name.encode() for name in names if worker.redis.exists(name))]


def test_a_kill_loses_the_jobs_in_flight_to_rqs_clean_up_and_runs_none_twice(redis_url: str, sign: Path) -> None:
    """Kill -9: the next worker takes what waits, and the clean-up calls all two hundred failed."""
    with OneWorker(redis_url, concurrency=MANY) as dying:
        jobs = enqueue(dying, sign)
    with OneWorker(redis_url, concurrency=MANY) as worker:
        waiting = worker.queue.enqueue(JOBS + "nothing")
        wait_for(lambda: waiting.get_status() == JobStatus.FINISHED, 10, "the job that waited")
        StartedJobRegistry(queue=worker.queue, serializer=JSONSerializer).cleanup(timestamp=time.time() + 3600)
        assert states(worker.redis, jobs) == {"failed": MANY}
        assert begun(sign) == dict.fromkeys((job.id for job in jobs), 1)


def test_a_signal_lets_all_of_them_end_and_leaves_the_others_in_their_order(redis_url: str, sign: Path) -> None:
    """SIGTERM: two hundred finish, the ten that waited still wait, the process ends with 0 and leaves nothing."""
    with OneWorker(redis_url, concurrency=MANY, poll_seconds=0.2) as worker:
        jobs = enqueue(worker, sign, MANY + 10)
        key = worker.key
        worker.send(signal.SIGTERM)
        wait_for(lambda: worker.redis.hexists(key, "shutdown_requested_date"), 5, "the noted request")
        sign.touch()
        assert worker.wait(20) == 0
        assert states(worker.redis, jobs) == {"finished": MANY, "queued": 10}
        assert worker.queue.job_ids == [job.id for job in jobs[MANY:]]
        assert leftovers(worker) == []


def test_a_signal_amid_a_backlog_loses_no_job(redis_url: str) -> None:
    """SIGTERM while jobs come and go: each is finished or still in the queue, and a second worker finishes the rest."""
    with OneWorker(redis_url, poll_seconds=0.2) as worker:
        jobs = worker.queue.enqueue_many([Queue.prepare_data(JOBS + "nothing") for _ in range(3000)])
        wait_for(lambda: worker.redis.zcard(worker.queue.finished_job_registry.key) > 100, 10, "the first hundred")
        assert worker.terminate(20) == 0
        left = worker.queue.job_ids
        assert left == [job.id for job in jobs[-len(left) :]]
        assert states(worker.redis, jobs) == {"finished": 3000 - len(left), "queued": len(left)}
        assert leftovers(worker) == []
    with OneWorker(redis_url) as worker:
        wait_for(lambda: states(worker.redis, jobs) == {"finished": 3000}, 20, "the rest")


def test_the_stop_command_ends_the_named_ones_alone(redis_url: str, sign: Path) -> None:
    """Three of two hundred are stopped; the others do not notice."""
    with OneWorker(redis_url, concurrency=MANY) as worker:
        jobs = enqueue(worker, sign)
        for job in jobs[50:53]:
            send_stop_job_command(worker.redis, job.id, serializer=JSONSerializer)
        wait_for(lambda: states(worker.redis, jobs) == {"started": MANY - 3, "stopped": 3}, 10, "three stopped jobs")
        sign.touch()
        wait_for(lambda: states(worker.redis, jobs) == {"finished": MANY - 3, "stopped": 3}, 10, "the end of the others")
        assert {job.id for job in jobs if job.get_status() == JobStatus.STOPPED} == {job.id for job in jobs[50:53]}
        wait_for(lambda: worker.record()["state"] == "idle", 5, "the idle state")
        assert leftovers(worker) == []


@pytest.mark.parametrize("client_retries", [True, False])
def test_jobs_that_end_while_redis_is_dead_are_recorded_once(sign: Path, client_retries: bool) -> None:
    """Two hundred ends in an outage: all are recorded on the server's return, each was run once and counted once."""
    with EmbeddedServer() as server, OneWorker(server.url, client_retries=client_retries, concurrency=MANY) as worker:
        jobs = enqueue(worker, sign)
        server.kill9()
        sign.touch()
        wait_for(lambda: "Redis is away" in worker.output, 30, "the noticed outage")
        server.start()
        wait_for(lambda: states(worker.redis, jobs) == {"finished": MANY}, 30, "the records of two hundred ends")
        assert set(begun(sign).values()) == {1}
        wait_for(lambda: worker.record()["state"] == "idle", 5, "the idle state")
        assert int(worker.record()["successful_job_count"]) == MANY
        assert worker.output.count("Redis is away") == 1
        later = worker.queue.enqueue(JOBS + "nothing")
        wait_for(lambda: later.get_status() == JobStatus.FINISHED, 10, "a later job")
        assert leftovers(worker) == []


def test_failures_in_an_outage_are_recorded_on_the_servers_return(tmp_path: Path) -> None:
    """RQ's own code logs a failure that it could not write and forgets it; here it is written when Redis is back."""
    end = tmp_path / "end"
    with EmbeddedServer() as server, OneWorker(server.url, client_retries=False) as worker:
        job = worker.queue.enqueue(JOBS + "fail_after_file", str(end), retry=None)
        wait_for(lambda: worker.redis.exists(f"begun:{job.id}"), 5, "the begun job")
        server.kill9()
        wait_for(lambda: "Redis is away" in worker.output, 30, "the noticed outage")
        end.touch()
        wait_for((tmp_path / "end.ended").exists, 5, "the job's end")
        server.start()
        wait_for(lambda: job.get_status() == JobStatus.FAILED, 20, "the recorded failure")
        assert worker.output.count("ValueError: in the dark") == 1
