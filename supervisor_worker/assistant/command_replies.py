"""The answers to commands (`shared.model.commands`), made by code from what the mailbox holds: no model is asked.

Nothing in them offers a word that opts out. A person is told of their own messages alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.client import Standing
from shared.mailbox.records import Message, MessageState, Reply, ReplyState
from shared.model import words
from shared.model.addresses import Channel, Identities
from shared.model.channels import CHANNELS
from shared.model.commands import CommandName
from shared.model.events import Received, Response
from shared.model.forwarding import WITHHELD
from shared.model.users import User, Users
from supervisor_worker.assistant.moved_reminders import moved
from supervisor_worker.assistant.reminder_texts import place_of
from supervisor_worker.assistant.time_notes import zone
from supervisor_worker.channels.formats import configured

LOOKED_AT: Final = 50
"""The newest messages of a person that a status reads at once."""
MAX_LOOKS: Final = 4
"""How often it reads so many, where hardly one of them is the person's own: strangers may have written to their forwarding addresses."""
SHOWN: Final = 3
MAX_PARTS: Final = 50
"""How many parts of one answer are followed to the newest."""

_FIXED: Final[dict[CommandName, str]] = {"help": "help", "more": "no_more", "new": "new_chat", "back": "back", "keep": "zone_kept"}
"""The sentence of each command that always gets the same; `more` only where there is no more."""
_BECAME: Final = {
    MessageState.PENDING: "state_waits",
    MessageState.IN_TURN: "state_waits",
    MessageState.ANSWERED: "state_answered",
    MessageState.HANDED_OVER: "state_elsewhere",
}
_NOT_ARRIVED: Final = (ReplyState.FAILED, ReplyState.UNDELIVERED)
_WAIT: Final = (MessageState.PENDING, MessageState.IN_TURN)


@dataclass(frozen=True)
class CommandReplies:
    """Makes the answers of one worker process."""

    mailbox: AsyncMailbox
    users: Users
    identities: Identities
    settings: Settings

    async def reply(self, message: Message, event: Received, reply_id: str) -> tuple[Response, dict[str, int | str]]:
        """The answer to a command, ready to be stored, and the figures for its record. Raises RedisError."""
        language = self.users.language(event.user)
        form = configured(self.settings, self.users.with_id(event.user))[event.channel]
        part = await self._part(message.rest, event.user) if message.command == "more" else None
        if part is not None and part.command.rest:
            command = form.continued(event, part.command.rest, reply_id)
            return command, {**form.figures(command), **_marks_of(part)}
        command = form.reply(event, await self._told(message, event, language), reply_id)
        return command, form.figures(command)

    async def _told(self, message: Message, event: Received, language: str) -> str:
        if message.command == "move":
            return await self._moved(event, language)
        fixed = _FIXED.get(message.command)
        return words.said(fixed, language) if fixed else await self._status(message, event)

    async def _part(self, reply_id: str, user: str) -> Reply | None:
        """The newest part of an answer, which left something out; None for another user's, who may have had this number before.

        A part that did not arrive is not the newest: it is what is asked for.
        """
        part = await self.mailbox.reply(reply_id) if reply_id else None
        for _ in range(MAX_PARTS):
            if part is None or part.command.user != user:
                return None
            after = await self.mailbox.reply(part.next) if part.next else None
            if after is None or after.state in _NOT_ARRIVED:
                return part
            part = after
        return None

    async def _moved(self, event: Received, language: str) -> str:
        """Let the person's reminders go by the clock of their zone; what a repeat finds moved stays."""
        user, at = self.identities.user(event.user), zone(self.users.with_id(event.user))
        waiting = await self.mailbox.run(calls.waiting_reminders(user))
        apart = [alarm for alarm in waiting.due if alarm.zone != str(at)]
        if isinstance(at, ZoneInfo) and apart:
            await self.mailbox.run(calls.move_zone(user, at.key, [moved(alarm, at, waiting.now_ms) for alarm in apart]))
        return words.said("zone_moved", language, new=place_of(str(at)))

    async def _status(self, message: Message, event: Received) -> str:
        return await self.standing_of(event.user, self.now(event.user, message.accepted_at))

    def now(self, user: str, at_ms: int) -> datetime:
        """A time of the records in a person's zone."""
        return datetime.fromtimestamp(at_ms / 1000, zone(self.users.with_id(user)))

    async def standing_of(self, user: str, now: datetime, *, without: str = "") -> str:
        """What waits of a person, what became of their last messages and what holds them up; without those of one turn."""
        messages = [each for each in await self._newest(self.identities.user(user)) if not without or each.turn != without]
        pairs = self._pairs(self.users.with_id(user))
        waiting = [each for each in messages if each.state in _WAIT]
        standing = await self.mailbox.standing(list(pairs), [each.conversation for each in waiting])
        return status(messages, standing, [pairs[pair] for pair in standing.opted_out], now, self.users.language(user))

    async def _newest(self, user: str) -> list[Message]:
        """A person's own newest messages, newest first."""
        own: list[Message] = []
        for look in range(MAX_LOOKS):
            names = await self.mailbox.listed(user, LOOKED_AT, look * LOOKED_AT)
            own += [found for found in await self.mailbox.messages(names) if found and _is_own(found)]
            if len(own) >= SHOWN or len(names) < LOOKED_AT:
                break
        return own

    def _pairs(self, user: User | None) -> dict[str, Channel]:
        """The person's pairs of addresses, by which opt-outs and pauses are kept."""
        ends = {channel: user.ends(channel) for channel in CHANNELS} if user else {}
        return {self.identities.pair(*both): channel for channel, both in ends.items() if both}


