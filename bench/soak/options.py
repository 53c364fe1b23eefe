"""The options of a soak, read from SOAK_MINUTES, SOAK_RATE, SOAK_PEOPLE and SOAK_SEED."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from tests.support.installation import FAST
from tests.support.users_file import USERS

MAX_MINUTES: Final = 24 * 60
MAX_RATE: Final = 100
MIN_MINUTES_FOR_MEMORY: Final = 30
"""In a shorter soak memory is shown but not judged: RQ keeps ended jobs for ten minutes, and a new process still grows."""
MIN_MINUTES_FOR_OWN_TIMES: Final = 3
"""A shorter soak has a test's lease and time limits: with the product's own, a minute may pass after a kill."""


class SoakOptionsError(ValueError):
    """The environment does not describe a soak; the message names the variable."""


@dataclass(frozen=True, kw_only=True)
class SoakOptions:
    """Length, load and random seed of a soak."""

    minutes: float = 60.0
    rate: float = 5.0
    """Messages a second."""
    people: int = 300
    seed: int = 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; without a seed, draw one. Raises SoakOptionsError."""
        try:
            given = cls(
                minutes=float(environ.get("SOAK_MINUTES") or cls.minutes),
                rate=float(environ.get("SOAK_RATE") or cls.rate),
                people=int(environ.get("SOAK_PEOPLE") or cls.people),
                seed=int(environ.get("SOAK_SEED") or secrets.randbelow(1_000_000)),
            )
        except ValueError as error:
            raise SoakOptionsError(f"SOAK_*: {error}") from None
        if not (0 < given.minutes <= MAX_MINUTES and 0 < given.rate <= MAX_RATE and 1 <= given.people < USERS):
            raise SoakOptionsError(f"SOAK_MINUTES up to {MAX_MINUTES}, SOAK_RATE up to {MAX_RATE}, SOAK_PEOPLE up to {USERS - 1}")
        return given

    @property
    def seconds(self) -> float:
        """How long messages are sent, in seconds."""
        return self.minutes * 60

    @property
    def own_times(self) -> bool:
        """Whether the product runs with its own lease and time limits."""
        return self.minutes >= MIN_MINUTES_FOR_OWN_TIMES

    @property
    def times(self) -> Mapping[str, str]:
        """The settings of the lease and the time limits: none for the product's own, or a test's."""
        return {} if self.own_times else FAST

    @property
    def drain_seconds(self) -> float:
        """How long open messages may take at the end, in seconds: two lost leases, and the wait for SendGrid's event."""
        return 420.0 if self.own_times else 60.0

    @property
    def judges_memory(self) -> bool:
        """Whether the soak is long enough for memory to be judged."""
        return self.minutes >= MIN_MINUTES_FOR_MEMORY
