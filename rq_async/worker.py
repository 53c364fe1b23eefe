"""An RQ worker that holds many coroutine jobs at once: one process, one event loop, seen by RQ as one worker.

RQ's own workers hold one job per process. A job that mostly waits for other servers costs next to nothing while it
waits, so `AsyncWorker` runs up to `concurrency` of them side by side and leaves the rest to RQ: registries, results,
retries, callbacks, `rq info`, `rq suspend`, the stop and shutdown commands, rq-dashboard.

- A job that is a coroutine function runs as a task, under `asyncio.timeout`. A plain function runs in a thread; its
  timeout ends the waiting for it, not the function.
- It listens to one queue: only then does RQ pop with BLMOVE, which keeps a popped id in an intermediate list.
- Jobs are taken and ordinary ends recorded by scripts that the loop awaits. What is rare (failures, callbacks, heartbeats,
  maintenance) is RQ's own code in a few threads.
- An absent Redis never ends the worker. It logs the outage once, tries again with a growing wait and goes on; a job that
  ended meanwhile is recorded when the server is back, and is never run a second time for that.
- SIGTERM or SIGINT: nothing more is dequeued, running jobs have `grace` seconds. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from rq.command import handle_command, parse_payload
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.logutils import setup_loghandlers
from rq.utils import now
from rq.worker.base import DequeueStrategy

from rq_async.bookkeeping import AWAY
from rq_async.command_batching import Grouped, asynchronous
from rq_async.execution import PerformingWorker, WorkerEnded
from rq_async.queue_client import Desk
from rq_async.resilience import SAME_SIGNAL_SECONDS
from rq_async.run import Run
from rq_async.scripts import Commands

if TYPE_CHECKING:
    from redis.asyncio import Redis as AsyncRedis

__all__ = ["AsyncWorker", "WorkerEnded"]

CLERKS, PLAIN_THREADS = 5, 16
ANSWER_SECONDS: Final = 10.0
"""How long the worker's own client waits for an answer, beyond what it asked the server to wait."""
LATE_SECONDS: Final = 0.2
"""How much later than its own end a wait for a job may be answered."""
LAST_ANSWER_SECONDS: Final = 0.5
"""How long a worker that is to end waits to hear which jobs it was given; then it asks once more, and gives them back."""
CANCEL_SECONDS: Final = 0.3


