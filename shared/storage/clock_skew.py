"""How far this host's clock is ahead of the server's.

Nothing between hosts is decided by a host's clock: the inbox decides the order, the server's TIME decides leases and ages. But signatures
with a timestamp, `Retry-After` as a date, when a message is said to have come and times in logs depend on it: a wrong clock is reported.
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
MEASURE_SECONDS: Final = 60.0
WARN_AGAIN_SECONDS: Final = 3_600.0
log = logs.logger(__name__)


def skew(redis: Redis) -> float:
    """Seconds by which this host's clock is ahead of the server's, to half a round trip. Raises RedisError."""
    before = time.time()
    return between(before, cast("Any", redis.time()), time.time())


def between(before: float, answer: tuple[int, int], after: float) -> float:
    """The skew from TIME's answer and this host's times before and after it: the server is taken to have read its clock halfway."""
    seconds, micros = answer
    return (before + after) / 2 - (seconds + micros / 1_000_000)


class ClockWatch:
    """One process's skew: measured at most every MEASURE_SECONDS, logged at most every WARN_AGAIN_SECONDS."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is measured yet."""
        self._monotonic = monotonic
        self._measured_at = -MEASURE_SECONDS
        self._said_at = -WARN_AGAIN_SECONDS
        self._last: float | None = None

    def due(self) -> bool:
        """Whether it is time to measure; a caller that gets True must measure."""
        if self._monotonic() - self._measured_at < MEASURE_SECONDS:
            return False
        self._measured_at = self._monotonic()
        return True

    def note(self, seconds: float) -> None:
        """Keep a measurement, and log it when the clock is wrong."""
        self._last = seconds
        if abs(seconds) > SKEW_WARN and self._monotonic() - self._said_at >= WARN_AGAIN_SECONDS:
            self._said_at = self._monotonic()
            log.warning("This host's clock is not the server's: synchronise it (NTP).", action="clock_skew", seconds=round(seconds, 1))

    def seconds(self, redis: Redis) -> float | None:
        """The skew, measured now if it is due; None while the server does not answer. Never raises Redis's errors."""
        if self.due():
            try:
                self.note(skew(redis))
            except (RedisError, OSError):
                self._last = None
        return self._last
