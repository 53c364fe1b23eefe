"""Submits messages to the mailbox: one script stores a message and enqueues its wake-up job, in one round trip.

A message is accepted when the script's answer says so. Everything else raises StorageUnavailable, so that a 2xx, or a bridge's
acknowledgement, means "stored".

Several calls may share one MULTI: the spool is replayed that way. Redis is out of memory, or a replica, or without a disk, for all of a
MULTI or for none of it, so no call overtakes an earlier one that was rejected.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from redis.exceptions import DataError, RedisError, ResponseError

from shared import mailbox
from shared.config.settings import Settings
from shared.errors import StorageFault, StorageFull, StorageUnavailable
from shared.mailbox import calls, forwarding, wake_queue
from shared.mailbox.call import Call
from shared.mailbox.calls import ANY_VERSION, Accepted
from shared.mailbox.records import Kind
from shared.model.addresses import Channel, Identities, masked
from shared.model.approvals import answer_of
from shared.model.channels import CHANNELS, opening_event
from shared.model.commands import command_of
from shared.model.events import Keyword, Received
from shared.model.outgoing import OutgoingMessage, quiet_spans
from shared.model.threads import NO_NAMES, ThreadNames, of_reply
from shared.model.users import User, Users
from shared.runtime import Runtime
from shared.storage.replication import StorageResult

T = TypeVar("T")

_IN_A_SCRIPT: Final = re.compile(r": -([A-Z]+) ")
"""How servers before version 7 report an error within a script."""
_CALL_ERRORS: Final = frozenset({"WRONGTYPE", "ERR"})


def accept(runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "") -> Accepted:
    """Store a message and wake its conversation; raises StorageUnavailable when it may not have been stored."""
    return run(runtime, call_for(runtime, event, kind=kind, keyword=keyword)).answer


def call_for(
    runtime: Runtime, event: Received, *, kind: Kind, keyword: Keyword = "", via: str = "", maybe_duplicate: bool = False,
    waited: bool = False, users: int = ANY_VERSION,
) -> Call[Accepted]:  # fmt: skip
    """The call that stores a message, which was judged by the version `users` of the registry of people.

    `waited`: it does not come straight from its webhook, and its person may have been erased since. Raises StorageUnavailable while Redis
    was never reached: the ids need the salt that it keeps.
    """
    with storage_errors():
        identities = runtime.identities
    conversation = identities.conversation(event.key())
    settings = runtime.settings
    forwarded = forwarding.bounds_of(event, identities, settings.forwarded_mails_per_day)
    channel = CHANNELS[event.channel]
    settles, has_threads = (channel.settles, channel.has_threads) if kind == channel.kind else (False, False)
    return calls.accept(
        event,
        kind=kind,
        conversation=conversation,
        sender=forwarding.sender_of(event, identities),
        pair=identities.pair(event.to, event.from_),
        settle_ms=int(settings.sms_settle_seconds * 1000) if settles else 0,
        turns_per_hour=settings.sender_turns_per_hour,
        keyword=keyword,
        max_open=settings.max_open_messages,
        digest="" if kind == "bridge" or forwarded else event.fingerprint(),
        hourly=settings.thread_turns_per_hour if has_threads else calls.NO_LIMIT,
        pair_hourly=settings.mail_turns_per_hour if has_threads else calls.NO_LIMIT,
        daily=settings.pair_turns_per_day,
        via=via,
        maybe_duplicate=maybe_duplicate,
        user=identities.user(event.user),
        users=users,
        who=forwarding.who(event),
        index=forwarding.index_of(event, identities),
        thread=identities.thread(event.thread),
        retention_ms=settings.retention_ms,
        command="" if keyword else command_of(event),
        forwarded=forwarded,
        answer="" if kind == "mail" and _may_be_a_robot(runtime, event) else answer_of(event),
        age_ms=max(1, int((time.time() - event.received_at) * 1000)) if waited else 0,
        wake=wake_queue.job(conversation, event.channel),
    )


class Installation(Protocol):
    """Who is known where, and by which settings; a `Runtime` is one."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def users(self) -> Users:
        """The people, as they are now."""
        ...

    @property
    def identities(self) -> Identities:
        """What makes ids. Raises as `Runtime.identities`."""
        ...


@dataclass(frozen=True)
class Writers:
    """An installation as an operator's command has it."""

    settings: Settings
    users: Users
    identities: Identities


def outgoing(runtime: Installation, message: OutgoingMessage, *, waited: bool = False) -> Call[calls.Outgoing]:
    """The call that takes in what a program, or the operator, has the Boss write; StorageUnavailable as above.

    It goes to the person's entry as it is now: to the first of several numbers. `waited`: it has lain on disk.
    """
    with storage_errors():
        identities = runtime.identities
    settings, user = runtime.settings, runtime.users.with_id(message.user)
    now = datetime.now(UTC)
    return calls.outgoing(
        message,
        calls.NO_ROUTE if user is None else route_to(identities, user, message.channel, message.id, message.subject, now.timestamp()),
        identities.user(message.user),
        key=identities.idempotency(message.token, message.key) if message.key else "",
        body=identities.body(message.body) if message.key else "",
        quiet=quiet_spans(user, now) if user else (),
        max_open=settings.max_open_messages,
        retention_ms=settings.retention_ms,
        age_ms=max(1, int((time.time() - message.received_at) * 1000)) if waited else 0,
    )


