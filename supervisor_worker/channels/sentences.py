"""Where a text can be cut: behind which of its characters a sentence ends, and between which there is a place at all. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

SPACELESS: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""As in a pattern's class: the letters of scripts that have no space between words, or whose marks of emphasis have none."""
_CLOSING: Final = "[\"')\\]\u201d\u2019\u00bb\u300d\u300f\uff09]*"
_END: Final = re.compile(
    rf"[.!?\u2026]{_CLOSING}(?=\s|$)|[\u3002\uff01\uff1f\uff61\u061f\u06d4\u0964\u0965\u0589\u1362\u104b\u17d4]{_CLOSING}"
)
_LOOKED_BACK: Final = 24
_NO_END: Final = re.compile(
    r"(?:^|[\s(])(?:\d{1,4}[.)]|(?:\w\.)*\w[.)]|(?:dr|mr|mrs|ms|prof|st|sr|sra|jr|nr|no|vs|ca|bzw|etc|approx|inc|fig|vol|pp|art|tel|str|usw|"
    r"vgl|evtl|ggf|inkl|max|min|dept|est|av|mme|mlle|dott|sig|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez|mon|tue|wed|thu|fri)\.)$",
    re.IGNORECASE,
)
"""What ends with a full stop, or a bracket, and goes on: the number of a list, a letter or several, an abbreviation."""
_NUMBERS: Final = re.compile(r"[\d)]\s+[\d(]|\d\s+[%\u20a0-\u20bf$\u00a3\u00a5]|[\u20a0-\u20bf$\u00a3\u00a5+]\s+\d")
_WIDE_COMMAS: Final = frozenset("\uff0c\u3001\uff1b\uff1a\u060c\u061b")
_JOINERS: Final = frozenset("\u200c\u200d")
_ZWJ: Final = "\u200d"
_VIRAMA: Final = 9
_REGIONAL: Final = re.compile("[\U0001f1e6-\U0001f1ff]+\\Z")
_MAX_FLAGS: Final = 400
_GOES_ON: Final = re.compile("[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\u1160-\u11ff\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3]")
_GOES_BEFORE: Final = re.compile("[\u0e40-\u0e44\u0ec0-\u0ec4]")
_ASCII: Final = re.compile("[!-~]")


def ends(text: str) -> Iterator[int]:
    """The places behind the sentences of a text. No sentence ends before a small letter, or with an abbreviation."""
    for found in _END.finditer(text):
        behind = text[found.end() : found.end() + 8].lstrip()
        if not behind[:1].islower() and not ends_with_number(text, found.end()):
            yield found.end()


def ends_with_number(text: str, place: int) -> bool:
    """Whether what stands before `place` belongs to what follows: the number or letter of a list, or an abbreviation."""
    return _NO_END.search(text[max(0, place - _LOOKED_BACK) : place]) is not None


def is_between_words(text: str, place: int) -> bool:
    """Whether `place` is at a space, or behind a wide comma, and not within a number that is written with spaces."""
    if text[place - 1] in _WIDE_COMMAS:
        return True
    if not text[place].isspace() or ends_with_number(text, place):
        return False
    return _NUMBERS.match(text, place - 1) is None


def parts_character(text: str, place: int) -> bool:
    """Whether a cut at `place` would part what is read as one: a letter and its accents, a conjunct, an emoji, a flag."""
    before, behind = text[place - 1], text[place]
    if unicodedata.category(behind).startswith("M") or behind in _JOINERS or before == _ZWJ or _GOES_ON.match(behind):
        return True
    if _GOES_BEFORE.match(before) or (unicodedata.combining(before) == _VIRAMA and behind.isalpha()):
        return True
    flags = _REGIONAL.search(text[max(0, place - _MAX_FLAGS) : place])
    return flags is not None and len(flags[0]) % 2 == 1 and _REGIONAL.match(behind) is not None


def parts_word(text: str, place: int) -> bool:
    """Whether `place` is within a word, a number or an address among letters of a script without spaces."""
    return _ASCII.match(text[place - 1]) is not None and _ASCII.match(text[place]) is not None
