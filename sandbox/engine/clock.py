"""The sandbox's clock: that of the machine, and what a test has added to it so that hours pass at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class SandboxClock:
    """What lives for a time (entries of the cache, rate limits) is judged by it; the journal's times are the machine's."""

    advanced: float = 0.0
    """Seconds ahead of the machine's clock."""

    def now(self) -> float:
        """Seconds of the epoch."""
        return time.time() + self.advanced

    def moment(self) -> datetime:
        """The same as a date and time, in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)
