"""The step that makes a message ours: one MULTI with the mailbox's script and the wake-up job, one round trip.

"Accepted" is what the script's own answer says, whatever the rest of the MULTI did: the job is only a wake-up, and the
sweep finds the conversation without it. Everything else raises StorageUnavailable, so that a 2xx means "stored".
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from redis.exceptions import RedisError

from shared import mailbox, telemetry
from shared.errors import StorageUnavailable
from shared.mailbox import calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.addresses import Channel
    from shared.events import Received
    from shared.mailbox.calls import Keyword
    from shared.mailbox.types import Accepted, Call
    from shared.runtime import Runtime

T = TypeVar("T")
QUIET_SECONDS: Final = 5.0
log = telemetry.logger(__name__)


def accept(runtime: Runtime, event: Received, *, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not be stored."""
    channel: Channel = "sms" if event.type == "sms_received" else "email"
    conversation = runtime.identities.conversation(event.key())
    call = calls.accept(
        event,
        kind="text" if channel == "sms" else "mail",
        conversation=conversation,
        sender=runtime.identities.sender(event.from_),
        pair=runtime.identities.pair(event.to, event.from_),
        settle_ms=int(runtime.settings.sms_settle_seconds * 1000) if channel == "sms" else 0,
        turns_per_hour=runtime.settings.sender_turns_per_hour,
        keyword=keyword,
    )
    with _storage():
        pipe = runtime.redis.pipeline(transaction=True)
        pipe.multi()  # RQ would call it after the script, and redis-py refuses that
        mailbox.queue_call(pipe, call)
        runtime.dispatcher.wake(conversation, channel, pipe)
        results = pipe.execute(raise_on_error=False)
    if isinstance(results[0], Exception):
        raise StorageUnavailable(type(results[0]).__name__)
    return mailbox.answer(call, results[0])


def ignore(runtime: Runtime, message_id: str, channel: Channel, reason: str) -> Accepted:
    """Record a message that is not answered: its id and the reason, no text, no job. Raises StorageUnavailable."""
    return run(runtime, calls.ignore(message_id, channel, reason))


def run(runtime: Runtime, call: Call[T]) -> T:
    """Send one call; raises StorageUnavailable."""
    with _storage():
        return runtime.mailbox.run(call)


@contextmanager
def _storage() -> Iterator[None]:
    """Redis's errors as ours. Their texts hold the command with the message in it, and are dropped."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StorageUnavailable(type(error).__name__) from None


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
