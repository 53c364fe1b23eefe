"""Who goes to Redis and who to the spool, so that nobody is overtaken. Pure bookkeeping: no I/O but the question it is given.

Every call takes a ticket when it arrives. It goes to Redis directly only while nothing waits on disk, nothing is being written
there, and Redis is not silent; everything else goes through the spool, which is replayed by ticket. A direct attempt that
fails is written under the ticket that it has, and until then nothing with a later ticket is replayed. Several processes may share
a directory: who finds something there takes a ticket above all that is or was there (`tickets`), so that no process's clock matters.

While Redis takes the backlog, new calls stand behind it for a moment instead of making it longer: else a steady stream would
keep the spool from ever being empty, and each call would cost a file for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

SILENCE_SECONDS: Final = 0.25
"""For so long Redis may leave all of its direct callers without an answer; then further ones do not wait for it as well."""


class Way(Enum):
    """Where a call goes: to Redis; behind what is on disk, or there too; to the disk at once."""

    DIRECT = auto()
    BEHIND = auto()
    DISK = auto()


class Order:
    """The tickets of one process. Every method is atomic; none waits."""

    def __init__(self, last: int = 0, *, clock: Callable[[], int] = time.time_ns, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`last` is the highest ticket on disk: a new process goes on above it, whatever its clock says."""
        self._lock = threading.Lock()
        self._last = last
        self._clock = clock
        self._monotonic = monotonic
        self._direct: dict[int, float] = {}  # ticket -> since when; the first is the oldest
        self._behind: set[int] = set()
        self._writing: set[int] = set()
        self._heard = float("-inf")

    def enter(self, nothing_waits: Callable[[], bool], highest: int = 0) -> tuple[int, Way]:
        """A ticket above `highest` and the way of its holder, who ends it with `answered` or `ended`."""
        with self._lock:
            ticket = self._next(highest)
            if self._silent():
                self._writing.add(ticket)
                return ticket, Way.DISK
            if self._writing or self._behind or not nothing_waits():
                self._behind.add(ticket)
                return ticket, Way.BEHIND
            self._direct[ticket] = self._monotonic()
            return ticket, Way.DIRECT

    def go(self, ticket: int, nothing_waits: Callable[[], bool]) -> bool:
        """Whether who stands behind the disk may go to Redis now: all that was there before is gone."""
        with self._lock:
            if self._silent() or any(other < ticket for other in self._writing) or not nothing_waits():
                return False
            self._behind.discard(ticket)
            self._direct[ticket] = self._monotonic()
            return True

    def to_disk(self, ticket: int) -> None:
        """Redis did not take it, or its turn did not come: it is written now, and nobody goes to Redis in between."""
        with self._lock:
            self._writing.add(ticket)
            self._behind.discard(ticket)
            self._direct.pop(ticket, None)

    def answered(self, ticket: int) -> None:
        """Redis took it, or refused it for its own sake."""
        with self._lock:
            self._direct.pop(ticket, None)
            self._heard = self._monotonic()

    def ended(self, ticket: int) -> None:
        """It is on disk, or its sender was told that it is nowhere."""
        with self._lock:
            self._writing.discard(ticket)
            self._behind.discard(ticket)
            self._direct.pop(ticket, None)

    def limit(self, newest: int = 0) -> int:
        """Entries with a ticket below this one may be replayed, if they are listed after this call.

        `newest` is the highest ticket seen on disk: another process's may be ahead of this one's.
        """
        with self._lock:
            self._last = max(self._last, newest)
            return min([self._next(), *self._writing, *self._direct, *self._behind])

    def _next(self, highest: int = 0) -> int:
        self._last = max(self._last + 1, highest + 1, self._clock())
        return self._last

    def _silent(self) -> bool:
        oldest = next(iter(self._direct.values()), None)
        return oldest is not None and self._monotonic() - max(oldest, self._heard) > SILENCE_SECONDS
