"""An RQ worker that holds many coroutine jobs at once: one process, one event loop, seen by RQ as one worker.

RQ's own workers hold one job per process. A job that mostly waits for other servers costs next to nothing while it
waits, so `AsyncWorker` runs up to `concurrency` of them side by side and leaves the rest to RQ: registries, results,
retries, callbacks, `rq info`, `rq suspend`, the stop and shutdown commands, rq-dashboard.

- A job that is a coroutine function runs as a task, under `asyncio.timeout`. A plain function runs in a thread; its
  timeout ends the waiting for it, not the function.
- It listens to one queue: only then does RQ pop with BLMOVE, which keeps a popped id in an intermediate list.
- Jobs are dequeued, and ordinary ends recorded, by scripts that the loop awaits. What is rare (failures, callbacks, heartbeats,
  maintenance) is RQ's own code in a few threads.
- An absent Redis never ends the worker. It logs the outage once, tries again with growing waits and goes on; a job that
  ended meanwhile is recorded when the server is back, and is not run a second time for that.
- SIGTERM or SIGINT: nothing more is dequeued, running jobs have `grace` seconds. A second signal ends the process at once.

The parts, each with a state of its own: `QueueClient` (the queue), `Consumer` (the loop that dequeues), `JobExecutor` (the
running jobs), `CompletionRecorder` (how they ended), `Bookkeeping` (the worker's own records), `Resilience` (threads and
repetitions) and `Shutdown` (the request to end). This class is what RQ calls: it holds the settings and puts the parts together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, cast

from rq.command import handle_command, parse_payload
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.job import Job
from rq.job_lifecycle import call_exception_handlers, format_exc_info
from rq.logutils import setup_loghandlers
from rq.queue import Queue
from rq.utils import now
from rq.worker.base import BaseWorker, DequeueStrategy

from rq_async.bookkeeping import Bookkeeping
from rq_async.command_batching import CommandBatcher, async_client
from rq_async.completion import CompletionRecorder, ThreadDeathPenalty
from rq_async.consumer import Consumer
from rq_async.execution import JobExecutor, WorkerEnded
from rq_async.queue_client import QueueClient
from rq_async.resilience import UNAVAILABLE, Resilience
from rq_async.run import Run
from rq_async.scripts import CommandSender
from rq_async.shutdown import SAME_SIGNAL_SECONDS, Shutdown

if TYPE_CHECKING:
    from redis.asyncio import Redis as AsyncRedis
    from redis.client import PubSub, PubSubWorkerThread

__all__ = ["AsyncWorker", "WorkerEnded"]

ANSWER_SECONDS: Final = 10.0
"""How long the worker's own client waits for an answer, beyond what it asked the server to wait."""
CANCEL_SECONDS: Final = 0.3
"""How long cancelled jobs have to record their ends before the process goes."""
RESUBSCRIBE_SECONDS: Final = 1.0


