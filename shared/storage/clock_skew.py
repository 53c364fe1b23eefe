"""How far this host's clock is from the server's.

Nothing between hosts is decided by a host's clock: order is the inbox's, leases and ages are the server's TIME. But signatures with a
time, `Retry-After` as a date, what the assistant takes for today and the times in logs go by it, so a wrong one is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError

from shared.observability import logs

SKEW_WARN: Final = 2.0
SKEW_FAIL: Final = 60.0
MEASURED_FOR: Final = 60.0
SAID_FOR: Final = 3_600.0
log = logs.logger(__name__)


def skew(redis: Redis) -> float:
    """Seconds by which this host's clock is ahead of the server's, to half a round trip. Raises RedisError."""
    before = time.time()
    return between(before, cast("Any", redis.time()), time.time())


def between(before: float, answer: tuple[int, int], after: float) -> float:
    """The same from TIME's answer and this host's times before and after it: it was read halfway."""
    seconds, micros = answer
    return (before + after) / 2 - (seconds + micros / 1_000_000)


class ClockWatch:
    """One process's knowledge of its skew: measured at most once a minute, said in the log at most once an hour."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is known yet."""
        self._monotonic = monotonic
        self._measured_at = -MEASURED_FOR
        self._said_at = -SAID_FOR
        self._last: float | None = None

    def due(self) -> bool:
        """Whether a minute has passed; whoever asks, measures."""
        if self._monotonic() - self._measured_at < MEASURED_FOR:
            return False
        self._measured_at = self._monotonic()
        return True

    def note(self, seconds: float) -> None:
        """Keep what was measured, and say it if the clock is wrong."""
        self._last = seconds
        if abs(seconds) > SKEW_WARN and self._monotonic() - self._said_at >= SAID_FOR:
            self._said_at = self._monotonic()
            log.warning("This host's clock is not the server's: synchronise it (NTP).", action="clock_skew", seconds=round(seconds, 1))

    def seconds(self, redis: Redis) -> float | None:
        """The skew, measured now if it is due; None as long as the server has not told. Never raises for Redis."""
        if self.due():
            try:
                self.note(skew(redis))
            except (RedisError, OSError):
                self._last = None
        return self._last
