"""What an `AsyncWorker` writes in RQ's records from time to time; every method here blocks and runs in a thread.

All running executions are kept alive by one pipeline, and the worker's state follows the number of executions. Failures,
stops and every success that is not an ordinary one are recorded by RQ's own code.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any, Final, cast

from redis.exceptions import RedisError
from rq import worker_registration
from rq.callbacks import execute_failure_callback, execute_stopped_callback
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.job_lifecycle import call_exception_handlers, format_exc_info
from rq.queue import Queue
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.utils import now
from rq.worker.base import BaseWorker, WorkerStatus

from rq_async.run import Run

BEAT_BATCH: Final = 200
"""Executions kept alive in one pipeline, so that no pipeline holds the server for long."""

AWAY: Final = (RedisError, OSError)
"""What an absent, restarting or refusing server raises."""


class ThreadDeathPenalty(TimerDeathPenalty):
    """RQ's for threads, each with an exception class of its own: RQ's writes its limit into the class that all others raise, too."""

    def __init__(self, timeout: float, exception: type[BaseException] = JobTimeoutException, **kwargs: Any) -> None:
        """`timeout` is in seconds."""
        own = type(exception.__name__, (exception,), {"__module__": exception.__module__})
        super().__init__(timeout, own, **kwargs)  # type: ignore[no-untyped-call]


class RecordingWorker(BaseWorker):
    """The half of an `AsyncWorker` that talks to Redis."""

    suspended = False
    """Whether RQ was suspended at the last look."""
    resting = False
    """Set from outside: this worker takes no more jobs, as if RQ were suspended for it alone; what runs goes on."""
    death_penalty_class = ThreadDeathPenalty  # RQ's default is SIGALRM, which only a main thread may set

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self._dead = False
        self._stop_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._beat_lock = threading.Lock()

    @property
    def queue(self) -> Queue:
        """The one queue."""
        return self.queues[0]

    def begin(self) -> None:
        """Register, and listen for commands. Can be repeated after a Redis error."""
        if self.birth_date is not None:  # a second try: the record that is there is our own
            self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]
        if self.pubsub_thread is None:
            self.subscribe()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.STARTED)
        self.follow_state()
        self.log.info("Worker %s: started with PID %d, listening on %s", self.name, os.getpid(), self.queue.name)

    # ending jobs

    def record_success(self, run: Run, value: Any) -> None:
        """RQ's own handling of a job that returned. Can be repeated after a Redis error."""
        self._finalize_success(run.job, run.queue, run.execution, value)

    def record_failure(self, run: Run, error: BaseException) -> None:
        """RQ's own handling of a job that raised, with the text that `format_failure` makes. Can be repeated after a Redis error."""
        if not run.failure:
            run.failure = self.format_failure(self._tell_of_failure(run.job, run.queue, error))
        self._write_failure(run)

    def _tell_of_failure(self, job: Job, queue: Queue, error: BaseException) -> BaseException:
        """Call the job's failure callback and RQ's exception handlers; what the job failed with in the end."""
        job._status = JobStatus.FAILED  # noqa: SLF001 - as BaseWorker does
        self.handle_execution_ended(job, queue, 0)
        problem = error
        try:
            execute_failure_callback(job, self.death_penalty_class, type(error), error, error.__traceback__)
        except Exception as raised:  # noqa: BLE001 - RQ's rule: a failing callback replaces the job's exception
            problem = raised
        self.handle_exception(job, type(problem), problem, problem.__traceback__)
        return problem

    def record_stop(self, run: Run) -> None:
        """RQ's handling of a job that was stopped on request: status `stopped`, no retry. Can be repeated after a Redis error."""
        if not run.failure:
            run.failure = "Job stopped on request."
            self._tell_of_stop(run.job, run.queue)
        with self._stop_lock:  # BaseWorker has one slot for the id of a stopped job
            self._stopped_job_id = run.job.id
            self._write_failure(run)

    def _tell_of_stop(self, job: Job, queue: Queue) -> None:
        self.log.warning("Worker %s: job %s stopped on request", self.name, job.id)
        self.handle_execution_ended(job, queue, 0)
        try:
            execute_stopped_callback(job, self.death_penalty_class)
        except Exception:
            self.log.exception("Worker %s: stopped callback of job %s failed", self.name, job.id)

    def _write_failure(self, run: Run) -> None:
        """RQ logs a failure that it could not write and goes on; here the execution that is still there tells, and it is an error."""
        retries_left = run.job.retries_left
        self.handle_job_failure(job=run.job, queue=run.queue, exc_string=run.failure, execution=run.execution)
        if self.connection.exists(run.execution.key):
            run.job.retries_left = retries_left
            raise RedisError("the end of a job was not written")

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:  # noqa: ARG002 - BaseWorker's signature
        """Note the end; a write of its own, as BaseWorker does, would only cost a round trip."""
        job.ended_at = now()

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a job's exception as `format_failure` tells it, then ask RQ's exception handlers."""
        self.log.error("Worker %s: job %s failed\n%s", self.name, job.id, self.format_failure(exc_info[1]))
        call_exception_handlers(self._exc_handlers, job, *exc_info)

    def format_failure(self, error: BaseException) -> str:
        """The text kept for a failed job: its traceback. To be overridden where exceptions quote private data."""
        return format_exc_info((type(error), error, error.__traceback__))

    # staying alive

    def beat(self) -> None:
        """Say that the worker and all its executions live, and write its state as it is."""
        with self._beat_lock:
            if self._dead:
                return
            self._beat_worker()
            running = list(self.executions.values())
            for start in range(0, len(running), BEAT_BATCH):
                self._beat_executions(running[start : start + BEAT_BATCH])
        self.follow_state()  # which may have changed while the beat was under way

    def _beat_worker(self) -> None:
        with self.connection.pipeline() as pipeline:
            self.heartbeat(pipeline=pipeline)
            self.set_state(self.wanted_state(), pipeline)
            reborn = bool(pipeline.execute()[0])  # 1: the field, and so the record, was not there
        if reborn:
            self.log.warning("Worker %s: its record was gone and is written anew", self.name)
            with self.connection.pipeline() as pipeline:
                pipeline.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, pipeline)
                pipeline.execute()

    def _beat_executions(self, running: list[Execution]) -> None:
        places: list[tuple[int, str]] = []
        with self.connection.pipeline() as pipeline:
            for execution in running:
                job = execution.job
                worked = (now() - job.started_at).total_seconds() if job.started_at else 0.0
                ttl = max(60, self.get_heartbeat_ttl(job, worked))
                places.append((len(pipeline), execution.key))
                execution.heartbeat(job.started_job_registry, ttl, pipeline=pipeline)
                places.append((len(pipeline), job.key))
                job.heartbeat(now(), ttl, pipeline=pipeline)
            answers = pipeline.execute()
        ghosts = [key for place, key in places if answers[place] == 1]
        if ghosts:  # these ended and were deleted meanwhile: the beat made hashes of one field (rq#1450)
            self.connection.delete(*ghosts)

    def wanted_state(self) -> str:
        """The state that the worker's record should show."""
        return WorkerStatus.BUSY.value if self.executions else self.idle_state()

    def idle_state(self) -> str:
        """The state when nothing runs."""
        return WorkerStatus.SUSPENDED.value if self.suspended or self.resting else WorkerStatus.IDLE.value

    def follow_state(self) -> None:
        """Write the state when it changed: busy while anything runs. The next beat repairs one that could not be written."""
        with self._state_lock, contextlib.suppress(*AWAY):
            state = self.wanted_state()
            if state != self.get_state() and not self._dead:
                self.set_state(state)

    def unsubscribe(self) -> None:
        """RQ's, without its second of waiting for the thread: it ends at the answer, and closes its connection itself."""
        if (thread := cast("Any", self.pubsub_thread)) is not None:
            cast("Any", self.pubsub).unsubscribe()
            thread.stop()

    def teardown(self) -> None:
        """RQ's deregistration; no heartbeat can bring the record back after it."""
        with self._beat_lock, self._state_lock:
            self._dead = True
        super().teardown()  # type: ignore[no-untyped-call]
