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
from webhook_api.email import attachments, text_parts
from webhook_api.email.attachments import MailFile
from webhook_api.email.headers import decoded

MAX_TEXT_BYTES: Final = 1_048_576
MAX_TEXTS: Final = 100
"""Texts of a kind that are read: to find out a wrong charset takes 10 ms."""
MAX_GUESSED_BYTES: Final = 10 * MAX_TEXT_BYTES
MAX_FILE_NAME: Final = 500
MAX_HEADERS: Final = 262_144
MAX_BOUNDARIES: Final = 5_000
MAX_NESTING: Final = 100
MAX_CONTENT_FIELD: Final = 4_000
"""Bytes of a Content-... field: a file's name of 255 letters takes 2,300 where each is percent-encoded. Longer ones take more than their
length."""
MAX_CONTENT_FIELDS: Final = 500_000
"""Bytes of all of them."""
MAX_MAILS: Final = 5
"""The most attached mails that are read, with those attached to them; further ones are named."""
MAX_INNER_MAILS: Final = 2
"""The same of those in one mail that came as a file of its own."""
MAX_ALL_TEXTS: Final = 400
"""Texts of a message and of all mails in it."""
MAX_SHOWN_HEADER: Final = 2_000
MAX_MAIL_DEPTH: Final = 3
"""How deep a mail may be attached to an attached mail and still be read."""
MAX_GUESSES: Final = 5
MAIL_TYPES: Final = ("message/rfc822", "message/global")
UNNAMED_MAIL: Final = "a mail.eml"

# Each line of a part goes through the parsers of all the parts around it: 1,000 levels would take a megabyte a minute.
_NESTING: Final = re.compile(rb"content-type:\s*(multipart|message)/", re.IGNORECASE)
_CONTENT_FIELD: Final = re.compile(rb"^content-[a-z-]{1,40}[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)
_CONTENT_TYPE: Final = re.compile(r"\s*([a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80})", re.IGNORECASE)
_BOUNDARY_LINE: Final = re.compile(
    rb"^--(-{0,60}[^\s\"\\-](?:[^\r\n\"\\]{0,68}[^\s\"\\])?)[ \t]{0,80}\r?\n(?=content-)", re.IGNORECASE | re.MULTILINE
)
"""A line that looks as if it began a part: a header of a part stands below it."""
_FOR_OTHER_SCREENS: Final = frozenset({"text/x-amp-html", "text/watch-html"})
"""The same letter once more, for programs that take no HTML, or more than that."""
_TEXT_FILES: Final = frozenset(
    {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv", "text/tab-separated-values", "text/rtf", "text/xml",
     "text/css", "text/javascript", "text/html-sandboxed", "text/rfc822-headers"}
)  # fmt: skip
"""Texts for programs; any other is for people (RFC 2046, 4.1.4)."""
_SURROGATES: Final = re.compile("[\udc80-\udcff]")
_UNREADABLE: Final = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError)


@dataclass(slots=True)
class MailTexts:
    """Texts of both kinds that stand together. `alternatives`: the message says that they are the same in two forms.

    `html_first`: of those that are none, the HTML stands before the plain text.
    """

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    alternatives: bool = False
    html_first: bool = False


@dataclass(slots=True)
class Bodies:
    """The texts of a message in their order, its files, and the mails attached to it."""

    texts: list[MailTexts] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)
    mails: list[AttachedMail] = field(default_factory=list)

    @classmethod
    def of_text(cls, text: str) -> Bodies:
        """A message of one plain text."""
        return cls([MailTexts([text])])

    @property
    def has_html(self) -> bool:
        """Whether any of the texts is HTML."""
        return any(html.strip() for texts in self.texts for html in texts.html)


@dataclass(frozen=True, slots=True)
class AttachedMail:
    """A whole mail that came as a file: its headers, decoded and on one line, and what is in it."""

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
        return Bodies.of_text(_rest(raw))
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
        _Reading(bodies, 0, _Budget(MAX_MAILS)).read(message)
    except _UNREADABLE:
        if not bodies.texts:
            bodies.texts.append(MailTexts([_rest(raw)]))
    return bodies


def _is_bomb(raw: bytes) -> bool:
    """Whether Python's parser would take minutes: because of deeply nested parts, very many parts, or one huge header."""
    if _head_end(raw) > MAX_HEADERS or raw.count(b"\n--") > MAX_BOUNDARIES:
        return True
    nested = size = 0
    for found in _CONTENT_FIELD.finditer(raw):
        nested += _NESTING.match(found[0]) is not None
        size += len(found[0])
        if nested > MAX_NESTING or len(found[0]) > MAX_CONTENT_FIELD or size > MAX_CONTENT_FIELDS:
            return True
    return False


def attached(raw: bytes) -> AttachedMail:
    """A mail that came as a file."""
    return _attached_file(raw, 1, _Budget(MAX_INNER_MAILS))


def _attached_file(raw: bytes, depth: int, budget: _Budget) -> AttachedMail:
    if _is_bomb(raw):
        return AttachedMail("", "", "", Bodies.of_text(_rest(raw)))
    try:
        return _attached(BytesParser(policy=compat32).parsebytes(raw), depth, budget)
    except _UNREADABLE:
        return AttachedMail("", "", "", Bodies.of_text(_rest(raw)))


