"""Reads the text of one MIME part as mail programs do, also where its headers are wrong. Pure.

An encoding that its content does not bear out is not believed. Lines that a program has broken only for the way (RFC 3676) are made whole,
and the formatting of `text/enriched` goes.
"""

from __future__ import annotations

import binascii
import quopri
import re
from email.message import Message
from typing import Final

from shared.model.charsets import codec_of
from shared.model.text import decode

_ENCODING: Final = re.compile(r"[\s\"']{0,8}([a-z0-9-]{1,40})")
_SOFT_END: Final = re.compile(rb"=[ \t]{1,80}(?=\r?\n)")
_BASE64_LINES: Final = re.compile(rb"(?:[A-Za-z0-9+/]{0,4000}={0,3}[ \t]{0,8}(?:\r?\n|\Z))*+(?:[A-Za-z0-9+/]{2,4000}={1,2}(?=\s))?")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_WORDS_APART: Final = re.compile(rb"[^\s] +[^\s]")
_PARAMETERS: Final = re.compile(r"<param>[^<]{0,2000}</param>", re.IGNORECASE)
_ENRICHED_TAG: Final = re.compile(r"</?[a-z][a-z0-9-]{0,59}>", re.IGNORECASE)
_LINE_ENDS: Final = re.compile(r"(?:\r?\n)+")
_META_CHARSET: Final = re.compile(
    rb"<(?:meta|\?xml)\s[^<>]{0,200}?(?:charset|encoding)\s{0,4}=\s{0,4}[\"']?\s{0,4}([a-z0-9_.:-]{2,40})", re.IGNORECASE
)
MAX_HEAD: Final = 4_096
"""Bytes of HTML in which its charset is looked for."""
_SIGNATURE: Final = "-- "
_SPACELESS: Final = "\u0e00"
"""Letters from here on belong to scripts that may write without blanks between words."""
_LATIN_WORD: Final = re.compile(r"(?:^|[\s(])[^\W\d_]{1,40}$")


def text_of(part: Message, charset: str, room: int) -> str:
    """The text of a part whose content is one, of at most `room` bytes."""
    raw = content(part, room)
    text = decode(raw, charset if part.get_content_subtype() != "html" else html_charset(raw, charset))
    if part.get_content_subtype() in ("enriched", "richtext"):
        return without_formatting(text)
    return unfolded(text, joined=_parameter(part, "delsp") == "yes") if _parameter(part, "format") == "flowed" else text


def html_charset(raw: bytes, charset: str) -> str:
    """The charset of HTML: as its mail says it, else as it says itself, as browsers read it."""
    found = None if codec_of(charset) else _META_CHARSET.search(raw[:MAX_HEAD])
    named = found[1].decode("ascii", "replace") if found else ""
    return charset if not named or codec_of(named).startswith("utf-") else named


def content(part: Message, room: int) -> bytes:
    """The bytes of a part, of at most so many."""
    found = _ENCODING.match(str(part.get("content-transfer-encoding", "")).lower())
    encoding = found[1] if found else ""
    if "uu" in encoding:
        return _payload(part)[:room]
    del part["content-transfer-encoding"]
    raw = _payload(part)[: 3 * room]
    if encoding.startswith("quot"):
        return quopri.decodestring(_SOFT_END.sub(b"=", raw))[:room]
    return (_base64(raw) if encoding.startswith("base") else raw)[:room]


def _payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _base64(raw: bytes) -> bytes:
    """The bytes of a text in base64; one that is none stands as it is, and so does what a list has put behind it."""
    found = _BASE64_LINES.match(raw)
    coded = found[0] if found else b""
    rest = raw[len(coded) :]
    letters = _NOT_BASE64.sub(b"", coded)
    if rest.strip() and not letters and not _WORDS_APART.search(rest):
        coded, rest = rest, b""  # letters with others between them
        letters = _NOT_BASE64.sub(b"", coded)
    cut = len(letters) % 4
    whole = letters[:-1] if cut == 1 else letters
    decoded = binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    if not letters or (cut and b"=" not in coded and not _is_text(decoded)):
        return raw  # words without a blank between them
    return decoded + (b"\n" + rest if rest.strip() else b"")


def _is_text(raw: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters, but for a last letter that was cut."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        text = "" if error.end < len(raw) or error.start < len(raw) - 3 else raw[: error.start].decode()
    return bool(text.strip()) and "".join(text.split()).isprintable()


def _parameter(part: Message, name: str) -> str:
    return str(part.get_param(name, "")).strip().lower()


def without_formatting(text: str) -> str:
    """What `text/enriched` (RFC 1896) says: a single line end is a blank there, and of several one goes."""
    bare = _ENRICHED_TAG.sub("", _PARAMETERS.sub("", text.replace("<<", "\0")))
    return _LINE_ENDS.sub(lambda found: " " if found[0].count("\n") == 1 else "\n" * (found[0].count("\n") - 1), bare).replace("\0", "<")


def unfolded(text: str, *, joined: bool) -> str:
    """A text of format=flowed with its paragraphs in one line each; `joined` (delsp=yes): the blank at a line's end is no part of it.

    Some programs say so and write one blank between two words, where two would belong: of such a text the blank stays.
    A blank that hides a ">" or a "From " at the begin of a line stays before ">", since what follows is no quote.
    """
    lines: list[list[str]] = []
    honest = re.search(r"  \r?\n", text) is not None
    before = -1  # the depth of quotation of a line that goes on
    for line in text.replace("\r\n", "\n").split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:]
        words = words[1:] if words.startswith(" ") and not words.startswith(" >") else words
        flows = words.endswith(" ") and words != _SIGNATURE
        shown = words[:-1] if flows and joined else words
        if before == depth and words != _SIGNATURE:
            apart = joined and not honest and words[:1] < _SPACELESS and words[:1].isalpha() and _LATIN_WORD.search(lines[-1][-1][-41:])
            lines[-1] += [" ", shown] if apart else [shown]
        else:
            lines.append([">" * depth, " " if depth and shown else "", shown])
        before = depth if flows else -1
    return "\n".join("".join(pieces) for pieces in lines)
