"""The loop that dequeues jobs and launches them, until the worker is to end or has nothing more to do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from rq_async.bookkeeping import Bookkeeping
from rq_async.execution import JobExecutor
from rq_async.queue_client import QueueClient
from rq_async.resilience import UNAVAILABLE, Resilience
from rq_async.run import Run
from rq_async.shutdown import Shutdown

POLL_ANSWER_SECONDS: Final = 0.2
"""How long the answer of a wait for a job may take after the wait has ended on the server."""
LAST_ANSWER_SECONDS: Final = 0.5
"""How long a worker that is to end waits for the answer that names its jobs; then it asks once more, and requeues them."""
OUTAGE_SECONDS: Final = 0.2
"""The wait after a failed dequeuing while Redis is away: short, because jobs wait, and one loop asks so often."""
ERROR_SECONDS: Final = 1.0
"""The wait after any other error, which is a fault of ours: its traceback must not fill the log."""


class WorkerView(Protocol):
    """The worker, as far as the loop knows it. It is asked each time, because it may change while the worker works."""

    name: str
    log: logging.Logger
    concurrency: int
    poll_seconds: float
    draining: bool

    @property
    def paused(self) -> bool:
        """Whether the worker drains or RQ is suspended."""


class Consumer:
    """Dequeues for one worker, on one event loop. Owns the jobs that were dequeued and must not begin any more."""

    def __init__(
        self,
        worker: WorkerView,
        *,
        client: QueueClient,
        executor: JobExecutor,
        bookkeeping: Bookkeeping,
        resilience: Resilience,
        shutdown: Shutdown,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`worker` is asked again each time; `clock` is in seconds."""
        self._worker, self._clock = worker, clock
        self._client, self._executor = client, executor
        self._bookkeeping, self._resilience, self._shutdown = bookkeeping, resilience, shutdown
        self._unstarted: list[Run] = []

    async def run(self, *, burst: bool, max_jobs: int | None, max_idle_time: float | None) -> None:
        """Dequeue until the end is requested.

        Ends earlier when `max_jobs` were launched, when the queue is empty and nothing runs (`burst`), or when nothing was there to
        run for `max_idle_time` seconds.
        """
        left = max_jobs if max_jobs is not None else float("inf")
        running, worker = self._executor.runs, self._worker
        idle_since = self._clock()
        while left > 0 and not self._shutdown.requested():
            # Whether a job ran before the dequeuing: one that ended during it may have been enqueued again.
            room, busy = min(worker.concurrency - len(running), left), bool(running)
            # None: there is no room, and nobody was asked. []: the server was asked and had nothing, or could not be asked.
            runs = await self._dequeue(int(room), burst=burst) if room > 0 else None
            self._executor.launch(runs or [])
            left -= len(runs or ())
            idle_since = self._clock() if runs or running else idle_since
            if runs == [] and not busy and self._is_finished(burst, max_idle_time, idle_since):
                return
            if runs is None or (burst and not runs):  # without room, or with an empty queue, only an end changes anything
                if not self._shutdown.requested():
                    await self._executor.wait_for_end()
            elif worker.paused:
                await self._shutdown.sleep(worker.poll_seconds)

    async def requeue(self) -> None:
        """Put back what the server handed out and nobody has begun. To be called after `run`."""
        runs = self._unstarted or (await self._client.dequeue(0) if self._client.unanswered else [])
        if runs:
            await self._client.requeue(runs, self._bookkeeping.idle_state)

    def _is_finished(self, burst: bool, max_idle_time: float | None, idle_since: float) -> bool:
        if burst and (self._client.suspended or not self._client.backlog):
            return True
        return max_idle_time is not None and self._clock() - idle_since > max_idle_time

    async def _dequeue(self, room: int, *, burst: bool) -> list[Run]:
        """Jobs to launch; [] when there are none, or nobody answers.

        No error ends the worker: an outage is waited out, anything else is logged and tried again.
        """
        worker = self._worker
        try:
            runs = await self._wait_and_dequeue(room, None if burst else worker.poll_seconds)
        except UNAVAILABLE as error:
            self._resilience.note_outage(error)
            await self._shutdown.sleep(OUTAGE_SECONDS)
            return []
        except Exception:
            worker.log.exception("Worker %s: could not take jobs", worker.name)
            await self._shutdown.sleep(ERROR_SECONDS)
            return []
        self._resilience.note_return()
        return runs

    async def _wait_and_dequeue(self, room: int, poll_seconds: float | None) -> list[Run]:
        """One wait for a job where none is known to be there, then one script."""
        client, shutdown, worker = self._client, self._shutdown, self._worker
        if poll_seconds is not None and not (client.backlog or client.unanswered or worker.paused):
            await shutdown.bounded(client.wait(poll_seconds), poll_seconds + POLL_ANSWER_SECONDS)
        if shutdown.requested():  # what the wait has moved is for `requeue`
            return []
        # A draining worker asks too: without room, the script puts back what the wait has moved.
        runs = await shutdown.bounded(client.dequeue(0 if worker.draining else room), LAST_ANSWER_SECONDS)
        if shutdown.requested():  # the answer came after the request: these jobs are recorded as started, and do not begin
            self._unstarted = runs
            return []
        if not runs:
            await self._executor.follow_state()
        return runs
