"""An outage is logged once when it begins and once when it ends, however many calls fail in between."""

from __future__ import annotations

import threading


class Outage:
    """Whether something fails now. Of many threads that notice its begin or its end, one is told to log it."""

    def __init__(self, *, under_way: bool = False) -> None:
        """`under_way`: it counts as failing until the first success, and nobody is told that it began."""
        self._lock = threading.Lock()
        self._under_way = under_way
        self.failures = 0
        """How many failures this outage has had; of the last one, once it has ended."""

    def __bool__(self) -> bool:
        return self._under_way

    def begins(self) -> bool:
        """Something failed; True for the first failure of an outage: the caller logs it."""
        with self._lock:
            self.failures = self.failures + 1 if self._under_way else 1
            first, self._under_way = not self._under_way, True
            return first

    def ends(self) -> bool:
        """Something succeeded; True for the first success after an outage: the caller logs it."""
        with self._lock:
            ended, self._under_way = self._under_way, False
            return ended