@dataclass(slots=True)
class _Budget:
    """What may still be read of one message with all mails in it."""

    mails: int
    texts: int = MAX_ALL_TEXTS


@dataclass(slots=True)
class _Reading:
    """Reads the parts of one message. The words of a mail that is attached to it are kept apart: they are not its author's."""

    bodies: Bodies
    depth: int
    budget: _Budget
    guesses: int = MAX_GUESSES

    def read(self, message: Message) -> None:
        """All parts of the message, in their order, each with the alternatives that it belongs to."""
        left: list[tuple[Message, MailTexts | None]] = [(message, None)]
        while left:
            part, group = left.pop()
            kind = content_type(part)
            if part is not message and kind in MAIL_TYPES:
                self._mail(part)
            elif part.is_multipart():
                group = group or (MailTexts(alternatives=True) if kind == "multipart/alternative" else None)
                left.extend((each, group) for each in reversed(part.get_payload()))  # type: ignore[arg-type]  # a list of parts
            elif kind.startswith("multipart/"):
                left += [(guessed, group)] if (guessed := self._guessed(part)) is not None else []
            else:
                self._part(part, kind, group)

    def _mail(self, part: Message) -> None:
        if self.depth >= MAX_MAIL_DEPTH or not self.budget.mails:
            self.bodies.files.append(attachments.of_part(_described(part)[1] or UNNAMED_MAIL, part))
        else:
            self.budget.mails -= 1
            self.bodies.mails.append(_inner(part, self.depth + 1, self.budget))

    def _guessed(self, part: Message) -> Message | None:
        """What a part holds that is said to have parts, but not with this boundary: what looks like one, else the text as it is."""
        raw = text_parts.content(part, MAX_GUESSED_BYTES)
        found = _BOUNDARY_LINE.search(raw)
        if found is not None and self.guesses:
            self.guesses -= 1
            head = f"Content-Type: {content_type(part)}; boundary=".encode() + b'"' + found[1] + b'"\r\n\r\n'
            return BytesParser(policy=compat32).parsebytes(head + raw)
        if raw.strip():
            self._add("text/plain", decode(raw[:MAX_TEXT_BYTES]), None)
        return None

    def _part(self, part: Message, kind: str, group: MailTexts | None) -> None:
        charset, name, attached = _described(part)
        if kind in _FOR_OTHER_SCREENS and group is not None and not name:
            return
        readable = kind in ("text/plain", "text/html") or (kind.startswith("text/") and kind not in _TEXT_FILES)
        if attached or not readable:
            self.bodies.files.append(attachments.of_part(name, part))
        elif kind in ("text/plain", "text/html") or not (group and (group.plain or group.html)):
            texts = [text for each in self.bodies.texts for text in (each.html if kind == "text/html" else each.plain)]
            room = MAX_TEXT_BYTES - sum(map(len, texts))
            if room > 0 and len(texts) < MAX_TEXTS and self.budget.texts:
                self.budget.texts -= 1
                with suppress(*_UNREADABLE):
                    self._add(kind, text_parts.text_of(part, charset, room), group)

    def _add(self, kind: str, text: str, group: MailTexts | None) -> None:
        known = self.bodies.texts
        if group is None:
            group = known[-1] if known and not known[-1].alternatives else MailTexts()
        if not any(group is each for each in known):
            known.append(group)
        if kind == "text/html":
            group.html_first = group.html_first or not group.plain
            group.html.append(text)
        else:
            group.plain.append(text)


def content_type(part: Message) -> str:
    """A part's content type as far as it is one: `text/plain>` is meant as text, and so is what is no type at all."""
    found = _CONTENT_TYPE.match(str(part.get("content-type", ""))[:MAX_CONTENT_FIELD])
    return found[1].lower() if found else part.get_content_type() if "content-type" not in part else "text/plain"


def _inner(part: Message, depth: int, budget: _Budget) -> AttachedMail:
    """The mail in a part. RFC 2046 forbids to encode one as base64; programs do it, and Python's parser takes the letters for its text."""
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        return _attached_file(str(payload or "").encode("utf-8", "surrogateescape"), depth, budget)
    text = inner.get_payload()
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64" and not inner.keys() and isinstance(text, str):
        with suppress(ValueError):
            return _attached_file(base64.b64decode(text), depth, budget)
    return _attached(inner, depth, budget)


def _attached(message: Message, depth: int, budget: _Budget) -> AttachedMail:
    bodies = Bodies()
    with suppress(*_UNREADABLE):
        _Reading(bodies, depth, budget).read(message)
    shown = [" ".join(decoded(str(message.get(name, ""))[:MAX_SHOWN_HEADER]).split()) for name in ("from", "date", "subject")]
    return AttachedMail(shown[0], shown[1], shown[2], bodies)


def _described(part: Message) -> tuple[str, str, bool]:
    """Charset, file name, and whether the part is an attachment.

    By the old policy: the new one parses each header by a grammar that takes minutes for one of 2 MB.
    """
    try:
        name = _file_name(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        return part.get_content_charset("") or "", name, attached
    except _UNREADABLE:
        return "", "", False


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
