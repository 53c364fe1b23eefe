"""Approvals: the words by which a person answers a question of ours that waits for a yes, and the calls that it is about. Pure.

An answer is a word and the question's code, or the bare word; a few words of courtesy may stand beside them, whatever the case and the
punctuation. A text must say nothing else; a mail says it in the first line of its author's own words. None of the words is one by which
Twilio opts a person out (`shared.config.keyword_settings`), and what `accept.lua` makes of one depends on the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shared.errors import BadInput
from shared.model import codec
from shared.model.events import EmailReceived, Received
from shared.model.sentences.languages import ByLanguage, each_language
from shared.model.text import without_accents

AnswerWord = Literal["yes", "no", "always"]
Verdict = Literal["which", "already", "expired", "withdrawn", "no", "yes", "always"]
"""What an answer comes to; what answers no question is an ordinary message."""
VERDICTS: Final[tuple[Verdict, ...]] = ("which", "already", "expired", "withdrawn", "no", "yes", "always")

WORDS: Final[dict[AnswerWord, ByLanguage[str]]] = {
    "yes": {"en": "yes", "de": "ja", "es": "sí", "fr": "oui", "pt": "sim", "it": "sì", "nl": "ja"},
    "no": {"en": "no", "de": "nein", "es": "no", "fr": "non", "pt": "não", "it": "no", "nl": "nee"},
    "always": {"en": "always", "de": "immer", "es": "siempre", "fr": "toujours", "pt": "sempre", "it": "sempre", "nl": "altijd"},
}
_COURTESY: Final = frozenset(
    (
        "please", "pls", "thanks", "thank", "you", "boss", "bitte", "danke", "dir", "gracias", "por", "favor", "porfavor", "merci", "svp",
        "stp", "s", "il", "te", "vous", "plait", "obrigado", "obrigada", "grazie", "per", "favore", "alsjeblieft", "alstublieft", "aub",
        "graag", "dank", "je", "bedankt", "dankjewel",
    )
)  # fmt: skip
"""Without accents, as they are compared."""
CODE_DIGITS: Final = 4
MAX_ANSWER: Final = 60
"""Characters of a text, or of a mail's line, that may be an answer."""
_DOUBTS: Final = frozenset("?\u00bf\u061f\U0001f44e\u274c\U0001f6ab\u26d4\U0001f6d1\u270b\U0001f914")
"""With one of these a word is no plain yes or no: a question mark, a thumb that points down."""
_CODE: Final = re.compile(
    rf"\b({'|'.join(sorted({word for name in ('yes', 'no') for word in each_language(WORDS[name]).values()}))}) \d{{{CODE_DIGITS}}}\b",
    re.IGNORECASE,
)
_TOKENS: Final = re.compile(r"[^\W\d_]+|\d+")
_NAMES: Final[dict[str, AnswerWord]] = {without_accents(word): name for name, row in WORDS.items() for word in each_language(row).values()}


def without_codes(text: str) -> str:
    """A question of ours without its code: who is shown it cannot say what to answer."""
    return _CODE.sub(r"\1 ....", text)


def answer_of(event: Received) -> str:
    """What a message answers, as `yes 4821`, or `yes` without a code; "" for an ordinary one.

    What came by a forwarding address answers nothing, and neither does a text with a file.
    """
    if event.forwarding:
        return ""
    if isinstance(event, EmailReceived):
        answer = _of_line(_first_own_line(event))
        return answer if " " in answer else ""
    return "" if event.media or event.file_ids else _of_line(event.text)


def _first_own_line(mail: EmailReceived) -> str:
    parts, at = [], 0
    for mark in sorted(mail.marks, key=lambda mark: mark.start):
        parts.append(mail.body[at : mark.start])
        at = max(at, mark.end)
    own = "\n".join([*parts, mail.body[at:]])
    return next((line for line in own.splitlines() if line.strip()), "")


def _of_line(line: str) -> str:
    text = without_accents(line.strip())
    if len(text) > MAX_ANSWER or not _DOUBTS.isdisjoint(text):
        return ""
    tokens = _TOKENS.findall(text)
    digits = "".join(token for token in tokens if token.isdigit())
    words = [token for token in tokens if not token.isdigit() and token not in _COURTESY]
    word = _NAMES.get(words[0]) if len(words) == 1 else None
    if word is None or len(digits) not in (0, CODE_DIGITS) or not digits.isascii():
        return ""
    return f"{word} {digits}".rstrip()


@dataclass(frozen=True, slots=True)
class ApprovalCall:
    """A call of a tool that waits for a yes, as it was asked about: nothing else is ever called for it.

    `digest` tells a tool from another version of it, "" for one of ours. `always` is what an "always" to it is kept under: the tool, and
    the recipient where the operator's rule names one; "" where there is no always. `marked`: it was asked for under the eyes of words of
    others.
    """

    tool: str
    arguments: Mapping[str, Any] = field(repr=False)
    digest: str = ""
    always: str = field(repr=False, default="")
    marked: bool = False

    def item(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "tool": self.tool, "arguments": codec.dumps(dict(self.arguments)), "digest": self.digest, "always": self.always,
            "marked": self.marked,
        }  # fmt: skip


def write(calls: Sequence[ApprovalCall]) -> str:
    """Calls as they are stored: what they are called with is a text, which no script reads."""
    return codec.dumps([call.item() for call in calls])


def read(text: str) -> tuple[ApprovalCall, ...]:
    """The calls of a record, in order; what cannot be read is left out."""
    return tuple(_each(text))


def _each(text: str) -> Iterator[ApprovalCall]:
    try:
        found: Any = codec.loads(text)
        for each in found if isinstance(found, list) else []:
            arguments = codec.loads(each["arguments"])
            yield ApprovalCall(str(each["tool"]), arguments, str(each["digest"]), str(each["always"]), bool(each["marked"]))
    except (BadInput, KeyError, TypeError):
        return


def always_key(tool: str, recipient: str = "") -> str:
    """What an "always" is kept under."""
    return f"{tool} {recipient}".rstrip()
