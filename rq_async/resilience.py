"""How an `AsyncWorker` lives with a Redis that is slow or away: its loop is never held up, and it never ends for that.

What blocks goes to a thread. An outage is logged once at its begin and once at its end, however many calls it meets.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rq_async.bookkeeping import AWAY, RecordingWorker

if TYPE_CHECKING:
    from redis.client import PubSub, PubSubWorkerThread

T = TypeVar("T")
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
SOON: Final = 1.0
LATE_NEWS_SECONDS: Final = 2.0
"""So long after Redis's return an error may still be of the outage: another thread's, or a connection's that nobody used since."""
SAME_SIGNAL_SECONDS: Final = 0.25
"""A terminal and a process manager may both deliver the one Ctrl-C."""


class Outage:
    """Whether an outage is under way; of many threads that notice its begin or its end, one is told to say so."""

    def __init__(self) -> None:
        """Begins without an outage."""
        self._lock = threading.Lock()
        self._under_way = False
        self._ended_at = float("-inf")

    def begins(self) -> bool:
        """An error was met; True for the first of an outage."""
        with self._lock:
            if self._under_way or time.monotonic() - self._ended_at <= LATE_NEWS_SECONDS:
                return False
            self._under_way = True
            return True

    def ends(self) -> bool:
        """A call succeeded; True for the first after an outage."""
        with self._lock:
            if not self._under_way:
                return False
            self._under_way, self._ended_at = False, time.monotonic()
            return True


class PatientWorker(RecordingWorker):
    """The middle of an `AsyncWorker`: the loop, its threads and their patience.

    `beat_seconds` is how often it says that it lives; by default half of RQ's `job_monitoring_interval`.
    """

    beat_seconds: float | None = None
    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event
    _stopper: asyncio.Task[Any]
    _clerks: ThreadPoolExecutor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what `BaseWorker` takes."""
        super().__init__(*args, **kwargs)
        self._outage = Outage()
        self._limit: asyncio.Timeout | None = None
        self._more_seconds = 0.0

    async def _begin(self) -> bool:
        """Register, however long Redis is away; False when told to end first."""
        beginning = self._loop.create_task(self._outlast(partial(self._in_thread, self.begin), float("inf")))
        if not await self._or_stop(beginning):
            beginning.cancel()
            return False
        beginning.result()
        self._note_return()
        return True

    def _duties(self) -> list[tuple[Callable[[], None], float]]:
        """What is done from time to time, in seconds."""
        return [(self.beat, self.beat_seconds or self.job_monitoring_interval / 2), (self.run_maintenance_tasks, self.maintenance_interval)]

    async def _every(self, duty: Callable[[], None], seconds: float) -> None:
        """Do a duty now and then every so many seconds, whatever it raises."""
        while True:
            try:
                await self._in_thread(duty)
            except AWAY as error:
                self._note_outage(error)
            except Exception:
                self.log.exception("Worker %s: %s failed", self.name, duty.__name__)
            await asyncio.sleep(seconds)

    async def _outlast(self, call: Callable[[], Awaitable[object]], most_seconds: float) -> None:
        """Repeat a call until Redis lets it succeed, with a growing wait; after `most_seconds` its error is raised."""
        end = time.monotonic() + most_seconds
        wait = FIRST_PAUSE
        while True:
            try:
                await call()
            except AWAY as error:
                self._note_outage(error)
                if time.monotonic() >= end:
                    raise
                await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads the calls, guards nothing
                wait = min(2 * wait, LONGEST_PAUSE)
            else:
                return

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._clerks, call)

    async def _soon(self, call: Awaitable[object]) -> None:
        """One try, of a second at most, of what need not succeed."""
        try:
            await asyncio.wait_for(call, SOON)
        except (TimeoutError, *AWAY) as error:
            self._note_outage(error)

    async def _or_stop(self, work: asyncio.Future[Any]) -> bool:
        """Wait until `work` is done or the worker is to end; True when the work is done."""
        await asyncio.wait({work, self._stopper}, return_when=asyncio.FIRST_COMPLETED)
        return work.done()

    async def _until_told(self, call: Awaitable[T], more_seconds: float) -> T:
        """What `call` answers; TimeoutError when the worker is told to end and no answer comes within `more_seconds`."""
        self._more_seconds = more_seconds
        try:
            async with asyncio.timeout(None) as self._limit:
                return await call
        finally:
            self._limit = None

    def _tell(self) -> None:
        """The worker is to end: what waits for an answer does so for its last seconds."""
        self._stop.set()
        if self._limit is not None:
            self._limit.reschedule(self._loop.time() + self._more_seconds)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not through a signal."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _note_outage(self, error: Exception) -> None:
        if self._outage.begins():
            self.log.error("Worker %s: Redis is away (%s), trying again", self.name, type(error).__name__)

    def _note_return(self) -> None:
        if self._outage.ends():
            self.log.warning("Worker %s: Redis is back", self.name)

    def _pubsub_exception_handler(self, exc: Exception, pubsub: PubSub, pubsub_thread: PubSubWorkerThread) -> None:  # noqa: ARG002 - BaseWorker's
        """Whatever happens to the subscription for commands, it goes on; redis-py subscribes anew when it reconnects."""
        if not isinstance(exc, AWAY):
            self.log.warning("Worker %s: a command was not understood (%s)", self.name, type(exc).__name__)
        elif not self._dead:
            self._note_outage(exc)
            time.sleep(1.0)
