"""How late this machine is: a thread that sleeps for a hundredth of a second, over and over, and sees when it is woken.

Bounds in seconds are the product's promise on a machine that runs it. One that has other work to do, or two cores for fifty
processes, wakes everybody late; by so much more a bound may be exceeded before a test calls it broken. Where the kernel tells for
how long somebody waited for a core (Linux's pressure stall information), that counts as well.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BEAT_SECONDS: Final = 0.01
NOTICED_SECONDS: Final = 0.02
WAKINGS: Final = 5
"""How often processes wait for each other on the way from a job's end to the next line: server, sweep, queue, job, server."""
PRESSURE: Final = Path("/proc/pressure/cpu")


class SchedulerLag:
    """Measures while it is `watched`."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._stalls: list[tuple[float, float]] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Measure."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(10)

    def between(self, began: float, ended: float) -> float:
        """By how many seconds those who waited for each other may have been late in that time (seconds of the epoch)."""
        late = WAKINGS * sum(late for at, late in self._late if began <= at <= ended + late)
        return late + self._stalled(ended) - self._stalled(began)

    def _stalled(self, at: float) -> float:
        """The seconds for which somebody had waited for a core until then."""
        place = bisect_left(self._stalls, (at, 0.0))
        return self._stalls[min(place, len(self._stalls) - 1)][1] if self._stalls else 0.0

    def _beat(self, over: threading.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(BEAT_SECONDS)
            late = time.monotonic() - began - BEAT_SECONDS
            if late > NOTICED_SECONDS:
                self._late.append((time.time(), late))
            if not self._stalls or time.time() - self._stalls[-1][0] > 10 * BEAT_SECONDS:
                self._stalls.append((time.time(), _pressure()))


def _pressure() -> float:
    """The kernel's sum, in seconds; 0 where it keeps none."""
    try:
        return int(PRESSURE.read_text().partition("\n")[0].rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return 0.0