class AsyncWorker(PerformingWorker):
    """See the module's text. Set the attributes before `work`, or on a subclass for the `rq worker` command.

    `concurrency` counts jobs at once. `grace` is in seconds (None: until the jobs end); with `cancel_at_stop` the jobs are
    cancelled when it begins, otherwise when it is over. `on_stop` is called at the first signal. `poll_seconds` is how long one
    wait for a job lasts, and so how late the dequeuing may end.

    `async_connection` waits for jobs; by default it is made like the blocking connection. `scripts` sends the scripts; by
    default over `async_connection`, those of many jobs together. `loop_factory` makes the loop of `work` (uvloop's, for one).
    """

    concurrency = 200
    grace: float | None = None
    cancel_at_stop = False
    poll_seconds = 1.0
    on_stop: Callable[[], None] | None = None
    async_connection: AsyncRedis | None = None
    scripts: Commands | None = None
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self._stopped_at = 0.0
        self._unbegun: list[Run] = []
        self._own_client: AsyncRedis | None = None

    def work(  # noqa: PLR0917 - BaseWorker's signature
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: DequeueStrategy = DequeueStrategy.DEFAULT,  # noqa: ARG002 - one queue has no order
    ) -> bool:
        """Work until told to end, or in `burst` mode until the queue is empty; True when any job ran."""
        for name in ("rq.worker", "rq.job"):
            setup_loghandlers(logging_level, date_format, log_format, name=name)
        if with_scheduler:
            self._start_scheduler(burst, logging_level, date_format, log_format)
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self.work_async(burst=burst, max_jobs=max_jobs, max_idle_time=max_idle_time))

    async def work_async(self, *, burst: bool = False, max_jobs: int | None = None, max_idle_time: float | None = None) -> bool:
        """`work`, for a loop that runs already."""
        if len(self.queues) != 1:
            raise ValueError("an AsyncWorker listens to exactly one queue")
        self._open()
        background: list[asyncio.Task[None]] = []
        try:
            if await self._begin():
                background = [asyncio.create_task(self._every(*job)) for job in self._duties()]
                self.ready()
                await self._dequeue(burst, max_jobs, max_idle_time)
                await self._soon(self._settle())
            await self._drain()
        finally:
            for task in background:
                task.cancel()
            await self._close()
        return bool(self.completed)

    def ready(self) -> None:
        """Called when jobs are taken, for subclasses."""

    def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._stopper = self._loop.create_task(self._stop.wait())
        self._room = asyncio.Event()
        self._clerks = ThreadPoolExecutor(CLERKS, "rq-records")
        self._plain = ThreadPoolExecutor(min(self.concurrency, PLAIN_THREADS), "rq-plain")
        self.desk = self._make_desk()
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):  # not the main thread
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.request_stop, number, None)

    def _make_desk(self) -> Desk:
        waiting = self.async_connection
        if waiting is None:
            waiting = self._own_client = asynchronous(self.connection, self.poll_seconds + ANSWER_SECONDS)
        return Desk(self, self.scripts or Grouped(waiting), waiting)

    async def _close(self) -> None:
        """Deregister. A Redis that is away is not waited for: the record ends by itself."""
        self._stopper.cancel()
        await self._soon(self._in_thread(self.teardown))
        if self._own_client is not None:
            await self._soon(self._own_client.aclose())
        for pool in (self._clerks, self._plain):
            pool.shutdown(wait=False, cancel_futures=True)

    # dequeuing

    async def _dequeue(self, burst: bool, max_jobs: int | None, max_idle_time: float | None) -> None:
        left = max_jobs if max_jobs is not None else float("inf")
        idle_since = time.monotonic()
        while left > 0 and not self._stop.is_set():
            room, busy = min(self.concurrency - len(self.runs), left), bool(self.runs)
            runs = await self._take(int(room), None if burst else self.poll_seconds) if room > 0 else None
            self._launch(runs or [])
            left -= len(runs or ())
            idle_since = time.monotonic() if runs or self.runs else idle_since
            if runs == [] and not busy and self._finished(burst, max_idle_time, idle_since):
                return
            if runs is None or (burst and not runs):
                await self._some_end()
            elif self.suspended or self.resting:
                await self._pause(self.poll_seconds)

    def _finished(self, burst: bool, max_idle_time: float | None, idle_since: float) -> bool:
        if burst and (self.suspended or not self.desk.backlog):
            return True
        return max_idle_time is not None and time.monotonic() - idle_since > max_idle_time

    async def _take(self, room: int, wait: float | None) -> list[Run]:
        """Jobs to launch. Every error is survived: an outage is waited out, anything else is logged and tried again."""
        try:
            runs = await self._look(room, wait)
        except AWAY as error:
            self._note_outage(error)
            await self._pause(0.2)
            return []
        except Exception:
            self.log.exception("Worker %s: could not take jobs", self.name)
            await self._pause(1.0)
            return []
        self._note_return()
        return runs

    async def _look(self, room: int, wait: float | None) -> list[Run]:
        """One wait for a job where none is known, then one script. What comes after a signal is for `_settle`."""
        idle = not (self.desk.backlog or self.desk.unsettled or self.suspended or self.resting)
        if idle and wait is not None:
            await self._until_told(self.desk.wait(wait), wait + LATE_SECONDS)
        if self._stop.is_set():
            return []
        runs = await self._until_told(self.desk.take(0 if self.resting else room), LAST_ANSWER_SECONDS)
        self.suspended = self.desk.suspended
        if self._stop.is_set():
            self._unbegun = runs
            return []
        if not runs and self.wanted_state() != self._state:
            await self._in_thread(self.follow_state)
        return runs

    async def _settle(self) -> None:
        """Put back what the server handed out and nobody has begun."""
        runs = self._unbegun or (await self.desk.take(0) if self.desk.unsettled else [])
        if runs:
            await self.desk.give_back(runs, self.idle_state())

    async def _some_end(self) -> None:
        """Wait until a job has ended or the worker is to end."""
        if self.runs and not self._stop.is_set():
            self._room.clear()
            await self._room.wait()

    # ending

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - BaseWorker's signature
        """The first signal ends the dequeuing, a later one the process. To be called in the loop's thread."""
        if self._stop_requested:
            if time.monotonic() - self._stopped_at > SAME_SIGNAL_SECONDS:
                self.log.warning("Worker %s: told to end again, ending at once", self.name)
                os._exit(128 + signum)
            return
        self.log.info("Worker %s: told to end by signal %d, %d jobs run", self.name, signum, len(self.runs))
        self._stopped_at = time.monotonic()
        self._shutdown_requested_date = now()
        self._stop_requested = True
        self._tell()
        self._room.set()
        if self.on_stop:
            self.on_stop()
        if self.cancel_at_stop:
            self._cancel_all()

    async def _drain(self) -> None:
        """Wait for the running jobs, after a signal for the rest of the grace at most; cancel those that still run."""
        tasks = {run.task for run in self.runs.values() if run.task}
        if await self._or_stop(asyncio.gather(*tasks, return_exceptions=True)):
            return
        await self._soon(self._in_thread(self.set_shutdown_requested_date))
        left = None if self.grace is None else max(0.0, self._stopped_at + self.grace - time.monotonic())
        _, late = await asyncio.wait(tasks, timeout=left)
        if late:
            self._cancel_all()
            self.log.warning("Worker %s: %d jobs did not end within the grace", self.name, len(late))
            await asyncio.wait(late, timeout=CANCEL_SECONDS)

    # commands

    def handle_payload(self, message: dict[Any, Any]) -> None:
        """A command from RQ's channel; called in the subscription's thread."""
        payload = parse_payload(message)
        if payload.get("command") == "stop-job":
            self._loop.call_soon_threadsafe(self._stop_runs, lambda run: run.job.id == payload.get("job_id"))
        else:
            handle_command(self, payload)

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution; called in the subscription's thread."""
        self._loop.call_soon_threadsafe(self._stop_runs, lambda run: run.execution.id == execution_id)
