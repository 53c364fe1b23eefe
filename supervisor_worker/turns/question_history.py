"""What a turn's question shows of the conversation: where the history begins, and what of the turn's mails it holds already.

Both are judged once and kept before anything is asked, so that every later question shows the same lines in the same bytes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from shared.mailbox import calls
from shared.mailbox.records import Message, Reply, Turn
from shared.model import folds
from supervisor_worker.assistant import quoted_history
from supervisor_worker.assistant.history import ShownHistory, shown_history
from supervisor_worker.assistant.time_notes import zone
from supervisor_worker.turns.context import TurnContext


async def history_of(turn: Turn, context: TurnContext, token: str) -> ShownHistory:
    """What the question shows of what was said before. Where that has outgrown its bound, its record says so. Raises RedisError."""
    event = turn.messages[-1].event
    user = event.user if event else ""
    said = [record for record in turn.history if _user_of(record) == user]
    shown = shown_history(said, turn.beginning, context.settings.history_tokens, zone(context.users.with_id(user)))
    wanted = shown.outgrown and context.settings.history_summaries
    if shown.begins_with or (wanted and not turn.beginning.wanted):
        call = calls.outgrown(
            turn.messages[-1].conversation, token, turn.beginning.version, begins_with=shown.begins_with, wanted=wanted,
            quiet_ms=context.quiet_ms, retention_ms=context.retention_ms,
        )  # fmt: skip
        await context.mailbox.run(call)
    return shown


def _user_of(record: Message | Reply) -> str:
    """Whose a record of the history is. A number may have changed hands, and the script cannot tell it from records of older versions."""
    if isinstance(record, Reply):
        return record.command.user
    return record.event.user if record.event else ""


async def with_folds(turn: Turn, history: ShownHistory, context: TurnContext) -> Turn:
    """The turn, each of its mails with its folds, off the event loop. Raises RedisError."""
    return replace(turn, messages=tuple([await _judged(message, history, context) for message in turn.messages]))


async def _judged(message: Message, history: ShownHistory, context: TurnContext) -> Message:
    event = message.event
    if event is None or message.folds is not None or message.kind == "notice" or not quoted_history.may_quote(event):
        return message
    found = await asyncio.to_thread(quoted_history.folds_of, event, history, context.users.with_id(event.user))
    stored = await context.mailbox.run(calls.store_folds(message.id, found))
    return replace(message, folds=folds.decode(stored) if stored else found)
