"""How much is measured: a whole run, or a quick one that only shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: figures that mean nothing, in seconds. `peers`: whether other queues are measured beside Bossline."""

    quick: bool = False
    peers: bool = True
    minutes: float = 10.0
    rounds: int = 3

    def pick(self, whole: int, quick: int) -> int:
        """One of two numbers."""
        return quick if self.quick else whole
