"""Whether Redis accepts what the web process sends it."""

from __future__ import annotations

from shared.errors import StorageFull
from shared.observability import logs
from shared.observability.outage import Outage

log = logs.logger(__name__)


class Availability:
    """Whether Redis took what was last sent to it, by the replayer or by a webhook; the log is told once. Threads share it."""

    def __init__(self) -> None:
        self._outage = Outage()
        self._reason = ""

    @property
    def away(self) -> bool:
        """Whether Redis accepted nothing when it was last asked."""
        return bool(self._outage)

    @property
    def full(self) -> bool:
        """Whether Redis answers, and has no room for another message."""
        return self.away and self._reason == StorageFull.code

    def went_away(self, reason: str, waiting: int) -> None:
        """Redis accepted nothing, for a `reason`; `waiting` records are on disk."""
        self._reason = reason
        if self._outage.begins():
            log.warning("Messages wait on disk until Redis takes them.", action="spooling", reason=reason, waiting=waiting)

    def restored(self) -> None:
        """Redis accepted something."""
        if self.away:  # asked first: every webhook comes by here, and needs no lock while all is well
            self._outage.ends()
