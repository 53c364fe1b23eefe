"""Rate limits by the minute: what was used flows back evenly, so that a limit that is used up is open again for a little soon after."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

MINUTE: Final = 60.0


@dataclass(slots=True)
class RateLimit:
    """One limit, and how much of it is used."""

    limit: int
    """Per minute."""
    _used: float = 0.0
    _at: float = 0.0
    """When that was so, in seconds of the epoch."""

    def used(self, now: float) -> float:
        """How much is used now."""
        self._used = max(0.0, self._used - max(0.0, now - self._at) * self.limit / MINUTE)
        self._at = now
        return self._used

    def add(self, amount: int, now: float) -> None:
        """Use an amount, also more than is left."""
        self._used = self.used(now) + amount

    def remaining(self, now: float) -> int:
        """What is left, rounded down."""
        return max(0, math.floor(self.limit - self.used(now)))

    def wait(self, now: float) -> float:
        """Seconds until one is left."""
        return max(0.0, (self.used(now) + 1 - self.limit) * MINUTE / self.limit)

    def reset(self, now: float) -> str:
        """When nothing is used any more, as RFC 3339 writes it."""
        return datetime.fromtimestamp(now + math.ceil(self.used(now) * MINUTE / self.limit), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class RateLimits:
    """The limits of an account, by name."""

    _limits: dict[str, RateLimit] = field(default_factory=dict)

    def of(self, name: str, limit: int) -> RateLimit:
        """A limit; what was used of it stays used where it is changed."""
        known = self._limits.setdefault(name, RateLimit(limit))
        known.limit = limit
        return known
