"""The step that makes a message ours: one script, which also enqueues the wake-up job, and so one round trip.

"Accepted" is what the script's answer says. Everything else raises StorageUnavailable, so that a 2xx, or a bridge's
acknowledgement, means "stored".

Several steps may share one MULTI: the spool's backlog goes back that way. Redis is out of memory, or a replica, or
without a disk, for all of a MULTI or for none of it, so a step never overtakes one before it that was refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

from redis.exceptions import DataError, RedisError, ResponseError

from shared import mailbox
from shared.errors import StorageFault, StorageFull, StorageUnavailable
from shared.mailbox import calls
from shared.mailbox import wake_queue as queue
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted
from shared.mailbox.records import Kind
from shared.model.addresses import Channel, masked
from shared.model.channels import CHANNELS
from shared.model.events import Keyword, Received
from shared.runtime import Runtime

T = TypeVar("T")

_IN_A_SCRIPT: Final = re.compile(r": -([A-Z]+) ")
"""How servers before version 7 tell of an error that a script met."""
_OWN_FAULTS: Final = frozenset({"WRONGTYPE", "ERR"})


def accept(runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not be stored."""
    return run(runtime, message(runtime, event, kind=kind, keyword=keyword))


def message(
    runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "", via: str = "", maybe_duplicate: bool = False
) -> Call[Accepted]:
    """The call that stores a message. StorageUnavailable while the ids cannot be made because Redis was never seen."""
    with storage():
        identities = runtime.identities
    conversation = identities.conversation(event.key())
    settings = runtime.settings
    channel = CHANNELS[event.channel]
    settles, has_threads = (channel.settles, channel.has_threads) if kind == channel.kind else (False, False)
    return calls.accept(
        event,
        kind=kind,
        conversation=conversation,
        sender=identities.sender(event.from_),
        pair=identities.pair(event.to, event.from_),
        settle_ms=int(settings.sms_settle_seconds * 1000) if settles else 0,
        turns_per_hour=settings.sender_turns_per_hour,
        keyword=keyword,
        max_open=settings.max_open_messages,
        digest="" if kind == "bridge" else event.fingerprint(),
        hourly=settings.thread_turns_per_hour if has_threads else calls.NO_LIMIT,
        pair_hourly=settings.mail_turns_per_hour if has_threads else calls.NO_LIMIT,
        daily=settings.pair_turns_per_day,
        via=via,
        maybe_duplicate=maybe_duplicate,
        user=identities.user(event.user),
        who=f"{event.from_.masked()} to {event.to.masked()}",
        index=[identities.message_id(header)] if (header := event.header_id) else (),
        wake=queue.job(conversation, event.channel),
    )


def ignored(
    runtime: Runtime, message_id: str, channel: Channel, reason: str, *, sender: str = "", recipient: str = "", provider_id: str = "",
    header: str = "", via: str = "", who: str = "",
) -> Call[Accepted]:  # fmt: skip
    """The call that records a message that is not answered; StorageUnavailable as above.

    `sender` and `recipient` are what its provider calls them: kept masked, and as ids; `who` stands for both where only that is known.
    `header` is a mail's Message-ID.
    """
    with storage():
        identities = runtime.identities
    index = [identities.shown(masked(sender))] if sender else []
    return calls.ignore(
        message_id,
        channel,
        reason,
        via=via,
        who=f"{masked(sender)} to {masked(recipient)}" if sender or recipient else who,
        sender=identities.claimed(sender) if sender else "",
        provider_id=provider_id,
        index=[*index, identities.message_id(header)] if header else index,
    )


def together(runtime: Runtime, steps: Sequence[Call[Any]]) -> list[Any]:
    """Send calls in one MULTI, in their order; each one's answer, or the StorageFault that is its own.

    Raises StorageUnavailable when Redis is away, or StorageFull when it has no room for one of them: all may be sent again.
    `runtime.replicas.confirmed` tells whether a replica has them.
    """
    replicas = runtime.replicas
    with storage():
        # MULTI by hand: what asks for the replicas goes behind it, in the same send.
        pipe: Any = runtime.redis.pipeline(transaction=False)
        pipe.execute_command("MULTI")
        for step in steps:
            mailbox.queue_call(pipe, step)
        pipe.execute_command("EXEC")
        for command in replicas.tail(ask=True):
            pipe.execute_command(*command)
        raw = pipe.execute(raise_on_error=False)
        results = _executed(raw[: len(steps) + 2])
    replicas.confirmed = replicas.heard(raw[len(steps) + 2 :])
    return [_answer(step, raw) for step, raw in zip(steps, results, strict=True)]


def _executed(raw: Sequence[Any]) -> list[Any]:
    """The results of a MULTI. Raises the error for which a command was not even queued, and so none was run."""
    refused = next((answer for answer in raw if isinstance(answer, Exception)), None)
    if refused is not None:
        raise refused
    results: list[Any] = raw[-1]
    return results


def run(runtime: Runtime, call: Call[T]) -> T:
    """Send one call; raises StorageUnavailable, or StorageFull for a message beyond what may wait.

    In the web process `runtime.replicas.confirmed` tells whether a replica has it.
    """
    with storage():
        return _taken(runtime.mailbox.run(call))


class storage:  # noqa: N801 - for `with`, as a function; each webhook has two, and a generator takes three times as long
    """Redis's errors as ours. Their texts hold the command with the message in it, and are dropped."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, (RedisError, OSError)):
            raise fault(error) from None


def fault(error: Exception) -> StorageUnavailable:
    """A plain StorageUnavailable for a server that is away, full, read-only or busy; a StorageFault for what is the call's own.

    Redis marks the server's own troubles with a word of capitals before the sentence. Whatever is not known to be the call's
    own counts as away: then a message waits, and is not set aside for somebody else's fault.
    """
    if isinstance(error, DataError):
        return StorageFault(type(error).__name__)
    if type(error) is ResponseError:  # its subclasses are all troubles of the server's
        text = str(error).rpartition("caused error: ")[2]  # redis-py puts the command before it
        inside = _IN_A_SCRIPT.search(text)
        word = inside[1] if inside else text.partition(" ")[0]
        if word in _OWN_FAULTS or not word.isupper():
            return StorageFault(type(error).__name__)
    return StorageUnavailable(type(error).__name__)


def _answer(call: Call[Any], raw: Any) -> Any:
    if not isinstance(raw, Exception):
        return _taken(mailbox.answer(call, raw))
    error = fault(raw)
    if not isinstance(error, StorageFault):
        raise error
    return error


def _taken(answer: T) -> T:
    if isinstance(answer, Accepted) and answer.outcome == "full":
        raise StorageFull(StorageFull.code)
    return answer
