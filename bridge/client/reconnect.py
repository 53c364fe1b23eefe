"""When a client of the bridge comes back after it lost its connection, and when it must not. No clock and no socket."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.protocol.codes import Close
from shared.backoff import Backoff

SETTLED_SECONDS: Final = 5.0
"""A connection that stood this long was a good one: the next loss begins with the shortest wait again."""
OVERLOAD_FACTOR: Final = 4
"""After 1013 each wait is so many times as long."""
SPREAD: Final = (0.5, 1.0)
MAX_POLICY_CLOSES: Final = 2
"""So many closes with 1008 in a row, none after a refused token, mean no: one may be a machine too busy to read our `auth` in time."""


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """How a connection ended: the close code that came from the bridge (None: there was none), and for how long it was authenticated."""

    code: int | None = None
    stood: float | None = None
    """Seconds; None when it was never authenticated."""


class ReconnectPolicy:
    """Waits of 1, 2, 4 … 30 s, each shortened by up to a half at random, so that many clients do not come back together."""

    def __init__(self, first: float = 1.0, longest: float = 30.0, uniform: Callable[[float, float], float] = random.uniform) -> None:
        """`uniform` gives a number between two; it is for tests."""
        self._backoff = Backoff(first, longest, SPREAD, uniform)
        self._hurried = False
        self._policy = 0

    def wait(self, ended: ConnectionEnd) -> float | None:
        """Seconds until the next attempt; None: come back no more."""
        if ended.stood is not None and ended.stood >= SETTLED_SECONDS:
            self._hurried, self._policy = False, 0
            self._backoff.reset()
        if self._forbidden(ended):
            return None
        if ended.code == Close.RESTART and not self._hurried:
            self._hurried = True  # once: a bridge that only ever says "restart" is met with growing waits
            return 0.0
        wait = self._backoff.next()
        return OVERLOAD_FACTOR * wait if ended.code == Close.OVERLOADED else wait

    def _forbidden(self, ended: ConnectionEnd) -> bool:
        if ended.code != Close.POLICY:
            self._policy = 0
            return False
        self._policy += 1
        return ended.stood is not None or self._policy >= MAX_POLICY_CLOSES
