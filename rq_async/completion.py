"""How a job ended, recorded by RQ's own code: failures, stops, and every success that is not an ordinary one.

Ordinary successes are recorded by a script (see `QueueClient.finish`). All methods here block, and run in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError
from rq.callbacks import execute_failure_callback, execute_stopped_callback
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.worker.base import BaseWorker

from rq_async.run import Run


class ThreadDeathPenalty(TimerDeathPenalty):
    """RQ's time limit for threads, with an exception class of its own for each.

    RQ writes the limit into the class itself, which every other timeout in this process raises, too.
    """

    def __init__(self, timeout: float, exception: type[BaseException] = JobTimeoutException, **kwargs: Any) -> None:
        """`timeout` is in seconds."""
        own = type(exception.__name__, (exception,), {"__module__": exception.__module__})
        super().__init__(timeout, own, **kwargs)  # type: ignore[no-untyped-call]


class CompletionRecorder:
    """Records ends with the methods of one worker. Every call can be repeated after a Redis error.

    The callbacks of a failure or a stop are called once all the same; one of a success may be called again.
    """

    def __init__(self, worker: BaseWorker, format_failure: Callable[[BaseException], str]) -> None:
        """`format_failure` makes the text that is kept of a failed job."""
        self._worker = worker
        self._format_failure = format_failure
        self._stop_lock = threading.Lock()

    def record_success(self, run: Run, value: Any) -> None:
        """Record that a job returned `value`, after its success callback."""
        self._worker._finalize_success(run.job, run.queue, run.execution, value)  # noqa: SLF001 - RQ's own way, which has no other name

    def record_failure(self, run: Run, error: BaseException) -> None:
        """Record that a job raised. RQ retries it when it has retries left."""
        if not run.failure_text:
            run.failure_text = self._format_failure(self._announce_failure(run.job, run.queue, error))
        self._write_failure(run)

    def record_stop(self, run: Run) -> None:
        """Record that a job was stopped on request: status `stopped`, no retry."""
        if not run.failure_text:
            run.failure_text = "Job stopped on request."
            self._announce_stop(run.job, run.queue)
        with self._stop_lock:  # RQ's worker has one slot for the id of a stopped job, and many jobs may be stopped at once
            self._worker._stopped_job_id = run.job.id  # noqa: SLF001 - read by handle_job_failure
            self._write_failure(run)

    def _announce_failure(self, job: Job, queue: Queue, error: BaseException) -> BaseException:
        """Call the job's failure callback and RQ's exception handlers; the error to be kept of the job."""
        worker, kept = self._worker, error
        job._status = JobStatus.FAILED  # noqa: SLF001 - as RQ's worker does
        worker.handle_execution_ended(job, queue, 0)
        try:
            execute_failure_callback(job, worker.death_penalty_class, type(error), error, error.__traceback__)
        except Exception as raised:  # noqa: BLE001 - RQ's rule: the error of a failing callback replaces the job's
            kept = raised
        worker.handle_exception(job, type(kept), kept, kept.__traceback__)
        return kept

    def _announce_stop(self, job: Job, queue: Queue) -> None:
        worker = self._worker
        worker.log.warning("Worker %s: job %s stopped on request", worker.name, job.id)
        worker.handle_execution_ended(job, queue, 0)
        try:
            execute_stopped_callback(job, worker.death_penalty_class)
        except Exception:
            worker.log.exception("Worker %s: stopped callback of job %s failed", worker.name, job.id)

    def _write_failure(self, run: Run) -> None:
        """Let RQ write the failure. Raises RedisError when it was not written.

        RQ logs such an error and goes on. The execution's record tells: RQ deletes it in the same transaction.
        """
        retries_left = run.job.retries_left
        self._worker.handle_job_failure(job=run.job, queue=run.queue, exc_string=run.failure_text, execution=run.execution)
        if self._worker.connection.exists(run.execution.key):
            run.job.retries_left = retries_left  # RQ has counted one down, and the next try would count another
            raise RedisError("the end of a job was not written")
