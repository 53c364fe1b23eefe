"""Jobs made of the records that the script answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rq.job import Job, JobStatus
from rq.utils import utcformat

from rq_async.run import SAVED_ATTRIBUTES, Run, RunFactory
from tests.support.rq_offline import STARTED_AT, offline

CREATED_AT = datetime(2026, 1, 1, 2, 3, 4, 567890, tzinfo=UTC)


@pytest.fixture
def worker() -> Any:
    return offline()


def make(worker: Any, record: dict[bytes, bytes]) -> Run:
    factory = RunFactory(worker.job_class, worker.serializer, worker.connection, worker.queues[0], worker.name)
    return factory.make("a", "x1", [part for pair in record.items() for part in pair], STARTED_AT)


def stored(worker: Any, **options: Any) -> dict[bytes, bytes]:
    """The record of a job that RQ has enqueued."""
    job = worker.queues[0].enqueue("tests.support.worker_jobs.nothing", 1, job_id="a", **options)
    return dict(worker.connection.hgetall(job.key))


def test_a_run_s_job_is_the_one_that_rq_would_read(worker: Any) -> None:
    """Every attribute that is saved, and then what the script changed."""
    record = stored(worker, description="words", ttl=77, job_timeout=20, meta={"a": 1})
    known = Job.fetch("a", worker.connection, worker.serializer)
    known.worker_name, known.started_at = worker.name, STARTED_AT
    run = make(worker, record)
    assert run.load_error is None
    assert SAVED_ATTRIBUTES(run.job) == SAVED_ATTRIBUTES(known) == run.saved
    assert (run.job.args, run.job.meta, run.job.get_status(refresh=False)) == ([1], {"a": 1}, JobStatus.STARTED)


def test_a_run_s_execution_began_with_its_job(worker: Any) -> None:
    """At the moment of the script's call."""
    run = make(worker, stored(worker))
    assert (run.execution.id, run.execution.job_id, run.execution.job) == ("x1", "a", run.job)
    assert run.execution.created_at == run.execution.last_heartbeat == run.job.started_at == run.job.last_heartbeat == STARTED_AT


def test_rq_s_times_are_read_to_the_microsecond(worker: Any) -> None:
    """As `Job.restore` would."""
    run = make(worker, stored(worker) | {b"created_at": utcformat(CREATED_AT).encode()})
    assert run.job.created_at == CREATED_AT


@pytest.mark.parametrize("raw", [b"yesterday", b"not a timeZ", b""])
def test_what_is_not_a_time_is_rq_s_to_judge(worker: Any, raw: bytes) -> None:
    """It reads what it can, and reports the rest."""
    run = make(worker, stored(worker) | {b"enqueued_at": raw})
    assert (run.load_error is None) == (raw == b"")


@pytest.mark.parametrize("record", [{b"data": b"\x00garbage", b"timeout": b"soon"}, {}])
def test_a_record_that_cannot_be_read_makes_a_run_that_can_be_failed(worker: Any, record: dict[bytes, bytes]) -> None:
    """With the queue that it was found in, so that the failure has a place."""
    run = make(worker, record)
    assert run.load_error is not None
    assert (run.job.origin, run.job.get_status(refresh=False)) == ("things", JobStatus.STARTED)
