"""A worker's queue: jobs come out of it and their ends are written, by BLMOVE and by scripts that the event loop awaits."""

from __future__ import annotations

import itertools
import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rq.defaults import RQ_KEY_PREFIX, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.job import Job, JobStatus, Retry
from rq.registry import FinishedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.suspension import WORKERS_SUSPENDED
from rq.utils import current_timestamp, now, utcformat
from rq.worker.base import BaseWorker

from rq_async.run import SAVED_ATTRIBUTES, Run, RunFactory
from rq_async.scripts import DEQUEUE, FINISH, REQUEUE, CommandSender

if TYPE_CHECKING:
    from redis.asyncio import Redis as AsyncRedis

MAX_DEQUEUED: Final = 64
"""Jobs dequeued by one script, so that none holds the server for long."""
COMPLETION_METHODS: Final = ("_finalize_success", "handle_job_success", "cleanup_execution")
JOB_COMPLETION_METHODS: Final = ("_handle_success", "save", "to_dict", "cleanup", "delete")
"""RQ's methods for the end of a successful job. `finish.lua` does what they do, and would pass over an override."""


class QueueClient:
    """The client of one worker on its one queue. Every call can be repeated after an error, and then means the same jobs.

    `backlog` is how many jobs the last `dequeue` saw waiting, `suspended` whether it saw RQ suspended.
    """

    def __init__(self, worker: BaseWorker, commands: CommandSender, waiting: AsyncRedis) -> None:
        """`commands` sends the scripts; `waiting` is for BLMOVE, which holds one connection as long as it waits."""
        self.backlog = 0
        self.suspended = False
        self._commands, self._waiting, self._worker = commands, waiting, worker
        self._queue = queue = worker.queues[0]
        self._factory = RunFactory(worker.job_class, worker.serializer, worker.connection, queue, worker.name)
        self._lists = (queue.key, queue.intermediate_queue.key)
        self._own_keys = (worker.key, worker.executions_key)
        self._started = StartedJobRegistry.key_template.format("")
        self._finished = FinishedJobRegistry.key_template.format("")
        self._job_prefix = worker.job_class.redis_job_namespace_prefix
        self._scriptable = _inherits(type(worker), BaseWorker, COMPLETION_METHODS) and _inherits(
            worker.job_class, Job, JOB_COMPLETION_METHODS
        )
        self._nonces = map(f"{secrets.token_hex(8)}-{{}}".format, itertools.count())
        self._moved: bytes | str = ""
        self._pending: tuple[str, datetime] | None = None

    # dequeuing

    async def wait(self, seconds: float) -> None:
        """Wait at most `seconds` for a job. BLMOVE moves its id to the intermediate list; the next `dequeue` deals with it.

        Raises redis-py's errors, as all calls here do.
        """
        self._moved = await self._waiting.blmove(*self._lists, seconds) or ""  # type: ignore[arg-type]

    async def dequeue(self, room: int) -> list[Run]:
        """At most `room` jobs, marked as started. Without room, or while RQ is suspended, a job that `wait` moved is put back.

        After an error the next call sends the same nonce, and is answered with the jobs of the lost answer.
        """
        # The nonce stays until an answer comes: the server may have executed a call whose answer was lost, and a new nonce
        # would dequeue other jobs and leave those to nobody.
        self._pending = nonce, moment = self._pending or (next(self._nonces), now())
        keys = (*self._lists, *self._own_keys, WORKERS_SUSPENDED)
        what = (min(room, MAX_DEQUEUED), nonce, self._moved, self._job_prefix, RQ_KEY_PREFIX, self._started)
        who = (self._queue.name, self._worker.name, utcformat(moment), moment.timestamp(), self._worker.job_monitoring_interval)
        suspended, self.backlog, rows = await DEQUEUE.send(self._commands, keys, (*what, *who))
        self._pending, self._moved, self.suspended = None, "", bool(suspended)
        return [self._factory.make(name.decode(), execution.decode(), fields, moment) for name, execution, fields in rows]

    @property
    def unanswered(self) -> bool:
        """Whether the server may have handed out a job that no answer of `dequeue` has named."""
        return bool(self._moved or self._pending)

    async def requeue(self, runs: Sequence[Run], idle_state: str) -> None:
        """Put jobs that were not begun back at the queue's head. `idle_state` is the worker's state when nothing runs."""
        jobs = [(run.job.id, run.execution.id, self._started + run.job.origin) for run in runs]
        args = (self._job_prefix, RQ_KEY_PREFIX, idle_state, *itertools.chain.from_iterable(jobs))
        await REQUEUE.send(self._commands, (self._queue.key, *self._own_keys), args)

    # The end of a job: its record and its execution's, in one script

    async def finish(self, run: Run, value: Any, idle_state: str) -> int | None:
        """Record that a job returned `value` at its `ended_at`; how many executions the worker still has.

        Returns None, and has written nothing, when the job is not an ordinary one: that end is for RQ's own code.
        """
        job, ttl = run.job, run.job.get_result_ttl(self._worker.default_result_ttl)
        ended = job.ended_at
        if ended is None or job.started_at is None or not (self._scriptable and _is_ordinary(run, value, ttl)):
            return None
        job._status, job._result, job.last_heartbeat = JobStatus.FINISHED, value, ended  # noqa: SLF001 - as BaseWorker does
        score = "+inf" if ttl == -1 else ttl if ttl < 0 else current_timestamp() + ttl
        args = (job.id, run.execution.id, ttl, utcformat(ended), score, (ended - job.started_at).total_seconds(), idle_state)
        result = _result(run, value, self._worker.name)
        recorded, running = await FINISH.send(self._commands, self._keys_of(run), (*args, f"{RQ_KEY_PREFIX}:execution:", *result))
        return int(running) if recorded else None

    def _keys_of(self, run: Run) -> tuple[str, ...]:
        job, rq = run.job, RQ_KEY_PREFIX
        job_keys = (job.key, job.dependents_key, job.dependencies_key)
        run_keys = (f"{rq}:results:{job.id}", f"{rq}:executions:{job.id}", run.execution.key)
        return (*job_keys, *run_keys, self._started + job.origin, self._finished + job.origin, *self._own_keys)


