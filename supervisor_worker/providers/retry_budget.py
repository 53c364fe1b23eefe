"""The retry budget of one provider in one process: retries stay a small part of the requests while the provider fails.

A first request adds a tenth of a token, a retry costs a whole one (Google SRE, "Handling overload": at most a tenth of the requests
are retries). A few a minute are always there, so that a small installation can retry. Without a token nobody is asked. A provider
that takes one request after the other is getting well: its retries get their tokens back, and soon there is always one, so that what
waited goes out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SHARE: Final = 0.1
A_MINUTE: Final = 10.0
"""What is always there: at most this many at once, and as many again within a minute."""
MOST: Final = 50.0
"""What quiet times save up."""
BETTER: Final = 3
"""From so many requests in a row on that were taken, a retry costs nothing if it is taken too."""
WELL: Final = 8
"""From so many on a token is always there; when half of the requests fail that happens once in 256 times."""


class RetryBudget:
    """Tokens; see the module. Not for threads: the turns of one loop share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds, from anywhere."""
        self._clock = clock
        self._tokens = A_MINUTE
        self._filled = clock()
        self._in_a_row = 0

    def first(self) -> None:
        """A request that is no retry is made."""
        self._tokens = min(MOST, self._tokens + SHARE)

    def take(self) -> bool:
        """Take what a retry costs; False when it is not there, and nobody may be asked."""
        self._fill()
        if self._in_a_row >= WELL:
            self._tokens = max(1.0, self._tokens)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """The retry was not made after all."""
        self._tokens = min(MOST, self._tokens + 1)

    def taken(self, *, retry: bool) -> None:
        """The provider did what it was asked."""
        self._in_a_row += 1
        if retry and self._in_a_row >= BETTER:
            self.give_back()

    @property
    def well(self) -> bool:
        """Whether something was taken since the last failure."""
        return self._in_a_row > 0

    def failed(self) -> None:
        """The provider did not answer, or said that it cannot."""
        self._in_a_row = 0

    def _fill(self) -> None:
        now = self._clock()
        missing = max(0.0, A_MINUTE - self._tokens)
        self._tokens += min(missing, (now - self._filled) * A_MINUTE / 60)
        self._filled = now
