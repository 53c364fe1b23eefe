"""The request that a worker shall end, and the waits that it cuts short."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")
SAME_SIGNAL_SECONDS: Final = 0.25
"""A terminal and a process manager may both deliver one Ctrl-C: signals this close together count as one."""


class Shutdown:
    """Whether the end was requested, and when. For one run of one event loop, and for that loop's thread alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was requested yet. `clock` is in seconds."""
        self._clock = clock
        self._requested_at = 0.0
        self._event = asyncio.Event()
        self._timeout: asyncio.Timeout | None = None
        self._answer_seconds = 0.0

    def requested(self) -> bool:
        """Whether the worker shall end."""
        return self._event.is_set()

    @property
    def age(self) -> float:
        """Seconds since the request."""
        return self._clock() - self._requested_at

    def request(self) -> None:
        """The worker shall end. A call under way in `bounded` has its last seconds from now on."""
        self._requested_at = self._clock()
        self._event.set()
        if self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._answer_seconds)

    async def bounded(self, call: Awaitable[T], answer_seconds: float) -> T:
        """What `call` returns. After the request it has `answer_seconds` more: then TimeoutError. One such call at a time.

        A timeout that is rescheduled costs less than a task that races with the request, and every dequeuing passes here.
        """
        self._answer_seconds = answer_seconds
        try:
            async with asyncio.timeout(None) as self._timeout:
                return await call
        finally:
            self._timeout = None

    async def precedes(self, work: asyncio.Future[Any]) -> bool:
        """Wait until `work` is done or the end is requested; True when it is requested and `work` is not done."""
        request = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({work, request}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            request.cancel()
        return not work.done()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the time is over or the end is requested."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
