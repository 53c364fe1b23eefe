"""Reads bytes by the charset that they are said to be in, as mail programs do.

A label means what WHATWG's table says: what is called iso-8859-1 is windows-1252, gb2312 is GB 18030, shift_jis is Windows' code page 932.
Beyond the table, Python's names of mail's own charsets are known, and UTF-7: it is read where a mail is labelled so, and never guessed.
A label that its bytes do not bear out is not believed: see `charset_guess`.

For the structure of a mail, its header block and what SendGrid itself writes, `shared.model.text.decode_plain` is right: in a charset
of East Asia a byte of ASCII, such as the @, may be half of a letter.
"""

from __future__ import annotations

import codecs
import re
from functools import partial
from typing import Final

import webencodings

from shared.model import charset_guess
from shared.model.jis import euc_jp, iso_2022_jp

_NAME: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,60}")
_LABEL: Final = re.compile(r"\s{0,8}(?:3d)?[\"'_]?([a-z0-9_.:+*-]{1,60})(?=[\s\"';,(]|$)")
"""What of a label may be a name: some programs leave what they quoted for the way (`charset=3D"utf-8"`), or more behind it."""
_PAGE: Final = re.compile(r"(?:win|windows|cp|dos|ibm|ansi|msdos)[-_ ]?(\d{3,4})")
_ALIASES: Final = {
    "ansi": "cp1252", "koi-8": "koi8-u", "gbk2312": "gbk", "gb2312_charset": "gbk", "gb2312-charset": "gbk", "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp", "cp50222": "iso-2022-jp", "iso-2022-jp-ms": "iso-2022-jp",
    "eucjp-win": "euc-jp", "eucjp-ms": "euc-jp", "sjis-win": "shift_jis", "utf8mb4": "utf-8", "csutf8": "utf-8",
    "x-unicode-2-0-utf-8": "utf-8", "big5-eten": "big5", "x-euc-kr": "euc-kr", "x-windows-949": "euc-kr", "tis-620-2533": "tis-620",
}  # fmt: skip
"""Names of programs' own."""
_SEPARATORS: Final = re.compile(r"[\s_-]+")
# Python knows codecs that are no charsets (punycode, unicode_escape, idna ...), some of them quadratic: mail's own only.
_PYTHONS: Final = re.compile(
    r"utf-8|utf-16(-[lb]e)?|utf-32(-[lb]e)?|utf-7|iso8859-\d{1,2}|cp\d{3,4}|koi8-[rut]|mac-[a-z0-9]+|big5(hkscs)?|gb2312|gbk|gb18030|hz"
    r"|euc_(jp|kr|jis_2004|jisx0213)|shift_jis\w*|iso2022_\w+|johab|ptcp154|kz1048|tis-620|hp-roman8"
)
_REPLACED: Final = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "big5hkscs": "cp950",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "iso2022_jp": "iso-2022-jp",
    "iso2022_jp_1": "iso-2022-jp",
    "iso2022_jp_ext": "iso-2022-jp",
    "euc_jp": "euc-jp",
}
"""Python's codecs and what is read instead: a superset that holds what programs really write under the name."""
_NOTHING: Final = frozenset(
    {"us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "unknown-8bit", "x-unknown", "replacement", "x-user-defined"}
)
"""Labels that say nothing of bytes beyond ASCII: where there are any, it is found out what they are."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEVEN_BITS: Final = frozenset({"iso-2022-jp", "iso2022_kr", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "hz", "utf-7"})
_WIDE: Final = re.compile(r"utf-(16|32)")
_CUT_SHORT: Final = re.compile(rb"(?<=[\x00-\xbf])(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_JIS_ESCAPE: Final = re.compile(rb"\x1b\$[@B]")
_EURO: Final = 0x80
UTF_8: Final = "utf-8"


def decode(raw: bytes, label: str = "") -> str:
    """The text of bytes under a label, which may be missing, unknown or wrong. Never raises."""
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(codec, "replace")
    codec = codec_of(label)
    if raw.isascii():
        return _seven_bits(raw, codec)
    if _WIDE.match(codec) and b"\0" in raw:
        return raw.decode(codec, "replace")
    if codec in _SEVEN_BITS or _WIDE.match(codec):
        codec = ""  # such bytes cannot be there
    text = _as_utf8(raw) if codec in ("", UTF_8) else None
    return text if text is not None else read(raw, charset_guess.choose(raw, codec, read))


def codec_of(label: str) -> str:
    """What a label means: the name of a codec for `read`; '' for one that is unknown or says nothing."""
    named = _LABEL.match(label.lower())
    name = named[1].partition("*")[0] if named else ""  # RFC 2231 writes a language behind an asterisk
    page = _PAGE.fullmatch(name)
    for spelling in (name, _SEPARATORS.sub("-", name), f"cp{page[1]}" if page else _ALIASES.get(name, "")):
        if spelling in _NOTHING or not _NAME.fullmatch(spelling):
            continue
        if (known := webencodings.lookup(spelling)) is not None and known.name not in _NOTHING:
            found = str(known.codec_info.name)
        else:
            found = _pythons(spelling)
        if found:
            return _REPLACED.get(found, found)
    return ""


def _pythons(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return found if _PYTHONS.fullmatch(found) else ""


def read(raw: bytes, codec: str) -> str:
    """The text of bytes in a charset that `codec_of` or `charset_guess` named; what cannot be read becomes U+FFFD."""
    special = _SPECIAL.get(codec)
    return special(raw) if special else raw.decode(codec, "replace")


def _seven_bits(raw: bytes, codec: str) -> str:
    """The text of bytes that are all ASCII: in some charsets they are no ASCII; Japanese ones are known by their escapes, too."""
    if codec in _SEVEN_BITS or (_WIDE.match(codec) and b"\0" in raw):
        return read(raw, codec)
    return iso_2022_jp(raw) if _JIS_ESCAPE.search(raw) else raw.decode("ascii")


def _as_utf8(raw: bytes) -> str | None:
    """The text of bytes that are UTF-8, or None. A limit may have split the last character; Java writes an emoji as two surrogates."""
    whole = _CUT_SHORT.sub(b"", raw)
    try:
        text = whole.decode(UTF_8, "surrogatepass")
    except UnicodeDecodeError:
        return None
    cut = "\ufffd" if len(whole) < len(raw) else ""
    return (text if _SURROGATES.search(text) is None else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")) + cut


def _gb18030(raw: bytes) -> str:
    """GB 18030, with the euro sign of code page 936."""
    return raw.decode("gb18030", "bossline.gb18030" if b"\x80" in raw else "replace")


def _big5(raw: bytes) -> str:
    """Big5 by Windows' code page; where that cannot read it, with the characters of Hong Kong."""
    text = raw.decode("cp950", "replace")
    if "\ufffd" not in text:
        return text
    return min(text, raw.decode("big5hkscs", "replace"), key=lambda each: each.count("\ufffd"))


def _utf_8(raw: bytes) -> str:
    """UTF-8 with single bytes of windows-1252 in it, as where a list glues a footer to a mail."""
    return raw.decode(UTF_8, "bossline.utf-8")


_SPECIAL: Final = {
    "gb18030": _gb18030,
    "cp950": _big5,
    "iso-2022-jp": iso_2022_jp,
    "euc-jp": euc_jp,
    UTF_8: _utf_8,
}


def _mended(error: UnicodeError, *, euro: bool) -> tuple[str, int]:
    """What stands for bytes that a codec cannot read: of GB 18030 Windows' euro sign, of UTF-8 the letter of windows-1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    if euro:
        return ("€", error.start + 1) if bad[0] == _EURO else ("\ufffd", error.end)
    if error.end == len(error.object) and error.reason == "unexpected end of data":
        return "\ufffd", error.end
    return bad[:1].decode("cp1252", "replace"), error.start + 1


codecs.register_error("bossline.gb18030", partial(_mended, euro=True))
codecs.register_error("bossline.utf-8", partial(_mended, euro=False))