def route_to(identities: Identities, user: User, channel: Channel, name: str, subject: str, at: float) -> calls.Route:  # noqa: PLR0917 - one look at both ends
    """How a message that the Boss begins reaches a person; NO_ROUTE where they are not reached by that channel."""
    ends = None if user.bridge_only else user.ends(channel)
    if ends is None:
        return calls.NO_ROUTE
    event = opening_event(ends, name, user.id, subject, at)
    conversation = identities.conversation(event.key())
    pair, sender = identities.pair(event.to, event.from_), identities.sender(event.from_)
    return calls.Route(event, conversation, sender, pair, wake_queue.job(conversation, channel))


def _may_be_a_robot(runtime: Runtime, event: Received) -> bool:
    """Whether programs write in the person's name by mail: then none of their mails is a yes."""
    user = runtime.users.with_id(event.user)
    return user is not None and user.robots != ""


def ignored(
    runtime: Runtime, message_id: str, channel: Channel, reason: str, *, sender: str = "", recipient: str = "", provider_id: str = "",
    header: str = "", via: str = "", who: str = "", users: int = ANY_VERSION,
) -> Call[Accepted]:  # fmt: skip
    """The call that records a message that is not answered; `users` and StorageUnavailable as above.

    `sender` and `recipient` are what its provider calls them: kept masked, and as ids; `who` stands for both where only that is known.
    `header` is a mail's Message-ID.
    """
    with storage_errors():
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
        users=users,
    )


def thread_of(runtime: Runtime, header: str) -> ThreadNames:
    """What a mail of this Message-ID is known by; nothing without one. StorageUnavailable as above."""
    if not header:
        return NO_NAMES
    with storage_errors():
        return runtime.identities.thread(of_reply(header))


def run(runtime: Runtime, call: Call[T]) -> StorageResult[T]:
    """Send one call. Raises StorageUnavailable, or StorageFull for a message when MAX_OPEN_MESSAGES wait already."""
    with storage_errors():
        answer, replicated = runtime.mailbox.run_confirmed(call)
    return StorageResult(_accepted(answer), replicated)


def run_all(runtime: Runtime, batch: Sequence[Call[Any]]) -> StorageResult[list[Any]]:
    """Send calls in one MULTI, in their order: each one's answer, or the StorageFault that concerns this call alone.

    Raises StorageUnavailable when Redis is away, or StorageFull when it has no room for one of them: then all may be sent again.
    """
    barrier = runtime.barrier
    with storage_errors():
        # redis-py's own MULTI would be a send of its own: the replication barrier goes behind it, in the same send.
        pipe: Any = runtime.redis.pipeline(transaction=False)
        pipe.execute_command("MULTI")
        for call in batch:
            mailbox.queue_call(pipe, call)
        pipe.execute_command("EXEC")
        for command in barrier.commands(ask=True):
            pipe.execute_command(*command)
        raw = pipe.execute(raise_on_error=False)
        results = _executed(raw[: len(batch) + 2])
    replicated = barrier.confirm(raw[len(batch) + 2 :])
    return StorageResult([_parsed(call, raw) for call, raw in zip(batch, results, strict=True)], replicated)


def _executed(raw: Sequence[Any]) -> list[Any]:
    """The results of a MULTI. Raises the error of a command that could not be queued: then none was executed."""
    rejected = next((answer for answer in raw if isinstance(answer, Exception)), None)
    if rejected is not None:
        raise rejected
    results: list[Any] = raw[-1]
    return results


class storage_errors:  # noqa: N801 - used like a function, in `with`; a generator would take three times as long, twice a webhook
    """Raises Redis's errors as ours. Their texts are dropped: they quote the command, with the message in it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, (RedisError, OSError)):
            raise storage_error(error) from None


def storage_error(error: Exception) -> StorageUnavailable:
    """A StorageFault for an error of this very call; StorageUnavailable for a server that is away, full, read-only or busy.

    Redis begins the errors of the server itself with a word in capitals. Whatever is not known to concern the call alone counts as
    "away": then a message waits, and is not set aside for somebody else's fault.
    """
    if isinstance(error, DataError):
        return StorageFault(type(error).__name__)
    if type(error) is ResponseError:  # its subclasses are all errors of the server
        text = str(error).rpartition("caused error: ")[2]  # redis-py quotes the command before it
        inside = _IN_A_SCRIPT.search(text)
        word = inside[1] if inside else text.partition(" ")[0]
        if word in _CALL_ERRORS or not word.isupper():
            return StorageFault(type(error).__name__)
    return StorageUnavailable(type(error).__name__)


def _parsed(call: Call[Any], raw: Any) -> Any:
    if not isinstance(raw, Exception):
        return _accepted(mailbox.answer(call, raw))
    error = storage_error(raw)
    if not isinstance(error, StorageFault):
        raise error
    return error


def _accepted(answer: T) -> T:
    """The answer. Raises StorageFull for a message that the mailbox has no room for."""
    if isinstance(answer, Accepted | calls.Outgoing) and answer.outcome == "full":
        raise StorageFull(StorageFull.code)
    return answer
