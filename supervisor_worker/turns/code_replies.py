"""The replies that code makes by itself: of reminders, copies, programs, questions that wait for a yes, answers, and months used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from shared.mailbox.calls import AnswerReplies, approval_of
from shared.mailbox.records import Message, Turn
from shared.model import words
from shared.model.approvals import VERDICTS, Verdict
from shared.model.events import Received, Response, SendEmailResponse, SendSmsResponse
from shared.model.files import File
from shared.model.words import said
from supervisor_worker.assistant import approval_texts, notices, reminder_texts
from supervisor_worker.channels.formats import MessageFormat, configured
from supervisor_worker.media.copied_files import CopiedFiles
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery_result import PendingReply
from supervisor_worker.turns.lease import Lease

CodeReply = tuple[Response, PendingReply]


async def code_reply(  # noqa: PLR0911 - a row a kind
    context: TurnContext, turn: Turn, events: Sequence[Received], lease: Lease, stop: str
) -> CodeReply | Literal["unreadable", "told"] | None:  # fmt: skip
    """The reply to a turn that needs no model; None for what the model is asked about. `stop`: whose month is used up (`Claim.stop`).

    `unreadable`: nothing is left to say of reminders whose records cannot be read. `told`: the person was told today that nothing may be
    asked for the rest of the month. Raises RedisError.
    """
    message, *others = turn.messages
    if message.kind == "reminder" and not others:
        return _reminder(context, turn, message, events[0], lease.now_ms())
    if message.kind == "outgoing":
        return _outgoing(context, turn, message, events[0])
    if message.kind == "copy" and not others:
        return await _copy(context, turn, message, events[0], lease.token)
    if message.kind == "question" or message.answer:
        return await _question(context, turn, message, events[0]) if message.kind == "question" else _answer(context, turn, events[0])
    if message.command and not others:
        command, figures = await context.command_replies.reply(message, events[0], turn.reply_id)
        return command, PendingReply(turn, figures, answers=message.command)
    if stop in ("", "told"):
        return "told" if stop else None
    language, zone = context.users.language(events[-1].user), context.zone_of(events[-1], stop)
    now = datetime.fromtimestamp(lease.now_ms() / 1000, zone)
    generated = await context.replies.by_code(events[-1], turn.reply_id, notices.month_over(stop, now, language))
    return generated.command, PendingReply(turn, generated.figures)


async def _copy(context: TurnContext, turn: Turn, message: Message, event: Received, token: str) -> CodeReply | Literal["unreadable"]:
    """A copy for the person's other channel. An answer that was sent goes as it was said, with what a text had to leave out."""
    language, copy = context.users.language(event.user), message.copy
    form, text = _form(context, event), copy.text
    if copy.reply:
        answer = await context.mailbox.reply(copy.reply)
        if answer is None or answer.command.user != event.user:
            return "unreadable"
        text = answer.command.written + answer.command.rest
    if not text.strip():
        return "unreadable"
    files, missing = await _copied_files(context, turn, message, event, token)
    above = f"{words.said('copy_of_others', language)}\n\n" if copy.marked else ""
    below = f"\n\n{words.said('copy_files_missing', language, count=missing)}" if missing else ""
    command = (form.announced if copy.reply else form.opening)(event, above + text + below, turn.reply_id)
    command = replace(command, files=files) if files and isinstance(command, SendEmailResponse) else command
    figures: dict[str, int | str] = {"by_code": 1, **({"mixed": 1} if copy.marked else {}), **form.figures(command)}
    return command, PendingReply(turn, figures, answers="copy")


def _outgoing(context: TurnContext, turn: Turn, message: Message, event: Received) -> CodeReply | Literal["unreadable"]:
    """What a program, or the operator, has us write: as it was taken in, whole."""
    text = message.said.shown
    if not message.said.text.strip():
        return "unreadable"
    form = _form(context, event)
    command = form.announced(event, text, turn.reply_id)
    if isinstance(command, SendSmsResponse) and command.rest:  # SMS_MAX_SEGMENTS is less by now than when its length was judged
        command = replace(command, message=text, rest="")
    figures: dict[str, int | str] = {"by_code": 1, "mixed": 1, **form.figures(command)}
    return command, PendingReply(turn, figures, answers="outgoing")


async def _copied_files(
    context: TurnContext, turn: Turn, message: Message, event: Received, token: str
) -> tuple[tuple[File, ...], int]:  # fmt: skip
    """The files of the person's texts that a copy by mail is about, and how many could not be had; a text takes none."""
    if event.channel != "email" or not message.copy.messages:
        return (), 0
    found = await context.mailbox.messages(list(message.copy.messages))
    events = [each.event for each in found if each and each.event and each.user == message.user and each.event.media]
    copied = CopiedFiles(
        context.mailbox, context.media_loader, context.settings, message.conversation, token, turn.reply_id, message.user
    )  # fmt: skip
    return await copied.of(events)


def _reminder(context: TurnContext, turn: Turn, message: Message, event: Received, now_ms: int) -> CodeReply | Literal["unreadable"]:
    language = context.users.language(event.user)
    forms = configured(context.settings, context.users.with_id(event.user))
    told = reminder_texts.reply(message, event, turn.reply_id, forms, now_ms=now_ms, language=language)
    return (told[0], PendingReply(turn, told[1], answers="reminder")) if told else "unreadable"


async def _question(context: TurnContext, turn: Turn, message: Message, event: Received) -> CodeReply | Literal["unreadable"]:
    """A question that waits for a yes, in a conversation of its own. One that has ended meanwhile is taken back, and not sent."""
    asked = await context.mailbox.run(approval_of(message.approval))
    if asked is None:
        return "unreadable"
    users, language = context.users, context.users.language(event.user)
    asker = next((user for user in users.all if asked.named and context.identities.user(user.id) == asked.user), None)
    form = _form(context, event)
    name = (asker.name or asker.username) if asker else ""
    command = form.opening(event, approval_texts.question(asked.calls, asked.code, language, asker=name), turn.reply_id)
    figures: dict[str, int | str] = {"by_code": 1, "names_others": 1, **form.figures(command)}
    return command, PendingReply(turn, figures, answers="question", approval=asked.id)


def _answer(context: TurnContext, turn: Turn, event: Received) -> CodeReply:
    """What is said to an answer, whatever it comes to: that is known when it is taken."""
    language = context.users.language(event.user)
    form = _form(context, event)
    replies: dict[Verdict, tuple[Response, dict[str, int | str]]] = {}
    for verdict in VERDICTS:
        command = form.reply(event, said(f"approval_{verdict}", language), turn.reply_id)
        replies[verdict] = (command, form.figures(command))
    command, figures = replies["already"]
    return command, PendingReply(turn, figures, answers="approval", answer=AnswerReplies(replies))


def _form(context: TurnContext, event: Received) -> MessageFormat:
    return configured(context.settings, context.users.with_id(event.user))[event.channel]
