"""Parses a whole MIME message (Inbound Parse's raw mode) into its texts and the names of its attachments.

Python's parser raises many kinds of errors on hostile input, and recurses on nested parts. A part that cannot be read is left out; of a
message that cannot be read at all the bytes become its text. So no mail is lost because of its form.
"""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Final

from shared.model.text import decode, decode_plain
from webhook_api.email import attachments
from webhook_api.email.attachments import MailFile
from webhook_api.email.headers import decoded

MAX_TEXT_BYTES: Final = 1_048_576
MAX_TEXTS: Final = 100
"""Texts of a kind that are read: to find out a wrong charset takes 10 ms."""
MAX_FILE_NAME: Final = 500
MAX_HEADERS: Final = 262_144
MAX_BOUNDARIES: Final = 5_000
MAX_NESTING: Final = 100
MAX_CONTENT_FIELD: Final = 1_000
MAX_CONTENT_FIELDS: Final = 1_000
MAX_MAILS: Final = 5
"""The most attached mails that are read; further ones are named."""
MAX_SHOWN_HEADER: Final = 2_000
MAIL_TYPES: Final = ("message/rfc822", "message/global")
UNNAMED_MAIL: Final = "a mail.eml"

# Each line of a part goes through the parsers of all the parts around it: 1,000 levels would take a megabyte a minute.
_NESTING: Final = re.compile(rb"content-type:\s*(multipart|message)/", re.IGNORECASE)
_CONTENT_FIELD: Final = re.compile(rb"^content-[a-z-]{1,40}[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)
_SURROGATES: Final = re.compile("[\udc80-\udcff]")
_UNREADABLE: Final = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError)


@dataclass(slots=True)
class Bodies:
    """The plain texts of a message, its HTML texts, its files, and the mails attached to it.

    `alternatives`: the message says that texts of both kinds are the same in two forms.
    """

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)
    mails: list[AttachedMail] = field(default_factory=list)
    alternatives: bool = False


@dataclass(frozen=True, slots=True)
class AttachedMail:
    """A whole mail that came as a file: its headers, decoded and on one line, and what is in it; mails in it are named alone."""

    sender: str
    date: str
    subject: str
    bodies: Bodies


def header_block(raw: bytes, limit: int) -> str:
    """The header block of a message as text, with the empty line that ends it; of a longer one the first `limit` bytes."""
    return decode_plain(raw[: min(_head_end(raw), limit)])


def _head_end(raw: bytes) -> int:
    ends = [position + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (position := raw.find(mark)) >= 0]
    return min(ends, default=len(raw))


def read(raw: bytes) -> Bodies:
    """The texts and the files of a message."""
    bodies = Bodies()
    if _is_bomb(raw):
        return Bodies(plain=[_rest(raw)])
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
        _read_parts(message, bodies, depth=0)
    except _UNREADABLE:
        if not bodies.plain and not bodies.html:
            bodies.plain.append(_rest(raw))
    return bodies


def _is_bomb(raw: bytes) -> bool:
    """Whether Python's parser would take minutes: because of deeply nested parts, very many parts, or one huge header."""
    if _head_end(raw) > MAX_HEADERS or raw.count(b"\n--") > MAX_BOUNDARIES:
        return True
    nested = 0
    for number, found in enumerate(_CONTENT_FIELD.finditer(raw)):
        nested += _NESTING.match(found[0]) is not None
        if nested > MAX_NESTING or len(found[0]) > MAX_CONTENT_FIELD or number > MAX_CONTENT_FIELDS:
            return True
    return False


def attached(raw: bytes) -> AttachedMail:
    """A mail that came as a file."""
    if _is_bomb(raw):
        return AttachedMail("", "", "", Bodies(plain=[_rest(raw)]))
    try:
        return _attached(BytesParser(policy=compat32).parsebytes(raw))
    except _UNREADABLE:
        return AttachedMail("", "", "", Bodies(plain=[_rest(raw)]))


def _read_parts(message: Message, bodies: Bodies, depth: int) -> None:
    """Read the parts of a message. The words of a mail that is attached to it are kept apart: they are not its author's."""
    left = [message]
    while left:
        part = left.pop()
        if part is not message and part.get_content_type() in MAIL_TYPES:
            if depth or len(bodies.mails) == MAX_MAILS:
                bodies.files.append(attachments.of_part(_described(part)[2] or UNNAMED_MAIL, part))
            else:
                bodies.mails.append(_inner(part))
        elif part.is_multipart():
            bodies.alternatives = bodies.alternatives or part.get_content_type() == "multipart/alternative"
            left.extend(reversed(part.get_payload()))  # type: ignore[arg-type]  # a list of parts
        else:
            _read_part(part, bodies)


def _inner(part: Message) -> AttachedMail:
    """The mail in a part. RFC 2046 forbids to encode one as base64; programs do it, and Python's parser takes the letters for its text."""
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        return attached(str(payload or "").encode("utf-8", "surrogateescape"))
    text = inner.get_payload()
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64" and not inner.keys() and isinstance(text, str):
        with suppress(ValueError):
            return attached(base64.b64decode(text))
    return _attached(inner)


def _attached(message: Message) -> AttachedMail:
    bodies = Bodies()
    with suppress(*_UNREADABLE):
        _read_parts(message, bodies, depth=1)
    shown = [" ".join(decoded(str(message.get(name, ""))[:MAX_SHOWN_HEADER]).split()) for name in ("from", "date", "subject")]
    return AttachedMail(shown[0], shown[1], shown[2], bodies)


def _read_part(part: Message, bodies: Bodies) -> None:
    kind, charset, name, attached = _described(part)
    if attached or kind not in ("text/plain", "text/html"):
        bodies.files.append(attachments.of_part(name, part))
        return
    try:
        payload = part.get_payload(decode=True)
    except _UNREADABLE:
        return
    content = payload if isinstance(payload, bytes) else b""
    texts = bodies.plain if kind == "text/plain" else bodies.html
    room = MAX_TEXT_BYTES - sum(map(len, texts))
    if room > 0 and len(texts) < MAX_TEXTS:
        texts.append(decode(content[:room], charset))


def _described(part: Message) -> tuple[str, str, str, bool]:
    """Content type, charset, file name, and whether the part is an attachment.

    By the old policy: the new one parses each header by a grammar that takes minutes for one of 2 MB.
    """
    try:
        name = _file_name(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        return part.get_content_type(), part.get_content_charset("") or "", name, attached
    except _UNREADABLE:
        return "text/plain", "", "", False


def _file_name(part: Message) -> str:
    """The name of a part's file: by RFC 2231, in encoded words, or in bytes of any charset; '' when it has none."""
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        value = next((str(value) for name, value in part.raw_items() if name.lower() == header), "")
        if len(value) > MAX_CONTENT_FIELD:
            continue
        # A byte beyond ASCII stands as a lone surrogate, which the parser of parameters would replace.
        line = Message()
        line[header] = decode(value.encode("ascii", "surrogateescape")) if _SURROGATES.search(value) else value
        found = line.get_param(parameter, header=header)
        if isinstance(found, tuple):  # RFC 2231: each character of the text is a byte
            return decode(found[2].encode("latin-1", "replace"), found[0] or "")[:MAX_FILE_NAME]
        if found:
            return decoded(str(found))[:MAX_FILE_NAME]
    return ""


def _rest(raw: bytes) -> str:
    start = _head_end(raw)
    return decode(raw[start : start + MAX_TEXT_BYTES])
