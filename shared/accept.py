"""The step that makes a message ours: one MULTI with the mailbox's script and the wake-up job, one round trip.

"Accepted" is what the script's own answer says, whatever the rest of the MULTI did: the job is only a wake-up, and the
sweep finds the conversation without it. Everything else raises StorageUnavailable, so that a 2xx, or a bridge's
acknowledgement, means "stored".

Several steps may share one MULTI: the spool's backlog goes back that way. Redis is out of memory, or a replica, or
without a disk, for all of a MULTI or for none of it, so a step never overtakes one before it that was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from redis.exceptions import DataError, RedisError, ResponseError

from shared import mailbox
from shared.addresses import Channel
from shared.errors import StorageFault, StorageUnavailable
from shared.events import Received
from shared.mailbox import calls
from shared.mailbox.calls import Keyword
from shared.mailbox.types import Accepted, Call, Kind
from shared.runtime import Runtime

T = TypeVar("T")

_OWN_FAULTS: Final = frozenset({"WRONGTYPE", "ERR"})


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """One call, and the conversation that is woken with it ('' for none)."""

    call: Call[T]
    conversation: str = ""
    channel: Channel = "sms"


def accept(runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not be stored."""
    step = message(runtime, event, kind=kind, keyword=keyword)
    (answer,) = together(runtime, [step])
    if isinstance(answer, StorageFault):
        raise answer
    accepted: Accepted = answer
    return accepted


def message(runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "") -> Step[Accepted]:
    """The step that stores a message. StorageUnavailable while the ids cannot be made because Redis was never seen."""
    channel: Channel = "sms" if event.type == "sms_received" else "email"
    with storage():
        identities = runtime.identities
    conversation = identities.conversation(event.key())
    call = calls.accept(
        event,
        kind=kind,
        conversation=conversation,
        sender=identities.sender(event.from_),
        pair=identities.pair(event.to, event.from_),
        settle_ms=int(runtime.settings.sms_settle_seconds * 1000) if kind == "text" else 0,
        turns_per_hour=runtime.settings.sender_turns_per_hour,
        keyword=keyword,
    )
    return Step(call, conversation, channel)


def together(runtime: Runtime, steps: Sequence[Step[Any]]) -> list[Any]:
    """Send steps in one MULTI, in their order; each one's answer, or the StorageFault that is its own.

    Raises StorageUnavailable when Redis is away: then nothing is known of any of them, and all may be sent again.
    """
    with storage():
        pipe = runtime.redis.pipeline(transaction=True)
        pipe.multi()  # RQ would call it after the script, and redis-py refuses that
        for step in steps:
            mailbox.queue_call(pipe, step.call)
        for conversation, channel in {step.conversation: step.channel for step in steps if step.conversation}.items():
            runtime.dispatcher.wake(conversation, channel, pipe)
        results = pipe.execute(raise_on_error=False)
    return [_answer(step.call, raw) for step, raw in zip(steps, results, strict=False)]


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
        raise fault(error) from None


def fault(error: Exception) -> StorageUnavailable:
    """A plain StorageUnavailable for a server that is away, full, read-only or busy; a StorageFault for what is the call's own.

    Redis marks the server's own troubles with a word of capitals before the sentence. Whatever is not known to be the call's
    own counts as away: then a message waits, and is not set aside for somebody else's fault.
    """
    if isinstance(error, DataError):
        return StorageFault(type(error).__name__)
    if type(error) is ResponseError:  # its subclasses are all troubles of the server's
        word = str(error).rpartition("caused error: ")[2].partition(" ")[0]  # redis-py puts the command before it
        if word in _OWN_FAULTS or not word.isupper():
            return StorageFault(type(error).__name__)
    return StorageUnavailable(type(error).__name__)


def _answer(call: Call[Any], raw: Any) -> Any:
    if not isinstance(raw, Exception):
        return mailbox.answer(call, raw)
    error = fault(raw)
    if not isinstance(error, StorageFault):
        raise error
    return error
