"""How late this machine is: a thread that sleeps for a hundredth of a second, over and over, and sees when it is woken.

Bounds in seconds are the product's promise on a machine that runs it. One that has other work to do, or two cores for fifty
processes, wakes everybody late; by so much more a bound may be exceeded before a test calls it broken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BEAT_SECONDS: Final = 0.01
NOTICED_SECONDS: Final = 0.02
WAKINGS: Final = 5
"""How often processes wait for each other on the way from a job's end to the next line: server, sweep, queue, job, server."""


class Lateness:
    """Measures while it is `watched`."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

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
        return WAKINGS * sum(late for at, late in self._late if began <= at <= ended + late)

    def _beat(self, over: threading.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(BEAT_SECONDS)
            late = time.monotonic() - began - BEAT_SECONDS
            if late > NOTICED_SECONDS:
                self._late.append((time.time(), late))
