"""`boss ready` is true, or says what is not; `boss doctor` knows RQ's failures and who takes our jobs and is none of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import utcformat

from boss.checks.dispatch import failed_jobs, foreign_workers, kind_of
from boss.commands.ready import live_workers
from shared.mailbox.wake_queue import QUEUE, VERSION_FIELD
from tests.support.forked_worker import ForkedWorker
from tests.support.processes import BossProcess, WebProcess, free_port
from tests.support.wait import wait_for


@pytest.fixture
def settings(settings_env: dict[str, str]) -> dict[str, str]:
    """A house of which nothing runs but its server and its sandbox."""
    return {**settings_env, "PORT": str(free_port()), "SUPERVISOR_PORT": str(free_port())}


def ended(settings: dict[str, str], *options: str) -> tuple[int, str]:
    with BossProcess("ready", *options, settings=settings) as process:
        return process.wait(30), process.output


def test_what_does_not_answer_is_named_with_exit_status_1(settings: dict[str, str]) -> None:
    """Nothing runs but the sandbox; it is one sentence, and no addresses."""
    status, said = ended(settings, "--within", "0.3")
    assert status == 1
    assert said.strip() == "Not ready: after 0.3 s there is no answer from web, bridge. `boss doctor` looks for the reason."


def test_a_web_process_that_only_keeps_is_not_ready(settings: dict[str, str]) -> None:
    """It takes messages while Redis is away, for later; nobody would answer them."""
    gone = {**settings, "REDIS_URL": f"redis://127.0.0.1:{free_port()}"}
    with WebProcess(gone):
        status, said = ended(gone, "--within", "0.3")
    assert status == 1
    assert "no answer from redis, bridge" in said


def test_in_the_background_it_says_so_too(settings: dict[str, str], tmp_path: Path) -> None:
    """As `make run` starts it: the caller goes on at once, and reads the sentence later."""
    with (tmp_path / "said").open("wb") as said:
        command = [sys.executable, "-m", "boss.main", "ready", "--beside", str(os.getpid()), "--within", "0.3"]
        found = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **settings, "SANDBOX": "off"}, stdout=said, timeout=30, check=False
        )
    assert found.returncode == 0
    wait_for(lambda: "Not ready: after 0.3 s" in (tmp_path / "said").read_text(), 20, "the sentence")


def record(redis: Redis, name: str, **fields: Any) -> None:
    """A worker in RQ's records."""
    redis.sadd(f"rq:workers:{QUEUE}", f"rq:worker:{name}")
    known: dict[Any, Any] = {"hostname": socket.gethostname(), "pid": os.getpid(), "last_heartbeat": utcformat(datetime.now(UTC))}
    redis.hset(f"rq:worker:{name}", mapping=known | fields)


def ended_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 1),
        ({"death": "2026-11-30T00:00:00.000000Z"}, 0),
        ({"pid": ended_pid()}, 0),
        ({"hostname": "elsewhere", "pid": ended_pid()}, 1),
        ({"hostname": "elsewhere", "last_heartbeat": utcformat(datetime.now(UTC) - timedelta(seconds=60))}, 0),
    ],
    ids=["here", "ended", "killed here", "elsewhere", "silent elsewhere"],
)
def test_a_worker_is_one_that_lives(redis: Redis, redis_url: str, fields: dict[str, Any], count: int) -> None:
    """RQ keeps the record of a killed one for minutes: `make run` again must not call that ready."""
    record(redis, "a", **fields)
    record(redis, "standby@b")
    assert live_workers(redis_url) == count


def test_no_server_is_no_worker() -> None:
    """It is asked again, and raises nothing."""
    assert live_workers(f"redis://127.0.0.1:{free_port()}") == 0


def test_doctor_knows_our_workers_from_others(redis: Redis, settings: dict[str, str]) -> None:
    """Ours say their version; stock `rq worker` on our queue does not, and an older Bossline says another."""
    assert [each.status for each in foreign_workers(redis)] == ["ok"]
    with ForkedWorker(settings, redis) as worker:
        assert [each.status for each in foreign_workers(redis)] == ["ok"]
        assert redis.hget(worker.key, VERSION_FIELD) == metadata.version("bossline").encode()
    stock = Worker([Queue(QUEUE, connection=redis)], connection=redis, name="stock")
    stock.register_birth()  # type: ignore[no-untyped-call]
    (found,) = foreign_workers(redis)
    assert (found.status, found.detail) == ("warn", f"1 on the queue `{QUEUE}` are no `boss worker`")
    record(redis, "older", **{VERSION_FIELD: "0.0.1"})
    assert "0.0.1" in foreign_workers(redis)[1].detail
    record(redis, "older", last_heartbeat=utcformat(datetime.now(UTC) - timedelta(hours=1)))
    assert len(foreign_workers(redis)) == 1, "whoever is dead takes nothing"


def test_doctor_counts_failed_jobs_and_names_the_newest_error_s_kind_alone(redis: Redis, settings: dict[str, str]) -> None:
    """A real failure by a real worker: how many, what kind, and none of its words."""
    assert [each.status for each in failed_jobs(redis)] == ["ok"]
    for number in range(2):
        job = Job.create("os.system", args=(f"echo canary-{number}",), connection=redis, serializer=JSONSerializer)
        job.origin = QUEUE
        job.save()
        redis.rpush(f"rq:queue:{QUEUE}", job.id)
    with ForkedWorker(settings, redis):
        wait_for(lambda: redis.zcard(f"rq:failed:{QUEUE}") == 2, 15, "both failures")
    (found,) = failed_jobs(redis)
    assert found.status == "warn"
    assert found.detail.startswith("2; the newest by BadInput (foreign_job), ")
    assert "canary" not in found.detail


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (
            'Traceback (most recent call last):\n  File "x.py", line 1, in y\n    z()\nValueError: Secret: words\nMore: words\n',
            "ValueError",
        ),
        ("Traceback (in outline):\n  File x\nredis.exceptions.ConnectionError\n", "ConnectionError"),
        (
            "Traceback (most recent call last):\n  a\nKeyError: 1\n\nDuring ...:\n\nTraceback (most recent call last):\n  b\nOSError: w\n",
            "OSError",
        ),
        ("Traceback (most recent call last):\n  b\nshared.errors.BadInput: foreign_job: 1\n", "BadInput (foreign_job)"),
        ("Traceback (most recent call last):\n  b\nValueError: canary\n", "ValueError"),
        ("Work-horse terminated unexpectedly; waitpid returned 9", "unknown"),
        ("Canary: words", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_kind_of_an_error_is_never_a_word_of_it(told: str, kind: str) -> None:
    """Only what stands below the frames and before the colon."""
    assert kind_of(told) == kind


def test_a_job_whose_record_has_gone_is_still_counted(redis: Redis) -> None:
    """RQ forgets a failed job's record sooner than its place in the list."""
    redis.zadd(f"rq:failed:{QUEUE}", {"gone": 1})
    (found,) = failed_jobs(redis)
    assert found.detail == "1; the newest by unknown"
