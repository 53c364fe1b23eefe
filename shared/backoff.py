"""Exponential backoff: each wait is twice the one before, up to a longest one. No clock and no sleep; the caller waits.

Source of the rule: Amazon Builders' Library, "Timeouts, retries, and backoff with jitter".
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

MAX_DOUBLINGS: Final = 16


def delay(first: float, longest: float, failures: int) -> float:
    """Seconds to wait after `failures` failures before this one (0 for the first), without jitter."""
    return min(longest, first * 2.0 ** min(failures, MAX_DOUBLINGS))


class Backoff:
    """Waits of `first`, twice that, and so on up to `longest` seconds, each multiplied by a random factor of `spread`.

    The factor keeps many that failed at the same moment from coming back at the same moment. `uniform` is for tests.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        spread: tuple[float, float] = (1.0, 1.0),
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first, self._longest = first, longest
        self._spread, self._uniform = spread, uniform
        self.failures = 0

    def next(self) -> float:
        """Count a failure; the seconds to wait now."""
        seconds = delay(self._first, self._longest, self.failures)
        self.failures += 1
        low, high = self._spread
        return seconds if low == high == 1.0 else seconds * self._uniform(low, high)

    def reset(self) -> None:
        """It works again: the next failure waits for `first`."""
        self.failures = 0
