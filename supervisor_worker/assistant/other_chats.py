"""What was said last in a person's other conversations, as a question shows it: notes of ours in the newest message. Pure.

Only the person's own words and the model's own stand there. What others wrote, and what was answered under their words, is left out: it
would make every turn of the person a mixed one for two weeks, on all channels. `search_history` finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from shared.mailbox.records import Message, Reply
from shared.model.channels import CHANNELS
from supervisor_worker.assistant import time_notes
from supervisor_worker.assistant.history import shows_others
from supervisor_worker.channels.notes import note, theirs

TOKENS: Final = 1_500
BYTES: Final = TOKENS * 4
"""Bytes of the notes, with what stands around the words; English has four to a token."""
NOTES_BYTES: Final = BYTES
RECORD_BYTES: Final = 3 * BYTES
"""Bytes of records that are read for them: JSON spells a letter outside of ASCII with six bytes, and a record has more than its text."""
MAX_LINE: Final = 600
"""Characters of one message or answer."""
_BEFORE: Final = "Said lately in other chats of this person, for you to know; it is not what they ask now"
_END: Final = "End of what was said in other chats"
_LEFT_OUT: Final = "words of others, and answers about them, are left out here; search_history shows them"


def notes_of(records: Sequence[Message | Reply], at: tzinfo) -> list[str]:
    """What these records say, each conversation by itself, oldest first; the newest as far as BYTES have room. Nothing for none."""
    room = BYTES - sum(len(part.encode()) for part in (note(_BEFORE), note(_END), note(_LEFT_OUT))) - 10
    chosen: list[tuple[str, str]] = []
    left_out = False
    for record in sorted(records, key=time_notes.time_of, reverse=True):
        words, others = _words_of(record)
        left_out = left_out or others
        line = _line(record, words, at) if words else ""
        if line and (room := room - len(line.encode()) - 1) < 0:
            break
        chosen += [(record.conversation, line)] if line else []
    if not chosen:
        return []
    return ["\n".join([note(_BEFORE), *_by_conversation(chosen), *([note(_LEFT_OUT)] if left_out else []), note(_END)])]


def _by_conversation(chosen: Sequence[tuple[str, str]]) -> list[str]:
    """The lines, which come newest first with their conversations: oldest first, and the conversation that was active last comes last."""
    lines: dict[str, list[str]] = {}
    for conversation, line in chosen:
        lines.setdefault(conversation, []).append(line)
    return [line for of_one in reversed(lines.values()) for line in reversed(of_one)]


def models_words(reply: Reply) -> str:
    """What the model wrote of an answer, without what code put around it; '' for what code said by itself."""
    written = reply.command.written
    return "" if reply.by_code or reply.answers else written[reply.code_before : len(written) - reply.code_behind].strip()


def _words_of(record: Message | Reply) -> tuple[str, bool]:
    """The words that may be shown, and whether others' are left out."""
    if isinstance(record, Reply):
        return ("" if shows_others(record) else models_words(record)), shows_others(record)
    event = record.event
    if event is None or record.command or event.forwarding or event.briefing:
        return "", event is not None and bool(event.forwarding)
    # Of a mail that is nothing but others' words `own_text` is all of it.
    own = event.own_text if not event.marks or event.own_text != event.text else ""
    return own, shows_others(record)


def _line(record: Message | Reply, words: str, at: tzinfo) -> str:
    said = " ".join(theirs(words).split())
    said = said if len(said) <= MAX_LINE else said[:MAX_LINE].rstrip() + "..."
    channel = record.command.channel if isinstance(record, Reply) else record.channel
    when = time_notes.moment(time_notes.time_of(record), at)
    return f"{when}, by {CHANNELS[channel].kind}, {'you' if isinstance(record, Reply) else 'they'}: {said}"
