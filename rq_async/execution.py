"""How an `AsyncWorker` runs one job and records its end: by a script when it is an ordinary success, else by RQ's own code."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, cast

from rq.job import Job, _current_job
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker.base import WorkerStatus

from rq_async.bookkeeping import AWAY
from rq_async.queue_client import Desk
from rq_async.resilience import PatientWorker
from rq_async.run import Run

RECORD_SECONDS: Final = 120.0
"""How long the end of a job is tried to be written; after that RQ's clean-up calls the job abandoned."""


class WorkerEnded(Exception):
    """The worker was told to end, and its grace ended before the job did."""


class PerformingWorker(PatientWorker):
    """The part of an `AsyncWorker` that holds the running jobs: `runs` by execution id, `completed` counts their ends."""

    desk: Desk
    _room: asyncio.Event
    _plain: ThreadPoolExecutor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self.runs: dict[str, Run] = {}
        self.completed = 0

    def _launch(self, runs: list[Run]) -> None:
        """Begin jobs whose records say already that they are started."""
        talk = self.log.isEnabledFor(logging.INFO)
        for run in runs:
            self.runs[run.execution.id] = run
            self.executions[run.execution.id] = run.execution
            self._state = WorkerStatus.BUSY.value
            if talk:
                about = f"{run.job.description} ({run.job.id})" if self.log_job_description else run.job.id
                self.log.info("Worker %s: %s: %s", self.name, run.queue.name, about)
            run.task = self._loop.create_task(self._run(run))

    async def _run(self, run: Run) -> None:
        run.performing = True
        record = await self._end_of(run)
        run.performing = False
        try:
            await self._record(run, record)
        except Exception:
            self.log.exception("Worker %s: the end of job %s could not be recorded", self.name, run.job.id)
        finally:
            self.completed += 1
            self.runs.pop(run.execution.id, None)
            self._room.set()

    async def _end_of(self, run: Run) -> Callable[[], Awaitable[object]]:
        """Run the job to its end; what records that end."""
        try:
            value = await self._perform(run)
            run.job.ended_at = now()
            return partial(self._succeed, run, value)
        except asyncio.CancelledError:
            cast("asyncio.Task[None]", run.task).uncancel()
            if run.stopped:
                return partial(self._in_thread, partial(self.record_stop, run))
            return self._failing(run, WorkerEnded("the worker ended before the job did"))
        except BaseException as error:  # noqa: BLE001 - SystemExit in a job must not end the others
            return self._failing(run, error)

    def _failing(self, run: Run, error: BaseException) -> Callable[[], Awaitable[object]]:
        return partial(self._in_thread, partial(self.record_failure, run, error))

    async def _perform(self, run: Run) -> Any:
        """Run the job's function. Raises what it raises, or JobTimeoutException."""
        if run.fault is not None:
            raise run.fault
        _current_job.set(run.job)  # the task has a context of its own
        seconds = run.job.timeout or self.queue_class.DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout(seconds if seconds > 0 else None) as limit:
                return await self._call(run.job)
        except TimeoutError:
            if limit.expired():
                raise JobTimeoutException(f"Task exceeded maximum timeout value ({seconds} seconds)") from None
            raise

    async def _call(self, job: Job) -> Any:
        function = job.func
        if function is None:
            raise ValueError("Cannot execute job: function is None")
        if inspect.iscoroutinefunction(function):
            return await function(*job.args, **job.kwargs)
        call = partial(copy_context().run, function, *job.args, **job.kwargs)
        result = await self._loop.run_in_executor(self._plain, call)
        return await result if inspect.isawaitable(result) else result

    async def _record(self, run: Run, record: Callable[[], Awaitable[object]]) -> None:
        """Write how a job ended. A Redis error repeats the writing, never the job; any other fault makes the job a failed one."""
        try:
            await self._outlast(record, RECORD_SECONDS)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - such as a success callback that raises
            await self._outlast(self._failing(run, error), RECORD_SECONDS)
        finally:
            self.executions.pop(run.execution.id, None)
        if self.wanted_state() != self._state:
            await self._in_thread(self.follow_state)

    async def _succeed(self, run: Run, value: Any) -> None:
        idle = self.idle_state()
        running = await self.desk.finish(run, value, idle)
        if running is None:
            await self._in_thread(partial(self.record_success, run, value))
            return
        if running == 0:
            self._state = idle
        if self.log.isEnabledFor(logging.INFO):
            self.log.info("Worker %s: %s: Job OK (%s)", self.name, run.job.origin, run.job.id)

    def _stop_runs(self, wanted: Callable[[Run], bool]) -> None:
        for run in filter(wanted, list(self.runs.values())):
            run.stopped = run.performing
            self._cancel(run)

    def _cancel_all(self) -> None:
        for run in list(self.runs.values()):
            self._cancel(run)

    def _cancel(self, run: Run) -> None:
        if run.task and run.performing:  # what is being recorded is left to end
            run.task.cancel()
