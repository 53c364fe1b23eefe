"""The deadline of a body: ten seconds and the least rate. Beyond that its read ends, and with its answer the connection.

All bodies that are being read are looked at once a second, so that one costs no timer of its own. Counted is the time for which a
client was waited for, and not what we take for what has come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, TypeVar, cast

from shared.observability import logs as telemetry

T = TypeVar("T")

SECONDS: Final = 10.0
PRESSED_SECONDS: Final = 2.0
"""The same while many wait."""
LEAST_RATE: Final = 65_536
"""Bytes a second that a larger body must bring: 30 MB have eight minutes."""
LONGEST: Final = 900.0
LOOK_SECONDS: Final = 1.0
log = telemetry.logger(__name__)


class Reading:
    """One body that is being read: the bytes that came, and the seconds for which they were waited for."""

    __slots__ = ("late", "received", "since", "waited")

    def __init__(self) -> None:
        self.late = False
        self.received = 0
        self.since = self.waited = 0.0

    def overdue(self, now: float, seconds: float) -> bool:
        """Whether it takes longer than `seconds` and what its bytes excuse."""
        return self.waited + now - self.since > min(LONGEST, seconds + self.received / LEAST_RATE)


class Deadline:
    """The bodies that are being read on one loop."""

    def __init__(self, many: int) -> None:
        """With more than `many` under way they have less time."""
        self._many = many
        self._readings: dict[asyncio.Task[object], Reading] = {}

    async def within(self, reading: Reading, piece: Awaitable[T]) -> T:
        """Await a piece of a body. Raises TimeoutError."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        reading.since = time.monotonic()
        self._readings[task] = reading
        try:
            return await piece
        except asyncio.CancelledError:
            if reading.late and task.uncancel() == 0:  # as `asyncio.timeout` tells its own cancellation from another's
                raise TimeoutError from None
            raise
        finally:
            del self._readings[task]
            reading.waited += time.monotonic() - reading.since

    async def watch(self) -> None:
        """End what is overdue, once a second, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> int:
        """The same now, and how many that were."""
        seconds = PRESSED_SECONDS if len(self._readings) > self._many else SECONDS
        now = time.monotonic()
        late = [task for task, reading in self._readings.items() if not reading.late and reading.overdue(now, seconds)]
        for task in late:
            self._readings[task].late = True
            task.cancel()
        if late:
            log.warning("Bodies were not waited for any longer that came too slowly.", action="slow_bodies", closed=len(late))
        return len(late)
