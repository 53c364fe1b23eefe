"""The faults of a soak: who is struck when, and how, by seeded dice; one at a time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from bench.soak.processes import SERVER, Cast

How = Literal["kill -9", "SIGTERM", "SIGSTOP"]
PAUSE: Final = (20.0, 40.0)
"""Between the end of one strike and the next, in seconds."""
SPARED: Final = frozenset({"web b", "worker b"})
"""They live from the first third's end on, so that their memory can be judged."""
WORKERS: Final = frozenset({"worker a", "worker b"})
STRIKES_AT_LEAST: Final = 6
"""A soak too short for the pauses has shorter ones."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to strike, with its weight; `away` is for how many seconds, least and most."""

    weight: int
    victims: frozenset[str]
    how: How
    away: tuple[float, float]
    together: bool = False
    """All victims at once, or one of them."""


KINDS: Final = (
    Kind(6, WORKERS, "kill -9", (0, 3)),
    Kind(4, frozenset({"web a", "web b"}), "kill -9", (0, 3)),
    Kind(2, frozenset({"bridge"}), "kill -9", (0, 3)),
    Kind(1, frozenset({"standby"}), "kill -9", (0, 3)),
    Kind(3, WORKERS, "SIGTERM", (0, 3)),
    Kind(2, frozenset({"web a", "web b"}), "SIGTERM", (0, 3)),
    Kind(1, frozenset({"bridge"}), "SIGTERM", (0, 3)),
    Kind(1, frozenset({SERVER}), "kill -9", (1, 12)),
    Kind(1, frozenset({SERVER}), "SIGSTOP", (1, 12)),
    Kind(2, WORKERS, "kill -9", (20, 30), together=True),
)


@dataclass(frozen=True, slots=True)
class Strike:
    """Who, how, and for how many seconds they stay away."""

    victims: tuple[str, ...]
    how: How
    away: float

    @property
    def name(self) -> str:
        """As the report counts it."""
        who = "all workers" if len(self.victims) > 1 else self.victims[0].split()[0]
        return f"{who}, {self.how}"


def choose(dice: random.Random, spared: frozenset[str]) -> Strike:
    """The dice's next strike, which no one spared is among."""
    kinds = [kind for kind in KINDS if not (kind.victims & spared if kind.together else kind.victims <= spared)]
    (kind,) = dice.choices(kinds, [kind.weight for kind in kinds])
    eligible = sorted(kind.victims - spared)
    victims = tuple(eligible) if kind.together else (dice.choice(eligible),)
    return Strike(victims, kind.how, dice.uniform(*kind.away))


class Mayhem:
    """Strikes the cast now and then. `step` is called again and again by the soak's own thread, which its children must outlive."""

    def __init__(self, cast: Cast, dice: random.Random, seconds: float) -> None:
        """The first strike comes after a pause; `seconds` is the whole soak."""
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._cast, self._dice = cast, dice
        self._scale = min(1.0, seconds / (PAUSE[1] * STRIKES_AT_LEAST))
        self._spare_at = seconds / 3
        self._give_back: Callable[[], None] | None = None
        self._next_at = self._pause()

    def step(self, now: float) -> None:
        """Do what is due `now` seconds after the beginning."""
        self._raise_the_fallen()
        if now < self._next_at:
            return
        if self._give_back is not None:
            self.settle()
            self._next_at = now + self._pause()
            return
        strike = choose(self._dice, SPARED if now >= self._spare_at else frozenset())
        self._next_at = now + strike.away * self._scale
        self._strike(strike)

    def settle(self) -> None:
        """Give back what is away."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def _strike(self, strike: Strike) -> None:
        self.counts[strike.name] += 1
        if strike.how == "SIGSTOP":
            self._cast.freeze()
            self._give_back = self._cast.thaw
            return
        for name in strike.victims:
            if strike.how == "kill -9":
                self._cast.kill(name)
            elif status := self._cast.end(name):
                self.failures.append(f"{name} ended with status {status} on SIGTERM")
        self._give_back = partial(self._start, strike.victims)

    def _start(self, names: Iterable[str]) -> None:
        for name in names:
            self._cast.start(name)

    def _raise_the_fallen(self) -> None:
        for name, status in self._cast.fallen().items():
            self.failures.append(f"{name} ended by itself with status {status}")
            self._cast.start(name)

    def _pause(self) -> float:
        return self._dice.uniform(*PAUSE) * self._scale
