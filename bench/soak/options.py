"""What a soak is told by its environment: SOAK_MINUTES, SOAK_RATE, SOAK_PEOPLE, SOAK_SEED."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from tests.support.users_file import USERS
from tests.support.whole import FAST

MOST_MINUTES: Final = 24 * 60
MOST_RATE: Final = 100
JUDGED_FROM_MINUTES: Final = 30
"""Shorter, and memory is shown but not judged: RQ keeps ended jobs for ten minutes, and a young process still grows into its work."""
OWN_TIMES_FROM_MINUTES: Final = 3
"""Shorter, and lease and time limits are a test's: at the product's own, a minute may pass after a kill."""


class OptionsError(ValueError):
    """The environment does not describe a soak."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long, how much, and the dice's seed."""

    minutes: float = 60.0
    rate: float = 5.0
    """Messages a second."""
    people: int = 300
    seed: int = 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read them; OptionsError names what is wrong. Without a seed, one is drawn."""
        try:
            given = cls(
                minutes=float(environ.get("SOAK_MINUTES") or cls.minutes),
                rate=float(environ.get("SOAK_RATE") or cls.rate),
                people=int(environ.get("SOAK_PEOPLE") or cls.people),
                seed=int(environ.get("SOAK_SEED") or secrets.randbelow(1_000_000)),
            )
        except ValueError as error:
            raise OptionsError(f"SOAK_*: {error}") from None
        if not (0 < given.minutes <= MOST_MINUTES and 0 < given.rate <= MOST_RATE and 1 <= given.people < USERS):
            raise OptionsError(f"SOAK_MINUTES up to {MOST_MINUTES}, SOAK_RATE up to {MOST_RATE}, SOAK_PEOPLE up to {USERS - 1}")
        return given

    @property
    def seconds(self) -> float:
        """How long messages are sent."""
        return self.minutes * 60

    @property
    def own_times(self) -> bool:
        """Whether the product runs with its own lease and time limits."""
        return self.minutes >= OWN_TIMES_FROM_MINUTES

    @property
    def times(self) -> Mapping[str, str]:
        """The product's times, or a test's."""
        return {} if self.own_times else FAST

    @property
    def drain_seconds(self) -> float:
        """How long what is open may take at the end: a lost lease twice, and the wait for SendGrid's event."""
        return 420.0 if self.own_times else 60.0

    @property
    def judges_memory(self) -> bool:
        """Whether it lasts long enough."""
        return self.minutes >= JUDGED_FROM_MINUTES
