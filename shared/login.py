"""CONSOLE_PASSWORD: who knows it, and how slowly somebody finds out who does not.

Ten wrong passwords of one address cost nothing, fifty of all together; one of an address is forgiven a second, five of all. Once
either is used up every attempt, right or wrong, is held for a second before it is judged, as at the bridge: guessing is slow, and
somebody else's guesses lock nobody out. Only a few are held at once; of more, each is told to come again.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

FREE: Final = 10
FREE_IN_ALL: Final = 50
FORGIVEN: Final = 1.0
FORGIVEN_IN_ALL: Final = 5.0
"""Wrong passwords a second."""
HOLD_SECONDS: Final = 1.0
MOST_HELD: Final = 8
MOST_HELD_OF_ONE: Final = 4
ADDRESSES: Final = 1024
"""How many addresses are remembered; whose is forgotten still counts among all."""


class Verdict(StrEnum):
    """What an attempt came to."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"


class Budget:
    """Wrong attempts that cost nobody any time. `now` is of a clock in seconds that never goes back."""

    def __init__(self, free: int, forgiven: float, now: float) -> None:
        self._free, self._forgiven = float(free), forgiven
        self._left, self._now = self._free, now

    def left(self, now: float) -> bool:
        """Whether an attempt may be judged at once."""
        self._left = min(self._free, self._left + (now - self._now) * self._forgiven)
        self._now = now
        return self._left >= 1

    def spend(self, now: float) -> None:
        """One was wrong."""
        self.left(now)
        self._left = max(0.0, self._left - 1)


class Login:
    """The one password of a process. An empty one is known by nobody."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._password = password.encode("utf-8", "replace")
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._all = Budget(FREE_IN_ALL, FORGIVEN_IN_ALL, clock())
        self._each: OrderedDict[str, Budget] = OrderedDict()
        self._held: Counter[str] = Counter()

    @property
    def wanted(self) -> bool:
        """Whether there is a password at all."""
        return bool(self._password)

    def judge(self, given: str | None, address: str) -> Verdict:
        """Judge what `address` gave (None: something that is no password); takes a second when too much was wrong lately."""
        if self._free(address):
            return self._compared(given, address)
        with self._place(address) as found:
            if not found:
                return Verdict.BUSY
            self._sleep(HOLD_SECONDS)
            return self._compared(given, address)

    def _free(self, address: str) -> bool:
        with self._lock:
            now = self._clock()
            mine = self._each.get(address)
            return self._all.left(now) and (mine is None or mine.left(now))

    @contextmanager
    def _place(self, address: str) -> Iterator[bool]:
        """Whether there was a place among those who are held."""
        with self._lock:
            found = self._held.total() < MOST_HELD and self._held[address] < MOST_HELD_OF_ONE
            self._held[address] += found
        try:
            yield found
        finally:
            with self._lock:
                self._held[address] -= found
                self._held = +self._held  # without those whose number is 0

    def _compared(self, given: str | None, address: str) -> Verdict:
        """Compare in a time that does not depend on what is right in it; a right one costs nothing and buys nothing."""
        if hmac.compare_digest((given or "").encode("utf-8", "replace"), self._password) and self._password:
            return Verdict.RIGHT
        with self._lock:
            now = self._clock()
            self._all.spend(now)
            self._each.setdefault(address, Budget(FREE, FORGIVEN, now)).spend(now)
            self._each.move_to_end(address)
            while len(self._each) > ADDRESSES:
                self._each.popitem(last=False)
        return Verdict.WRONG