def _inherits(kind: type, base: type, names: Sequence[str]) -> bool:
    """Whether a class has these methods from `base`, unchanged."""
    return all(getattr(kind, name) is getattr(base, name) for name in names)


def _is_ordinary(run: Run, value: Any, ttl: Any) -> bool:
    """Whether `finish.lua` writes all that this success means: nobody is to be called, and the job's record needs no other change."""
    job = run.job
    special = (job.webhooks, job._success_callback_name, job.has_rate_limit, job.repeats_left, job.group_id and ttl == 0)  # noqa: SLF001
    return isinstance(ttl, int) and not any(special) and not isinstance(value, Retry) and bool(SAVED_ATTRIBUTES(job) == run.saved)


def _result(run: Run, value: Any, worker_name: str) -> list[Any]:
    """Fields and values of the entry in the job's results, as `Result.serialize` makes them."""
    fields: list[Any] = ["type", Result.Type.SUCCESSFUL.value, "worker_name", worker_name]
    if value is not None:
        fields += ["return_value", b64encode(_serialized(run.job.serializer, value))]
    begun, ended = run.execution.created_at.timestamp(), run.job.ended_at
    fields += ["execution_id", run.execution.id, "execution_started_at", begun]
    return [*fields, "execution_ended_at", ended.timestamp()] if ended else fields


def _serialized(serializer: Any, value: Any) -> bytes:
    """A job's value as RQ stores it. RQ's rule: what cannot be serialized is replaced by a sentence, and the job succeeds all the same."""
    try:
        return bytes(serializer.dumps(value))
    except Exception:  # noqa: BLE001 - whatever a serializer raises
        return bytes(serializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD))
