"""Asking for a yes: who is asked, where, and by which code. Code writes the question; its record is made when the turn's reply is stored.

The turn's own reply asks it, where it fits in there and the person is asked themselves. Else it goes by a message of its own: by mail,
where it is too long for a text, or to the approver whom the operator's rule names.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import Question, QuestionMessage, approval_code, approval_id
from shared.mailbox.records import Turn
from shared.model.addresses import Channel, Identities
from shared.model.approvals import CODE_DIGITS, ApprovalCall
from shared.model.channels import CHANNELS
from shared.model.events import EmailReceived, Received, Response, SmsReceived
from shared.model.users import User, Users
from shared.model.words import said
from supervisor_worker.assistant.approval_texts import question, what
from supervisor_worker.channels.formats import FORMATS, configured

CODES: Final = 20
"""So many codes are tried at once: a person would have to be asked thousands of questions a day for all of them to be taken."""


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that waits for a yes. `approver` is the username of who is asked, "" for the person themselves."""

    call: ApprovalCall
    approver: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reply says of calls that wait (Markdown), and their question; None where nobody can be asked."""

    text: str = ""
    question: Question | None = None

    @property
    def approval(self) -> str:
        """The id of the question that the reply itself asks; "" where it is asked elsewhere, or nothing is."""
        return self.question.id if self.question and self.question.message is None else ""

    def is_read_in(self, command: Response) -> bool:
        """Whether a reply that is to ask it does, to the end."""
        return not self.approval or self.question is None or command.text.count(self.question.code) >= self.text.count(self.question.code)


NOTHING_ASKED: Final = Asked()


@dataclass(frozen=True)
class Questions:
    """Makes the questions of one worker process."""

    users: Users
    identities: Identities
    settings: Settings

    async def ask(self, waiting: Sequence[WaitingCall], turn: Turn, event: Received, before: str, mailbox: AsyncMailbox) -> Asked:
        """The question about all of these calls, which one approver answers. `event` is what the turn's reply answers.

        `before` is what stands above the question in that reply. Raises RedisError.
        """
        user = self.users.with_id(event.user)
        if not waiting or user is None:
            return NOTHING_ASKED
        first = waiting[0].approver
        chosen = [each.call for each in waiting if each.approver == first]
        approver = self.users.named(first) if first and first != user.username else user
        language = user.language
        apart = [said("ask_apart", language, what=what(each.call, language)) for each in waiting if each.approver != first]
        if approver is None:
            return Asked("\n".join([said("cannot_ask_another", language, who=first), *apart]))
        name, whose = approval_id(turn.id), self.identities.user(approver.id)
        codes = [f"{secrets.randbelow(9 * 10 ** (CODE_DIGITS - 1)) + 10 ** (CODE_DIGITS - 1)}" for _ in range(CODES)]
        code = await mailbox.run(approval_code(whose, name, codes))
        if not code:
            return Asked("\n".join([said("cannot_ask_now", language), *apart]))
        asked = Question(
            name, code, tuple(chosen), self.identities.user(user.id), whose, turn.person, turn.epoch, emptied(event, f"m-{name}"),
            named=approver.id != user.id, mixed=any(call.marked for call in chosen),
        )  # fmt: skip
        found = self._self_asked(asked, user, event, before) if approver.id == user.id else self._other_asked(asked, user, approver, event)
        return replace(found, text="\n".join([found.text, *apart]))

    def _self_asked(self, asked: Question, user: User, event: Received, before: str) -> Asked:
        text = question(asked.calls, asked.code, user.language)
        whole = f"{before}\n\n{text}" if before else text
        if self._fits(whole, asked.code, event, user):
            return Asked(text, asked)
        message = self._message(asked, user, user, [channel for channel in CHANNELS if channel != event.channel], event)
        if message is None:
            return Asked(said("cannot_ask", user.language))
        return Asked(said("asked_by_mail", user.language), replace(asked, message=message))

    def _other_asked(self, asked: Question, user: User, approver: User, event: Received) -> Asked:
        message = self._message(asked, user, approver, list(CHANNELS), event)
        name = approver.name or approver.username
        if message is None:
            return Asked(said("cannot_ask_another", user.language, who=name))
        return Asked(said("asked_another", user.language, who=name), replace(asked, message=message))

    def _message(self, asked: Question, user: User, reader: User, channels: Sequence[Channel], event: Received) -> QuestionMessage | None:
        """Where a question goes by a message of its own: the first channel on which it fits; None for nowhere."""
        text = question(asked.calls, asked.code, reader.language, asker=user.name or user.username if reader.id != user.id else "")
        for channel in channels:
            if reader.bridge_only or not (ends := reader.ends(channel)):
                continue
            about = said("ask_subject", reader.language)
            made = FORMATS[channel].notice_event(ends, f"n-{asked.id}", reader.id, about, event.received_at)
            if self._fits(text, asked.code, made, reader):
                identities = self.identities
                return QuestionMessage(
                    identities.conversation(made.key()), identities.sender(made.from_), identities.pair(made.to, made.from_), made
                )
        return None

    def _fits(self, text: str, code: str, event: Received, user: User) -> bool:
        """Whether all of a question can be read where it is asked: its end, which names the code, is the first thing to be cut."""
        command = configured(self.settings, user)[event.channel].reply(event, text, "r-")
        return not command.rest and command.text.count(code) >= text.count(code)


def emptied(event: Received, name: str) -> Received:
    """What the turn of approved calls answers: both ends, and the thread, of what was asked, and none of its words."""
    if isinstance(event, SmsReceived):
        return replace(event, id=name, message="", media_count=0, media=(), hidden=0)
    if isinstance(event, EmailReceived):
        return replace(event, id=name, body="", marks=(), files=(), attachments=(), hidden=0)
    return replace(event, id=name)
