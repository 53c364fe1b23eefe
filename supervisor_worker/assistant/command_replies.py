"""The answers to commands (`shared.model.commands`), made by code from what the mailbox holds: no model is asked.

Nothing in them offers a word that opts out. A person is told of their own messages alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from shared.mailbox import AsyncMailbox
from shared.mailbox.client import Standing
from shared.mailbox.records import Message, MessageState, ReplyState
from shared.model.addresses import Channel, Identities
from shared.model.channels import CHANNELS
from shared.model.events import Received, Response
from shared.model.forwarding import WITHHELD
from shared.model.users import User, Users
from supervisor_worker.assistant.prompt import zone
from supervisor_worker.channels.formats import MessageFormat

LOOKED_AT: Final = 50
"""The newest messages of a person that a status reads at once."""
MAX_LOOKS: Final = 4
"""How often it reads so many, where hardly one of them is the person's own: strangers may have written to their forwarding addresses."""
SHOWN: Final = 3
MAX_PARTS: Final = 50
"""How many parts of one answer are followed to the newest."""

HELP: Final = (
    'Write to me in your own words. By themselves, as a whole message, these are commands: "status" (what waits for an answer), '
    '"more" (the rest of a long answer), "new chat" (starts afresh; "back" within an hour returns), "help".'
)
NO_MORE: Final = "There is no more: that was all of my last answer."
NEW: Final = 'A new chat begins here. Nothing is deleted: "back" within an hour returns to the one before.'
BACK: Final = "We are back in the chat before."
_BECAME: Final = {
    MessageState.PENDING: "waits",
    MessageState.IN_TURN: "waits",
    MessageState.ANSWERED: "answered",
    MessageState.HANDED_OVER: "answered elsewhere",
}
_NOT_ARRIVED: Final = (ReplyState.FAILED, ReplyState.UNDELIVERED)
_WAIT: Final = (MessageState.PENDING, MessageState.IN_TURN)


@dataclass(frozen=True)
class CommandReplies:
    """Makes the answers of one worker process."""

    mailbox: AsyncMailbox
    users: Users
    identities: Identities
    forms: Mapping[Channel, MessageFormat]

    async def reply(self, message: Message, event: Received, reply_id: str) -> Response:
        """The answer to a command, ready to be stored. Raises RedisError."""
        form = self.forms[event.channel]
        if message.command == "more" and (rest := await self._rest(message.rest, event.user)):
            return form.continued(event, rest, reply_id)
        fixed = {"help": HELP, "more": NO_MORE, "new": NEW, "back": BACK}
        return form.reply(event, fixed.get(message.command) or await self._status(event), reply_id)

    async def _rest(self, reply_id: str, user: str) -> str:
        """What the newest part of an answer left out; '' for another user's, who may have had this number before.

        A part that did not arrive is not the newest: it is what is asked for.
        """
        part = await self.mailbox.reply(reply_id) if reply_id else None
        for _ in range(MAX_PARTS):
            if part is None or part.command.user != user:
                return ""
            after = await self.mailbox.reply(part.next) if part.next else None
            if after is None or after.state in _NOT_ARRIVED:
                return part.command.rest
            part = after
        return ""

    async def _status(self, event: Received) -> str:
        user = self.users.named(event.user)
        messages = await self._newest(self.identities.user(event.user))
        pairs = self._pairs(user)
        waiting = [message for message in messages if message.state in _WAIT]
        standing = await self.mailbox.standing(list(pairs), [message.conversation for message in waiting])
        return status(messages, standing, [pairs[pair] for pair in standing.opted_out], zone(user), datetime.now(UTC))

    async def _newest(self, user: str) -> list[Message]:
        """A person's own newest messages, newest first."""
        own: list[Message] = []
        for look in range(MAX_LOOKS):
            names = await self.mailbox.listed(user, LOOKED_AT, look * LOOKED_AT)
            own += [found for found in await self.mailbox.messages(names) if found and _is_own(found)]
            if len(own) >= SHOWN or len(names) < LOOKED_AT:
                break
        return own

    def figures(self, command: Response) -> dict[str, int | str]:
        """What sending an answer costs, for its record."""
        return self.forms[command.channel].figures(command)

    def _pairs(self, user: User | None) -> dict[str, Channel]:
        """The person's pairs of addresses, by which opt-outs and pauses are kept."""
        ends = {channel: user.ends(channel) for channel in CHANNELS} if user else {}
        return {self.identities.pair(*both): channel for channel, both in ends.items() if both}


def _is_own(message: Message) -> bool:
    """Whether a person wrote a message themselves, and not as a command: what comes by their forwarding addresses they did not."""
    forwarded = message.reason == WITHHELD or (message.event is not None and message.event.forwarding != "")
    return not (message.command or message.kind == "notice" or forwarded)


def status(messages: Sequence[Message], standing: Standing, opted_out: Sequence[Channel], local: tzinfo, now: datetime) -> str:
    """What waits, what became of the last messages and what holds them up. `messages` are one person's, newest first."""
    waiting = [message for message in messages if message.state in _WAIT]
    said = [_waiting(waiting, local, now)]
    if messages:
        said.append("Your last: " + "; ".join(_became(message, local, now) for message in messages[:SHOWN]) + ".")
    if standing.held:
        said.append("I have used up what I may think about today, and answer when the next day (UTC) begins.")
    if standing.paused:
        said.append("Sending is paused.")
    said += [f"I send you no {CHANNELS[channel].kind}s, since you asked me not to." for channel in opted_out]
    return " ".join(said if standing.held or standing.paused or opted_out else [*said, "Nothing is paused."])


def _waiting(waiting: Sequence[Message], local: tzinfo, now: datetime) -> str:
    if not waiting:
        return "None of your messages waits for an answer."
    since = _when(waiting[-1], local, now)
    if len(waiting) == 1:
        return f"1 of your messages waits for an answer, since {since}."
    return f"{len(waiting)} of your messages wait for an answer, the first since {since}."


def _became(message: Message, local: tzinfo, now: datetime) -> str:
    return f"{_when(message, local, now)} {CHANNELS[message.channel].kind}, {_BECAME.get(message.state, 'not answered')}"


def _when(message: Message, local: tzinfo, now: datetime) -> str:
    """The time of day in the person's zone, with the day where that is not today."""
    at = datetime.fromtimestamp(message.accepted_at / 1000, local)
    today = now.astimezone(local).date()
    return f"{at:%H:%M}" if at.date() == today else f"{at.day} {at:%b %H:%M}"
