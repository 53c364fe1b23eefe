"""The ends of jobs as RQ's own code records them, over a Redis in this process."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest
from redis.exceptions import RedisError
from rq import Callback, Retry
from rq.job import Job, JobStatus
from rq.timeouts import JobTimeoutException

from rq_async.completion import CompletionRecorder, ThreadDeathPenalty
from rq_async.run import Run
from tests.support.rq_offline import offline, started

HERE: Final = "tests.unit.rq_async.test_completion."
NOTHING = "tests.support.worker_jobs.nothing"
called: list[str] = []


def note(job: Job, *_: Any) -> None:
    """A callback."""
    called.append(job.id)


def refuse(*_: Any) -> None:
    """A callback that fails."""
    raise LookupError("of the callback")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    called.clear()
    made = offline()
    monkeypatch.setattr(type(made), "death_penalty_class", ThreadDeathPenalty)
    made.register_birth()
    return made


@pytest.fixture
def recorder(worker: Any) -> CompletionRecorder:
    return CompletionRecorder(worker, lambda error: f"text of {error}")


def status(run: Run) -> JobStatus:
    return run.job.get_status(refresh=True)


def kept(run: Run) -> str:
    result = run.job.latest_result()
    return (result and result.exc_string) or ""


def test_a_success_is_recorded(recorder: CompletionRecorder, worker: Any) -> None:
    """With its value, and with its callback called."""
    run = started(worker, NOTHING, on_success=Callback(note))
    recorder.record_success(run, 7)
    assert (status(run), run.job.return_value(refresh=True), called) == (JobStatus.FINISHED, 7, [run.job.id])


def test_a_failure_keeps_the_text_that_the_worker_makes(recorder: CompletionRecorder, worker: Any) -> None:
    """And not the traceback, which may quote private data."""
    run = started(worker, NOTHING, on_failure=Callback(note))
    recorder.record_failure(run, ValueError("wrong"))
    assert (status(run), kept(run), called) == (JobStatus.FAILED, "text of wrong", [run.job.id])


def test_the_error_of_a_failing_callback_is_kept_instead(recorder: CompletionRecorder, worker: Any) -> None:
    """RQ's rule."""
    run = started(worker, NOTHING, on_failure=Callback(refuse))
    recorder.record_failure(run, ValueError("wrong"))
    assert kept(run) == "text of of the callback"


class LosesTransactions:
    """A worker's connection whose transactions are not executed, as in an outage."""

    def __init__(self, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RedisError("away")

        monkeypatch.setattr(type(worker.connection.pipeline()), "execute", fail)


@pytest.mark.parametrize("end", ["failure", "stop"])
def test_an_end_that_was_not_written_is_an_error_and_is_announced_once(
    recorder: CompletionRecorder, worker: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """RQ logs such an error and goes on, and the job would be called abandoned. The repetition does not call the callbacks again."""
    run = started(worker, NOTHING, on_failure=Callback(note), on_stopped=Callback(note))

    def record() -> None:
        if end == "failure":
            recorder.record_failure(run, ValueError("wrong"))
        else:
            recorder.record_stop(run)

    with monkeypatch.context() as outage:
        LosesTransactions(worker, outage)
        for _ in range(2):
            with pytest.raises(RedisError, match="not written"):
                record()
    assert status(run) == JobStatus.QUEUED  # as `started` enqueued it: nothing was written
    record()
    assert status(run) == (JobStatus.FAILED if end == "failure" else JobStatus.STOPPED)
    assert called == [run.job.id]


def test_a_failure_that_is_written_at_the_second_try_costs_one_retry(
    recorder: CompletionRecorder, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ counts down before it writes."""
    run = started(worker, NOTHING, retry=Retry(max=2))
    with monkeypatch.context() as outage:
        LosesTransactions(worker, outage)
        with pytest.raises(RedisError):
            recorder.record_failure(run, ValueError("wrong"))
    recorder.record_failure(run, ValueError("wrong"))
    run.job.refresh()  # type: ignore[no-untyped-call]
    assert (run.job.retries_left, status(run)) == (1, JobStatus.QUEUED)


def test_a_stopped_job_is_not_retried(recorder: CompletionRecorder, worker: Any) -> None:
    """Somebody wanted it to end."""
    run = started(worker, NOTHING, retry=Retry(max=2))
    recorder.record_stop(run)
    assert (status(run), kept(run)) == (JobStatus.STOPPED, "Job stopped on request.")


def test_a_stop_whose_callback_fails_is_recorded(recorder: CompletionRecorder, worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The callback's error is logged."""
    run = started(worker, NOTHING, on_stopped=Callback(refuse))
    recorder.record_stop(run)
    assert status(run) == JobStatus.STOPPED
    assert f"Worker one: stopped callback of job {run.job.id} failed" in caplog.messages


def test_a_callbacks_limit_is_not_what_a_jobs_timeout_says() -> None:
    """RQ's own timer writes its limit into the exception class that every job of the process raises."""
    with ThreadDeathPenalty(60):
        assert str(JobTimeoutException("after 1 second")) == "after 1 second"
    assert str(JobTimeoutException("after 1 second")) == "after 1 second"


def test_a_callback_that_takes_too_long_is_ended() -> None:
    """With RQ's exception, which names the callback's own limit."""

    def for_ever() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass

    with pytest.raises(JobTimeoutException, match=r"\(0\.05 seconds\)"), ThreadDeathPenalty(0.05):
        for_ever()
