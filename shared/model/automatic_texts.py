"""Texts that a phone or a carrier sends without anybody's having written them: reactions, and automatic answers. Pure.

A reaction ("Liked “Dinner is at 7.”") has a form, and quotes a text of the conversation. Both are asked: the form here, and what was said
by the script that accepts the text. So who writes `Loved “Dune”`, or quotes us and goes on, is answered; and a reaction to what is no
longer kept, or in words that no table has, is an ordinary text, of which the model may say nothing.

An automatic answer is known by whole sentences of the makers' own. A carrier or a phone with other words is answered like a person, and
stopped by what it repeats.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from shared.model.reaction_phrases import EMOJI_WORDS, FILES, REACTIONS

AutomaticReason = Literal["", "reaction", "auto_reply"]
"""Why a text is not answered: what sent it."""
MAX_LENGTH: Final = 4_000
"""Of a text that is looked at: ours have a few hundred characters, and a reaction a few more."""
MAX_WORDS: Final = 5
"""Beside an emoji and the quoted text: "Reacted 🎉 to", "Se ha reaccionado con 🎉 a"."""
MAX_QUOTES: Final = 8
"""Quotation marks that are tried, from either end."""
_MAX_FRAME: Final = 80
_MAX_BEGINNING: Final = 160
_FIRST_LETTERS: Final = 16
_OPENING: Final = frozenset('"\u201c\u201d\u201e\u00ab\u2039\u300c\u300e\u00bb')
_CLOSING: Final = frozenset('"\u201d\u201c\u00bb\u203a\u300d\u300f\u00ab')
_EMOJI: Final = re.compile(
    "(?:!!|[0-9#*]\ufe0f?\u20e3|[\xa9\xae\u2122\u203c\u2049\u2139\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
    "[\ufe0e\ufe0f\u200d\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*)+"
)
_NOT_WORDS: Final = re.compile(r"[^\w*?_]+|(?<!\w)_|_(?!\w)")
_SPELT: Final = str.maketrans({"\u0153": "oe", "\uff1f": "?", "\u061f": "?", "*": " ", "_": " "})
_ELLIPSIS: Final = re.compile(r"(?:\u2026|\.\.\.)\s*$")
_NOT_COMPARED: Final = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")
_SLOT: Final = "\x00"


@dataclass(frozen=True, slots=True)
class Automatic:
    """What a text is by its form; `quoted` is how the text that it has to quote is compared, '' where it need not quote any."""

    reason: AutomaticReason = ""
    quoted: str = ""


NOT_AUTOMATIC: Final = Automatic()


def judged(text: str) -> Automatic:
    """What a text is by its form. That it has one of a reaction proves nothing by itself: see `Automatic.quoted`."""
    if not text or len(text) > MAX_LENGTH:
        return NOT_AUTOMATIC
    if not _OPENING.isdisjoint(text[:_MAX_FRAME]) and (quoted := _quoted(text.strip())):
        return Automatic("reaction", quoted)
    if _URGENT in text.lower() and _NOTIFICATIONS_WORDS in _normal(text):
        return Automatic("auto_reply")
    if not _normal(text[:_FIRST_LETTERS]).startswith(_FIRST_WORDS):  # of nearly every text: the rest takes three times as long
        return NOT_AUTOMATIC
    words = _normal(text[:_MAX_BEGINNING])
    if len(text) < _MAX_BEGINNING and words.replace(" * ", " ", 1) in _FILE_REACTIONS:
        return Automatic("reaction")
    return Automatic("auto_reply") if _is_auto_reply(words) else NOT_AUTOMATIC


def compared(text: str) -> str:
    """A text as two are compared: without ASCII's spaces and marks, its letters small. `accept.lua` makes the same of what was said."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in _NOT_COMPARED.sub("", text))


def _quoted(text: str) -> str:
    """The text that a reaction quotes, compared; '' where the form is none of a reaction."""
    opening = [place for place, letter in enumerate(text[:_MAX_FRAME]) if letter in _OPENING][:MAX_QUOTES]
    start = max(0, len(text) - _MAX_FRAME)
    closing = [place for place, letter in enumerate(text[start:], start) if letter in _CLOSING][-MAX_QUOTES:]
    for begin, end in product(opening, reversed(closing)):
        if begin < end and _is_frame(text[:begin], text[end + 1 :]):
            return compared(_ELLIPSIS.sub("", text[begin + 1 : end].strip()))
    return ""


def _is_frame(before: str, behind: str) -> bool:
    """Whether what stands around a quoted text is what a phone writes there."""
    frame = f"{_normal(before)} {_SLOT} {_normal(behind)}".strip()
    if frame in _FRAMES:
        return True
    words = frame.split()
    return words.count("*") == 1 and len(words) - 2 <= MAX_WORDS and _BESIDE_EMOJI.issuperset(words)


