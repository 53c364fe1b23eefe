"""The cross-channel notice: a user whom a reply did not reach is told so on their other channel.

A delivery report, or a final refusal, puts the reply on a list, once (`replies.lua`). Every worker's sweep reads that list, and one script
removes a reply from it and appends the notice in the same step. So the user is told once, however often the report comes and whichever
process is killed. The notice is sent, waits for a pause or is stopped by an opt-out like every other message.

The users file says who the user is, by both addresses of the reply; nothing that was received decides it. The notice repeats nothing of
the reply; a reminder's text goes to the other channel.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from redis.exceptions import RedisError

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.records import Reply
from shared.mailbox.wake_queue import job
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


async def _call(reply_id: str, context: TurnContext) -> Call[str]:
    reply = await context.mailbox.reply(reply_id)
    if reply is None:
        return calls.no_cross_channel_notice(reply_id, "expired")
    user, event = _user(reply, context), None
    if user is not None:
        event = _event(user, reply)
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
        code=notices.lost(CHANNELS[reply.command.channel].kind, notice=bool(reply.notice), copy=reply.answers == "copy"),
        wake=job(conversation, event.channel),
    )


def _user(reply: Reply, context: TurnContext) -> User | None:
    """Whom the reply was for, by the present users file: a number that has changed hands is another user's, or a stranger's."""
    command = reply.command
    return context.users.find(command.channel, command.from_, command.to)


def _event(user: User, reply: Reply) -> Received | None:
    """The event that the notice answers, on the user's first other channel; None where they have none."""
    if reply.answers == "reminder":  # it goes there as it was
        subject = said("reminder_subject", user.language)
    else:
        subject = notices.lost_subject(CHANNELS[reply.command.channel].kind, user.language)
    for channel in CHANNELS:
        if channel != reply.command.channel and (ends := user.ends(channel)):
            return FORMATS[channel].notice_event(ends, _name(reply.id), user.id, subject, time.time())
    return None


def _name(reply_id: str) -> str:
    """The notice's id; `cross_channel_notice.lua` makes it in the same way."""
    return "n-" + reply_id.removeprefix("r-")
