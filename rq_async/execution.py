"""How jobs run: each in a task of the event loop, up to the record of its end."""

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
from rq.worker.base import BaseWorker

from rq_async.bookkeeping import Bookkeeping
from rq_async.completion import CompletionRecorder
from rq_async.queue_client import QueueClient
from rq_async.resilience import UNAVAILABLE, Resilience
from rq_async.run import Run

MAX_FUNCTION_THREADS: Final = 16
RECORD_SECONDS: Final = 120.0
"""How long the writing of a job's end is repeated; after that RQ's clean-up calls the job abandoned."""


class WorkerEnded(Exception):
    """The worker was told to end, and its grace ended before the job did."""


class JobExecutor:
    """The running jobs of one worker: `runs` by their executions' ids, and how many have `completed`. For one event loop.

    A run stays in `runs` until its end is recorded.
    """

    def __init__(
        self,
        worker: BaseWorker,
        *,
        client: QueueClient,
        bookkeeping: Bookkeeping,
        recorder: CompletionRecorder,
        resilience: Resilience,
        max_jobs: int,
    ) -> None:
        """`worker` gives the log, its own name and RQ's defaults. At most `max_jobs` run at once: their threads are made for that."""
        self.runs: dict[str, Run] = {}
        self.completed = 0
        self._worker, self._client, self._bookkeeping = worker, client, bookkeeping
        self._recorder, self._resilience = recorder, resilience
        self._threads = ThreadPoolExecutor(min(max_jobs, MAX_FUNCTION_THREADS), "rq-plain")
        self._some_ended = asyncio.Event()

    def close(self) -> None:
        """Drop what has not begun; a function in a thread ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def launch(self, runs: list[Run]) -> None:
        """Begin jobs that are recorded as started already."""
        worker, create_task = self._worker, asyncio.get_running_loop().create_task
        logged = worker.log.isEnabledFor(logging.INFO)
        for run in runs:
            self.runs[run.execution.id] = run
            self._bookkeeping.add(run.execution)
            if logged:
                shown = f"{run.job.description} ({run.job.id})" if worker.log_job_description else run.job.id
                worker.log.info("Worker %s: %s: %s", worker.name, run.queue.name, shown)
            run.task = create_task(self._run(run))

    # waiting and cancelling

    async def wait_for_end(self) -> None:
        """Wait until some job has ended, or until `wake`. Returns at once when none runs."""
        if self.runs:
            self._some_ended.clear()
            await self._some_ended.wait()

    def wake(self) -> None:
        """End `wait_for_end`."""
        self._some_ended.set()

    def stop(self, wanted: Callable[[Run], bool]) -> None:
        """Cancel the jobs that somebody wants stopped: their status becomes `stopped`, not `failed`."""
        for run in filter(wanted, list(self.runs.values())):
            run.stopped = run.executing
            _cancel(run)

    def cancel_all(self) -> None:
        """Cancel the jobs whose functions still run: they fail with WorkerEnded."""
        for run in list(self.runs.values()):
            _cancel(run)

    # one job

    async def _run(self, run: Run) -> None:
        run.executing = True
        record = await self._execute(run)
        run.executing = False  # from here on a cancellation would lose the record of the end
        try:
            await self._record(run, record)
        except Exception:
            self._worker.log.exception("Worker %s: the end of job %s could not be recorded", self._worker.name, run.job.id)
        finally:
            self.completed += 1
            self.runs.pop(run.execution.id, None)
            self._some_ended.set()

    async def _execute(self, run: Run) -> Callable[[], Awaitable[object]]:
        """Run the job to its end; the call that records that end."""
        try:
            value = await self._call_in_time(run)
            run.job.ended_at = now()
            return partial(self._record_success, run, value)
        except asyncio.CancelledError:
            # The cancellation was meant for the job's function. The same task still has to record the end.
            cast("asyncio.Task[None]", run.task).uncancel()
            if run.stopped:
                return partial(self._resilience.in_thread, partial(self._recorder.record_stop, run))
            return self._failure(run, WorkerEnded("the worker ended before the job did"))
        except BaseException as error:  # noqa: BLE001 - SystemExit in a job must not end the others
            return self._failure(run, error)

    def _failure(self, run: Run, error: BaseException) -> Callable[[], Awaitable[object]]:
        return partial(self._resilience.in_thread, partial(self._recorder.record_failure, run, error))

    async def _call_in_time(self, run: Run) -> Any:
        """Call the job's function within its timeout. Raises what the function raises, or JobTimeoutException."""
        if run.load_error is not None:
            raise run.load_error
        _current_job.set(run.job)  # each task has a context of its own
        seconds = run.job.timeout or self._worker.queue_class.DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout(seconds if seconds > 0 else None) as limit:
                return await self._call(run.job)
        except TimeoutError:
            if limit.expired():  # otherwise it is an error of the function's own
                raise JobTimeoutException(f"Task exceeded maximum timeout value ({seconds} seconds)") from None
            raise

    async def _call(self, job: Job) -> Any:
        function = job.func
        if function is None:
            raise ValueError("Cannot execute job: function is None")
        if inspect.iscoroutinefunction(function):
            return await function(*job.args, **job.kwargs)
        call = partial(copy_context().run, function, *job.args, **job.kwargs)  # so that get_current_job works in the thread
        result = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        return await result if inspect.isawaitable(result) else result

    # its end

    async def _record(self, run: Run, record: Callable[[], Awaitable[object]]) -> None:
        """Write how a job ended. A Redis error repeats the writing, never the job; any other error makes the job a failed one."""
        try:
            await self._resilience.retry(record, RECORD_SECONDS)
        except UNAVAILABLE:
            raise
        except Exception as error:  # noqa: BLE001 - such as a success callback that raises
            await self._resilience.retry(self._failure(run, error), RECORD_SECONDS)
        finally:
            # Not before the record: until then heartbeats keep RQ's clean-up from calling the job abandoned.
            self._bookkeeping.remove(run.execution)
        await self.follow_state()

    async def follow_state(self) -> None:
        """Let the worker's record show whether anything runs, where the scripts have not done so."""
        if self._bookkeeping.state_changed:
            await self._resilience.in_thread(self._bookkeeping.follow_state)

    async def _record_success(self, run: Run, value: Any) -> None:
        """By the script when the job is an ordinary one, else by RQ's own code."""
        worker, idle_state = self._worker, self._bookkeeping.idle_state
        running = await self._client.finish(run, value, idle_state)
        if running is None:
            await self._resilience.in_thread(partial(self._recorder.record_success, run, value))
            return
        if running == 0:  # the script has written the idle state, too
            self._bookkeeping.note_state(idle_state)
        if worker.log.isEnabledFor(logging.INFO):
            worker.log.info("Worker %s: %s: Job OK (%s)", worker.name, run.job.origin, run.job.id)


def _cancel(run: Run) -> None:
    if run.task and run.executing:
        run.task.cancel()