class AsyncWorker(BaseWorker):
    """See the module's text. Set the attributes before `work`, or on a subclass for the `rq worker` command.

    `concurrency` counts jobs at once. `grace` is in seconds (None: until the jobs end); with `cancel_at_stop` the jobs are
    cancelled when it begins, otherwise when it is over. `on_stop` is called at the first signal. `poll_seconds` is how long one
    wait for a job lasts, and so how late the dequeuing may end. `beat_seconds` is how often heartbeats are sent; by default half
    of RQ's `job_monitoring_interval`.

    `draining` may be set and reset while it works: the worker dequeues nothing, as if RQ were suspended for it alone.

    `async_connection` waits for jobs; by default it is made like the blocking connection. `scripts` sends the scripts; by
    default over `async_connection`, those of many jobs together. `loop_factory` makes the loop of `work` (uvloop's, for one).
    """

    concurrency = 200
    grace: float | None = None
    cancel_at_stop = False
    poll_seconds = 1.0
    beat_seconds: float | None = None
    on_stop: Callable[[], None] | None = None
    draining = False
    async_connection: AsyncRedis | None = None
    scripts: CommandSender | None = None
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    death_penalty_class = ThreadDeathPenalty  # RQ's default is SIGALRM, which only a main thread may set

    # The parts of one run of `work`: they hold the events, tasks and threads of its loop.
    _loop: asyncio.AbstractEventLoop
    _stopping: Shutdown
    _resilience: Resilience
    _executor: JobExecutor
    _consumer: Consumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self._client: QueueClient | None = None
        self.runs: Mapping[str, Run] = {}
        """The running jobs by their executions' ids, until their ends are recorded. To be read only: it is the executor's."""
        self.bookkeeping = Bookkeeping(self, lambda: self.paused)

    @property
    def queue(self) -> Queue:
        """The one queue."""
        return self.queues[0]

    @property
    def paused(self) -> bool:
        """Whether it dequeues nothing for now: it drains, or RQ was suspended at the last dequeuing."""
        return self.draining or (self._client is not None and self._client.suspended)

    # for subclasses

    def ready(self) -> None:
        """Called when jobs are dequeued from now on."""

    def format_failure(self, error: BaseException) -> str:
        """The text kept of a failed job: its traceback. To be overridden where exceptions quote private data."""
        return format_exc_info((type(error), error, error.__traceback__))

    # The one method that RQ calls, and what it runs from registration to teardown

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
        """`work`, for a loop that runs already. Raises ValueError for a worker of several queues."""
        if len(self.queues) != 1:
            raise ValueError("an AsyncWorker listens to exactly one queue")
        own_client = self._open()
        duties: list[asyncio.Task[None]] = []
        try:
            if await self._register():
                duties = [asyncio.create_task(self._resilience.every(*duty)) for duty in self._duties()]
                self.ready()
                await self._consumer.run(burst=burst, max_jobs=max_jobs, max_idle_time=max_idle_time)
                # Before the jobs end: what this worker will not begin, another one can begin now.
                await self._resilience.try_once(self._consumer.requeue())
            await self._await_jobs()
        finally:
            for task in duties:
                task.cancel()
            await self._close(own_client)
        return bool(self._executor.completed)

    def _open(self) -> AsyncRedis | None:
        """Make the parts; the client that is this worker's to close, if any."""
        self._loop = asyncio.get_running_loop()
        waiting, own_client = self.async_connection, None
        if waiting is None:
            waiting = own_client = async_client(self.connection, self.poll_seconds + ANSWER_SECONDS)
        self._stopping = Shutdown()
        self._resilience = Resilience(self.log, self.name)
        self._client = client = QueueClient(self, self.scripts or CommandBatcher(waiting), waiting)
        self._executor = JobExecutor(
            self,
            client=client,
            bookkeeping=self.bookkeeping,
            recorder=CompletionRecorder(self, self.format_failure),
            resilience=self._resilience,
            max_jobs=self.concurrency,
        )
        self._consumer = Consumer(
            self,
            client=client,
            executor=self._executor,
            bookkeeping=self.bookkeeping,
            resilience=self._resilience,
            shutdown=self._stopping,
        )
        self.runs = self._executor.runs
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):  # not the main thread
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.request_stop, number, None)
        return own_client

    async def _register(self) -> bool:
        """Register, however long Redis is away; False when the end is requested first."""
        in_thread = partial(self._resilience.in_thread, self.bookkeeping.register)
        registration = self._loop.create_task(self._resilience.retry(in_thread, float("inf")))
        if await self._stopping.precedes(registration):
            registration.cancel()
            return False
        registration.result()
        self._resilience.note_return()
        return True

    def _duties(self) -> list[tuple[float, Callable[[], None]]]:
        """What is done at regular times: every how many seconds, and what."""
        beat_seconds = self.beat_seconds or self.job_monitoring_interval / 2
        return [(beat_seconds, self.bookkeeping.beat), (self.maintenance_interval, self.run_maintenance_tasks)]

    async def _await_jobs(self) -> None:
        """Wait for the running jobs, after a signal for the rest of the grace at most; cancel those that still run."""
        tasks = {run.task for run in self.runs.values() if run.task}
        if not await self._stopping.precedes(asyncio.gather(*tasks, return_exceptions=True)):
            return
        await self._resilience.try_once(self._resilience.in_thread(self.set_shutdown_requested_date))
        left = None if self.grace is None else max(0.0, self.grace - self._stopping.age)
        _, late = await asyncio.wait(tasks, timeout=left)
        if late:
            self._executor.cancel_all()
            self.log.warning("Worker %s: %d jobs did not end within the grace", self.name, len(late))
            await asyncio.wait(late, timeout=CANCEL_SECONDS)

    async def _close(self, own_client: AsyncRedis | None) -> None:
        """Deregister, with one try: without it the record expires by itself."""
        await self._resilience.try_once(self._resilience.in_thread(self.teardown))
        if own_client is not None:
            await self._resilience.try_once(own_client.aclose())
        self._resilience.close()
        self._executor.close()

    # what RQ calls, or may be told

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - BaseWorker's signature
        """The first signal ends the dequeuing, a later one the process. To be called in the loop's thread."""
        if self._stop_requested:
            if self._stopping.age > SAME_SIGNAL_SECONDS:
                self.log.warning("Worker %s: told to end again, ending at once", self.name)
                os._exit(128 + signum)
            return
        self.log.info("Worker %s: told to end by signal %d, %d jobs run", self.name, signum, len(self.runs))
        self._shutdown_requested_date = now()
        self._stop_requested = True
        self._stopping.request()
        self._executor.wake()  # the loop may be waiting for a job's end
        if self.on_stop:
            self.on_stop()
        if self.cancel_at_stop:
            self._executor.cancel_all()

    def handle_payload(self, message: dict[Any, Any]) -> None:
        """A command from RQ's channel; called in the subscription's thread."""
        payload = parse_payload(message)
        if payload.get("command") == "stop-job":  # RQ's own handler knows one job at a time
            self._loop.call_soon_threadsafe(self._executor.stop, lambda run: run.job.id == payload.get("job_id"))
        else:
            handle_command(self, payload)

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution; called in the subscription's thread."""
        self._loop.call_soon_threadsafe(self._executor.stop, lambda run: run.execution.id == execution_id)

    def _pubsub_exception_handler(self, exc: Exception, pubsub: PubSub, pubsub_thread: PubSubWorkerThread) -> None:  # noqa: ARG002 - BaseWorker's
        """Whatever happens to the subscription for commands, it goes on; redis-py subscribes again when it reconnects."""
        if not isinstance(exc, UNAVAILABLE):
            self.log.warning("Worker %s: a command was not understood (%s)", self.name, type(exc).__name__)
        elif not self.bookkeeping.closed:  # after the deregistration the connection is closed on purpose
            self._resilience.note_outage(exc)
            time.sleep(RESUBSCRIBE_SECONDS)

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:  # noqa: ARG002 - BaseWorker's signature
        """Note the end. RQ's worker writes a heartbeat here, too, which would only cost a round trip."""
        job.ended_at = now()

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a job's exception as `format_failure` tells it, then call RQ's exception handlers."""
        self.log.error("Worker %s: job %s failed\n%s", self.name, job.id, self.format_failure(exc_info[1]))
        call_exception_handlers(self._exc_handlers, job, *exc_info)

    def unsubscribe(self) -> None:
        """RQ's, without its second of waiting for the thread: it ends at the answer, and closes its connection itself."""
        if (thread := cast("Any", self.pubsub_thread)) is not None:
            cast("Any", self.pubsub).unsubscribe()
            thread.stop()

    def teardown(self) -> None:
        """RQ's deregistration; no heartbeat can bring the record back after it."""
        self.bookkeeping.close()
        super().teardown()  # type: ignore[no-untyped-call]
