"""How the webhooks hand over what they took: every message, callback and refusal goes through here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from shared import accept as storing
from shared import telemetry
from shared.accept import run
from shared.addresses import Channel
from shared.errors import StorageUnavailable
from shared.events import Received
from shared.mailbox import calls
from shared.mailbox.calls import Keyword
from shared.mailbox.types import Accepted
from shared.runtime import Runtime

__all__ = ["RefusalLedger", "accept", "ignore", "run"]

QUIET_SECONDS: Final = 5.0
log = telemetry.logger(__name__)


def accept(runtime: Runtime, event: Received, *, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not be stored."""
    return storing.accept(runtime, event, kind="text" if event.type == "sms_received" else "mail", keyword=keyword)


def ignore(runtime: Runtime, message_id: str, channel: Channel, reason: str) -> Accepted:
    """Record a message that is not answered: its id and the reason, no text, no job. Raises StorageUnavailable."""
    return run(runtime, calls.ignore(message_id, channel, reason))


@dataclass(slots=True)
class RefusalLedger:
    """Writes ledger lines for refused requests, and lets Redis be for 5 s when it is away: a refusal must not wait for it."""

    runtime: Runtime
    _quiet_until: float = field(default=0.0)

    def record(self, channel: str, reason: str, status: int) -> None:
        """Append one line; never raises for the storage."""
        log.info("Refused a request.", action="refused", channel=channel, reason=reason, status=status)
        if time.monotonic() < self._quiet_until:
            return
        try:
            run(self.runtime, calls.refuse(channel, reason, status))
        except StorageUnavailable as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("Could not record a refusal.", action="storage_unavailable", reason=error.detail)
