"""The retry budget of one provider in one process: while the provider fails, retries stay a small part of the requests.

A first request adds a tenth of a token, a retry costs a whole one (Google SRE book, "Handling overload": at most a tenth of the
requests are retries). A few tokens a minute are always there, so that a small installation can retry. Without a token nobody is asked.
A provider that accepts one request after the other is recovering: its retries are refunded, and soon a token is always there, so that
the waiting messages go out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from shared.rate_limit import TokenBucket

TOKENS_PER_FIRST_REQUEST: Final = 0.1
RETRIES_PER_MINUTE: Final = 10.0
"""Always allowed: this many at once, and as many again within a minute."""
MAX_TOKENS: Final = 50.0
"""What first requests can save up."""
REFUND_AFTER: Final = 3
"""After this many consecutive successes, the last one included, a successful retry is refunded."""
UNLIMITED_AFTER: Final = 8
"""After this many a token is always there. When half of the requests fail that happens once in 256 times."""


class RetryBudget:
    """Tokens; see the module. Not for threads: the turns of one loop share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds, from any origin."""
        self._clock = clock
        self._bucket = TokenBucket(RETRIES_PER_MINUTE / 60, RETRIES_PER_MINUTE, clock(), MAX_TOKENS)
        self._consecutive_successes = 0

    def first(self) -> None:
        """A request that is no retry is made."""
        self._bucket.add(TOKENS_PER_FIRST_REQUEST)

    def take(self) -> bool:
        """Take the token of a retry; False when none is there, and nobody may be asked."""
        now = self._clock()
        if not self._bucket.available(now) and self._consecutive_successes >= UNLIMITED_AFTER:
            self._bucket.keep_at_least(1)
        return self._bucket.take(now)

    def give_back(self) -> None:
        """The retry was not made after all."""
        self._bucket.add(1)

    def succeeded(self, *, retry: bool) -> None:
        """The provider accepted a request."""
        self._consecutive_successes += 1
        if retry and self._consecutive_successes >= REFUND_AFTER:
            self.give_back()

    @property
    def recovered(self) -> bool:
        """Whether a request was accepted since the last failure."""
        return self._consecutive_successes > 0

    def failed(self) -> None:
        """The provider did not answer, or said that it cannot."""
        self._consecutive_successes = 0
