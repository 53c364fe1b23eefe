"""Notices by what comes out that bytes are not in the charset that they are said to be in, and finds the one that they are in.

Each charset that may be meant is tried, and what it gives is judged as a reader would: unreadable characters, symbols within words, words
of nothing but accented letters, capitals behind small letters, and letters that are rare in their language are signs of a wrong one. Only
charsets are found that people wrote mail in before UTF-8 and whose text is told apart by this: Western European, Cyrillic, Chinese,
Japanese, Korean. A text of a few such letters may be in any; then the label, or windows-1252, stands.
"""
# ruff: noqa: RUF001 - letters of other scripts are the point

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

Reader = Callable[[bytes, str], str]
"""Reads bytes by the name of a codec; what cannot be read becomes U+FFFD."""

SAMPLE: Final = 2_048
"""Bytes, from shortly before the first one beyond ASCII, that are judged."""
MAX_WORDS: Final = 150
MAX_WORD: Final = 60
TRUSTED: Final = 0.15
"""By so much a text under its label is preferred to others."""
MIN_SEQUENCES: Final = 2
"""UTF-8 is preferred to a label whose text is no worse when there are so many characters of it."""

_THAI: Final = "cp874"
MIN_SEQUENCES_OF_THAI: Final = 4
"""Two letters of Thai are often a character of UTF-8."""
MOST_SEQUENCES: Final = 6
"""More of them make it no surer."""

