"""Commands: what a person may write as a whole message and code answers, without the model. Pure.

Only what the person wrote themselves counts: a quote and a signature below the word change nothing, a mail without a body says its
subject, and a message with a file is an ordinary one. None of the words is one by which Twilio opts a person out or in
(`shared.config.keyword_settings`). Twilio itself answers the English `help` on most numbers, so that a text with it does not get here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal

from shared.model.events import EmailReceived, Received
from shared.model.sentences.languages import ByLanguage, each_language
from shared.model.text import without_accents

CommandName = Literal["", "help", "status", "more", "new", "back", "move", "keep"]
"""'' for a message that is no command."""
Answered = CommandName | Literal["digest", "reminder", "question", "approval", "copy", "outgoing"]
"""What code has said in a reply: the answer to a command, or what came by a forwarding address; a "question" that waits for a yes, or what
is said to an answer to one ("approval"); '' for what the model wrote."""

WORDS: Final[dict[CommandName, ByLanguage[tuple[str, ...]]]] = {
    "help": {
        "en": ("help",),
        "de": ("hilfe",),
        "es": ("ayuda",),
        "fr": ("aide",),
        "pt": ("ajuda",),
        "it": ("aiuto",),
        "nl": ("hulp",),
    },
    "status": {
        "en": ("status",),
        "de": ("status",),
        "es": ("estado",),
        "fr": ("statut",),
        "pt": ("status", "estado"),
        "it": ("stato",),
        "nl": ("status",),
    },
    "more": {
        "en": ("more",),
        "de": ("mehr",),
        "es": ("el resto", "más"),
        "fr": ("la suite",),
        "pt": ("ver mais",),
        "it": ("seguito", "il seguito"),
        "nl": ("meer",),
    },
    "new": {
        "en": ("new chat",),
        "de": ("neuer chat",),
        "es": ("nuevo chat", "nueva conversación"),
        "fr": ("nouvelle discussion", "nouveau chat", "nouvelle conversation"),
        "pt": ("nova conversa", "novo chat"),
        "it": ("nuova chat", "nuova conversazione"),
        "nl": ("nieuwe chat", "nieuw gesprek"),
    },
    "back": {
        "en": ("back",),
        "de": ("zurück", "zurueck"),
        "es": ("volver",),
        "fr": ("retour",),
        "pt": ("voltar",),
        "it": ("indietro",),
        "nl": ("terug",),
    },
    "move": {
        "en": ("move reminders",),
        "de": ("erinnerungen umstellen",),
        "es": ("mover recordatorios",),
        "fr": ("déplacer les rappels",),
        "pt": ("mudar lembretes",),
        "it": ("sposta promemoria",),
        "nl": ("herinneringen omzetten",),
    },
    "keep": {
        "en": ("keep reminders",),
        "de": ("erinnerungen lassen",),
        "es": ("dejar recordatorios", "mantener recordatorios"),
        "fr": ("garder les rappels",),
        "pt": ("manter lembretes",),
        "it": ("lascia promemoria",),
        "nl": ("herinneringen laten",),
    },
}
"""The first of each is the one that our sentences offer. All languages count for everybody, and so no word may be a common answer in
another one: "mais" is "more" in Portuguese and "but" in French."""
SLASHED: Final[dict[str, CommandName]] = {"/help": "help", "/status": "status", "/more": "more", "/new": "new", "/back": "back"}
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


def _spellings(name: CommandName) -> tuple[str, ...]:
    """The words of a command, as a message is compared with them."""
    return tuple(dict.fromkeys(without_accents(word) for words in each_language(WORDS[name]).values() for word in words))


_NAMES: Final[dict[str, CommandName]] = {**{word: name for name in WORDS for word in _spellings(name)}, **SLASHED}


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
    questions = without_accents(" ".join(said for said, end in zip(parts[::2], parts[1::2], strict=False) if end in _QUESTION_MARKS))
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
    return " ".join(without_accents(text).strip(_AROUND).split())


@cache
def _patterns() -> dict[CommandName, re.Pattern[str]]:
    spelt = {name: [*_spellings(name), *(word for word, other in SLASHED.items() if other == name)] for name in WORDS}
    return {name: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)") for name, words in spelt.items()}
