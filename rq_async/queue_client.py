"""Where jobs come in and go out: BLMOVE and the scripts, awaited in the event loop.

One desk serves one worker on one queue. Every call can be repeated after an error, and then means the same jobs.
"""

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

from rq_async.run import SAVED, Maker, Run
from rq_async.scripts import FINISH, GIVE_BACK, TAKE, Commands

if TYPE_CHECKING:
    from redis.asyncio import Redis as AsyncRedis

BATCH: Final = 64
"""Jobs taken in one go, so that no script holds the server for long."""
OWN_WAYS: Final = ("_finalize_success", "handle_job_success", "cleanup_execution")
JOBS_OWN_WAYS: Final = ("_handle_success", "save", "to_dict", "cleanup", "delete")


class Desk:
    """`backlog` is how many jobs the last look saw waiting, `suspended` whether it saw RQ suspended."""

    def __init__(self, worker: BaseWorker, commands: Commands, waiting: AsyncRedis) -> None:
        """`commands` sends the scripts; `waiting` is for BLMOVE, which holds one connection as long as it waits."""
        self.backlog = 0
        self.suspended = False
        self._commands, self._waiting, self._worker = commands, waiting, worker
        self._queue = queue = worker.queues[0]
        self._maker = Maker(worker.job_class, worker.serializer, worker.connection, queue, worker.name)
        self._lists = (queue.key, queue.intermediate_queue.key)
        self._own = (worker.key, worker.executions_key)
        self._started = StartedJobRegistry.key_template.format("")
        self._finished = FinishedJobRegistry.key_template.format("")
        self._jobs = worker.job_class.redis_job_namespace_prefix
        self._ordinary_ways = _unchanged(type(worker), BaseWorker, OWN_WAYS) and _unchanged(worker.job_class, Job, JOBS_OWN_WAYS)
        self._nonces = map(f"{secrets.token_hex(8)}-{{}}".format, itertools.count())
        self._moved: bytes | str = ""
        self._asked: tuple[str, datetime] | None = None

    # in

    async def wait(self, seconds: float) -> None:
        """Wait for a job, so many seconds at most. Its id is in the intermediate list then; the next `take` deals with it."""
        self._moved = await self._waiting.blmove(*self._lists, seconds) or ""  # type: ignore[arg-type]

    async def take(self, room: int) -> list[Run]:
        """At most `room` jobs, marked as started. Without room, or when suspended, what `wait` got goes back to the queue.

        After an error the next call asks the same again, and is answered with the jobs that the lost answer named.
        """
        self._asked = nonce, moment = self._asked or (next(self._nonces), now())
        keys = (*self._lists, *self._own, WORKERS_SUSPENDED)
        first = (min(room, BATCH), nonce, self._moved, self._jobs, RQ_KEY_PREFIX, self._started, self._queue.name, self._worker.name)
        times = (utcformat(moment), moment.timestamp(), self._worker.job_monitoring_interval)
        suspended, self.backlog, rows = await TAKE.send(self._commands, keys, (*first, *times))
        self._asked, self._moved, self.suspended = None, "", bool(suspended)
        return [self._maker.make(name.decode(), execution.decode(), fields, moment) for name, execution, fields in rows]

    @property
    def unsettled(self) -> bool:
        """Whether the server may have handed out a job that no `take` has answered."""
        return bool(self._moved or self._asked)

    async def give_back(self, runs: Sequence[Run], idle: str) -> None:
        """Put jobs that nobody has begun back at the queue's head. `idle` is the worker's state when nothing runs."""
        each = [(run.job.id, run.execution.id, self._started + run.job.origin) for run in runs]
        args = (self._jobs, RQ_KEY_PREFIX, idle, *itertools.chain.from_iterable(each))
        await GIVE_BACK.send(self._commands, (self._queue.key, *self._own), args)

    # out

    async def finish(self, run: Run, value: Any, idle: str) -> int | None:
        """Record that a job returned `value` at its `ended_at`; how many executions the worker still has.

        None, and nothing written, when the job is not an ordinary one: that end is for RQ's own code.
        """
        job, ttl = run.job, run.job.get_result_ttl(self._worker.default_result_ttl)
        ended = job.ended_at
        if ended is None or job.started_at is None or not (self._ordinary_ways and _ordinary(run, value, ttl)):
            return None
        job._status, job._result, job.last_heartbeat = JobStatus.FINISHED, value, ended  # noqa: SLF001 - as BaseWorker does
        score = "+inf" if ttl == -1 else ttl if ttl < 0 else current_timestamp() + ttl
        args = (job.id, run.execution.id, ttl, utcformat(ended), score, (ended - job.started_at).total_seconds(), idle)
        result = _result(run, value, self._worker.name)
        recorded, running = await FINISH.send(self._commands, self._keys_of(run), (*args, f"{RQ_KEY_PREFIX}:execution:", *result))
        return int(running) if recorded else None

    def _keys_of(self, run: Run) -> tuple[str, ...]:
        job, rq = run.job, RQ_KEY_PREFIX
        own = (job.key, job.dependents_key, job.dependencies_key)
        executions = (f"{rq}:results:{job.id}", f"{rq}:executions:{job.id}", run.execution.key)
        return (*own, *executions, self._started + job.origin, self._finished + job.origin, *self._own)


def _unchanged(kind: type, base: type, names: Sequence[str]) -> bool:
    """Whether a subclass left these methods as they are: a script does what they do, and would pass over its own."""
    return all(getattr(kind, name) is getattr(base, name) for name in names)


def _ordinary(run: Run, value: Any, ttl: Any) -> bool:
    job = run.job
    special = (job.webhooks, job._success_callback_name, job.has_rate_limit, job.repeats_left, job.group_id and ttl == 0)  # noqa: SLF001
    return isinstance(ttl, int) and not any(special) and not isinstance(value, Retry) and bool(SAVED(job) == run.saved)


def _result(run: Run, value: Any, worker_name: str) -> list[Any]:
    """Fields and values of the entry in the job's results, as `Result.serialize` makes them."""
    fields: list[Any] = ["type", Result.Type.SUCCESSFUL.value, "worker_name", worker_name]
    if value is not None:
        fields += ["return_value", b64encode(_said(run.job.serializer, value))]
    begun, ended = run.execution.created_at.timestamp(), run.job.ended_at
    fields += ["execution_id", run.execution.id, "execution_started_at", begun]
    return [*fields, "execution_ended_at", ended.timestamp()] if ended else fields


def _said(serializer: Any, value: Any) -> bytes:
    """RQ's rule: what cannot be serialized is replaced by a sentence, and the job is finished all the same."""
    try:
        return bytes(serializer.dumps(value))
    except Exception:  # noqa: BLE001 - whatever a serializer raises
        return bytes(serializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD))