def _normal(text: str) -> str:
    """Words in small letters without accents, an emoji as `*`, a question mark as itself."""
    if text.isascii() and "!!" not in text:
        return " ".join(_NOT_WORDS.sub(" ", text.casefold().translate(_SPELT).replace("?", " ? ")).split())
    spelt = _EMOJI.sub("\x01", text).casefold().translate(_SPELT)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(letter))
    return " ".join(_NOT_WORDS.sub(" ", plain.replace("\x01", " * ").replace("?", " ? ")).split())


def _frame_of(phrase: str) -> str:
    before, _, behind = phrase.partition("_")
    return f"{_normal(before)} {_SLOT} {_normal(behind)}".strip()


_PHRASES: Final = tuple(phrase.strip() for row in REACTIONS.values() for phrase in row.split(";"))
_FRAMES: Final = frozenset(map(_frame_of, _PHRASES))
_BESIDE_EMOJI: Final = frozenset(_normal(" ".join(EMOJI_WORDS.values())).split()) | {"*", _SLOT}
_FILE_REACTIONS: Final = frozenset(
    _normal(phrase.replace("_", name))
    for language, names in FILES.items()
    for phrase, name in product(REACTIONS[language].split(";"), names.split(";"))
    if phrase.endswith(" _")
)

_PHONES: Final = (
    "i'm driving with do not disturb while driving turned on",
    "i'm driving with focus turned on",
    "i'm driving with driving focus turned on",
    "i'm driving with the driving focus turned on",
    "auto-reply:",
    "[auto-reply]",
    "(auto-reply)",
    "automatic reply:",
    "automated reply:",
    "this is an automated reply",
    "this is an auto-reply",
    "this is an automated message",
    "this is an automated response",
    "this is an automatic reply",
    "automatische antwort:",
    "réponse automatique :",
    "respuesta automática:",
    "risposta automatica:",
    "resposta automática:",
    "automatisch antwoord:",
    "automatiskt svar:",
    "automatisk svar:",
    "automaattinen vastaus:",
    "odpowiedź automatyczna:",
    "automatická odpověď:",
    "автоответ:",
    "автоматический ответ:",
    "otomatik yanıt:",  # noqa: RUF001 - letters of that language
    "自动回复",
    "自動回覆",
    "自動返信",
    "자동 응답",
    # carriers
    "free msg: unable to send message - message blocking is active",
    "free msg: unable to send message",
    "unable to send message - message blocking is active",
    "message blocking is active",
    "this phone cannot receive text messages",
    "this number cannot receive text messages",
    "the number you are texting cannot receive text messages",
    "the person you are trying to text is not accepting messages",
    "the subscriber you are trying to text is not accepting messages",
    "service access denied",
)
"""How such a text begins."""
_NOTIFICATIONS: Final = "i'm not receiving notifications if this is urgent reply urgent to send a notification through"
"""What iPhones put below a driver's own words."""
_URGENT: Final = "urgent"
_DRIVING: Final = (
    ("ich fahre", "beim fahren nicht stören"),
    ("ich fahre", "nicht stören beim fahren"),
    ("je conduis", "ne pas déranger en voiture"),
    ("je suis au volant", "ne pas déranger en voiture"),
    ("estoy conduciendo", "no molestar al conducir"),
    ("estoy manejando", "no molestar al conducir"),
    ("estoy manejando", "no molestar al manejar"),
    ("sto guidando", "non disturbare alla guida"),
    ("sono alla guida", "non disturbare alla guida"),
    ("estou dirigindo", "não perturbe ao dirigir"),
    ("estou a conduzir", "não incomodar ao conduzir"),
    ("ik ben aan het rijden", "niet storen tijdens autorijden"),
    ("ik rijd", "niet storen tijdens autorijden"),
    ("jag kör", "stör ej vid bilkörning"),
    ("jeg kører", "forstyr ikke under kørsel"),
    ("jeg kjører", "ikke forstyrr under kjøring"),
    ("я за рулем", "не беспокоить водителя"),
    ("運転中", "運転中の通知を停止"),
    ("我正在驾驶", "驾驶勿扰"),
    ("我正在開車", "開車勿擾"),
)
"""How an iPhone's answer begins while its owner drives, and the mode that it names."""
_BEGINNINGS: Final = tuple(map(_normal, _PHONES))
_DRIVING_WORDS: Final = tuple((_normal(begin), _normal(mode)) for begin, mode in _DRIVING)
_FIRST_WORDS: Final = tuple({phrase.split()[0] for phrase in (*_BEGINNINGS, *_FILE_REACTIONS, *(begin for begin, _ in _DRIVING_WORDS))})
_NOTIFICATIONS_WORDS: Final = _normal(_NOTIFICATIONS)


def _is_auto_reply(words: str) -> bool:
    if "?" in words:  # a person asks about one
        return False
    return words.startswith(_BEGINNINGS) or any(words.startswith(begin) and mode in words for begin, mode in _DRIVING_WORDS)
