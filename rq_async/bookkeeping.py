"""What a worker writes about itself in RQ's records: its registration, its state, and that it and its executions live.

One pipeline renews all running executions, and the state follows their number.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Final

from rq import worker_registration
from rq.executions import Execution
from rq.utils import now
from rq.worker.base import BaseWorker, WorkerStatus

from rq_async.resilience import UNAVAILABLE

MAX_HEARTBEATS: Final = 200
"""Executions renewed by one pipeline, so that none holds the server for long."""
MIN_HEARTBEAT_TTL: Final = 60
"""Seconds that an execution lives without a heartbeat at least, also when its job is beyond its timeout."""


class Bookkeeping:
    """The records of one worker. It alone changes the worker's `executions`, its state, and whether it is registered.

    The methods that talk to Redis block, raise redis-py's errors where nothing else is said, and may run in several threads.
    """

    def __init__(self, worker: BaseWorker, paused: Callable[[], bool]) -> None:
        """`paused` says whether the worker takes no jobs for now: RQ is suspended, or the worker drains."""
        self._worker = worker
        self._paused = paused
        self._closed = False
        self._state_lock = threading.Lock()
        self._beat_lock = threading.Lock()

    # registration

    def register(self) -> None:
        """Register, and subscribe to RQ's commands. Can be repeated after an error."""
        worker = self._worker
        if worker.birth_date is not None:
            # A second try: the record may be there already, and RQ would take it for another worker of this name.
            worker.connection.delete(worker.key)
        worker.register_birth()  # type: ignore[no-untyped-call]
        if worker.pubsub_thread is None:
            worker.subscribe()  # type: ignore[no-untyped-call]
        worker.set_state(WorkerStatus.STARTED)
        self.follow_state()
        worker.log.info("Worker %s: started with PID %d, listening on %s", worker.name, os.getpid(), worker.queues[0].name)

    def close(self) -> None:
        """Write nothing more. To be called before the deregistration, which a heartbeat in another thread would undo."""
        with self._beat_lock, self._state_lock:  # a write under way comes to its end first
            self._closed = True

    @property
    def closed(self) -> bool:
        """Whether the worker is deregistered, or about to be."""
        return self._closed

    # executions and state, without a call of Redis

    def add(self, execution: Execution) -> None:
        """An execution was started by the script that dequeued its job; the same script wrote the state `busy`."""
        self._worker.executions[execution.id] = execution
        self.note_state(WorkerStatus.BUSY.value)

    def remove(self, execution: Execution) -> None:
        """An execution has ended: no heartbeat renews it any more."""
        self._worker.executions.pop(execution.id, None)

    def note_state(self, state: str) -> None:
        """A script has written this state."""
        self._worker._state = state  # noqa: SLF001 - RQ's set_state would write it again

    @property
    def idle_state(self) -> str:
        """The state that the record should show when nothing runs."""
        return WorkerStatus.SUSPENDED.value if self._paused() else WorkerStatus.IDLE.value

    @property
    def wanted_state(self) -> str:
        """The state that the record should show: busy while anything runs."""
        return WorkerStatus.BUSY.value if self._worker.executions else self.idle_state

    @property
    def state_changed(self) -> bool:
        """Whether the record shows another state than it should."""
        return self.wanted_state != self._worker._state  # noqa: SLF001 - its getter is a call for each job

    def follow_state(self) -> None:
        """Write the state when it changed. A Redis error is ignored: the next heartbeat writes the state again."""
        with self._state_lock, contextlib.suppress(*UNAVAILABLE):
            state = self.wanted_state
            if state != self._worker.get_state() and not self._closed:
                self._worker.set_state(state)

    # heartbeats

    def beat(self) -> None:
        """Renew the worker and all its executions, and write its state as it is."""
        with self._beat_lock:
            if self._closed:
                return
            self._beat_worker()
            running = list(self._worker.executions.values())
            for start in range(0, len(running), MAX_HEARTBEATS):
                self._beat_executions(running[start : start + MAX_HEARTBEATS])
        self.follow_state()  # it may have changed since the pipeline was filled

    def _beat_worker(self) -> None:
        worker = self._worker
        with worker.connection.pipeline() as pipeline:
            worker.heartbeat(pipeline=pipeline)
            worker.set_state(self.wanted_state, pipeline)
            created = bool(pipeline.execute()[0])  # HSET answers 1: the field, and so the record, was not there
        if created:
            worker.log.warning("Worker %s: its record was gone and is written anew", worker.name)
            with worker.connection.pipeline() as pipeline:
                pipeline.hset(worker.key, mapping=worker.serialize())
                worker_registration.register(worker, pipeline)
                pipeline.execute()

    def _beat_executions(self, running: list[Execution]) -> None:
        worker = self._worker
        heartbeats: list[tuple[int, str]] = []  # where in the pipeline each HSET stands, and its key
        with worker.connection.pipeline() as pipeline:
            for execution in running:
                job = execution.job
                worked = (now() - job.started_at).total_seconds() if job.started_at else 0.0
                ttl = max(MIN_HEARTBEAT_TTL, worker.get_heartbeat_ttl(job, worked))
                heartbeats.append((len(pipeline), execution.key))
                execution.heartbeat(job.started_job_registry, ttl, pipeline=pipeline)
                heartbeats.append((len(pipeline), job.key))
                job.heartbeat(now(), ttl, pipeline=pipeline)
            answers = pipeline.execute()
        # An HSET that answers 1 made its hash: the execution ended and was deleted meanwhile, and a hash of one field
        # would stay for ever (rq#1450).
        created = [key for place, key in heartbeats if answers[place] == 1]
        if created:
            worker.connection.delete(*created)
