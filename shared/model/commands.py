"""Commands: what a person may write as a whole message and code answers, without the model. Pure.

Only what the person wrote themselves counts: a quote and a signature below the word change nothing, a mail without a body says its
subject, and a message with a file is an ordinary one. None of the words is one by which Twilio opts a person out or in
(`shared.config.keyword_settings`). Twilio itself answers the English `help` on most numbers, so that a text with it does not get here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final, Literal

from shared.model.events import EmailReceived, Received

CommandName = Literal["", "help", "status", "more", "new", "back", "move", "keep"]
"""'' for a message that is no command."""
Answered = CommandName | Literal["digest", "reminder", "question", "approval", "copy", "outgoing"]
"""What code has said in a reply: the answer to a command, or what came by a forwarding address; a "question" that waits for a yes, or what
is said to an answer to one ("approval"); '' for what the model wrote."""

WORDS: Final[dict[CommandName, tuple[str, ...]]] = {
    "help": ("help", "/help", "hilfe", "aide", "ayuda"),
    "status": ("status", "/status", "statut", "estado"),
    "more": ("more", "/more", "mehr", "la suite", "más", "mas"),
    "new": ("new chat", "/new", "neuer chat", "nouveau chat", "nuevo chat"),
    "back": ("back", "/back", "zurück", "zurueck", "retour", "volver"),
    "move": ("move reminders", "erinnerungen umstellen", "déplacer les rappels", "mover recordatorios"),
    "keep": ("keep reminders", "erinnerungen lassen", "garder les rappels", "mantener recordatorios"),
}
"""In English, German, French and Spanish."""
_MAX_LOOKED_AT: Final = 200
MAX_WORD: Final = 40
"""Characters of a message that may be a command."""
_AROUND: Final = (
    " \t\n.!?,;:\u2026\u00a1\u00bf\u3002\u061f\"'*`\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a\u300c\u300d"
)
"""Our own `help` has the words in quotation marks, and so people copy them."""
_SENTENCE_END: Final = re.compile(r"([!?\u2026\u3002\uff01\uff1f\u061f\n]|(?<!\b\w)\.(?=\s|$))")
_QUESTION_MARKS: Final = "?\uff1f\u061f"
_SIGNATURE: Final = re.compile(r"^--[ \xa0]?$", re.MULTILINE)
_OF_A_PROGRAM: Final = re.compile(
    r"(?:\A|\n[ \t]*\n)\s*(?:sent (?:from|via|with)|get outlook for|von meine[mr]|gesendet (?:von|mit|über)"
    r"|diese nachricht wurde von|envoyé (?:de|à)|téléchargez outlook|enviado (?:de|desde|do|a partir)|obtener outlook"
    r"|obter o outlook|inviato da|verzonden (?:vanaf|met|via)"
    r"|skickat från|sendt fra|lähetetty|wysłane z|отправлено (?:с|из)|发自我|發自我|iphoneから|나의)[^\n?]{0,120}\s*\Z",  # noqa: RUF001
    re.IGNORECASE,
)
"""The last line of a mail that a phone's program writes below it ("Sent from my iPhone")."""
_NAMES: Final[dict[str, CommandName]] = {word: name for name, words in WORDS.items() for word in words}


def command_of(event: Received) -> CommandName:
    """The command that a message is, "" for an ordinary one: the words alone, whatever their case and the punctuation around them.

    What came by a forwarding address is none: whoever wrote it commands nothing.
    """
    if event.file_ids or event.media or event.forwarding:
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
    own = _SIGNATURE.split("".join([*parts, event.text[at:]]), maxsplit=1)[0].strip()
    if not isinstance(event, EmailReceived):
        return own
    own = _OF_A_PROGRAM.sub("", own) if len(own) <= _MAX_LOOKED_AT else own
    return own or ("" if event.marks else event.subject)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(_AROUND).split())


@cache
def _patterns() -> dict[CommandName, re.Pattern[str]]:
    return {name: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)") for name, words in WORDS.items()}
