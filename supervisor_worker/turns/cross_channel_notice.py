"""The cross-channel notice: a user whom a reply did not reach is told so on their other channel.

A delivery report, or a final refusal, puts the reply on a list, once (`replies.lua`). Every worker's sweep reads that list, and one script
removes a reply from it and appends the notice in the same step. So the user is told once, however often the report comes and whichever
process is killed. The notice is sent, waits for a pause or is stopped by an opt-out like every other message.

The user is who the reply was for, by their id, wherever its address is now: nothing that was received decides it. A message that is not
answered because its address is not its user's any more is told of in the same way. The notice repeats nothing of either; a reminder's text
goes to the other channel.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError

from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.call import Call
from shared.mailbox.records import turn_id_of
from shared.mailbox.wake_queue import job
from shared.model.addresses import Address, Channel
from shared.model.channels import CHANNELS
from shared.model.events import Received
from shared.model.users import User
from shared.model.words import said
from shared.observability import logs
from shared.observability.redaction import error_location
from supervisor_worker.assistant import notices
from supervisor_worker.channels.formats import FORMATS
from supervisor_worker.turns.context import TurnContext

LOG: Final = logs.logger(__name__)


async def send_notices(reply_ids: Sequence[str], context: TurnContext) -> None:
    """Tell the users of these replies, where they have another channel. Raises RedisError: the next sweep has the rest."""
    for reply_id in reply_ids:
        try:
            call = await _call(reply_id, context)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - a record that cannot be read must not hold up the others
            LOG.error("A reply's record cannot be read", action="untold", reply=reply_id, **error_location(error))  # noqa: TRY400 - see `error_location`
            call = calls.no_cross_channel_notice(reply_id, "unreadable")
        outcome = await context.mailbox.run(call)
        LOG.info("A reply did not reach its user", action="elsewhere", reply=reply_id, outcome=outcome)


@dataclass(frozen=True, slots=True)
class _Lost:
    """What did not reach its user: a reply, or a message that has none because its address is not its user's any more.

    `boss` and `own` are the ends of `channel` that it was for; `code` is the notice's where these are still the user's.
    """

    user: str
    channel: Channel
    boss: Address
    own: Address
    code: str
    rings: bool


async def _call(reply_id: str, context: TurnContext) -> Call[str]:
    lost = await _lost(reply_id, context.mailbox)
    if lost is None:
        return calls.no_cross_channel_notice(reply_id, "expired")
    user = context.users.with_id(lost.user)
    event = _event(user, lost, _name(reply_id), context) if user else None
    if user is None or event is None:
        return calls.no_cross_channel_notice(reply_id, "no_other_channel")
    identities = context.identities
    conversation = identities.conversation(event.key())
    return calls.cross_channel_notice(
        reply_id,
        conversation,
        event,
        sender=identities.sender(event.from_),
        pair=identities.pair(event.to, event.from_),
        user=identities.user(user.id),
        code=lost.code if _is_theirs(user, lost, context) else notices.ADDRESS_CHANGED,
        wake=job(conversation, event.channel),
    )


async def _lost(reply_id: str, mailbox: AsyncMailbox) -> _Lost | None:
    """The reply of that id, or the message to which there is none; None where neither is known any more."""
    reply = await mailbox.reply(reply_id)
    if reply is not None:
        command, kind = reply.command, CHANNELS[reply.command.channel].kind
        code = notices.lost(kind, notice=bool(reply.notice), copy=reply.answers == "copy")
        return _Lost(command.user, command.channel, command.from_, command.to, code, rings=reply.answers == "reminder")
    message = await mailbox.first_message(turn_id_of(reply_id))
    if message is None or message.event is None:
        return None
    event = message.event
    return _Lost(event.user, event.channel, event.to, event.from_, notices.ADDRESS_CHANGED, rings=message.kind == "reminder")


def _is_theirs(user: User, lost: _Lost, context: TurnContext) -> bool:
    found = context.users.find(lost.channel, lost.boss, lost.own)
    return found is not None and found.id == user.id


def _event(user: User, lost: _Lost, name: str, context: TurnContext) -> Received | None:
    """The event that the notice answers, on the user's first other channel; None where they have none.

    Where the address is not theirs any more their new one on the same channel counts as another one, for a reminder as the first.
    """
    others = [channel for channel in CHANNELS if channel != lost.channel]
    changed = not _is_theirs(user, lost, context)
    same = [lost.channel] if changed else []
    if lost.rings:  # it goes there as it was
        subject = said("reminder_subject", user.language)
    else:
        subject = notices.elsewhere_subject(CHANNELS[lost.channel].kind, user.language, changed=changed)
    for channel in (*same, *others) if lost.rings else (*others, *same):
        if not user.bridge_only and (ends := user.ends(channel)):
            return FORMATS[channel].notice_event(ends, name, user.id, subject, time.time())
    return None


def _name(reply_id: str) -> str:
    """The notice's id; `cross_channel_notice.lua` makes it in the same way."""
    return "n-" + reply_id.removeprefix("r-")
