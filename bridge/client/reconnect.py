"""When the client reconnects after its connection ended, and when it must not. No clock and no socket.

1008 (policy)          never again, if the connection was authenticated; before that the second in a row ends it
1012 (restart)         at once, but not twice without a stable connection between
1013 (overloaded)      after OVERLOAD_FACTOR times the wait
anything else          after 1, 2, 4 ... 30 s
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bridge.protocol.codes import Close
from shared.backoff import Backoff

STABLE_SECONDS: Final = 5.0
"""After a connection that was open for so long the waits begin with the shortest again."""
OVERLOAD_FACTOR: Final = 4
"""After 1013 each wait is so many times as long."""
SPREAD: Final = (0.5, 1.0)
MAX_POLICY_CLOSES: Final = 2
"""Closes with 1008 before authentication that end it: the first may mean that a busy machine read our `auth` too late."""


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """How a connection ended: the bridge's close code (None without one), and for how long it was authenticated."""

    code: int | None = None
    seconds_open: float | None = None
    """Seconds; None when it was never authenticated."""


class ReconnectPolicy:
    """The waits of one client, each shortened by up to a half at random, so that many clients do not reconnect together."""

    def __init__(self, first: float = 1.0, longest: float = 30.0, uniform: Callable[[float, float], float] = random.uniform) -> None:
        """`uniform` gives a number between two; it is for tests."""
        self._backoff = Backoff(first, longest, SPREAD, uniform)
        self._restarted = False
        self._policy_closes = 0

    def wait(self, end: ConnectionEnd) -> float | None:
        """Seconds until the next attempt; None: do not reconnect."""
        if end.seconds_open is not None and end.seconds_open >= STABLE_SECONDS:
            self._restarted, self._policy_closes = False, 0
            self._backoff.reset()
        if self._forbidden(end):
            return None
        if end.code == Close.RESTART and not self._restarted:
            self._restarted = True  # once: a bridge that closes with 1012 every time is met with growing waits
            return 0.0
        wait = self._backoff.next()
        return OVERLOAD_FACTOR * wait if end.code == Close.OVERLOADED else wait

    def _forbidden(self, end: ConnectionEnd) -> bool:
        if end.code != Close.POLICY:
            self._policy_closes = 0
            return False
        self._policy_closes += 1
        return end.seconds_open is not None or self._policy_closes >= MAX_POLICY_CLOSES
