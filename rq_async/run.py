"""One execution of one job, and a job made of the record that `take.lua` answered."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from rq.executions import Execution
from rq.job import Job, JobStatus

if TYPE_CHECKING:
    import asyncio

    from redis import Redis
    from rq.queue import Queue

STAMPS: Final = {name.encode(): name for name in ("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat")}
SAVED: Final = attrgetter(
    *("created_at", "_data", "_success_callback_name", "_failure_callback_name", "_stopped_callback_name", "_success_callback_timeout"),
    *("_failure_callback_timeout", "_stopped_callback_timeout", "started_at", "worker_name", "group_id", "number_of_retries"),
    *("retries_left", "retry_intervals", "enqueue_at_front_on_retry", "origin", "description", "enqueued_at", "repeats_left"),
    *("repeat_intervals", "rate_limit_key", "rate_limit_concurrency", "timeout", "webhooks", "result_ttl", "failure_ttl"),
    *("_dependency_ids", "ttl", "allow_dependency_failures", "enqueue_at_front"),
)
"""What RQ writes anew at a job's end. When the job's function changed none of it, the record has it already."""


@dataclass(slots=True, eq=False)
class Run:
    """One execution of one job.

    `fault` says why it cannot even begin; `stopped`, that somebody asked for its end; `failure`, what is to be kept of a bad end.
    """

    job: Job
    queue: Queue
    execution: Execution
    fault: Exception | None = None
    task: asyncio.Task[None] | None = None
    performing: bool = False
    stopped: bool = False
    failure: str = ""
    saved: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes a worker's runs. `serializer` is RQ's: a class or module with `dumps` and `loads`."""

    job_class: type[Job]
    serializer: Any
    connection: Redis
    queue: Queue
    worker_name: str

    def make(self, name: str, execution_id: str, fields: Sequence[bytes], moment: datetime) -> Run:
        """The run of a job that was marked as started at `moment`. A record that RQ cannot read makes a run with a fault."""
        job, fault = self._job(name, dict(zip(fields[::2], fields[1::2], strict=True)))
        job.worker_name, job.started_at, job.last_heartbeat = self.worker_name, moment, moment
        job._status = JobStatus.STARTED  # noqa: SLF001 - as Job.prepare_for_execution does
        execution = Execution(execution_id, name, self.connection, self.worker_name)
        execution.created_at = execution.last_heartbeat = moment
        execution._job = job  # noqa: SLF001 - as Execution.create does
        return Run(job, self.queue, execution, fault, saved=SAVED(job))

    def _job(self, name: str, record: dict[bytes, bytes]) -> tuple[Job, Exception | None]:
        job = self.job_class(name, connection=self.connection)
        job.serializer = self.serializer  # resolved already: the constructor would only check it again, for half of its time
        fault: Exception | None = None
        stamps = _stamps(record)
        try:
            job.restore(record)
        except Exception as error:  # noqa: BLE001 - whatever a foreign record makes RQ raise
            fault = error
        for attribute, moment in stamps.items():
            setattr(job, attribute, moment)
        job.origin = job.origin or self.queue.name
        return job, fault


def _stamps(record: dict[bytes, bytes]) -> dict[str, datetime]:
    """The times of a record, which lose them here: `Job.restore` reads one with strptime in 6 us, this in 0.2 us.

    What is not written as RQ writes it stays in the record, for RQ to judge.
    """
    found: dict[str, datetime] = {}
    for field, attribute in STAMPS.items():
        raw = record.get(field, b"")
        if raw.endswith(b"Z"):
            with contextlib.suppress(ValueError):
                found[attribute] = datetime.fromisoformat(raw.decode())
                del record[field]
    return found
