"""Injects process faults into a soak: kills, stops and freezes, one at a time, chosen by a seeded random generator."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from bench.soak.processes import SERVER, SoakProcesses

How = Literal["kill -9", "SIGTERM", "SIGSTOP"]
PAUSE_SECONDS: Final = (20.0, 40.0)
"""Between the end of one fault and the next, least and most."""
SPARED: Final = frozenset({"web b", "worker b"})
"""Not touched after the first third, so that their memory can be judged."""
WORKERS: Final = frozenset({"worker a", "worker b"})
MIN_FAULTS: Final = 6
"""A soak that is too short for this many faults has shorter pauses."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault and its weight; `away` is for how many seconds a process is away, least and most."""

    weight: int
    targets: frozenset[str]
    how: How
    away: tuple[float, float]
    together: bool = False
    """Whether all of the processes are hit at once, or one of them."""


FAULT_KINDS: Final = (
    FaultKind(6, WORKERS, "kill -9", (0, 3)),
    FaultKind(4, frozenset({"web a", "web b"}), "kill -9", (0, 3)),
    FaultKind(2, frozenset({"bridge"}), "kill -9", (0, 3)),
    FaultKind(1, frozenset({"standby"}), "kill -9", (0, 3)),
    FaultKind(3, WORKERS, "SIGTERM", (0, 3)),
    FaultKind(2, frozenset({"web a", "web b"}), "SIGTERM", (0, 3)),
    FaultKind(1, frozenset({"bridge"}), "SIGTERM", (0, 3)),
    FaultKind(1, frozenset({SERVER}), "kill -9", (1, 12)),
    FaultKind(1, frozenset({SERVER}), "SIGSTOP", (1, 12)),
    FaultKind(2, WORKERS, "kill -9", (20, 30), together=True),
)


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """Which processes are hit, how, and for how many seconds they stay away."""

    targets: tuple[str, ...]
    how: How
    away: float

    @property
    def name(self) -> str:
        """The name under which the report counts it."""
        who = "all workers" if len(self.targets) > 1 else self.targets[0].split()[0]
        return f"{who}, {self.how}"


def choose_fault(rng: random.Random, spared: frozenset[str]) -> ProcessFault:
    """Choose the next fault; no process of `spared` is hit."""
    kinds = [kind for kind in FAULT_KINDS if not (kind.targets & spared if kind.together else kind.targets <= spared)]
    (kind,) = rng.choices(kinds, [kind.weight for kind in kinds])
    eligible = sorted(kind.targets - spared)
    targets = tuple(eligible) if kind.together else (rng.choice(eligible),)
    return ProcessFault(targets, kind.how, rng.uniform(*kind.away))


class FaultInjector:
    """Injects faults now and then. The soak's main thread calls `step` often: children die with the thread that started them."""

    def __init__(self, processes: SoakProcesses, rng: random.Random, seconds: float) -> None:
        """The first fault comes after a pause; `seconds` is the length of the soak."""
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._processes, self._rng = processes, rng
        self._scale = min(1.0, seconds / (PAUSE_SECONDS[1] * MIN_FAULTS))
        self._spare_at = seconds / 3
        self._bring_back: Callable[[], None] | None = None
        self._next_at = self._pause()

    def step(self, now: float) -> None:
        """Do what is due `now` seconds after the start."""
        self._restart_exited()
        if now < self._next_at:
            return
        if self._bring_back is not None:
            self.restore()
            self._next_at = now + self._pause()
            return
        fault = choose_fault(self._rng, SPARED if now >= self._spare_at else frozenset())
        self._next_at = now + fault.away * self._scale
        self._inject(fault)

    def restore(self) -> None:
        """Bring back the processes that are away."""
        bring_back, self._bring_back = self._bring_back, None
        if bring_back is not None:
            bring_back()

    def _inject(self, fault: ProcessFault) -> None:
        self.counts[fault.name] += 1
        if fault.how == "SIGSTOP":
            self._processes.freeze()
            self._bring_back = self._processes.thaw
            return
        for name in fault.targets:
            if fault.how == "kill -9":
                self._processes.kill(name)
            elif status := self._processes.end(name):
                self.failures.append(f"{name} ended with status {status} on SIGTERM")
        self._bring_back = partial(self._start, fault.targets)

    def _start(self, names: Iterable[str]) -> None:
        for name in names:
            self._processes.start(name)

    def _restart_exited(self) -> None:
        for name, status in self._processes.exited().items():
            self.failures.append(f"{name} ended by itself with status {status}")
            self._processes.start(name)

    def _pause(self) -> float:
        return self._rng.uniform(*PAUSE_SECONDS) * self._scale
