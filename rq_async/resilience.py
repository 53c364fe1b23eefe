"""How an `AsyncWorker` survives a Redis that is slow or away: what blocks runs in threads, and what failed is tried again.

An outage is logged once when it begins and once when it ends, however many calls and threads meet it. This is about RQ's own records; the
calls that a job makes are the job's (in Bossline: `supervisor_worker/process/patient_mailbox.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from redis.exceptions import RedisError

T = TypeVar("T")
UNAVAILABLE: Final = (RedisError, OSError)
"""What redis-py raises when the server is away, is restarting or rejects a command."""
RECORD_THREADS: Final = 5
"""Threads for blocking calls. The heartbeat and RQ's maintenance may hold one each; the others write what became of jobs."""
FIRST_WAIT_SECONDS: Final = 0.1
MAX_WAIT_SECONDS: Final = 5.0
TRY_SECONDS: Final = 1.0
LATE_ERROR_SECONDS: Final = 2.0
"""How long after the end of an outage an error may still belong to it: to a slower thread, or to a connection unused since."""


class RedisOutage:
    """Whether Redis is away. Thread-safe: of all threads that notice a begin or an end, one is told to report it.

    The library's own, because a library may not import the product's (`shared.observability.outage`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There is no outage yet. `clock` is in seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way = False
        self._ended_at = float("-inf")

    def begins(self) -> bool:
        """Note an error; True for the first of an outage."""
        with self._lock:
            if self._under_way or self._clock() - self._ended_at <= LATE_ERROR_SECONDS:
                return False
            self._under_way = True
            return True

    def ends(self) -> bool:
        """Note a success; True for the first after an outage."""
        with self._lock:
            if not self._under_way:
                return False
            self._under_way, self._ended_at = False, self._clock()
            return True


class Resilience:
    """The worker's threads for blocking calls, and the rules by which calls are repeated. Owns the threads and the outage."""

    def __init__(
        self,
        log: logging.Logger,
        worker_name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`clock` and `sleep` are in seconds. The threads start when they are first needed."""
        self.log, self._worker_name = log, worker_name
        self._clock, self._sleep = clock, sleep
        self._outage = RedisOutage(clock)
        self._threads = ThreadPoolExecutor(RECORD_THREADS, "rq-records")

    def close(self) -> None:
        """Drop the calls that have not begun; those in threads end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call in one of the threads; what it returns or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def retry(self, call: Callable[[], Awaitable[object]], max_seconds: float) -> None:
        """Repeat a call with growing waits until Redis lets it succeed. Raises its last error after `max_seconds`."""
        end = self._clock() + max_seconds
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                await call()
            except UNAVAILABLE as error:
                self.note_outage(error)
                if self._clock() >= end:
                    raise
                # Hundreds of jobs may end in one outage: the jitter spreads their calls over the time after it.
                await self._sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - it guards nothing
                wait = min(2 * wait, MAX_WAIT_SECONDS)
            else:
                return

    async def try_once(self, call: Awaitable[object]) -> None:
        """Try once what need not succeed, for TRY_SECONDS at most."""
        try:
            await asyncio.wait_for(call, TRY_SECONDS)
        except (TimeoutError, *UNAVAILABLE) as error:
            self.note_outage(error)

    async def every(self, seconds: float, duty: Callable[[], None]) -> None:
        """Call `duty` in a thread, and again `seconds` after each call, whatever it raises. Ends by cancellation alone."""
        while True:
            try:
                await self.in_thread(duty)
            except UNAVAILABLE as error:
                self.note_outage(error)
            except Exception:
                self.log.exception("Worker %s: %s failed", self._worker_name, duty.__name__)
            await self._sleep(seconds)

    def note_outage(self, error: Exception) -> None:
        """Log that Redis is away, unless that was logged for this outage. From any thread."""
        if self._outage.begins():
            self.log.error("Worker %s: Redis is away (%s), trying again", self._worker_name, type(error).__name__)

    def note_return(self) -> None:
        """Log that Redis is back, when it was away. From any thread."""
        if self._outage.ends():
            self.log.warning("Worker %s: Redis is back", self._worker_name)
