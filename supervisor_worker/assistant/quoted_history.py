"""What of a mail the question holds already: which texts it shows of the conversation, and the folds that follow. Pure."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, tzinfo
from typing import Final

from shared.mailbox.records import Message, Reply
from shared.model.events import Received
from shared.model.folds import Fold
from shared.model.users import User
from supervisor_worker.assistant.folding import HeldText, fold
from supervisor_worker.assistant.history import ShownHistory, render

_NOTE: Final = re.compile("\u27e6[^\u27e7]*\u27e7")
_LINE_END: Final = re.compile(r"<(?:br|/p|/li|/tr|/div|/h[1-6]|/pre|/blockquote)\b[^>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_BOSS: Final = "boss"


def may_quote(event: Received) -> bool:
    """Whether a message may quote the conversation: a mail, but none by a forwarding address; nobody quotes in a text."""
    return event.header_id != "" and not event.forwarding


def folds_of(event: Received, history: ShownHistory, user: User | None) -> tuple[Fold, ...]:
    """What of a message is folded in a question that shows this history."""
    held = [_held(record, history.at) for record in reversed(history.records)]
    names = [_BOSS, str(event.to), str(event.from_), *([user.name] if user else [])]
    return fold(event.text, held, names)


def _held(record: Message | Reply, at: tzinfo) -> HeldText:
    if isinstance(record, Reply):
        markup = record.command.markup
        forms = (record.command.text, *([words_of(markup)] if markup else []))
        return HeldText(forms, f"your answer{_when(record.stored_at, at)}", ours=True)
    shown = _NOTE.sub("", render(record.event, folds=record.folds or ())) if record.event else ""
    return HeldText((shown,), f"their message{_when(record.accepted_at, at)}", ours=False)


def _when(at_ms: int, at: tzinfo) -> str:
    if not at_ms:
        return ""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(at)
    return f" of {local.day} {local:%B %Y, %H:%M}"


def words_of(markup: str) -> str:
    """The words of HTML that we wrote ourselves: only its letters and lines count here."""
    return html.unescape(_TAG.sub("", _LINE_END.sub("\n", markup)))