def _marks_of(part: Reply) -> dict[str, int | str]:
    """What was made under the eyes of words of others is so in all its parts."""
    return {"mixed": 1} if part.mixed or part.names_others else {}


def _is_own(message: Message) -> bool:
    """Whether a person wrote a message themselves, and not as a command: what comes by their forwarding addresses they did not."""
    forwarded = message.reason == WITHHELD or (message.event is not None and message.event.forwarding != "")
    briefing = message.event is not None and message.event.briefing
    by_code = message.command or message.answer or message.kind in ("notice", "reminder", "copy", "question", "approved", "outgoing")
    return not (by_code or forwarded or briefing)


def status(messages: Sequence[Message], standing: Standing, opted_out: Sequence[Channel], now: datetime, language: str) -> str:
    """What waits, what became of the last messages and what holds them up. `messages` are one person's, newest first.

    `now` is in the person's zone.
    """
    waiting = [message for message in messages if message.state in _WAIT]
    told = [_waiting(waiting, now, language)]
    if messages:
        last = "; ".join(_became(message, now, language) for message in messages[:SHOWN])
        told.append(words.said("status_last", language, each=last))
    holding = [
        *(["status_held"] if standing.held else []),
        *(["status_paused"] if standing.paused else []),
        *(f"opted_out_{CHANNELS[channel].kind}" for channel in opted_out),
    ]
    return " ".join([*told, *(words.said(name, language) for name in holding or ["status_not_paused"])])


def _waiting(waiting: Sequence[Message], now: datetime, language: str) -> str:
    if not waiting:
        return words.said("status_none", language)
    since = _when(waiting[-1], now, language)
    return words.counted("status", len(waiting), language, since=since)


def _became(message: Message, now: datetime, language: str) -> str:
    kind = words.said(f"kind_{CHANNELS[message.channel].kind}", language)
    state = words.said(_BECAME.get(message.state, "state_not_answered"), language)
    return words.said("status_each", language, when=_when(message, now, language), kind=kind, state=state)


def _when(message: Message, now: datetime, language: str) -> str:
    """The time of day in the person's zone, with the day where that is not today."""
    at = datetime.fromtimestamp(message.accepted_at / 1000, now.tzinfo)
    return f"{at:%H:%M}" if at.date() == now.date() else f"{words.date(at, language)} {at:%H:%M}"
