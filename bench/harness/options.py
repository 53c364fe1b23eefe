"""How much is measured: a full run, or a quick one that only shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options of a run. `quick`: seconds in place of minutes; `peers`: whether other systems are measured too."""

    quick: bool = False
    peers: bool = True
    minutes: float = 10.0
    rounds: int = 3

    def pick(self, whole: int, quick: int) -> int:
        """The number for this run: that of a full one, or of a quick one."""
        return quick if self.quick else whole
