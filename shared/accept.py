"""The step that makes a message ours: one MULTI with the mailbox's script and the wake-up job, one round trip.

"Accepted" is what the script's own answer says, whatever the rest of the MULTI did: the job is only a wake-up, and the
sweep finds the conversation without it. Everything else raises StorageUnavailable, so that a 2xx, or a bridge's
acknowledgement, means "stored".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from redis.exceptions import RedisError

from shared import mailbox
from shared.addresses import Channel
from shared.errors import StorageUnavailable
from shared.events import Received
from shared.mailbox import calls
from shared.mailbox.calls import Keyword
from shared.mailbox.types import Accepted, Call, Kind
from shared.runtime import Runtime

T = TypeVar("T")


def accept(runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not be stored."""
    channel: Channel = "sms" if event.type == "sms_received" else "email"
    with storage():
        conversation = runtime.identities.conversation(event.key())
        call = calls.accept(
            event,
            kind=kind,
            conversation=conversation,
            sender=runtime.identities.sender(event.from_),
            pair=runtime.identities.pair(event.to, event.from_),
            settle_ms=int(runtime.settings.sms_settle_seconds * 1000) if kind == "text" else 0,
            turns_per_hour=runtime.settings.sender_turns_per_hour,
            keyword=keyword,
        )
        pipe = runtime.redis.pipeline(transaction=True)
        pipe.multi()  # RQ would call it after the script, and redis-py refuses that
        mailbox.queue_call(pipe, call)
        runtime.dispatcher.wake(conversation, channel, pipe)
        results = pipe.execute(raise_on_error=False)
    if isinstance(results[0], Exception):
        raise StorageUnavailable(type(results[0]).__name__)
    return mailbox.answer(call, results[0])


def run(runtime: Runtime, call: Call[T]) -> T:
    """Send one call; raises StorageUnavailable."""
    with storage():
        return runtime.mailbox.run(call)


@contextmanager
def storage() -> Iterator[None]:
    """Redis's errors as ours. Their texts hold the command with the message in it, and are dropped."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StorageUnavailable(type(error).__name__) from None
