"""Text from outside, made safe to store, to show and to think about: one encoding, no hidden characters, a bounded length.

Every word from outside goes through `seen` (or `clean`, which does not count): texts, mail with its subject and the names of its
files, what comes over the bridge, and the model's own words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from shared.model import charsets

# Left out: everything that is not seen but changes what is read. C0 and C1 controls except tab and newline; the code points that
# Unicode calls Default_Ignorable (all of them, so that no new trick needs a new row): zero width spaces, soft hyphens, bidi marks and
# overrides, fillers, variation selectors, and the tag characters, with which text is hidden from people and shown to models; and the
# annotation marks.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# What stays, because it is seen by what it does: a joiner beside a letter of a script that joins (Arabic, Indic and others; `PDF` with a
# Persian ending needs one between them), one between two emoji, one variation selector directly behind an emoji, one behind a Mongolian
# letter, and the three flags that are spelled in tag characters (England, Scotland, Wales).
_JOINING: Final = re.compile(
    "[\u0590-\u109f\u1700-\u18af\u1900-\u1cff\ua800-\ua95f\ua980-\uabff\ufb1d-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U00016100-\U0001613f"
    "\U0001e900-\U0001e95f]"
)
_MONGOLIAN: Final = re.compile("[\u1820-\u18aa]")
_EMOJI: Final = re.compile(
    "[\xa9\xae\u203c\u2049\u20e3\u2122\u2139\u2190-\u2328\u232b-\u2adb\u2add-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_KEYS: Final = frozenset("#*0123456789")
_KEYCAP: Final = "\u20e3"
_ZWJ: Final = "\u200d"
_JOINERS: Final = re.compile("[\u200c\u200d]")
_EMOJI_STYLES: Final = ("\ufe0e", "\ufe0f")
_FLAG: Final = "\U0001f3f4"
_FLAG_TAGS: Final = tuple("".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f" for name in ("gbeng", "gbsct", "gbwls"))
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]")
FEW: Final = 10
"""More hidden characters than these are told of; so many are a program's leavings."""
ORDINARY_RUN: Final = 2
"""So many hidden characters in a row are what writing programs leave behind (marks of direction, soft hyphens), and are not counted."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_LINE_ENDS: Final = re.compile("\r\n?|\u2028|\u2029")
MAX_WORD: Final = 1_000
_WORD: Final = re.compile(rf"\S{{1,{MAX_WORD}}}")


def decode(raw: bytes, charset: str = "") -> str:
    """Bytes to text, by the charset that they are said to be in as far as they bear that out; see `charsets`."""
    return charsets.decode(raw, charset)


def decode_plain(raw: bytes) -> str:
    """Bytes to text where each byte of ASCII stands for itself: UTF-8 if it fits, else Windows' Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_short = error.reason == "unexpected end of data"  # a size limit may have split the last character
        return raw.decode("utf-8" if cut_short else "cp1252", "replace")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person sees of a text, and how many characters were left out that they do not see."""

    text: str
    hidden: int = 0


def clean(text: str) -> str:
    """The text without hidden characters, lone surrogates replaced, line ends as newlines, composed (NFC)."""
    return seen(text).text


def seen(text: str) -> Seen:
    """The text as `clean` gives it, with the count of what was hidden in it.

    Not counted: what stands alone or in twos and is no tag character, since ordinary programs write such.
    """
    if _plain(text):
        return Seen(text if text.isascii() else unicodedata.normalize("NFC", text))
    hidden = 0

    def left(found: re.Match[str]) -> str:
        nonlocal hidden
        kept = _kept(found)
        taken = len(found[0]) - len(kept)
        hidden += taken if taken > ORDINARY_RUN else 0 if kept else len(_TAGS.findall(found[0]))
        return kept

    text = _UNSEEN.sub(left, _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text)))
    return Seen(_composed(text), hidden)


def _kept(found: re.Match[str]) -> str:
    """What stays of a run of hidden characters, by what stands before and behind it. What stays would stay again."""
    start, end = found.span()
    run, before, behind = found[0], found.string[max(0, start - 1) : start], found.string[end : end + 1]
    if before == _FLAG and run.startswith(_FLAG_TAGS):
        return run[: len(_FLAG_TAGS[0])]
    if _MONGOLIAN.match(before) and "\u180b" <= run[0] <= "\u180f":
        return run[0]
    if _JOINING.match(before) or _JOINING.match(behind):
        joiner = _JOINERS.search(run)
        return joiner[0] if joiner else ""
    emoji = _EMOJI.match(before)
    style = run[0] if run[0] in _EMOJI_STYLES and (emoji or (before in _KEYS and behind == _KEYCAP)) else ""
    return style + (_ZWJ if emoji and _ZWJ in run and _EMOJI.match(behind) else "")


def _plain(text: str) -> bool:
    """Whether there is nothing to take out or replace, and the text is no longer than a word may be: nearly every one.

    What Python calls printable holds no surrogate, no control and no space but the common one.
    """
    if len(text) > MAX_WORD or not text.replace("\n", " ").replace("\t", " ").isprintable():
        return False
    return text.isascii() or not _UNSEEN.search(text)


def _composed(text: str) -> str:
    """NFC by words of bounded length: over one long run of combining marks it takes quadratic time (measured: 80 kB, 5.6 s)."""
    if text.isascii():
        return text
    return _WORD.sub(lambda word: unicodedata.normalize("NFC", word[0]), text)


def without_accents(text: str) -> str:
    """A text as people type it who leave the accents out: small letters alone, for a comparison and never to be shown."""
    if text.isascii():
        return text.casefold()
    return _WORD.sub(lambda word: _without_marks(word[0]), text).casefold()


def _without_marks(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))


def one_line(text: str, limit: int) -> str:
    """The text cleaned, on one line, of at most `limit` characters."""
    return seen_line(text, limit).text


def seen_line(text: str, limit: int) -> Seen:
    """The same, with the count of what was hidden."""
    found = seen(text[: 4 * limit])
    return Seen(" ".join(found.text.split())[:limit].rstrip(), found.hidden)


def capped(text: str, limit: int) -> str:
    """At most `limit` characters; the reader of a longer text is told that it was cut."""
    if len(text) <= limit:
        return text
    mark = f"\n\n[The message was cut here: it had {len(text)} characters.]"
    return text[: limit - len(mark)].rstrip() + mark
