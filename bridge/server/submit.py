"""A client's request becomes a message in the mailbox: who may send it, and how it is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from bridge.protocol.codes import ClientFrame, ErrorCode
from bridge.protocol.frames import MessageContent
from bridge.protocol.server_session import MessageRequest
from shared import submit
from shared.errors import BadInput, StorageFull, StorageUnavailable
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import Accepted
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.model.text import seen, seen_line
from shared.model.threads import MADE_ID
from shared.model.users import User, Users
from shared.runtime import Runtime

MAX_CONCURRENT_STORES: Final = 8
"""Also the connections that these stores have to Redis, which runs one script at a time: more would only wait there."""
MAX_SUBJECT: Final = 500
MAX_JUDGEMENTS: Final = 5
"""How often a message is judged in a row because people were added, changed or removed."""
_UNKNOWN: Final = (ErrorCode.STRANGER, ErrorCode.UNKNOWN_RECIPIENT)


class NotTried(StorageUnavailable):
    """Redis was away for another message after this one was asked for, so this one was never sent there."""


class Submitter:
    """Stores messages in the mailbox, at most MAX_CONCURRENT_STORES at once; further ones wait in the order of their calls.

    While Redis is away each attempt takes two seconds to fail (`shared.storage.clients.for_bridge`). A message that waited during a
    failed attempt is rejected without one of its own: else the last of a hundred clients would wait for half a minute.
    """

    def __init__(self, runtime: Runtime, mailbox: AsyncMailbox) -> None:
        """`mailbox` has a connection for each concurrent store."""
        self._runtime = runtime
        self._mailbox = mailbox
        self._places = asyncio.Semaphore(MAX_CONCURRENT_STORES)
        self._failed_at = 0.0

    async def submit(self, make: Callable[[Users], Received], asked_at: float) -> tuple[Received, Accepted]:
        """Store a message that was asked for at `asked_at`, in seconds of the monotonic clock; `make` makes it by who is known.

        Raises BadInput as `make` does, for a stranger only after it was asked who is known now, and NotTried when it is certainly not
        stored. Any other StorageUnavailable leaves that open: Redis may have run the script and only its answer was lost.
        """
        async with self._places:
            if self._failed_at > asked_at:
                raise NotTried
            try:
                return await self._judged(make)
            except StorageUnavailable:
                self._failed_at = time.monotonic()
                raise

    async def _judged(self, make: Callable[[Users], Received]) -> tuple[Received, Accepted]:
        """Stored as the people say whom the registry has now: the script compares its version (`accept.lua`)."""
        users = self._runtime.users
        for _ in range(MAX_JUDGEMENTS):
            version, known = users.version, users.all  # before the judgement: whom that misses, a later version has
            try:
                event = make(users)
            except BadInput as error:
                if error.code in _UNKNOWN:
                    await self._learn()
                if users.all is known:
                    raise
                continue
            accepted = await self._store(event, version)
            if accepted.outcome != "stale":
                return event, accepted
            await self._learn()
        raise NotTried

    async def _learn(self) -> None:
        """Take in what has changed of the people who are known. Raises NotTried while Redis is away."""
        try:
            await asyncio.to_thread(self._runtime.people.refresh)
        except (RedisError, OSError):
            raise NotTried from None

    async def _store(self, event: Received, users: int) -> Accepted:
        with submit.storage_errors():
            accepted = await self._mailbox.run(submit.call_for(self._runtime, event, kind="bridge", users=users))
        if accepted.outcome == "full":
            raise StorageFull(StorageFull.code)
        return accepted


def event_of(request: MessageRequest, content: MessageContent, users: Users, at: float) -> Received:
    """The event of a request from a user to their own Boss; `at` is in epoch seconds.

    Raises BadInput with the code of the `error`. Who is a stranger is decided here (`_known`) as the webhooks decide it
    (`shared.model.sms_admission`, `webhook_api.email.admission`): a change of that rule concerns all three.
    """
    if request.type == ClientFrame.SMS:
        return _sms(request, content, users, at)
    return _email(request, content, users, at)


def same_content(stored: Received | None, event: Received) -> bool:
    """Whether a request that repeats an id has the content of the stored one; True when that is no longer kept."""
    return stored is None or stored.content() == event.content()


def _sms(request: MessageRequest, content: MessageContent, users: Users, at: float) -> SmsReceived:
    boss = _phone(content.recipient, ErrorCode.UNKNOWN_RECIPIENT)
    sender = _phone(content.sender, ErrorCode.STRANGER if boss in users.bosses("sms") else ErrorCode.UNKNOWN_RECIPIENT)
    user = _known(users.find("sms", boss, sender), ours=boss in users.bosses("sms"))
    said = seen(content.text)
    return SmsReceived(
        id=request.message_id,
        from_=sender,
        to=boss,
        message=said.text,
        user=user.id,
        provider_id=request.id,
        hidden=said.hidden,
        received_at=at,
    )


def _email(request: MessageRequest, content: MessageContent, users: Users, at: float) -> EmailReceived:
    boss = _mail_address(content.recipient, ErrorCode.UNKNOWN_RECIPIENT)
    sender = _mail_address(content.sender, ErrorCode.STRANGER if boss in users.bosses("email") else ErrorCode.UNKNOWN_RECIPIENT)
    user = _known(users.find("email", boss, sender), ours=boss in users.bosses("email"))
    subject, said = seen_line(content.subject, MAX_SUBJECT), seen(content.text)
    return EmailReceived(
        id=request.message_id,
        from_=sender,
        to=boss,
        subject=subject.text,
        body=said.text,
        user=user.id,
        message_id=content.message_id or f"<{request.message_id}{f'@{boss.domain}>' if request.id else MADE_ID}",
        in_reply_to=content.in_reply_to,
        references=content.references,
        hidden=subject.hidden + said.hidden,
        received_at=at,
    )


def _known(user: User | None, *, ours: bool) -> User:
    if user is None:
        raise BadInput(code=ErrorCode.STRANGER if ours else ErrorCode.UNKNOWN_RECIPIENT)
    return user


def _phone(text: str, code: ErrorCode) -> PhoneNumber:
    try:
        return PhoneNumber.parse(text)
    except BadInput:
        raise BadInput(code=code) from None


def _mail_address(text: str, code: ErrorCode) -> EmailAddress:
    try:
        return EmailAddress.parse(text)
    except BadInput:
        raise BadInput(code=code) from None
