"""Deadlines for request bodies: ten seconds, and longer only for a body that arrives at the minimum rate.

When the deadline has passed, reading ends, and the connection with the answer. All bodies are checked once a second, so that none needs
a timer of its own. Only the time spent waiting for the client counts, not the time that we take to process what has arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, TypeVar, cast

from shared.observability import logs

T = TypeVar("T")

BODY_SECONDS: Final = 10.0
BODY_SECONDS_UNDER_LOAD: Final = 2.0
"""The same while more bodies are being read than `many`."""
MIN_BYTES_PER_SECOND: Final = 65_536
"""The rate at which a larger body must arrive: 30 MB may take eight minutes."""
MAX_BODY_SECONDS: Final = 900.0
CHECK_SECONDS: Final = 1.0
log = logs.logger(__name__)


class BodyProgress:
    """One body that is being read: the bytes received, and the seconds spent waiting for them."""

    __slots__ = ("late", "received", "since", "waited")

    def __init__(self) -> None:
        self.late = False
        self.received = 0
        self.since = self.waited = 0.0

    def overdue(self, now: float, seconds: float) -> bool:
        """Whether it has taken longer than `seconds` and the time that its bytes allow."""
        return self.waited + now - self.since > min(MAX_BODY_SECONDS, seconds + self.received / MIN_BYTES_PER_SECOND)


class BodyDeadlines:
    """The bodies that are being read on one event loop."""

    def __init__(self, many: int) -> None:
        """With more than `many` bodies at a time each has less time."""
        self._many = many
        self._waiting: dict[asyncio.Task[object], BodyProgress] = {}

    async def within(self, progress: BodyProgress, chunk: Awaitable[T]) -> T:
        """Await the next chunk of a body. Raises TimeoutError when the body's deadline has passed."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        progress.since = time.monotonic()
        self._waiting[task] = progress
        try:
            return await chunk
        except asyncio.CancelledError:
            # Our own cancellation becomes a TimeoutError, anybody else's goes on: told apart as `asyncio.timeout` does it.
            if progress.late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            del self._waiting[task]
            progress.waited += time.monotonic() - progress.since

    async def watch(self) -> None:
        """Check all bodies once a second, for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()

    def check(self) -> int:
        """End the reading of every overdue body; how many there were."""
        seconds = BODY_SECONDS_UNDER_LOAD if len(self._waiting) > self._many else BODY_SECONDS
        now = time.monotonic()
        late = [task for task, progress in self._waiting.items() if not progress.late and progress.overdue(now, seconds)]
        for task in late:
            self._waiting[task].late = True
            task.cancel()
        if late:
            log.warning("Bodies were not waited for any longer that came too slowly.", action="slow_bodies", closed=len(late))
        return len(late)
