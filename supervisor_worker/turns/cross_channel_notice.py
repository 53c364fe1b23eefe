"""A reply that did not reach its user: they are told on their other channel, by a notice like any other.

A delivery report, or a refusal for good, puts the reply on a list, once (`replies.lua`); every worker's sweep takes from that list,
and one script takes a reply off it and appends the notice in the same step. So the user is told once, however often the report comes
and whoever is killed, and the notice goes out, waits for a pause or gives way to an opt-out like every other message.

Who the user is says the users file, by both ends of the reply, and nothing that came in. The notice holds nothing of the reply.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from redis.exceptions import RedisError

from shared.mailbox import calls
from shared.mailbox.records import Call, Reply
from shared.mailbox.wake_queue import job
from shared.model.events import EmailReceived, Received, SendSmsResponse, SmsReceived
from shared.model.users import User
from shared.observability import logs as telemetry
from shared.observability.faults import named
from supervisor_worker.assistant import notices as sentences
from supervisor_worker.turns.context import Supervisor

LOG: Final = telemetry.logger(__name__)


async def tell(reply_ids: Sequence[str], supervisor: Supervisor) -> None:
    """Tell the users of these replies, where they have another channel. Raises RedisError: then the sweep comes back to the rest."""
    for reply_id in reply_ids:
        try:
            call = await _call(reply_id, supervisor)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - a record that cannot be read; it must not keep the others waiting
            LOG.error("A reply's record cannot be read", action="untold", reply=reply_id, **named(error))  # noqa: TRY400 - see `faults`
            call = calls.untold(reply_id, "unreadable")
        outcome = await supervisor.mailbox.run(call)
        LOG.info("A reply did not reach its user", action="elsewhere", reply=reply_id, outcome=outcome)


async def _call(reply_id: str, supervisor: Supervisor) -> Call[str]:
    reply = await supervisor.mailbox.reply(reply_id)
    if reply is None:
        return calls.untold(reply_id, "expired")
    by_text = isinstance(reply.command, SendSmsResponse)
    user = _user(reply, supervisor)
    event = (_mail(user, reply_id) if by_text else _text(user, reply_id)) if user else None
    if user is None or event is None:
        return calls.untold(reply_id, "no_other_channel")
    identities = supervisor.identities
    conversation = identities.conversation(event.key())
    return calls.elsewhere(
        reply_id,
        conversation,
        event,
        sender=identities.sender(event.from_),
        pair=identities.pair(event.to, event.from_),
        user=identities.user(user.username),
        code=_code(reply, by_text=by_text),
        wake=job(conversation, event.channel),
    )


def _code(reply: Reply, *, by_text: bool) -> str:
    if reply.notice:
        return sentences.TEXT_UNTOLD if by_text else sentences.MAIL_UNTOLD
    return sentences.TEXT_LOST if by_text else sentences.MAIL_LOST


def _user(reply: Reply, supervisor: Supervisor) -> User | None:
    """Whom the reply was for, by today's users file: a number that has changed hands is another user's, or a stranger's."""
    command = reply.command
    if isinstance(command, SendSmsResponse):
        return supervisor.users.by_phone(command.from_, command.to)
    return supervisor.users.by_email(command.from_, command.to)


def _mail(user: User, reply_id: str) -> Received | None:
    """What a notice by mail answers. It begins a thread: the id is the notice's own, so that an answer to it finds its conversation."""
    if user.email is None or user.boss_email is None:
        return None
    name = _name(reply_id)
    return EmailReceived(
        id=name, from_=user.email, to=user.boss_email, subject=sentences.TEXT_LOST_SUBJECT, body="", user=user.username,
        message_id=f"<{name}@{user.boss_email.domain}>", received_at=time.time(),
    )  # fmt: skip


def _text(user: User, reply_id: str) -> Received | None:
    if user.phone is None or user.boss_phone is None:
        return None
    return SmsReceived(
        id=_name(reply_id), from_=user.phone, to=user.boss_phone, message="", user=user.username, provider_id="", received_at=time.time()
    )


def _name(reply_id: str) -> str:
    """The notice's id, which `elsewhere.lua` makes in the same way."""
    return "n-" + reply_id.removeprefix("r-")
