"""Commands: what a person may write as a whole message and code answers, without the model. Pure.

Only what the person wrote themselves counts: a quote and a signature below the word change nothing, and a message with a file is an
ordinary one. None of the words is one by which Twilio opts a person out or in (`shared.config.keyword_settings`). Twilio itself answers
the English `help` on most numbers, so that a text with it does not get here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal

from shared.model.events import Received

CommandName = Literal["", "help", "status", "more", "new", "back"]
"""'' for a message that is no command."""

WORDS: Final[dict[CommandName, tuple[str, ...]]] = {
    "help": ("help", "/help", "hilfe", "aide", "ayuda"),
    "status": ("status", "/status", "statut", "estado"),
    "more": ("more", "/more", "mehr", "la suite", "más", "mas"),
    "new": ("new chat", "/new", "neuer chat", "nouveau chat", "nuevo chat"),
    "back": ("back", "/back", "zurück", "zurueck", "retour", "volver"),
}
"""In English, German, French and Spanish."""
MAX_WORD: Final = 40
"""Characters of a message that may be a command."""
_AROUND: Final = " \t\n.!?\u2026\u00a1\u00bf\u3002\uff01\uff1f"
_SENTENCE_END: Final = re.compile(r"([!?\u2026\u3002\uff01\uff1f\u061f\n]|(?<!\b\w)\.(?=\s|$))")
_QUESTION_MARKS: Final = "?\uff1f\u061f"
_SIGNATURE: Final = re.compile(r"^-- ?$", re.MULTILINE)
_NAMES: Final[dict[str, CommandName]] = {word: name for name, words in WORDS.items() for word in words}


def command_of(event: Received) -> CommandName:
    """The command that a message is, "" for an ordinary one: the words alone, whatever their case and the punctuation around them."""
    if event.file_ids or event.media:
        return ""
    own = _own_words(event)
    return _NAMES.get(_plain(own), "") if len(own) <= MAX_WORD else ""


def named_in_questions(text: str) -> set[CommandName]:
    """The commands whose words stand in a question of a text: the same word in answer to it is an answer, and no command."""
    parts = _SENTENCE_END.split(text)
    questions = " ".join(said for said, end in zip(parts[::2], parts[1::2], strict=False) if end in _QUESTION_MARKS).casefold()
    return {name for name, pattern in _patterns().items() if pattern.search(questions)} if questions else set()


def _own_words(event: Received) -> str:
    """A message without what its sender did not write, and without the signature below it."""
    parts, at = [], 0
    for mark in sorted(event.marks, key=lambda mark: mark.start):
        parts.append(event.text[at : mark.start])
        at = max(at, mark.end)
    own = "".join([*parts, event.text[at:]])
    return _SIGNATURE.split(own, maxsplit=1)[0].strip()


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(_AROUND).split())


@cache
def _patterns() -> dict[CommandName, re.Pattern[str]]:
    return {name: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)") for name, words in WORDS.items()}
