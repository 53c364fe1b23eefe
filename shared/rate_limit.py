"""The token bucket: so many at once, and so many a second from then on. Pure; the caller brings the clock."""

from __future__ import annotations


class TokenBucket:
    """`burst` tokens at most, refilled by `rate` a second; full at first.

    `now`, here and below, is of any clock in seconds that never goes back. `capacity` (default: `burst`) is how many tokens `add` can
    save up; time alone refills up to `burst`. Not for threads: who shares one holds a lock.
    """

    __slots__ = ("_burst", "_capacity", "_now", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float, capacity: float | None = None) -> None:
        self._rate, self._burst = rate, float(burst)
        self._capacity = self._burst if capacity is None else float(capacity)
        self._tokens, self._now = self._burst, now

    def available(self, now: float) -> bool:
        """Whether a whole token is there."""
        self._refill(now)
        return self._tokens >= 1

    def take(self, now: float) -> bool:
        """Take a token; False when none is there."""
        if not self.available(now):
            return False
        self._tokens -= 1
        return True

    def take_any(self, now: float) -> None:
        """Take a token, or what is left of one."""
        self._refill(now)
        self._tokens = max(0.0, self._tokens - 1)

    def reserve(self, now: float) -> float:
        """Take a token, one of the future if need be; the seconds until it is there."""
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def add(self, tokens: float) -> None:
        """Put tokens in, up to the capacity."""
        self._tokens = min(self._capacity, self._tokens + tokens)

    def keep_at_least(self, tokens: float) -> None:
        """Fill up to `tokens` where there are fewer."""
        self._tokens = max(tokens, self._tokens)

    def _refill(self, now: float) -> None:
        missing = max(0.0, self._burst - self._tokens)
        self._tokens += min(missing, (now - self._now) * self._rate)
        self._now = now
