"""Text from outside, made safe to store, to show and to think about: one encoding, no hidden characters, a bounded length."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

_CHARSET_NAME: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,40}")
# Python knows codecs that are no charsets (punycode, unicode_escape, idna ...), some of them quadratic: mail's own only.
_CHARSETS: Final = re.compile(
    r"utf-8(-sig)?|utf_8_sig|utf-16(-[lb]e)?|utf-32(-[lb]e)?|utf-7|ascii|iso8859-\d{1,2}|cp\d{3,4}|koi8-[rut]|mac-[a-z]+"
    r"|big5(hkscs)?|gb2312|gbk|gb18030|hz|euc_(jp|kr|jis_2004|jisx0213)|shift_jis\w*|iso2022_\w+|johab|tis-620|ptcp154|kz1048"
)

# Left out: everything that is not seen but changes what is read. C0 and C1 controls except tab and newline; bidi embeddings,
# overrides and isolates (a text that reads differently than it is stored); zero width space, word joiner, byte order mark;
# the tag characters, with which text is hidden from people and shown to models. ZWJ and ZWNJ stay: emoji and Persian need them.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_LINE_ENDS: Final = re.compile("\r\n?|\u2028|\u2029")
MAX_WORD: Final = 1_000
_WORD: Final = re.compile(rf"\S{{1,{MAX_WORD}}}")


def decode(raw: bytes, charset: str = "") -> str:
    """Bytes to text by a declared charset; without one that is known, UTF-8 if it fits, else Windows' Latin-1."""
    codec = _codec(charset)
    if codec is not None and codec != "ascii":
        return raw.decode(codec, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_short = error.reason == "unexpected end of data"  # a size limit may have split the last character
        return raw.decode("utf-8" if cut_short else "cp1252", "replace")


def _codec(charset: str) -> str | None:
    name = charset.strip().strip("\"'")
    if not _CHARSET_NAME.fullmatch(name):
        return None
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return found if _CHARSETS.fullmatch(found) else None


def clean(text: str) -> str:
    """The text without hidden characters, lone surrogates replaced, line ends as newlines, composed (NFC)."""
    if _plain(text):
        return text if text.isascii() else unicodedata.normalize("NFC", text)
    text = _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))
    return _composed(_HIDDEN.sub("", text))


def _plain(text: str) -> bool:
    """Whether there is nothing to take out or replace, and the text is no longer than a word may be: nearly every one.

    What Python calls printable holds nothing hidden, no surrogate and no space but the common one.
    """
    return len(text) <= MAX_WORD and text.replace("\n", " ").replace("\t", " ").isprintable()


def _composed(text: str) -> str:
    """NFC by words of bounded length: over one long run of combining marks it takes quadratic time (measured: 80 kB, 5.6 s)."""
    if text.isascii():
        return text
    return _WORD.sub(lambda word: unicodedata.normalize("NFC", word[0]), text)


def one_line(text: str, limit: int) -> str:
    """The text cleaned, on one line, of at most `limit` characters."""
    return " ".join(clean(text[: 4 * limit]).split())[:limit].rstrip()


def capped(text: str, limit: int) -> str:
    """At most `limit` characters; the reader of a longer text is told that it was cut."""
    if len(text) <= limit:
        return text
    mark = f"\n\n[The message was cut here: it had {len(text)} characters.]"
    return text[: limit - len(mark)].rstrip() + mark