_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
MIXED: Final = 8
"""Of so many characters of UTF-8 one may be broken before another label than UTF-8 stands: a footer in another charset, say."""
_DEFAULTS: Final = {"cp1252": 0.5, "gb18030": 0.9, "cp950": 0.9, "cp949": 0.9, "cp932": 0.9}
"""What programs write that do not know better, and from which cost a letter others are tried. Any other label was chosen by somebody."""
_CANDIDATES: Final = ("utf-8", "cp1252", "cp1251", "koi8-u", "euc-jp", "cp932", "cp949", "gb18030", "cp950")
_LATIN: Final = frozenset(
    {"cp1250", "cp1252", "cp1254", "cp1257", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-13", "iso8859-15", "cp850", "cp437"}
)
_UNLIKE_UTF_8: Final = _LATIN | {"cp1251", "koi8-r", "koi8-u", "iso8859-5"}
"""Charsets in which no words look like UTF-8; those of Thailand and East Asia have some."""
_UNREADABLE: Final = 4.0
_ODD: Final = 1.0
_TORN: Final = 3.0
"""A letter of Cyrillic within a word of plain ones: people write the two side by side, but hardly ever joined."""
_RARE: Final = 0.7
_UNUSUAL: Final = 0.3
_CAPITAL: Final = 0.15
_EVERYDAY: Final = -0.3
_NO_TEXT: Final = frozenset({"Cc", "Cn", "Co", "Cs"})

# The most frequent letters of the languages: what is read by a wrong table has others.
_CYRILLIC: Final = frozenset("оеаинтсрвлкмдпуяыьзОЕАИНТСРВЛКМДПУ")
_CHINESE: Final = frozenset(
    "的一是不了在人有我他这中大来上个国说们为和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日于起还发成事只作当想看"
    "文无开手十用主行方又如前所本见经头面公同三已老从动两长吗吧请谢天今明买钱问给很再件信样點這個們來說為時會過學對裡後還發開見經頭問給請謝買錢樣嗎"
)
_JAPANESE: Final = frozenset("日本人大年一中会出時分上行見月間今何思言気自事方前後東学生者明入手話来家私先朝昼夜週土電車買食飲")
_GERMAN: Final = frozenset("äöüßÄÖÜ")
"""No word of Cyrillic is written in the bytes of these: where they stand in a row, somebody lists them."""
_HANGUL: Final = frozenset(
    "이다는에의을가고하지로한도서은를기사어자리그대아시인나정수부일상해전보제것들으과주게와면장구여원스있성동없라마안조습니까녕요세내우만국신공오경문"
)
_EVERYDAY_LETTERS: Final = {
    "gb18030": _CHINESE,
    "cp950": _CHINESE,
    "cp949": _HANGUL,
    "cp1251": _CYRILLIC,
    "koi8-r": _CYRILLIC,
    "koi8-u": _CYRILLIC,
}


def choose(raw: bytes, declared: str, read: Reader) -> str:
    """The codec that bytes beyond ASCII are in; `declared` is the codec of their label, '' where it says nothing."""
    beyond = _BEYOND_ASCII.search(raw)
    start = max(0, beyond.start() - MAX_WORD) if beyond else 0
    sample = raw[start : start + SAMPLE]
    text = read(sample, declared) if declared else ""
    sequences = _utf8_sequences(sample, broken_for_each=1 if declared in ("", "utf-8") else MIXED)
    if declared in _UNLIKE_UTF_8 and sequences >= MIN_SEQUENCES and _is_utf8(sample):
        return "utf-8"
    if declared not in ("", "utf-8"):
        unreadable = "\ufffd" in text.rstrip("\ufffd") or any("\x80" <= letter <= "\x9f" for letter in text)
        if not (sequences or unreadable) and (declared not in _DEFAULTS or cost(text, declared) < _DEFAULTS[declared]):
            return declared
    costs = {codec: cost(read(sample, codec), codec) for codec in dict.fromkeys((declared, *_CANDIDATES)) if codec}
    if declared:
        costs[declared] -= TRUSTED if declared != "utf-8" or sequences else 0
    if not sequences or (declared == _THAI and sequences < MIN_SEQUENCES_OF_THAI):
        del costs["utf-8"]
    elif sequences >= (1 if declared in _LATIN else MIN_SEQUENCES):
        costs["utf-8"] -= TRUSTED * min(sequences, MOST_SEQUENCES)
    return min(costs, key=costs.__getitem__)


def _is_utf8(raw: bytes) -> bool:
    return "\ufffd" not in raw.decode("utf-8", "replace").rstrip("\ufffd")


def _utf8_sequences(raw: bytes, *, broken_for_each: int) -> int:
    """How many characters beyond ASCII are UTF-8; 0 where there are not so many of them for each that is broken."""
    text = raw.decode("utf-8", "replace").rstrip("\ufffd")
    broken = text.count("\ufffd")
    whole = sum(letter > "\x7f" for letter in text) - broken
    return whole if broken * broken_for_each <= whole else 0


def cost(text: str, codec: str) -> float:
    """How little a text looks like one that was written in that charset: 0 or less for plain words, for each character beyond ASCII."""
    total, letters = 0.0, 0
    for word in _words(text):
        for before, letter, behind in zip(" " + word, word, word[1:] + " ", strict=False):
            if letter > "\x7f":
                letters += 1
                total += _strange(letter, before, behind, codec)
        total += _capitals(word)
    return total / letters if letters else 0.0


def _words(text: str) -> Iterator[str]:
    return islice((word[:MAX_WORD] for word in text.rstrip("\ufffd").split() if not word.isascii()), MAX_WORDS)


def _strange(letter: str, before: str, behind: str, codec: str) -> float:
    """The cost of one character where it stands."""
    if letter == "\ufffd" or unicodedata.category(letter) in _NO_TEXT:
        return _UNREADABLE
    mixed = _TORN if "\u0400" <= letter < "\u0460" and (_is_plain_latin(before) or _is_plain_latin(behind)) else 0.0
    if letter in _everyday(codec):
        return _EVERYDAY + mixed
    if letter < "\u0250":
        return _latin(letter, before, behind)
    if letter < "\u2000" and "\x7f" < before < "\u2000" and _alphabet(before) != _alphabet(letter):
        return _ODD
    if "\u0400" <= letter < "\u0460":
        return _UNUSUAL + mixed
    return _beyond_alphabets(letter, before, behind, codec)


def _beyond_alphabets(letter: str, before: str, behind: str, codec: str) -> float:
    """The cost of a character of East Asia, and of signs; boxes, narrow katakana and variants of characters are rare."""
    if "\u2500" <= letter < "\u25a0" or "\uff61" <= letter < "\uffa0" or "\uf900" <= letter < "\ufb00":
        return _RARE
    if "\u3400" <= letter < "\ua000" or "\uac00" <= letter < "\ud7b0":
        joined = _is_plain_latin(before) or _is_plain_latin(behind)
        return (0.0 if codec == "utf-8" or letter in _common(codec) else _RARE) + (_UNUSUAL if joined else 0.0)
    # What the lead bytes of East Asia are in windows-1252: marks that stand before plain letters, if anywhere.
    return _ODD if letter in "‚„ƒ…†‡ˆ‰‹˜›" and behind > "\x7f" else 0.0


def _alphabet(letter: str) -> int:
    """A number for the alphabet of a letter: Unicode's blocks of 256, with all of Latin, and all of Greek, as one."""
    block = ord(letter) >> 8
    return {0x01: 0, 0x02: 0, 0x1E: 0, 0x1F: 0x03}.get(block, block)


def _is_plain_latin(letter: str) -> bool:
    """Whether it is one of the letters that ASCII has, too."""
    return letter.isascii() and letter.isalpha()


def _latin(letter: str, before: str, behind: str) -> float:
    """The cost of a letter or symbol of the Latin tables: a symbol stands not within a word, an accented letter among plain ones."""
    if not letter.isalpha():
        within = before.isalpha() or behind.isalpha() or behind > "\x7f"
        return _ODD if within and letter not in "·«»¿¡º°´§\xa0\xad" else 0.0
    flanked = before > "\x7f" and behind > "\x7f" and not {before, letter, behind} <= _GERMAN
    return _ODD if flanked else _UNUSUAL if before > "\x7f" or behind > "\x7f" else 0.0


def _capitals(word: str) -> float:
    """The cost of capitals behind a small letter, as one table of Cyrillic makes of the other's words."""
    total, small = 0.0, False
    for letter in word:
        if letter > "\u03ff" and letter.isupper():
            total += _ODD if small else _CAPITAL
        small = small or (letter > "\u03ff" and letter.islower())
        if not letter.isalpha():
            small = False
    return total


def _everyday(codec: str) -> frozenset[str]:
    if codec in ("cp932", "euc-jp", "iso-2022-jp"):
        return _JAPANESE | _kana()
    return _EVERYDAY_LETTERS.get(codec, frozenset())


@lru_cache(maxsize=1)
def _kana() -> frozenset[str]:
    return frozenset(map(chr, range(0x3041, 0x3097))) | frozenset(map(chr, range(0x30A1, 0x30FB))) | {"ー"}


@lru_cache(maxsize=8)
def _common(codec: str) -> frozenset[str]:
    """The characters of the first level of a charset of East Asia: the part that was made for everyday texts."""
    name, first, last = {
        "gb18030": ("gb2312", 0xB0, 0xD7),
        "cp950": ("big5", 0xA4, 0xC6),
        "cp949": ("euc_kr", 0xB0, 0xC8),
    }.get(codec, ("euc_jp", 0xB0, 0xCF))
    return frozenset(
        bytes((lead, trail)).decode(name, "ignore") for lead in range(first, last + 1) for trail in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    )
