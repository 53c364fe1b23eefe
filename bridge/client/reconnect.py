"""When a client of the bridge comes back after it lost its connection, and when it must not. No clock and no socket."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.protocol.codes import Close

SETTLED_SECONDS: Final = 5.0
"""A connection that stood this long was a good one: the next loss begins with the shortest wait again."""
OVERLOAD_FACTOR: Final = 4
OVERLOAD_LONGEST: Final = 4
UNSURE: Final = 2
"""So many closes with 1008 in a row, none after a refused token, mean no: one may be a machine too busy to read our `auth` in time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended: the close code that came from the bridge (None: there was none), and for how long it was authenticated."""

    code: int | None = None
    stood: float | None = None
    """Seconds; None when it was never authenticated."""


class Reconnection:
    """Waits of 1, 2, 4 … 30 s, each shortened by up to a half at random, so that many clients do not come back together."""

    def __init__(self, first: float = 1.0, longest: float = 30.0, jitter: Callable[[], float] = random.random) -> None:
        """`jitter` gives 0 up to 1."""
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0
        self._hurried = False
        self._policy = 0

    def wait(self, ended: Ended) -> float | None:
        """Seconds until the next attempt; None: come back no more."""
        if ended.stood is not None and ended.stood >= SETTLED_SECONDS:
            self._failures, self._hurried, self._policy = 0, False, 0
        if self._forbidden(ended):
            return None
        if ended.code == Close.RESTART and not self._hurried:
            self._hurried = True  # once: a bridge that only ever says "restart" is met with growing waits
            return 0.0
        return self._grown(overloaded=ended.code == Close.OVERLOADED)

    def _forbidden(self, ended: Ended) -> bool:
        if ended.code != Close.POLICY:
            self._policy = 0
            return False
        self._policy += 1
        return ended.stood is not None or self._policy >= UNSURE

    def _grown(self, *, overloaded: bool) -> float:
        factor, longest = (OVERLOAD_FACTOR, OVERLOAD_LONGEST * self._longest) if overloaded else (1, self._longest)
        wait: float = min(longest, factor * self._first * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return wait * (1 - self._jitter() / 2)
