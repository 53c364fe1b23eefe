"""Judges once what of a turn's mails is folded, off the event loop, and keeps it with them before they are shown in a question."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from shared.mailbox import calls
from shared.mailbox.records import Message, Turn
from shared.model import folds
from supervisor_worker.assistant import quoted_history
from supervisor_worker.assistant.reply import history_of
from supervisor_worker.turns.context import TurnContext


async def with_folds(turn: Turn, context: TurnContext) -> Turn:
    """The turn, each of its mails with its folds. Raises RedisError."""
    return replace(turn, messages=tuple([await _judged(message, turn, context) for message in turn.messages]))


async def _judged(message: Message, turn: Turn, context: TurnContext) -> Message:
    event = message.event
    if event is None or message.folds is not None or message.kind == "notice" or not quoted_history.may_quote(event):
        return message
    tokens = context.settings.history_tokens
    tokens = tokens // 2 if event.media or event.files else tokens  # what is shown of files takes its room from the history
    history, user = history_of(turn, event.user), context.users.named(event.user)
    found = await asyncio.to_thread(quoted_history.folds_of, event, history, user, tokens)
    stored = await context.mailbox.run(calls.store_folds(message.id, found))
    return replace(message, folds=folds.decode(stored) if stored else found)
