"""What an `AsyncWorker` reads and writes in RQ's records; every method here blocks and runs in a thread.

RQ's own `BaseWorker` does this for one job at a time. Here it is done for many: jobs are popped, read and marked as
started in batches, all running executions are kept alive by one pipeline, and the worker's state follows the number of
executions. Success and failure are RQ's own code.

Nothing in this module knows what the jobs are for.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from redis.exceptions import RedisError
from rq import worker_registration
from rq.callbacks import execute_failure_callback, execute_stopped_callback
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.job_lifecycle import call_exception_handlers, format_exc_info
from rq.queue import Queue
from rq.suspension import WORKERS_SUSPENDED
from rq.timeouts import TimerDeathPenalty
from rq.utils import now
from rq.worker.base import BaseWorker, WorkerStatus

if TYPE_CHECKING:
    import asyncio

    from redis.client import Pipeline

BATCH: Final = 32
"""Jobs taken in one go: three round trips for all of them."""
BEAT_BATCH: Final = 200
"""Executions kept alive in one pipeline, so that no pipeline holds the server for long."""

AWAY: Final = (RedisError, OSError)
"""What an absent, restarting or refusing server raises."""


@dataclass(slots=True, eq=False)
class Run:
    """One execution of one job. `fault` says why it cannot even begin; `stopped`, that somebody asked for its end."""

    job: Job
    queue: Queue
    execution: Execution
    fault: Exception | None = None
    task: asyncio.Task[None] | None = None
    performing: bool = False
    stopped: bool = False


class RecordingWorker(BaseWorker):
    """The half of an `AsyncWorker` that talks to Redis."""

    resting = False
    """Set from outside: this worker takes no more jobs, as if RQ were suspended for it alone; what runs goes on."""
    death_penalty_class = TimerDeathPenalty  # RQ's default is SIGALRM, which only a main thread may set

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self.suspended = False
        self.backlog = 0
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

    # taking jobs

    def take(self, room: int, wait: float | None) -> list[Run]:
        """At most `room` jobs, marked as started; none after `wait` seconds without one (None: at once), or when suspended."""
        if self.resting or (self.suspended and self._look_for_suspension()):
            return []
        ids = self._pop(min(room, BATCH), wait)
        if not ids:
            self._look_for_suspension()
            return []
        found = self._read(ids)
        if self.suspended or self.resting or self._stop_requested:
            self._give_back(ids)
            return []
        return self._start(found)

    def _look_for_suspension(self) -> bool:
        self.suspended = bool(self.connection.exists(WORKERS_SUSPENDED))
        self.follow_state()
        return self.suspended

    def _pop(self, most: int, wait: float | None) -> list[str]:
        """Ids off the queue, by way of RQ's intermediate list; many at once only when the last look found that many."""
        source, holding = self.queue.key, self.queue.intermediate_queue.key
        if wait is not None and not self.backlog:
            popped: Iterable[Any] = [self.connection.blmove(source, holding, cast("int", wait))]
        else:
            with self.connection.pipeline(transaction=False) as pipeline:
                for _ in range(min(most, max(1, self.backlog))):
                    pipeline.lmove(source, holding)
                popped = pipeline.execute()
            self.backlog = 0
        return [name.decode() for name in popped if name]

    def _read(self, ids: list[str]) -> list[tuple[Job, Exception | None]]:
        """The jobs of `ids`; those whose record is gone are dropped. Also sees how many more wait, and a suspension."""
        with self.connection.pipeline(transaction=False) as pipeline:
            for name in ids:
                pipeline.hgetall(self.job_class.key_for(name))
            pipeline.llen(self.queue.key)
            pipeline.exists(WORKERS_SUSPENDED)
            *records, self.backlog, suspended = pipeline.execute()
        self.suspended = bool(suspended)
        gone = [name for name, record in zip(ids, records, strict=True) if not record]
        if gone:
            self._drop(gone)
        return [self._restore(name, record) for name, record in zip(ids, records, strict=True) if record]

    def _restore(self, name: str, record: dict[bytes, bytes]) -> tuple[Job, Exception | None]:
        """A job from its hash; with the reason when it cannot be read, so that it fails where it can be seen."""
        job = self.job_class(name, connection=self.connection, serializer=self.serializer)
        fault: Exception | None = None
        try:
            job.restore(record)
        except Exception as error:  # noqa: BLE001 - whatever a foreign record makes RQ raise
            fault = error
        job.origin = job.origin or self.queue.name
        return job, fault

    def _drop(self, ids: list[str]) -> None:
        with self.connection.pipeline(transaction=False) as pipeline:
            for name in ids:
                pipeline.lrem(self.queue.intermediate_queue.key, 1, name)
            pipeline.execute()

    def _give_back(self, ids: list[str]) -> None:
        """Put jobs that were popped and not started back at the queue's head, in their order."""
        with self.connection.pipeline() as pipeline:
            for name in reversed(ids):
                pipeline.lpush(self.queue.key, name)
                pipeline.lrem(self.queue.intermediate_queue.key, 1, name)
            pipeline.execute()

    def _start(self, found: list[tuple[Job, Exception | None]]) -> list[Run]:
        """Mark jobs as started. When that fails they are forgotten: RQ's own clean-up finds them."""
        runs: list[Run] = []
        try:
            with self.connection.pipeline() as pipeline:
                for job, fault in found:
                    runs.append(Run(job, self.queue, self._start_one(job, pipeline), fault))
                pipeline.execute()
        except BaseException:
            for run in runs:
                self.executions.pop(run.execution.id, None)
            raise
        self.follow_state()
        return runs

    def _start_one(self, job: Job, pipeline: Pipeline) -> Execution:
        execution = Execution.create(job, self.get_heartbeat_ttl(job), pipeline=pipeline, worker_name=self.name)
        self.executions[execution.id] = execution
        job.prepare_for_execution(self.name, pipeline=pipeline)
        pipeline.persist(job.key)
        pipeline.lrem(self.queue.intermediate_queue.key, 1, job.id)
        return execution

    # ending jobs

    def record_success(self, run: Run, value: Any) -> None:
        """RQ's own handling of a job that returned. Can be repeated after a Redis error."""
        self._finalize_success(run.job, run.queue, run.execution, value)

    def record_failure(self, run: Run, error: BaseException) -> None:
        """RQ's own handling of a job that raised, with the traceback that `format_failure` makes."""
        job, problem = run.job, error
        job._status = JobStatus.FAILED  # noqa: SLF001 - as BaseWorker does
        self.handle_execution_ended(job, run.queue, 0)
        try:
            execute_failure_callback(job, self.death_penalty_class, type(error), error, error.__traceback__)
        except Exception as raised:  # noqa: BLE001 - RQ's rule: a failing callback replaces the job's exception
            problem = raised
        self.handle_exception(job, type(problem), problem, problem.__traceback__)
        self._write_failure(run, self.format_failure(problem))

    def record_stop(self, run: Run) -> None:
        """RQ's handling of a job that was stopped on request: status `stopped`, no retry."""
        self.log.warning("Worker %s: job %s stopped on request", self.name, run.job.id)
        self.handle_execution_ended(run.job, run.queue, 0)
        try:
            execute_stopped_callback(run.job, self.death_penalty_class)
        except Exception:
            self.log.exception("Worker %s: stopped callback of job %s failed", self.name, run.job.id)
        with self._stop_lock:  # BaseWorker has one slot for the id of a stopped job
            self._stopped_job_id = run.job.id
            self._write_failure(run, "Job stopped on request.")

    def _write_failure(self, run: Run, text: str) -> None:
        self.handle_job_failure(job=run.job, queue=run.queue, exc_string=text, execution=run.execution)

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

    def _beat_worker(self) -> None:
        with self.connection.pipeline() as pipeline:
            self.heartbeat(pipeline=pipeline)
            pipeline.hset(self.key, "state", self._wanted_state())
            reborn = bool(pipeline.execute()[0])  # 1: the field, and so the record, was not there
        if reborn:
            self.log.warning("Worker %s: its record was gone and is written anew", self.name)
            with self.connection.pipeline() as pipeline:
                pipeline.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, pipeline)
                pipeline.execute()

    def _beat_executions(self, running: list[Execution]) -> None:
        places: list[tuple[Job, int]] = []
        with self.connection.pipeline() as pipeline:
            for execution in running:
                job = execution.job
                worked = (now() - job.started_at).total_seconds() if job.started_at else 0.0
                ttl = max(60, self.get_heartbeat_ttl(job, worked))
                execution.heartbeat(job.started_job_registry, ttl, pipeline=pipeline)
                places.append((job, len(pipeline)))
                job.heartbeat(now(), ttl, pipeline=pipeline)
            answers = pipeline.execute()
        ghosts = [job.key for job, place in places if answers[place] == 1]
        if ghosts:  # such a job ended and was deleted meanwhile: the beat made a hash of one field (rq#1450)
            self.connection.delete(*ghosts)

    def _wanted_state(self) -> str:
        if self.executions:
            return WorkerStatus.BUSY.value
        return WorkerStatus.SUSPENDED.value if self.suspended or self.resting else WorkerStatus.IDLE.value

    def follow_state(self) -> None:
        """Write the state when it changed: busy while anything runs. The next beat repairs one that could not be written."""
        with self._state_lock, contextlib.suppress(*AWAY):
            state = self._wanted_state()
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
