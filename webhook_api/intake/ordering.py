"""The sequencer: which request goes to Redis directly and which to the spool, so that none overtakes an earlier one.

Pure bookkeeping: no I/O but the questions that its callers bring along.

Every request takes a ticket when it arrives. Its states::

    take_ticket ─▶ DIRECT ──redis_replied──▶ done: Redis accepted it, or rejected it because of the record itself
      │              │
      │              └─to_disk─▶ being written ──release──▶ done: its file is there, or its sender was told that it is nowhere
      │                               ▲
      ├─▶ BEHIND ────to_disk──────────┤            it gave up waiting
      │              └───may_go_direct──▶ DIRECT   nothing waits before it any more
      └─▶ DISK ───────────────────────┘            Redis is silent: nobody waits for it

A request goes directly only while nothing waits on disk, nothing is being written there, and Redis is not *silent*: silent means that
the oldest direct call has had no answer for SILENCE_SECONDS, and no other has had one meanwhile. A direct call that
fails is written under the ticket that it has, and until then nothing with a later ticket is replayed (`replay_limit`). Several processes
may share a directory: a request that finds something there takes a ticket above all that is or was there (`tickets`), so no process's
clock matters.

While Redis accepts the backlog, new requests wait behind it for a moment instead of making it longer: a steady stream would otherwise keep
the spool from ever being empty, and cost a file for each request for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

SILENCE_SECONDS: Final = 0.25
"""When Redis has answered none of its direct callers for so long, further requests do not wait for it as well."""


class Way(Enum):
    """Where a request goes: to Redis; behind what is on disk, and to Redis or the disk then; to the disk at once."""

    DIRECT = auto()
    BEHIND = auto()
    DISK = auto()


class Sequencer:
    """The tickets of one process. Every method is atomic, and none waits."""

    def __init__(self, last: int = 0, *, clock: Callable[[], int] = time.time_ns, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`last` is the highest ticket on disk: a new process continues above it, whatever its clock says."""
        self._lock = threading.Lock()
        self._last = last
        self._clock = clock
        self._monotonic = monotonic
        self._direct: dict[int, float] = {}  # ticket -> when it went to Redis; insertion order, so the first is the oldest
        self._behind: set[int] = set()
        self._writing: set[int] = set()
        self._replied_at = float("-inf")

    def take_ticket(self, nothing_waits: Callable[[], bool], highest: int = 0) -> tuple[int, Way]:
        """A ticket above `highest`, and its way. The caller ends it with `redis_replied` or `release`."""
        with self._lock:
            ticket = self._next(highest)
            if self._is_silent():
                self._writing.add(ticket)
                return ticket, Way.DISK
            # Asked under the lock: nothing may begin to wait between the question and the ticket's entry into `_direct`.
            if self._writing or self._behind or not nothing_waits():
                self._behind.add(ticket)
                return ticket, Way.BEHIND
            self._direct[ticket] = self._monotonic()
            return ticket, Way.DIRECT

    def may_go_direct(self, ticket: int, nothing_waits: Callable[[], bool]) -> bool:
        """Whether a request that waits behind the disk may go to Redis now: everything before it is gone."""
        with self._lock:
            if self._is_silent() or any(other < ticket for other in self._writing) or not nothing_waits():
                return False
            self._behind.discard(ticket)
            self._direct[ticket] = self._monotonic()
            return True

    def to_disk(self, ticket: int) -> None:
        """Redis did not accept it, or the backlog before it did not clear: it is written now, and nothing goes to Redis in between."""
        with self._lock:
            self._writing.add(ticket)  # first: at no moment may the ticket be in none of the three
            self._behind.discard(ticket)
            self._direct.pop(ticket, None)

    def redis_replied(self, ticket: int) -> None:
        """Redis accepted it, or rejected it because of the record itself; either shows that Redis is not silent."""
        with self._lock:
            self._direct.pop(ticket, None)
            self._replied_at = self._monotonic()

    def release(self, ticket: int) -> None:
        """It is on disk, or its sender was told that it is nowhere."""
        with self._lock:
            self._writing.discard(ticket)
            self._behind.discard(ticket)
            self._direct.pop(ticket, None)

    def replay_limit(self, newest: int = 0) -> int:
        """Records with a ticket below this one may be replayed, if they are listed after this call.

        `newest` is the highest ticket seen on disk: another process's tickets may be ahead of this one's.
        """
        with self._lock:
            self._last = max(self._last, newest)
            # A ticket of its own, so that whatever arrives after this call is above the limit.
            return min([self._next(), *self._writing, *self._direct, *self._behind])

    def _next(self, highest: int = 0) -> int:
        self._last = max(self._last + 1, highest + 1, self._clock())
        return self._last

    def _is_silent(self) -> bool:
        oldest = next(iter(self._direct.values()), None)
        return oldest is not None and self._monotonic() - max(oldest, self._replied_at) > SILENCE_SECONDS
